package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/shopstream/shopstream/constructs/event"
)

// compiled are the published schemas.
func compiled(t *testing.T) (eventSchema, batchSchema *jsonschema.Schema) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"event", "batch"} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(generated[json.RawMessage](t, name+".schema.json")))
		if err == nil {
			err = c.AddResource(urn(name), doc)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c.MustCompile(urn("event")), c.MustCompile(urn("batch"))
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func decode(t *testing.T, b []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryExampleIsValid(t *testing.T) {
	ofEvent, ofBatch := compiled(t)
	for _, kind := range types() {
		e, err := example(kind)
		if err != nil {
			t.Fatal(err)
		}
		if err := ofEvent.Validate(decode(t, encode(e))); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := event.Unmarshal(encode(e), received); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	batch, err := exampleBatch()
	if err != nil {
		t.Fatal(err)
	}
	if err := ofBatch.Validate(decode(t, encode(batch))); err != nil {
		t.Error(err)
	}
	if _, _, err := event.UnmarshalBatch(encode(batch)); err != nil {
		t.Error(err)
	}
}

func TestAnEventWithoutAPartThatItsTypeNeedsIsRefused(t *testing.T) {
	ofEvent, _ := compiled(t)
	for _, kind := range types() {
		for _, part := range needed(kind) {
			for what, value := range map[string]any{"absent": nil, "null": json.RawMessage("null"), "empty": json.RawMessage("[]")} {
				e := mapped(t, kind)
				if e[part.Name] = value; value == nil {
					delete(e, part.Name)
				}
				refused(t, ofEvent, e, kind+" with "+part.Name+" "+what)
			}
		}
	}
}

// mapped is the example of a type as a map, with all of its optional parts.
func mapped(t *testing.T, kind string) map[string]any {
	t.Helper()
	e, err := example(kind)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(encode(e), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// refused requires that schema and decoder refuse an event.
func refused(t *testing.T, schema *jsonschema.Schema, e any, what string) {
	t.Helper()
	raw := encode(e)
	if schema.Validate(decode(t, raw)) == nil {
		t.Errorf("the schema accepts %s", what)
	}
	if _, err := event.Unmarshal(raw, received); err == nil {
		t.Errorf("the decoder accepts %s", what)
	}
}

// accepted requires that schema and decoder accept an event.
func accepted(t *testing.T, schema *jsonschema.Schema, e any, what string) {
	t.Helper()
	raw := encode(e)
	if err := schema.Validate(decode(t, raw)); err != nil {
		t.Errorf("the schema refuses %s: %v", what, err)
	}
	if _, err := event.Unmarshal(raw, received); err != nil {
		t.Errorf("the decoder refuses %s: %v", what, err)
	}
}

// full is an event with every part.
func full(t *testing.T) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, kind := range types() {
		maps.Copy(all, mapped(t, kind))
	}
	all["custom"] = map[string]any{"theme": "dark", "visits": 3, "member": true}
	return all
}

// TestTheSchemaDrawsTheDecodersLines puts values on both sides of every limit
// of every field.
func TestTheSchemaDrawsTheDecodersLines(t *testing.T) {
	ofEvent, _ := compiled(t)
	accepted(t, ofEvent, full(t), "an event with every part")
	count := 0
	var walk func(fields []event.Field, at []string)
	walk = func(fields []event.Field, at []string) {
		for _, f := range fields {
			path := append(at[:len(at):len(at)], f.Name)
			good, bad := around(f)
			for _, v := range good {
				accepted(t, ofEvent, with(full(t), path, v), fmt.Sprintf("%v of %.60s", path, fmt.Sprint(v)))
			}
			for _, v := range bad {
				refused(t, ofEvent, with(full(t), path, v), fmt.Sprintf("%v of %.60s", path, fmt.Sprint(v)))
			}
			count += len(good) + len(bad)
			if len(f.Fields) > 0 {
				walk(f.Fields, path)
			}
		}
		refused(t, ofEvent, with(full(t), append(at[:len(at):len(at)], "unheard_of"), 1), fmt.Sprintf("an unknown field in %v", at))
	}
	walk(event.EventFields, nil)
	t.Logf("%d values", count)
	if count < 300 {
		t.Errorf("only %d values were tried", count)
	}
}

type absent struct{}

// with is the event with v at path; the first element of a list is meant.
func with(e map[string]any, path []string, v any) any {
	parent := e
	for _, name := range path[:len(path)-1] {
		switch inner := parent[name].(type) {
		case map[string]any:
			parent = inner
		case []any:
			parent = inner[0].(map[string]any)
		}
	}
	if parent[path[len(path)-1]] = v; v == (absent{}) {
		delete(parent, path[len(path)-1])
	}
	return e
}

// around are values that f's limits just allow, and that they just do not.
func around(f event.Field) (good, bad []any) {
	text := func(n int) string { return strings.Repeat("é", n) }
	absences := []any{absent{}, nil}
	if f.Required {
		bad = append(bad, absences...)
	} else if f.RequiredIn == nil {
		good = append(good, absences...)
	}
	switch f.Kind {
	case event.KindText, event.KindURL, event.KindID:
		good = append(good, text(f.Length), "x")
		bad = append(bad, text(f.Length+1), 7, true, []any{}, map[string]any{})
		if f.Required {
			bad = append(bad, "")
		} else {
			good = append(good, "")
		}
		if f.Kind == event.KindID {
			bad = append(bad, "a@b", "a\nb", "a\u007fb", "a\u0000")
			good = append(good, "a b/c:ü")
		} else {
			good = append(good, "a@b\n")
		}
	case event.KindUUIDv7:
		bad = append(bad, "", "42", "019CAE6B-6600-79AD-BD38-23EAC70C0ABB", "019cae6b-6600-49ad-bd38-23eac70c0abb", "019cae6b-6600-79ad-0d38-23eac70c0abb", "{019cae6b-6600-79ad-bd38-23eac70c0abb}", 7)
	case event.KindEnum:
		for _, v := range f.Values {
			good = append(good, v)
		}
		bad = append(bad, "", "nothing", strings.ToUpper(f.Values[0]), 1)
	case event.KindTime:
		good = append(good, "1970-01-01T00:00:00Z", "9998-12-31T23:59:59.999Z", "2026-03-02T12:00:00.123456789-05:30", "2028-02-29T00:00:00Z")
		bad = append(bad, "", "yesterday", "2026-03-02", "2026-03-02 12:00:00Z", "2026-03-02T12:00:00", "2026-02-29T00:00:00Z", "2026-03-02T24:00:00Z", "2026-03-02T12:00:60Z", "2026-03-02t12:00:00z", "1969-06-01T00:00:00Z", "9999-06-01T00:00:00Z", "2026-03-02T12:00:00+24:00", 1772452800)
	case event.KindCurrency:
		good, bad = append(good, "USD"), append(bad, "", "usd", "EURO", "E€", 978)
	case event.KindInteger, event.KindNumber:
		good, bad = aroundNumber(f, good, bad)
	case event.KindObject:
		bad = append(bad, []any{}, "x", 1)
	case event.KindList:
		item := map[string]any{"item_id": "p", "price": 1, "currency": "EUR"}
		long := make([]any, f.Length+1)
		for i := range long {
			long[i] = item
		}
		good = append(good, []any{item}, long[:f.Length])
		bad = append(bad, long, []any{1}, []any{nil}, map[string]any{}, "x")
	case event.KindCustom:
		many := map[string]any{}
		for i := range f.Length {
			many[fmt.Sprintf("key_%d", i)] = i
		}
		more := maps.Clone(many)
		more["one_more"] = 1
		good = append(good, map[string]any{}, many, map[string]any{"a.b-c_1": text(event.MaxCustomText)}, map[string]any{"_" + strings.Repeat("x", 63): -1.5})
		bad = append(bad, more, map[string]any{"a": text(event.MaxCustomText + 1)}, map[string]any{"a": nil}, map[string]any{"a": []any{}}, map[string]any{"a": map[string]any{}},
			map[string]any{"": 1}, map[string]any{"1a": 1}, map[string]any{"a b": 1}, map[string]any{"x" + strings.Repeat("x", 64): 1}, []any{}, json.RawMessage(`{"a":1e999}`))
	}
	return good, bad
}

func aroundNumber(f event.Field, good, bad []any) (_, _ []any) {
	step := 0.001
	if f.Kind == event.KindInteger {
		step = 1
		bad = append(bad, json.RawMessage("1.5"), json.RawMessage("9223372036854775808"))
	}
	bad = append(bad, "1", true, f.Min-step)
	if f.Over {
		good, bad = append(good, f.Min+step), append(bad, f.Min)
	} else {
		good = append(good, f.Min)
	}
	if literal(f.Max) == "" {
		return append(good, json.RawMessage("9223372036854775807")), bad
	}
	return append(good, json.RawMessage(literal(f.Max))), append(bad, json.RawMessage(literal(f.Max+step)))
}

func TestABatchThatBreaksItsEnvelopeIsRefused(t *testing.T) {
	_, ofBatch := compiled(t)
	for pointer, values := range map[string][]any{
		"v": {absent{}, 0, 2, "1"}, "shop": {absent{}, "", "a@b", strings.Repeat("x", 65)}, "sent_at": {absent{}, "now"},
		"batch_id": {absent{}, "42"}, "seq": {-1, "0"}, "events": {absent{}, []any{}, []any{1}, map[string]any{}}, "debug": {true},
	} {
		for _, v := range values {
			made, err := exampleBatch()
			if err != nil {
				t.Fatal(err)
			}
			var batch map[string]any
			if err := json.Unmarshal(encode(made), &batch); err != nil {
				t.Fatal(err)
			}
			raw := encode(with(batch, []string{pointer}, v))
			if ofBatch.Validate(decode(t, raw)) == nil {
				t.Errorf("the schema accepts %s of %v", pointer, v)
			}
			if _, _, err := event.UnmarshalBatch(raw); err == nil {
				t.Errorf("the decoder accepts %s of %v", pointer, v)
			}
		}
	}
}
