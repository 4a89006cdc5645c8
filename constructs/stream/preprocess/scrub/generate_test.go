package scrub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Formats of numbers: # is any digit, % one of 1 to 9.
var (
	phoneFormats = map[string][]string{
		"AT": {"+43 664 #######", "0664 #######", "0664 ### ## ##", "+43 1 ### ## ##", "01/### ## ##"},
		"AU": {"+61 4## ### ###", "04## ### ###", "(02) #### ####"},
		"BE": {"+32 47# ## ## ##", "047# ## ## ##", "02 %## ## ##", "047#/##.##.##"},
		"BG": {"+359 88 ### ####", "088 ### ####"},
		"BR": {"+55 11 9####-####", "(11) 9####-####"},
		"CH": {"+41 79 ### ## ##", "079 ### ## ##", "044 ### ## ##", "0041 79 ### ## ##"},
		"CN": {"+86 138 #### ####", "138 #### ####"},
		"CZ": {"+420 60# ### ###", "77# ### ##%", "+420%########"},
		"DE": {"+49 17# #######", "017# #######", "017#/#######", "017#-#######", "030 ######%", "(089) ######%", "0049 17# #######", "+49 (0) 17# #######", "0%1 / ######%", "017########"},
		"DK": {"+45 %# ## ## ##", "+45 %#######"},
		"ES": {"+34 6## ### ###", "6## ### ##%", "6## ## ## ##", "9## ### ##%"},
		"FI": {"+358 4# #######", "04# #######", "04#-#######"},
		"FR": {"+33 6 ## ## ## ##", "06 ## ## ## ##", "06.##.##.##.##", "06-##-##-##-##", "01 %# ## ## ##", "+336########"},
		"GB": {"+44 7### ######", "07### ######", "07### ### ###", "020 #### ####", "(0161) ### ####", "01632 ######", "07#########", "+44 (0)20 #### ####"},
		"GR": {"+30 69# ### ####", "+30 21# #######"},
		"HU": {"+36 30 ### ####", "06 30 ### ####", "06-30/###-####"},
		"IE": {"+353 8# ### ####", "08# ### ####"},
		"IN": {"+91 9#### #####", "+91-9#########"},
		"IT": {"+39 34# ### ####", "34# ### ####", "34# #######", "06 #### ####", "02 ########"},
		"JP": {"+81 90 #### ####", "090-####-####", "03-%###-####"},
		"NL": {"+31 6 ########", "06 ########", "06-########", "06 ## ## ## ##", "020 ### ####"},
		"NO": {"+47 9## ## ###", "+47 %#######"},
		"PL": {"+48 60# ### ###", "60# ### ##%", "60#-###-##%"},
		"PT": {"+351 91# ### ###", "91# ### ##%"},
		"RO": {"+40 72# ### ###", "072# ### ###"},
		"RU": {"+7 916 ###-##-##", "8 (916) ###-##-##", "8 916 ### ## ##"},
		"SE": {"+46 70 ### ## ##", "070-### ## ##", "070 ### ## ##", "08-### ### ##"},
		"SK": {"+421 90# ### ###", "090# ### ###"},
		"TR": {"+90 5## ### ## ##", "05## ### ## ##", "0 5## ### ## ##"},
		"UA": {"+380 %# ### ## ##", "067 ### ## ##"},
		"US": {"+1 %## %## ####", "(%12) %##-####", "%12-%##-####", "%12.%##.####", "1-%12-%##-####"},
	}
	// Where words say so, these are phone numbers, too; alone they are not.
	namedFormats = []string{"%## ####", "%### ####", "%# ### ###", "%## ## ###", "%#-##-##-##", "%#########", "%# ## ## ##", "(%#) ###-###", "01########", "%## ### ####"}
	calls        = []string{"call me on {}", "Phone: {}", "Tel. {}", "my number is {}, thanks", "Rückruf bitte unter {}", "mon téléphone est le {}", "mi teléfono: {}", "{} office", "whatsapp {}", "тел. {}"}
	articles     = []string{
		"%##x###", "%## x ## x ## cm", "%## ## ##", "w## l##", "%##/## r1%", "%##/## r1% ##v", "%.###,## €", "%### €", "%##.##", "%## ### kč", "20## 20##", "%#.%#.20##", "20##-0%-1#",
		"v%.##.#.%", "%#.%.#.%", "sm-a###b", "wh-1000xm%", "a########", "%#####", "%#######", "%########", "art %#########", "ref. 0### ### ###", "order 06########", "#%%.##%.#%",
		"%# %# %# %#", "%### mah", "%###x#### 144hz", "%00 %00 %00", "1%0 200", "ean %###########", "b0%#a#c#d#", "%#-%#-%#", "%##-#", "0 986 4## ###", "%## %## ## cm", "+%.##", "-%,## +%,##", "%#°%#'%#", "%:##:##", "%###.%###", "48.######, 11.######",
	}
)

func generate(r *rand.Rand, format string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case '#':
			return '0' + r.Int32N(10)
		case '%':
			return '1' + r.Int32N(9)
		}
		return c
	}, format)
}

// A rate is how often something held.
type rate struct{ n, ok int }

func (r *rate) add(ok bool) {
	r.n++
	if ok {
		r.ok++
	}
}

func (r *rate) atLeast(t *testing.T, want float64, of string) {
	t.Helper()
	if got := float64(r.ok) / float64(r.n); got < want {
		t.Errorf("%s: %.3f (%d of %d), want at least %.3f", of, got, r.ok, r.n, want)
	}
}

func TestFindsPhoneFormatsOfManyCountries(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const each = 200
	for _, country := range slices.Sorted(maps.Keys(phoneFormats)) {
		for _, format := range phoneFormats[country] {
			var alone, named rate
			for range each {
				number := strings.ReplaceAll(generate(r, strings.ReplaceAll(format, "%12", "~")), "~", fmt.Sprint(212+r.IntN(700)))
				alone.add(Text(number) == "[phone]")
				call := calls[r.IntN(len(calls))]
				named.add(Text(strings.Replace(call, "{}", number, 1)) == strings.Replace(call, "{}", "[phone]", 1))
			}
			alone.atLeast(t, 0.88, country+" "+format+" alone")
			named.atLeast(t, 0.97, country+" "+format+" named")
		}
	}
	for _, format := range namedFormats {
		var named rate
		for range each {
			call := calls[r.IntN(len(calls))]
			named.add(strings.Contains(Text(strings.Replace(call, "{}", generate(r, format), 1)), "[phone]"))
		}
		named.atLeast(t, 0.97, format+" named")
	}
}

func TestLeavesGeneratedArticlesAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, format := range articles {
		var same rate
		for range 2000 {
			text := "schuhe " + generate(r, format)
			same.add(Text(text) == text)
		}
		same.atLeast(t, 0.999, format)
	}
	var same rate
	for range 20000 {
		digits := generate(r, "############")
		for check := range 10 {
			if ean := digits + fmt.Sprint(check); isGTIN(ean) {
				same.add(Text(ean) == ean)
			}
		}
	}
	same.atLeast(t, 1, "EAN-13")
}

func TestFindsGeneratedCardsAndIBANs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, format := range []string{
		"4###############", "4### #### #### ####", "5%##-####-####-####", "37## ###### #####", "6011############", "36############", "35##############", "4##################", "62##############",
	} {
		var found rate
		for found.n < 200 {
			card := generate(r, strings.Replace(format, "5%", fmt.Sprint(51+r.IntN(5)), 1))
			if luhn(strings.NewReplacer(" ", "", "-", "").Replace(card)) {
				found.add(Text("karte "+card+" weg") == "karte [card] weg")
			}
		}
		found.atLeast(t, 1, format)
	}
	for _, country := range slices.Sorted(maps.Keys(ibanLengths)) {
		bban := generate(r, strings.Repeat("#", ibanLengths[country]-4))
		for check := range 97 {
			iban := fmt.Sprintf("%s%02d%s", country, check+2, bban)
			if mod97([]byte(iban)) && Text(iban) != "[iban]" {
				t.Errorf("%s becomes %s", iban, Text(iban))
			}
		}
	}
}

// TestWhatIsCleanStaysClean puts pieces together at random: no replacement may
// make a neighbour a match.
func TestWhatIsCleanStaysClean(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	pieces := append([]string{
		" ", "  ", "-", ".", "/", ", ", "\n", "(", ")", "+", "@", "a", "x", "call", "phone", "my number is", "office", "[", "]", "[phone]", "1", "12", "2019", "0", "00",
		":", "::", "'", "\"", "é", "\u200b", "%40", "%", "４", "order", "#", "ext. 5", "version", "ip", "DE89", "b.co", "card", "?", "=", "&", "q=", ";", "http://",
		"anna@example.com", "DE89370400440532013000", "4111 1111 1111 1111", "203.0.113.77", "2001:db8::8a2e:370:7334", "4006381333931",
	}, namedFormats...)
	for _, country := range slices.Sorted(maps.Keys(phoneFormats)) {
		pieces = append(pieces, phoneFormats[country]...)
	}
	for range 10_000 {
		var text strings.Builder
		for range 2 + r.IntN(9) {
			text.WriteString(generate(r, pieces[r.IntN(len(pieces))]))
			if r.IntN(3) == 0 {
				text.WriteByte(' ')
			}
		}
		check(t, text.String())
	}
}
