package main

import (
	"fmt"
	"time"

	"github.com/shopstream/shopstream/constructs/capacity"
)

const (
	changesPerDay  = 10            // what AWS takes for a stream in any 24 hours
	changesForMore = 3             // of them, those that are kept for more shards: for eight times the load
	quiet          = 2 * time.Hour // without a change and without need, before shards are taken away
	readersBehind  = time.Minute   // age of an unread record above which nothing is taken away
	spare          = 0.5           // share of the shards that stays free when some are taken away: a doubled load still fits
)

// target is a stream to scale.
type target struct {
	Stream string
	Min    int // shards
	Max    int // shards
}

// reading is what AWS says about a stream.
type reading struct {
	shards  int
	created time.Time
	active  bool           // no change of the shard count is under way
	load    float64        // of the busiest of the last minutes, in shards that it fills
	peak    float64        // of the busiest minute of the quiet time, in shards that it fills
	age     *time.Duration // of the oldest unread record lately; nil: no reader has said
	changes []time.Time    // of the shard count in the last 24 hours
}

// decision is the shard count that a stream is to have, the same or another.
type decision struct {
	shards  int
	refused bool // it needs more and gets none
	why     string
}

// decide doubles at once when the load passes what is planned for, and halves
// when half has been enough for long and every reader is up to date.
func decide(t target, r reading, now time.Time) decision {
	stay := func(why string) decision { return decision{r.shards, false, why} }
	used, last := 0, r.created
	for _, change := range r.changes {
		if now.Sub(change) < 24*time.Hour {
			used++
		}
		if change.After(last) {
			last = change
		}
	}
	more, fewer := min(2*r.shards, t.Max), max((r.shards+1)/2, t.Min)
	switch busy := r.load > capacity.Utilisation*float64(r.shards); {
	case !r.active:
		return stay("its shard count is changing")
	case busy && more <= r.shards:
		return decision{r.shards, true, fmt.Sprintf("its load fills %.1f shards, and it has the %d that it may have", r.load, t.Max)}
	case busy && used >= changesPerDay:
		return decision{r.shards, true, fmt.Sprintf("its load fills %.1f shards, and the %d changes of 24 hours are spent", r.load, changesPerDay)}
	case busy:
		return decision{more, false, fmt.Sprintf("its load fills %.1f of %d shards", r.load, r.shards)}
	case fewer >= r.shards:
		return stay("it has the fewest that it may have")
	case r.peak > (1-spare)*float64(fewer):
		return stay("half would not be enough")
	case r.age == nil || *r.age > readersBehind:
		return stay("its readers are behind, or say nothing")
	case now.Sub(last) < quiet:
		return stay("its last change is not long ago")
	case used >= changesPerDay-changesForMore:
		return stay("the day's other changes are kept for more shards")
	}
	return decision{fewer, false, fmt.Sprintf("its load filled at most %.1f of %d shards for %s", r.peak, r.shards, quiet)}
}
