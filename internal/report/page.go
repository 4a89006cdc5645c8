package report

import (
	"fmt"

	"github.com/shopstream/shopstream/internal/ledger"
)

// Longer lists are cut: a page is read, not searched.
const (
	maxShops   = 12
	maxReasons = 30
	maxSkipped = 50
)

// page is a report in the order in which it is read.
type page struct {
	Report
	Headline string
	Empty    bool     // nothing was accepted
	Faults   []string // why it is not balanced
	Terms    []term
	Facts    []fact
	Hops     []hop
	Charts   charts

	Shops       []ledger.ShopCount
	MoreShops   int64
	Reasons     []ledger.ReasonCount
	MoreReasons int64
	Skipped     []Skipped
	MoreSkipped int64
	Total       Step // of all steps
}

// term is a number of the ledger's equation.
type term struct {
	Operator, Name, Meaning string
	Events                  int64
	Bad                     bool
}

type fact struct{ Value, Name string }

type hop struct {
	Name, What      string
	Records, Events int64 // -1: not counted there
}

func newPage(r Report) (page, error) {
	l := r.Statement.Ledger
	p := page{
		Report:   r,
		Headline: fmt.Sprintf("%s accepted, %s lost", count(l.Accepted, "event", "events"), number(max(l.Residue, 0))),
		Empty:    l == ledger.Ledger{} && r.Acknowledged == 0,
		Faults:   faults(r),
		Terms: []term{
			{"", "accepted", "events that the gateway wrote to its stream", l.Accepted, false},
			{"=", "delivered", "distinct events in the lake", l.Delivered, false},
			{"+", "quarantined", "set aside with the rule that they break", l.Quarantined, false},
			{"+", "duplicates", "came more than once, stored under one id", l.Duplicates, false},
			{"+", "residue", "accepted and nowhere to be found", l.Residue, l.Residue != 0},
		},
		Facts: facts(r.Statement),
		Hops:  hops(r),
	}
	p.Shops, p.MoreShops = cut(r.Statement.Shops, maxShops)
	p.Reasons, p.MoreReasons = cut(r.Statement.Reasons, maxReasons)
	p.Skipped, p.MoreSkipped = cut(r.Skipped, maxSkipped)
	for _, s := range r.Steps {
		p.Total.Took += s.Took
	}
	var err error
	p.Charts, err = draw(r.Statement)
	return p, err
}

func faults(r Report) []string {
	var faults []string
	if err := r.Statement.Ledger.Err(); err != nil {
		faults = append(faults, err.Error())
	}
	// More is no loss: an answer may have been lost on its way.
	if accepted := r.Statement.Ledger.Accepted; int64(r.Acknowledged) > accepted {
		faults = append(faults, fmt.Sprintf("the collector acknowledged %s, the ledger knows of %s", count(int64(r.Acknowledged), "event", "events"), number(accepted)))
	}
	return faults
}

// facts are what a shop's owner asks first.
func facts(s ledger.Statement) []fact {
	var facts []fact
	if len(s.Shops) > 0 {
		facts = append(facts, fact{number(len(s.Shops)), plural(int64(len(s.Shops)), "shop", "shops")})
	}
	if len(s.Funnel) > 0 && s.Funnel[0].Sessions > 0 {
		all, bought := s.Funnel[0].Sessions, s.Funnel[len(s.Funnel)-1].Sessions
		facts = append(facts, fact{number(all), "sessions"}, fact{share(bought, all), "of them bought"})
	}
	var currencies []string // in the shops' order
	revenue := map[string]float64{}
	var purchases int64
	for _, shop := range s.Shops {
		if _, ok := revenue[shop.Currency]; !ok && shop.Currency != "" {
			currencies = append(currencies, shop.Currency)
		}
		revenue[shop.Currency] += shop.Revenue
		purchases += shop.Purchases
	}
	if len(s.Shops) > 0 {
		facts = append(facts, fact{number(purchases), plural(purchases, "purchase", "purchases")})
	}
	for _, c := range currencies[:min(len(currencies), 3)] {
		facts = append(facts, fact{money(revenue[c], c), "revenue"})
	}
	return facts
}

func hops(r Report) []hop {
	h := r.Statement.Hops
	return []hop{
		{"collector", "answered with 202", -1, int64(r.Acknowledged)},
		{"gateway stream", "frames, one receipt each", h.Frames, h.FrameEvents},
		{"preprocess", "events checked against the contract", -1, h.RawEvents + h.QuarantineEvents},
		{"events stream", "packs of events that passed", h.Packs, h.RawEvents},
		{"S3 raw", "objects of packs", h.RawObjects, h.RawEvents},
		{"S3 quarantine", "objects of events that did not pass", h.QuarantineObjects, h.QuarantineEvents},
		{"S3 failed", "records that wait to be processed again", r.Statement.FailedRecords, -1},
	}
}

func cut[T any](list []T, most int) ([]T, int64) {
	if len(list) <= most {
		return list, 0
	}
	return list[:most], int64(len(list) - most)
}
