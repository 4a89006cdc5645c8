// Package putrecords writes to a Kinesis stream the way PutRecords needs it:
// the call is not all or nothing, so that only the entries that failed are
// sent again.
package putrecords

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// Limits of one call.
const (
	MaxEntries = 500
	MaxBytes   = 4 << 20 // of 5 MiB, which count partition keys too
)

// API is the part of Kinesis's client that a Writer uses.
type API interface {
	PutRecords(context.Context, *kinesis.PutRecordsInput, ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Writer writes to one stream. It is safe for concurrent use.
type Writer struct {
	Client API
	Stream string
}

// NewClient returns a client that leaves retries to the Writer.
func NewClient(cfg aws.Config) *kinesis.Client {
	return kinesis.NewFromConfig(cfg, func(o *kinesis.Options) { o.RetryMaxAttempts = 1 })
}

const (
	callTimeout = 5 * time.Second
	maxBackoff  = 2 * time.Second
)

// Put writes all entries, in as many calls as the limits ask for, and retries
// what failed until ctx ends. It tells acked of each entry that Kinesis took,
// and failed, which may be nil, of each attempt at an entry that it refused.
// The error counts what is not on the stream and names the last refusal.
func (w Writer) Put(ctx context.Context, entries []types.PutRecordsRequestEntry, acked func(i int), failed func(i int)) error {
	todo := make([]int, len(entries))
	for i := range todo {
		todo[i] = i
	}
	backoff := retry.NewExponentialJitterBackoff(maxBackoff)
	var reason error
	for attempt := 0; ; attempt++ {
		var refused []int
		for len(todo) > 0 {
			call := next(entries, todo)
			todo = todo[len(call):]
			left, err := w.call(ctx, entries, call, acked)
			if err != nil && (reason == nil || ctx.Err() == nil) { // that ctx ended hides no refusal
				reason = err
			}
			refused = append(refused, left...)
		}
		if len(refused) == 0 {
			return nil
		}
		if failed != nil {
			for _, i := range refused {
				failed(i)
			}
		}
		todo = refused
		wait, err := backoff.BackoffDelay(attempt, reason)
		if err != nil {
			wait = maxBackoff
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d records are not on stream %s: %w: %w", len(refused), len(entries), w.Stream, ctx.Err(), reason)
		}
	}
}

// next returns the longest beginning of todo that fits into one call.
func next(entries []types.PutRecordsRequestEntry, todo []int) []int {
	size := 0
	for n, i := range todo {
		size += len(entries[i].Data) + len(*entries[i].PartitionKey)
		if n > 0 && (n == MaxEntries || size > MaxBytes) {
			return todo[:n]
		}
	}
	return todo
}

// call makes one PutRecords call and returns what Kinesis refused.
func (w Writer) call(ctx context.Context, entries []types.PutRecordsRequestEntry, indexes []int, acked func(int)) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	records := make([]types.PutRecordsRequestEntry, len(indexes))
	for n, i := range indexes {
		records[n] = entries[i]
	}
	out, err := w.Client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &w.Stream, Records: records})
	if err == nil && len(out.Records) != len(indexes) {
		err = fmt.Errorf("kinesis answered for %d of %d records", len(out.Records), len(indexes))
	}
	if err != nil {
		return indexes, err
	}
	var refused []int
	for n, result := range out.Records {
		if result.ErrorCode != nil {
			refused = append(refused, indexes[n])
			err = errors.New(*result.ErrorCode)
			continue
		}
		acked(indexes[n])
	}
	return refused, err
}
