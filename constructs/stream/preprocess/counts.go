package main

import (
	"log/slog"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/scrub"
	"github.com/shopstream/shopstream/internal/metric"
)

// counts are the metrics of one call. They are for dashboards: the ledger
// counts what is stored.
type counts struct {
	frames, bytes, events, delivered, duplicates, poison int
	quarantined                                          map[string]int // by reason
	oldest                                               time.Time      // frame
}

func (c *counts) frame(frame event.Frame, duplicates int) {
	c.frames++
	c.events += len(frame.Events)
	c.duplicates += duplicates
	if c.oldest.IsZero() || frame.CreatedAt.Before(c.oldest) {
		c.oldest = frame.CreatedAt
	}
}

func (c *counts) add(other counts) {
	c.frames += other.frames
	c.bytes += other.bytes
	c.events += other.events
	c.delivered += other.delivered
	c.duplicates += other.duplicates
	if c.quarantined == nil {
		c.quarantined = map[string]int{}
	}
	for reason, n := range other.quarantined {
		c.quarantined[reason] += n
	}
	if c.oldest.IsZero() || !other.oldest.IsZero() && other.oldest.Before(c.oldest) {
		c.oldest = other.oldest
	}
}

// write writes one line: Quarantined and Scrubbed are sums, behind which come
// their parts, such as Quarantined.range and Scrubbed.email. ProcessingDelay,
// in milliseconds, is from the making of the oldest frame to the end of the
// call.
func (c *counts) write(f *function, scrubbed map[scrub.Kind]int) {
	values := map[string]float64{
		"Frames": float64(c.frames), "FrameBytes": float64(c.bytes), "Events": float64(c.events), "Delivered": float64(c.delivered),
		"Duplicates": float64(c.duplicates), "PoisonRecords": float64(c.poison), "Quarantined": 0, "Scrubbed": 0,
	}
	for reason, n := range c.quarantined {
		values["Quarantined"] += float64(n)
		values["Quarantined."+reason] = float64(n)
	}
	for kind, n := range scrubbed {
		values["Scrubbed"] += float64(n)
		values["Scrubbed."+string(kind)] = float64(n)
	}
	now := f.now()
	if !c.oldest.IsZero() {
		values["ProcessingDelay"] = float64(now.Sub(c.oldest).Milliseconds())
	}
	if err := metric.Write(f.metrics, now, map[string]string{"FunctionName": f.name}, values); err != nil {
		slog.Error("metrics not written", "error", err)
	}
}
