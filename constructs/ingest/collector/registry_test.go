package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

func TestRegistry(t *testing.T) {
	hats := event.Shop{Key: "pk_hats", ID: "hats", EventsPerSecond: 10}
	tests := []struct {
		name string
		run  func(t *testing.T, r *registry, tab *table)
	}{
		{"asks once for those who come together", func(t *testing.T, r *registry, tab *table) {
			tab.slow = 100 * time.Millisecond
			var lookups sync.WaitGroup
			for range 50 {
				lookups.Go(func() {
					if got, err := r.lookup(t.Context(), hats.Key); err != nil || got.ID != hats.ID {
						t.Errorf("got %v, %v, want hats", got, err)
					}
				})
			}
			lookups.Wait()
			if tab.asked != 1 {
				t.Errorf("asked %d times, want once", tab.asked)
			}
		}},
		{"asks for a shop again before its answer is too old", func(t *testing.T, r *registry, tab *table) {
			for range 300 {
				if _, err := r.lookup(t.Context(), hats.Key); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			if tab.asked != 300/46+1 { // the second in which the answer comes
				t.Errorf("asked %d times in 5 minutes, want %d", tab.asked, 300/46+1)
			}
		}},
		{"remembers for a minute that there is no such shop", func(t *testing.T, r *registry, tab *table) {
			for range 60 {
				if _, err := r.lookup(t.Context(), "pk_new"); !errors.Is(err, errUnknownShop) {
					t.Fatalf("got %v, want %v", err, errUnknownShop)
				}
				time.Sleep(time.Second)
			}
			if tab.asked != 1 {
				t.Errorf("asked %d times in a minute, want once", tab.asked)
			}
			tab.shops["pk_new"] = event.Shop{Key: "pk_new", ID: "new", EventsPerSecond: 1}
			time.Sleep(time.Second)
			if got, err := r.lookup(t.Context(), "pk_new"); err != nil || got.ID != "new" {
				t.Errorf("got %v, %v a minute later, want the new shop", got, err)
			}
		}},
		{"forgets a shop a minute after its key is gone", func(t *testing.T, r *registry, tab *table) {
			if _, err := r.lookup(t.Context(), hats.Key); err != nil {
				t.Fatal(err)
			}
			delete(tab.shops, hats.Key)
			time.Sleep(registryAge + time.Second)
			for range 10 {
				if _, err := r.lookup(t.Context(), hats.Key); !errors.Is(err, errUnknownShop) {
					t.Errorf("got %v, want %v", err, errUnknownShop)
				}
			}
			if tab.asked != 2 {
				t.Errorf("asked %d times, want 2", tab.asked)
			}
		}},
		{"bounds what it remembers of wrong keys and keeps the shops", func(t *testing.T, r *registry, tab *table) {
			if _, err := r.lookup(t.Context(), hats.Key); err != nil {
				t.Fatal(err)
			}
			for n := range maxUnknown + 500 {
				if _, err := r.lookup(t.Context(), fmt.Sprint("pk_", n)); !errors.Is(err, errUnknownShop) {
					t.Fatalf("got %v, want %v", err, errUnknownShop)
				}
			}
			if n := r.unknown.Len(); n != maxUnknown {
				t.Errorf("%d wrong keys are remembered, want %d", n, maxUnknown)
			}
			before := tab.asked
			if _, err := r.lookup(t.Context(), hats.Key); err != nil || tab.asked != before {
				t.Errorf("the shop was forgotten with the wrong keys: %v", err)
			}
		}},
		{"asks in the background, so that a busy shop never waits", func(t *testing.T, r *registry, tab *table) {
			if _, err := r.lookup(t.Context(), hats.Key); err != nil {
				t.Fatal(err)
			}
			tab.set(func(t *table) { t.slow = 400 * time.Millisecond })
			for range 600 {
				start := time.Now()
				if _, err := r.lookup(t.Context(), hats.Key); err != nil || time.Since(start) > 0 {
					t.Fatalf("got %v after %s, want the shop at once", err, time.Since(start))
				}
				time.Sleep(time.Second)
			}
		}},
		{"bounds how many shops it remembers", func(t *testing.T, r *registry, tab *table) {
			for n := range maxShops + 100 {
				key := fmt.Sprint("pk_", n)
				tab.shops[key] = event.Shop{Key: key, ID: key}
				if _, err := r.lookup(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				delete(tab.shops, key)
			}
			if n := r.shops.Len(); n != maxShops {
				t.Errorf("%d shops are remembered, want %d", n, maxShops)
			}
		}},
		{"lets shops that it knows go on while the table fails, and asks every 5 s", func(t *testing.T, r *registry, tab *table) {
			if _, err := r.lookup(t.Context(), hats.Key); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * registryAge)
			tab.set(func(t *table) { t.err = errAway })
			for range 60 {
				if got, err := r.lookup(t.Context(), hats.Key); err != nil || got.ID != hats.ID {
					t.Fatalf("got %v, %v, want hats", got, err)
				}
				time.Sleep(time.Second)
			}
			if tab.asked > 1+12 {
				t.Errorf("asked %d times in a minute, want at most 12", tab.asked-1)
			}
			if _, err := r.lookup(t.Context(), "pk_new"); !errors.Is(err, errRegistryAway) {
				t.Errorf("got %v for another shop, want %v", err, errRegistryAway)
			}
		}},
		{"does not hold shops that it knows up while the table hangs", func(t *testing.T, r *registry, tab *table) {
			if _, err := r.lookup(t.Context(), hats.Key); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * registryAge)
			tab.set(func(t *table) { t.hangs = true })
			for range 10 {
				start := time.Now()
				got, err := r.lookup(t.Context(), hats.Key)
				if took := time.Since(start); err != nil || got.ID != hats.ID || took > refreshTimeout {
					t.Fatalf("got %v, %v after %s, want hats within %s", got, err, took, refreshTimeout)
				}
			}
			start := time.Now()
			if _, err := r.lookup(t.Context(), "pk_new"); !errors.Is(err, errRegistryAway) || time.Since(start) > askTimeout {
				t.Errorf("got %v for another shop after %s, want %v within %s", err, time.Since(start), errRegistryAway, askTimeout)
			}
		}},
		{"does not remember that the table failed", func(t *testing.T, r *registry, tab *table) {
			tab.set(func(t *table) { t.err = errAway })
			if _, err := r.lookup(t.Context(), hats.Key); !errors.Is(err, errRegistryAway) {
				t.Fatalf("got %v, want %v", err, errRegistryAway)
			}
			tab.set(func(t *table) { t.err = nil })
			if _, err := r.lookup(t.Context(), hats.Key); err != nil {
				t.Error(err)
			}
		}},
		{"gives others their answer when the one who came first leaves", func(t *testing.T, r *registry, tab *table) {
			tab.slow = 100 * time.Millisecond
			leaving, leave := context.WithCancel(t.Context())
			go func() {
				if _, err := r.lookup(leaving, hats.Key); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v for the one who left, want %v", err, context.Canceled)
				}
			}()
			synctest.Wait()
			go leave()
			if got, err := r.lookup(t.Context(), hats.Key); err != nil || got.ID != hats.ID {
				t.Errorf("got %v, %v, want hats", got, err)
			}
		}},
		{"does not forget what a shop has used up of its rate", func(t *testing.T, r *registry, tab *table) {
			first, err := r.lookup(t.Context(), hats.Key)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(registryAge + time.Second)
			first.allow(time.Now(), event.MaxBatchEvents, 1)
			again, err := r.lookup(t.Context(), hats.Key)
			if err != nil || again.allow(time.Now(), 1, 1) {
				t.Errorf("got %v and a new allowance, want the one that is used up", err)
			}
			tab.set(func(t *table) { t.shops[hats.Key] = event.Shop{Key: hats.Key, ID: hats.ID, EventsPerSecond: 1000} })
			time.Sleep(registryAge + time.Second)
			if more, err := r.lookup(t.Context(), hats.Key); err != nil || more.allow(time.Now(), 800, 1) {
				t.Errorf("got %v, want a new rate to hold from now on", err)
			} else if time.Sleep(time.Second); !more.allow(time.Now(), 800, 1) {
				t.Error("want a new rate to hold within a minute")
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tab := newTable(hats)
				r := newRegistry(tab, "registry", time.Now)
				r.secret.Store(&visitorSecret)
				tt.run(t, r, tab)
				tab.settle()
			})
		})
	}
}
