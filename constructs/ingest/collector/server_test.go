package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

// reply is the body of any answer.
type reply struct {
	Accepted int
	Error    struct{ Code, Message, Pointer string }
}

func read(t *testing.T, w *httptest.ResponseRecorder) (a reply) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Errorf("the answer %d %q is not JSON: %v", w.Code, w.Body, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("got content type %q, want application/json", got)
	}
	return a
}

// checkRefusal checks an answer, and that nothing was sent to Kinesis.
func checkRefusal(t *testing.T, c *collector, w *httptest.ResponseRecorder, status int, code, pointer string) {
	t.Helper()
	a := read(t, w)
	if w.Code != status || a.Error.Code != code || a.Error.Pointer != pointer || a.Error.Message == "" {
		t.Errorf("got %d %+v, want %d with code %s, pointer %q and a message", w.Code, a.Error, status, code, pointer)
	}
	retry := status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	if got := w.Header().Get("Retry-After"); (got == "1") != retry {
		t.Errorf("got %d with Retry-After %q", status, got)
	}
	time.Sleep(time.Second) // for a frame that should not be
	if n := c.gateway.sent(); n != 0 {
		t.Errorf("%d frames of a refused batch were sent to Kinesis", n)
	}
}

func zip(body string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, body)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func postZip(body []byte) *http.Request {
	r := post(string(body))
	r.Header.Set("Content-Encoding", "gzip")
	return r
}

func refuses(ctx context.Context, in *kinesis.PutRecordsInput) (map[int]bool, error) {
	refused := map[int]bool{}
	for i := range in.Records {
		refused[i] = true
	}
	return refused, nil
}

// padded is an event of size bytes.
func padded(size int) string {
	const empty = `{"event_id":"ann/0","pad":""}`
	return strings.Replace(empty, `"pad":"`, `"pad":"`+strings.Repeat("x", size-len(empty)), 1)
}

func TestCollector(t *testing.T) {
	hats := event.Shop{Key: "pk_hats", ID: "hats", EventsPerSecond: 100, Origins: []string{"https://hats.example", "https://www.hats.example"}}
	tests := []struct {
		name string
		run  func(t *testing.T, c *collector)
	}{
		{"answers 202 with the count when Kinesis has acknowledged and not before", func(t *testing.T, c *collector) {
			release := make(chan struct{})
			c.gateway.answer = func(context.Context, *kinesis.PutRecordsInput) (map[int]bool, error) { <-release; return nil, nil }
			answered := make(chan *httptest.ResponseRecorder, 1)
			go func() { answered <- c.send(deed("ann", 0), deed("ann", 1)) }()
			time.Sleep(2 * time.Second)
			if len(answered) > 0 {
				t.Fatal("the answer came before Kinesis's")
			}
			close(release)
			w := <-answered
			if a := read(t, w); w.Code != http.StatusAccepted || a.Accepted != 2 {
				t.Errorf("got %d %s, want 202 with 2", w.Code, w.Body)
			}
		}},
		{"waits for every record of a batch", func(t *testing.T, c *collector) {
			refusals := 0
			c.gateway.answer = func(_ context.Context, in *kinesis.PutRecordsInput) (map[int]bool, error) {
				if refusals == 0 && len(in.Records) != 2 {
					t.Errorf("got a call of %d records, want 2", len(in.Records))
				}
				refusals++
				return map[int]bool{0: refusals == 1}, nil
			}
			start := time.Now()
			if w := c.send(deed("ann", 0), deed("bob", 0)); w.Code != http.StatusAccepted || len(c.gateway.events()) != 2 {
				t.Errorf("got %d with %d of 2 events on the stream", w.Code, len(c.gateway.events()))
			}
			if refusals != 2 || time.Since(start) <= linger {
				t.Errorf("the answer came after %d calls, want 2", refusals)
			}
		}},
		{"takes JSON, plain text and gzip", func(t *testing.T, c *collector) {
			asJSON := post(batch(shoes.Key, deed("ann", 0)))
			asJSON.Header.Set("Content-Type", "application/json; charset=utf-8")
			for _, r := range []*http.Request{asJSON, post(batch(shoes.Key, deed("ann", 1))), postZip(zip(batch(shoes.Key, deed("ann", 2))))} {
				if w := c.serve(r); w.Code != http.StatusAccepted {
					t.Errorf("got %d %s, want 202", w.Code, w.Body)
				}
			}
			if got := ids(c.gateway.events()); fmt.Sprint(got) != "[ann/0 ann/1 ann/2]" {
				t.Errorf("got %v on the stream, want 3 events of ann", got)
			}
		}},
		{"adds what it alone knows", func(t *testing.T, c *collector) {
			r := post(batch(shoes.Key, deed("ann", 0)))
			r.Header.Set("X-Forwarded-For", "198.51.100.7")
			r.Header.Set("User-Agent", "Firefox/127.0")
			if w := c.serve(r); w.Code != http.StatusAccepted {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			got := c.gateway.events()[0]
			want := event.Received{
				ShopID: "shoes", BatchID: "8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11", BatchSeq: 7,
				SentAt: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), ReceivedAt: got.ReceivedAt,
				Trust: event.TrustBrowser, IP: "198.51.100.0", UserAgent: "Firefox/127.0", Event: jsontext.Value(strings.Replace(deed("ann", 0), `"visitor_id":"ann"`, fmt.Sprintf(`"visitor_id":%q`, pseudonym("ann")), 1)),
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if age := time.Since(got.ReceivedAt); age < 0 || age > time.Second {
				t.Errorf("got received %s ago, want now", age)
			}
		}},
		{"cuts a long user agent where its text allows", func(t *testing.T, c *collector) {
			r := post(batch(shoes.Key, deed("ann", 0)))
			r.Header.Set("User-Agent", "x"+strings.Repeat("é", event.MaxUserAgent))
			c.serve(r)
			if got, want := c.gateway.events()[0].UserAgent, "x"+strings.Repeat("é", event.MaxUserAgent/2-1); got != want {
				t.Errorf("got %d bytes ending in %q, want %d", len(got), got[len(got)-3:], len(want))
			}
		}},
		{"takes sent_at as the receipt of a shop that imports its history", func(t *testing.T, c *collector) {
			c.table.shops["pk_old"] = event.Shop{Key: "pk_old", ID: "old", EventsPerSecond: 1, Backfill: true}
			c.serve(post(batch("pk_old", deed("ann", 0))))
			if got, want := c.gateway.events()[0].ReceivedAt, time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC); !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}},
		{"accepts objects that break the event contract", func(t *testing.T, c *collector) {
			odd := []string{`{}`, `{"event_id":5}`, `{"type":"nonsense","unknown":{"deep":[1]}}`, `{"event_id":"\ud800","n":1e999}`}
			if w := c.send(odd...); w.Code != http.StatusAccepted {
				t.Fatalf("got %d %s, want 202", w.Code, w.Body)
			}
			var got []string
			for _, e := range c.gateway.events() {
				got = append(got, string(e.Event))
			}
			for _, want := range odd {
				if !strings.Contains(strings.Join(got, "\n"), want) {
					t.Errorf("got %v on the stream, want %s as it came", got, want)
				}
			}
		}},
		{"refuses an unknown key with 401", func(t *testing.T, c *collector) {
			checkRefusal(t, c, c.serve(post(batch("pk_nobody", deed("ann", 0)))), http.StatusUnauthorized, "unknown_shop", "/shop")
		}},
		{"refuses an origin that the shop does not list with 403", func(t *testing.T, c *collector) {
			for _, origin := range []string{"https://evil.example", "http://hats.example", "https://hats.example.evil.example", "null"} {
				r := post(batch(hats.Key, deed("ann", 0)))
				r.Header.Set("Origin", origin)
				checkRefusal(t, c, c.serve(r), http.StatusForbidden, "origin_not_allowed", "")
			}
		}},
		{"takes listed origins, requests without one, and any origin where none is listed", func(t *testing.T, c *collector) {
			for _, from := range []struct{ key, origin string }{
				{hats.Key, "https://hats.example"}, {hats.Key, "https://www.hats.example"}, {hats.Key, ""}, {shoes.Key, "https://any.example"},
			} {
				r := post(batch(from.key, deed("ann", 0)))
				if from.origin != "" {
					r.Header.Set("Origin", from.origin)
				}
				if w := c.serve(r); w.Code != http.StatusAccepted {
					t.Errorf("got %d for %s from %q, want 202", w.Code, from.key, from.origin)
				}
			}
		}},
		{"refuses a shop over its rate with 429 until time has passed", func(t *testing.T, c *collector) {
			many := make([]string, event.MaxBatchEvents) // the least burst, over the shop's 100 a second
			for i := range many {
				many[i] = deed("ann", i)
			}
			if w := c.serve(post(batch(hats.Key, many...))); w.Code != http.StatusAccepted {
				t.Fatalf("got %d %s, want 202 for a full batch", w.Code, w.Body)
			}
			sent := c.gateway.sent()
			w := c.serve(post(batch(hats.Key, many[:20]...)))
			if a := read(t, w); w.Code != http.StatusTooManyRequests || a.Error.Code != "rate_exceeded" || w.Header().Get("Retry-After") != "1" {
				t.Errorf("got %d %s with Retry-After %q, want 429 and 1", w.Code, w.Body, w.Header().Get("Retry-After"))
			}
			if c.gateway.sent() != sent {
				t.Error("a refused batch was sent to Kinesis")
			}
			if w := c.send(deed("ann", 0)); w.Code != http.StatusAccepted {
				t.Errorf("got %d for another shop, want 202", w.Code)
			}
			time.Sleep(time.Second)
			if w := c.serve(post(batch(hats.Key, deed("ann", 0)))); w.Code != http.StatusAccepted {
				t.Errorf("got %d a second later, want 202", w.Code)
			}
		}},
		{"answers 503 within 3 s when Kinesis refuses, the next one at once, and 202 when it is back", func(t *testing.T, c *collector) {
			var broken atomic.Bool
			broken.Store(true)
			c.gateway.answer = func(ctx context.Context, in *kinesis.PutRecordsInput) (map[int]bool, error) {
				if broken.Load() {
					return refuses(ctx, in)
				}
				return nil, nil
			}
			start := time.Now()
			w := c.send(deed("ann", 0))
			if a := read(t, w); w.Code != http.StatusServiceUnavailable || a.Error.Code != "unavailable" || w.Header().Get("Retry-After") != "1" {
				t.Errorf("got %d %s, want 503 with Retry-After", w.Code, w.Body)
			}
			if took := time.Since(start); took != 3*time.Second {
				t.Errorf("the answer took %s, want 3 s", took)
			}
			start = time.Now()
			if w := c.send(deed("ann", 1)); w.Code != http.StatusServiceUnavailable || time.Since(start) != 0 {
				t.Errorf("got %d after %s, want 503 at once", w.Code, time.Since(start))
			}
			broken.Store(false)
			time.Sleep(2 * time.Second) // the longest wait between two tries
			synctest.Wait()
			if w := c.send(deed("ann", 0)); w.Code != http.StatusAccepted {
				t.Errorf("got %d after Kinesis came back, want 202", w.Code)
			}
		}},
		{"answers 503 for unknown shops while the registry is away and goes on for the others", func(t *testing.T, c *collector) {
			c.send(deed("ann", 0))
			c.table.set(func(t *table) { t.err = errAway })
			time.Sleep(2 * registryAge)
			w := c.serve(post(batch(hats.Key, deed("ann", 0))))
			if a := read(t, w); w.Code != http.StatusServiceUnavailable || a.Error.Code != "unavailable" || w.Header().Get("Retry-After") != "1" {
				t.Errorf("got %d %s, want 503 with Retry-After", w.Code, w.Body)
			}
			if w := c.send(deed("ann", 1)); w.Code != http.StatusAccepted {
				t.Errorf("got %d for a shop that was known, want 202", w.Code)
			}
			c.table.set(func(t *table) { t.err, t.hangs = nil, true })
			time.Sleep(2 * registryAge)
			if w := c.send(deed("ann", 2)); w.Code != http.StatusAccepted {
				t.Errorf("got %d for a shop that was known while the registry hangs, want 202", w.Code)
			}
		}},
		{"refuses a disabled shop with 403", func(t *testing.T, c *collector) {
			c.table.shops["pk_shut"] = event.Shop{Key: "pk_shut", ID: "shut", EventsPerSecond: 100, Disabled: true}
			checkRefusal(t, c, c.serve(post(batch("pk_shut", deed("ann", 0)))), http.StatusForbidden, "shop_disabled", "/shop")
		}},
		{"tells a tracker what its shop wants", func(t *testing.T, c *collector) {
			c.table.shops["pk_calm"] = event.Shop{Key: "pk_calm", ID: "calm", Consent: event.ConsentNever, SamplePercent: 10}
			for key, want := range map[string]string{
				shoes.Key: `{"v":1,"consent":"asked","sample_percent":100}`, "pk_calm": `{"v":1,"consent":"never","sample_percent":10}`,
			} {
				r := httptest.NewRequest("GET", "/v1/config?shop="+key, nil)
				r.Header.Set("Origin", "https://any.example")
				w := c.serve(r)
				if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != want {
					t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
				}
				if h := w.Header(); h.Get("Cache-Control") != "public, max-age=300" || h.Get("Access-Control-Allow-Origin") != "https://any.example" || h.Get("Content-Type") != "application/json" {
					t.Errorf("got %v", h)
				}
			}
			checkRefusal(t, c, c.serve(httptest.NewRequest("GET", "/v1/config?shop=pk_nobody", nil)), http.StatusUnauthorized, "unknown_shop", "/shop")
		}},
		{"gives way when the client leaves", func(t *testing.T, c *collector) {
			c.gateway.answer = refuses
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			defer leave()
			start := time.Now()
			c.serve(post(batch(shoes.Key, deed("ann", 0))).WithContext(ctx))
			if took := time.Since(start); took != time.Second {
				t.Errorf("the handler took %s after the client left, want to end with it", took-time.Second)
			}
		}},
		{"asks for a body again that the network cut short", func(t *testing.T, c *collector) {
			cut := io.MultiReader(strings.NewReader(batch(shoes.Key, deed("ann", 0))[:50]), iotest.ErrReader(io.ErrUnexpectedEOF))
			r := httptest.NewRequest("POST", "/v1/events", cut)
			checkRefusal(t, c, c.serve(r), http.StatusRequestTimeout, "body_incomplete", "")
			r = httptest.NewRequest("POST", "/v1/events", io.MultiReader(bytes.NewReader(zip("{}")[:10]), iotest.ErrReader(io.ErrUnexpectedEOF)))
			r.Header.Set("Content-Encoding", "gzip")
			checkRefusal(t, c, c.serve(r), http.StatusRequestTimeout, "body_incomplete", "")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.run(t, newCollector(t, hats)) })
		})
	}
}

func TestCollectorRefusesMalformedBatches(t *testing.T) {
	good := batch(shoes.Key, deed("ann", 0))
	with := func(old, new string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%s is not in the batch once", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	const json_, envelope = "malformed_json", "malformed_envelope"
	const sentAt = `"sent_at":"2026-03-01T12:00:00+01:00"`
	tests := []struct {
		name    string
		body    string
		code    string
		pointer string
	}{
		{"no body", "", json_, ""},
		{"no JSON", "hello", json_, ""},
		{"half a batch", good[:len(good)-5], json_, ""},
		{"two batches", good + good, json_, ""},
		{"bytes that are not UTF-8", with("ann/0", "\xff"), json_, ""},
		{"a list", "[" + good + "]", envelope, ""},
		{"null", "null", envelope, ""},
		{"an unknown field", with(`"seq":7`, `"seq":7,"color":1`), envelope, "/color"},
		{"no version", with(`"v":1,`, ""), envelope, "/v"},
		{"another version", with(`"v":1`, `"v":2`), envelope, "/v"},
		{"a version of text", with(`"v":1`, `"v":"1"`), envelope, "/v"},
		{"no shop", with(`"shop":"pk_shoes",`, ""), envelope, "/shop"},
		{"a shop that is a number", with(`"pk_shoes"`, `5`), envelope, "/shop"},
		{"a shop that is too long", with(`pk_shoes`, strings.Repeat("x", 65)), envelope, "/shop"},
		{"no time", with(sentAt+",", ""), envelope, "/sent_at"},
		{"a time that is a number", with(sentAt, `"sent_at":1772362800`), envelope, "/sent_at"},
		{"a time of another form", with(sentAt, `"sent_at":"yesterday"`), envelope, "/sent_at"},
		{"a time that no frame could hold", with(sentAt, `"sent_at":"0000-01-01T00:00:00+01:00"`), envelope, "/sent_at"},
		{"a time that no frame could hold in UTC", with(sentAt, `"sent_at":"9999-12-31T23:30:00-01:00"`), envelope, "/sent_at"},
		{"no batch id", with(`"batch_id":"8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11",`, ""), envelope, "/batch_id"},
		{"a batch id that is no UUID", with("8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11", "7"), envelope, "/batch_id"},
		{"a negative sequence", with(`"seq":7`, `"seq":-1`), envelope, "/seq"},
		{"a broken sequence", with(`"seq":7`, `"seq":1.5`), envelope, "/seq"},
		{"no events", with(deed("ann", 0), ""), envelope, "/events"},
		{"events that are no list", with("["+deed("ann", 0)+"]", "{}"), envelope, "/events"},
		{"an event that is no object", with(deed("ann", 0), deed("ann", 0)+`,"x"`), envelope, "/events/1"},
		{"an event that is null", with(deed("ann", 0), "null"), envelope, "/events/0"},
	}
	for _, tt := range tests {
		t.Run("with "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCollector(t)
				checkRefusal(t, c, c.serve(post(tt.body)), http.StatusBadRequest, tt.code, tt.pointer)
				checkRefusal(t, c, c.serve(postZip(zip(tt.body))), http.StatusBadRequest, tt.code, tt.pointer)
			})
		})
	}
	t.Run("but not because somebody decompressed them on their way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if w := newCollector(t).serve(postZip([]byte(good))); w.Code != http.StatusAccepted {
				t.Errorf("got %d %s, want 202", w.Code, w.Body)
			}
		})
	})
	t.Run("with gzip that is cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCollector(t)
			whole := zip(good)
			checkRefusal(t, c, c.serve(postZip(whole[:len(whole)-9])), http.StatusBadRequest, json_, "")
		})
	})
	t.Run("in few words where there are many problems", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCollector(t)
			w := c.serve(post(with(deed("ann", 0), strings.Repeat("1,", 100_000)+"1")))
			checkRefusal(t, c, w, http.StatusBadRequest, envelope, "/events/0")
			if w.Body.Len() > 1000 {
				t.Errorf("got an answer of %d bytes, want at most 1000", w.Body.Len())
			}
		})
	})
}

func TestCollectorCaps(t *testing.T) {
	many := func(n int) string {
		return batch(shoes.Key, strings.Split(strings.Repeat("{} ", n-1)+"{}", " ")...)
	}
	whole := func(size int) string { // a batch of size bytes
		b := batch(shoes.Key, deed("ann", 0))
		return b + strings.Repeat(" ", size-len(b))
	}
	tests := []struct {
		name    string
		body    string
		code    string // "": accepted
		pointer string
	}{
		{"takes 500 events", many(event.MaxBatchEvents), "", ""},
		{"refuses 501 events with 413", many(event.MaxBatchEvents + 1), "batch_too_large", "/events"},
		{"takes 1 MiB", whole(event.MaxBatchBytes), "", ""},
		{"refuses more than 1 MiB with 413", whole(event.MaxBatchBytes + 1), "batch_too_large", ""},
		{"takes an event of 32 KiB", batch(shoes.Key, deed("ann", 0), padded(event.MaxEventBytes)), "", ""},
		{"refuses an event of more than 32 KiB with 413", batch(shoes.Key, deed("ann", 0), padded(event.MaxEventBytes+1)), "event_too_large", "/events/1"},
	}
	for _, tt := range tests {
		for encoding, request := range map[string]*http.Request{"": post(tt.body), " in gzip": postZip(zip(tt.body))} {
			t.Run(tt.name+encoding, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCollector(t)
					w := c.serve(request)
					if tt.code != "" {
						checkRefusal(t, c, w, http.StatusRequestEntityTooLarge, tt.code, tt.pointer)
					} else if w.Code != http.StatusAccepted {
						t.Errorf("got %d %s, want 202", w.Code, w.Body)
					}
				})
			})
		}
	}

	for name, body := range map[string]io.Reader{
		"bounds its memory for a body without end": iotest.DataErrReader(io.LimitReader(zeros{}, 1<<40)),
		"bounds its memory for a gzip bomb":        bytes.NewReader(bytes.Repeat(zip(strings.Repeat(" ", 1<<20)), 900)), // 900 MiB
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCollector(t)
				r := httptest.NewRequest("POST", "/v1/events", body)
				if strings.Contains(name, "gzip") {
					r.Header.Set("Content-Encoding", "gzip")
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				w := c.serve(r)
				runtime.ReadMemStats(&after)
				checkRefusal(t, c, w, http.StatusRequestEntityTooLarge, "batch_too_large", "")
				if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
					t.Errorf("it took %d MiB, want at most 16", took>>20)
				}
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestCORS(t *testing.T) {
	const origin = "https://shoes.example"
	check := func(t *testing.T, w *httptest.ResponseRecorder, status int) {
		t.Helper()
		if w.Code != status {
			t.Errorf("got %d, want %d", w.Code, status)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true",
			"Access-Control-Expose-Headers": "Date, Retry-After", "Vary": "Origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("got %d with %s %q, want %q", w.Code, name, got, want)
			}
		}
	}
	limited := event.Shop{Key: "pk_limited", ID: "limited"} // one full batch, then no more
	closed := event.Shop{Key: "pk_closed", ID: "closed", Origins: []string{"https://closed.example"}}
	full := batch(limited.Key, strings.Split(strings.Repeat("{} ", event.MaxBatchEvents-1)+"{}", " ")...)
	tests := []struct {
		name   string
		body   string
		status int
	}{
		{"202", batch(shoes.Key, deed("ann", 0)), http.StatusAccepted},
		{"400", "{", http.StatusBadRequest},
		{"401", batch("pk_nobody", deed("ann", 0)), http.StatusUnauthorized},
		{"403", batch(closed.Key, deed("ann", 0)), http.StatusForbidden},
		{"413", strings.Repeat(" ", event.MaxBatchBytes+1), http.StatusRequestEntityTooLarge},
		{"429", full, http.StatusTooManyRequests},
		{"503", batch(shoes.Key, deed("ann", 0)), http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run("lets a page read a "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCollector(t, limited, closed)
				switch tt.status {
				case http.StatusServiceUnavailable:
					c.gateway.answer = refuses
				case http.StatusTooManyRequests:
					c.serve(post(full))
				}
				r := post(tt.body)
				r.Header.Set("Origin", origin)
				check(t, c.serve(r), tt.status)
			})
		})
	}
	t.Run("answers a preflight", func(t *testing.T) {
		r := httptest.NewRequest("OPTIONS", "/v1/events", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "content-type,content-encoding")
		w := newCollector(t).serve(r)
		check(t, w, http.StatusNoContent)
		for name, want := range map[string]string{
			"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type, Content-Encoding", "Access-Control-Max-Age": "86400",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("got %s %q, want %q", name, got, want)
			}
		}
	})
	t.Run("says nothing to those who send no origin, but to caches", func(t *testing.T) {
		w := newCollector(t).serve(post("{"))
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("got %v, want Vary alone", w.Header())
		}
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t)
		want := func(path string, status int) {
			t.Helper()
			if w := c.serve(httptest.NewRequest("GET", path, nil)); w.Code != status {
				t.Errorf("got %d from %s, want %d", w.Code, path, status)
			}
		}
		c.table.set(func(t *table) { t.err = errAway })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.registry.secret.Store(nil)
		secrets := newVault("too short")
		go c.becomeReady(ctx, secrets, "visitor-secret")
		time.Sleep(10 * time.Second)
		want("/healthz", http.StatusOK)
		want("/readyz", http.StatusServiceUnavailable) // the registry has not answered
		c.table.set(func(t *table) { t.err = nil })
		time.Sleep(2 * time.Second)
		want("/readyz", http.StatusServiceUnavailable) // the secret is none
		checkRefusal(t, c, c.send(deed("ann", 0)), http.StatusServiceUnavailable, "unavailable", "")
		long := string(visitorSecret)
		secrets.secret.Store(&long)
		time.Sleep(2 * time.Second)
		want("/readyz", http.StatusOK)
		c.table.set(func(t *table) { t.err = errAway })
		want("/readyz", http.StatusOK) // known shops go on
		c.ready.Store(false)           // as at a SIGTERM
		want("/readyz", http.StatusServiceUnavailable)
		want("/healthz", http.StatusOK)
	})
}

func TestCutIP(t *testing.T) {
	tests := []struct {
		name      string
		remote    string
		forwarded []string
		want      string
	}{
		{"cuts the last octet", "198.51.100.7:4711", nil, "198.51.100.0"},
		{"cuts the last 80 bits", "[2001:db8:1:2:3:4:5:6]:4711", nil, "2001:db8:1::"},
		{"takes IPv4 in IPv6 for IPv4", "[::ffff:198.51.100.7]:4711", nil, "198.51.100.0"},
		{"drops a zone", "[fe80:1:2:3::7%eth0]:4711", nil, "fe80:1:2::"},
		{"believes the load balancer", "10.0.0.1:80", []string{"198.51.100.7"}, "198.51.100.0"},
		{"believes its last hop alone", "10.0.0.1:80", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.0"},
		{"believes its last header alone", "10.0.0.1:80", []string{"203.0.113.9", "2001:db8:1:2::7"}, "2001:db8:1::"},
		{"stores nothing where it cannot read", "10.0.0.1:80", []string{"unknown"}, ""},
		{"stores nothing of a name", "ann's computer", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := post("")
			r.RemoteAddr = tt.remote
			for _, value := range tt.forwarded {
				r.Header.Add("X-Forwarded-For", value)
			}
			if got := cutIP(r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLogsHoldNothingPersonal(t *testing.T) {
	var logs bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	const secret = "ann-of-green-gables"
	visit := func(c *collector, key, body string) {
		r := post(strings.ReplaceAll(body, shoes.Key, key))
		r.RemoteAddr = "198.51.100.7:4711"
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		r.Header.Set("User-Agent", secret)
		r.Header.Set("Origin", "https://"+secret)
		c.serve(r)
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t, event.Shop{Key: "pk_closed", ID: "closed", Origins: []string{"https://x.example"}})
		good := batch(shoes.Key, fmt.Sprintf(`{"event_id":%q,"visitor_id":%q}`, secret, secret))
		visit(c, shoes.Key, good)
		visit(c, "pk_closed", good)
		visit(c, secret, good)
		visit(c, shoes.Key, good[:len(good)-1])
		visit(c, shoes.Key, strings.Replace(good, `"seq":7`, fmt.Sprintf(`"seq":7,%q:1`, secret), 1))
		visit(c, shoes.Key, strings.Replace(good, `"seq":7`, fmt.Sprintf(`"seq":%q`, secret), 1))
		visit(c, shoes.Key, batch(shoes.Key, strings.Repeat(`{},`, 600)+`{"visitor_id":"`+secret+`"}`))
		c.gateway.answer = refuses
		visit(c, shoes.Key, good)
		c.table.set(func(t *table) { t.err = errAway })
		visit(c, secret+"2", good)
		time.Sleep(2 * registryAge)
		visit(c, shoes.Key, good)
	})
	if !strings.Contains(logs.String(), "batch refused") || !strings.Contains(logs.String(), "the registry does not answer") {
		t.Errorf("the logs say too little: %s", &logs)
	}
	for _, personal := range []string{secret, "198.51.100", "203.0.113", "pk_shoes"} {
		if strings.Contains(logs.String(), personal) {
			t.Errorf("the logs hold %q: %s", personal, &logs)
		}
	}
}
