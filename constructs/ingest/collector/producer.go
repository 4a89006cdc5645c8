package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	meters   *meters

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
	lines []byte // of its events, until it is sealed
	count int    // of its events
	size  int    // of its lines
	done  chan struct{}
}

func newProducer(writer putrecords.Writer, now func() time.Time, m *meters) *producer {
	p := &producer{writer: writer, instance: uuid.New(), now: now, meters: m, wake: make(chan struct{}, 1)}
	m.watchBuffer(p.waiting)
	return p
}

// wait returns when Kinesis has acknowledged every event, or with an error when
// that takes longer than most. After an error none or some may still be stored:
// the client sends the batch again, and storage knows events by their ids.
func (p *producer) wait(ctx context.Context, drafts []*draft, most time.Duration) error {
	late := time.NewTimer(most) // cheaper than a context with a deadline
	defer late.Stop()
	for _, d := range drafts {
		select {
		case <-d.done:
		case <-late.C:
			return fmt.Errorf("%w: no answer within %s", errBusy, answerTimeout)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
	}
	return nil
}

// add copies events into drafts, all or none, and returns these.
func (p *producer) add(events *lines) ([]*draft, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buffered+len(events.bytes) > maxBufferedBytes {
		return nil, errBusy
	}
	for _, e := range events.places {
		if p.partitions[e.partition].refused {
			return nil, errBusy
		}
	}
	p.buffered += len(events.bytes)
	var drafts []*draft
	begin := 0
	for _, e := range events.places {
		line := events.bytes[begin:e.end]
		begin = e.end
		d := p.draft(e.partition, len(line), e.count)
		d.lines = append(d.lines, line...)
		d.count += e.count
		d.size += len(line)
		if !slices.Contains(drafts, d) { // mostly the one of a visitor
			drafts = append(drafts, d)
		}
	}
	p.awake()
	return drafts, nil
}

// awake has run look for ready partitions.
func (p *producer) awake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// draft returns the partition's draft that has room for count events of size
// bytes.
func (p *producer) draft(number, size, count int) *draft {
	part := &p.partitions[number]
	if n := len(part.drafts); n > 0 {
		if last := part.drafts[n-1]; last.size+size <= maxDraftBytes && last.count+count <= event.MaxFrameEvents {
			return last
		}
	}
	d := &draft{lines: *draftPool.Get().(*[]byte), done: make(chan struct{})}
	if len(part.drafts) == 0 && part.inFlight == nil {
		p.ready = append(p.ready, number)
	}
	part.drafts = append(part.drafts, d)
	return d
}

var draftPool = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

// seal returns the frame's bytes, and ends the use of its lines.
func (f sealed) seal() []byte {
	data := f.frame.Seal(f.count, f.lines)
	if cap(f.lines) <= maxPooled {
		empty := f.lines[:0]
		draftPool.Put(&empty)
	}
	f.lines = nil
	return data
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
		}})
	}
	p.ready = p.ready[n:]
	return frames
}

func (p *producer) send(ctx context.Context, frames []sealed) {
	entries := make([]types.PutRecordsRequestEntry, len(frames))
	for i, f := range frames {
		key := fmt.Sprintf("%03d", f.frame.Partition)
		entries[i] = types.PutRecordsRequestEntry{Data: f.seal(), PartitionKey: &key}
		p.meters.frame(len(entries[i].Data) + len(key))
	}
	// An error means that ctx ended, which is told by drain.
	_ = p.writer.Put(ctx, entries, func(i int) { p.acknowledge(frames[i]) }, func(i int) { p.refuse(frames[i]) })
}

func (p *producer) acknowledge(f sealed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	part := &p.partitions[f.frame.Partition]
	part.sequence++
	part.firstEvent += uint64(f.count)
	part.inFlight, part.refused = nil, false
	p.buffered -= f.size
	close(f.done)
	if len(part.drafts) > 0 {
		p.ready = append(p.ready, f.frame.Partition)
		p.awake()
	}
}

func (p *producer) refuse(f sealed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partitions[f.frame.Partition].refused = true
	p.meters.refusedRecords.Inc()
}

// waiting is how many bytes Kinesis has not acknowledged.
func (p *producer) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buffered
}

// drain waits until Kinesis has everything, or ctx ends.
func (p *producer) drain(ctx context.Context) error {
	for {
		left := p.waiting()
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
