package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shopstream/shopstream/test/results"
)

const (
	benchRuns     = 5
	maxStartRatio = 0.45
	maxStack      = 2 * time.Second // of CPU time, for a stack after the start
)

// BenchmarkStart measures the CPU time of a synth's start over all of its
// processes, which loads the packages and writes no stack: fast against plain.
// Run it alone and once:
//
//	go test ./test -run '^$' -bench '^BenchmarkStart$' -benchtime 1x
func BenchmarkStart(b *testing.B) {
	program := buildProgram(b)
	checkNodeIsMeasured(b, program)

	// Alternating, so that whatever else the machine does slows both.
	fastOut, plainOut := b.TempDir(), b.TempDir()
	var fast, plain []time.Duration
	for i := range benchRuns + 1 {
		f, _ := synthesize(b, program, fastOut, "fast", "")
		p, _ := synthesize(b, program, plainOut, "plain", "")
		if i > 0 { // the first run fills the caches
			fast, plain = append(fast, f), append(plain, p)
		}
	}
	wantSameTree(b, fastOut, plainOut)
	ratio := median(fast).Seconds() / median(plain).Seconds()
	if ratio > maxStartRatio {
		b.Errorf("a fast start takes %.2f of a plain one's CPU time, want at most %.2f", ratio, maxStartRatio)
	}
	results.Write(b,
		results.Result{Name: "cpu", Value: median(plain).Seconds(), Unit: "s", Input: "plain"},
		results.Result{Name: "cpu", Value: median(fast).Seconds(), Unit: "s", Input: "fast"},
		results.Result{Name: "fast-to-plain", Value: ratio, Unit: "ratio", Input: "cpu"},
	)
}

// BenchmarkStack measures what each stack takes to synthesize, and what it adds
// to the CPU time of a start. Run it alone and once:
//
//	go test ./test -run '^$' -bench '^BenchmarkStack$' -benchtime 1x
func BenchmarkStack(b *testing.B) {
	program := buildProgram(b)
	synthesize(b, program, b.TempDir(), "fast", "") // fills the caches
	var starts []time.Duration
	for range benchRuns {
		start, _ := synthesize(b, program, b.TempDir(), "fast", "")
		starts = append(starts, start)
	}
	var measured []results.Result
	for _, stack := range []string{"local", "dev", "staging", "prod", "bootstrap-prod", "account-prod"} {
		out := b.TempDir()
		var cpus, walls []time.Duration
		for range benchRuns {
			cpu, wall := synthesize(b, program, out, "fast", stack)
			cpus, walls = append(cpus, cpu), append(walls, wall)
		}
		added := median(cpus) - median(starts)
		if added > maxStack {
			b.Errorf("%s takes %v of CPU time after the start, want at most %v", stack, added, maxStack)
		}
		measured = append(measured,
			results.Result{Name: "resources", Value: countResources(b, filepath.Join(out, "stacks", stack, "cdk.tf.json")), Unit: "count", Input: stack},
			results.Result{Name: "synth", Value: median(walls).Seconds(), Unit: "s", Input: stack},
			results.Result{Name: "cpu-after-start", Value: added.Seconds(), Unit: "s", Input: stack},
		)
	}
	results.Write(b, measured...)
}

// synthesize writes stacks to out, and returns the CPU time and the time of that.
func synthesize(b *testing.B, program, out, mode, stacks string) (cpu, wall time.Duration) {
	begin := time.Now()
	end := runProgram(b, program, "CDKTF_OUTDIR="+out, "SHOPSTREAM_KERNEL="+mode, "SHOPSTREAM_STACKS="+stacks)
	return cpuOf(end), time.Since(begin)
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
	total := cpuOf(runProgram(b, program, "CDKTF_OUTDIR="+dir, "SHOPSTREAM_STACKS=", fmt.Sprintf("NODE_OPTIONS=--require %q", meter)))
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

// cpuOf is the time of a process and of those that it waited for.
func cpuOf(end *os.ProcessState) time.Duration { return end.UserTime() + end.SystemTime() }

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

func countResources(b *testing.B, file string) (count float64) {
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
		count += float64(len(named))
	}
	return count
}
