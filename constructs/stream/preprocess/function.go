package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/sift"
	"github.com/shopstream/shopstream/internal/putrecords"
)

type function struct {
	name       string // of the Lambda function
	events     putrecords.Writer
	s3         s3API
	quarantine string // bucket
	ledger     string // bucket
	lanes      int    // groups of neighbouring virtual partitions that packs do not mix
	sifter     *sift.Sifter
	metrics    io.Writer
	now        func() time.Time
}

// maxPending bounds what waits to be written, in bytes of events: a batch of
// Lambda's 6 MB of frames can hold a hundred times as much.
const maxPending = 8 << 20

// handle processes the records up to the first that cannot be taken or written
// and reports that one: Lambda goes on from it, so no frame is processed twice
// for its sake, and splits the batch until it stands alone and goes to failed/.
func (f *function) handle(ctx context.Context, batch events.KinesisEvent) (response events.KinesisEventResponse, err error) {
	if deadline, ok := ctx.Deadline(); ok { // there Lambda kills the function, and nobody hears why
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
		defer cancel()
	}
	done, err := f.process(ctx, batch.Records)
	if err != nil {
		slog.Error("frames not processed", "frames", len(batch.Records)-done, "error", err)
		if done == 0 {
			return response, err // all of them come again
		}
	}
	if done < len(batch.Records) {
		response.BatchItemFailures = []events.KinesisBatchItemFailure{{ItemIdentifier: batch.Records[done].Kinesis.SequenceNumber}}
	}
	return response, nil
}

// process returns how many records, from the first, are done. It reads frames
// one by one and writes some at a time; the same records always make the same
// objects and packs.
func (f *function) process(ctx context.Context, records []events.KinesisEventRecord) (done int, err error) {
	batch, total := f.sifter.Batch(), counts{}
	defer func() { total.write(f, batch.Scrubbed) }()
	for done < len(records) {
		p := f.newPending()
		var poison error
		taken := 0
		for ; done+taken < len(records) && p.eventBytes < maxPending; taken++ {
			if poison = p.take(batch, records[done+taken].Kinesis.Data); poison != nil {
				break
			}
		}
		if err := f.write(ctx, p); err != nil {
			return done, err
		}
		total.add(p.counts)
		done += taken
		if poison != nil {
			slog.Error("record not taken", "sequence_number", records[done].Kinesis.SequenceNumber, "error", poison)
			total.poison++
			return done, nil
		}
	}
	return done, nil
}

// write writes what becomes of frames. Receipts come first: a frame whose
// events are nowhere shows as residue.
func (f *function) write(ctx context.Context, p *pending) error {
	if err := f.writeObjects(ctx, f.ledger, "receipts", p.receipts); err != nil {
		return err
	}
	if err := f.writeObjects(ctx, f.quarantine, "events", p.rejects); err != nil {
		return err
	}
	var entries []types.PutRecordsRequestEntry
	for i := range p.packers {
		lane := i % f.lanes
		key, hashKey := fmt.Sprintf("lane-%03d", lane), event.HashKey(lane*event.VirtualPartitions/f.lanes)
		for _, line := range p.packers[i].Lines() {
			entries = append(entries, types.PutRecordsRequestEntry{Data: line, PartitionKey: &key, ExplicitHashKey: &hashKey})
		}
	}
	return f.events.Put(ctx, entries, func(int) {}, nil)
}
