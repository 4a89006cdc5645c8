package enrich

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shopstream/shopstream/constructs/event"
)

func TestACampaignIsWhatTheLinkSays(t *testing.T) {
	for _, c := range []struct {
		name, url string
		want      event.Campaign
	}{
		{"all parameters", "https://shop.example/?utm_source=newsletter&utm_medium=email&utm_campaign=spring&utm_term=red+shoes&utm_content=top", event.Campaign{Source: "newsletter", Medium: "email", Name: "spring", Term: "red shoes", Content: "top"}},
		{"among others", "https://shop.example/p?a=1&utm_source=x&b=2", event.Campaign{Source: "x"}},
		{"none", "https://shop.example/p?a=1", event.Campaign{}},
		{"no URL", "", event.Campaign{}},
		{"in the path is none", "https://shop.example/utm_source=x", event.Campaign{}},
		{"in the fragment is none", "https://shop.example/?a=1#?utm_source=x", event.Campaign{}},
		{"in front of the fragment", "https://shop.example/?utm_source=x#utm_medium=y", event.Campaign{Source: "x"}},
		{"escaped", "https://shop.example/?utm_campaign=R%C3%A9duction%20-50%25%26plus", event.Campaign{Name: "Réduction -50%&plus"}},
		{"an escape that is none", "https://shop.example/?utm_campaign=50%&utm_term=%zz%4", event.Campaign{Name: "50%", Term: "%zz%4"}},
		{"upper case is kept", "https://shop.example/?utm_source=Newsletter", event.Campaign{Source: "Newsletter"}},
		{"the first of two", "https://shop.example/?utm_source=&utm_source=a&utm_source=b", event.Campaign{Source: "a"}},
		{"without a value", "https://shop.example/?utm_source&utm_medium=", event.Campaign{}},
		{"an equals sign in it", "https://shop.example/?utm_content=a=b", event.Campaign{Content: "a=b"}},
		{"a longer name", "https://shop.example/?xutm_source=x&utm_sources=x", event.Campaign{}},
		{"bytes that are no text", "https://shop.example/?utm_source=%ff%00a%0Ab%c3", event.Campaign{Source: "ab"}},
		{"space around it", "https://shop.example/?utm_source=+a+b+", event.Campaign{Source: "a b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CampaignOf(c.url); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestACampaignsValueIsCutBetweenCharacters(t *testing.T) {
	for name, c := range map[string]struct{ value, want string }{
		"as long as may be":  {strings.Repeat("a", MaxValue), strings.Repeat("a", MaxValue)},
		"longer":             {strings.Repeat("a", 1<<20), strings.Repeat("a", MaxValue)},
		"in a character":     {"a" + strings.Repeat("é", MaxValue), "a" + strings.Repeat("é", MaxValue/2-1)},
		"escaped":            {strings.Repeat("%61", MaxValue+1), strings.Repeat("a", MaxValue)},
		"escaped characters": {strings.Repeat("%E2%82%AC", MaxValue), strings.Repeat("€", MaxValue/3)},
		"in an escape":       {"a" + strings.Repeat("%61", MaxValue), strings.Repeat("a", MaxValue)},
	} {
		if got := CampaignOf("https://shop.example/?utm_term=" + c.value).Term; got != c.want {
			t.Errorf("%s: got %d bytes %.20q…, want %d", name, len(got), got, len(c.want))
		}
	}
}

func TestParametersCostLinearTime(t *testing.T) {
	cost := func(parameters int) time.Duration {
		page := "https://shop.example/?" + strings.Repeat("utm_source=&", parameters)
		best := time.Hour
		for range 5 {
			start := time.Now()
			CampaignOf(page)
			ReferrerOf(page, page)
			best = min(best, time.Since(start))
		}
		return best
	}
	small, large := cost(20_000), cost(320_000)
	if large > 64*small {
		t.Errorf("16 times the parameters cost %s instead of %s", large, small)
	}
}

func FuzzCampaignOf(f *testing.F) {
	for _, query := range []string{"utm_source=a&utm_medium=b", "utm_term=%e2%82%ac+%zz", "utm_campaign=" + strings.Repeat("%C3%A9", 200), "utm_content=%", "#utm_source=x", "utm_source=\xff"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		c := CampaignOf("https://shop.example/?" + query)
		for _, value := range []string{c.Source, c.Medium, c.Name, c.Term, c.Content} {
			if len(value) > MaxValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
				t.Errorf("%q gives %q", query, value)
			}
		}
		// Text that needs no cleaning comes back as it was.
		if text := query; text == strings.TrimSpace(text) && len(text) <= MaxValue && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl) {
			if got := CampaignOf("?utm_source=" + url.QueryEscape(text)).Source; got != text {
				t.Errorf("%q comes back as %q", text, got)
			}
		}
	})
}

func BenchmarkCampaignOf(b *testing.B) {
	for _, c := range []struct{ name, url string }{
		{"none", "https://www.shop.example/products/shoes/1234567?color=red&size=42"},
		{"three", "https://www.shop.example/products/shoes/1234567?utm_source=newsletter&utm_medium=email&utm_campaign=spring"},
		{"escaped", "https://www.shop.example/products/shoes/1234567?utm_source=newsletter&utm_medium=email&utm_campaign=R%C3%A9duction+2026"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CampaignOf(c.url)
			}
		})
	}
}
