package replay

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/shopstream/shopstream/constructs/event"
)

// raw lets packs enter the events stream.
type raw struct {
	*Replay
	at     *state
	stream *batch
	seen   map[string]bool // ids of packs, as texts of their lines
}

func (r *raw) read(ctx context.Context, key string, zipped io.Reader) error {
	unzipped, err := gzip.NewReader(zipped)
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(unzipped, event.MaxPackBytes)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return r.stream.flush(ctx)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := r.pack(ctx, line); err != nil {
			var refused unreadable
			if !errors.As(err, &refused) {
				return err
			}
			r.at.unreadable(fmt.Sprintf("s3://%s/%s, line %d: %v", r.Selection.Bucket, key, n, err))
		}
	}
}

// pack lets a pack enter, unless it did so before: Firehose may deliver one
// twice, and an earlier replay's lie there too.
func (r *raw) pack(ctx context.Context, line []byte) error {
	var first *event.Stored
	erased := 0
	again, events, err := event.ReplayPack(line, func(e event.Stored) bool {
		if r.Selection.Shop != "" && e.ShopID != r.Selection.Shop {
			return false
		}
		if r.Hidden(e.ShopID, e.VisitorID, e.ReceivedAt) {
			erased++
			return false
		}
		if first == nil {
			first = &e
		}
		return true
	})
	if err != nil {
		return unreadable{err}
	}
	r.at.Erased += erased
	if events == 0 || r.repeats(again) {
		return nil
	}
	partition := event.VirtualPartition(first.ShopID, first.VisitorID, first.EventID)
	return r.stream.addAt(ctx, partition, again, events)
}

func (r *raw) repeats(line []byte) bool {
	const head = len(`{"pack":{"id":"`) + 36
	id := string(line[:head])
	if r.seen[id] {
		return true
	}
	r.seen[id] = true
	return false
}

// unreadable is an error of what is stored: what lies behind it can be read.
type unreadable struct{ error }

func (at *state) unreadable(where string) {
	if at.Unreadable++; at.Unreadable == 1 {
		at.FirstUnreadable = where
	}
}
