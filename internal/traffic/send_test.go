package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

// batchesOf is a source of n batches with some events each.
func batchesOf(n, events int) Source {
	return Source{Batches: func(yield func(event.Batch) bool) {
		for i := range n {
			b := event.Batch{V: event.SchemaVersion, Shop: "pk", SentAt: noon, BatchID: batchID("test", i), Seq: int64(i)}
			for range events {
				b.Events = append(b.Events, jsontext.Value(`{}`))
			}
			if !yield(b) {
				return
			}
		}
	}}
}

func collector(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func accept(w http.ResponseWriter, r *http.Request) {
	var b event.Batch
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		panic(err)
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"accepted":%d}`, len(b.Events))
}

func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestBatchesAreSentAsATrackerSendsThemAndCounted(t *testing.T) {
	var mu sync.Mutex
	var seqs []int64
	url := collector(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b, _, err := event.UnmarshalBatch(body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/events" || r.Header.Get("Content-Type") != "text/plain" || !strings.HasPrefix(r.UserAgent(), "Mozilla/") {
			t.Errorf("%s %s, %v: %v", r.Method, r.URL, r.Header, err)
		}
		mu.Lock()
		seqs = append(seqs, b.Seq)
		mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"accepted":%d}`, len(b.Events))
	})
	var told []Sent
	sent, err := Sender{Collector: url + "/", Connections: 1}.Send(t.Context(), batchesOf(5, 3), func(s Sent) { told = append(told, s) })
	if err != nil || sent.Batches != 5 || sent.Acknowledged != 15 || sent.Attempts != 5 || len(sent.Refused) != 0 {
		t.Errorf("sent %+v: %v", sent, err)
	}
	if fmt.Sprint(seqs) != "[0 1 2 3 4]" {
		t.Errorf("one connection sends %v, want the source's order", seqs)
	}
	if len(told) != 5 || told[0].Acknowledged != 3 || told[4].Acknowledged != 15 {
		t.Errorf("progress was %+v", told)
	}
}

func TestABatchIsSentAgainWhenTheCollectorAsksAndNoSooner(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	var bodies sync.Map
	url := collector(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies.Store(string(body), true)
		if requests.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			answerWith(http.StatusServiceUnavailable, `{"error":{"code":"unavailable"}}`)(w, r)
			return
		}
		answerWith(http.StatusAccepted, `{"accepted":2}`)(w, r)
	})
	began := time.Now()
	sent, err := Sender{Collector: url}.Send(t.Context(), batchesOf(1, 2), nil)
	took := time.Since(began)
	if err != nil || sent.Acknowledged != 2 || sent.Batches != 1 || sent.Attempts != 2 || requests.Load() != 2 || len(sent.Refused) != 0 {
		t.Errorf("sent %+v in %d requests: %v", sent, requests.Load(), err)
	}
	if took < time.Second || took > 3*time.Second {
		t.Errorf("took %s, the collector asked for 1 s", took)
	}
	n := 0
	bodies.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d different bodies were sent", n)
	}
}

func TestATooFastSenderComesBackToo(t *testing.T) {
	var requests atomic.Int32
	url := collector(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) <= 2 {
			w.Header().Set("Retry-After", "0")
			answerWith(http.StatusTooManyRequests, `{"error":{"code":"rate_exceeded"}}`)(w, r)
			return
		}
		accept(w, r)
	})
	if sent, err := (Sender{Collector: url}).Send(t.Context(), batchesOf(1, 2), nil); err != nil || sent.Acknowledged != 2 || sent.Attempts != 3 {
		t.Errorf("sent %+v: %v", sent, err)
	}
}

func TestACollectorThatNeverTakesABatchRefusesIt(t *testing.T) {
	url := collector(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "0")
		answerWith(http.StatusServiceUnavailable, `{"error":{"code":"unavailable"}}`)(w, r)
	})
	sent, err := Sender{Collector: url}.Send(t.Context(), batchesOf(1, 4), nil)
	if err != nil || sent.Attempts != 9 || sent.Acknowledged != 0 || sent.Batches != 1 || sent.Refused["unavailable"] != 4 {
		t.Errorf("sent %+v: %v; want 9 attempts and 4 events refused", sent, err)
	}
}

func TestRefusedEventsAreCountedByCodeAndNotSentAgain(t *testing.T) {
	url := collector(t, func(w http.ResponseWriter, r *http.Request) {
		var b event.Batch
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		switch b.Seq {
		case 0:
			answerWith(http.StatusUnauthorized, `{"error":{"code":"unknown_shop","message":"m","pointer":"/shop"}}`)(w, r)
		case 1, 2:
			answerWith(http.StatusRequestEntityTooLarge, `{"error":{"code":"batch_too_large"}}`)(w, r)
		case 3: // a gateway in between
			answerWith(http.StatusForbidden, `{"message":"Forbidden"}`)(w, r)
		default:
			answerWith(http.StatusAccepted, `{"accepted":3}`)(w, r)
		}
	})
	sent, err := Sender{Collector: url}.Send(t.Context(), batchesOf(5, 3), nil)
	want := map[string]int{"unknown_shop": 3, "batch_too_large": 6, "403 Forbidden": 3}
	if err != nil || !maps.Equal(sent.Refused, want) || sent.Acknowledged != 3 || sent.Attempts != 5 || sent.Batches != 5 {
		t.Errorf("sent %+v: %v; want refused %v", sent, err, want)
	}
}

func TestWhatIsNoCollectorIsAClearError(t *testing.T) {
	url := collector(t, answerWith(http.StatusOK, "<html>Welcome to nginx!</html>"))
	sent, err := Sender{Collector: url}.Send(t.Context(), batchesOf(50, 1), nil)
	if want := "the collector at " + url + "/v1/events answered 200 OK without its JSON; is it one?"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	if sent.Batches != 0 || sent.Attempts > 20 {
		t.Errorf("sent %+v: it goes on after the error", sent)
	}
	if _, err := (Sender{Collector: "://"}).Send(t.Context(), batchesOf(1, 1), nil); err == nil || !strings.Contains(err.Error(), `collector must be a URL, got "://"`) {
		t.Errorf("error is %v", err)
	}
	if _, err := (Sender{Collector: "127.0.0.1"}).Send(t.Context(), batchesOf(1, 1), nil); err == nil {
		t.Error("an address without a scheme is taken")
	}
}

func TestTheEndOfItsContextEndsASendAtOnce(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"while it waits to come back": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"while it waits for an answer": func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan bool, 100)
			url := collector(t, func(w http.ResponseWriter, r *http.Request) { asked <- true; answer(w, r) })
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-asked; cancel() }()
			began := time.Now()
			_, err := Sender{Collector: url}.Send(ctx, batchesOf(100, 1), nil)
			if !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		})
	}
}

func TestTheRateHoldsFromTheFirstEvent(t *testing.T) {
	t.Parallel()
	url := collector(t, accept)
	began := time.Now()
	sent, err := Sender{Collector: url, EventsPerSecond: 100}.Send(t.Context(), batchesOf(10, 10), nil)
	if took := time.Since(began); err != nil || sent.Acknowledged != 100 || took < 900*time.Millisecond || took > 3*time.Second {
		t.Errorf("100 events at 100 a second took %s: %+v, %v", took, sent, err)
	}
}

func TestASendThatItsDeadlineCutsShortIsNoSuccess(t *testing.T) {
	url := collector(t, accept)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sent, err := Sender{Collector: url, EventsPerSecond: 1}.Send(ctx, batchesOf(3, event.MaxBatchEvents), nil)
	if err == nil || sent.Batches == 3 {
		t.Errorf("sent %+v: %v; 1500 events take 25 minutes", sent, err)
	}
}

func TestConnectionsAreUsedAtOnceAndNoMore(t *testing.T) {
	var now, most atomic.Int32
	url := collector(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
		accept(w, r)
	})
	if _, err := (Sender{Collector: url, Connections: 3}).Send(t.Context(), batchesOf(12, 1), nil); err != nil || most.Load() != 3 {
		t.Errorf("%d requests at once, want 3: %v", most.Load(), err)
	}
}
