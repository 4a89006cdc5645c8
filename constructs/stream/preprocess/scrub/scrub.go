// Package scrub finds personal data in free text, such as what a shopper typed
// into a search box, and replaces each match by its kind. Preprocess runs it on
// free text and URLs before an event leaves for the events stream; ids are
// never given to it, since one id in a dozen passes a card's check digit.
//
// Text is read as people see it: digits of any script count as 0 to 9,
// full-width characters as ASCII, any space or dash as the plain one, percent
// escapes as what they stand for, and zero-width characters not at all. What is
// no match stays byte for byte.
//
// Much in a shop looks alike. These are found:
//
//   - email: a name, @, and a domain of two labels or more.
//   - card: an issuer's prefix and length (12 to 19) and the check digit, with
//     the digits together or grouped as on a card. 12 or 13 digits together
//     that are a valid EAN or UPC, or are named as an article, are no card
//     unless they are named as one.
//   - iban: the country's length and the check digits, spaced or not.
//   - ip: IPv6, and IPv4 of seven digits or more; with fewer, such as 10.2.1.0,
//     it is a version unless named as an address. What is named as a version,
//     or follows a letter such as v, is one.
//   - phone: with + or 00 and a country's code, or grouped as a country groups
//     its numbers, or together with a mobile prefix. Other 7 to 15 digits are
//     one only if words say so ("call me on 467 3395"), and where words name
//     something else ("part no. 0986 424 797") no national number is.
//
// A few numbers are both: 0451 103 300 is a phone in Australia and an oil filter
// everywhere. By themselves they count as phones.
package scrub

import (
	"slices"
	"strings"
)

// Kind says what was found. Text puts it in brackets.
type Kind string

// The kinds of personal data.
const (
	Email Kind = "email"
	Phone Kind = "phone"
	Card  Kind = "card"
	IBAN  Kind = "iban"
	IP    Kind = "ip"
)

// Match is a piece of text that is personal data.
type Match struct {
	Kind       Kind
	Start, End int // bytes
}

// Find returns the matches in text in order; no two overlap. Its time grows
// with the length of text, whatever text is.
func Find(text string) []Match {
	if !suspicious(text) {
		return nil
	}
	folded, at := fold(text)
	matches := search(folded)
	if at != nil {
		for i := range matches {
			matches[i].Start, matches[i].End = at[matches[i].Start], at[matches[i].End]
		}
	}
	return matches
}

// Text returns text with each match replaced by its kind in brackets, such as
// [email]. Where nothing is found it returns text itself and allocates nothing
// unless text has what a match needs: an @, two colons, or seven digits.
func Text(text string) string {
	matches := Find(text)
	if len(matches) == 0 {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	end := 0
	for _, m := range matches {
		out.WriteString(text[end:m.Start])
		out.WriteString("[" + string(m.Kind) + "]")
		end = m.End
	}
	out.WriteString(text[end:])
	return out.String()
}

// maxRounds bounds how often a match may make another one visible.
const maxRounds = 8

// search finds the matches in folded text. What was found is masked and the
// rest searched again, until nothing is found: a replaced text has no matches.
func search(text string) []Match {
	var all []Match
	for range maxRounds {
		found := len(all)
		for _, find := range []func(string) []Match{findEmails, findIPv6, findNumbers} {
			matches := find(text)
			text = mask(text, matches)
			all = append(all, matches...)
		}
		if len(all) == found {
			break
		}
	}
	slices.SortFunc(all, func(a, b Match) int { return a.Start - b.Start })
	return all
}

// mask puts brackets, which no match crosses, where matches are.
func mask(text string, matches []Match) string {
	if len(matches) == 0 {
		return text
	}
	b := []byte(text)
	for _, m := range matches {
		for i := m.Start; i < m.End; i++ {
			b[i] = '['
		}
		b[m.End-1] = ']'
	}
	return string(b)
}
