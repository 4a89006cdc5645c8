package scrub

import (
	"unicode"
	"unicode/utf8"
)

// Classes of bytes, for one pass over text that has nothing to find.
const (
	digit = 1 << iota
	letter
	wide // part of a character beyond ASCII
	mark // @ : . %
)

var class = func() (table [256]uint8) {
	for c := range table {
		switch {
		case c >= utf8.RuneSelf:
			table[c] = wide
		case '0' <= c && c <= '9':
			table[c] = digit
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			table[c] = letter
		case c == '@', c == ':', c == '.', c == '%':
			table[c] = mark
		}
	}
	return table
}()

func isDigit(c byte) bool { return class[c] == digit }
func isAlnum(c byte) bool { return class[c]&(digit|letter) != 0 }

// suspicious reports whether text has what the shortest match needs: an @ or a
// percent escape, the digits of a phone number, the colons of an IPv6 address,
// the digits and dots of an IPv4 address.
func suspicious(text string) bool {
	var digits, colons, dots int
	for i := 0; i < len(text); {
		c, size := rune(text[i]), 1
		switch class[text[i]] {
		case 0, letter:
			i++
			continue
		case wide:
			if c, size = utf8.DecodeRuneInString(text[i:]); c != utf8.RuneError {
				c, _ = plain(c)
			}
		}
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c == ':':
			colons++
		case c == '.':
			dots++
		case c == '@':
			return true
		case c == '%':
			if _, ok := unescape(text[i:]); ok {
				return true
			}
		}
		i += size
	}
	return digits >= 7 || colons >= 2 || digits >= 4 && dots >= 3
}

// fold returns text as it is read, and where in text each of its bytes, and its
// end, begins; nil if text is read as it stands.
func fold(text string) (string, []int) {
	if readsAsIs(text) {
		return text, nil
	}
	folded := make([]byte, 0, len(text))
	begins := make([]int, 0, len(text)+1)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		before, seen := len(folded), true
		switch {
		case r == utf8.RuneError && size == 1:
			folded = append(folded, text[i])
			seen = false
		case r == '%':
			if c, ok := unescape(text[i:]); ok {
				r, size = rune(c), len("%40")
			}
		case r >= utf8.RuneSelf:
			r, seen = plain(r)
		}
		if seen {
			folded = utf8.AppendRune(folded, r)
		}
		for range len(folded) - before {
			begins = append(begins, i)
		}
		i += size
	}
	return string(folded), append(begins, len(text))
}

func readsAsIs(text string) bool {
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			if text[i] == '%' {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if p, seen := plain(r); p != r || !seen {
			return false
		}
		i += size
	}
	return true
}

// plain returns the ASCII character that r, which is beyond ASCII, is read as,
// or r itself, and false if nobody sees it.
func plain(r rune) (rune, bool) {
	switch {
	case 0xC0 <= r && r < 0x34F, 0x370 <= r && r < 0x600, 0x3041 <= r && r < 0xA500, 0xAC00 <= r && r < 0xD7B0:
		return r, true // most of the world's letters
	case 0xFF01 <= r && r <= 0xFF5E: // full-width ASCII
		return r - 0xFEE0, true
	case r == 0x34F, unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return 0, false
	case unicode.Is(unicode.Pd, r), r == 0x2212:
		return '-', true
	case r == 0x2024:
		return '.', true
	case r == 0xFE6B:
		return '@', true
	case unicode.Is(unicode.Zs, r):
		return ' ', true
	case unicode.Is(unicode.Nd, r):
		return digitOf(r), true
	}
	return r, true
}

// digitOf returns the digit that r, of category Nd, stands for: these come in
// rows of ten, from zero, and ranges of the table are whole rows.
func digitOf(r rune) rune {
	for _, row := range unicode.Nd.R16 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return '0' + (r-rune(row.Lo))%10
		}
	}
	for _, row := range unicode.Nd.R32 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return '0' + (r-rune(row.Lo))%10
		}
	}
	return r
}

// unescape returns the printable ASCII character of the percent escape that
// text begins with.
func unescape(text string) (byte, bool) {
	if len(text) < len("%40") {
		return 0, false
	}
	high, low := hex(text[1]), hex(text[2])
	c := byte(high<<4 | low)
	return c, high >= 0 && low >= 0 && ' ' <= c && c <= '~'
}

// hex returns the value of a hexadecimal digit, -1 for another byte.
func hex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
