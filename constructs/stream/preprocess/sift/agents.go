package sift

import (
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/enrich"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/scrub"
)

// agentBytes is what remembered user agents may take at most, agentCost one of
// them: itself, itself scrubbed, its device and the cache's own.
const (
	agentBytes = 16 << 20
	agentCost  = 2*event.MaxUserAgent + 512
)

// agent is what is known of a user agent.
type agent struct {
	clean  string
	device *event.Device // nil without a user agent
}

// agents remember user agents. One that was seen once never displaces one that
// was seen twice, so that a flood of invented agents costs their parsing only.
type agents struct {
	cache *lru.TwoQueueCache[string, agent]
}

// newAgents makes agents that take at most size bytes.
func newAgents(size int) *agents {
	cache, err := lru.New2Q[string, agent](size / agentCost)
	if err != nil {
		panic(err) // only for a size of nothing
	}
	return &agents{cache}
}

func (a *agents) of(userAgent string) agent {
	if userAgent == "" {
		return agent{}
	}
	if known, ok := a.cache.Get(userAgent); ok {
		return known
	}
	// A longer one is no collector's, and a part of a record must not keep all
	// of it in memory.
	userAgent = strings.ToValidUTF8(strings.Clone(userAgent[:min(len(userAgent), event.MaxUserAgent)]), "\uFFFD")
	device := enrich.DeviceOf(userAgent)
	known := agent{scrub.Text(userAgent), &device}
	a.cache.Add(userAgent, known)
	return known
}

func (b *Batch) agent(userAgent string) agent {
	known := b.sifter.agents.of(userAgent)
	if known.clean != userAgent {
		b.count(userAgent, known.clean)
	}
	return known
}
