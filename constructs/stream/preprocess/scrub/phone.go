package scrub

import (
	"slices"
	"strconv"
	"strings"
)

// libphonenumber was measured for this and left out: it takes 9 µs to check a
// number in one region, adds 7.5 MB, and refuses numbers that people write.

// findPhones appends the phone numbers in a run: the whole of it, or else the
// longest pieces between spaces that need no words around to be one.
func (r *run) findPhones(matches []Match) []Match {
	digits := 0
	for _, g := range r.groups {
		digits += g.end - g.start
	}
	if digits < 7 {
		return matches
	}
	if digits >= 13 && !r.plus && r.text[r.groups[0].start] != '0' && len(r.groups) > 1 && isGTIN(r.digits(r.groups)) {
		return matches // 4 006381 333931
	}
	groups := r.groups
	for len(groups) > 1 && r.gluedBefore(groups[0].start) == glued {
		groups = groups[1:]
	}
	for len(groups) > 1 && r.gluedAfter(groups[len(groups)-1].end) == glued {
		groups = groups[:len(groups)-1]
	}
	if len(groups) <= maxGroups && r.isPhone(groups, true) {
		return append(matches, r.phone(groups))
	}
	for from := 0; from < len(groups); from++ {
		if from > 0 && !strings.Contains(groups[from].separator, " ") {
			continue
		}
		for to := min(len(groups), from+maxGroups); to > from; to-- {
			if to < len(groups) && !strings.Contains(groups[to].separator, " ") {
				continue
			}
			if piece := groups[from:to]; r.stands(piece) && r.isPhone(piece, false) {
				matches = append(matches, r.phone(piece))
				from = to - 1
				break
			}
		}
	}
	return matches
}

// stands reports whether a piece of a run can be a number of its own: it has a
// prefix, or no space inside.
func (r *run) stands(piece []group) bool {
	first := piece[0]
	return len(piece) == 1 || r.text[first.start] == '0' || first.start == r.groups[0].start && r.plus ||
		first.start > 0 && r.text[first.start-1] == '(' || !strings.Contains(piece[1].separator, " ")
}

// phone returns the match of groups with what belongs to them: the plus or
// parenthesis before, the extension after.
func (r *run) phone(groups []group) Match {
	start, end := groups[0].start, groups[len(groups)-1].end
	if start == r.groups[0].start {
		start = r.start
	} else if strings.HasSuffix(groups[0].separator, "(") {
		start--
	}
	return Match{Phone, start, extension(r.text, end)}
}

// extension returns the end of the extension that follows a number's end, or
// the end itself: x12, ext. 12.
func extension(text string, end int) int {
	i := end
	if i < len(text) && text[i] == ' ' {
		i++
	}
	switch rest := text[i:min(len(text), i+5)]; {
	case len(rest) >= 3 && strings.EqualFold(rest[:3], "ext"):
		i += 3
		for i < len(text) && (text[i] == '.' || text[i] == ' ') && i < end+7 {
			i++
		}
	case len(rest) >= 1 && rest[0]|0x20 == 'x':
		i++
	default:
		return end
	}
	digits := i
	for i < len(text) && i < digits+7 && isDigit(text[i]) {
		i++
	}
	if i == digits || i == digits+7 || i < len(text) && isAlnum(text[i]) {
		return end
	}
	return i
}

// How a number hangs together with what is beside it.
type joint int

const (
	free   joint = iota
	joined       // by punctuation, as the parts of an article number are
	glued        // a letter
)

func (r *run) gluedBefore(start int) joint {
	if start == r.groups[0].start {
		start = r.start
	}
	switch {
	case start == 0:
		return free
	case isAlnum(r.text[start-1]), r.text[start-1] == '_':
		return glued
	case r.text[start-1] == '#', strings.IndexByte("-./,", r.text[start-1]) >= 0 && start > 1 && isAlnum(r.text[start-2]):
		return joined
	}
	return free
}

func (r *run) gluedAfter(end int) joint {
	end = extension(r.text, end)
	if end == len(r.text) {
		return free
	}
	next := byte(' ')
	if end+1 < len(r.text) {
		next = r.text[end+1]
	}
	switch c := r.text[end]; {
	case isAlnum(c), c == '_', c == '@':
		return glued
	case strings.IndexByte("-./", c) >= 0 && isAlnum(next), c == ',' && isDigit(next) && !r.listed(end+1):
		return joined
	}
	return free
}

// listed reports whether after a comma stands another number rather than
// decimals.
func (r *run) listed(start int) bool {
	end := start
	for end < len(r.text) && end < start+6 && isDigit(r.text[end]) {
		end++
	}
	return end-start > 3
}

// isPhone reports whether groups are a phone number: by themselves, or, for the
// whole of a run, by the words around them.
func (r *run) isPhone(groups []group, whole bool) bool {
	start, end := groups[0].start, groups[len(groups)-1].end
	digits := r.digits(groups)
	if len(digits) < 7 || len(digits) > 17 {
		return false
	}
	before, after := r.gluedBefore(start), r.gluedAfter(end)
	if before == glued || after == glued || isDate(r.text, groups) || isSizes(r.text, groups) {
		return false
	}
	if r.plus && start == r.groups[0].start && isInternational(digits, groups) {
		return true
	}
	named := namedBefore(r.text, r.before(groups))
	if named == anArticle || named == aVersion {
		return false
	}
	if before == free && after == free && (isAbroad(digits, groups) || isNational(r, digits, groups, whole)) {
		return true
	}
	return whole && len(digits) <= 15 && !hasYear(r.text, groups) && !hasPoints(groups) &&
		(named == aPhone && (before == free || r.text[r.before(groups)-1] != '#') || before == free && namedAfter(r.text, end))
}

// before returns where the text before groups ends.
func (r *run) before(groups []group) int {
	if groups[0].start == r.groups[0].start {
		return r.start
	}
	return groups[0].start
}

// isInternational reports whether digits after a plus are a country's code and
// a number.
func isInternational(digits string, groups []group) bool {
	digits = withoutTrunk(digits, groups)
	if len(digits) < 8 || len(digits) > 15 || isCoordinates(groups) {
		return false
	}
	switch digits[:2] {
	case "28", "83", "89": // no country has them
		return false
	}
	switch digits[0] {
	case '0':
		return false
	case '1':
		return len(digits) == 11
	}
	return true
}

// withoutTrunk drops the (0) of +44 (0)20.
func withoutTrunk(digits string, groups []group) string {
	if len(groups) > 2 && groups[1].end-groups[1].start == 1 && strings.HasSuffix(groups[1].separator, "(") {
		code := groups[0].end - groups[0].start
		return digits[:code] + digits[code+1:]
	}
	return digits
}

// isAbroad reports whether digits that begin with 00 are an international
// number.
func isAbroad(digits string, groups []group) bool {
	first := groups[0].end - groups[0].start
	return digits[:2] == "00" && len(digits) >= len("00")+9 && isInternational(digits[2:], groups) && (first <= 5 || first >= 11) && !isGTIN(digits)
}

// isNational reports whether digits are grouped as a country's numbers are.
func isNational(r *run, digits string, groups []group, whole bool) bool {
	first := groups[0].end - groups[0].start
	parenthesis := r.text[max(0, r.before(groups)-1)] == '(' || r.text[r.before(groups)] == '('
	parenthesis = parenthesis && len(groups) > 1 && strings.HasPrefix(groups[1].separator, ")")
	switch {
	case len(groups) == 1:
		return isMobile(digits)
	case len(groups) > 6:
		return false
	case parenthesis:
		return first >= 2 && first <= 5 && len(digits) >= 8 && len(digits) <= 12
	case digits[0] == '0' && first > 1:
		return isTrunk(digits, groups, whole)
	}
	switch lead := digits[0]; shape(groups) {
	case 334: // North America, Italy's mobiles
		return lead >= '2'
	case 1334:
		return lead == '1'
	case 333, 3222: // Spain, Portugal, Poland, Czechia
		return (lead == '6' || lead == '7' || lead == '9') && groups[1].separator != "." && !isRound(digits, groups)
	case 37: // Italy's mobiles
		return lead == '3' && digits[1] >= '2'
	case 344: // China's mobiles
		return lead == '1' && digits[1] >= '3'
	case 3322: // Russia and Turkey
		return lead == '5' || lead == '9'
	case 13322:
		return lead == '0' && digits[1] >= '2' || lead == '8'
	}
	return false
}

// isTrunk reports whether groups that begin with a national prefix of 0 are an
// area's code and a number.
func isTrunk(digits string, groups []group, whole bool) bool {
	first := groups[0].end - groups[0].start
	least, most := 10, 11
	if whole {
		least = 9
	}
	if whole && first >= 4 {
		most = 12
	}
	switch shape(groups) {
	case 324, 54, 2333: // United States: social security number, ZIP code; tools
		return false
	}
	if strings.HasSuffix(digits, "000") || first > 5 || digits[1] == '0' || len(digits) < least || len(digits) > most {
		return false
	}
	for i, g := range groups[1:] {
		if n := g.end - g.start; n < 2 || n > 8 || i > 1 && g.separator != groups[3].separator {
			return false
		}
	}
	return len(groups) > 2 || groups[1].separator != "." // else a number with a point
}

// isMobile reports whether digits without separators are a mobile number that
// is hardly anything else.
func isMobile(digits string) bool {
	if strings.HasSuffix(digits, "000") {
		return false // an article, more likely
	}
	switch len(digits) {
	case 10: // France, the Netherlands, Switzerland, Sweden; Belgium, Australia
		return (digits[:2] == "06" || digits[:2] == "07" || digits[:2] == "04" && digits[2] >= '6') && !isISBN10(digits)
	case 11: // Germany; the United Kingdom; Japan, Korea; Turkey
		switch digits[:3] {
		case "015", "016", "017", "010", "070", "080", "090":
			return true
		}
		return digits[:2] == "07" || digits[:2] == "05" && digits[2] >= '3' && digits[2] <= '5'
	case 12:
		return (digits[:3] == "015" || digits[:3] == "016" || digits[:3] == "017") && !isGTIN(digits)
	}
	return false
}

// isRound reports whether each group ends in 0 or 5, as sizes do.
func isRound(digits string, groups []group) bool {
	at := 0
	for _, g := range groups {
		at += g.end - g.start
		if digits[at-1] != '0' && digits[at-1] != '5' {
			return false
		}
	}
	return true
}

// isSizes reports whether groups are sizes in order: 36 38 40 42.
func isSizes(text string, groups []group) bool {
	last := 0
	for i, g := range groups {
		size, err := strconv.Atoi(text[g.start:g.end])
		if g.end-g.start != 2 || err != nil || i > 0 && (size <= last || size > last+4) {
			return false
		}
		last = size
	}
	return true
}

// hasPoints reports whether some groups are parted by points and others aren't,
// as decimals are.
func hasPoints(groups []group) bool {
	points := 0
	for _, g := range groups {
		if g.separator == "." {
			points++
		}
	}
	return points > 0 && points < len(groups)-1
}

// hasYear reports whether one of several groups is a year of 1900 to 2099.
func hasYear(text string, groups []group) bool {
	return len(groups) > 1 && slices.ContainsFunc(groups, func(g group) bool { return isYear(text[g.start:g.end]) })
}

func isYear(digits string) bool {
	return len(digits) == 4 && (digits[:2] == "19" || digits[:2] == "20")
}

// isDate reports whether groups begin with a date: 2023-01-31 or 31.01.2023.
func isDate(text string, groups []group) bool {
	if len(groups) < 3 || groups[1].separator != groups[2].separator {
		return false
	}
	year := func(g group) bool { return isYear(text[g.start:g.end]) }
	short := func(g group) bool { return g.end-g.start <= 2 && text[g.start] <= '3' }
	return short(groups[1]) && (year(groups[0]) && short(groups[2]) || short(groups[0]) && year(groups[2]))
}

// isCoordinates reports whether groups are one or two decimal numbers:
// 40.7128-074.0060.
func isCoordinates(groups []group) bool {
	switch len(groups) {
	case 2:
		return groups[1].separator == "."
	case 4:
		return groups[1].separator == "." && groups[3].separator == "." && groups[2].separator != "."
	}
	return false
}
