package capacity

import (
	"strings"
	"testing"
)

func plan(t *testing.T, traffic Traffic) Plan {
	t.Helper()
	p, err := PlanFor(traffic)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAQuietPipelineHasTheLeastOfEverything(t *testing.T) {
	p := plan(t, Traffic{EventsPerSecond: 1})
	if p.GatewayShards != 1 || p.EventsShards != 1 || p.CollectorTasks != minTasks {
		t.Errorf("got %+v, want one shard each and %d tasks", p, minTasks)
	}
}

func TestShardsTakeTheBurst(t *testing.T) {
	for name, c := range map[string]struct {
		traffic         Traffic
		gateway, events int
	}{
		// 1,000 events/s × 2 × 700 B = 1.4 MB/s: frames 0.7 MB/s and 500 records/s, packs 2.1 MB/s
		"by bytes":                  {Traffic{EventsPerSecond: 1000}, 1, 3},
		"by records of the gateway": {Traffic{EventsPerSecond: 1000, EventsPerRequest: 1, BytesPerEvent: 100}, 3, 1},
		"by a larger burst":         {Traffic{EventsPerSecond: 1000, Burst: 10}, 5, 15},
	} {
		t.Run(name, func(t *testing.T) {
			if p := plan(t, c.traffic); p.GatewayShards != c.gateway || p.EventsShards != c.events {
				t.Errorf("got %d and %d shards, want %d and %d", p.GatewayShards, p.EventsShards, c.gateway, c.events)
			}
		})
	}
}

func TestAScalerMayReachFourTimesThePlannedShardsAndLeaveAQuarter(t *testing.T) {
	p := plan(t, Traffic{EventsPerSecond: 1000, Burst: 10})
	if p.GatewayShardsMin != 1 || p.GatewayShardsMax != 20 || p.EventsShardsMin != 3 || p.EventsShardsMax != 60 {
		t.Errorf("got %+v, want 1 to 20 and 3 to 60 shards", p)
	}
	if p := plan(t, Traffic{EventsPerSecond: 1}); p.EventsShardsMin != 1 || p.EventsShardsMax != 4 {
		t.Errorf("got %+v, want 1 to 4 shards", p)
	}
}

// What one tier passes on, the next one takes: this is why there is one plan.
func TestEveryTierGrowsWithTraffic(t *testing.T) {
	before := plan(t, Traffic{EventsPerSecond: 0.01})
	for _, events := range []float64{1, 10, 1e3, 1e4, 1e5, 1e6, 1e7} {
		p := plan(t, Traffic{EventsPerSecond: events})
		for _, pair := range [][2]int{
			{before.GatewayShards, p.GatewayShards}, {before.EventsShards, p.EventsShards}, {before.CollectorTasks, p.CollectorTasks},
			{before.PreprocessConcurrency, p.PreprocessConcurrency}, {before.RequestsPerSecond, p.RequestsPerSecond},
		} {
			if pair[1] < pair[0] {
				t.Errorf("at %g events a second: got %+v, less than %+v", events, p, before)
			}
		}
		if p.PreprocessConcurrency < p.GatewayShardsMax*p.ParallelizationFactor {
			t.Errorf("at %g events a second: %d shards need more than %d executions", events, p.GatewayShardsMax, p.PreprocessConcurrency)
		}
		before = p
	}
}

func TestPlanForReportsEveryBadFigure(t *testing.T) {
	_, err := PlanFor(Traffic{Burst: 11, BytesPerEvent: 1, EventsPerRequest: 501})
	for _, want := range []string{"EventsPerSecond must be 0.01 to 1e+07, got 0", "Burst must be 1 to 10, got 11", "BytesPerEvent must be 100 to 32768, got 1", "EventsPerRequest must be 1 to 500, got 501"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestNoShardOfTheEventsStreamGetsMoreLanesThanItTakes(t *testing.T) {
	for _, events := range []float64{0.01, 10, 100, 1e3, 3e3, 1e4} { // beyond, virtual partitions are too few
		p := plan(t, Traffic{EventsPerSecond: events})
		for shards := 1; shards <= min(p.EventsShardsMax, 85); shards++ {
			most := (p.Lanes + shards - 1) / shards
			if load := float64(most*shards) / float64(p.Lanes); load > 1/Utilisation {
				t.Errorf("at %g events a second, with %d lanes on %d shards: one takes %.2f of its share", events, p.Lanes, shards, load)
			}
		}
		if 256%p.Lanes != 0 {
			t.Errorf("at %g events a second: got %d lanes, which do not divide 256", events, p.Lanes)
		}
	}
	if p := plan(t, Traffic{EventsPerSecond: 3000}); p.EventsShardsMax != 36 || p.Lanes != 128 {
		t.Errorf("got %d lanes for %d shards, want 128 for 36", p.Lanes, p.EventsShardsMax)
	}
}
