package event

import (
	"encoding/binary"
	"math/bits"
)

// The functions below step over JSON in one pass and copy nothing: they are
// most of what a batch costs, but for its compression. Each returns where what
// begins at at ends, or nowhere where that is no JSON. They take what the JSON
// library takes with lenient, to which fuzzing holds them.
const nowhere = -1

// space is where something other than white space follows.
func space(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\r' || b[at] == '\t') {
		at++
	}
	return at
}

// byteAt is the byte at at, or 0 behind the end.
func byteAt(b []byte, at int) byte {
	if uint(at) < uint(len(b)) {
		return b[at]
	}
	return 0
}

// skip steps over a value that nests at most room deep.
func skip(b []byte, at, room int) int {
	switch byteAt(b, at) {
	case '"':
		return skipText(b, at)
	case '{':
		return skipObject(b, at, room)
	case '[':
		return skipList(b, at, room)
	case 't':
		return skipWord(b, at, "true")
	case 'f':
		return skipWord(b, at, "false")
	case 'n':
		return skipWord(b, at, "null")
	}
	return skipNumber(b, at)
}

func skipObject(b []byte, at, room int) int {
	if at = space(b, at+1); byteAt(b, at) == '}' && room > 0 {
		return at + 1
	}
	for room > 0 {
		if at = skipColon(b, skipText(b, at)); at == nowhere {
			return nowhere
		}
		if at = skip(b, at, room-1); at == nowhere {
			return nowhere
		}
		switch at = space(b, at); byteAt(b, at) {
		case ',':
			at = space(b, at+1)
		case '}':
			return at + 1
		default:
			return nowhere
		}
	}
	return nowhere
}

// skipColon steps over the colon behind a name and the white space about it.
func skipColon(b []byte, at int) int {
	if at == nowhere {
		return nowhere
	}
	if at = space(b, at); byteAt(b, at) != ':' {
		return nowhere
	}
	return space(b, at+1)
}

func skipList(b []byte, at, room int) int {
	if at = space(b, at+1); byteAt(b, at) == ']' && room > 0 {
		return at + 1
	}
	for room > 0 {
		if at = skip(b, at, room-1); at == nowhere {
			return nowhere
		}
		switch at = space(b, at); byteAt(b, at) {
		case ',':
			at = space(b, at+1)
		case ']':
			return at + 1
		default:
			return nowhere
		}
	}
	return nowhere
}

// Each byte of a word of eight.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// skipText looks at eight bytes at once. Bad UTF-8 passes.
func skipText(b []byte, at int) int {
	if byteAt(b, at) != '"' {
		return nowhere
	}
	for at++; ; {
		for at+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[at:])
			quote, slash := w^ones*'"', w^ones*'\\'
			// The lowest high bit of these is that of the first byte which is no
			// plain character; those above it may be wrong.
			found := (w - ones*' ') & ^w & highs
			found |= (quote - ones) & ^quote & highs
			found |= (slash - ones) & ^slash & highs
			if found != 0 {
				at += bits.TrailingZeros64(found) / 8
				break
			}
			at += 8
		}
		for at < len(b) && b[at] >= ' ' && b[at] != '"' && b[at] != '\\' { // the last bytes of b
			at++
		}
		switch byteAt(b, at) {
		case '"':
			return at + 1
		case '\\':
			if at = skipEscape(b, at); at == nowhere {
				return nowhere
			}
		default:
			return nowhere
		}
	}
}

func skipEscape(b []byte, at int) int {
	switch byteAt(b, at+1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at + 2
	case 'u':
		for i := at + 2; i < at+6; i++ {
			switch c := byteAt(b, i) | 0x20; { // in lower case
			case '0' <= c && c <= '9' && b[i] == c, 'a' <= c && c <= 'f':
			default:
				return nowhere
			}
		}
		return at + 6
	}
	return nowhere
}

func skipWord(b []byte, at int, word string) int {
	if end := at + len(word); end <= len(b) && string(b[at:end]) == word {
		return end
	}
	return nowhere
}

func skipNumber(b []byte, at int) int {
	if byteAt(b, at) == '-' {
		at++
	}
	if byteAt(b, at) == '0' {
		at++
	} else if at = skipDigits(b, at); at == nowhere {
		return nowhere
	}
	if byteAt(b, at) == '.' {
		if at = skipDigits(b, at+1); at == nowhere {
			return nowhere
		}
	}
	if c := byteAt(b, at); c == 'e' || c == 'E' {
		if c := byteAt(b, at+1); c == '+' || c == '-' {
			at++
		}
		return skipDigits(b, at+1)
	}
	return at
}

// skipDigits steps over at least one digit.
func skipDigits(b []byte, at int) int {
	begin := at
	for c := byteAt(b, at); '0' <= c && c <= '9'; c = byteAt(b, at) {
		at++
	}
	if at == begin {
		return nowhere
	}
	return at
}
