package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

// beating returns a heartbeat whose collector answers by h.
func beating(t *testing.T, answer http.HandlerFunc) *heartbeat {
	t.Helper()
	collector := httptest.NewServer(answer)
	t.Cleanup(collector.Close)
	h, err := newHeartbeat(func(name string) string {
		return map[string]string{"COLLECTOR_URL": collector.URL + "/v1/events", "SHOP_KEY": "beat"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestABeatIsABatchThatTheContractAllows(t *testing.T) {
	var path, kind string
	var body []byte
	h := beating(t, func(w http.ResponseWriter, r *http.Request) {
		path, kind = r.URL.Path, r.Header.Get("Content-Type")
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	if err := h.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if path != "/v1/events" || kind != "application/json" {
		t.Errorf("got %s of %s", kind, path)
	}
	batch, _, err := event.UnmarshalBatch(body)
	if err != nil || batch.Shop != "beat" || len(batch.Events) != 1 {
		t.Fatalf("got %+v, %v, want one event of the shop", batch, err)
	}
	sent, err := event.Unmarshal(batch.Events[0], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if sent.VisitorID != "" || sent.SessionID != "" {
		t.Errorf("got %+v, want nobody's visit", sent)
	}
}

func TestEveryBeatIsAnEventOfItsOwn(t *testing.T) {
	h := beating(t, nil)
	one, err := h.batch()
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.batch()
	if err != nil || string(one) == string(two) {
		t.Errorf("got %s twice, %v", one, err)
	}
}

func TestABeatThatIsNotTakenFailsAndIsNotTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header string
		want   string
	}{
		"refused":     {http.StatusUnauthorized, "", "401 Unauthorized"},
		"unavailable": {http.StatusServiceUnavailable, "", "503 Service Unavailable"},
		"only heard":  {http.StatusOK, "", "200 OK"},
		"sent away":   {http.StatusTemporaryRedirect, "/elsewhere", "307 Temporary Redirect"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			h := beating(t, func(w http.ResponseWriter, _ *http.Request) {
				if calls++; c.header != "" {
					w.Header().Set("Location", c.header)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, "jane@example.com")
			})
			err := h.beat(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "jane") {
				t.Errorf("got %v, which tells what the answer holds", err)
			}
			if calls != 1 {
				t.Errorf("got %d tries, want one", calls)
			}
		})
	}
}

func TestABeatIsNotWaitedForAnyLonger(t *testing.T) {
	release := make(chan struct{})
	h := beating(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	if h.client.Timeout != timeout {
		t.Errorf("got a timeout of %s, want %s", h.client.Timeout, timeout)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := h.beat(ctx); err == nil || !strings.Contains(err.Error(), "beat not sent") {
		t.Errorf("got %v, want that it was not sent", err)
	}
}

func TestAHeartbeatTellsAllThatItLacks(t *testing.T) {
	_, err := newHeartbeat(func(string) string { return "" })
	if want := "environment variable COLLECTOR_URL is required\nenvironment variable SHOP_KEY is required"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
