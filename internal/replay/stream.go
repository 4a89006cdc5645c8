package replay

import (
	"context"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/time/rate"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/putrecords"
)

// What a shard takes in a second.
const (
	shardRecords = 1000
	shardBytes   = 1 << 20
)

// Paced writes to a stream no faster than a share of what its shards take, so
// that what shoppers do now goes before.
type Paced struct {
	writer  putrecords.Writer
	records *rate.Limiter
	bytes   *rate.Limiter
}

// NewPaced paces a writer at a share, over 0 to 1, of what so many shards take.
func NewPaced(w putrecords.Writer, shards int, share float64) *Paced {
	limiter := func(perSecond float64, least int) *rate.Limiter {
		return rate.NewLimiter(rate.Limit(perSecond), max(int(math.Ceil(perSecond)), least))
	}
	const record = 1<<20 + 256 // the largest with its key
	return &Paced{w, limiter(share*float64(shards)*shardRecords, 1), limiter(share*float64(shards)*shardBytes, record)}
}

// Put writes the entries and retries what Kinesis refuses until ctx ends.
func (p *Paced) Put(ctx context.Context, entries []types.PutRecordsRequestEntry) error {
	for len(entries) > 0 {
		n, size := 0, 0
		for n < min(len(entries), p.records.Burst(), putrecords.MaxEntries) {
			next := len(entries[n].Data) + len(*entries[n].PartitionKey)
			if n > 0 && size+next > min(p.bytes.Burst(), putrecords.MaxBytes) {
				break
			}
			n, size = n+1, size+next
		}
		if err := p.records.WaitN(ctx, n); err != nil {
			return err
		}
		if err := p.bytes.WaitN(ctx, size); err != nil {
			return err
		}
		if err := p.writer.Put(ctx, entries[:n], func(int) {}, nil); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// batch gathers records for a stream.
type batch struct {
	stream   Stream // nil: they are counted alone
	progress *Progress
	entries  []types.PutRecordsRequestEntry
	bytes    int
}

// add gathers a record whose place Kinesis makes of its key.
func (b *batch) add(ctx context.Context, key string, data []byte, events int) error {
	return b.gather(ctx, types.PutRecordsRequestEntry{Data: data, PartitionKey: &key}, events)
}

// addAt gathers a record for the place of a virtual partition, as preprocess
// spreads packs.
func (b *batch) addAt(ctx context.Context, partition int, data []byte, events int) error {
	key, hashKey := fmt.Sprintf("%03d", partition), event.HashKey(partition)
	return b.gather(ctx, types.PutRecordsRequestEntry{Data: data, PartitionKey: &key, ExplicitHashKey: &hashKey}, events)
}

func (b *batch) gather(ctx context.Context, entry types.PutRecordsRequestEntry, events int) error {
	b.progress.Records++
	b.progress.Events += events
	if b.stream == nil {
		return nil
	}
	b.entries = append(b.entries, entry)
	if b.bytes += len(entry.Data); b.bytes < 1<<20 && len(b.entries) < putrecords.MaxEntries {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.entries) == 0 {
		return nil
	}
	err := b.stream.Put(ctx, b.entries)
	b.entries, b.bytes = nil, 0
	return err
}
