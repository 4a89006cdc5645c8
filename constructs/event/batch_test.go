package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

func TestABatchIsDecodedAndItsEventsLieInItsBody(t *testing.T) {
	body := encode(set(set(envelope(), "/seq", 7), "/events", []any{full(), minimal(PageView)}))
	b, ids, err := UnmarshalBatch(body)
	if err != nil {
		t.Fatal(err)
	}
	if b.V != 1 || b.Shop != "pk_test" || !b.SentAt.Equal(noon) || b.BatchID != "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11" || b.Seq != 7 || len(b.Events) != 2 || len(ids) != 2 {
		t.Errorf("batch is %+v", b)
	}
	if !bytes.Equal(b.Events[0], encode(full())) || !bytes.Equal(b.Events[1], encode(minimal(PageView))) {
		t.Errorf("events are %s", b.Events)
	}
	if at := bytes.Index(body, b.Events[1]); unsafe.SliceData(b.Events[1]) != &body[at] || cap(b.Events[1]) != len(b.Events[1]) {
		t.Error("an event was copied, or can be appended to over the bytes behind it")
	}
}

func TestEveryFieldOfTheEnvelopeIsReadAndMayBeEscapedOrNull(t *testing.T) {
	for _, f := range BatchFields {
		escaped := fmt.Sprintf(`"\u%04x%s":`, f.Name[0], f.Name[1:])
		body := bytes.Replace(encode(envelope()), []byte(`"`+f.Name+`":`), []byte(escaped), 1)
		if _, _, err := UnmarshalBatch(body); err != nil {
			t.Errorf("with %s: %v", escaped, err)
		}
		_, _, absent := UnmarshalBatch(encode(set(envelope(), "/"+f.Name, removed)))
		_, _, null := UnmarshalBatch(encode(set(envelope(), "/"+f.Name, nil)))
		if fmt.Sprint(absent) != fmt.Sprint(null) {
			t.Errorf("without %s: %v; with null: %v", f.Name, absent, null)
		}
	}
}

func TestABatchMayHoldEventsThatBreakTheContract(t *testing.T) {
	for _, raw := range []string{
		`{}`, `{"nonsense":[1]}`, `{"type":"a","type":"b"}`, `{"a":{"b":1,"b":2}}`, `{"":1,"":2}`, `{"a":1e999}`, `{"a":"\ud800"}`, `{"visitor_id":{},"visitor_id":[]}`,
		`{"a":` + strings.Repeat("[", MaxBatchDepth-3) + strings.Repeat("]", MaxBatchDepth-3) + `}`,
	} {
		if b, _, err := UnmarshalBatch(withEvent(raw)); err != nil || string(b.Events[0]) != raw {
			t.Errorf("%s is read as %s: %v", raw, b.Events, err)
		}
	}
}

// withEvent is a batch of one event, as raw has it.
func withEvent(raw string) []byte {
	return bytes.Replace(encode(set(envelope(), "/events/0", "EVENT")), []byte(`"EVENT"`), []byte(raw), 1)
}

func TestTheIDsOfAnEventAreReadAndReplaced(t *testing.T) {
	for _, c := range []struct{ raw, event, visitor, with, without string }{
		{`{"event_id":"e","visitor_id":"v","session_id":"s","seq":1}`, "e", "v", `{"event_id":"e","visitor_id":"h1_x","session_id":"s","seq":1}`, `{"event_id":"e","visitor_id":null,"session_id":null,"seq":1}`},
		{`{"session_id" : "s" , "visitor_id" : "v" }`, "", "v", `{"session_id" : "s" , "visitor_id" : "h1_x" }`, `{"session_id" : null , "visitor_id" : null }`},
		{`{}`, "", "", `{}`, `{}`},
		{`{"visitor_id":"v\u0041\"","event_id":"\u0065"}`, "e", `vA"`, `{"visitor_id":"h1_x","event_id":"\u0065"}`, `{"visitor_id":null,"event_id":"\u0065"}`},
		{`{"visitor\u005fid":"v","\u0073ession_id":"s"}`, "", "v", `{"visitor\u005fid":"h1_x","\u0073ession_id":"s"}`, `{"visitor\u005fid":null,"\u0073ession_id":null}`},
		{`{"visitor_id":"a","visitor_id":"b","session_id":"c","session_id":"d"}`, "", "b", `{"visitor_id":"h1_x","visitor_id":"h1_x","session_id":"c","session_id":"d"}`, `{"visitor_id":null,"visitor_id":null,"session_id":null,"session_id":null}`},
		{`{"event_id":7,"visitor_id":42,"session_id":[1]}`, "", "", `{"event_id":7,"visitor_id":0,"session_id":[1]}`, `{"event_id":7,"visitor_id":null,"session_id":null}`},
		{`{"visitor_id":{"visitor_id":"v"}}`, "", "", `{"visitor_id":0}`, `{"visitor_id":null}`},
		{`{"visitor_id":null,"custom":{"visitor_id":"mine"}}`, "", "", `{"visitor_id":null,"custom":{"visitor_id":"mine"}}`, `{"visitor_id":null,"custom":{"visitor_id":"mine"}}`},
		{`{"visitor_id":"` + "\u2028é" + `","visitor_ids":"x"}`, "", "\u2028é", `{"visitor_id":"h1_x","visitor_ids":"x"}`, `{"visitor_id":null,"visitor_ids":"x"}`},
	} {
		body := bytes.Replace(withEvent("EVENT"), []byte("EVENT"), []byte(` {"session_id":"other"} , `+c.raw), 1)
		_, ids, err := UnmarshalBatch(body)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		got := ids[1]
		if string(got.Event) != c.event || string(got.Visitor) != c.visitor {
			t.Errorf("%s: ids are %q and %q", c.raw, got.Event, got.Visitor)
		}
		if with, without := string(got.AppendEvent([]byte("x"), "h1_x")), string(got.AppendEvent([]byte("x"), "")); with != "x"+c.with || without != "x"+c.without {
			t.Errorf("%s becomes\n%s, want\n%s, and without a visitor\n%s, want\n%s", c.raw, with, c.with, without, c.without)
		}
	}
}

func TestTheConsentOfAnEventIsRead(t *testing.T) {
	for raw, want := range map[string]ConsentState{
		`{"consent":{"state":"granted"}}`: ConsentGranted, `{"consent":{"state":"denied","since":1}}`: ConsentDenied, `{"consent":{"state":7}}`: "",
		`{"consent":"granted"}`: "", `{"consent":null}`: "", `{}`: "", `{"custom":{"consent":{"state":"granted"}}}`: "",
	} {
		if _, ids, err := UnmarshalBatch(withEvent(raw)); err != nil || ids[0].Consent != want {
			t.Errorf("%s: consent is %q, want %q: %v", raw, ids[0].Consent, want, err)
		}
	}
}

func TestAMalformedEnvelopeNamesTheFieldAtFault(t *testing.T) {
	for _, c := range []struct {
		name    string
		edit    string
		value   any
		pointer string
		rule    string
	}{
		{"no version", "/v", removed, "/v", "range"},
		{"a future version", "/v", 2, "/v", "range"},
		{"a version in text", "/v", "1", "/v", "type"},
		{"a version with a fraction", "/v", json.Number("1.0"), "/v", "type"},
		{"no shop", "/shop", removed, "/shop", "required"},
		{"a long shop key", "/shop", strings.Repeat("k", 65), "/shop", "length"},
		{"an address for a shop", "/shop", "jane@example.com", "/shop", "id"},
		{"a shop in a list", "/shop", []any{"pk"}, "/shop", "type"},
		{"no sending time", "/sent_at", removed, "/sent_at", "required"},
		{"a sending time of null", "/sent_at", nil, "/sent_at", "required"},
		{"a sending time of another form", "/sent_at", "2 March 2026", "/sent_at", "time"},
		{"a sending time in seconds", "/sent_at", 1772452800, "/sent_at", "type"},
		{"a sending time without a zone", "/sent_at", "2026-03-02T12:00:00", "/sent_at", "time"},
		{"a sending time before computers", "/sent_at", "1969-12-31T23:59:59Z", "/sent_at", "range"},
		{"a sending time whose year in UTC is 10000", "/sent_at", "9999-12-31T23:59:59-01:00", "/sent_at", "range"},
		{"a sending time whose year in UTC is -1", "/sent_at", "0000-01-01T00:00:00+01:00", "/sent_at", "range"},
		{"no batch id", "/batch_id", removed, "/batch_id", "required"},
		{"a batch id that is no UUID", "/batch_id", "batch-1", "/batch_id", "uuid"},
		{"a batch id in braces", "/batch_id", "{0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11}", "/batch_id", "uuid"},
		{"a batch id without dashes", "/batch_id", "0b4b3d3e5f9a4c399f0a6f4d1c6f3c11", "/batch_id", "uuid"},
		{"a negative number", "/seq", -1, "/seq", "range"},
		{"a broken number", "/seq", 1.5, "/seq", "type"},
		{"a number beyond 64 bits", "/seq", json.Number("9223372036854775808"), "/seq", "range"},
		{"no events", "/events", removed, "/events", "required"},
		{"an empty list of events", "/events", []any{}, "/events", "required"},
		{"events that are no list", "/events", map[string]any{}, "/events", "type"},
		{"an event too many", "/events", make([]struct{}, MaxBatchEvents+1), "/events", "length"},
		{"an event that is text", "/events/0", "x", "/events/0", "type"},
		{"an event that is null", "/events/0", nil, "/events/0", "type"},
		{"an event that is a list", "/events/0", []any{}, "/events/0", "type"},
		{"an unknown field", "/debug", true, "/debug", "unknown_field"},
		{"an unknown field with an unusual name", "/jane@example.com", true, "", "unknown_field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ids, err := UnmarshalBatch(encode(set(envelope(), c.edit, c.value)))
			wantProblem(t, err, c.pointer, c.rule)
			if c.rule == "json" && ids != nil {
				t.Error("it has ids")
			}
		})
	}
	whole := string(encode(envelope()))
	for _, c := range []struct{ name, body, pointer, rule string }{
		{"nothing", "", "", "json"},
		{"white space", " \n", "", "json"},
		{"half an object", `{"v":1`, "", "json"},
		{"bytes behind it", whole + "{}", "", "json"},
		{"a letter behind it", whole + "x", "", "json"},
		{"a NUL behind it", whole + "\x00", "", "json"},
		{"a byte order mark", "\ufeff" + whole, "", "json"},
		{"a comma too many", strings.TrimSuffix(whole, "}") + ",}", "", "json"},
		{"a list", `[]`, "", "type"},
		{"a list without an end", `[1`, "", "json"},
		{"a text", `"x"`, "", "type"},
		{"null", `null`, "", "type"},
		{"no UTF-8", "{\"shop\":\"\xff\"}", "", "utf8"},
		{"no UTF-8 in an event", string(withEvent("{\"a\":\"\xff\"}")), "", "utf8"},
		{"a field twice", strings.Replace(whole, `"v":1`, `"v":1,"v":1`, 1), "/v", "duplicate_field"},
		{"a field twice that is escaped", strings.Replace(whole, `"v":1`, `"v":1,"\u0076":1`, 1), "/v", "duplicate_field"},
		{"a field twice that was null", strings.Replace(whole, `"v":1`, `"v":null,"v":1`, 1), "/v", "duplicate_field"},
		{"events twice", strings.Replace(whole, `"events":`, `"events":[],"events":`, 1), "/events", "duplicate_field"},
		{"another case", strings.Replace(whole, `"v":1`, `"V":1`, 1), "/V", "unknown_field"},
		{"JSON that ends in an event", string(withEvent(`{"a":`)), "", "json"},
		{"an event with a comma too many", string(withEvent(`{"a":1,}`)), "", "json"},
		{"an event with a control character", string(withEvent("{\"a\":\"\n\"}")), "", "json"},
		{"an event too deep", string(withEvent(`{"a":` + strings.Repeat("[", MaxBatchDepth-2) + strings.Repeat("]", MaxBatchDepth-2) + `}`)), "", "depth"},
		{"lists without end", strings.Repeat("[", MaxBatchBytes), "", "depth"},
		{"objects without end in an event", string(withEvent(strings.Repeat(`{"a":`, 100_000))), "", "depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ids, err := UnmarshalBatch([]byte(c.body))
			wantProblem(t, err, c.pointer, c.rule)
			if ids != nil {
				t.Error("it has ids")
			}
		})
	}
}

func TestABatchTellsAllProblemsOfItsEnvelopeInTheOrderOfItsFields(t *testing.T) {
	_, _, err := UnmarshalBatch([]byte(`{}`))
	var got []string
	for _, p := range problems(t, err) {
		got = append(got, p.Pointer)
	}
	if want := "/v /shop /sent_at /batch_id /events"; strings.Join(got, " ") != want {
		t.Errorf("problems are at %v, want %s", got, want)
	}
	if !strings.Contains(err.Error(), "/v must be 1; /shop is required; ") {
		t.Errorf("error is %q", err)
	}
}

func TestAnAcceptedBatchAlwaysFitsIntoAFrame(t *testing.T) {
	for _, sentAt := range []string{"1970-01-01T00:00:00Z", "9998-12-31T23:59:59.999999999Z", "9999-01-01T00:30:00+23:59"} {
		b, _, err := UnmarshalBatch(encode(set(envelope(), "/sent_at", sentAt)))
		if err != nil {
			t.Fatalf("sent at %s: %v", sentAt, err)
		}
		f := Frame{Events: []Received{{SentAt: b.SentAt.UTC(), ReceivedAt: b.SentAt.UTC(), Event: b.Events[0]}}}
		if _, err := f.MarshalBinary(); err != nil {
			t.Errorf("sent at %s: %v", sentAt, err)
		}
	}
}

func TestABatchOfTheUsualSizeIsReadInFewAllocations(t *testing.T) {
	body := usualBatch(t)
	if got := testing.AllocsPerRun(100, func() { _, _, _ = UnmarshalBatch(body) }); got > 20 {
		t.Errorf("a batch of %d bytes takes %.0f allocations", len(body), got)
	}
}

// usualBatch is one of about 12 KB and 20 events.
func usualBatch(t testing.TB) []byte {
	t.Helper()
	var events []any
	for i := range 20 {
		e := minimal(ProductView)
		e["visitor_id"], e["session_id"] = fmt.Sprintf("visitor-%d", i), fmt.Sprintf("session-%d", i)
		e["page"] = map[string]any{"url": "https://shop.example/boots/winter?utm_source=newsletter", "title": "Winter boots", "referrer": "https://www.google.com/"}
		events = append(events, e)
	}
	body := encode(set(envelope(), "/events", events))
	if len(body) < 10_000 || len(body) > 14_000 {
		t.Fatalf("the usual batch has %d bytes", len(body))
	}
	return body
}

func BenchmarkUnmarshalBatch(b *testing.B) {
	body := usualBatch(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := UnmarshalBatch(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	raw := encode(set(minimal(ProductView), "/page", map[string]any{"url": "https://shop.example/boots/winter", "title": "Winter boots"}))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Unmarshal(raw, noon); err != nil {
			b.Fatal(err)
		}
	}
}

// TestWhatIsNoJSONIsNeitherABatchNorAnEvent reads JSONTestSuite in every place.
// What is JSON is parsed or refused by a rule that says another thing.
func TestWhatIsNoJSONIsNeitherABatchNorAnEvent(t *testing.T) {
	dir := sharedData(t, "jsontestsuite/test_parsing")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 318 {
		t.Fatalf("found %d files, want 318: %v", len(files), err)
	}
	inEvent := encode(set(full(), "/custom/theme", "MARKER"))
	seen := map[byte]int{}
	for _, file := range files {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen[name[0]]++
		for what, read := range map[string]func() error{
			"a batch":             func() error { _, _, err := UnmarshalBatch(text); return err },
			"an event":            func() error { _, err := Unmarshal(text, noon); return err },
			"an event of a batch": func() error { _, _, err := UnmarshalBatch(withEvent(string(text))); return err },
			"a value of an event": func() error {
				_, err := Unmarshal(bytes.Replace(inEvent, []byte(`"MARKER"`), text, 1), noon)
				return err
			},
			"a value of an event of a batch": func() error {
				_, _, err := UnmarshalBatch(withEvent(`{"a":` + string(text) + `}`))
				return err
			},
		} {
			err := read()
			var rule string
			if err != nil {
				p := problems(t, err)[0]
				if rule = p.Rule; p.Message == "" {
					t.Errorf("%s as %s: a problem without a message: %+v", name, what, p)
				}
			}
			malformed := rule == "json" || rule == "utf8" || rule == "depth"
			switch {
			case name[0] == 'n' && err == nil:
				t.Errorf("%s is accepted as %s", name, what)
			case name[0] == 'y' && malformed:
				t.Errorf("%s is refused as %s by %s: %v", name, what, rule, err)
			case name[0] == 'y' && err != nil && what == "a value of an event of a batch":
				t.Errorf("%s is refused as %s by %s: %v", name, what, rule, err)
			}
		}
	}
	if seen['n'] != 188 || seen['y'] != 95 {
		t.Errorf("files by kind: %v", seen)
	}
}

func ExampleUnmarshalBatch() {
	_, _, err := UnmarshalBatch([]byte(`{"v": 1, "shop": "pk_1", "sent_at": "today"}`))
	fmt.Println(err)
	// Output: /sent_at must be a time of RFC 3339
}
