package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNoInputTakesMoreThanLinearTime reads inputs of n and of 8n bytes. The
// least of several times is compared: others work on the machine too.
func TestNoInputTakesMoreThanLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	many := func(one string) func(int) string {
		return func(n int) string { return strings.Repeat(one, n/len(one)) }
	}
	within := func(before, one, after string) func(int) string {
		return func(n int) string { return before + strings.TrimSuffix(many(one)(n), ",") + after }
	}
	numbered := func(before, format, after string) func(int) string {
		return func(n int) string {
			b := []byte(before)
			for i := 0; len(b) < n; i++ {
				if i > 0 {
					b = append(b, ',')
				}
				b = fmt.Appendf(b, format, i)
			}
			return string(b) + after
		}
	}
	for name, input := range map[string]func(n int) string{
		"lists in each other":             many("["),
		"objects in each other":           many(`{"a":`),
		"lists in each other that end":    func(n int) string { return `{"custom":` + many("[")(n/2) + many("]")(n/2) + "}" },
		"brackets in a text":              within(`{"type":"`, `{[`, `"}`),
		"quotes that are escaped":         within(`{"type":"`, `\"`, `"}`),
		"backslashes":                     within(`{"type":"`, `\\`, `"}`),
		"escapes":                         within(`{"page":{"title":"`, `\u00e9`, `"}}`),
		"halves of surrogate pairs":       within(`{"page":{"title":"`, `\ud83d`, `"}}`),
		"an escaped name":                 within(`{"`, `\u0061`, `":1}`),
		"a text without an end":           within(`{"type":"`, `a`, ``),
		"white space":                     within(`{`, " \n", `}`),
		"many names":                      numbered(`{"custom":{`, `"k%d":1`, `}}`),
		"many names of texts":             numbered(`{"custom":{`, `"k%d":"x"`, `}}`),
		"many unknown names":              numbered(`{`, `"k%d":1`, `}`),
		"a name many times":               within(`{`, `"seq":1,`, `}`),
		"an unknown name many times":      within(`{`, `"a":1,`, `}`),
		"many visitors":                   within(`{`, `"visitor_id":"v",`, `}`),
		"many consents":                   within(`{`, `"consent":{"state":"granted"},`, `}`),
		"many items":                      within(`{"items":[`, `{},`, `]}`),
		"many items that are none":        within(`{"items":[`, `1,`, `]}`),
		"a long whole number":             within(`{"seq":`, `9`, `}`),
		"a long price":                    within(`{"items":[{"price":0.`, `0`, `1}]}`),
		"a long exponent":                 within(`{"custom":{"a":1e`, `9`, `}}`),
		"a long number without an end":    within(`{"custom":{"a":1`, `0`, ``),
		"a long id":                       within(`{"event_id":"`, `0`, `"}`),
		"a long time":                     within(`{"client_ts":"2026-03-02T12:00:00.`, `0`, `Z"}`),
		"a long type":                     within(`{"type":"`, `a`, `"}`),
		"a long currency":                 within(`{"order":{"currency":"`, `A`, `"}}`),
		"a long unknown name":             within(`{"`, `a`, `":1}`),
		"bytes that are no text":          many("\xff"),
		"texts of many bytes a character": within(`{"search":{"search_term":"`, `😀`, `"}}`),
	} {
		for what, read := range map[string]func([]byte){
			"an event":            func(b []byte) { _, _ = Unmarshal(b, noon) },
			"a batch":             func(b []byte) { _, _, _ = UnmarshalBatch(b) },
			"an event of a batch": func(b []byte) { _, _, _ = UnmarshalBatch(withEvent(string(b))) },
		} {
			const n = 1 << 14
			once, more := []byte(input(n)), []byte(input(8*n))
			took := func(b []byte) time.Duration {
				start := time.Now()
				read(b)
				return time.Since(start)
			}
			small, large := time.Hour, time.Hour
			for try := 0; try < 3 || large > 8*4*small+time.Millisecond; try++ {
				if try == 30 {
					t.Errorf("%s as %s take %s for %d bytes and %s for %d", name, what, small, n, large, 8*n)
					break
				}
				small, large = min(small, took(once)), min(large, took(more))
			}
		}
	}
}

// TestNaughtyStringsAreStoredAsTheyAreOrRefusedByARule takes each from the body
// of a batch into a frame, out of it, into a pack and out of that.
func TestNaughtyStringsAreStoredAsTheyAreOrRefusedByARule(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a second")
	}
	text, err := os.ReadFile(filepath.Join(sharedData(t, "naughty-strings"), "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var naughty []string
	if err := json.Unmarshal(text, &naughty); err != nil || len(naughty) < 500 {
		t.Fatalf("found %d strings: %v", len(naughty), err)
	}
	places := []struct {
		name string
		read func(Event) string
		ok   func(string) bool
	}{
		{"/search/search_term", func(e Event) string { return e.Search.Term }, func(s string) bool { return s != "" }},
		{"/custom/theme", func(e Event) string { return e.Custom["theme"].(string) }, func(string) bool { return true }},
		{"/items/1/item_name", func(e Event) string { return e.Items[1].Name }, func(string) bool { return true }},
		{"/page/url", func(e Event) string { return e.Page.URL }, func(s string) bool { return s != "" }},
		{"/items/1/item_id", func(e Event) string { return e.Items[1].ID }, func(s string) bool {
			return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r == '@' || r < ' ' || r == 0x7f })
		}},
	}
	refused := 0
	for _, place := range places {
		for chunk := range slices.Chunk(naughty, MaxBatchEvents) {
			var events []any
			for _, s := range chunk {
				events = append(events, set(full(), place.name, s))
			}
			b, ids, err := UnmarshalBatch(encode(set(envelope(), "/events", events)))
			if err != nil {
				t.Fatal(err)
			}
			var f, got Frame
			for i := range b.Events {
				f.Events = append(f.Events, Received{ShopID: "shop-01", SentAt: noon, ReceivedAt: noon, Event: ids[i].AppendEvent(nil, "h1_x")})
			}
			if err := got.UnmarshalBinary(marshalFrame(t, f)); err != nil {
				t.Fatal(err)
			}
			var p Packer
			var want []string
			for i, s := range chunk {
				e, err := Unmarshal(got.Events[i].Event, noon)
				switch {
				case err != nil && place.ok(s):
					t.Errorf("%q as %s: %v", s, place.name, err)
				case err != nil:
					wantProblem(t, err, place.name, map[bool]string{true: "required", false: "id"}[s == ""])
					refused++
				case place.read(e) != s || e.VisitorID != "h1_x":
					t.Errorf("%q as %s is read as %q", s, place.name, place.read(e))
				default:
					want = append(want, s)
					if err := p.Add(Stored{Event: e, FrameID: frameID(1), FramePosition: i}); err != nil {
						t.Fatal(err)
					}
				}
			}
			var stored []string
			for _, line := range p.Lines() {
				if bytes.IndexByte(line, '\n') != len(line)-1 {
					t.Error("a pack has more than one line")
				}
				for _, e := range readPack(t, line).Events {
					stored = append(stored, place.read(e.Event))
				}
			}
			if !slices.Equal(stored, want) {
				t.Errorf("as %s a pack holds other strings", place.name)
			}
		}
	}
	if refused == 0 {
		t.Error("none is refused as an id")
	}
}
