package scrub

import "strings"

// A group is digits that stand together in a run.
type group struct {
	start, end int
	separator  string // before it, if it isn't the first
}

// A run is groups of digits with only separators between them.
type run struct {
	text       string
	groups     []group
	start, end int  // with a plus or parenthesis
	plus       bool // before the first group
}

// maxGroups bounds the groups of a card or phone number.
const maxGroups = 8

// findNumbers returns the IBANs, cards, IPv4 addresses and phone numbers in
// text.
func findNumbers(text string) []Match {
	var matches []Match
	var groups []group // reused
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		if i >= 2 && class[text[i-1]]&class[text[i-2]] == letter {
			if end := ibanEnd(text, i-2); end > 0 {
				matches = append(matches, Match{IBAN, i - 2, end})
				i = end
				continue
			}
		}
		if end, enough := survey(text, i); !enough {
			i = end
			continue
		}
		r := readRun(text, i, groups[:0])
		groups = r.groups
		i = r.end
		before := len(matches)
		if matches = r.findCards(matches); len(matches) == before {
			matches = r.findIPv4(matches)
		}
		if len(matches) == before {
			matches = r.findPhones(matches)
		}
		if len(matches) > before {
			i = max(i, matches[len(matches)-1].End) // an extension is beyond the run
		}
	}
	return matches
}

// survey returns where the digits and separators from i on end, and whether they
// are enough for a match.
func survey(text string, i int) (end int, enough bool) {
	digits, dots := 0, 0
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case isDigit(c):
			digits++
		case c == '.':
			dots++
		case strings.IndexByte(" -/()", c) < 0:
			return i, digits >= 7 || digits >= 4 && dots >= 3
		}
		if digits >= 7 {
			return i, true
		}
	}
	return i, digits >= 4 && dots >= 3
}

// readRun reads the run whose first digit is at i.
func readRun(text string, i int, groups []group) run {
	r := run{text: text}
	r.start, r.plus = opening(text, i)
	for separator := ""; ; {
		end := i
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		groups = append(groups, group{i, end, separator})
		i = end
		for i < len(text) && i < end+3 && strings.IndexByte(" -./()", text[i]) >= 0 {
			i++
		}
		separator = text[end:i]
		if i == len(text) || !isDigit(text[i]) || !separates(separator, len(groups)) {
			r.end, r.groups = end, groups
			if text[r.start] == '(' && strings.IndexByte(text[r.start:end], ')') < 0 {
				r.start++ // it opens more than the area code
			}
			return r
		}
	}
}

// opening returns where the number whose first digit is at i starts, and
// whether it has a plus: (0, +4, +(4, (+4, + 4.
func opening(text string, i int) (start int, plus bool) {
	start = i
	if start > 0 && text[start-1] == '(' {
		start--
	}
	sign := start - 1
	if sign >= 0 && text[sign] == ' ' {
		sign--
	}
	if sign < 0 || text[sign] != '+' || sign > 0 && isAlnum(text[sign-1]) {
		return start, false
	}
	if sign > 0 && text[sign-1] == '(' {
		return sign - 1, true
	}
	return sign, true
}

// separates reports whether separator can stand inside a number, after groups
// of its groups. A slash does after the area code: 030 / 12345, 06-30/12345.
func separates(separator string, groups int) bool {
	switch separator {
	case " ", "  ", "-", " - ", ".", "(", ")", " (", ") ", ")-", "-(", ").", ".(", ")(", ") (":
		return true
	case "/", " / ", "/ ", ")/", ") / ":
		return groups <= 2
	}
	return false
}

// digits returns the digits of groups, no more than one beyond the longest
// number.
func (r *run) digits(groups []group) string {
	if len(groups) == 1 {
		return r.text[groups[0].start:groups[0].end]
	}
	var buffer [20]byte
	digits := buffer[:0]
	for _, g := range groups {
		digits = append(digits, r.text[g.start:min(g.end, g.start+cap(digits)-len(digits))]...)
	}
	return string(digits)
}

// shape returns how many digits each group has as a decimal: 3-3-4 is 334, and
// 9 is 9 or more.
func shape(groups []group) int {
	shape := 0
	for _, g := range groups {
		shape = shape*10 + min(g.end-g.start, 9)
	}
	return shape
}

// findCards appends the cards in a run: digits together, or grouped as on a
// card.
func (r *run) findCards(matches []Match) []Match {
	for from := 0; from < len(r.groups); from++ {
		for to := min(len(r.groups), from+maxGroups); to > from; to-- {
			groups := r.groups[from:to]
			if !r.apart(groups) || !r.isCard(from, to) {
				continue
			}
			matches = append(matches, Match{Card, groups[0].start, groups[len(groups)-1].end})
			from = to - 1
			break
		}
	}
	return matches
}

// isCard reports whether the groups from one to before another are a card, and
// no piece of a longer number.
func (r *run) isCard(from, to int) bool {
	groups := r.groups[from:to]
	if len(groups) == 1 {
		digits := r.digits(groups)
		if !isCard(digits) || len(digits) > 13 {
			return isCard(digits)
		}
		named := namedBefore(r.text, groups[0].start) // short ones look like article numbers
		return named == aCard || named != anArticle && !isGTIN(digits)
	}
	switch shape(groups) {
	case 444, 4441:
		if to < len(r.groups) {
			return false
		}
	case 4444, 44441, 44442, 44443, 465, 464, 88, 664:
	default:
		return false
	}
	before := from - 1
	return (from == 0 || r.groups[before].end-r.groups[before].start != 4) && isCard(r.digits(groups))
}

// apart reports whether groups touch no letter.
func (r *run) apart(groups []group) bool {
	start, end := groups[0].start, groups[len(groups)-1].end
	return (start == 0 || !isAlnum(r.text[start-1])) && (end == len(r.text) || !isAlnum(r.text[end]))
}

// findIPv4 appends the IPv4 addresses in a run.
func (r *run) findIPv4(matches []Match) []Match {
	dotted := func(i int) bool { return 0 < i && i < len(r.groups) && r.groups[i].separator == "." }
	for i := 0; i+4 <= len(r.groups); i++ {
		groups := r.groups[i : i+4]
		if dotted(i) || !dotted(i+1) || !dotted(i+2) || !dotted(i+3) || dotted(i+4) || !r.apart(groups) {
			continue
		}
		if isIPv4(r.text, groups) {
			matches = append(matches, Match{IP, groups[0].start, groups[3].end})
			i += 3
		}
	}
	return matches
}
