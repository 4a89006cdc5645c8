package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"golang.org/x/time/rate"

	"github.com/shopstream/shopstream/constructs/event"
)

const shareAge = 15 * time.Second // how long a number of tasks is good

type ecsAPI interface {
	DescribeClusters(context.Context, *ecs.DescribeClustersInput, ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error)
}

// tasks knows how many collectors there are. A shop's rate is shared among
// them in equal parts, for the load balancer spreads requests evenly: so the
// parts' sum is the rate, without a call per request and without a store that
// all write to. A part that is used up early is refilled within the second, and
// who is refused comes again, mostly to another task. After tasks came or went,
// the sum is off by their share until the next answer.
type tasks struct {
	client  ecsAPI
	cluster string
	running atomic.Int64
}

// run asks until ctx ends. Where ECS does not answer, the last number stays,
// and at the start 1: a limit must not lose events that the stream could take.
func (t *tasks) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := t.ask(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("the number of tasks is not known: shops have the share of before", "tasks", t.count(), "error", err)
		}
		select {
		case <-time.After(shareAge):
		case <-ctx.Done():
		}
	}
}

func (t *tasks) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := t.client.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{t.cluster}})
	if err != nil {
		return err
	}
	if len(out.Clusters) != 1 {
		return errors.New("ECS knows no such cluster")
	}
	t.running.Store(int64(out.Clusters[0].RunningTasksCount))
	return nil
}

// count is at least 1: this one.
func (t *tasks) count() int { return int(max(t.running.Load(), 1)) }

// allow says whether the shop may send n events now, as one of tasks. Its burst
// lets a full batch through.
func (s *shop) allow(now time.Time, n, tasks int) bool {
	share := rate.Limit(float64(s.EventsPerSecond) / float64(tasks))
	if s.limit.Limit() != share {
		s.limit.SetLimitAt(now, share)
		s.limit.SetBurstAt(now, max(int(share), event.MaxBatchEvents))
	}
	return s.limit.AllowN(now, n)
}
