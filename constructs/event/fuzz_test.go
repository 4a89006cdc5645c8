package event

import (
	"bytes"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func FuzzUnmarshal(f *testing.F) {
	f.Add(encode(full()))
	for _, kind := range typesOfEvents() {
		f.Add(encode(minimal(kind)))
	}
	for _, text := range []string{
		``, `null`, `[]`, `{"items":[{"price":"x"}]}`, `{"custom":{"a":1e999}}`, `{"page":{"x":1}}`, "{\"a\":\"\xff\"}", `{"seq":"x","seq":1}`,
		`{"items":null,"custom":null,"page":null}`, `{"type":"\ud83d"}`, `{"client_ts":"2026-03-02T12:00:00+23:59"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := Unmarshal(raw, noon)
		if err != nil {
			for _, p := range problems(t, err) {
				if p.Rule == "" || p.Message == "" {
					t.Fatalf("a problem without a rule or words: %+v", p)
				}
			}
			return
		}
		if !utf8.Valid(raw) || !jsontext.Value(raw).IsValid(jsontext.AllowInvalidUTF8(true)) {
			t.Fatal("what is no JSON is accepted")
		}
		written, err := json.Marshal(e, json.Deterministic(true))
		if err != nil {
			t.Fatalf("an accepted event cannot be written: %v", err)
		}
		again, err := Unmarshal(written, noon)
		if err != nil {
			t.Fatalf("an accepted event, written again, is refused: %v\n%s", err, written)
		}
		if !again.ClientTS.Equal(e.ClientTS) {
			t.Fatalf("its time changes from %s to %s", e.ClientTS, again.ClientTS)
		}
		e.ClientTS, again.ClientTS = time.Time{}, time.Time{} // equal, of two zones of one name
		if !reflect.DeepEqual(e, again) {
			t.Fatalf("an accepted event changes when it is written again:\n%+v\n%+v", e, again)
		}
	})
}

// FuzzSkip holds our scanner to the library's verdict on any value.
func FuzzSkip(f *testing.F) {
	f.Add(encode(full()))
	for _, text := range []string{
		`{}`, `[ ]`, `{"a" : [1 , -0.5e+7,true,false,null,"\u00eF\n\"\\"] , "a":{}}`, `"\ud83d"`, "\"\xff\x7f \"", "\"\x1f\"", "\"01234567\n\"", `01`, `-`, `1.`, `1e`, `-0`, `.5`,
		`tru`, `nulll`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `[1 2]`, `"\u12g4"`, `"\x"`, `"a`, `{a:1}`, "\"\\u\x10000\"", `[1}`, `{"a":1]`, "\x00", ``, ` 1`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const room = 12
		want := jsontext.Value(b).IsValid(lenient) && !tooDeep(b, room)
		end := skip(b, space(b, 0), room)
		if got := end != nowhere && space(b, end) == len(b); got != want {
			t.Fatalf("%q: got %t, the library says %t", b, got, want)
		}
	})
}

func FuzzUnmarshalBatch(f *testing.F) {
	f.Add(encode(envelope()))
	for _, raw := range []string{`{}`, `{"visitor_id":"a","visitor_id":1,"session_id":null}`, `{"visitor\u005fid":"\ud83d"}`, `{"a":[[[]]]}`, `{"consent":{"state":"denied"}}`} {
		f.Add(withEvent(raw))
	}
	for _, text := range []string{``, `{}`, `[`, `{"v":1,"v":1}`, `{"events":[{}]}{`, `{"sent_at":null,"events":[1]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		b, ids, err := UnmarshalBatch(body)
		if !bytes.Equal(body, before) {
			t.Fatal("the body changed")
		}
		if err != nil {
			problems(t, err)
			return
		}
		if !utf8.Valid(body) || !jsontext.Value(body).IsValid(lenient) {
			t.Fatal("what is no JSON is accepted")
		}
		if len(ids) != len(b.Events) || len(ids) == 0 || len(ids) > MaxBatchEvents {
			t.Fatalf("%d events have %d ids", len(b.Events), len(ids))
		}
		for i, raw := range b.Events {
			for _, visitor := range []string{"", "h1_x"} {
				anonymous := ids[i].AppendEvent(nil, visitor)
				r := reader{body: anonymous}
				if r.next() != '{' {
					t.Fatalf("%s becomes %s", raw, anonymous)
				}
				again, err := r.event()
				if err != nil || len(again.raw) != len(anonymous) {
					t.Fatalf("%s becomes %s: %v", raw, anonymous, err)
				}
				for _, p := range again.personal {
					if value := string(anonymous[p.start:p.end]); visitor == "" || p.visitor && value != `"h1_x"` && value != "0" {
						t.Fatalf("%s becomes %s, which holds %s", raw, anonymous, value)
					}
				}
				if !bytes.Equal(again.Event, ids[i].Event) || again.Consent != ids[i].Consent {
					t.Fatalf("%s becomes %s", raw, anonymous)
				}
				frame := Frame{Events: []Received{{SentAt: b.SentAt.UTC(), Event: anonymous}}}
				var got Frame
				if err := got.UnmarshalBinary(marshalFrame(t, frame)); err != nil {
					t.Fatalf("an accepted event has no frame: %v", err)
				}
				if _, err := (Quarantined{Original: got.Events[0].Event}).MarshalJSON(); err != nil {
					t.Fatalf("an accepted event has no quarantine record: %v", err)
				}
			}
		}
	})
}

func FuzzUnmarshalPack(f *testing.F) {
	line := pack(f, stored(1, 0, 5), stored(2, 0, 5))[0]
	f.Add(line)
	f.Add(line[:len(line)/2])
	f.Add([]byte(`{"pack":{"id":"e3b0c442-98fc-1c14-9afb-f4c8996fb924","contract":1},"events":[]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := UnmarshalPack(line)
		if err != nil {
			if len(p.Events) > 0 {
				t.Fatal("a refused pack is half read")
			}
			return
		}
		count := 0
		for _, f := range p.Header.Frames {
			count += f.Count
		}
		if count != len(p.Events) {
			t.Fatalf("a pack of %d events says %d", len(p.Events), count)
		}
	})
}
