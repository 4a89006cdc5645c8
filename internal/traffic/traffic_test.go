package traffic

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func draw(source Source) (batches []event.Batch) {
	for b := range source.Batches {
		batches = append(batches, b)
	}
	return batches
}

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode(t testing.TB, raw jsontext.Value) (e event.Event) {
	t.Helper()
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// realLog opens the log of a real shop, which lies beside the project.
func realLog(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "rees46", "2019-Oct.csv"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have the shared data: %v", err)
		}
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
