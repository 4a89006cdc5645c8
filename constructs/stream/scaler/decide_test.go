package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	noon   = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	old    = noon.Add(-30 * 24 * time.Hour)
	fresh  = time.Second
	behind = readersBehind + time.Second
)

// ago are changes of the shard count so long before noon.
func ago(durations ...time.Duration) (changes []time.Time) {
	for _, d := range durations {
		changes = append(changes, noon.Add(-d))
	}
	return changes
}

// times are n changes so long before noon.
func times(n int, d time.Duration) []time.Time {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return ago(all...)
}

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		reading reading
		shards  int
		refused bool
		why     string // in it
	}{
		"doubles above what is planned for":     {reading{8, old, true, 5.7, 5.7, &fresh, nil}, 16, false, "fills 5.7 of 8"},
		"stays at what is planned for":          {reading{8, old, true, 5.6, 5.6, &fresh, nil}, 8, false, "half would not be enough"},
		"doubles though a reader is behind":     {reading{8, old, true, 8, 8, &behind, nil}, 16, false, "fills"},
		"doubles right after a change":          {reading{8, old, true, 8, 8, &fresh, ago(time.Minute)}, 16, false, "fills"},
		"doubles with the last change":          {reading{8, old, true, 8, 8, &fresh, times(9, time.Hour)}, 16, false, "fills"},
		"goes to the most, not beyond":          {reading{20, old, true, 20, 20, &fresh, nil}, 32, false, "fills"},
		"is refused at the most":                {reading{32, old, true, 30, 30, &fresh, nil}, 32, true, "the 32 that it may have"},
		"is refused above the most":             {reading{40, old, true, 40, 40, &fresh, nil}, 40, true, "the 32 that it may have"},
		"is refused when all changes are spent": {reading{8, old, true, 8, 8, &fresh, times(10, time.Hour)}, 8, true, "changes of 24 hours are spent"},
		"has changes again after a day":         {reading{8, old, true, 8, 8, &fresh, append(times(9, time.Hour), noon.Add(-24*time.Hour))}, 16, false, "fills"},
		"waits while a change is under way":     {reading{8, old, false, 8, 8, &fresh, nil}, 8, false, "is changing"},

		"halves when half is enough and free again":  {reading{8, old, true, 1, 2, &fresh, nil}, 4, false, "filled at most 2.0 of 8"},
		"stays when half would be fuller":            {reading{8, old, true, 1, 2.1, &fresh, nil}, 8, false, "half would not be enough"},
		"never halves while a reader is behind":      {reading{8, old, true, 1, 1, &behind, nil}, 8, false, "readers are behind"},
		"never halves while no reader says anything": {reading{8, old, true, 1, 1, nil, nil}, 8, false, "say nothing"},
		"halves two hours after the last change":     {reading{8, old, true, 1, 1, &fresh, ago(quiet, 9*time.Hour)}, 4, false, "filled"},
		"does not halve sooner":                      {reading{8, old, true, 1, 1, &fresh, ago(9*time.Hour, quiet-time.Minute)}, 8, false, "not long ago"},
		"does not halve a new stream":                {reading{8, noon.Add(-time.Hour), true, 0, 0, &fresh, nil}, 8, false, "not long ago"},
		"halves with the seventh change":             {reading{8, old, true, 1, 1, &fresh, times(6, 3*time.Hour)}, 4, false, "filled"},
		"keeps three changes for more shards":        {reading{8, old, true, 1, 1, &fresh, times(7, 3*time.Hour)}, 8, false, "kept for more"},
		"goes to the fewest, not below":              {reading{3, old, true, 0, 0, &fresh, nil}, 2, false, "filled"},
		"stays at the fewest":                        {reading{2, old, true, 0, 0, &fresh, nil}, 2, false, "the fewest"},
		"stays below the fewest":                     {reading{1, old, true, 0, 0, &fresh, nil}, 1, false, "the fewest"},
		"leaves at least half of an odd number":      {reading{9, old, true, 1, 1, &fresh, nil}, 5, false, "filled"},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(target{"gateway", 2, 32}, c.reading, noon)
			if got.shards != c.shards || got.refused != c.refused || !strings.Contains(got.why, c.why) {
				t.Errorf("got %+v, want %d shards, refused %v, %q", got, c.shards, c.refused, c.why)
			}
			if got.shards > 2*c.reading.shards || 2*got.shards < c.reading.shards {
				t.Errorf("got %d from %d shards: AWS takes at most double and at least half", got.shards, c.reading.shards)
			}
		})
	}
}

// A day of AWS as the scaler meets it: a minute's metrics are known two
// minutes later, a change takes five, and meanwhile the former shards serve.
const (
	metricsLate = 2
	changeTakes = 5
	minutesADay = 24 * 60
)

type day struct {
	shards    []int // each minute's
	changes   []time.Time
	throttled int // longest run of minutes with more load than the shards take
	refused   int // minutes
}

// live lets demand, in shards that it fills, meet a stream from 6 o'clock on.
func live(t target, shards int, demand func(minute int) float64) (d day) {
	start := noon.Add(-6 * time.Hour)
	var loads []float64
	next, until, run := shards, 0, 0
	for minute := range minutesADay {
		now := start.Add(time.Duration(minute) * time.Minute)
		if minute == until {
			shards = next
		}
		wanted := demand(minute)
		loads = append(loads, min(wanted, float64(shards))) // what is refused is not counted
		if run++; wanted <= float64(shards) {
			run = 0
		}
		d.shards, d.throttled = append(d.shards, shards), max(d.throttled, run)

		r := reading{shards: shards, created: start, active: minute >= until, age: &fresh, changes: d.changes}
		for back := metricsLate; back <= int(quiet.Minutes()) && back <= minute; back++ {
			if r.peak = max(r.peak, loads[minute-back]); back <= int(lately.Minutes()) {
				r.load = max(r.load, loads[minute-back])
			}
		}
		if run > 0 {
			r.age = &behind
		}
		decided := decide(t, r, now)
		if decided.refused {
			d.refused++
		}
		if decided.shards != shards {
			next, until, d.changes = decided.shards, minute+changeTakes, append(d.changes, now)
		}
	}
	return d
}

// curve is a day of shops: least at 4 o'clock, five times as much at 8 in the
// evening.
func curve(minute int) float64 {
	if hour := 6 + float64(minute)/60; hour < 20 {
		return 3 - 2*math.Cos((hour-4)/16*math.Pi)
	} else {
		return 3 + 2*math.Cos((hour-20)/8*math.Pi)
	}
}

func TestAnOrdinaryDayIsFollowedUpAndDown(t *testing.T) {
	d := live(target{"gateway", 1, 32}, 2, curve)
	t.Logf("shards at each hour %v, %d changes", hours(d), len(d.changes))
	if d.throttled > 0 || d.refused > 0 {
		t.Errorf("got %d minutes throttled and %d refused, want none", d.throttled, d.refused)
	}
	if last := d.shards[minutesADay-1]; len(d.changes) > 6 || last > 4 {
		t.Errorf("got %d changes and %d shards at the end, want at most 6 and 4", len(d.changes), last)
	}
}

// blackFriday brings three times as much within five minutes, for four hours.
func blackFriday(from int) func(minute int) float64 {
	return func(minute int) float64 {
		factor := 1.0
		switch since := minute - from; {
		case since >= 0 && since < 5:
			factor = 1 + 2*float64(since)/5
		case since >= 5 && since < 4*60:
			factor = 3
		}
		return factor * curve(minute)
	}
}

func TestABlackFridayAtNoonEndsAsItBegan(t *testing.T) {
	d := live(target{"gateway", 1, 32}, 2, blackFriday(6*60))
	t.Logf("shards at each hour %v, %d changes, throttled for %d minutes", hours(d), len(d.changes), d.throttled)
	if d.throttled > 10 {
		t.Errorf("got %d minutes throttled, want at most 10", d.throttled)
	}
	if most := slices.Max(d.shards); most != 32 || d.shards[minutesADay-1] > 4 {
		t.Errorf("got %d shards at most and %d at the end, want 32 and at most 4", most, d.shards[minutesADay-1])
	}
}

func TestABlackFridayIsSurvivedWheneverItBegins(t *testing.T) {
	for from := 0; from < minutesADay-5*60; from += 7 {
		d := live(target{"gateway", 1, 32}, 2, blackFriday(from))
		if d.throttled > 15 || len(d.changes) > changesPerDay || d.refused > 0 {
			t.Fatalf("from minute %d on: got %d minutes throttled, %d changes and %d minutes refused, want at most 15, %d and none",
				from, d.throttled, len(d.changes), d.refused, changesPerDay)
		}
	}
}

// A load that swings around a threshold must not spend the day's changes.
func TestALoadThatSwingsDoesNotSpendTheChanges(t *testing.T) {
	d := live(target{"gateway", 1, 32}, 4, func(minute int) float64 { return 1.9 + 1.2*math.Sin(float64(minute)/30) })
	if len(d.changes) > 1 {
		t.Errorf("got %d changes, want one", len(d.changes))
	}
}

func hours(d day) (each []int) {
	for minute := 0; minute < minutesADay; minute += 60 {
		each = append(each, d.shards[minute])
	}
	return each
}
