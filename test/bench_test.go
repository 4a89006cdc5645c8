package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const (
	benchRuns     = 5
	maxStartRatio = 0.45
)

// BenchmarkSynth measures the CPU time of a synth over all of its processes:
// the start, which loads the packages and writes no stack, fast against plain,
// and what each stack and resource adds to a fast start. Run it alone and once:
//
//	go test ./test -run '^$' -bench '^BenchmarkSynth$' -benchtime 1x
func BenchmarkSynth(b *testing.B) {
	program := buildProgram(b)
	checkNodeIsMeasured(b, program)

	// Alternating, so that whatever else the machine does slows both.
	fastOut, plainOut := b.TempDir(), b.TempDir()
	run := func(out, mode, stacks string) time.Duration {
		return cpu(runProgram(b, program, "CDKTF_OUTDIR="+out, "SHOPSTREAM_KERNEL="+mode, "SHOPSTREAM_STACKS="+stacks))
	}
	var fast, plain []time.Duration
	for i := range benchRuns + 1 {
		f, p := run(fastOut, "fast", ""), run(plainOut, "plain", "")
		if i > 0 { // the first run fills the caches
			fast, plain = append(fast, f), append(plain, p)
		}
	}
	wantSameTree(b, fastOut, plainOut)
	start, ratio := median(fast), median(fast).Seconds()/median(plain).Seconds()
	fmt.Printf("\n%-18s %9s\n", "CPU time", "seconds")
	fmt.Printf("%-18s %9.2f\n", "start, plain", median(plain).Seconds())
	fmt.Printf("%-18s %9.2f   ratio %.2f, at most %.2f\n\n", "start, fast", start.Seconds(), ratio, maxStartRatio)
	b.ReportMetric(ratio, "start-ratio")
	if ratio > maxStartRatio {
		b.Errorf("a fast start takes %.2f of a plain one's CPU time, want at most %.2f", ratio, maxStartRatio)
	}

	fmt.Printf("%-18s %9s %10s %12s\n", "after the start", "seconds", "resources", "ms/resource")
	for _, stack := range []string{"local", "dev", "staging", "prod"} {
		out := b.TempDir()
		var times []time.Duration
		for range benchRuns {
			times = append(times, run(out, "fast", stack))
		}
		resources := countResources(b, filepath.Join(out, "stacks", stack, "cdk.tf.json"))
		added := median(times) - start
		perResource := added.Seconds() * 1000 / float64(resources)
		fmt.Printf("%-18s %9.2f %10d %12.2f\n", stack, added.Seconds(), resources, perResource)
		b.ReportMetric(perResource, stack+"-ms/resource")
	}
	fmt.Println()
}

// checkNodeIsMeasured has Node tell its own CPU time once: a process that isn't
// waited for would be missing in that of its parent.
func checkNodeIsMeasured(b *testing.B, program string) {
	dir := b.TempDir()
	meter, file := filepath.Join(dir, "meter.cjs"), filepath.Join(dir, "cpu")
	source := fmt.Sprintf(`process.on("exit", () => {
		const { user, system } = process.cpuUsage();
		require("fs").appendFileSync(%q, (user + system) + "\n");
	});`, file)
	if err := os.WriteFile(meter, []byte(source), 0o600); err != nil {
		b.Fatal(err)
	}
	total := cpu(runProgram(b, program, "CDKTF_OUTDIR="+dir, "SHOPSTREAM_STACKS=", fmt.Sprintf("NODE_OPTIONS=--require %q", meter)))
	lines, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer lines.Close()
	var node time.Duration
	processes := 0
	for microseconds := 0; ; processes++ {
		if _, err := fmt.Fscan(lines, &microseconds); err != nil {
			break
		}
		node += time.Duration(microseconds) * time.Microsecond
	}
	if processes != 2 || node > total { // jsii's launcher and its kernel
		b.Fatalf("%d Node processes took %v of %v of CPU time, want 2 and not more than all", processes, node, total)
	}
}

// cpu is the time of a process and of those that it waited for.
func cpu(end *os.ProcessState) time.Duration { return end.UserTime() + end.SystemTime() }

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func countResources(b *testing.B, file string) (count int) {
	var stack struct {
		Resource map[string]map[string]json.RawMessage `json:"resource"`
	}
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(data, &stack); err != nil {
		b.Fatalf("%s: %v", file, err)
	}
	for _, named := range stack.Resource {
		count += len(named)
	}
	return count
}
