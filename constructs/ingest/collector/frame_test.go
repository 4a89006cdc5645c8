package main

import (
	"strings"
	"testing"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/putrecords"
)

func TestALineOfALargeBatchFitsIntoADraft(t *testing.T) {
	large := `{"visitor_id":"ann","x":"` + strings.Repeat("x", 30<<10) + `"}`
	var events []string
	for range 30 {
		events = append(events, large)
	}
	_, ids, err := event.UnmarshalBatch([]byte(batch(shoes.Key, events...)))
	if err != nil {
		t.Fatal(err)
	}
	line, err := event.NewFrameLine(event.Received{})
	if err != nil {
		t.Fatal(err)
	}
	l, count, begin := &lines{}, 0, 0
	for _, id := range ids {
		l.add(line, id, "h1_x", 7)
	}
	for _, p := range l.places {
		if size := p.end - begin; size > maxDraftBytes || p.count < 2 {
			t.Errorf("a line of %d events has %d bytes", p.count, size)
		}
		count, begin = count+p.count, p.end
	}
	if count != len(ids) || begin != len(l.bytes) {
		t.Errorf("the lines hold %d events of %d and %d bytes of %d", count, len(ids), begin, len(l.bytes))
	}
}

func TestADraftTakesNoMoreEventsThanAFrame(t *testing.T) {
	p := newProducer(putrecords.Writer{}, time.Now, newMeters())
	drafts, err := p.add(&lines{bytes: []byte("abc"), places: []place{{1, 1, 500}, {1, 2, event.MaxFrameEvents - 500}, {1, 3, 1}}})
	if err != nil || len(drafts) != 2 || drafts[0].count != event.MaxFrameEvents || drafts[1].count != 1 {
		t.Errorf("got %d drafts, %v, want one full and one of an event", len(drafts), err)
	}
}
