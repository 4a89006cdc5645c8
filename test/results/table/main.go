// Command table prints what benchmarks measured last.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/shopstream/shopstream/test/results"
)

func main() {
	if err := table(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func table() error {
	dir, err := results.Dir()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nbenchmark\tmeasured\tof\tvalue\tunit")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var measured []results.Result
		if err := json.Unmarshal(b, &measured); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Benchmark"), ".json")
		for _, r := range measured {
			fmt.Fprintf(w, "%s\t%s\t%s\t%.4g\t%s\n", name, r.Name, r.Input, r.Value, r.Unit)
			name = ""
		}
	}
	return w.Flush()
}
