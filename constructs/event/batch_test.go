package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestABatchIsDecodedAndItsEventsStayRaw(t *testing.T) {
	b, err := UnmarshalBatch(encode(envelope()))
	if err != nil {
		t.Fatal(err)
	}
	if b.V != 1 || b.Shop != "pk_test" || !b.SentAt.Equal(noon) || b.Seq != 0 || len(b.Events) != 1 || !bytes.Equal(b.Events[0], encode(full())) {
		t.Errorf("batch is %+v", b)
	}
}

func TestABatchMayHoldEventsThatBreakTheContract(t *testing.T) {
	if _, err := UnmarshalBatch(encode(set(envelope(), "/events/0", map[string]any{"nonsense": []any{1}}))); err != nil {
		t.Errorf("refused: %v; its events are preprocess's to judge", err)
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
		{"no version", "/v", removed, "/v", "enum"},
		{"a future version", "/v", 2, "/v", "enum"},
		{"a version in text", "/v", "1", "/v", "type"},
		{"no shop", "/shop", removed, "/shop", "required"},
		{"a long shop key", "/shop", strings.Repeat("k", 65), "/shop", "length"},
		{"a shop in a list", "/shop", []any{"pk"}, "/shop", "type"},
		{"no sending time", "/sent_at", removed, "/sent_at", "required"},
		{"a sending time of null", "/sent_at", nil, "/sent_at", "required"},
		{"a sending time of another form", "/sent_at", "2 March 2026", "/sent_at", "time"},
		{"a sending time in seconds", "/sent_at", 1772452800, "/sent_at", "time"},
		{"a sending time without a zone", "/sent_at", "2026-03-02T12:00:00", "/sent_at", "time"},
		{"a sending time before computers", "/sent_at", "1969-12-31T23:59:59Z", "/sent_at", "range"},
		{"a sending time whose year in UTC is 10000", "/sent_at", "9999-12-31T23:59:59-01:00", "/sent_at", "range"},
		{"a sending time whose year in UTC is -1", "/sent_at", "0000-01-01T00:00:00+01:00", "/sent_at", "range"},
		{"no batch id", "/batch_id", removed, "/batch_id", "uuid"},
		{"a batch id that is no UUID", "/batch_id", "batch-1", "/batch_id", "uuid"},
		{"a batch id in braces", "/batch_id", "{0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11}", "/batch_id", "uuid"},
		{"a batch id without dashes", "/batch_id", "0b4b3d3e5f9a4c399f0a6f4d1c6f3c11", "/batch_id", "uuid"},
		{"a negative number", "/seq", -1, "/seq", "range"},
		{"a broken number", "/seq", 1.5, "/seq", "type"},
		{"a number beyond 64 bits", "/seq", json.Number("9223372036854775808"), "/seq", "type"},
		{"no events", "/events", removed, "/events", "required"},
		{"an empty list of events", "/events", []any{}, "/events", "required"},
		{"events that are no list", "/events", map[string]any{}, "/events", "type"},
		{"an event that is text", "/events/0", "x", "/events/0", "type"},
		{"an event that is null", "/events/0", nil, "/events/0", "type"},
		{"an event that is a list", "/events/0", []any{}, "/events/0", "type"},
		{"an unknown field", "/debug", true, "/debug", "unknown_field"},
		{"an unknown field with an unusual name", "/jane@example.com", true, "", "unknown_field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := UnmarshalBatch(encode(set(envelope(), c.edit, c.value)))
			wantProblem(t, err, c.pointer, c.rule)
		})
	}
	for name, body := range map[string]string{
		"nothing":         "",
		"half an object":  `{"v":1`,
		"bytes behind it": string(encode(envelope())) + "{}",
		"a NUL behind it": string(encode(envelope())) + "\x00",
		"no UTF-8":        "{\"shop\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := UnmarshalBatch([]byte(body))
			wantProblem(t, err, "", "json")
		})
	}
	for name, body := range map[string]string{"a list": `[]`, "a text": `"x"`, "a number": `1`} {
		t.Run(name, func(t *testing.T) {
			_, err := UnmarshalBatch([]byte(body))
			wantProblem(t, err, "", "type")
		})
	}
}

func TestABatchTellsAllProblemsOfItsEnvelopeInTheOrderOfItsFields(t *testing.T) {
	_, err := UnmarshalBatch([]byte(`{}`))
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
		b, err := UnmarshalBatch(encode(set(envelope(), "/sent_at", sentAt)))
		if err != nil {
			t.Fatalf("sent at %s: %v", sentAt, err)
		}
		f := Frame{Events: []Received{{SentAt: b.SentAt.UTC(), ReceivedAt: b.SentAt.UTC(), Event: b.Events[0]}}}
		if _, err := f.MarshalBinary(); err != nil {
			t.Errorf("sent at %s: %v", sentAt, err)
		}
	}
}

func TestWhatIsNoJSONIsNeitherABatchNorAnEvent(t *testing.T) {
	dir := sharedData(t, "jsontestsuite/test_parsing")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 318 {
		t.Fatalf("found %d files, want 318: %v", len(files), err)
	}
	marker := []byte(`"MARKER"`)
	inBatch := encode(set(envelope(), "/events/0", "MARKER"))
	inEvent := encode(set(full(), "/custom/theme", "MARKER"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bodies := map[string]func() error{
			"a batch":             func() error { _, err := UnmarshalBatch(text); return err },
			"an event":            func() error { _, err := Unmarshal(text, noon); return err },
			"an event of a batch": func() error { _, err := UnmarshalBatch(bytes.Replace(inBatch, marker, text, 1)); return err },
			"a value of an event": func() error { _, err := Unmarshal(bytes.Replace(inEvent, marker, text, 1), noon); return err },
		}
		for what, read := range bodies {
			err := read() // must not panic, whatever the file
			if strings.HasPrefix(filepath.Base(file), "n_") {
				if err == nil {
					t.Errorf("%s is accepted as %s", filepath.Base(file), what)
					continue
				}
				problems(t, err)
			}
		}
	}
}

func ExampleUnmarshalBatch() {
	_, err := UnmarshalBatch([]byte(`{"v": 1, "shop": "pk_1", "sent_at": "today"}`))
	fmt.Println(err)
	// Output: /sent_at must be a time of RFC 3339
}
