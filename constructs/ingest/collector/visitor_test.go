package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/shopstream/shopstream/constructs/event"
)

// stored is what is left of an event's person.
type stored struct {
	Visitor, Session *string
	raw              string
}

func (c *collector) persons(t *testing.T) (all []stored) {
	t.Helper()
	for _, e := range c.gateway.events() {
		var ids struct {
			Visitor *string `json:"visitor_id"`
			Session *string `json:"session_id"`
		}
		if err := json.Unmarshal(e.Event, &ids); err != nil {
			t.Fatal(err)
		}
		all = append(all, stored{ids.Visitor, ids.Session, string(e.Event)})
	}
	return all
}

func TestVisitors(t *testing.T) {
	strict := event.Shop{Key: "pk_strict", ID: "strict", EventsPerSecond: 1000, Salt: event.NewSalt(), Consent: event.ConsentNever}
	plain := event.Shop{Key: "pk_plain", ID: "plain", EventsPerSecond: 1000}
	twin := event.Shop{Key: "pk_twin", ID: "twin", EventsPerSecond: 1000, Salt: event.NewSalt()}
	again := event.Shop{Key: "pk_again", ID: "again", EventsPerSecond: 1000, Salt: shoes.Salt, HashVersion: 2}
	send := func(t *testing.T, c *collector, key string, events ...string) []stored {
		t.Helper()
		before := len(c.gateway.events())
		if w := c.serve(post(batch(key, events...))); w.Code != http.StatusAccepted {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		return c.persons(t)[before:]
	}
	const ann = `{"event_id":"1","visitor_id":"ann-visitor","session_id":"ann-session"}`
	tests := []struct {
		name string
		run  func(t *testing.T, c *collector)
	}{
		{"who consented are known by an id of the shop's, with their session", func(t *testing.T, c *collector) {
			got := send(t, c, shoes.Key, ann, ann)
			if !regexp.MustCompile(`^h1_[A-Za-z0-9_-]{22}$`).MatchString(*got[0].Visitor) || *got[1].Visitor != *got[0].Visitor || *got[0].Session != "ann-session" {
				t.Errorf("got %s, %s", got[0].raw, got[1].raw)
			}
			if other := send(t, c, twin.Key, ann); *other[0].Visitor == *got[0].Visitor {
				t.Error("two shops have the same id")
			}
			if other := send(t, c, again.Key, ann); !strings.HasPrefix(*other[0].Visitor, "h2_") || (*other[0].Visitor)[3:] == (*got[0].Visitor)[3:] {
				t.Errorf("got %s for another version", *other[0].Visitor)
			}
		}},
		{"each have their own id in a batch of several", func(t *testing.T, c *collector) {
			seen := map[string]bool{}
			for _, one := range send(t, c, shoes.Key, deed("ann", 0), deed("bob", 0), deed("ann", 1), deed("cec", 0)) {
				seen[*one.Visitor] = true
			}
			if len(seen) != 3 || !seen[pseudonym("ann")] || !seen[pseudonym("bob")] || !seen[pseudonym("cec")] {
				t.Errorf("got %v", seen)
			}
		}},
		{"who did not consent leave neither id nor session", func(t *testing.T, c *collector) {
			const consent = `{"event_id":"1","type":"consent","visitor_id":"ann-visitor","session_id":"ann-session","consent":{"state":%q}}`
			for _, from := range []struct{ key, event string }{
				{shoes.Key, `{"event_id":"1","session_id":"ann-session"}`},
				{shoes.Key, `{"event_id":"1","visitor_id":null,"session_id":"ann-session"}`},
				{shoes.Key, `{"event_id":"1","visitor_id":"","session_id":"ann-session"}`},
				{shoes.Key, fmt.Sprintf(consent, event.ConsentDenied)},
				{shoes.Key, fmt.Sprintf(consent, event.ConsentUnknown)},
				{shoes.Key, fmt.Sprintf(consent, "perhaps")},
				{shoes.Key, `{"event_id":"1","visitor_\u0069d":"","session_\u0069d":"ann-session"}`},
				{shoes.Key, `{"event_id":"1","session_id":"ann-session","session_id":"ann-session","visitor_id":["ann-visitor"]}`},
				{strict.Key, ann},
				{strict.Key, fmt.Sprintf(consent, event.ConsentGranted)},
			} {
				got := send(t, c, from.key, from.event)
				if got[0].Visitor != nil || got[0].Session != nil || strings.Contains(got[0].raw, "ann") {
					t.Errorf("got %s of %s", got[0].raw, from.event)
				}
			}
			if n := value(t, c.meters, "collector_anonymous_events_total", "consent"); n != 10 {
				t.Errorf("counted %g of 10", n)
			}
		}},
		{"of a shop without a salt are nobody, which is counted", func(t *testing.T, c *collector) {
			got := send(t, c, plain.Key, ann)
			if got[0].Visitor != nil || got[0].Session != nil {
				t.Errorf("got %s", got[0].raw)
			}
			if n := value(t, c.meters, "collector_anonymous_events_total", "salt"); n != 1 {
				t.Errorf("counted %g of 1", n)
			}
		}},
		{"leave the collector under no other name than their new one", func(t *testing.T, c *collector) {
			for _, e := range []string{
				ann, `{"visitor_id":"ann-visitor","visitor_id":"ann-visitor"}`, `{"visitor_id":"\u0061nn-visitor"}`, "{\n\"visitor_id\" :\n\"ann-visitor\"\n}",
			} {
				if got := send(t, c, shoes.Key, e); *got[0].Visitor != pseudonym("ann-visitor") || strings.Contains(got[0].raw, "nn-visitor") {
					t.Errorf("got %s of %s", got[0].raw, e)
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.run(t, newCollector(t, strict, plain, twin, again)) })
		})
	}
}

// value is that of a counter, or of one of its labels.
func value(t *testing.T, m *meters, name, label string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			if f.GetName() == name && (label == "" || one.GetLabel()[0].GetValue() == label) {
				return one.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no %s %s", name, label)
	return 0
}
