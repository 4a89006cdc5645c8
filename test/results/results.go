// Package results keeps what benchmarks measure: one file for each benchmark in
// build/bench, which test/results/table prints.
package results

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shopstream/shopstream/internal/asset"
)

// Result is one number.
type Result struct {
	Name  string  `json:"name"`  // of what was measured, such as synth-cpu
	Value float64 `json:"value"` // in Unit
	Unit  string  `json:"unit"`  // such as s
	Input string  `json:"input"` // on what, such as prod
}

// Dir is the folder of the results.
func Dir() (string, error) {
	root, err := asset.Root()
	return filepath.Join(root, "build", "bench"), err
}

// Write writes a benchmark's results to its file, and reports them.
func Write(b *testing.B, results ...Result) {
	b.Helper()
	dir, err := Dir()
	if err != nil {
		b.Fatal(err)
	}
	content, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, b.Name()+".json"), append(content, '\n'), 0o644)); err != nil {
		b.Fatal(err)
	}
	for _, r := range results {
		b.ReportMetric(r.Value, r.Input+"-"+r.Name+"-"+r.Unit)
	}
}
