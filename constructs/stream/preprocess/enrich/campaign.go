package enrich

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shopstream/shopstream/constructs/event"
)

// MaxValue is how many bytes of a campaign's value are kept.
const MaxValue = 256

// CampaignOf returns what the utm_ parameters in pageURL's query say; of a
// parameter that occurs twice, the first that isn't empty. The values are
// free text, and utm_term is often what somebody searched for: the caller
// scrubs them of personal data.
func CampaignOf(pageURL string) event.Campaign {
	var c event.Campaign
	if !strings.Contains(pageURL, "utm_") {
		return c
	}
	pageURL, _, _ = strings.Cut(pageURL, "#")
	_, query, _ := strings.Cut(pageURL, "?")
	for query != "" {
		var parameter string
		parameter, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(parameter, "=")
		if field := campaignField(&c, name); field != nil && *field == "" {
			*field = decode(value)
		}
	}
	return c
}

func campaignField(c *event.Campaign, parameter string) *string {
	switch parameter {
	case "utm_source":
		return &c.Source
	case "utm_medium":
		return &c.Medium
	case "utm_campaign":
		return &c.Name
	case "utm_term":
		return &c.Term
	case "utm_content":
		return &c.Content
	}
	return nil
}

// decode returns a query's value as text: valid UTF-8 without control
// characters or space around it. What isn't an escape stays as it is.
func decode(value string) string {
	if strings.ContainsAny(value, "%+") {
		value = unescape(value)
	}
	value = strings.ToValidUTF8(value, "")
	value = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, value)
	return cut(strings.TrimSpace(value))
}

func unescape(value string) string {
	text := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '+':
			text = append(text, ' ')
		case c == '%' && i+2 < len(value) && hex(value[i+1]) >= 0 && hex(value[i+2]) >= 0:
			text = append(text, byte(hex(value[i+1])<<4|hex(value[i+2])))
			i += 2
		default:
			text = append(text, c)
		}
	}
	return string(text)
}

// hex returns a hexadecimal digit's value, or -1.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// cut shortens text to MaxValue bytes without splitting a character.
func cut(text string) string {
	if len(text) <= MaxValue {
		return text
	}
	end := MaxValue
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.TrimSpace(text[:end])
}
