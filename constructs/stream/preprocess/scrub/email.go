package scrub

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxQuoted bounds a quoted name, which may hold anything.
const maxQuoted = 64

// findEmails returns the addresses in text. It looks at each byte twice at
// most: neither a name nor a domain goes beyond another @.
func findEmails(text string) []Match {
	var matches []Match
	last := 0 // end of the last match
	for at := 0; ; at++ {
		next := strings.IndexByte(text[at:], '@')
		if next < 0 {
			return matches
		}
		at += next
		start, end := last+nameStart(text[last:at]), domainEnd(text, at+1)
		if start < at && end > at+1 && !isImage(text[start:end]) {
			matches = append(matches, Match{Email, start, end})
			last = end
		}
	}
}

// nameStart returns where the name before an @ starts in the text before it, the
// text's length if there is none.
func nameStart(text string) int {
	if quoted, ok := strings.CutSuffix(text, `"`); ok {
		line := quoted[max(0, len(quoted)-maxQuoted):]
		if open := strings.LastIndexAny(line, "\"\n[]@"); open >= 0 && line[open] == '"' {
			return len(quoted) - len(line) + open
		}
		return len(text)
	}
	start := len(text)
	for start > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:start])
		if !isWord(r) && (r >= utf8.RuneSelf || !strings.ContainsRune(inName, r)) {
			break
		}
		start -= size
	}
	return len(text) - len(strings.TrimLeft(text[start:], inName))
}

// inName is the punctuation that a name may hold, but not begin with: what is
// common, and breaks no URL or list.
const inName = ".+-_%'&!#$*~^"

// domainEnd returns where the domain after the @ ends, its start if there is
// none: two labels or more, of which the last has letters alone.
func domainEnd(text string, start int) int {
	if strings.HasPrefix(text[start:], "[") { // an address in place of a name
		literal := text[start:min(len(text), start+len("[IPv6:]")+maxIPv6)]
		if end := strings.IndexByte(literal, ']'); end > 0 && parseAddr(strings.TrimPrefix(literal[1:end], "IPv6:")).IsValid() {
			return start + end + 1
		}
		return start
	}
	end, label, labels := start, start, 0 // end of what is a domain so far
	for i := start; i <= len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if i < len(text) && (isWord(r) || r == '-') {
			i += size
			continue
		}
		name := text[label:i]
		if name == "" || name[0] == '-' {
			break
		}
		labels++
		if trimmed := strings.TrimRight(name, "-"); labels > 1 && isTopLevel(trimmed) {
			end = label + len(trimmed)
		}
		if r != '.' || strings.HasSuffix(name, "-") {
			break
		}
		i += size
		label = i
	}
	return end
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r))
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r))
}

// isTopLevel reports whether a label may end a domain: com, рф, xn--p1ai.
func isTopLevel(label string) bool {
	if len(label) > len("xn--") && strings.EqualFold(label[:len("xn--")], "xn--") {
		return true
	}
	return utf8.RuneCountInString(label) >= 2 && !strings.ContainsFunc(label, func(r rune) bool {
		return r == '-' || unicode.IsNumber(r)
	})
}

// isImage reports whether an address is the name of a picture for fine screens:
// logo@2x.png.
func isImage(address string) bool {
	_, domain, _ := strings.Cut(address, "@")
	return len(domain) > 3 && isDigit(domain[0]) && domain[1]|0x20 == 'x' && domain[2] == '.'
}
