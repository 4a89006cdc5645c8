package traffic

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/check"
)

// Simulation configures simulated shoppers. The same values always give the
// same batches.
type Simulation struct {
	Shops    int       // 1 to 100
	Sessions int       // visits of all shops together, 1 to 10,000,000
	Seed     uint64    // other seeds, other shoppers
	End      time.Time // of the last visits; they spread over the hour before
}

// Validate reports every problem at once.
func (s Simulation) Validate() error {
	return errors.Join(
		check.Between("shops", s.Shops, 1, 100),
		check.Between("sessions", s.Sessions, 1, 10_000_000),
		check.Required("end", !s.End.IsZero()),
	)
}

// What shoppers do next, as shares of 1. They give a funnel like the ones that
// shops report: of 100 visits some 60 see a product, 16 fill a cart, 5 buy.
const (
	searches       = 0.35 // of visits; the others look through a list
	looksAtProduct = 0.62
	looksAgain     = 0.45
	fillsCart      = 0.16
	wishes         = 0.04
	takesOut       = 0.10
	checksOut      = 0.50
	stepsOn        = 0.80
	rates          = 0.05
	seesPromotion  = 0.25
	scriptFails    = 0.01

	sentTwice    = 0.004 // of batches: the answer was lost on its way
	zeroPrice    = 0.002 // of events with items: a shop's template is wrong
	unknownField = 0.001 // of events: a shop sends what the contract doesn't know
)

type product struct {
	item   event.Item
	weight float64
}

type simulatedShop struct {
	event.Shop
	domain   string
	products []product
	total    float64
}

var (
	brands     = []string{"Aurora", "Birke", "Corvo", "Dune", "Elm & Oak", "Fjord", "Granit", "Halo"}
	categories = []string{"shoes.sneakers", "shoes.boots", "apparel.jackets", "apparel.shirts", "home.lamps", "home.chairs", "sport.bikes", "electronics.audio"}
	words      = []string{"sneaker 42", "winter boots", "rain jacket", "linen shirt", "desk lamp", "oak chair", "gravel bike", "headphones", "gift", "sale"}
	agents     = []string{
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
	}
)

// Source makes the simulation's batches, a visit's events in batches of at
// most ten, as the tracker sends them.
func (s Simulation) Source() (Source, error) {
	if err := s.Validate(); err != nil {
		return Source{}, err
	}
	random := rand.New(rand.NewPCG(s.Seed, 0x5407))
	shops := make([]simulatedShop, s.Shops)
	source := Source{}
	for i := range shops {
		shops[i] = newSimulatedShop(random, i)
		source.Shops = append(source.Shops, shops[i].Shop)
	}
	source.Batches = func(yield func(event.Batch) bool) {
		for n := range s.Sessions {
			// Each visit has a generator of its own: the source can be drawn again.
			v := newVisit(rand.New(rand.NewPCG(s.Seed, uint64(n)+1)), shops, s, n)
			v.walk()
			if !v.send(yield) {
				return
			}
		}
	}
	return source, nil
}

func newSimulatedShop(random *rand.Rand, n int) simulatedShop {
	name := fmt.Sprintf("shop-%02d", n+1)
	shop := simulatedShop{
		Shop:   event.Shop{Key: "pk_" + name, ID: name, EventsPerSecond: 100_000, Origins: []string{"https://" + name + ".example"}},
		domain: "https://" + name + ".example",
	}
	for i := range 40 + random.IntN(160) {
		category := categories[random.IntN(len(categories))]
		p := product{
			item: event.Item{
				ID: fmt.Sprintf("%s-%04d", name, i), Name: fmt.Sprintf("%s no. %d", category, i),
				Brand: brands[random.IntN(len(brands))], Category: category, Currency: "EUR",
				Price: float64(500+random.IntN(20_000)) / 100,
			},
			weight: 1 / float64(i+1), // a few products get most looks
		}
		shop.products = append(shop.products, p)
		shop.total += p.weight
	}
	return shop
}

func (s simulatedShop) pick(random *rand.Rand) event.Item {
	at := random.Float64() * s.total
	for _, p := range s.products {
		if at -= p.weight; at <= 0 {
			return p.item
		}
	}
	return s.products[0].item
}

// visit is one shopper's session.
type visit struct {
	random  *rand.Rand
	shop    simulatedShop
	seed    uint64
	number  int
	visitor string
	session string
	now     time.Time
	events  []event.Event
}

func newVisit(random *rand.Rand, shops []simulatedShop, s Simulation, n int) *visit {
	shop := shops[int(float64(len(shops))*random.Float64()*random.Float64())] // the first shops are the largest
	return &visit{
		random: random, shop: shop, seed: s.Seed, number: n,
		visitor: fmt.Sprintf("visitor-%06d", random.IntN(max(s.Sessions*3/4, 1))),
		session: batchID(fmt.Sprintf("session/%d", s.Seed), n),
		now:     s.End.Add(-time.Duration(random.Int64N(int64(time.Hour)))).UTC().Truncate(time.Millisecond),
	}
}

func (v *visit) chance(share float64) bool { return v.random.Float64() < share }

// do records a deed.
func (v *visit) do(kind event.Type, path string, part func(*event.Event)) {
	v.now = v.now.Add(time.Duration(200+v.random.IntN(8000)) * time.Millisecond)
	seq := int64(len(v.events))
	e := event.Event{
		EventID: event.NewID(v.now, sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d", v.seed, v.number, seq))),
		Type:    kind, VisitorID: v.visitor, SessionID: v.session, Seq: seq, ClientTS: v.now,
		Page: &event.Page{URL: v.shop.domain + path},
	}
	if part != nil {
		part(&e)
	}
	v.events = append(v.events, e)
}

// walk goes through the shop as far as this shopper goes.
func (v *visit) walk() {
	v.do(event.PageView, "/", func(e *event.Event) {
		e.Page.Title, e.Page.Referrer = "Welcome", []string{"", "https://www.google.com/", "https://www.instagram.com/"}[v.random.IntN(3)]
	})
	if v.chance(seesPromotion) {
		v.do(event.PromoView, "/", func(e *event.Event) { e.Promotion = &event.Promotion{ID: "summer", Slot: "hero"} })
	}
	if v.chance(scriptFails) {
		v.do(event.ScriptError, "/", func(e *event.Event) {
			e.Error = &event.Failure{Message: "x is not a function", Source: v.shop.domain + "/app.js"}
		})
	}
	list := event.List{ID: "category", Name: categories[v.random.IntN(len(categories))]}
	if v.chance(searches) {
		results := v.random.Int64N(60)
		v.do(event.SearchProducts, "/search", func(e *event.Event) {
			e.Search = &event.Search{Term: words[v.random.IntN(len(words))], Results: &results}
		})
		list = event.List{ID: "search_results"}
	}
	shown := v.items(6)
	v.do(event.ListView, "/list", func(e *event.Event) { e.List, e.Items = &list, shown })
	var cart []event.Item
	for look := v.chance(looksAtProduct); look; look = v.chance(looksAgain) {
		item := v.items(1)
		v.do(event.ProductView, "/p/"+item[0].ID, func(e *event.Event) { e.Items = item })
		switch {
		case v.chance(fillsCart):
			added := item[0]
			added.Quantity = 1 + v.random.Int64N(2)
			v.do(event.AddToCart, "/p/"+added.ID, func(e *event.Event) { e.Items = []event.Item{added} })
			cart = append(cart, added)
		case v.chance(wishes):
			v.do(event.AddToWishlist, "/p/"+item[0].ID, func(e *event.Event) { e.Items = item })
		}
	}
	if len(cart) > 1 && v.chance(takesOut) {
		v.do(event.RemoveFromCart, "/cart", func(e *event.Event) { e.Items = cart[:1:1] })
		cart = cart[1:]
	}
	if len(cart) > 0 && v.chance(checksOut) {
		v.checkOut(cart)
	}
}

func (v *visit) checkOut(cart []event.Item) {
	for step := range int64(3) {
		if step > 0 && !v.chance(stepsOn) {
			return
		}
		v.do(event.CheckoutStep, "/checkout", func(e *event.Event) { e.Checkout = &event.Checkout{Step: step + 1} })
	}
	cents := 0.0
	for _, item := range cart {
		cents += item.Price * 100 * float64(max(item.Quantity, 1))
	}
	v.do(event.Purchase, "/thank-you", func(e *event.Event) {
		e.Items = cart
		e.Order = &event.Order{ID: "order-" + v.session[:8], Value: float64(int64(cents+0.5)) / 100, Currency: "EUR"}
	})
	if v.chance(rates) {
		v.do(event.RateProduct, "/p/"+cart[0].ID, func(e *event.Event) {
			e.Items, e.Rating = cart[:1:1], &event.Rating{Value: float64(1 + v.random.IntN(5))}
		})
	}
}

func (v *visit) items(n int64) []event.Item {
	items := make([]event.Item, n)
	for i := range items {
		items[i] = v.shop.pick(v.random)
	}
	return items
}

// send yields the visit's batches, now and then one twice.
func (v *visit) send(yield func(event.Batch) bool) bool {
	const perBatch = 10
	for from := 0; from < len(v.events); from += perBatch {
		events := v.events[from:min(from+perBatch, len(v.events))]
		raw := marshalEvents(events)
		for i := range raw {
			raw[i] = v.spoil(raw[i], len(events[i].Items) > 0)
		}
		b := event.Batch{
			V: event.SchemaVersion, Shop: v.shop.Key, SentAt: events[len(events)-1].ClientTS,
			BatchID: batchID(v.session, from), Seq: int64(from / perBatch), Events: raw,
		}
		if !yield(b) || v.chance(sentTwice) && !yield(b) {
			return false
		}
	}
	return true
}

// spoil breaks a few events in ways that shops do.
func (v *visit) spoil(raw jsontext.Value, hasItems bool) jsontext.Value {
	breakWith := func(change func(map[string]any)) jsontext.Value {
		var e map[string]any
		if err := json.Unmarshal(raw, &e); err != nil {
			panic(err) // it was encoded just now
		}
		change(e)
		b, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		return b
	}
	switch {
	case hasItems && v.chance(zeroPrice):
		return breakWith(func(e map[string]any) { e["items"].([]any)[0].(map[string]any)["price"] = 0 })
	case v.chance(unknownField):
		return breakWith(func(e map[string]any) { e["debug"] = true })
	}
	return raw
}
