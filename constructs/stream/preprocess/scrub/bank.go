package scrub

import "strings"

// issuers are the prefixes of payment cards with their numbers' lengths, as
// ISO/IEC 7812 has them, compared as text.
var issuers = []struct {
	from, to string // both are of one length
	min, max int    // digits
}{
	{"4", "4", 13, 13},           // Visa, old
	{"4", "4", 16, 16},           // Visa
	{"4", "4", 19, 19},           // Visa
	{"51", "55", 16, 16},         // Mastercard
	{"2221", "2720", 16, 16},     // Mastercard
	{"34", "34", 15, 15},         // American Express
	{"37", "37", 15, 15},         // American Express
	{"300", "305", 14, 19},       // Diners Club
	{"3095", "3095", 14, 19},     // Diners Club
	{"36", "36", 14, 19},         // Diners Club
	{"38", "39", 14, 19},         // Diners Club
	{"6011", "6011", 16, 19},     // Discover
	{"644", "649", 16, 19},       // Discover
	{"65", "65", 16, 19},         // Discover
	{"62", "62", 16, 19},         // UnionPay
	{"81", "81", 16, 19},         // UnionPay
	{"35", "35", 16, 19},         // JCB
	{"1800", "1800", 15, 15},     // JCB, old
	{"2131", "2131", 15, 15},     // JCB, old
	{"2200", "2204", 16, 19},     // Mir
	{"9792", "9792", 16, 16},     // Troy
	{"60", "60", 16, 16},         // RuPay, Hipercard
	{"508", "508", 16, 16},       // RuPay
	{"82", "82", 16, 16},         // RuPay
	{"5019", "5019", 16, 16},     // Dankort
	{"0604", "0604", 12, 12},     // Maestro
	{"5018", "5018", 12, 19},     // Maestro
	{"5020", "5020", 12, 19},     // Maestro
	{"5038", "5038", 12, 19},     // Maestro
	{"56", "58", 12, 19},         // Maestro
	{"6304", "6304", 12, 19},     // Maestro
	{"6390", "6390", 12, 19},     // Maestro
	{"67", "67", 12, 19},         // Maestro
	{"504175", "504175", 16, 16}, // Elo
	{"636297", "636297", 16, 16}, // Elo
}

// isCard reports whether digits are a payment card's number.
func isCard(digits string) bool {
	for _, i := range issuers {
		if prefix := digits[:min(len(digits), len(i.from))]; i.min <= len(digits) && len(digits) <= i.max && i.from <= prefix && prefix <= i.to {
			return luhn(digits)
		}
	}
	return false
}

// luhn reports whether the last digit is the check digit of ISO/IEC 7812.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum%10 == 0
}

// isGTIN reports whether digits are the number of an article: EAN-8, UPC,
// EAN-13 or GTIN-14 with its check digit.
func isGTIN(digits string) bool {
	if n := len(digits); n != 8 && (n < 12 || n > 14) {
		return false
	}
	sum := 0
	for i := range len(digits) {
		sum += int(digits[len(digits)-1-i]-'0') * (1 + i%2*2)
	}
	return sum%10 == 0
}

// isISBN10 reports whether ten digits are a book's number.
func isISBN10(digits string) bool {
	if len(digits) != 10 {
		return false
	}
	sum := 0
	for i := range len(digits) {
		sum += int(digits[i]-'0') * (10 - i)
	}
	return sum%11 == 0
}

// ibanLengths holds, by country, how many characters an IBAN has.
var ibanLengths = func() map[string]int {
	byLength := map[int]string{
		15: "NO", 16: "BE", 18: "DK FI FO GL NL SD FK", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
		21: "CH CR HR LI LV", 22: "BG BH DE GB GE IE IM ME RS VA", 23: "AE GI IL IQ OM SO TL",
		24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "AO CV GW LY MZ PT ST", 26: "DZ IR IS TR",
		27: "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD", 28: "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC",
		32: "LC", 33: "RU",
	}
	lengths := map[string]int{}
	for length, countries := range byLength {
		for country := range strings.FieldsSeq(countries) {
			lengths[country] = length
		}
	}
	return lengths
}()

// ibanEnd returns where the IBAN that starts at start ends, 0 if none does.
func ibanEnd(text string, start int) int {
	length := ibanLengths[strings.ToUpper(text[start:start+2])]
	if length == 0 || start > 0 && isAlnum(text[start-1]) {
		return 0
	}
	var iban [34]byte
	end, n := start, 0
	for ; n < length && end < len(text); end++ {
		switch c := text[end]; {
		case isAlnum(c):
			iban[n] = c
			n++
		case c != ' ' && c != '-' || !isAlnum(text[end-1]):
			return 0
		}
	}
	if n < length || end < len(text) && isAlnum(text[end]) || !mod97(iban[:length]) {
		return 0
	}
	return end
}

// mod97 reports whether an IBAN's check digits are right (ISO 7064).
func mod97(iban []byte) bool {
	rest := 0
	for i := range iban {
		c := iban[(i+4)%len(iban)]
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c|0x20-'a') + 10) % 97
		}
	}
	return rest == 1
}
