package main

import (
	"testing"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/ledger/ledgertest"
)

func day(day, hour, minute int) time.Time {
	return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC)
}

func TestARunCountsSixWholeHoursThatEndedTwoHoursAgo(t *testing.T) {
	w := windowAt(day(3, 3, 59).In(time.FixedZone("elsewhere", 5*3600)))
	for name, c := range map[string]struct {
		got  moment
		want time.Time
	}{
		"To": {w.To, day(3, 1, 0)}, "From": {w.From, day(2, 19, 0)}, "Before": {w.Before, day(2, 18, 0)},
		"Known": {w.Known, day(1, 19, 0)}, "Silent": {w.Silent, day(2, 7, 0)},
	} {
		if !c.got.Equal(c.want) {
			t.Errorf("%s is %v, want %v", name, c.got, c.want)
		}
	}
	if m := w.From; m.Date() != "2026-03-02" || m.Hour() != "2026-03-02T19" || m.FrameID() != "019cafeb-eb80" {
		t.Errorf("From is %s, %s and %s", m.Date(), m.Hour(), m.FrameID())
	}
}

// TestConsecutiveRunsLeaveNoHourOut and count most hours several times.
func TestConsecutiveRunsLeaveNoHourOut(t *testing.T) {
	for hour := range 48 {
		now := day(2, 0, 30).Add(time.Duration(hour) * time.Hour)
		this, next := windowAt(now), windowAt(now.Add(time.Hour))
		if !this.To.Add(time.Hour).Equal(next.To.Time) || next.From.After(this.To.Time) {
			t.Errorf("after %v to %v comes %v to %v", this.From, this.To, next.From, next.To)
		}
	}
}

func TestAWindowOverMidnightHoldsTheFramesOfItsHoursAndNoOther(t *testing.T) {
	l := newLake(t)
	var c ledgertest.Chain
	for _, at := range []time.Time{
		day(2, 18, 59).Add(59 * time.Second), day(2, 19, 0), day(2, 23, 30), day(3, 0, 30), day(3, 0, 59).Add(59 * time.Second), day(3, 1, 0),
	} {
		c.At = at
		l.Preprocess(at.Format("021504"), c.Frame(view(at.String()), broken("broken "+at.String())))
	}
	if got, want := l.at(day(3, 3, 10)), (ledger.Ledger{Accepted: 8, Delivered: 4, Quarantined: 4}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAPackMayComeAsLateAsNow(t *testing.T) {
	l := newLake(t)
	var c ledgertest.Chain
	f, g := c.Frame(view("1")), c.Frame(view("2"))
	l.Receipts("a", f, g)
	if got, want := l.at(later), (ledger.Ledger{Accepted: 2, Residue: 2}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	f.CreatedAt, g.CreatedAt = later, ledgertest.Noon.Add(-time.Hour) // Firehose's clock is behind the collector's
	l.Events("late", f)
	l.Events("early", g)
	if got, want := l.at(later), (ledger.Ledger{Accepted: 2, Delivered: 2}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAGapIsCountedWithTheFrameBehindItWhereverTheOneBeforeLies(t *testing.T) {
	l := newLake(t)
	c := ledgertest.Chain{At: day(1, 20, 0)} // long before the window
	l.Preprocess("a", c.Frame(view("1")))
	c.Frame(view("lost 1"), view("lost 2"))
	c.At = ledgertest.Noon
	l.Preprocess("b", c.Frame(view("2")))
	if got, want := l.at(later), (ledger.Ledger{Accepted: 3, Delivered: 1, Residue: 2, FrameGaps: 1}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := l.at(later.Add(counted)); got != (ledger.Ledger{}) {
		t.Errorf("once its hour is no longer counted: got %+v", got)
	}
}

func TestAChainOfAnInstanceThatLivedBeforeIsTakenToBeginWithItsFirstKnownFrame(t *testing.T) {
	l := newLake(t)
	one, two := ledgertest.Chain{Partition: 1, At: day(1, 8, 0)}, ledgertest.Chain{Partition: 2, Sequence: 900, FirstEvent: 1000}
	l.Preprocess("a", one.Frame(view("1")))
	l.Preprocess("b", two.Frame(view("2"))) // all before are older than the look-back
	if got, want := l.at(later), (ledger.Ledger{Accepted: 1, Delivered: 1}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	two.Frame(view("lost"))
	l.Preprocess("c", two.Frame(view("3")))
	if got, want := l.at(later), (ledger.Ledger{Accepted: 3, Delivered: 2, Residue: 1, FrameGaps: 1}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAnEventThatIsSentAgainInAnotherWindowCountsInBoth(t *testing.T) {
	l := newLake(t)
	var c ledgertest.Chain
	var frames []event.Frame
	for _, hour := range []int{6, 12} {
		c.At = day(2, hour, 0)
		frames = append(frames, c.Frame(view("1")))
	}
	l.Preprocess("a", frames[0])
	l.Preprocess("b", frames[1])
	if got, want := l.at(later), (ledger.Ledger{Accepted: 1, Delivered: 1}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
