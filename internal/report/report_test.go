package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopstream/shopstream/internal/ledger"
)

const hostile = `<img src=x onerror=alert(1)>"'&`

var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// full is a report in which everything has something to show.
func full() Report {
	s := ledger.Statement{
		Ledger:        ledger.Ledger{Accepted: 41_234, Delivered: 41_012, Quarantined: 131, Duplicates: 91},
		FailedRecords: 3,
		Types: []ledger.TypeCount{
			{Type: "page_view", Events: 13_407}, {Type: "list_view", Events: 10_021}, {Type: "product_view", Events: 9_113},
			{Type: "search_products", Events: 3_466}, {Type: "promo_view", Events: 2_502}, {Type: "add_to_cart", Events: 1_422},
			{Type: "checkout_step", Events: 704}, {Type: "purchase", Events: 287}, {Type: "script_error", Events: 90},
		},
		Reasons: []ledger.ReasonCount{{Reason: "price_not_positive", Pointer: "/items/0/price", Events: 88}, {Reason: "unknown_field", Pointer: "/debug", Events: 43}},
		Funnel: []ledger.FunnelStep{
			{Step: "all sessions", Sessions: 10_021}, {Step: "saw a product", Sessions: 6_190}, {Step: "filled a cart", Sessions: 1_290},
			{Step: "began a checkout", Sessions: 604}, {Step: "bought", Sessions: 287},
		},
	}
	h := &s.Hops
	h.Frames, h.FrameEvents, h.Packs, h.RawObjects, h.RawEvents, h.QuarantineObjects, h.QuarantineEvents = 1_203, 41_234, 1_187, 96, 41_102, 14, 132
	for i := range 60 {
		if i != 30 { // a minute without events is none
			s.Minutes = append(s.Minutes, ledger.MinuteCount{Minute: monday.Add(time.Duration(i) * time.Minute).Format(time.RFC3339), Events: int64(500 + i*i%331 + 3*i)})
		}
	}
	for i := range 14 {
		s.Shops = append(s.Shops, ledger.ShopCount{
			Shop: fmt.Sprintf("shop-%02d", i+1), Events: int64(9_000 / (i + 1)), Visitors: int64(1_800 / (i + 1)),
			Purchases: int64(90 / (i + 1)), Revenue: 12_345.6 / float64(i+1), Currency: "EUR",
		})
	}
	return Report{
		Input: "10,021 visits of simulated shoppers, seed 1", Acknowledged: 41_234, Statement: s, Made: monday,
		Skipped: []Skipped{{Line: 17, Reason: `price must be a number, got "abc"`}},
		Steps:   []Step{{"start the emulators", 6_200 * time.Millisecond}, {"send", 71_040 * time.Millisecond}},
	}
}

func write(t *testing.T, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

func lacks(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page holds %q", text)
		}
	}
}

func TestPage(t *testing.T) {
	t.Run("shows the ledger's numbers", func(t *testing.T) {
		page := write(t, full())
		wants(t, page, "<h1>41,234 events accepted, 0 lost</h1>", "</span> Balanced",
			"<b>41,234</b> <em>accepted</em>", "<b>41,012</b> <em>delivered</em>", "<b>131</b> <em>quarantined</em>", "<b>91</b> <em>duplicates</em>", "<b>0</b> <em>residue</em>",
			"price_not_positive", "/items/0/price", "start the emulators", "6.2 s", "1 min 11 s", "EUR 12,345.60", "and 2 shops more", "2 March 2026, 12:00 UTC")
		lacks(t, page, "Not balanced", "ZgotmplZ")
	})
	t.Run("needs nothing from outside", func(t *testing.T) {
		lacks(t, write(t, full()), "http:", "https:", "<script", "<link", "src=", "href=", "@import", "url(")
	})
	t.Run("is the same for the same report", func(t *testing.T) {
		if one, two := write(t, full()), write(t, full()); one != two {
			t.Error("two pages of one report differ")
		}
	})
	t.Run("tells why it is not balanced", func(t *testing.T) {
		r := full()
		r.Statement.Ledger.Residue, r.Statement.Ledger.FrameGaps = 7, 1
		r.Acknowledged = 50_000
		page := write(t, r)
		wants(t, page, "41,234 events accepted, 7 lost", "Not balanced", "residue is 7, want 0", "1 frames are missing",
			"the collector acknowledged 50,000 events, the ledger knows of 41,234", `class="residue wrong"`)
		lacks(t, page, "</span> Balanced", "Every accepted event lies")
	})
	t.Run("forgives answers that were lost on their way", func(t *testing.T) {
		r := full()
		r.Acknowledged--
		lacks(t, write(t, r), "Not balanced")
	})
	t.Run("renders without any event", func(t *testing.T) {
		page := write(t, Report{Made: monday})
		wants(t, page, "0 events accepted, 0 lost", "Nothing to balance", "nothing to draw", "No event was set aside.")
		lacks(t, page, "<svg", "Rows that are no events", "Steps and their times", "ZgotmplZ", "NaN")
	})
}

func TestPageEscapes(t *testing.T) {
	r := full()
	r.Input, r.Skipped[0].Reason, r.Steps[0].Name = hostile, hostile, hostile
	s := &r.Statement
	s.Shops[0].Shop, s.Shops[0].Currency, s.Types[0].Type, s.Reasons[0].Pointer, s.Funnel[0].Step = hostile, hostile, hostile, hostile, hostile
	page := write(t, r)
	lacks(t, page, "<img", "x onerror=alert(1)>", "ZgotmplZ")
	wants(t, page, "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;", ">&lt;img src=x onerror=…</text>")
}

func TestCharts(t *testing.T) {
	t.Run("follow the reader's color scheme", func(t *testing.T) {
		svgs := strings.Join(regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(write(t, full()), -1), "")
		lacks(t, svgs, "rgb(", "rgba(", "white", "black")
		wants(t, svgs, "var(--ink)", "var(--faint)", "var(--rule)", "var(--accent)", "var(--area)")
	})
	t.Run("tell what they show", func(t *testing.T) {
		wants(t, write(t, full()), `aria-label="Events by type: page_view 13,407, list_view 10,021,`, "bought 287 · 2.9%",
			`aria-label="Events per minute, 2 March 2026, 12:00 to 12:59 UTC: `)
	})
	t.Run("end at round numbers", func(t *testing.T) {
		for most, want := range map[float64]float64{0: 1, 3: 3, 7: 8, 958: 1_000, 1_001: 1_500, 123_456: 150_000} {
			if top, ticks := scale(most); top != want || ticks > 6 {
				t.Errorf("scale(%v) ends at %v with %d ticks, want %v with at most 6", most, top, ticks, want)
			}
		}
	})
	t.Run("of one shop are left out", func(t *testing.T) {
		r := full()
		r.Statement.Shops = r.Statement.Shops[:1]
		lacks(t, write(t, r), "Events by shop")
	})
	t.Run("of one minute still have a line", func(t *testing.T) {
		r := full()
		r.Statement.Minutes = r.Statement.Minutes[:1]
		wants(t, write(t, r), "Events per minute")
	})
}

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		name  string
		last  time.Duration
		title string
	}{
		{"one minute", 0, "Events per minute"},
		{"five hours", 5*time.Hour - time.Minute, "Events per minute"},
		{"a day", 24 * time.Hour, "Events per 5 minutes"},
		{"a week", 7 * 24 * time.Hour, "Events per hour"},
		{"seven months", 212 * 24 * time.Hour, "Events per day"},
		{"two centuries", 200 * 365 * 24 * time.Hour, "Events per 256 days"},
	} {
		t.Run("draws "+c.name+" in few points", func(t *testing.T) {
			s, err := newSeries([]ledger.MinuteCount{
				{Minute: monday.Format(time.RFC3339), Events: 2},
				{Minute: monday.Add(c.last).Format(time.RFC3339), Events: 3},
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(s.events) > maxPoints || s.title() != c.title {
				t.Errorf("got %d points, %q, want at most %d, %q", len(s.events), s.title(), maxPoints, c.title)
			}
			if got := sum(s.events); got != 5 {
				t.Errorf("got %v events, want 5", got)
			}
			if _, err := s.draw(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("refuses what is no minute", func(t *testing.T) {
		err := Write(&bytes.Buffer{}, Report{Statement: ledger.Statement{Minutes: []ledger.MinuteCount{{Minute: "noon"}}}})
		if err == nil || !strings.Contains(err.Error(), `got "noon"`) {
			t.Errorf("got %v, want an error that names the minute", err)
		}
	})
}
