package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestTasksShareAShopsRate(t *testing.T) {
	const perSecond, batchOf = 300, 10
	start := func(t *testing.T, fleet *cluster) *collector {
		c := newCollector(t)
		shared := shoes
		shared.Key, shared.EventsPerSecond = "pk_shared", perSecond
		c.table.shops["pk_shared"] = shared
		c.tasks.client = fleet
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.tasks.run(ctx); close(ended) }()
		t.Cleanup(func() { stop(); <-ended })
		return c
	}
	events := make([]string, batchOf)
	for i := range events {
		events[i] = deed("ann", i)
	}
	// accepted sends more than the rate to the collectors in turns, and tells how
	// many events a second they take.
	accepted := func(seconds int, collectors ...*collector) int {
		taken, begin := 0, time.Now()
		for i := 0; time.Since(begin) < time.Duration(seconds)*time.Second; i++ {
			if c := collectors[i%len(collectors)]; c.serve(post(batch("pk_shared", events...))).Code == 202 {
				taken += batchOf
			}
			time.Sleep(time.Second / 200)
		}
		return taken / seconds
	}
	near := func(t *testing.T, got, want int) {
		t.Helper()
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("took %d events a second, want %d", got, want)
		}
	}
	run := func(name string, test func(t *testing.T, fleet *cluster)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, &cluster{}) }) })
	}
	run("among all of them", func(t *testing.T, fleet *cluster) {
		fleet.running.Store(3)
		a, b, c := start(t, fleet), start(t, fleet), start(t, fleet)
		accepted(5, a, b, c) // bursts
		near(t, accepted(20, a, b, c), perSecond)
	})
	run("among those that are left", func(t *testing.T, fleet *cluster) {
		fleet.running.Store(3)
		a, b, c := start(t, fleet), start(t, fleet), start(t, fleet)
		accepted(5, a, b, c)
		fleet.running.Store(2)
		accepted(int(shareAge.Seconds())+5, a, b)
		near(t, accepted(20, a, b), perSecond)
	})
	run("as before while ECS is away", func(t *testing.T, fleet *cluster) {
		fleet.running.Store(2)
		a, b := start(t, fleet), start(t, fleet)
		accepted(5, a, b)
		fleet.away.Store(true)
		time.Sleep(2 * shareAge)
		accepted(5, a, b)
		near(t, accepted(20, a, b), perSecond)
	})
	run("alone until ECS answers", func(t *testing.T, fleet *cluster) {
		fleet.away.Store(true)
		a := start(t, fleet)
		accepted(5, a)
		near(t, accepted(20, a), perSecond)
	})
}
