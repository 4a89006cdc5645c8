package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// noon is when the tests' events are received.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// full is an event that has every part.
func full() map[string]any {
	return decode(fmt.Sprintf(`{
		"event_id": %q, "type": "purchase", "visitor_id": "v1", "session_id": "s1", "seq": 3, "client_ts": "2026-03-02T13:00:00+01:00",
		"page": {"url": "https://shop.example/thanks", "title": "Thanks", "referrer": "https://www.google.com/"},
		"search": {"search_term": "boots", "results": 3},
		"list": {"item_list_id": "search_results", "item_list_name": "Results"},
		"items": [{"item_id": "p0", "price": 5, "currency": "EUR"},
			{"item_id": "p1", "item_name": "Boot", "item_brand": "Birke", "item_category": "shoes", "item_variant": "42", "price": 19.95, "currency": "EUR", "quantity": 2, "index": 0}],
		"order": {"transaction_id": "o1", "value": 39.9, "currency": "EUR", "tax": 6.37, "shipping": 0, "coupon": "SPRING"},
		"checkout": {"step": 2, "option": "express"},
		"promotion": {"promotion_id": "summer", "promotion_name": "Summer", "creative_name": "beach", "creative_slot": "hero"},
		"rating": {"value": 4, "review": "warm"},
		"consent": {"state": "granted"},
		"error": {"message": "x is not a function", "source": "https://shop.example/app.js", "line": 7},
		"custom": {"theme": "dark", "visits": 3, "member": true}}`, NewID(noon, [32]byte{1})))
}

// envelope is a batch of one event.
func envelope() map[string]any {
	return map[string]any{
		"v": 1, "shop": "pk_test", "sent_at": "2026-03-02T12:00:00Z", "batch_id": "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", "seq": 0,
		"events": []any{full()},
	}
}

func decode(text string) (v map[string]any) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// set replaces the value at a pointer; removed takes it away.
func set(doc map[string]any, pointer string, value any) map[string]any {
	var at any = doc
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for _, step := range steps[:len(steps)-1] {
		switch parent := at.(type) {
		case map[string]any:
			at = parent[step]
		case []any:
			at = parent[int(step[0]-'0')]
		}
	}
	last := steps[len(steps)-1]
	switch parent := at.(type) {
	case map[string]any:
		if parent[last] = value; value == removed {
			delete(parent, last)
		}
	case []any:
		parent[int(last[0]-'0')] = value
	}
	return doc
}

var removed any = new(struct{ byte })

func problems(t *testing.T, err error) Problems {
	t.Helper()
	var ps Problems
	if !errors.As(err, &ps) || len(ps) == 0 {
		t.Fatalf("error is %v (%T), want Problems", err, err)
	}
	return ps
}

// wantProblem requires that err is this one problem.
func wantProblem(t *testing.T, err error, pointer, rule string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s at %q", rule, pointer)
	}
	if ps := problems(t, err); len(ps) != 1 || ps[0].Pointer != pointer || ps[0].Rule != rule || ps[0].Message == "" {
		t.Fatalf("problems are %+v, want one: %s at %q", ps, rule, pointer)
	}
}

// typesOfEvents are all that the contract knows.
func typesOfEvents() (all []Type) {
	for _, word := range enums["type"] {
		all = append(all, Type(word))
	}
	return all
}

// sharedData returns a folder of the data that lies beside the project.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have the shared data: %v", err)
		}
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	return path
}
