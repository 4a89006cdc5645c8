package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/putrecords"
)

// Bounds of what the producer holds.
const (
	linger           = 10 * time.Millisecond // a frame waits this long for more events
	maxDraftBytes    = 512 << 10             // a frame's events before compression
	maxBufferedBytes = 64 << 20              // of all frames that Kinesis has not acknowledged
)

// errBusy says that Kinesis refuses or that too much waits for it: the client
// keeps its batch and comes back.
var errBusy = errors.New("the gateway stream does not take events")

// producer writes events to the gateway stream in frames. A virtual partition
// has one frame in flight; what arrives meanwhile goes into the next one. So
// order is kept, load makes larger frames, and a frame's sequence number is
// only used up when Kinesis has acknowledged it: the sequence has a gap only
// where something was lost.
type producer struct {
	writer   putrecords.Writer
	instance uuid.UUID
	now      func() time.Time

	mu         sync.Mutex
	partitions [event.VirtualPartitions]partition
	ready      []int // partitions with a draft and no frame in flight
	buffered   int   // bytes
	wake       chan struct{}
	calls      sync.WaitGroup
}

type partition struct {
	sequence   uint64
	firstEvent uint64
	drafts     []*draft // frames to come; events are added to the last
	inFlight   *draft
	refused    bool // Kinesis refused the frame in flight at least once
}

// draft is a frame to be, from its first event until Kinesis has it.
type draft struct {
	events []event.Received
	bytes  int
	done   chan struct{}
}

func newProducer(writer putrecords.Writer, now func() time.Time) *producer {
	return &producer{writer: writer, instance: uuid.New(), now: now, wake: make(chan struct{}, 1)}
}

// keyed is an event with its virtual partition.
type keyed struct {
	event.Received
	partition int
}

// size bounds what the event takes in a frame, in bytes.
func (e keyed) size() int {
	const envelope = 512 // names, ids and times around the event
	return len(e.Event) + len(e.UserAgent) + envelope
}

// put returns when Kinesis has acknowledged every event. After an error none
// or some may still be stored: the client sends the batch again, and storage
// knows events by their ids.
func (p *producer) put(ctx context.Context, events []keyed) error {
	drafts, err := p.add(events)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		select {
		case <-d.done:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
	}
	return nil
}

// add puts events into drafts, all or none, and returns these.
func (p *producer) add(events []keyed) ([]*draft, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := 0
	for _, e := range events {
		size += e.size()
		if p.partitions[e.partition].refused {
			return nil, errBusy
		}
	}
	if p.buffered+size > maxBufferedBytes {
		return nil, errBusy
	}
	p.buffered += size
	var drafts []*draft
	seen := map[*draft]bool{}
	for _, e := range events {
		d := p.draft(e.partition, e.size())
		d.events = append(d.events, e.Received)
		d.bytes += e.size()
		if !seen[d] {
			seen[d] = true
			drafts = append(drafts, d)
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return drafts, nil
}

// draft returns the partition's draft that has room for size bytes.
func (p *producer) draft(number, size int) *draft {
	part := &p.partitions[number]
	if n := len(part.drafts); n > 0 && part.drafts[n-1].bytes+size <= maxDraftBytes {
		return part.drafts[n-1]
	}
	d := &draft{done: make(chan struct{})}
	if len(part.drafts) == 0 && part.inFlight == nil {
		p.ready = append(p.ready, number)
	}
	part.drafts = append(part.drafts, d)
	return d
}

// run sends frames until ctx ends, then gives up on what is in flight.
func (p *producer) run(ctx context.Context) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			p.calls.Wait()
			return
		}
		time.Sleep(linger)
		for frames := p.take(); len(frames) > 0; frames = p.take() {
			p.calls.Go(func() { p.send(ctx, frames) })
		}
	}
}

// sealed is a draft with its place in its partition's sequence.
type sealed struct {
	*draft
	frame event.Frame
}

// take seals the ready partitions' next frames, as many as one call takes.
func (p *producer) take() []sealed {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.ready), putrecords.MaxEntries)
	frames := make([]sealed, 0, n)
	for _, number := range p.ready[:n] {
		part := &p.partitions[number]
		part.inFlight, part.drafts = part.drafts[0], part.drafts[1:]
		frames = append(frames, sealed{part.inFlight, event.Frame{
			ID:         uuid.Must(uuid.NewV7()),
			Instance:   p.instance,
			Partition:  number,
			Sequence:   part.sequence,
			FirstEvent: part.firstEvent,
			CreatedAt:  p.now(),
			Events:     part.inFlight.events,
		}})
	}
	p.ready = p.ready[n:]
	return frames
}

func (p *producer) send(ctx context.Context, frames []sealed) {
	entries := make([]types.PutRecordsRequestEntry, len(frames))
	for i, f := range frames {
		data, err := f.frame.MarshalBinary()
		if err != nil {
			panic(err) // events were decoded from JSON and are bounded: they encode
		}
		key := fmt.Sprintf("%03d", f.frame.Partition)
		entries[i] = types.PutRecordsRequestEntry{Data: data, PartitionKey: &key}
	}
	// An error means that ctx ended, which is told by drain.
	_ = p.writer.Put(ctx, entries, func(i int) { p.acknowledge(frames[i]) }, func(i int) { p.refuse(frames[i]) })
}

func (p *producer) acknowledge(f sealed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	part := &p.partitions[f.frame.Partition]
	part.sequence++
	part.firstEvent += uint64(len(f.events))
	part.inFlight, part.refused = nil, false
	p.buffered -= f.bytes
	close(f.done)
	if len(part.drafts) > 0 {
		p.ready = append(p.ready, f.frame.Partition)
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *producer) refuse(f sealed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partitions[f.frame.Partition].refused = true
}

// drain waits until Kinesis has everything, or ctx ends.
func (p *producer) drain(ctx context.Context) error {
	for {
		p.mu.Lock()
		left := p.buffered
		p.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(linger):
		case <-ctx.Done():
			return fmt.Errorf("%d bytes of events were not acknowledged; their senders were told so and keep them", left)
		}
	}
}
