package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// parts are those that each type needs.
var parts = map[Type][]string{
	PageView: {"page"}, SearchProducts: {"search"}, ListView: {"list"}, ListClick: {"list", "items"}, ProductView: {"items"},
	AddToCart: {"items"}, RemoveFromCart: {"items"}, AddToWishlist: {"items"}, CheckoutStep: {"checkout"},
	Purchase: {"items", "order"}, Refund: {"order"}, PromoView: {"promotion"}, PromoClick: {"promotion"},
	RateProduct: {"items", "rating"}, GiveConsent: {"consent"}, ScriptError: {"error"},
}

// minimal is an event of a type with the parts that it needs and no more.
func minimal(kind Type) map[string]any {
	e := full()
	for _, part := range []string{"page", "search", "list", "items", "order", "checkout", "promotion", "rating", "consent", "error", "custom", "visitor_id", "session_id"} {
		if !slices.Contains(parts[kind], part) {
			delete(e, part)
		}
	}
	return set(e, "/type", kind)
}

func TestEveryTypeIsKnownWithThePartsItNeeds(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(parts)), slices.Sorted(slices.Values(typesOfEvents())); !slices.Equal(got, want) {
		t.Fatalf("the contract's types are %v, this test knows %v", want, got)
	}
	for kind, needed := range parts {
		t.Run(string(kind), func(t *testing.T) {
			if e, err := Unmarshal(encode(minimal(kind)), noon); err != nil || e.Type != kind {
				t.Fatalf("type %q: %v", e.Type, err)
			}
			if _, err := Unmarshal(encode(set(full(), "/type", kind)), noon); err != nil {
				t.Errorf("with every other part too: %v", err)
			}
			for _, part := range needed {
				_, err := Unmarshal(encode(set(minimal(kind), "/"+part, removed)), noon)
				wantProblem(t, err, "/"+part, "required")
			}
		})
	}
}

func TestAnEventThatBreaksARuleNamesTheFieldAndTheRule(t *testing.T) {
	long, longURL := strings.Repeat("é", 1025), strings.Repeat("é", 4097)
	cases := []struct {
		pointer string
		value   any
		rule    string
	}{
		{"/event_id", removed, "required"},
		{"/event_id", nil, "required"},
		{"/event_id", "", "required"},
		{"/event_id", "42", "uuidv7"},
		{"/event_id", "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", "uuidv7"},
		{"/event_id", strings.ToUpper(NewID(noon, [32]byte{0xab})), "uuidv7"},
		{"/event_id", "{" + NewID(noon, [32]byte{1}) + "}", "uuidv7"},
		{"/event_id", strings.ReplaceAll(NewID(noon, [32]byte{1}), "-", ""), "uuidv7"},
		{"/event_id", "019caea0-4e00-7100-0000-000000000000", "uuidv7"}, // version 7 of another variant
		{"/event_id", 7, "type"},
		{"/type", removed, "required"},
		{"/type", "Purchase", "enum"},
		{"/type", 1, "type"},
		{"/visitor_id", strings.Repeat("v", 65), "length"},
		{"/visitor_id", "jane@example.com", "id"},
		{"/visitor_id", "a\nb", "id"},
		{"/visitor_id", "a\x7f", "id"},
		{"/session_id", strings.Repeat("s", 65), "length"},
		{"/seq", -1, "range"},
		{"/seq", 0.5, "type"},
		{"/seq", json.Number("1.0"), "type"},
		{"/seq", json.Number("1e2"), "type"},
		{"/seq", json.Number("9223372036854775808"), "range"},
		{"/seq", json.Number("-9223372036854775809"), "range"},
		{"/seq", json.Number(strings.Repeat("9", 400)), "range"},
		{"/client_ts", removed, "required"},
		{"/client_ts", "yesterday", "time"},
		{"/client_ts", "10000-01-01T00:00:00Z", "time"},
		{"/client_ts", "2026-03-02", "time"},
		{"/client_ts", "2026-03-02T12:00:00", "time"},
		{"/client_ts", "2026-03-02 12:00:00Z", "time"},
		{"/client_ts", "2026-03-02t12:00:00z", "time"},
		{"/client_ts", "2026-03-02T12:00:00,5Z", "time"},
		{"/client_ts", "2026-03-02T1:00:00Z", "time"},
		{"/client_ts", "2026-03-02T12:00:60Z", "time"},
		{"/client_ts", "2026-02-29T12:00:00Z", "time"},
		{"/client_ts", "2026-03-02T12:00:00+24:00", "time"},
		{"/client_ts", "", "time"},
		{"/client_ts", 1772452800, "type"},
		{"/client_ts", "1969-12-31T23:59:59Z", "range"},
		{"/client_ts", "9999-12-31T23:59:59Z", "range"},
		{"/page/url", removed, "required"},
		{"/page/url", longURL, "length"},
		{"/page/title", long, "length"},
		{"/page/title", map[string]any{}, "type"},
		{"/page/referrer", longURL, "length"},
		{"/page", []any{}, "type"},
		{"/search/search_term", "", "required"},
		{"/search/search_term", long, "length"},
		{"/search/results", "3", "type"},
		{"/list/item_list_id", removed, "required"},
		{"/list/item_list_id", long, "length"},
		{"/list/item_list_name", long, "length"},
		{"/items", []any{}, "required"},
		{"/items", slices.Repeat([]any{map[string]any{"item_id": "p", "price": 1, "currency": "EUR"}}, 201), "length"},
		{"/items", map[string]any{}, "type"},
		{"/items/1", "p1", "type"},
		{"/items/1/item_id", removed, "required"},
		{"/items/1/item_id", long, "length"},
		{"/items/1/item_name", long, "length"},
		{"/items/1/item_brand", long, "length"},
		{"/items/1/item_category", long, "length"},
		{"/items/1/item_variant", long, "length"},
		{"/items/1/price", removed, "range"},
		{"/items/1/price", nil, "range"},
		{"/items/1/price", json.Number("-0"), "range"},
		{"/items/1/price", 0, "range"},
		{"/items/1/price", -0.01, "range"},
		{"/items/1/price", 1e13, "range"},
		{"/items/1/price", "19.95", "type"},
		{"/items/1/price", json.Number("1e400"), "range"},
		{"/items/1/price", json.Number("-1e400"), "range"},
		{"/items/1/price", json.Number("1e-400"), "range"},
		{"/items/1/currency", removed, "required"},
		{"/items/1/currency", "eur", "currency"},
		{"/items/1/currency", "EURO", "currency"},
		{"/items/1/currency", "E€", "currency"},
		{"/items/1/quantity", -1, "range"},
		{"/items/1/quantity", 1_000_001, "range"},
		{"/items/1/quantity", 1.5, "type"},
		{"/items/1/colour", "red", "unknown_field"},
		{"/order/transaction_id", removed, "required"},
		{"/order/transaction_id", long, "length"},
		{"/order/value", 0, "range"},
		{"/order/value", 1e308, "range"},
		{"/order/currency", "euro", "currency"},
		{"/order/tax", -1, "range"},
		{"/order/tax", 1e13, "range"},
		{"/order/shipping", -1, "range"},
		{"/order/shipping", 1e13, "range"},
		{"/order/coupon", long, "length"},
		{"/checkout/step", removed, "range"},
		{"/checkout/step", 21, "range"},
		{"/checkout/option", long, "length"},
		{"/promotion/promotion_id", removed, "required"},
		{"/promotion/promotion_name", long, "length"},
		{"/promotion/creative_name", long, "length"},
		{"/promotion/creative_slot", long, "length"},
		{"/rating/value", 0.9, "range"},
		{"/rating/value", 5.1, "range"},
		{"/rating/review", long, "length"},
		{"/consent/state", removed, "required"},
		{"/consent/state", "yes", "enum"},
		{"/error/message", removed, "required"},
		{"/error/message", long, "length"},
		{"/error/source", longURL, "length"},
		{"/error/line", "7", "type"},
		{"/custom/theme", long, "length"},
		{"/custom/theme", nil, "type"},
		{"/custom/theme", []any{1}, "type"},
		{"/custom/theme", map[string]any{"a": 1}, "type"},
		{"/custom", []any{}, "type"},
		{"/custom/theme", json.Number("1e400"), "range"},
		{"/custom", manyKeys(51), "length"},
		{"/custom", map[string]any{"": 1}, "custom_name"},
		{"/custom", map[string]any{strings.Repeat("k", 65): 1}, "custom_name"},
		{"/custom", map[string]any{"1st": 1}, "custom_name"},
		{"/custom", map[string]any{"jane@example.com": nil}, "type"}, // the key may be personal: not pointed at
		{"/debug", true, "unknown_field"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %s %.20v", c.pointer, c.rule, c.value), func(t *testing.T) {
			_, err := Unmarshal(encode(set(full(), c.pointer, c.value)), noon)
			wantProblem(t, err, c.pointer, c.rule)
		})
	}
}

func manyKeys(n int) map[string]any {
	m := map[string]any{}
	for i := range n {
		m[fmt.Sprintf("key_%d", i)] = i
	}
	return m
}

func TestValuesAtTheirLimitsAreAccepted(t *testing.T) {
	text := strings.Repeat("é", 1024)
	for _, c := range []struct {
		pointer string
		value   any
	}{
		{"/visitor_id", strings.Repeat("v", 64)}, {"/page/title", text}, {"/page/url", strings.Repeat("é", 4096)},
		{"/items", slices.Repeat([]any{map[string]any{"item_id": "p", "price": 1, "currency": "EUR"}}, 200)},
		{"/items/1/price", 0.01}, {"/items/1/price", 1e12}, {"/items/1/quantity", 1_000_000}, {"/items/1/quantity", removed},
		{"/order/tax", 0}, {"/order/shipping", 1e12}, {"/checkout/step", 1}, {"/checkout/step", 20}, {"/rating/value", 1}, {"/rating/value", 5},
		{"/custom", manyKeys(50)}, {"/custom", map[string]any{strings.Repeat("k", 64): text}}, {"/custom", map[string]any{"_a.b-C9": false}},
		{"/custom/theme", 1.7e308}, {"/custom/theme", json.Number("123456789012345678901234567890")}, {"/custom/theme", json.Number("1e-400")},
		{"/order/currency", "ZAR"}, {"/order/currency", "AZN"},
		{"/client_ts", "1970-01-01T00:00:00Z"}, {"/client_ts", "9998-12-31T23:59:59.999999999Z"}, {"/client_ts", "2028-02-29T23:59:59.123456-23:59"},
		{"/seq", json.Number("9223372036854775807")}, {"/seq", json.Number("-0")}, {"/seq", nil}, {"/seq", removed}, {"/order/tax", json.Number("-0")},
		{"/items/1/price", json.Number("1.0")}, {"/items/1/price", json.Number("1E+2")}, {"/visitor_id", nil}, {"/visitor_id", ""}, {"/custom", nil}, {"/page/title", nil},
	} {
		if _, err := Unmarshal(encode(set(full(), c.pointer, c.value)), noon); err != nil {
			t.Errorf("%s of %.30v: %v", c.pointer, c.value, err)
		}
	}
}

func TestAnEventTellsAllItsProblemsInTheOrderOfItsFields(t *testing.T) {
	_, err := Unmarshal([]byte(`{"type": "purchase", "seq": -1, "items": [{"item_id": "p", "price": 0, "currency": "EUR"}]}`), noon)
	var got []string
	for _, p := range problems(t, err) {
		got = append(got, p.Pointer+" "+p.Rule)
	}
	want := []string{"/event_id required", "/seq range", "/client_ts required", "/items/0/price range", "/order required"}
	if !slices.Equal(got, want) {
		t.Errorf("problems are %v, want %v", got, want)
	}
}

func TestEachProblemInCustomHasItsOwnPlace(t *testing.T) {
	custom := manyKeys(47)
	custom["a"], custom["b"], custom["not plain"] = strings.Repeat("x", 1025), strings.Repeat("x", 1025), 1
	_, err := Unmarshal(encode(set(full(), "/custom", custom)), noon)
	var got []string
	for _, p := range problems(t, err) {
		got = append(got, p.Pointer+" "+p.Rule)
	}
	if want := []string{"/custom/a length", "/custom/b length", "/custom custom_name"}; !slices.Equal(got, want) {
		t.Errorf("problems are %v, want %v", got, want)
	}
}

func TestAnEventsOwnTimeIsAtMost30DaysBeforeAndOneHourAfterItsReceipt(t *testing.T) {
	for _, c := range []struct {
		at time.Duration
		ok bool
	}{
		{-30 * 24 * time.Hour, true}, {-30*24*time.Hour - time.Millisecond, false}, {0, true},
		{time.Hour, true}, {time.Hour + time.Millisecond, false}, {-50 * 365 * 24 * time.Hour, false},
	} {
		_, err := Unmarshal(encode(set(full(), "/event_id", NewID(noon.Add(c.at), [32]byte{1}))), noon)
		if c.ok && err != nil {
			t.Errorf("at %s: %v", c.at, err)
		}
		if !c.ok {
			wantProblem(t, err, "/event_id", "event_time")
		}
	}
}

func TestAnEventIsStillIdentifiedWhenAnotherFieldDoesNotDecode(t *testing.T) {
	const id = `"event_id":"019cae6b-6600-7a97-8112-ca1bbdcafac2"`
	for _, raw := range []string{
		`{` + id + `,"seq":"three"}`, `{"seq":"three",` + id + `}`, `{"debug":{"a":[1]},` + id + `}`, `{"seq":1,"seq":2,` + id + `}`,
		`{"custom":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `,` + id + `}`, `{` + id + `,"custom":`,
		`{` + id + `,"type":"a`, `{` + id + `,"ty`, `{` + id + `,"seq":nul`,
	} {
		if e, err := Unmarshal([]byte(raw), noon); err == nil || e.EventID != "019cae6b-6600-7a97-8112-ca1bbdcafac2" {
			t.Errorf("%s: event id is %q, error %v", raw, e.EventID, err)
		}
	}
	for _, raw := range []string{``, `[`, `"event_id"`, `{"event_id":7}`, `{"event_id"`, `{"page":{` + id + `,"a":1}}`} {
		if e, err := Unmarshal([]byte(raw), noon); err == nil || e.EventID != "" {
			t.Errorf("%s: event id is %q, error %v", raw, e.EventID, err)
		}
	}
}

func TestWhatDoesNotDecodeNamesTheFirstPlaceAndTheRule(t *testing.T) {
	deep := func(n int) string {
		return `{"custom":{"a":` + strings.Repeat("[", n-2) + strings.Repeat("]", n-2) + `}}`
	}
	for _, c := range []struct{ raw, pointer, rule string }{
		{``, "", "json"}, {`{"type":`, "", "json"}, {`{} {}`, "", "json"}, {`{"type":"a",}`, "", "json"}, {`nul`, "", "json"}, {"{}\x00", "", "json"}, {"\ufeff{}", "", "json"},
		{"{\"type\":\"\xff\"}", "", "utf8"}, {"{\"\xed\xa0\x80\":1}", "", "utf8"}, {"{}\xff", "", "utf8"},
		{deep(MaxEventDepth + 1), "", "depth"}, {deep(MaxEventDepth), "/custom/a", "type"}, {strings.Repeat("[", 1<<20), "", "depth"}, {strings.Repeat(`{"a":`, 1<<18), "", "depth"},
		{`{"type":"` + strings.Repeat(`[\"{`, 100) + `","seq":[]}`, "/seq", "type"},
		{`{"seq":3,"seq":3}`, "/seq", "duplicate_field"}, {`{"s\u0065q":3,"seq":3}`, "/seq", "duplicate_field"}, {`{"custom":{"a":1,"a":2}}`, "/custom/a", "duplicate_field"},
		{`{"items":[{"item_id":"a","item_id":"a"}]}`, "/items/0/item_id", "duplicate_field"}, {`{"custom":{"j@x.de":1,"j@x.de":2}}`, "/custom", "duplicate_field"},
		{`{"seq":"three","seq":3}`, "/seq", "type"}, {`{"Type":"purchase"}`, "/Type", "unknown_field"}, {`{"items":[{"a":{}}]}`, "/items/0/a", "unknown_field"},
		{`[]`, "", "type"}, {`"x"`, "", "type"}, {`1`, "", "type"}, {`true`, "", "type"}, {`{"items":[1]}`, "/items/0", "type"},
	} {
		_, err := Unmarshal([]byte(c.raw), noon)
		t.Run(fmt.Sprintf("%.40s", c.raw), func(t *testing.T) { wantProblem(t, err, c.pointer, c.rule) })
	}
}

func TestAWrongTypeIsToldWithTheRightOne(t *testing.T) {
	for pointer, want := range map[string]string{
		"/type": "must be text", "/seq": "must be a whole number", "/search/results": "must be a whole number", "/order/value": "must be a number", "/items": "must be a list",
		"/items/1": "must be an object", "/page": "must be an object", "/custom": "must be an object", "/custom/theme": "must be text, a number or a boolean", "/client_ts": "must be text: a time of RFC 3339",
	} {
		wrong := any([]any{})
		if pointer == "/items" {
			wrong = 7
		}
		_, err := Unmarshal(encode(set(full(), pointer, wrong)), noon)
		if got := problems(t, err)[0]; got.Rule != "type" || got.Message != want {
			t.Errorf("at %s: %+v, want %q", pointer, got, want)
		}
	}
}

func TestHalfAnEmojiInATextIsReplaced(t *testing.T) {
	raw := bytes.Replace(encode(full()), []byte("warm"), []byte(`warm \ud83d \ud83d\ude00`), 1)
	if e, err := Unmarshal(raw, noon); err != nil || e.Rating.Review != "warm \ufffd 😀" {
		t.Errorf("review is %q: %v", e.Rating.Review, err)
	}
}

// TestNoMessageQuotesWhatWasSent puts personal data in every place of an event
// and of a batch, in every form, and reads what the errors say.
func TestNoMessageQuotesWhatWasSent(t *testing.T) {
	const email, card = "jane.doe@example.com", "4111111111111111"
	values := []any{
		email, strings.Repeat(email, 300), json.Number(card), json.Number("-" + card), json.Number(card + ".5"), json.Number(card + "e999"),
		[]any{email}, map[string]any{email: card}, []any{json.Number(card)}, []any{map[string]any{email: email}}, card, email + "\x00", nil,
	}
	check := func(t *testing.T, at string, err error) {
		t.Helper()
		if err == nil {
			return
		}
		for _, p := range problems(t, err) {
			for _, personal := range []string{"jane", "example.com", "4111", "4.1111"} {
				if strings.Contains(fmt.Sprint(p.Pointer, p.Rule, p.Message, p), personal) {
					t.Errorf("%s: a problem quotes %s: %+v", at, personal, p)
				}
			}
		}
	}
	read := map[string]func(map[string]any) error{
		"event": func(v map[string]any) error { _, err := Unmarshal(encode(v), noon); return err },
		"batch": func(v map[string]any) error { _, _, err := UnmarshalBatch(encode(v)); return err },
	}
	for what, fresh := range map[string]func() map[string]any{"event": full, "batch": envelope} {
		places := pointers(fresh(), "")
		if what == "event" && len(places) < 60 {
			t.Fatalf("found %d places in an event", len(places))
		}
		for _, at := range places {
			for _, value := range values {
				check(t, what+at, read[what](set(fresh(), at, value)))
			}
		}
	}
	for _, raw := range []string{email, `"` + email, `{"` + email + `}`, `{"type":"` + email + `"`, `{"seq":` + card + `x}`, "{\"a\":\"" + email + "\n\"}", email + "\xff"} {
		_, err := Unmarshal([]byte(raw), noon)
		check(t, raw, err)
		_, _, err = UnmarshalBatch([]byte(raw))
		check(t, raw, err)
	}
}

// pointers are those of all values, and in each object of one that is new.
func pointers(v any, at string) (all []string) {
	if at != "" {
		all = append(all, at)
	}
	switch v := v.(type) {
	case map[string]any:
		all = append(all, at+"/jane.doe@example.com", at+"/4111111111111111")
		for key, member := range v {
			all = append(all, pointers(member, at+"/"+key)...)
		}
	case []any:
		for i, element := range v {
			all = append(all, pointers(element, fmt.Sprintf("%s/%d", at, i))...)
		}
	}
	return all
}

func TestHalfAnEmojiInAnOriginalIsReplacedAndWholeOnesStay(t *testing.T) {
	for original, want := range map[string]string{
		`{"a":"\ud83d"}`:             `{"a":"\ufffd"}`,
		`{"a":"\uDE00x"}`:            `{"a":"\ufffdx"}`,
		`{"\ude00\ud83d":1}`:         `{"\ufffd\ufffd":1}`,
		`{"a":"\ud83d\ud83d\ude00"}`: `{"a":"\ufffd😀"}`,
		`{"a":"\\ud83d"}`:            `{"a":"\\ud83d"}`,
		`{"a":"\\\ud83d"}`:           `{"a":"\\\ufffd"}`,
		`{"a":"\ud7ff\ue000"}`:       `{"a":"\ud7ff\ue000"}`,
		`{"a":1e400,"a":{"b":[]}}`:   `{"a":1e400,"a":{"b":[]}}`,
		`{}`:                         `{}`,
	} {
		sent := jsontext.Value(original)
		b, err := json.Marshal(Quarantined{Original: sent})
		if err != nil || !jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true)) { // which looks for halves
			t.Errorf("original %s is written as %s: %v", original, b, err)
		}
		_, got, _ := bytes.Cut(b, []byte(`"original":`))
		canonical := func(text []byte) string {
			v, err := jsontext.AppendFormat(nil, text, lenient)
			if err != nil {
				t.Fatal(err)
			}
			return string(v)
		}
		if canonical(got[:len(got)-1]) != canonical([]byte(want)) {
			t.Errorf("original %s is written as %s, want %s", original, b, want)
		}
		if string(sent) != original {
			t.Errorf("the original itself became %s", sent)
		}
	}
}
