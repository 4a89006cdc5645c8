// Package jsonbench compares libraries for JSON: what they let pass, and how
// long they take to decode an event. docs/decisions/0006-json-library.md draws
// the conclusion.
package jsonbench

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bytedance/sonic"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	goccy "github.com/goccy/go-json"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/traffic"
)

var strictSonic = sonic.Config{DisallowUnknownFields: true, ValidateString: true, CopyString: true}.Froze()

// libraries decode an event as strictly as they can.
var libraries = []struct {
	name   string
	decode func(raw []byte, e *event.Event) error
}{
	{"json/v2", func(raw []byte, e *event.Event) error { return json.Unmarshal(raw, e, json.RejectUnknownMembers(true)) }},
	{"encoding/json", func(raw []byte, e *event.Event) error {
		d := stdjson.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		return whole(d.Decode(e), d.Token)
	}},
	{"goccy/go-json", func(raw []byte, e *event.Event) error {
		d := goccy.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		err := d.Decode(e)
		return whole(err, func() (stdjson.Token, error) { return d.Token() })
	}},
	{"bytedance/sonic", func(raw []byte, e *event.Event) error { return strictSonic.Unmarshal(raw, e) }},
}

// whole requires that nothing follows: a decoder with options reads a stream.
func whole(err error, next func() (stdjson.Token, error)) error {
	if err == nil {
		if _, err := next(); err != io.EOF {
			return errors.New("bytes behind it")
		}
	}
	return err
}

// traps are what a strict decoder refuses.
var traps = []struct{ what, raw string }{
	{"a field twice", `{"seq":1,"seq":2}`},
	{"a field in another case", `{"SEQ":1}`},
	{"an unknown field", `{"debug":1}`},
	{"bad UTF-8 in a text", "{\"type\":\"\xff\"}"},
	{"bad UTF-8 in a name", "{\"custom\":{\"\xff\":1}}"},
	{"bytes behind the value", `{"seq":1}x`},
	{"a control character in a text", "{\"type\":\"a\nb\"}"},
	{"a number with a leading 0", `{"seq":01}`},
	{"a fraction in a whole number", `{"seq":1.5}`},
	{"a text for a number", `{"seq":"1"}`},
	{"lists 100,000 deep", `{"custom":{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`},
}

// table says which library refuses what, in Markdown.
func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| |")
	for _, l := range libraries {
		b.WriteString(" " + l.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(libraries)) + "\n")
	refuses := func(l int, raw []byte) bool {
		var e event.Event
		return libraries[l].decode(raw, &e) != nil
	}
	for _, trap := range traps {
		b.WriteString("| " + trap.what + " |")
		for l := range libraries {
			b.WriteString(map[bool]string{true: " refused |", false: " taken |"}[refuses(l, []byte(trap.raw))])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTheDecisionsTableIsTrue(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "decisions", "0006-json-library.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := table(t); !strings.Contains(string(page), want) {
		t.Errorf("the decision must hold this table:\n%s", want)
	}
}

// sample are events of a real shop's log, and one that has every part.
func sample(t testing.TB) [][]byte {
	t.Helper()
	log, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "rees46", "2019-Oct.csv"))
	if err != nil {
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	defer log.Close()
	source, _, err := traffic.Log(log)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for batch := range source.Batches {
		for _, raw := range batch.Events {
			if all = append(all, raw); len(all) == 2000 {
				return all
			}
		}
	}
	return all
}

func BenchmarkDecode(b *testing.B) {
	events := sample(b)
	for _, l := range libraries {
		b.Run(l.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				var e event.Event
				if err := l.decode(events[i%len(events)], &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("event.Unmarshal, which also checks", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := event.Unmarshal(events[i%len(events)], time.Date(2019, 10, 1, 12, 0, 0, 0, time.UTC)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBatch decodes the envelope alone and leaves the events raw.
func BenchmarkBatch(b *testing.B) {
	events := sample(b)[:20]
	body := fmt.Appendf(nil, `{"v":1,"shop":"pk","sent_at":"2019-10-01T00:00:00Z","batch_id":"0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11","seq":0,"events":[%s]}`, bytes.Join(events, []byte(",")))
	type batch[Raw any] struct {
		V       int       `json:"v"`
		Shop    string    `json:"shop"`
		SentAt  time.Time `json:"sent_at"`
		BatchID string    `json:"batch_id"`
		Seq     int64     `json:"seq"`
		Events  []Raw     `json:"events"`
	}
	for _, l := range []struct {
		name   string
		decode func() error
	}{
		{"event.UnmarshalBatch, which also finds the ids", func() error { _, _, err := event.UnmarshalBatch(body); return err }},
		{"json/v2", func() error {
			return json.Unmarshal(body, new(batch[jsontext.Value]), json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(true))
		}},
		{"encoding/json", func() error { return stdjson.Unmarshal(body, new(batch[stdjson.RawMessage])) }},
		{"goccy/go-json", func() error { return goccy.Unmarshal(body, new(batch[goccy.RawMessage])) }},
		{"bytedance/sonic", func() error { return strictSonic.Unmarshal(body, new(batch[stdjson.RawMessage])) }},
	} {
		b.Run(l.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := l.decode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestWhatTheLibrariesTakeOfJSONTestSuite counts files that are no JSON and are
// taken, and ones that are and are not.
func TestWhatTheLibrariesTakeOfJSONTestSuite(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "jsontestsuite", "test_parsing", "[ny]_*.json"))
	if len(files) == 0 {
		t.Skip("needs the shared data beside the project")
	}
	for name, decode := range map[string]func([]byte) error{
		"json/v2":         func(b []byte) error { var v any; return json.Unmarshal(b, &v) },
		"encoding/json":   func(b []byte) error { var v any; return stdjson.Unmarshal(b, &v) },
		"goccy/go-json":   func(b []byte) error { var v any; return goccy.Unmarshal(b, &v) },
		"bytedance/sonic": func(b []byte) error { var v any; return strictSonic.Unmarshal(b, &v) },
	} {
		taken, refused := 0, 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			err = decode(text)
			switch {
			case err == nil && filepath.Base(file)[0] == 'n':
				taken++
			case err != nil && filepath.Base(file)[0] == 'y':
				refused++
			}
		}
		t.Logf("%s takes %d files that are no JSON and refuses %d that are", name, taken, refused)
	}
}
