package report

import (
	"fmt"
	"time"

	"github.com/shopstream/shopstream/internal/ledger"
)

const maxPoints = 300 // more than a screen tells apart

// series counts events in spans of the same length.
type series struct {
	start  time.Time
	span   time.Duration
	events []float64
}

// spans are lengths that a reader knows.
var spans = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// shortest finds the shortest such span that fits.
func shortest(fits func(time.Duration) bool) time.Duration {
	for _, span := range spans {
		if fits(span) {
			return span
		}
	}
	span := spans[len(spans)-1]
	for !fits(span) {
		span *= 2
	}
	return span
}

// newSeries fills in minutes without events, and takes longer spans where
// there would be too many points.
func newSeries(minutes []ledger.MinuteCount) (series, error) {
	if len(minutes) == 0 {
		return series{}, nil
	}
	times := make([]time.Time, len(minutes))
	for i, m := range minutes {
		t, err := time.Parse(time.RFC3339, m.Minute)
		if err != nil {
			return series{}, fmt.Errorf("minute must look like 2006-01-02T15:04:00Z, got %q", m.Minute)
		}
		times[i] = t.UTC()
	}
	first, last := times[0], times[0]
	for _, t := range times {
		if t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	s := series{span: shortest(func(span time.Duration) bool { return series{span: span}.points(first, last) <= maxPoints })}
	s.start = first.Truncate(s.span)
	s.events = make([]float64, s.points(first, last))
	for i, t := range times {
		s.events[t.Sub(s.start)/s.span] += float64(minutes[i].Events)
	}
	return s, nil
}

func (s series) points(first, last time.Time) int {
	return int(last.Sub(first.Truncate(s.span))/s.span) + 1
}

func (s series) at(i int) time.Time { return s.start.Add(time.Duration(i) * s.span) }

// labels names the points at round times, at most so many, and leaves the
// others without a name.
func (s series) labels(most int) []string {
	all := time.Duration(len(s.events)) * s.span
	step := shortest(func(span time.Duration) bool { return span >= s.span && int(all/span) <= most })
	labels := make([]string, len(s.events))
	for i := range labels {
		switch t := s.at(i); {
		case len(labels) > 1 && i == len(labels)-1: // would stick out
		case !t.Equal(t.Truncate(step)):
		case step >= 24*time.Hour && all > 300*24*time.Hour:
			labels[i] = t.Format("Jan 2006")
		case t.Equal(t.Truncate(24 * time.Hour)):
			labels[i] = t.Format("2 Jan")
		default:
			labels[i] = t.Format("15:04")
		}
	}
	return labels
}

// title says what a point is.
func (s series) title() string {
	switch minutes, hours, days := s.span/time.Minute, s.span/time.Hour, s.span/(24*time.Hour); {
	case minutes <= 1:
		return "Events per minute"
	case hours < 1:
		return fmt.Sprintf("Events per %d minutes", minutes)
	case hours == 1:
		return "Events per hour"
	case days < 1:
		return fmt.Sprintf("Events per %d hours", hours)
	case days == 1:
		return "Events per day"
	default:
		return fmt.Sprintf("Events per %d days", days)
	}
}

// when says which time the points cover.
func (s series) when() string {
	const layout = "2 January 2006, 15:04"
	first, last := s.at(0), s.at(len(s.events)-1)
	switch {
	case first.Equal(last):
		return first.Format(layout) + " UTC"
	case first.Truncate(24 * time.Hour).Equal(last.Truncate(24 * time.Hour)):
		return first.Format(layout) + " to " + last.Format("15:04") + " UTC"
	default:
		return first.Format(layout) + " to " + last.Format(layout) + " UTC"
	}
}

// summary tells the line in words.
func (s series) summary() string {
	peak := 0
	for i, n := range s.events {
		if n > s.events[peak] {
			peak = i
		}
	}
	mean := sum(s.events) / float64(len(s.events))
	return fmt.Sprintf("%s, %s: %s on average, at most %s at %s.", s.title(), s.when(),
		number(int64(mean+0.5)), number(int64(s.events[peak])), s.at(peak).Format("15:04 on 2 January 2006"))
}
