package main

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/ledger/ledgertest"
)

var (
	view, broken = ledgertest.View, ledgertest.Broken

	// later counts the hour that begins at noon.
	later = time.Date(2026, 3, 2, 15, 10, 0, 0, time.UTC)
)

const (
	rawHour        = "raw/events/arrival_date=2026-03-02/arrival_hour=12/"
	quarantineHour = "quarantine/events/date=2026-03-02/hour=12/"
	receiptsHour   = "ledger/receipts/date=2026-03-02/hour=12/"
)

// cases are what may become of frames of one hour.
var cases = map[string]struct {
	store func(*lake)
	want  ledger.Ledger
}{
	"nothing": {func(*lake) {}, ledger.Ledger{}},
	"delivered, quarantined and sent twice": {func(l *lake) {
		one, two, other := ledgertest.Chain{Partition: 1}, ledgertest.Chain{Partition: 2}, ledgertest.Chain{Instance: "another collector", Partition: 1}
		l.Preprocess("a", one.Frame(view("1"), view("2"), broken("3")), two.Frame(view("4")))
		l.Preprocess("b", one.Frame(view("5")), one.Frame(view("2")), two.Frame(broken("6")))
		l.Preprocess("c", other.Frame(view("7")))
	}, ledger.Ledger{Accepted: 8, Delivered: 5, Quarantined: 2, Duplicates: 1}},
	"left out of a batch that had the same": {func(l *lake) {
		var c ledgertest.Chain
		first, second := c.Frame(view("1"), view("2")), c.Frame(view("2"), view("3"), view("1"))
		receipt := second.Receipt()
		receipt.Duplicates = []int{2}
		l.Preprocess("a", first)
		l.Put(receiptsHour+"b.json.gz", ledgertest.Line(l.t, receipt))
		receipt.Duplicates = []int{0, 2} // of another batch
		l.Put(receiptsHour+"c.json.gz", ledgertest.Line(l.t, receipt))
		second.Events = second.Events[:2]
		l.Events("b", second)
	}, ledger.Ledger{Accepted: 5, Delivered: 3, Duplicates: 2}},
	"the same id in two shops": {func(l *lake) {
		var c ledgertest.Chain
		elsewhere := view("1")
		elsewhere.ShopID = "shop-02"
		l.Preprocess("a", c.Frame(view("1"), elsewhere))
	}, ledger.Ledger{Accepted: 2, Delivered: 2}},
	"a frame processed again, a pack stored twice": {func(l *lake) {
		var c ledgertest.Chain
		f, g := c.Frame(view("1"), broken("2")), c.Frame(view("3"))
		l.Preprocess("a", f)
		l.Preprocess("b", f, g)
		l.Events("c", f)
	}, ledger.Ledger{Accepted: 3, Delivered: 2, Quarantined: 1}},
	"quarantined twice, and without an id": {func(l *lake) {
		var c ledgertest.Chain
		nameless := ledgertest.Received("shop-01", `{"type":"search"}`)
		l.Preprocess("a", c.Frame(broken("1"), broken("1"), nameless), c.Frame(broken("1"), nameless))
	}, ledger.Ledger{Accepted: 5, Quarantined: 3, Duplicates: 2}},
	"stored, then refused by a newer contract": {func(l *lake) {
		var c ledgertest.Chain
		f := c.Frame(view("1"), view("2"))
		l.Preprocess("a", f)
		l.Put(quarantineHour+"b.json.gz", ledgertest.Line(l.t, event.Quarantined{
			Reason: "range", ShopID: "shop-01", EventID: ledgertest.ID("2"), FrameID: f.ID.String(), FramePosition: 1, Original: f.Events[1].Event,
		}))
	}, ledger.Ledger{Accepted: 2, Delivered: 2}},
	"two frames of one place in the sequence, and the next one missing": {func(l *lake) {
		var c ledgertest.Chain
		first := c.Frame(view("1"), view("2"))
		twin := first
		twin.ID = uuid.MustParse(first.ID.String()[:24] + "000000000000")
		c.Frame(view("lost 1"), view("lost 2"))
		l.Preprocess("a", first, twin, c.Frame(view("3")))
	}, ledger.Ledger{Accepted: 7, Delivered: 3, Duplicates: 2, Residue: 2, FrameGaps: 1}},
	"a frame missing": {func(l *lake) {
		var c ledgertest.Chain
		first := c.Frame(view("1"))
		c.Frame(view("lost 1"), view("lost 2"))
		l.Preprocess("a", first, c.Frame(view("2")))
	}, ledger.Ledger{Accepted: 4, Delivered: 2, Residue: 2, FrameGaps: 1}},
	"the first frame missing": {func(l *lake) {
		var c ledgertest.Chain
		c.Frame(view("lost"))
		l.Preprocess("a", c.Frame(view("1")))
	}, ledger.Ledger{Accepted: 2, Delivered: 1, Residue: 1, FrameGaps: 1}},
	"events missing between two frames": {func(l *lake) {
		var c ledgertest.Chain
		first := c.Frame(view("1"))
		c.FirstEvent += 4
		l.Preprocess("a", first, c.Frame(view("2")))
	}, ledger.Ledger{Accepted: 6, Delivered: 2, Residue: 4}},
	"nothing deleted": {stored, ledger.Ledger{Accepted: 8, Delivered: 6, Quarantined: 2}},
	"one frame's receipt deleted": {func(l *lake) {
		stored(l)
		l.Drop(receiptsHour+"a.json.gz", 0)
	}, ledger.Ledger{Accepted: 8, Delivered: 6, Quarantined: 2, Residue: 3, FrameGaps: 1, Unreceipted: 3}},
	"one pack deleted": {func(l *lake) {
		stored(l)
		l.Drop(rawHour+"a", 1)
	}, ledger.Ledger{Accepted: 8, Delivered: 4, Quarantined: 2, Residue: 2}},
	"one raw object deleted": {func(l *lake) {
		stored(l)
		l.Delete(rawHour + "a")
	}, ledger.Ledger{Accepted: 8, Delivered: 1, Quarantined: 2, Residue: 5}},
	"one quarantine object deleted": {func(l *lake) {
		stored(l)
		l.Delete(quarantineHour + "b.json.gz")
	}, ledger.Ledger{Accepted: 8, Delivered: 6, Quarantined: 1, Residue: 1}},
	"one receipts object deleted": {func(l *lake) {
		stored(l)
		l.Delete(receiptsHour + "b.json.gz")
	}, ledger.Ledger{Accepted: 8, Delivered: 6, Quarantined: 2, Residue: 3, FrameGaps: 1, Unreceipted: 3}},
	"the last receipts object deleted": {func(l *lake) {
		stored(l)
		l.Delete(receiptsHour + "c.json.gz")
	}, ledger.Ledger{Accepted: 7, Delivered: 6, Quarantined: 2, Unreceipted: 1}},
}

// stored are frames as they are after any hour: the first raw object holds two packs.
func stored(l *lake) {
	var c ledgertest.Chain
	l.Preprocess("a", c.Frame(view("1"), broken("2"), view("3")), c.Frame(view("4")))
	l.Preprocess("b", c.Frame(view("5"), view("6"), broken("7")))
	l.Preprocess("c", c.Frame(view("8")))
	l.Join(rawHour+"a", rawHour+"b")
}

// TestTheHourlyLedgerIsThatOfTheWholeWhereAllOfItIsInTheWindow runs both on the
// same objects.
func TestTheHourlyLedgerIsThatOfTheWholeWhereAllOfItIsInTheWindow(t *testing.T) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			c.store(l)
			whole, err := l.reader.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := l.at(later); got != c.want || whole.Ledger != c.want {
				t.Errorf("hourly %+v\nwhole  %+v\nwant   %+v", got, whole.Ledger, c.want)
			}
		})
	}
}
