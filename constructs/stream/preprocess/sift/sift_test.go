package sift

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/scrub"
)

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	firefox = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
)

func id(n byte) string { return event.NewID(noon, [32]byte{4: n}) }

// view is a valid event with other fields behind those that it must have.
func view(n byte, more string) string {
	return fmt.Sprintf(`{"event_id":%q,"type":"product_view","seq":1,"client_ts":"2026-03-01T12:00:00Z","items":[{"item_id":"a","price":1,"currency":"EUR"}]%s}`, id(n), more)
}

func frame(deeds ...string) *event.Frame {
	f := &event.Frame{ID: uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(deeds))), CreatedAt: noon.Add(time.Minute)}
	for _, deed := range deeds {
		f.Events = append(f.Events, event.Received{
			ShopID: "shoes", BatchID: "8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11", SentAt: noon, ReceivedAt: noon,
			Trust: event.TrustBrowser, UserAgent: firefox, Event: jsontext.Value(deed),
		})
	}
	return f
}

// stored sifts one event that is valid.
func stored(t *testing.T, deed string) event.Stored {
	t.Helper()
	s := New("").Batch().Sift(frame(deed))
	if len(s.Stored) != 1 {
		t.Fatalf("%s is not stored: %+v", deed, s)
	}
	return s.Stored[0]
}

// quarantined sifts one event that is not.
func quarantined(t *testing.T, deed string) event.Quarantined {
	t.Helper()
	s := New("42").Batch().Sift(frame(deed))
	if len(s.Quarantined) != 1 {
		t.Fatalf("%s is not quarantined: %+v", deed, s)
	}
	return s.Quarantined[0]
}

func TestWhatIsAddedToAnEvent(t *testing.T) {
	e := stored(t, view(1, `,"page":{"url":"https://shop.example/?utm_source=letter&utm_term=for+ann@example.com&token=x","referrer":"https://www.google.com/"}`))
	if want := (event.Device{Category: "desktop", OperatingSystem: "Linux", Browser: "Firefox"}); e.Device == nil || *e.Device != want {
		t.Errorf("device is %+v, want %+v", e.Device, want)
	}
	if want := (event.Referrer{Medium: "search", Source: "Google"}); e.Referrer == nil || *e.Referrer != want {
		t.Errorf("referrer is %+v, want %+v", e.Referrer, want)
	}
	if want := (event.Campaign{Source: "letter", Term: "for [email]"}); e.Campaign == nil || *e.Campaign != want {
		t.Errorf("campaign is %+v, want %+v", e.Campaign, want)
	}
	if want := "https://shop.example/?utm_source=letter&utm_term=for+%5Bemail%5D"; strings.ReplaceAll(e.Page.URL, "%20", "+") != want {
		t.Errorf("page is %s, want %s", e.Page.URL, want)
	}
	if e.ShopBucket != event.ShopBucket("shoes") || e.EventDate != "2026-03-01" || e.SchemaVersion != event.SchemaVersion || e.UserAgent != firefox {
		t.Errorf("got %+v", e)
	}

	t.Run("is scrubbed when it is read", func(t *testing.T) {
		e := stored(t, view(1, `,"page":{"url":"https://shop.example/?utm_term=ann%00@example.com"}`)) // no address until the 0 is gone
		if e.Campaign == nil || e.Campaign.Term != "[email]" {
			t.Errorf("campaign is %+v, want an address's kind", e.Campaign)
		}
	})

	t.Run("is each event's own day", func(t *testing.T) {
		var days []string
		for _, e := range New("").Batch().Sift(frame(view(1, ""), strings.Replace(view(2, ""), id(2), event.NewID(noon.Add(-24*time.Hour), [32]byte{}), 1), view(3, ""))).Stored {
			days = append(days, e.EventDate)
		}
		if got, want := fmt.Sprint(days), "[2026-03-01 2026-02-28 2026-03-01]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})

	t.Run("is absent where nothing says so", func(t *testing.T) {
		f := frame(view(1, ""))
		f.Events[0].UserAgent = ""
		if e := New("").Batch().Sift(f).Stored[0]; e.Device != nil || e.Referrer != nil || e.Campaign != nil {
			t.Errorf("got %+v, %+v and %+v", e.Device, e.Referrer, e.Campaign)
		}
	})

	t.Run("is its time by our clock, and its day by its id", func(t *testing.T) {
		f := frame(view(1, ""))
		f.Events[0].SentAt = noon.Add(5 * time.Second)    // five seconds after client_ts, by the client's clock
		f.Events[0].ReceivedAt = noon.Add(13 * time.Hour) // the client's is 13 hours late
		e := New("").Batch().Sift(f).Stored[0]
		if want := noon.Add(13*time.Hour - 5*time.Second); !e.EventTime.Equal(want) || e.EventDate != "2026-03-01" {
			t.Errorf("got %s on %s, want %s on the id's day", e.EventTime, e.EventDate, want)
		}
	})
}

func TestAnEventThatComesTwiceInABatch(t *testing.T) {
	b := New("").Batch()
	a, twin, other := view(1, ""), view(2, ""), view(1, `,"custom":{"a":1}`)
	f := frame(a, twin, a, other)
	s := b.Sift(f)
	if len(s.Stored) != 2 || fmt.Sprint(s.Duplicates) != "[2]" || len(s.Quarantined) != 1 {
		t.Fatalf("got %+v", s)
	}
	q := s.Quarantined[0]
	if q.Reason != event.ReasonIDCollision || q.Pointer != "/event_id" || q.FramePosition != 3 || !strings.Contains(q.Message, "position 0 of frame "+f.ID.String()) {
		t.Errorf("got %+v, want a collision with position 0", q)
	}

	t.Run("in another frame is left out too", func(t *testing.T) {
		if s := b.Sift(frame(a)); len(s.Stored)+len(s.Quarantined) != 0 || fmt.Sprint(s.Duplicates) != "[0]" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("is another one in another shop", func(t *testing.T) {
		f := frame(a)
		f.Events[0].ShopID = "socks"
		if s := b.Sift(f); len(s.Stored) != 1 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("is stored in another batch", func(t *testing.T) {
		if s := New("").Batch().Sift(frame(a)); len(s.Stored) != 1 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("is refused twice where it breaks the contract", func(t *testing.T) {
		if s := b.Sift(frame(`{"seq":1}`, `{"seq":1}`)); len(s.Quarantined) != 2 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("is stored again behind as many as a batch remembers", func(t *testing.T) {
		full := New("").Batch()
		for i := range maxSeen {
			full.seen[identity{"shoes", fmt.Sprint(i)}] = first{}
		}
		if s := full.Sift(frame(a, a)); len(s.Stored) != 2 || len(full.seen) != maxSeen {
			t.Errorf("got %+v", s)
		}
	})
}

// whole is an event with every field of the contract, whose texts and URLs are
// of the caller's.
func whole(fields []event.Field, say func(event.Field) string) map[string]any {
	e := map[string]any{}
	for _, f := range fields {
		switch f.Kind {
		case event.KindText, event.KindURL:
			e[f.Name] = say(f)
		case event.KindID:
			e[f.Name] = "4111111111111111" // as a card's is, to be left alone
		case event.KindUUIDv7:
			e[f.Name] = id(9)
		case event.KindEnum:
			e[f.Name] = f.Values[0]
		case event.KindTime:
			e[f.Name] = noon
		case event.KindCurrency:
			e[f.Name] = "EUR"
		case event.KindInteger, event.KindNumber:
			e[f.Name] = 1
		case event.KindObject:
			e[f.Name] = whole(f.Fields, say)
		case event.KindList:
			e[f.Name] = []any{whole(f.Fields, say), whole(f.Fields, say)}
		case event.KindCustom:
			e[f.Name] = map[string]any{"note": say(f), "n": 4111111111111111, "m": 42, "ok": true, "call_4111111111111111": 1}
		}
	}
	return e
}

func TestEveryTextOfTheContractIsScrubbedAndNoID(t *testing.T) {
	texts := 0
	raw, err := json.Marshal(whole(event.EventFields, func(f event.Field) string {
		texts++
		if f.Kind == event.KindURL {
			return "https://shop.example/ann@example.com?q=ann@example.com&mail=ann@example.com#ann@example.com"
		}
		return "for ann@example.com"
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		deed string
	}{{"stored", string(raw)}, {"quarantined", strings.Replace(string(raw), "{", `{"unknown":1,`, 1)}} {
		t.Run("when it is "+c.what, func(t *testing.T) {
			b := New("").Batch()
			s := b.Sift(frame(c.deed))
			out, err := json.Marshal(s)
			if err != nil || len(s.Stored)+len(s.Quarantined) != 1 || (len(s.Stored) == 1) != (c.what == "stored") {
				t.Fatalf("%v: %s", err, out)
			}
			if strings.Contains(string(out), "ann@") || strings.Contains(string(out), "mail=") {
				t.Errorf("it still says so: %s", out)
			}
			if got, want := strings.Count(string(out), `"4111111111111111"`), strings.Count(string(raw), `"4111111111111111"`); got != want {
				t.Errorf("%d of %d ids are left: %s", got, want, out)
			}
			if strings.Contains(strings.ReplaceAll(string(out), `"4111111111111111"`, ""), "4111111111111111") {
				t.Errorf("a card is left in custom: %s", out)
			}
			if b.Scrubbed[scrub.Email] < texts || b.Scrubbed[scrub.Card] != 2 {
				t.Errorf("counted %v, want %d e-mail addresses or more and 2 cards", b.Scrubbed, texts)
			}
		})
	}
}

func TestAQuarantinedEventKeepsWhatIsNotPersonal(t *testing.T) {
	for _, c := range []struct{ what, raw, want string }{
		{"an id", `{"session_id":"4111111111111111","x":1}`, `{"session_id":"4111111111111111","x":1}`},
		{"an id but for an e-mail address", `{"session_id":"s-ann@example.com-4111111111111111"}`, `{"session_id":"[email]-4111111111111111"}`},
		{"an id that hides an address", `{"session_id":"ann@intranet"}`, `{"session_id":"[email]"}`},
		{"an id that is a number", `{"items":[{"item_id":4111111111111111}]}`, `{"items":[{"item_id":4111111111111111}]}`},
		{"no id in the place of another", `{"page":{"item_id":"4111111111111111"}}`, `{"page":{"item_id":"[card]"}}`},
		{"no id in a list that is none", `{"items":{"item_id":"4111111111111111"}}`, `{"items":{"item_id":"[card]"}}`},
		{"no unknown name", `{"ann@example.com":1}`, `{"[email]":1}`},
		{"no number that is a card's", `{"x":[4111111111111111,12]}`, `{"x":["[card]",12]}`},
		{"a number of the contract", `{"seq":4111111111111111,"x":1}`, `{"seq":4111111111111111,"x":1}`},
		{"a time", `{"client_ts":"2026-03-01T12:00:00.123456789+01:00","x":1}`, `{"client_ts":"2026-03-01T12:00:00.123456789+01:00","x":1}`},
		{"no text in the place of a time", `{"client_ts":"ann@example.com"}`, `{"client_ts":"[email]"}`},
		{"no text in the place of a word", `{"type":"ann@example.com"}`, `{"type":"[email]"}`},
		{"no text that is hidden in escapes", `{"x":"ann\u0040example.com"}`, `{"x":"[email]"}`},
		{"no parameter of a URL", `{"x":"https://a.example/?token=1&q=2"}`, `{"x":"https://a.example/?q=2"}`},
		{"a field that is there twice", `{"x":"ann@example.com","x":"ann@example.com"}`, `{"x":"[email]","x":"[email]"}`},
		{"all but bad bytes", "{\"x\":\"ann@example.com\xff\"}", "{\"x\":\"[email]\uFFFD\"}"},
		{"nothing of bad bytes", "{\"x\":\"a\xff\"}", "{\"x\":\"a\uFFFD\"}"},
		{"what is no object", `["ann@example.com"]`, `["[email]"]`},
		{"as text what is no JSON", `{"x":"ann@example.com"`, `"{\"x\":\"[email]\""`},
		{"as text what is neither JSON nor UTF-8", "{\"x\":\"ann@example.com\xff\"", "\"{\\\"x\\\":\\\"[email]\uFFFD\\\"\""},
		{"as text what goes on behind it", `{} ann@example.com`, `"{} [email]"`},
		{"nothing as text", ``, `""`},
	} {
		t.Run("as "+c.what, func(t *testing.T) {
			if got := string(quarantined(t, c.raw).Original); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}

	t.Run("as the sender and the version that refused it", func(t *testing.T) {
		f := frame(`{"event_id":"ann@example.com","custom":{"call_4111111111111111":{}}}`)
		f.Events[0].UserAgent = "App for ann@example.com"
		q := New("42").Batch().Sift(f).Quarantined[0]
		if q.EventID != "[email]" || q.UserAgent != "App for [email]" || q.Version != "42" || q.Component != "preprocess" || !q.FramedAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("got %+v", q)
		}
		if strings.Contains(q.Pointer+q.Message+q.Rule, "4111") || !strings.HasPrefix(q.Pointer, "/custom/") {
			t.Errorf("the pointer %s or %s tells a card", q.Pointer, q.Message)
		}
	})
}

func TestNoMessageOfTheContractIsTakenForPersonalData(t *testing.T) {
	var all func([]event.Field)
	all = func(fields []event.Field) {
		for _, f := range fields {
			if range_ := f.Range(); scrub.Text(range_) != range_ {
				t.Errorf("%s of %s becomes %s", range_, f.Name, scrub.Text(range_))
			}
			all(f.Fields)
		}
	}
	all(event.EventFields)
}

func TestUserAgentsAreRememberedWithinABound(t *testing.T) {
	a := newAgents(100 * agentCost)
	for range 2 {
		a.of(firefox)
		a.of("one")
	}
	for i := range 1000 {
		a.of(fmt.Sprintf("invented/%d", i))
	}
	if n := a.cache.Len(); n > 100 {
		t.Errorf("%d are remembered, want 100 at most", n)
	}
	if first, second := a.of(firefox), a.of(firefox); first.device != second.device {
		t.Error("an agent that is known is read again")
	}
	for _, long := range []string{strings.Repeat("x", 1<<20), strings.Repeat("é", 1<<10) + "x", "\xff"} {
		if got := a.of(long).clean; len(got) > event.MaxUserAgent+2 || strings.ToValidUTF8(got, "") != got {
			t.Errorf("%d bytes are kept of %d", len(got), len(long))
		}
	}
	if a.of("") != (agent{}) {
		t.Error("no agent has a device")
	}
}

func TestTheSameFramesGiveTheSame(t *testing.T) {
	sift := func(s *Sifter) any {
		b := s.Batch()
		return []any{b.Sift(frame(view(1, ""), `{}`, view(1, ""))).Duplicates, b.Sift(frame(view(1, `,"seq":2`), view(2, `,"custom":{"a@b.co":1}`))), b.Scrubbed}
	}
	s := New("")
	if first, second := sift(s), sift(s); !reflect.DeepEqual(first, second) {
		t.Errorf("got %+v, then %+v", first, second)
	}
}
