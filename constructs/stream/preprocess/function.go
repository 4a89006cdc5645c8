package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/putrecords"
)

type s3API interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

type function struct {
	events     putrecords.Writer
	s3         s3API
	quarantine string // bucket
	ledger     string // bucket
	lanes      int    // groups of virtual partitions that packs do not mix
}

// handle processes the records up to the first that is no frame and reports
// that one: Lambda goes on from it, so no frame is processed twice for its
// sake, and splits the batch until it stands alone and goes to failed/.
func (f *function) handle(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	var response events.KinesisEventResponse
	frames := make([]event.Frame, 0, len(batch.Records))
	for _, record := range batch.Records {
		var frame event.Frame
		if err := frame.UnmarshalBinary(record.Kinesis.Data); err != nil {
			slog.Error("record is no frame", "sequence_number", record.Kinesis.SequenceNumber, "error", err)
			response.BatchItemFailures = []events.KinesisBatchItemFailure{{ItemIdentifier: record.Kinesis.SequenceNumber}}
			break
		}
		frames = append(frames, frame)
	}
	if deadline, ok := ctx.Deadline(); ok { // there Lambda kills the function, and nobody hears why
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
		defer cancel()
	}
	if err := f.process(ctx, frames); err != nil {
		slog.Error("frames not processed", "frames", len(frames), "error", err)
		return response, err // all of them come again
	}
	return response, nil
}

// process writes what becomes of the frames. Receipts come first: a frame
// whose events are nowhere shows as residue.
func (f *function) process(ctx context.Context, frames []event.Frame) error {
	if len(frames) == 0 {
		return nil
	}
	packers := make([]event.Packer, f.lanes)
	var receipts, rejects objects
	for _, frame := range frames {
		if err := receipts.add(frame, frame.Receipt()); err != nil {
			return err
		}
		for position, received := range frame.Events {
			stored, rejected := sift(frame, position, received)
			if rejected != nil {
				if err := rejects.add(frame, rejected); err != nil {
					return err
				}
				continue
			}
			if err := packers[frame.Partition%f.lanes].Add(stored); err != nil {
				return err
			}
		}
	}
	if err := f.write(ctx, f.ledger, "receipts", receipts); err != nil {
		return err
	}
	if err := f.write(ctx, f.quarantine, "events", rejects); err != nil {
		return err
	}
	return f.put(ctx, packers)
}

// maxProblems bounds a quarantined event's message: an event of 32 KiB can have
// thousands of problems.
const maxProblems = 20

// sift turns a received event into a stored or a quarantined one.
func sift(frame event.Frame, position int, received event.Received) (event.Stored, *event.Quarantined) {
	e, err := event.Unmarshal(received.Event, received.ReceivedAt)
	if err != nil {
		q := &event.Quarantined{
			Reason: "invalid", Message: err.Error(),
			ShopID: received.ShopID, EventID: e.EventID, ReceivedAt: received.ReceivedAt, BatchID: received.BatchID,
			FrameID: frame.ID.String(), FramePosition: position,
			Component: "preprocess", SchemaVersion: event.SchemaVersion, Original: received.Event,
		}
		var problems event.Problems
		if errors.As(err, &problems) {
			q.Reason, q.Pointer = problems[0].Rule, problems[0].Pointer
			q.Message = problems[:min(len(problems), maxProblems)].Error()
		}
		return event.Stored{}, q
	}
	eventTime, err := event.IDTime(e.EventID)
	if err != nil {
		panic(err) // Unmarshal has checked the id
	}
	return event.Stored{
		Event:  e,
		ShopID: received.ShopID, ShopBucket: event.ShopBucket(received.ShopID),
		EventTime: eventTime, EventDate: eventTime.Format("2006-01-02"), ReceivedAt: received.ReceivedAt,
		BatchID: received.BatchID, BatchSeq: received.BatchSeq,
		FrameID: frame.ID.String(), FramePosition: position,
		Trust: received.Trust, IP: received.IP, UserAgent: received.UserAgent, SchemaVersion: event.SchemaVersion,
	}, nil
}

// put writes the lanes' packs to the events stream.
func (f *function) put(ctx context.Context, packers []event.Packer) error {
	var entries []types.PutRecordsRequestEntry
	for lane := range packers {
		key := fmt.Sprintf("lane-%03d", lane)
		for _, line := range packers[lane].Lines() {
			entries = append(entries, types.PutRecordsRequestEntry{Data: line, PartitionKey: &key})
		}
	}
	return f.events.Put(ctx, entries, func(int) {}, nil)
}

// objects are lines of JSON by the hour in which their frames were made, and
// the frames that they are about.
type objects map[string]*object

type object struct {
	lines  bytes.Buffer
	frames [][]byte
}

func (o *objects) add(frame event.Frame, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode what becomes of frame %s: %w", frame.ID, err)
	}
	if *o == nil {
		*o = objects{}
	}
	hour := frame.CreatedAt.UTC().Format("date=2006-01-02/hour=15")
	if (*o)[hour] == nil {
		(*o)[hour] = &object{}
	}
	at := (*o)[hour]
	at.lines.Write(line)
	at.lines.WriteByte('\n')
	at.frames = append(at.frames, bytes.Clone(frame.ID[:]))
	return nil
}

// write stores objects under names made of their frames: the same frames
// always write the same object.
func (f *function) write(ctx context.Context, bucket, prefix string, all objects) error {
	for hour, o := range all {
		digest := sha256.Sum256(bytes.Join(o.frames, nil))
		key := fmt.Sprintf("%s/%s/%x.json.gz", prefix, hour, digest[:16])
		var body bytes.Buffer
		zip := gzip.NewWriter(&body)
		if _, err := zip.Write(o.lines.Bytes()); err != nil {
			return err
		}
		if err := zip.Close(); err != nil {
			return err
		}
		if _, err := f.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body.Bytes())}); err != nil {
			return fmt.Errorf("put s3://%s/%s: %w", bucket, key, err)
		}
	}
	return nil
}
