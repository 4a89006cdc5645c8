package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
)

// quarantine lets rejected events enter the gateway stream.
type quarantine struct {
	*Replay
	at     *state
	stream *batch
}

// maxFrameBytes bounds a frame's events before compression, as the collector
// does.
const maxFrameBytes = 512 << 10

// lenient reads what was quarantined for being no good JSON.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func (r *quarantine) read(ctx context.Context, key string, zipped io.Reader) error {
	unzipped, err := gzip.NewReader(zipped)
	if err != nil {
		return err
	}
	lines, err := io.ReadAll(unzipped)
	if err != nil {
		return err
	}
	partitions, n := map[int][]event.Quarantined{}, 0
	for line := range bytes.Lines(lines) {
		n++
		var q event.Quarantined
		if err := json.Unmarshal(line, &q, lenient); err != nil {
			r.at.unreadable(fmt.Sprintf("s3://%s/%s, line %d: not a quarantine record", r.Selection.Bucket, key, n))
			continue
		}
		if partition, ok := r.takes(q); ok {
			partitions[partition] = append(partitions[partition], q)
		}
	}
	for _, partition := range slices.Sorted(maps.Keys(partitions)) {
		if err := r.frames(ctx, partition, partitions[partition]); err != nil {
			return err
		}
	}
	return r.stream.flush(ctx)
}

// takes says whether a record enters, and in which partition.
func (r *quarantine) takes(q event.Quarantined) (int, bool) {
	s := r.Selection
	if s.Shop != "" && q.ShopID != s.Shop || s.Reason != "" && q.Reason != s.Reason {
		return 0, false
	}
	if q.Reason == event.ReasonIDCollision && s.Reason == "" { // no rule of the contract: alone, it would pass
		return 0, false
	}
	if len(q.Original) == 0 || q.Original.Kind() == 'n' { // emptied by an erasure
		return 0, false
	}
	if id, err := uuid.Parse(q.FrameID); err == nil && id.Version() == 5 { // rejected again: the original lies there too
		return 0, false
	}
	visitor := visitorOf(q.Original)
	if r.Hidden(q.ShopID, visitor, q.ReceivedAt) {
		r.at.Erased++
		return 0, false
	}
	return event.VirtualPartition(q.ShopID, visitor, q.EventID), true
}

// visitorOf returns the visitor of an event that may be anything.
func visitorOf(original jsontext.Value) string {
	var fields map[string]jsontext.Value
	var visitor string
	if json.Unmarshal(original, &fields, lenient) != nil || json.Unmarshal(fields["visitor_id"], &visitor, lenient) != nil {
		return ""
	}
	return visitor
}

// frames lets records of one partition enter. A frame's id is made of its
// records: who replays them twice makes the same frame, which the ledger counts
// once. Each is an instance of its own, so that one which never came is no gap
// between others: its originals still lie in the quarantine.
func (r *quarantine) frames(ctx context.Context, partition int, records []event.Quarantined) error {
	var events []event.Received
	var name bytes.Buffer
	size := 0
	seal := func() error {
		id := uuid.NewSHA1(uuid.NameSpaceOID, name.Bytes()) // of version 5, unlike a collector's
		frame := event.Frame{ID: id, Instance: id, Partition: partition, CreatedAt: r.at.Begun, Replayed: true, Events: events}
		data, err := frame.MarshalBinary()
		if err != nil {
			return err
		}
		err = r.stream.add(ctx, fmt.Sprintf("%03d", partition), data, len(events))
		events, size = nil, 0
		name.Reset()
		return err
	}
	for _, q := range records {
		if size > 0 && size+len(q.Original) > maxFrameBytes {
			if err := seal(); err != nil {
				return err
			}
		}
		received := receivedOf(q)
		line, err := json.Marshal(received, lenient)
		if err != nil {
			return errors.New("a quarantine record does not encode")
		}
		fmt.Fprintf(&name, "%s/%d %s\n", q.FrameID, q.FramePosition, line)
		events, size = append(events, received), size+len(line)
	}
	return seal()
}

// receivedOf is the event as the collector had it.
func receivedOf(q event.Quarantined) event.Received {
	return event.Received{
		ShopID: q.ShopID, BatchID: q.BatchID, BatchSeq: q.BatchSeq, SentAt: q.SentAt, ReceivedAt: q.ReceivedAt,
		Trust: q.Trust, IP: q.IP, UserAgent: q.UserAgent, Event: q.Original,
	}
}
