package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
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
	if got, want := slices.Sorted(maps.Keys(parts)), slices.Sorted(slices.Values(types)); !slices.Equal(got, want) {
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
	long, longURL := strings.Repeat("x", MaxString+1), "https://shop.example/"+strings.Repeat("x", MaxURL)
	cases := []struct {
		pointer string
		value   any
		rule    string
	}{
		{"/event_id", removed, "uuidv7"},
		{"/event_id", "42", "uuidv7"},
		{"/event_id", "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", "uuidv7"},
		{"/event_id", strings.ToUpper(NewID(noon, [32]byte{0xab})), "uuidv7"},
		{"/event_id", "{" + NewID(noon, [32]byte{1}) + "}", "uuidv7"},
		{"/event_id", strings.ReplaceAll(NewID(noon, [32]byte{1}), "-", ""), "uuidv7"},
		{"/event_id", "019caea0-4e00-7100-0000-000000000000", "uuidv7"}, // version 7 of another variant
		{"/event_id", 7, "type"},
		{"/type", removed, "enum"},
		{"/type", "Purchase", "enum"},
		{"/type", 1, "type"},
		{"/visitor_id", strings.Repeat("v", 65), "length"},
		{"/session_id", strings.Repeat("s", 65), "length"},
		{"/seq", -1, "range"},
		{"/seq", 0.5, "type"},
		{"/client_ts", removed, "required"},
		{"/client_ts", "yesterday", "time"},
		{"/client_ts", "10000-01-01T00:00:00Z", "time"},
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
		{"/items", slices.Repeat([]any{map[string]any{"item_id": "p", "price": 1, "currency": "EUR"}}, MaxItems+1), "length"},
		{"/items", map[string]any{}, "type"},
		{"/items/1", "p1", "type"},
		{"/items/1/item_id", removed, "required"},
		{"/items/1/item_id", long, "length"},
		{"/items/1/item_name", long, "length"},
		{"/items/1/item_brand", long, "length"},
		{"/items/1/item_category", long, "length"},
		{"/items/1/item_variant", long, "length"},
		{"/items/1/price", removed, "range"},
		{"/items/1/price", 0, "range"},
		{"/items/1/price", -0.01, "range"},
		{"/items/1/price", 1e13, "range"},
		{"/items/1/price", "19.95", "type"},
		{"/items/1/price", json.Number("1e999"), "type"},
		{"/items/1/currency", removed, "currency"},
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
		{"/consent/state", removed, "enum"},
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
		{"/custom", manyKeys(MaxCustom + 1), "length"},
		{"/custom", map[string]any{"": 1}, "length"},
		{"/custom", map[string]any{long: 1}, "length"},
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
	text := strings.Repeat("x", MaxString)
	for _, c := range []struct {
		pointer string
		value   any
	}{
		{"/visitor_id", strings.Repeat("v", 64)}, {"/page/title", text}, {"/page/url", strings.Repeat("u", MaxURL)},
		{"/items", slices.Repeat([]any{map[string]any{"item_id": "p", "price": 1, "currency": "EUR"}}, MaxItems)},
		{"/items/1/price", 0.01}, {"/items/1/price", MaxAmount}, {"/items/1/quantity", 1_000_000}, {"/items/1/quantity", removed},
		{"/order/tax", 0}, {"/order/shipping", MaxAmount}, {"/checkout/step", 1}, {"/checkout/step", 20}, {"/rating/value", 1}, {"/rating/value", 5},
		{"/custom", manyKeys(MaxCustom)}, {"/custom", map[string]any{text: text}}, {"/custom", map[string]any{"größe/~1": false}},
		{"/client_ts", "1970-01-01T00:00:00Z"},
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
	want := []string{"/event_id uuidv7", "/seq range", "/client_ts required", "/items/0/price range", "/order required"}
	if !slices.Equal(got, want) {
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
	e, err := Unmarshal(encode(set(full(), "/seq", "three")), noon)
	if err == nil || e.EventID != full()["event_id"] {
		t.Errorf("event id is %q, error %v", e.EventID, err)
	}
}

func TestATypeErrorHiddenByARepeatedFieldIsStillAProblem(t *testing.T) {
	_, err := Unmarshal([]byte(`{"seq": "three", "seq": 3}`), noon)
	wantProblem(t, err, "", "json")
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
		"batch": func(v map[string]any) error { _, err := UnmarshalBatch(encode(v)); return err },
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
		_, err := Unmarshal(json.RawMessage(raw), noon)
		check(t, raw, err)
		_, err = UnmarshalBatch([]byte(raw))
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
		`{"a":"\ude00\ud83d"}`:       `{"a":"\ufffd\ufffd"}`,
		`{"a":"\ud83d\ud83d\ude00"}`: `{"a":"\ufffd\ud83d\ude00"}`,
		`{"a":"\uD83D\uDE00"}`:       `{"a":"\uD83D\uDE00"}`,
		`{"a":"\\ud83d"}`:            `{"a":"\\ud83d"}`,
		`{"a":"\\\ud83d"}`:           `{"a":"\\\ufffd"}`,
		`{"a":"\ud7ff\ue000"}`:       `{"a":"\ud7ff\ue000"}`,
		`{"a":"\n\u00e9é"}`:          `{"a":"\n\u00e9é"}`,
		`{}`:                         `{}`,
	} {
		sent := json.RawMessage(original)
		b, err := json.Marshal(Quarantined{Original: sent})
		if err != nil || !bytes.HasSuffix(b, []byte(`"original":`+want+"}")) {
			t.Errorf("original %s is written as %s, want %s: %v", original, b, want, err)
		}
		if string(sent) != original {
			t.Errorf("the original itself became %s", sent)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(encode(full()))
	f.Add(encode(envelope()))
	for _, kind := range types {
		f.Add(encode(minimal(kind)))
	}
	for _, text := range []string{``, `null`, `[]`, `{"items":[{"price":"x"}]}`, `{"custom":{"a":1e999}}`, `{"page":{"x":1}}`, "{\"a\":\"\xff\"}", `{"seq":"x","seq":1}`, `{"items":null,"custom":null,"page":null}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if b, err := UnmarshalBatch(raw); err != nil {
			problems(t, err)
		} else if _, err := (Frame{Events: []Received{{SentAt: b.SentAt.UTC(), Event: b.Events[0]}}}).MarshalBinary(); err != nil {
			t.Fatalf("an accepted batch has no frame: %v", err)
		}
		e, err := Unmarshal(raw, noon)
		if err != nil {
			problems(t, err)
			return
		}
		again, err := Unmarshal(encode(e), noon)
		if err != nil {
			t.Fatalf("an accepted event, written again, is refused: %v\n%s", err, encode(e))
		}
		if !bytes.Equal(encode(e), encode(again)) || !reflect.DeepEqual(e.Items, again.Items) {
			t.Fatalf("an accepted event changes when it is written again:\n%s\n%s", encode(e), encode(again))
		}
	})
}
