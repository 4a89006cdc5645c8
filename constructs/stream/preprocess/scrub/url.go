package scrub

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/shopstream/shopstream/constructs/event"
)

// AllowedParameter reports whether a shop's or a referrer's URL keeps the query
// parameter of this name, in any case.
func AllowedParameter(parameter string) bool { return allowedParameters[strings.ToLower(parameter)] }

var allowedParameters = func() map[string]bool {
	allowed := make(map[string]bool, len(event.URLParameters))
	for _, parameter := range event.URLParameters {
		allowed[parameter] = true
	}
	return allowed
}()

// URL returns raw without what may be personal: user and password, path
// parameters (;jsessionid=…), and every parameter of query and fragment that
// allowed refuses, by its decoded name, or that can't be decoded. What remains,
// path segments and values, is scrubbed as Text does it, after decoding; a
// scrubbed piece is escaped again, so that [email] reads %5Bemail%5D. The host,
// and all that has no match, stays as it is. Of a URL that can't be parsed the
// query and fragment go, and the host is scrubbed, too.
func URL(raw string, allowed func(parameter string) bool) string {
	base, fragment, hasFragment := strings.Cut(raw, "#")
	base, query, _ := strings.Cut(base, "?")
	origin, path := splitOrigin(base)
	out := origin + scrubSegments(path)
	if _, err := url.Parse(out); err != nil {
		return scrubSegments(out) // with the host
	}
	out += parameters("?", query, allowed)
	if !hasFragment {
		return out
	}
	route, query, _ := strings.Cut(fragment, "?")
	if strings.Contains(route, "=") {
		route = parameters("", route, allowed)
	} else {
		route = scrubSegments(route)
	}
	if fragment = route + parameters("?", query, allowed); fragment == "" {
		return out
	}
	return out + "#" + fragment
}

// splitOrigin cuts a URL after scheme and host, without the user and password
// before the host.
func splitOrigin(base string) (origin, path string) {
	path = base
	if scheme, rest, ok := strings.Cut(base, ":"); ok && isScheme(scheme) {
		origin, path = base[:len(scheme)+1], rest
	}
	if !strings.HasPrefix(path, "//") {
		return origin, path
	}
	host := path[len("//"):]
	path = ""
	if slash := strings.IndexByte(host, '/'); slash >= 0 {
		host, path = host[:slash], host[slash:]
	}
	return origin + "//" + host[strings.LastIndexByte(host, '@')+1:], path
}

// isScheme reports whether s can be a URL's scheme, and nothing personal.
func isScheme(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("+-.", s[i]) < 0 {
			return false
		}
	}
	return s != "" && class[s[0]] == letter && !suspicious(s)
}

// scrubSegments scrubs the segments of a path.
func scrubSegments(path string) string {
	if !strings.ContainsAny(path, ";%+") && !suspicious(path) {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if parameter := strings.IndexByte(segment, ';'); parameter >= 0 {
			segment = segment[:max(parameter, 1)] // none is empty: // would start a host
		}
		clean := scrubEscaped(segment, url.PathUnescape, escapeSegment)
		if clean == segment && strings.Contains(segment, "+") { // many write + for a space here, too
			clean = scrubEscaped(segment, unescapePlus, escapeSegment)
		}
		segments[i] = clean
	}
	return strings.Join(segments, "/")
}

var plusAsSpace = regexp.MustCompile(`([\pL\pN.,)])\+`)

// unescapePlus takes a + behind a word for a space: +49+170+1234567 begins
// with one that is meant.
func unescapePlus(segment string) (string, error) {
	text, err := url.PathUnescape(segment)
	return plusAsSpace.ReplaceAllString(text, "$1 "), err
}

// escapeSegment escapes all that could mean something in a URL.
func escapeSegment(segment string) string {
	return strings.ReplaceAll(url.QueryEscape(segment), "+", "%20")
}

// scrubEscaped scrubs what an escaped piece of a URL stands for.
func scrubEscaped(piece string, unescape func(string) (string, error), escape func(string) string) string {
	text, err := unescape(piece)
	if err != nil {
		text = piece
	}
	if clean := Text(text); clean != text {
		return escape(clean)
	}
	return piece
}

// parameters returns the allowed ones of query, scrubbed, after prefix; nothing
// if there are none.
func parameters(prefix, query string, allowed func(string) bool) string {
	var out strings.Builder
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, hasValue := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil || name == "" || !allowed(name) || Text(name) != name {
			continue
		}
		if _, err := url.QueryUnescape(value); err != nil {
			continue
		}
		out.WriteString(prefix + key)
		if hasValue {
			out.WriteString("=" + scrubEscaped(value, url.QueryUnescape, url.QueryEscape))
		}
		prefix = "&"
	}
	return out.String()
}
