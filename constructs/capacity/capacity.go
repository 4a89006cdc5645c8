// Package capacity turns one figure, a pipeline's traffic, into the size of
// every tier, so that no two tiers are sized for different days. It is pure
// arithmetic: stacks take sizes from it, and nothing else does.
package capacity

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/shopstream/shopstream/internal/check"
)

// Traffic is what shops send. A zero value takes its default.
type Traffic struct {
	EventsPerSecond  float64 // required; in the busiest minute that is planned for, 0.01 to 10,000,000
	Burst            float64 // factor over EventsPerSecond that is absorbed before a scaler acts, 1 to 10; default 2
	BytesPerEvent    int     // of an event as a shop sends it, 100 to 32768; default 700
	EventsPerRequest float64 // of a tracker's batch, 1 to 500; default 4
}

func (t Traffic) withDefaults() Traffic {
	t.Burst = cmp.Or(t.Burst, 2)
	t.BytesPerEvent = cmp.Or(t.BytesPerEvent, 700)
	t.EventsPerRequest = cmp.Or(t.EventsPerRequest, 4)
	return t
}

// Validate reports every problem at once.
func (t Traffic) Validate() error {
	t = t.withDefaults()
	return errors.Join(
		check.Between("EventsPerSecond", t.EventsPerSecond, 0.01, 10_000_000),
		check.Between("Burst", t.Burst, 1, 10),
		check.Between("BytesPerEvent", t.BytesPerEvent, 100, 32<<10),
		check.Between("EventsPerRequest", t.EventsPerRequest, 1, 500),
	)
}

// What AWS's parts take, from its documentation.
const (
	ShardBytes   = 1_000_000 // a second
	ShardRecords = 1_000     // a second
)

// Utilisation is the share of a limit that is planned for, since partitions
// are never even. Above it a scaler adds.
const Utilisation = 0.7

// What ours take. They are on the safe side of what the demo shows
// (make demo: bytes and records at each hop).
const (
	frameRatio    = 0.5   // bytes of a frame to those of its events
	storedRatio   = 1.5   // bytes of an event in a pack to those that a shop sends
	eventsPerVCPU = 1_000 // a second, in the collector
	collectorVCPU = 1     // of a task
	minTasks      = 2     // one for each of two zones
	toSpare       = 4     // factor between what is planned for and the most that a scaler may reach, and the least that it may leave
)

// Plan is the size of every tier.
type Plan struct {
	GatewayShards    int // to begin with
	GatewayShardsMin int
	GatewayShardsMax int
	EventsShards     int // to begin with
	EventsShardsMin  int
	EventsShardsMax  int

	CollectorCPU       int // units of 1/1024 vCPU, of one task
	CollectorMemoryMiB int // of one task
	CollectorTasks     int // to begin with, and at least
	CollectorTasksMax  int

	PreprocessConcurrency int // reserved executions: enough for GatewayShardsMax
	ParallelizationFactor int // calls at once a shard
	Lanes                 int // that packs do not mix: enough for EventsShardsMax, a power of two up to 256

	DeliveryBufferMiB int // size at which Firehose writes an object

	RequestsPerSecond  int // of all clients, what the API is throttled at
	RequestsPerAddress int // in 5 minutes, above which the firewall blocks; many shoppers share an address
	IteratorAgeSeconds int // alarm: how far preprocess may fall behind
}

// PlanFor sizes a pipeline for t.
func PlanFor(t Traffic) (Plan, error) {
	if err := t.Validate(); err != nil {
		return Plan{}, fmt.Errorf("traffic: %w", err)
	}
	t = t.withDefaults()
	events := t.EventsPerSecond * t.Burst
	requests := events / t.EventsPerRequest
	bytes := events * float64(t.BytesPerEvent)

	p := Plan{
		// A batch is one visitor's, so a request makes at least one frame.
		GatewayShards: shards(bytes*frameRatio, requests),
		EventsShards:  shards(bytes*storedRatio, 0),

		CollectorCPU:       collectorVCPU * 1024,
		CollectorMemoryMiB: 2048,
		CollectorTasks:     max(minTasks, ceil(events/(eventsPerVCPU*collectorVCPU))),

		ParallelizationFactor: 1,
		DeliveryBufferMiB:     64,

		RequestsPerSecond:  max(100, ceil(requests)),
		RequestsPerAddress: 3000,
		IteratorAgeSeconds: 60,
	}
	p.CollectorTasksMax = p.CollectorTasks * toSpare
	p.GatewayShardsMin, p.GatewayShardsMax = scaled(p.GatewayShards)
	p.EventsShardsMin, p.EventsShardsMax = scaled(p.EventsShards)
	p.PreprocessConcurrency = p.GatewayShardsMax * p.ParallelizationFactor
	p.Lanes = lanes(p.EventsShardsMax)
	return p, nil
}

// shards take bytes and records a second.
func shards(bytes, records float64) int {
	return max(1, ceil(math.Max(bytes/ShardBytes, records/ShardRecords)/Utilisation))
}

// scaled are the fewest and the most shards that a scaler may leave; AWS takes
// no more than 10,000.
func scaled(planned int) (least, most int) {
	return max(1, planned/toSpare), max(planned, min(planned*toSpare, 10_000))
}

// lanes are three a shard or more, of which one shard may get a fourth: a third
// more than its share, which Utilisation leaves room for. More lanes make
// smaller packs, which cost more to move; more than the virtual partitions
// there cannot be.
func lanes(shards int) int {
	n := 16
	for n < min(3*shards, 256) {
		n *= 2
	}
	return n
}

// ceil rounds up, but not for what is lost in the last digits of a product.
func ceil(f float64) int { return int(math.Ceil(f - 1e-9)) }
