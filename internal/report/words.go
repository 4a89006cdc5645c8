package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

func number[N int | int64](n N) string { return humanize.Comma(int64(n)) }

// count is a number of things: "1 frame", "2 frames".
func count(n int64, one, many string) string {
	return number(n) + " " + plural(n, one, many)
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// share is a part of a whole in percent, "" where there is no whole.
func share(part, whole int64) string {
	switch percent := 100 * float64(part) / float64(whole); {
	case whole <= 0:
		return ""
	case part > 0 && percent < 0.1:
		return "<0.1%"
	case percent < 10 && part > 0:
		return fmt.Sprintf("%.1f%%", percent)
	default:
		return fmt.Sprintf("%.0f%%", percent)
	}
}

func money(amount float64, currency string) string {
	if currency == "" && amount == 0 {
		return "–"
	}
	return strings.TrimSpace(currency + " " + humanize.FormatFloat("#,###.##", amount))
}

func took(d time.Duration) string {
	if d < time.Minute-50*time.Millisecond {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
}

// shorten keeps the beginning of a text that is too long for its place.
func shorten(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return s
}
