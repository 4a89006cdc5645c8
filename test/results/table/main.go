// Command table prints what benchmarks measured last; with -readme it also
// writes the README's table of performance anew.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/test/results"
)

func main() {
	readme := flag.Bool("readme", false, "write the README's table of performance anew")
	flag.Parse()
	measured, err := read()
	if err == nil {
		err = print(measured)
	}
	if err == nil && *readme {
		err = rewrite(measured)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// benchmark is a benchmark with its results.
type benchmark struct {
	name    string
	results []results.Result
}

func read() (all []benchmark, err error) {
	dir, err := results.Dir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		bench := benchmark{name: strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Benchmark"), ".json")}
		if err := json.Unmarshal(b, &bench.results); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, bench)
	}
	return all, nil
}

func print(all []benchmark) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nbenchmark\tmeasured\tof\tvalue\tunit")
	for _, bench := range all {
		name := bench.name
		for _, r := range bench.results {
			fmt.Fprintf(w, "%s\t%s\t%s\t%.4g\t%s\n", name, r.Name, r.Input, r.Value, r.Unit)
			name = ""
		}
	}
	return w.Flush()
}

// told are the numbers that the README tells.
var told = []struct{ benchmark, result, input, says string }{
	{"Preprocess", "less-cpu", "preprocess", "CPU of decoding, checking, scrubbing and enriching an event: encoding/json, a JSON Schema library, regular expressions and uap-go take so many times ours"},
	{"Preprocess", "cpu-per-event", "preprocess", "the same in microseconds of CPU an event"},
	{"Collector", "to-nginx", "without-kinesis", "CPU of a request of 12 KB: check, split, consent, hash, frame, compress, in requests of nginx that reads it and answers 204"},
	{"Collector", "to-nginx", "with-putrecords", "the same with the write to Kinesis"},
	{"CollectorBill", "billed-per-raw-byte", "2000-events-a-second", "bytes that Kinesis takes for each byte sent, one collector, 2,000 events a second"},
	{"CollectorBill", "p99-added-latency", "2000-events-a-second", "milliseconds that the collector adds there, 99th percentile"},
	{"Start", "fast-to-plain", "cpu", "CPU of a synth's start, of that of CDKTF by itself"},
	{"Tracker", "size-gzipped", "s.js", "bytes of the tracker, gzipped"},
}

var block = regexp.MustCompile(`(?s)(<!-- performance -->\n).*(<!-- end of performance -->)`)

func rewrite(all []benchmark) error {
	var errs []error
	lines := "| measured | value |\n|---|---:|\n"
	for _, t := range told {
		value, ok := find(all, t.benchmark, t.result, t.input)
		if !ok {
			errs = append(errs, fmt.Errorf("%s of %s is not in Benchmark%s.json; run make bench", t.result, t.input, t.benchmark))
		}
		lines += fmt.Sprintf("| %s | %.4g |\n", t.says, value)
	}
	root, err := asset.Root()
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	path := filepath.Join(root, "README.md")
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !block.Match(before) {
		return fmt.Errorf("%s has no <!-- performance --> … <!-- end of performance -->", path)
	}
	return os.WriteFile(path, block.ReplaceAll(before, []byte("${1}"+lines+"${2}")), 0o644)
}

func find(all []benchmark, name, result, input string) (float64, bool) {
	for _, bench := range all {
		for _, r := range bench.results {
			if bench.name == name && r.Name == result && r.Input == input {
				return r.Value, true
			}
		}
	}
	return 0, false
}
