package enrich

import (
	"math"
	"testing"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

func TestAnEventsTimeIsCorrectedByItsSendersClock(t *testing.T) {
	const day = 24 * time.Hour
	received := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	none := time.Time{}
	for _, c := range []struct {
		name         string
		client, sent time.Time
		want         time.Time
	}{
		{"right clock, sent at once", received, received, received},
		{"right clock, sent a minute later", received.Add(-time.Minute), received, received.Add(-time.Minute)},
		{"on the way for two seconds", received.Add(-12 * time.Second), received.Add(-2 * time.Second), received.Add(-10 * time.Second)},
		{"clock a day ahead", received.Add(day - time.Minute), received.Add(day), received.Add(-time.Minute)},
		{"clock a day behind", received.Add(-day - time.Minute), received.Add(-day), received.Add(-time.Minute)},
		{"clock at 1970", time.Unix(0, 0), time.Unix(90, 0), received.Add(-90 * time.Second)},
		{"another time zone", received.Add(-time.Hour).In(time.FixedZone("", 9*3600)), received, received.Add(-time.Hour)},
		{"sent before it happened", received.Add(time.Hour), received, received},
		{"sent as late as may be", received.Add(-event.MaxEventAge), received, received.Add(-event.MaxEventAge)},
		{"sent later still", received.Add(-event.MaxEventAge - 1), received, received.Add(-event.MaxEventAge)},
		{"clock set between happening and sending", time.Unix(0, 0), received, received.Add(-event.MaxEventAge)},
		{"no client's time", none, received, received},
		{"no sender's time", received, none, received},
		{"neither", none, none, received},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := EventTime(c.client, c.sent, received); !got.Equal(c.want) || got.Location() != time.UTC {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzEventTime(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0))
	f.Add(int64(1_795_770_000), int64(1_795_770_060), int64(1_795_770_061))
	f.Add(int64(math.MinInt64), int64(math.MaxInt64), int64(1_795_770_061))
	f.Fuzz(func(t *testing.T, client, sent, received int64) {
		at := time.Unix(received%(1<<33), 0)
		got := EventTime(time.Unix(client, 0), time.Unix(sent, 0), at)
		if got.After(at) || at.Sub(got) > event.MaxEventAge {
			t.Errorf("happened at %s, received at %s", got, at)
		}
	})
}
