package traffic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

func simulate(t testing.TB, s Simulation) Source {
	t.Helper()
	source, err := s.Source()
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestTheSameSeedAndEndGiveTheSameBytes(t *testing.T) {
	base := Simulation{Shops: 3, Sessions: 300, Seed: 7, End: noon}
	source := simulate(t, base)
	first := encode(t, draw(source))
	if encode(t, draw(source)) != first {
		t.Error("drawn again, the source gives other batches")
	}
	again := simulate(t, base)
	if encode(t, draw(again)) != first || encode(t, again.Shops) != encode(t, source.Shops) {
		t.Error("another source of the same values gives other batches")
	}
	elsewhere := base
	elsewhere.End = noon.In(time.FixedZone("CET", 3600))
	if encode(t, draw(simulate(t, elsewhere))) != first {
		t.Error("the same end in another zone gives other batches")
	}
	for name, other := range map[string]Simulation{
		"seed": {Shops: 3, Sessions: 300, Seed: 8, End: noon},
		"end":  {Shops: 3, Sessions: 300, Seed: 7, End: noon.Add(time.Millisecond)},
	} {
		batches := draw(simulate(t, other))
		if encode(t, batches) == first || decode(t, batches[0].Events[0]).EventID == decode(t, draw(source)[0].Events[0]).EventID {
			t.Errorf("another %s gives the same batches", name)
		}
	}
}

// TestASeedsShoppersNeverChange keeps measurements comparable from machine to
// machine and from release to release.
func TestASeedsShoppersNeverChange(t *testing.T) {
	events, last := 0, event.Event{}
	for _, b := range draw(simulate(t, Simulation{Shops: 3, Sessions: 500, Seed: 1, End: noon})) {
		events += len(b.Events)
		last = decode(t, b.Events[len(b.Events)-1])
	}
	if got, want := fmt.Sprintf("%d events, the last %s %s", events, last.EventID, last.Type), "2112 events, the last 019cae43-ba8a-7f3f-905c-a4c0b4d0bce6 product_view"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestASimulationsEventsAreValidButForTheSpoiled(t *testing.T) {
	source := simulate(t, Simulation{Shops: 5, Sessions: 6000, Seed: 1, End: noon})
	shops := map[string]event.Shop{}
	for _, s := range source.Shops {
		shops[s.Key] = s
	}
	ids, batchIDs, reasons := map[string]bool{}, map[string]string{}, map[string]int{}
	var batches, repeated, events, withItems int
	for b := range source.Batches {
		batches++
		body := encode(t, b)
		if _, _, err := event.UnmarshalBatch([]byte(body)); err != nil {
			t.Fatalf("batch: %v", err)
		}
		if before, ok := batchIDs[b.BatchID]; ok {
			if repeated++; before != body {
				t.Fatalf("batch %s is sent twice and differs", b.BatchID)
			}
			continue
		}
		batchIDs[b.BatchID] = body
		shop, ok := shops[b.Shop]
		if !ok || len(b.Events) > 10 {
			t.Fatalf("batch of shop %q has %d events", b.Shop, len(b.Events))
		}
		if b.SentAt.Before(noon.Add(-time.Hour)) || b.SentAt.After(noon.Add(10*time.Minute)) {
			t.Errorf("batch is sent at %s", b.SentAt)
		}
		for _, raw := range b.Events {
			events++
			if strings.Contains(string(raw), `"items":`) {
				withItems++
			}
			e, err := event.Unmarshal(raw, b.SentAt)
			if id := decode(t, raw).EventID; ids[id] {
				t.Fatalf("id %s is given twice", id)
			} else {
				ids[id] = true
			}
			if err != nil {
				reasons[err.Error()]++
				continue
			}
			if e.Page != nil && !strings.HasPrefix(e.Page.URL, shop.Origins[0]+"/") {
				t.Errorf("event of shop %s has the page %s", shop.ID, e.Page.URL)
			}
			for _, item := range e.Items {
				if e.Type == event.ProductView && item.Quantity != 0 {
					t.Errorf("a look at a product has the quantity %d of what was later put into the cart", item.Quantity)
				}
			}
			if e.Type == event.Purchase {
				var sum float64
				for _, item := range e.Items {
					sum += item.Price * float64(max(item.Quantity, 1))
				}
				if d := sum - e.Order.Value; d > 0.001 || d < -0.001 {
					t.Errorf("an order of %v has items of %v", e.Order.Value, sum)
				}
			}
		}
	}
	share := func(what string, n, of int, want float64) {
		t.Helper()
		if got := float64(n) / float64(of); got < want/2 || got > want*2 {
			t.Errorf("%s: %d of %d, %.4f, want about %.4f", what, n, of, got, want)
		}
	}
	zero, unknown := 0, 0
	for reason, n := range reasons {
		switch {
		case strings.HasPrefix(reason, "/items/0/price must be over 0"):
			zero += n
		case strings.HasPrefix(reason, "/debug holds a field that the contract does not know"):
			unknown += n
		default:
			t.Errorf("%d events break the contract in a way that was not meant: %s", n, reason)
		}
	}
	share("batches sent twice", repeated, batches, 0.004)
	share("events with a price of 0", zero, withItems, 0.002)
	share("events with an unknown field", unknown, events, 0.001)
}

func TestVisitsFormAFunnel(t *testing.T) {
	const sessions = 6000
	reached, sizes := map[event.Type]map[string]bool{}, map[string]int{}
	for b := range simulate(t, Simulation{Shops: 4, Sessions: sessions, Seed: 3, End: noon}).Batches {
		for i, raw := range b.Events {
			e := decode(t, raw)
			if reached[e.Type] == nil {
				reached[e.Type] = map[string]bool{}
			}
			reached[e.Type][e.SessionID] = true
			sizes[b.Shop]++
			if i > 0 && e.Seq != decode(t, b.Events[i-1]).Seq+1 {
				t.Fatalf("event %d follows another number", e.Seq)
			}
		}
	}
	for _, c := range []struct {
		kind     event.Type
		from, to float64 // of the visits
	}{
		{event.PageView, 1, 1}, {event.ListView, 1, 1}, {event.SearchProducts, 0.30, 0.40}, {event.PromoView, 0.20, 0.30},
		{event.ProductView, 0.58, 0.66}, {event.AddToCart, 0.13, 0.19}, {event.CheckoutStep, 0.06, 0.10}, {event.Purchase, 0.04, 0.065},
		{event.ScriptError, 0.005, 0.02}, {event.AddToWishlist, 0.01, 0.06}, {event.RemoveFromCart, 0.0005, 0.01}, {event.RateProduct, 0.0005, 0.006},
	} {
		if got := float64(len(reached[c.kind])) / sessions; got < c.from || got > c.to {
			t.Errorf("%.4f of the visits reach %s, want %v to %v", got, c.kind, c.from, c.to)
		}
	}
	for session := range reached[event.Purchase] {
		for _, before := range []event.Type{event.CheckoutStep, event.AddToCart, event.ProductView} {
			if !reached[before][session] {
				t.Errorf("session %s buys without %s", session, before)
			}
		}
	}
	if len(sizes) != 4 || sizes["pk_shop-01"] < 2*sizes["pk_shop-04"] {
		t.Errorf("shops have %v events, want all four, the first the largest", sizes)
	}
}

func TestDrawingASimulationMayStopAtAnyBatch(t *testing.T) {
	n := 0
	for range simulate(t, Simulation{Shops: 1, Sessions: 100, Seed: 1, End: noon}).Batches {
		if n++; n == 3 {
			break
		}
	}
}

func TestASimulationTellsAllItsProblemsAtOnce(t *testing.T) {
	_, err := Simulation{Shops: 101}.Source()
	want := "shops must be 1 to 100, got 101\nsessions must be 1 to 10000000, got 0\nend is required"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	for _, s := range []Simulation{{1, 1, 0, noon}, {100, 10_000_000, 1, noon}} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestSpoilingChangesNothingElse(t *testing.T) {
	source := simulate(t, Simulation{Shops: 2, Sessions: 3000, Seed: 5, End: noon})
	seen := 0
	for b := range source.Batches {
		for _, raw := range b.Events {
			var e map[string]any
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			if _, spoiled := e["debug"]; spoiled {
				seen++
				delete(e, "debug")
				if _, err := event.Unmarshal(jsontext.Value(encode(t, e)), b.SentAt); err != nil {
					t.Errorf("without the field it still breaks the contract: %v", err)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("nothing was spoiled")
	}
}
