package enrich

import (
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/event"
)

func TestAReferrerIsClassedInSnowplowsWords(t *testing.T) {
	const page = "https://www.shop.example/products/1?utm_source=x"
	for _, c := range []struct {
		name, referrer string
		want           event.Referrer
	}{
		{"opened directly", "", event.Referrer{}},
		{"a search engine", "https://www.google.com/", event.Referrer{Medium: Search, Source: "Google"}},
		{"its country's domain", "https://www.google.co.uk/search?q=shoes", event.Referrer{Medium: Search, Source: "Google"}},
		{"its other country's domain", "https://google.de", event.Referrer{Medium: Search, Source: "Google"}},
		{"its app", "android-app://com.google.android.googlequicksearchbox/", event.Referrer{Medium: Search, Source: "Google"}},
		{"a part of a host", "https://search.brave.com/", event.Referrer{Medium: Search, Source: "Brave"}},
		{"Japan's Yahoo", "https://search.yahoo.co.jp/search?p=x", event.Referrer{Medium: Search, Source: "Yahoo!"}},
		{"the search engine's mail", "https://mail.google.com/mail/u/0/", event.Referrer{Medium: Email, Source: "Gmail"}},
		{"the search engine's chatbot", "https://gemini.google.com/app", event.Referrer{Medium: Chatbot, Source: "Gemini"}},
		{"the search engine's other services", "https://docs.google.com/document/d/1", event.Referrer{Medium: Unknown, Source: "Google"}},
		{"a social network", "https://l.facebook.com/l.php?u=https%3A%2F%2Fshop.example", event.Referrer{Medium: Social, Source: "Facebook"}},
		{"a short host", "https://t.co/abc", event.Referrer{Medium: Social, Source: "X"}},
		{"an app of a social network", "android-app://com.instagram.android/", event.Referrer{Medium: Social, Source: "Instagram"}},
		{"an advertisement", "https://googleads.g.doubleclick.net/", event.Referrer{Medium: Paid, Source: "Google"}},
		{"a chatbot", "https://chatgpt.com/", event.Referrer{Medium: Chatbot, Source: "ChatGPT"}},
		{"the page's own host", "https://www.shop.example/cart", event.Referrer{Medium: Internal}},
		{"the page's host without www", "http://SHOP.example:8080/", event.Referrer{Medium: Internal}},
		{"a host below the page's", "https://checkout.shop.example/", event.Referrer{Medium: Internal}},
		{"a host that only ends as the page's", "https://workshop.example/", event.Referrer{Medium: Unknown, Source: "workshop.example"}},
		{"any other site", "https://www.Blog.Example/post?mail=jane@example.com", event.Referrer{Medium: Unknown, Source: "blog.example"}},
		{"a site that ends as a known one", "https://netflix.com/", event.Referrer{Medium: Unknown, Source: "netflix.com"}},
		{"a site that poses as a known one below its own domain", "https://google.com.evil.example/", event.Referrer{Medium: Unknown, Source: "google.com.evil.example"}},
		{"a known name under a domain that anybody can have", "https://google.zip/", event.Referrer{Medium: Unknown, Source: "google.zip"}},
		{"a user in front of the host", "https://google.com:secret@blog.example/", event.Referrer{Medium: Unknown, Source: "blog.example"}},
		{"another app", "android-app://com.example.reader/", event.Referrer{Medium: Unknown, Source: "com.example.reader"}},
		{"an IP address is nobody's business", "http://203.0.113.7:8080/", event.Referrer{Medium: Unknown}},
		{"an IPv6 address neither", "http://[2001:db8::1]/", event.Referrer{Medium: Unknown}},
		{"a name whose last label is a number", "https://shop.10/", event.Referrer{Medium: Unknown}},
		{"no URL", "about:blank", event.Referrer{Medium: Unknown}},
		{"a host that is none", "https://jane doe/", event.Referrer{Medium: Unknown}},
		{"a host longer than DNS has", "https://" + strings.Repeat("a", 254) + "/", event.Referrer{Medium: Unknown}},
		{"the longest host", "https://" + strings.Repeat("a", 253), event.Referrer{Medium: Unknown, Source: strings.Repeat("a", 253)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ReferrerOf(page, c.referrer); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAReferrerNeedsNoPage(t *testing.T) {
	for _, page := range []string{"", "/products/1", "about:blank", "https://203.0.113.7/"} {
		if got, want := ReferrerOf(page, "https://www.bing.com/"), (event.Referrer{Medium: Search, Source: "Bing"}); got != want {
			t.Errorf("from page %q: got %+v, want %+v", page, got, want)
		}
	}
}

func TestEveryKnownSiteIsFoundAndListedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range known {
		for domain := range strings.FieldsSeq(k.domains) {
			if seen[domain] {
				t.Errorf("%s is listed twice", domain)
			}
			seen[domain] = true
			host := strings.ReplaceAll(domain, "*", "com")
			if got, want := ReferrerOf("", "https://www."+host+"/path"), (event.Referrer{Medium: k.medium, Source: k.source}); got != want {
				t.Errorf("%s: got %+v, want %+v", domain, got, want)
			}
		}
	}
}

func FuzzReferrerOf(f *testing.F) {
	for _, referrer := range []string{"", "https://www.google.co.uk/", "://", "a://@:", "https://a..b/", "x://www.", "https://[::1]/", "\xff://\xff"} {
		f.Add("https://shop.example/", referrer)
	}
	media := map[string]bool{Search: true, Social: true, Email: true, Paid: true, Chatbot: true, Internal: true, Unknown: true}
	f.Fuzz(func(t *testing.T, page, referrer string) {
		got := ReferrerOf(page, referrer)
		if got == (event.Referrer{}) != (referrer == "") || referrer != "" && !media[got.Medium] {
			t.Errorf("%q from %q is %+v", page, referrer, got)
		}
		if len(got.Source) > maxHost || got.Medium == Unknown && strings.ContainsAny(got.Source, "@/?#&=% ") {
			t.Errorf("%q has source %q", referrer, got.Source)
		}
		if other := ReferrerOf(referrer, referrer); hostOf(referrer) != "" && other.Medium != Internal {
			t.Errorf("%q from itself is %+v", referrer, other)
		}
	})
}

func BenchmarkReferrerOf(b *testing.B) {
	for _, c := range []struct{ name, referrer string }{
		{"direct", ""},
		{"internal", "https://www.shop.example/category/shoes?page=2&sort=price"},
		{"search", "https://www.google.co.uk/"},
		{"unknown", "https://www.some.longer.blog.example.com/2026/11/22/the-best-shoes-of-the-year"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ReferrerOf("https://www.shop.example/products/shoes/1234567?color=red&size=42", c.referrer)
			}
		})
	}
}
