package enrich

import (
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

// EventTime returns when the event happened by the collector's clock:
// Snowplow's derived timestamp. The client's clock may be wrong by any amount;
// how long the event waited between happening and being sent is a difference
// of two of its readings, so the error cancels out. The result lies within
// event.MaxEventAge before receivedAt and never after it; where a reading is
// missing, or says that the event was sent before it happened, it is
// receivedAt.
func EventTime(clientTS, sentAt, receivedAt time.Time) time.Time {
	if clientTS.IsZero() {
		return receivedAt
	}
	waited := sentAt.Sub(clientTS) // saturates
	return receivedAt.Add(-min(max(waited, 0), event.MaxEventAge))
}
