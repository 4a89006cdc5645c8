package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
)

// checkSequences checks what the ledger builds on: in each partition, what is
// stored is numbered without a gap and knows how many events went before; and
// a frame that was sent again is the same frame.
func checkSequences(t *testing.T, g *gateway) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	type place struct {
		partition int
		sequence  uint64
	}
	sent := map[place][]byte{}
	for _, f := range g.attempts {
		data, err := f.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		at := place{f.Partition, f.Sequence}
		if before, ok := sent[at]; ok && !bytes.Equal(before, data) {
			t.Errorf("frame %d of partition %d was sent again with other bytes", f.Sequence, f.Partition)
		}
		sent[at] = data
	}
	type end struct{ sequence, events uint64 }
	ends := map[int]end{}
	seen := map[uuid.UUID]bool{}
	for _, f := range g.frames {
		if seen[f.ID] {
			continue // stored twice: its first answer was lost
		}
		seen[f.ID] = true
		want := ends[f.Partition]
		if f.Sequence != want.sequence || f.FirstEvent != want.events {
			t.Errorf("partition %d: got sequence %d and first event %d, want %d and %d", f.Partition, f.Sequence, f.FirstEvent, want.sequence, want.events)
		}
		ends[f.Partition] = end{f.Sequence + 1, f.FirstEvent + uint64(len(f.Events))}
	}
}

// checkOrder checks that each visitor's events were first stored in the order
// of their seq. An event that came in two frames was sent twice.
func checkOrder(t *testing.T, g *gateway) {
	t.Helper()
	next := map[string]int{}
	for _, id := range ids(g.events()) {
		visitor, number, _ := strings.Cut(id, "/")
		var seq int
		if _, err := fmt.Sscan(number, &seq); err != nil {
			t.Fatal(err)
		}
		if seq > next[visitor] {
			t.Errorf("%s was stored before %s/%d", id, visitor, next[visitor])
		}
		next[visitor] = max(next[visitor], seq+1)
	}
}

func TestFrames(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("lose nothing and keep order while Kinesis fails at random, seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { framesUnderRandomFailures(t, seed) })
		})
	}
}

func framesUnderRandomFailures(t *testing.T, seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	chance := func(share float64) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64() < share
	}
	failed, lost := 0, 0
	c := newCollector(t)
	start := time.Now()
	c.gateway.answer = func(ctx context.Context, in *kinesis.PutRecordsInput) (map[int]bool, error) {
		refused := map[int]bool{}
		outage := false // all is refused
		switch age := time.Since(start); {
		case age > time.Minute:
			return nil, nil // well again
		case age > 3*time.Second && age < 10*time.Second:
			outage = true
		}
		time.Sleep(time.Duration(len(in.Records)) * time.Millisecond)
		for i := range in.Records {
			refused[i] = outage || chance(0.2)
		}
		mu.Lock()
		defer mu.Unlock()
		switch at := random.Float64(); {
		case at < 0.05:
			failed++
			return nil, errors.New("connection reset")
		case at < 0.1: // stored, and the answer is lost
			lost++
			frames := make([]event.Frame, len(in.Records))
			for i := range frames {
				if err := frames[i].UnmarshalBinary(in.Records[i].Data); err != nil {
					return nil, err
				}
			}
			c.gateway.store(frames, refused)
			return nil, context.DeadlineExceeded
		}
		return refused, nil
	}

	const visitors, batches, events = 24, 15, 3
	attempts := map[string]int{} // requests with the event
	accepted := map[string]bool{}
	busy := 0
	var clients sync.WaitGroup
	for visitor := range visitors {
		clients.Go(func() {
			for n := range batches {
				var deeds, names []string
				for i := range events {
					deeds = append(deeds, deed(fmt.Sprint("visitor-", visitor), n*events+i))
					names = append(names, fmt.Sprintf("visitor-%d/%d", visitor, n*events+i))
				}
				for tries, code := 0, 0; code != http.StatusAccepted; tries++ {
					if tries == 100 {
						t.Errorf("batch %d of visitor-%d was not taken in %d tries, the last answer was %d", n, visitor, tries, code)
						return
					}
					code = c.send(deeds...).Code
					mu.Lock()
					for _, name := range names {
						attempts[name]++
						accepted[name] = code == http.StatusAccepted
					}
					if code == http.StatusServiceUnavailable {
						busy++
					}
					mu.Unlock()
					if code != http.StatusAccepted {
						time.Sleep(time.Second)
					}
				}
			}
		})
	}
	clients.Wait()

	frames := map[string]map[uuid.UUID]bool{} // by event
	for _, f := range c.gateway.frames {
		for _, id := range ids(f.Events) {
			if frames[id] == nil {
				frames[id] = map[uuid.UUID]bool{}
			}
			frames[id][f.ID] = true
		}
	}
	if len(accepted) != visitors*batches*events {
		t.Errorf("got %d events accepted, want %d", len(accepted), visitors*batches*events)
	}
	for name := range accepted {
		if n := len(frames[name]); n == 0 || n > attempts[name] {
			t.Errorf("event %s is in %d stored frames after %d requests", name, n, attempts[name])
		}
	}
	checkSequences(t, c.gateway)
	checkOrder(t, c.gateway)
	if failed == 0 || lost == 0 || busy == 0 {
		t.Errorf("the run shows too little: %d calls failed, %d answers were lost, %d requests got 503", failed, lost, busy)
	}
}

// received is a line of ann's nth event, of size bytes.
func received(n, size int) []byte {
	line, err := event.NewFrameLine(event.Received{})
	if err != nil {
		panic(err)
	}
	b := fmt.Appendf(line.Begin(nil, false), `{"event_id":"ann/%d","x":"`, n)
	return line.End(append(append(b, strings.Repeat("x", size-len(b)-len("\"}]}\n"))...), "\"}"...))
}

// put hands events to the producer and waits for Kinesis.
func (p *producer) put(ctx context.Context, events *lines) error {
	drafts, err := p.add(events)
	if err != nil {
		return err
	}
	return p.wait(ctx, drafts, time.Minute)
}

func TestProducer(t *testing.T) {
	// many are n events of a partition, of size bytes each.
	many := func(partition, n, size int) *lines {
		l := &lines{}
		for i := range n {
			l.bytes = append(l.bytes, received(i, size)...)
			l.places = append(l.places, place{partition, len(l.bytes), 1})
		}
		return l
	}
	hang := func(ctx context.Context, _ *kinesis.PutRecordsInput) (map[int]bool, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	tests := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"gathers what arrives together into one frame", func(t *testing.T) {
			c := newCollector(t)
			var clients sync.WaitGroup
			for n := range 20 {
				clients.Go(func() {
					if w := c.send(deed("ann", n)); w.Code != http.StatusAccepted {
						t.Errorf("got %d, want 202", w.Code)
					}
				})
			}
			clients.Wait()
			if len(c.gateway.frames) != 1 || len(c.gateway.frames[0].Events) != 20 {
				t.Errorf("got %d frames, want 1 of 20 events", len(c.gateway.frames))
			}
		}},
		{"has one frame of a partition in flight", func(t *testing.T) {
			c := newCollector(t)
			inFlight := map[string]int{}
			var mu sync.Mutex
			c.gateway.answer = func(_ context.Context, in *kinesis.PutRecordsInput) (map[int]bool, error) {
				count := func(n int) {
					mu.Lock()
					defer mu.Unlock()
					for _, r := range in.Records {
						if inFlight[*r.PartitionKey] += n; inFlight[*r.PartitionKey] > 1 {
							t.Errorf("partition %s has two frames in flight", *r.PartitionKey)
						}
					}
				}
				count(1)
				time.Sleep(100 * time.Millisecond)
				count(-1)
				return nil, nil
			}
			var clients sync.WaitGroup
			for n := range 50 {
				clients.Go(func() {
					time.Sleep(time.Duration(n) * 7 * time.Millisecond)
					c.send(deed(fmt.Sprint("visitor-", n%5), n))
				})
			}
			clients.Wait()
			if got := len(c.gateway.events()); got != 50 {
				t.Errorf("got %d events, want 50", got)
			}
			checkSequences(t, c.gateway)
		}},
		{"does not let a partition that hangs hold up the others", func(t *testing.T) {
			c := newCollector(t)
			hung := fmt.Sprintf("%03d", event.VirtualPartition(shoes.ID, pseudonym("ann"), ""))
			c.gateway.answer = func(ctx context.Context, in *kinesis.PutRecordsInput) (map[int]bool, error) {
				if *in.Records[0].PartitionKey == hung {
					return hang(ctx, in)
				}
				return nil, nil
			}
			go c.send(deed("ann", 0))
			time.Sleep(time.Second)
			start := time.Now()
			if w := c.send(deed("bob", 0)); w.Code != http.StatusAccepted || time.Since(start) > 100*time.Millisecond {
				t.Errorf("got %d after %s, want 202 at once", w.Code, time.Since(start))
			}
		}},
		{"does not let a record that is refused hold up the others of its call", func(t *testing.T) {
			c := newCollector(t)
			c.gateway.answer = func(context.Context, *kinesis.PutRecordsInput) (map[int]bool, error) {
				return map[int]bool{0: true}, nil
			}
			codes := make(chan int, 2)
			start := time.Now()
			go func() { codes <- c.send(deed("ann", 0)).Code }()
			go func() { codes <- c.send(deed("bob", 0)).Code }()
			if code := <-codes; code != http.StatusAccepted || time.Since(start) > 100*time.Millisecond {
				t.Errorf("got %d after %s, want 202 at once", code, time.Since(start))
			}
			if code := <-codes; code != http.StatusServiceUnavailable {
				t.Errorf("got %d, want 503 for the refused one", code)
			}
		}},
		{"splits what is too much for a frame and keeps its order", func(t *testing.T) {
			c := newCollector(t)
			if err := c.producer.put(t.Context(), many(3, 100, 20<<10)); err != nil {
				t.Fatal(err)
			}
			for _, f := range c.gateway.frames {
				size := 0
				for _, e := range f.Events {
					size += len(e.Event)
				}
				if size > maxDraftBytes {
					t.Errorf("frame %d has %d bytes, at most %d are allowed", f.Sequence, size, maxDraftBytes)
				}
			}
			if n := len(c.gateway.frames); n != 4 && n != 5 {
				t.Errorf("got %d frames, want 4 or 5", n)
			}
			if got := ids(c.gateway.events()); len(got) != 100 {
				t.Errorf("got %d events, want 100", len(got))
			}
			checkSequences(t, c.gateway)
			checkOrder(t, c.gateway)
		}},
		{"holds at most 64 MiB", func(t *testing.T) {
			c := newCollector(t)
			c.gateway.answer = hang
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			refused := 0
			for range 100 {
				err := make(chan error, 1)
				go func() { err <- c.producer.put(ctx, many(0, 32, 32<<10)) }() // 1 MiB
				synctest.Wait()
				select {
				case got := <-err:
					if refused++; !errors.Is(got, errBusy) {
						t.Errorf("got %v, want %v", got, errBusy)
					}
				default:
				}
			}
			if refused != 100-64 {
				t.Errorf("%d MiB were taken, want 64", 100-refused)
			}
		}},
		{"drains until Kinesis has everything", func(t *testing.T) {
			c := newCollector(t)
			c.gateway.answer = func(context.Context, *kinesis.PutRecordsInput) (map[int]bool, error) {
				time.Sleep(2 * time.Second)
				return nil, nil
			}
			go c.send(deed("ann", 0))
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), shutdownTimeout)
			defer cancel()
			if err := c.producer.drain(ctx); err != nil {
				t.Error(err)
			}
			if got := len(c.gateway.events()); got != 1 {
				t.Errorf("drain returned with %d events on the stream, want 1", got)
			}
		}},
		{"says what it could not drain", func(t *testing.T) {
			c := newCollector(t)
			c.gateway.answer = hang
			go c.send(deed("ann", 0))
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), shutdownTimeout)
			defer cancel()
			if err := c.producer.drain(ctx); err == nil || !strings.Contains(err.Error(), "not acknowledged") {
				t.Errorf("got %v, want what was not acknowledged", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}
