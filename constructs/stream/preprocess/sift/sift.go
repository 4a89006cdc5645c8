// Package sift decides what becomes of an event: it checks it against the
// contract, scrubs personal data from it and adds what it does not say itself.
// Preprocess gives it frames and stores what it returns; nothing in it does
// I/O.
package sift

import (
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"slices"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/enrich"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/scrub"
)

// TooLarge is a reason of preprocess's own: with all that is known of an event,
// no pack holds it.
const TooLarge = "too_large"

// Sifter outlives batches: it remembers user agents. One goroutine uses it.
type Sifter struct {
	version string
	agents  *agents
}

// New makes a Sifter that writes version, its function's, into what it
// quarantines.
func New(version string) *Sifter { return &Sifter{version, newAgents(agentBytes)} }

// Batch is what one call of the function takes: within it, an event that comes
// twice is stored once.
type Batch struct {
	Scrubbed map[scrub.Kind]int // matches that were replaced

	sifter *Sifter
	frames []string // ids
	seen   map[identity]first
	seed   maphash.Seed
	days   days
	stored []event.Stored // of the last frame
}

type identity struct{ shop, event string }

// first is the first event of an identity.
type first struct {
	payload         uint64
	frame, position int32 // frame is an index of Batch's
}

// maxSeen bounds the identities that a batch remembers, and so its memory: 16
// MiB. Behind it events may be stored twice, for their readers to see.
const maxSeen = 1 << 17

// Batch begins a batch.
func (s *Sifter) Batch() *Batch {
	return &Batch{Scrubbed: map[scrub.Kind]int{}, sifter: s, seen: map[identity]first{}, seed: maphash.MakeSeed()}
}

// Sifted is what becomes of a frame's events: each is stored, quarantined or a
// duplicate.
type Sifted struct {
	Stored      []event.Stored
	Quarantined []event.Quarantined
	Duplicates  []int // positions of events whose id and bytes the batch had before
}

// Sift sifts the events of a frame. The same frames in the same order give the
// same. What is stored is good until the next frame is sifted.
func (b *Batch) Sift(frame *event.Frame) Sifted {
	clear(b.stored)
	s := Sifted{Stored: slices.Grow(b.stored[:0], len(frame.Events))}
	defer func() { b.stored = s.Stored }()
	id := frame.ID.String()
	b.frames = append(b.frames, id)
	for position := range frame.Events {
		received := &frame.Events[position]
		e, err := event.Unmarshal(received.Event, received.ReceivedAt)
		if err != nil {
			s.Quarantined = append(s.Quarantined, b.Quarantine(frame, position, e.EventID, problems(err)))
			continue
		}
		switch before, same := b.before(position, e.EventID, received); {
		case same:
			s.Duplicates = append(s.Duplicates, position)
		case before != nil:
			s.Quarantined = append(s.Quarantined, b.Quarantine(frame, position, e.EventID, event.Problems{{
				Pointer: "/event_id", Rule: event.ReasonIDCollision,
				Message: fmt.Sprintf("must be its own, the event at position %d of frame %s has it", before.position, b.frames[before.frame]),
			}}))
		default:
			s.Stored = append(s.Stored, event.Stored{Event: e, FrameID: id, FramePosition: position})
			b.complete(&s.Stored[len(s.Stored)-1], received)
		}
	}
	return s
}

func problems(err error) event.Problems {
	var all event.Problems
	if !errors.As(err, &all) {
		panic("an event's error is no event.Problems")
	}
	return all
}

// before looks for an event of the same identity as one of the last frame, and
// whether it is the same.
func (b *Batch) before(position int, eventID string, received *event.Received) (before *first, same bool) {
	identity, payload := identity{received.ShopID, eventID}, maphash.Bytes(b.seed, received.Event)
	switch known, ok := b.seen[identity]; {
	case !ok && len(b.seen) < maxSeen:
		b.seen[identity] = first{payload, int32(len(b.frames) - 1), int32(position)}
		return nil, false
	case !ok:
		return nil, false
	default:
		return &known, known.payload == payload
	}
}

// complete scrubs what came in e's event and adds all other fields.
func (b *Batch) complete(e *event.Stored, received *event.Received) {
	b.scrub(eventTexts, reflect.ValueOf(&e.Event).Elem())
	agent := b.agent(received.UserAgent)
	e.ShopID, e.ShopBucket = received.ShopID, event.ShopBucket(received.ShopID)
	e.EventTime = enrich.EventTime(e.ClientTS, received.SentAt, received.ReceivedAt).UTC()
	e.EventDate = b.days.of(e.EventID)
	e.ReceivedAt, e.BatchID, e.BatchSeq = received.ReceivedAt, received.BatchID, received.BatchSeq
	e.Trust, e.IP, e.SchemaVersion = received.Trust, received.IP, event.SchemaVersion
	e.Device = agent.device
	if e.Page != nil {
		if r := enrich.ReferrerOf(e.Page.URL, e.Page.Referrer); r != (event.Referrer{}) {
			e.Referrer = &r
		}
		if c := enrich.CampaignOf(e.Page.URL); c != (event.Campaign{}) {
			e.Campaign = &c
		}
	}
	b.scrub(addedTexts, reflect.ValueOf(e).Elem())
	e.UserAgent = agent.clean
}

// days are dates by the time in an id, of which the last is remembered.
type days struct {
	day  int64
	date string
}

func (d *days) of(eventID string) string {
	at, err := event.IDTime(eventID)
	if err != nil {
		panic(err) // Unmarshal has checked the id
	}
	if day := at.Unix() / (24 * 60 * 60); d.date == "" || day != d.day {
		d.day, d.date = day, at.Format("2006-01-02")
	}
	return d.date
}

// maxProblems bounds a quarantined event's message: an event of 32 KiB can have
// thousands of problems.
const maxProblems = 20

// Quarantine returns the record of an event that is refused for problems, of
// which there is one or more.
func (b *Batch) Quarantine(frame *event.Frame, position int, eventID string, problems event.Problems) event.Quarantined {
	received := &frame.Events[position]
	problems = slices.Clone(problems[:min(len(problems), maxProblems)])
	for i := range problems {
		problems[i].Pointer = scrub.Text(problems[i].Pointer) // names in custom are the shop's own
	}
	return event.Quarantined{
		Reason: problems[0].Rule, Pointer: problems[0].Pointer, Rule: problems[0].Message, Message: problems.Error(),
		ShopID: received.ShopID, EventID: b.id(eventID), SentAt: received.SentAt, ReceivedAt: received.ReceivedAt, FramedAt: frame.CreatedAt,
		BatchID: received.BatchID, BatchSeq: received.BatchSeq, FrameID: frame.ID.String(), FramePosition: position,
		Trust: received.Trust, IP: received.IP, UserAgent: b.agent(received.UserAgent).clean,
		Component: "preprocess", Version: b.sifter.version, SchemaVersion: event.SchemaVersion, Original: b.original(received.Event),
	}
}
