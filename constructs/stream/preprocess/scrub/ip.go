package scrub

import (
	"net/netip"
	"strings"
)

const maxIPv6 = 45 // bytes, with an IPv4 address as its end

func parseAddr(s string) netip.Addr {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// findIPv6 returns the IPv6 addresses in text.
func findIPv6(text string) []Match {
	var matches []Match
	for i := 0; i < len(text); {
		next := strings.IndexByte(text[i:], ':')
		if next < 0 {
			break
		}
		start, end := i+next, i+next
		for start > i && hex(text[start-1]) >= 0 {
			start--
		}
		for end < len(text) && (hex(text[end]) >= 0 || text[end] == ':' || text[end] == '.') {
			end++
		}
		i = end
		glued := start > 0 && isAlnum(text[start-1]) || end < len(text) && isAlnum(text[end])
		address := strings.TrimRight(text[start:end], ".")
		if !strings.HasSuffix(address, "::") {
			address = strings.TrimSuffix(address, ":")
		}
		if !glued && len(address) <= maxIPv6 && isIPv6(address) {
			matches = append(matches, Match{IP, start, start + len(address)})
		}
	}
	return matches
}

// isIPv6 leaves out what only looks like an address: times, hardware addresses,
// C++ names.
func isIPv6(address string) bool {
	addr := parseAddr(address)
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsLoopback() {
		return false
	}
	switch first := addr.As16()[0]; {
	case addr.Is4In6(), first&0xE0 == 0x20, first&0xFE == 0xFC, first == 0xFE: // global, local
		return true
	}
	return !strings.Contains(address, "::") && len(address) > len("01:02:03:04:05:06:07:08")
}

// isIPv4 reports whether four groups of digits joined by dots are an address
// rather than a version.
func isIPv4(text string, groups []group) bool {
	start, end := groups[0].start, groups[3].end
	address := text[start:end]
	if addr := parseAddr(address); !addr.IsValid() || address[0] == '0' {
		return false
	}
	switch namedBefore(text, start) {
	case aVersion:
		return false
	case anAddress:
		return true
	}
	return len(address) >= len("1.2.3.4")+3
}
