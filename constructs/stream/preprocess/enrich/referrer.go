package enrich

import (
	"strings"

	"github.com/shopstream/shopstream/constructs/event"
)

const maxHost = 253 // bytes of a host's name in DNS

// ReferrerOf returns where the shopper came from to the page at pageURL. A
// referrer on the page's own host, or on one above or below it, is internal:
// shop.example and checkout.shop.example are one site, two neighbours below
// shop.example are not.
func ReferrerOf(pageURL, referrer string) event.Referrer {
	if referrer == "" {
		return event.Referrer{}
	}
	from := hostOf(referrer)
	if from == "" {
		return event.Referrer{Medium: Unknown}
	}
	if page := hostOf(pageURL); page != "" && (below(from, page) || below(page, from)) {
		return event.Referrer{Medium: Internal}
	}
	if site, ok := siteOf(from); ok {
		return site
	}
	return event.Referrer{Medium: Unknown, Source: from}
}

// siteOf finds the longest domain of host that is known.
func siteOf(host string) (event.Referrer, bool) {
	for domain := host; ; {
		if site, ok := sites[domain]; ok {
			return site, true
		}
		label, rest, dot := strings.Cut(domain, ".")
		if !dot {
			return event.Referrer{}, false
		}
		if endsBrand(rest) {
			if site, ok := brands[label]; ok {
				return site, true
			}
		}
		domain = rest
	}
}

// endsBrand says whether a brand registers itself under such a domain: com, a
// country's, or co and com below a country's. Anybody may register google.zip.
func endsBrand(domain string) bool {
	if below, country, dot := strings.Cut(domain, "."); dot {
		return len(country) == 2 && (below == "co" || below == "com")
	}
	return len(domain) == 2 || domain == "com"
}

// below says whether host is site or lies below it.
func below(host, site string) bool {
	return strings.HasSuffix(host, site) && (len(host) == len(site) || host[len(host)-len(site)-1] == '.')
}

// hostOf returns the host of an absolute URL, in lower case and without www,
// user and port, or nothing where there is no name for a host.
func hostOf(url string) string {
	colon := strings.IndexByte(url, ':')
	if colon < 0 || !strings.HasPrefix(url[colon:], "://") {
		return ""
	}
	host := authority(url[colon+len("://"):])
	host = host[strings.LastIndexByte(host, '@')+1:]
	host, _, _ = strings.Cut(host, ":")
	host = strings.TrimSuffix(host, ".")
	if len(host) > maxHost || !isName(host) {
		return ""
	}
	return strings.TrimPrefix(strings.ToLower(host), "www.")
}

// authority returns what stands before the path of a URL without its scheme.
func authority(url string) string {
	for i := range len(url) {
		switch url[i] {
		case '/', '?', '#', '\\':
			return url[:i]
		}
	}
	return url
}

// isName says whether host is a name as DNS has them, its last label no number.
func isName(host string) bool {
	letter := false // in the last label
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			letter = true
		case c == '.':
			letter = false
		case '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return letter
}
