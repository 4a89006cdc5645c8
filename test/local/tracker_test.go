package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/shopstream/shopstream/constructs/event"
)

// identity is what an event is known by.
type identity struct{ shop, id string }

// want is what must become of an event once it is acknowledged.
type want struct {
	date   string // event_date; empty where it is to be quarantined
	happen time.Time
}

// load is what one fault is sent: every event twice, once from each of two
// shops under the same id, and one in a hundred breaks the contract.
type load struct {
	name   string // of the fault
	shops  [2]string
	events int
	clock  func() time.Time // the senders' own; default: the right one
	sentAt func() time.Time // default: clock
}

const (
	batchEvents   = 500
	batchVisitors = 10 // of whom a batch tells, each in a frame of their own
)

// batch is what a tracker keeps until it is acknowledged.
type batch struct {
	shop, id string
	seq      int
	events   []byte
	wants    map[identity]want
}

// batches makes the same events under the same ids for the same load.
func (l load) batches() (all []batch) {
	now := time.Now
	if l.clock != nil {
		now = l.clock
	}
	for n := range l.events / (2 * batchEvents) {
		at := now().UTC()
		for _, shop := range l.shops {
			b := batch{shop: shop, id: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, l.name, shop, n)).String(), seq: n, wants: map[identity]want{}}
			var events bytes.Buffer
			for i := range batchEvents {
				kind, w := event.PageView, want{at.Format(time.DateOnly), at}
				if i%100 == 99 {
					kind, w.date = "page_wiew", ""
				}
				id := event.NewID(at, sha256.Sum256(fmt.Append(nil, l.name, n, i)))
				if i > 0 {
					events.WriteByte(',')
				}
				fmt.Fprintf(&events, `{"event_id":%q,"type":%q,"visitor_id":"%s-%d-%d","session_id":"s","seq":%d,"client_ts":%q,"page":{"url":"https://shoes.example/"},"custom":{"shop":%q}}`,
					id, kind, l.name, n, i%batchVisitors, i, at.Format(time.RFC3339Nano), shop)
				b.wants[identity{shop, id}] = w
			}
			b.events = events.Bytes()
			all = append(all, b)
		}
	}
	return all
}

// answers counts what trackers met.
type answers struct {
	mu       sync.Mutex
	sent     int         // events, those sent again included
	acked    int         // events
	statuses map[int]int // requests; 0 is none
}

// tracker sends as the browser's does: a batch stays until it is
// acknowledged, and comes again with the same id and the same events.
type tracker struct {
	url     string
	http    http.Client
	answers answers
}

const (
	connections    = 16
	retryAfterMost = 2 * time.Second
)

// send sends batches and tells acked of each that was acknowledged.
func (k *tracker) send(ctx context.Context, l load, all []batch, acked func(batch)) error {
	senders, sending := errgroup.WithContext(ctx)
	senders.SetLimit(connections)
	for _, b := range all {
		senders.Go(func() error {
			if err := k.deliver(sending, l, b); err != nil {
				return err
			}
			acked(b)
			return nil
		})
	}
	return senders.Wait()
}

// deliver sends a batch until it is acknowledged.
func (k *tracker) deliver(ctx context.Context, l load, b batch) error {
	for {
		status, after, err := k.post(ctx, l, b)
		k.answers.mu.Lock()
		k.answers.sent += len(b.wants)
		k.answers.statuses[status]++
		if status == http.StatusAccepted {
			k.answers.acked += len(b.wants)
		}
		k.answers.mu.Unlock()
		switch {
		case status == http.StatusAccepted:
			return nil
		case status != 0 && status < 500 && status != http.StatusTooManyRequests:
			return fmt.Errorf("batch %s of %s: got status %d", b.id, b.shop, status)
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return fmt.Errorf("batch %s of %s was not acknowledged: %w; the last answer was %d, %v", b.id, b.shop, ctx.Err(), status, err)
		}
	}
}

// post sends a batch once. Without an answer the status is 0.
func (k *tracker) post(ctx context.Context, l load, b batch) (status int, after time.Duration, err error) {
	sentAt := time.Now
	if l.clock != nil {
		sentAt = l.clock
	}
	if l.sentAt != nil {
		sentAt = l.sentAt
	}
	body := fmt.Appendf(nil, `{"v":1,"shop":%q,"sent_at":%q,"batch_id":%q,"seq":%d,"events":[%s]}`, keyOf(b.shop), sentAt().UTC().Format(time.RFC3339Nano), b.id, b.seq, b.events)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	request.Header.Set("Content-Type", "text/plain")
	response, err := k.http.Do(request)
	if err != nil {
		return 0, 200 * time.Millisecond, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, 200 * time.Millisecond, err
	}
	if want := fmt.Sprintf("{\"accepted\":%d}\n", len(b.wants)); response.StatusCode == http.StatusAccepted && string(answer) != want {
		return http.StatusTeapot, 0, fmt.Errorf("got %s, want %s", answer, want)
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // absent: at once
	return response.StatusCode, min(cmp.Or(time.Duration(seconds)*time.Second, 200*time.Millisecond), retryAfterMost), nil
}

func keyOf(shop string) string { return "pk_" + shop }

func TestATrackersLoadIsTheSameWheneverItIsMade(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := load{name: "x", shops: [2]string{"a", "b"}, events: 2000, clock: func() time.Time { return noon }}
	one, two := l.batches(), l.batches()
	if len(one) != 4 || fmt.Sprint(one) != fmt.Sprint(two) {
		t.Errorf("got %d batches, want the same 4 twice", len(one))
	}
}
