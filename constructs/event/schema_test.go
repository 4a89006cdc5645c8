package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// published is the contract's schema as another library reads it.
func published(t testing.TB, name string) func(raw []byte) error {
	t.Helper()
	file, err := os.Open(filepath.Join("schema", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	if name == "batch.schema.json" { // refers to events, which the decoder of batches does not judge
		if err := c.AddResource(fmt.Sprintf("urn:shopstream:contract:%d:event", SchemaVersion), map[string]any{"type": "object"}); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return func(raw []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
}

// TestTheDecoderAndThePublishedSchemaAgree changes events and batches at random
// places and asks both for their verdict.
func TestTheDecoderAndThePublishedSchemaAgree(t *testing.T) {
	for _, c := range []struct {
		schema string
		fresh  func(n int) map[string]any
		read   func(raw []byte) error
	}{
		{"event.schema.json", func(n int) map[string]any {
			if types := typesOfEvents(); n%4 != 0 {
				return minimal(types[n%len(types)])
			}
			return full()
		}, func(raw []byte) error { _, err := Unmarshal(raw, noon); return err }},
		{"batch.schema.json", func(int) map[string]any {
			e := envelope()
			e["events"] = []any{map[string]any{"event_id": 1}, map[string]any{}}
			return e
		}, func(raw []byte) error { _, _, err := UnmarshalBatch(raw); return err }},
	} {
		t.Run(c.schema, func(t *testing.T) {
			oracle, random := published(t, c.schema), rand.New(rand.NewPCG(7, 11))
			rounds := 4000
			if testing.Short() {
				rounds = 1000
			}
			accepted, refused := 0, 0
			for n := range rounds {
				doc := any(c.fresh(n))
				for range random.IntN(3) {
					doc = mutate(random, doc)
				}
				raw := encode(doc)
				got, want := c.read(raw), oracle(raw)
				if (got == nil) != (want == nil) {
					t.Errorf("%.1500s\ndecoder: %v\nschema: %v", raw, got, want)
				}
				if got == nil {
					accepted++
				} else {
					refused++
				}
			}
			if accepted < rounds/5 || refused < rounds/5 {
				t.Errorf("%d are accepted and %d refused: that says little", accepted, refused)
			}
			t.Logf("%d accepted, %d refused by both", accepted, refused)
		})
	}
}

// spare are values that break a rule somewhere and keep it elsewhere.
func spare() []any {
	text := func(s string, n int) any { return strings.Repeat(s, n) }
	number := func(s string) any { return json.Number(s) }
	return []any{
		nil, true, false, "", "x", " ", "a@b.de", "a\nb", "\x7f", "\u2028", "EUR", "eur", "ÄÖÜ", "purchase", "refund", "granted", "Granted",
		"2026-03-02T12:00:00Z", "2026-03-02T12:00:00.123456789+05:30", "2026-02-30T12:00:00Z", "2026-03-02T24:00:00Z", "2026-03-02", "1969-12-30T00:00:00Z",
		NewID(noon, [32]byte{9}), "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", "0B4B3D3E-5F9A-4C39-9F0A-6F4D1C6F3C11", "019cae6b-6600-7a97-8112-ca1bbdcafac2x",
		text("x", 64), text("😀", 64), text("x", 65), text("é", 1024), text("é", 1025), text("u", 4096), text("u", 4097),
		number("0"), number("-0"), number("1"), number("-1"), number("5"), number("5.5"), number("20"), number("21"), number("0.01"), number("-0.5"),
		number("1000000"), number("1000001"), number("1000000000000"), number("1000000000000.5"), number("10000000000000"), number("1e400"), number("-1e400"),
		number("9223372036854775807"), number("9223372036854775808"),
		[]any{}, []any{nil}, []any{1}, []any{map[string]any{}}, map[string]any{}, map[string]any{"a": 1}, map[string]any{"a": nil}, map[string]any{"a b": 1}, map[string]any{"a": []any{}},
		manyKeys(50), manyKeys(51),
	}
}

// mutate changes something within a value.
func mutate(random *rand.Rand, v any) any {
	replacement := func() any { all := spare(); return all[random.IntN(len(all))] }
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return replacement()
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		name := names[random.IntN(len(names))]
		switch random.IntN(8) {
		case 0:
			delete(v, name)
		case 1:
			v[[]string{"debug", "Type", "a b", ""}[random.IntN(4)]] = replacement()
		case 2, 3:
			v[name] = replacement()
		default:
			v[name] = mutate(random, v[name])
		}
		return v
	case []any:
		if len(v) == 0 || random.IntN(5) == 0 {
			return replacement()
		}
		i := random.IntN(len(v))
		switch random.IntN(6) {
		case 0:
			return slices.Delete(v, i, i+1)
		case 1:
			return slices.Repeat(v, 1+random.IntN(120))
		}
		v[i] = mutate(random, v[i])
		return v
	}
	return replacement()
}

// TestWhereTheDecoderAndTheSchemaDifferIsKnown is the whole list. The schema
// sees values, not how they are written, and knows neither a clock nor a size.
func TestWhereTheDecoderAndTheSchemaDifferIsKnown(t *testing.T) {
	oracle := published(t, "event.schema.json")
	valid := string(encode(full()))
	old := NewID(noon.Add(-MaxEventAge-1e9), [32]byte{1})
	for _, c := range []struct{ what, raw, rule string }{
		{"a whole number with a fraction of 0", strings.Replace(valid, `"seq":3`, `"seq":3.0`, 1), "type"},
		{"a whole number with an exponent", strings.Replace(valid, `"seq":3`, `"seq":3e2`, 1), "type"},
		{"a number that 64 bits round to 0", strings.Replace(valid, `"price":5`, `"price":1e-400`, 1), "range"},
		{"a time whose year in UTC is 9999", strings.Replace(valid, `2026-03-02T13:00:00+01:00`, `9998-12-31T23:59:59-01:00`, 1), "range"},
		{"an id whose time is long ago", strings.Replace(valid, full()["event_id"].(string), old, 1), "event_time"},
	} {
		_, err := Unmarshal([]byte(c.raw), noon)
		if c.raw == valid || err == nil {
			t.Errorf("%s is accepted", c.what)
			continue
		}
		schema := oracle([]byte(c.raw))
		if got := problems(t, err)[0].Rule; got != c.rule || schema != nil {
			t.Errorf("%s: decoder says %v, schema %v", c.what, err, schema)
		}
	}
	const before1970 = `1969-12-31T23:30:00-01:00` // in UTC it is 1970
	raw := []byte(strings.Replace(valid, `2026-03-02T13:00:00+01:00`, before1970, 1))
	if _, err := Unmarshal(raw, noon); err != nil || oracle(raw) == nil {
		t.Errorf("the time %s: decoder says %v, schema %v", before1970, err, oracle(raw))
	}
}
