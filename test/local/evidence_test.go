package local

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/ledger"
)

// evidence is what lies in the buckets, read without the ledger's query.
type evidence struct {
	d        deployment
	s3       *s3.Client
	read     map[string]bool // objects, which never change
	receipts map[string]event.Receipt
	places   map[place]identity // what was stored, quarantined or left out as a duplicate there
	copies   map[identity][]found
	poor     []string // what is wrong with it
}

// place is one of an event in a frame.
type place struct {
	frame    string
	position int
}

// found is an event that is stored or quarantined.
type found struct {
	quarantined bool
	place       place
	date        string    // event_date
	received    time.Time // by the collector
	happened    time.Time // event_time
	claims      string    // the shop that its sender wrote into it
	bytes       string    // what its sender sent, of a stored one
}

func newEvidence(d deployment) *evidence {
	return &evidence{d: d, s3: ledger.NewS3(d.config()), read: map[string]bool{}, receipts: map[string]event.Receipt{}, places: map[place]identity{}, copies: map[identity][]found{}}
}

// collect reads what has come into the buckets. Receipts are read last: they
// are written first.
func (e *evidence) collect(t *testing.T) {
	t.Helper()
	for _, from := range []struct {
		bucket, prefix string
		line           func(t *testing.T, line []byte)
	}{
		{e.d.Outputs.RawBucket, "events/", e.pack},
		{e.d.Outputs.QuarantineBucket, "events/", e.quarantined},
		{e.d.Outputs.LedgerBucket, "receipts/", e.receipt},
	} {
		pages := s3.NewListObjectsV2Paginator(e.s3, &s3.ListObjectsV2Input{Bucket: &from.bucket, Prefix: &from.prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range page.Contents {
				name := from.bucket + "/" + *object.Key
				if e.read[name] {
					continue
				}
				e.read[name] = true
				for line := range bytes.Lines(e.d.unzipped(t, e.s3, &s3.GetObjectInput{Bucket: &from.bucket, Key: object.Key})) {
					from.line(t, line)
				}
			}
		}
	}
}

func (e *evidence) pack(t *testing.T, line []byte) {
	p, err := event.UnmarshalPack(line)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Events {
		sent, err := json.Marshal(s.Event)
		if err != nil {
			t.Fatal(err)
		}
		claims, _ := s.Custom["shop"].(string)
		e.add(identity{s.ShopID, s.EventID}, found{
			place: place{s.FrameID, s.FramePosition}, date: s.EventDate, received: s.ReceivedAt, happened: s.EventTime, claims: claims, bytes: string(sent),
		})
	}
}

func (e *evidence) quarantined(t *testing.T, line []byte) {
	var q event.Quarantined
	var original struct{ Custom struct{ Shop string } }
	if err := json.Unmarshal(line, &q); err != nil {
		t.Fatalf("decode %s: %v", line, err)
	}
	_ = json.Unmarshal(q.Original, &original) // it may be anything
	e.add(identity{q.ShopID, q.EventID}, found{quarantined: true, place: place{q.FrameID, q.FramePosition}, received: q.ReceivedAt, claims: original.Custom.Shop})
}

func (e *evidence) add(of identity, f found) {
	if before, ok := e.places[f.place]; ok {
		if before != of && before != (identity{}) { // left out by one call of the function, a frame's event may be stored by another
			e.poor = append(e.poor, fmt.Sprintf("place %v has %v and %v", f.place, before, of))
		}
		if slices.Contains(e.copies[of], f) {
			return // the same frame, delivered again
		}
	}
	e.places[f.place] = of
	e.copies[of] = append(e.copies[of], f)
}

func (e *evidence) receipt(t *testing.T, line []byte) {
	var r event.Receipt
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatalf("decode %s: %v", line, err)
	}
	for _, position := range r.Duplicates {
		if p := (place{r.FrameID, position}); e.places[p] == (identity{}) {
			e.places[p] = identity{}
		}
	}
	e.receipts[r.FrameID] = r
}

// accepted counts the events of frames with a receipt.
func (e *evidence) accepted() (n int) {
	for _, r := range e.receipts {
		n += r.Count
	}
	return n
}

// residue is how many events of frames with a receipt are nowhere.
func (e *evidence) residue() int {
	n := e.accepted()
	for p := range e.places {
		if _, ok := e.receipts[p.frame]; ok {
			n--
		}
	}
	return n
}

// gaps are frames that are missing in their sequence, and events that are
// between frames which do not meet.
func (e *evidence) gaps() (wrong []string) {
	chains := map[string][]event.Receipt{}
	for _, r := range e.receipts {
		chain := fmt.Sprintf("%s/%d", r.Instance, r.Partition)
		chains[chain] = append(chains[chain], r)
	}
	for name, chain := range chains {
		slices.SortFunc(chain, func(a, b event.Receipt) int { return cmp.Compare(a.Sequence, b.Sequence) })
		sequence, first := uint64(0), uint64(0)
		for _, r := range chain {
			if r.Sequence != sequence || r.FirstEvent != first {
				wrong = append(wrong, fmt.Sprintf("chain %s: got frame %d from event %d, want frame %d from event %d", name, r.Sequence, r.FirstEvent, sequence, first))
			}
			sequence, first = r.Sequence+1, r.FirstEvent+uint64(r.Count)
		}
	}
	return wrong
}

// missing counts what is acknowledged and neither stored nor quarantined.
func (e *evidence) missing(wants map[identity]want) (n int) {
	for of := range wants {
		if len(e.copies[of]) == 0 {
			n++
		}
	}
	return n
}

// check says what is wrong with what became of wants.
func (e *evidence) check(wants map[identity]want) (wrong []string) {
	for of, w := range wants {
		copies := e.copies[of]
		if len(copies) == 0 {
			wrong = append(wrong, fmt.Sprintf("%v is acknowledged and nowhere", of))
			continue
		}
		for _, c := range copies {
			switch {
			case c.quarantined != (w.date == ""):
				wrong = append(wrong, fmt.Sprintf("%v: quarantined is %t, want %t", of, c.quarantined, w.date == ""))
			case c.claims != of.shop:
				wrong = append(wrong, fmt.Sprintf("%v: is the event of shop %s", of, c.claims))
			case c.date != w.date:
				wrong = append(wrong, fmt.Sprintf("%v: event_date is %s, want %s", of, c.date, w.date))
			case c.bytes != copies[0].bytes:
				wrong = append(wrong, fmt.Sprintf("%v: has two copies that differ: %s and %s", of, c.bytes, copies[0].bytes))
			case !w.happen.IsZero() && !c.quarantined && math.Abs(c.happened.Sub(w.happen).Minutes()) > 2:
				wrong = append(wrong, fmt.Sprintf("%v: event_time is %s, want %s", of, c.happened, w.happen))
			}
		}
	}
	for of := range e.copies {
		if _, ok := wants[of]; !ok && strings.HasPrefix(of.shop, faultShops) {
			wrong = append(wrong, fmt.Sprintf("%v was never sent, or never acknowledged", of))
		}
	}
	return append(append(wrong, e.gaps()...), e.poor...)
}

// duplicates counts how often an event of wants is stored or quarantined once
// more, in another frame.
func (e *evidence) duplicates(wants map[identity]want) (n int) {
	for of := range wants {
		n += max(len(e.copies[of])-1, 0)
	}
	return n
}
