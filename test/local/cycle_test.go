package local

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/process"
	"github.com/shopstream/shopstream/test/results"
)

// writeStacks writes a set of stacks to dir, in a process of its own.
func writeStacks(t testing.TB, root, dir, set string) {
	t.Helper()
	cmd := exec.Command("go", "run", "./test/local/wide", set)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CDKTF_OUTDIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stackDirs, _ := filepath.Glob(filepath.Join(dir, "stacks", "*")) // the pattern is valid
	for _, stackDir := range stackDirs {
		readStack(t, stackDir).writeSettings(t, stackDir)
	}
}

// writeSettings gives a stack's variables values, but those that the emulator sets.
func (s stack) writeSettings(t testing.TB, stackDir string) {
	t.Helper()
	var variables map[string]json.RawMessage
	if err := json.Unmarshal(s.rest["variable"], &variables); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for name := range variables {
		values[name] = strings.ReplaceAll(name, "_", "-") + "@example.com"
	}
	for _, name := range []string{"ministack_endpoint", "moto_endpoint", "collector_image"} {
		delete(values, name)
	}
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(stackDir, "terraform.tfvars.json"), string(b))
}

// emulated is an emulated AWS of a test's own.
type emulated struct {
	*emulator.AWS
	root, dir string
}

func startEmulated(t testing.TB, root string) emulated {
	t.Helper()
	dir := t.TempDir()
	group, err := process.NewGroup(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(group.Stop)
	aws, err := emulator.Start(t.Context(), emulator.Options{
		Root: root, Dir: filepath.Join(dir, "emulator"), Region: "eu-west-1", Account: "123456789012", Group: group,
	})
	if err != nil {
		t.Fatal(err)
	}
	return emulated{aws, root, dir}
}

// appliesAndLeavesNothing applies a stack, finds no change in a second plan,
// destroys it, and finds in the emulators what was there before. leaves are the
// listings of the inventory in which one thing more is left, with the reason.
func appliesAndLeavesNothing(t *testing.T, root, stackDir string, leaves map[string]string) {
	t.Helper()
	aws := startEmulated(t, root)
	regions := readStack(t, stackDir).regions(t)
	before := aws.inventory(t, regions)
	if _, err := aws.Deploy(t.Context(), stackDir); err != nil {
		t.Fatal(err)
	}
	applied := stateOf(t, stackDir)
	if got, want := len(applied), readStack(t, stackDir).count(); got != want {
		t.Errorf("got %d resources in the state, want %d", got, want)
	}
	for _, blind := range unseen(applied, added(before, aws.inventory(t, regions))) {
		t.Error(blind)
	}
	if err := aws.Terraform(t.Context(), stackDir, "plan", "-no-color", "-input=false", "-detailed-exitcode", "-parallelism=30"); err != nil {
		t.Errorf("a second plan fails or finds changes: %v\n%s", err, changes(filepath.Join(aws.dir, "run", "terraform-plan.log")))
	}
	if err := aws.Destroy(t.Context(), stackDir); err != nil {
		t.Fatal(err)
	}
	for _, r := range stateOf(t, stackDir) {
		t.Errorf("destroying leaves %s.%s in the state", r.Type, r.Name)
	}
	for _, wrong := range leftovers(added(before, aws.inventory(t, regions)), leaves) {
		t.Error(wrong)
	}
}

// resource is one in a stack's state.
type resource struct {
	Mode, Type, Name string
	Instances        []struct{ Attributes map[string]any }
}

// stateOf are the managed resources in a stack's state.
func stateOf(t testing.TB, dir string) []resource {
	t.Helper()
	var state struct{ Resources []resource }
	readJSON(t, filepath.Join(dir, "terraform.tfstate"), &state)
	return slices.DeleteFunc(state.Resources, func(r resource) bool { return r.Mode != "managed" })
}

var changed = regexp.MustCompile(`^ +(# aws_|[+~-] |[-+/]+ |Error)`)

// changes are the lines of a plan that say what differs.
func changes(log string) string {
	b, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := slices.DeleteFunc(strings.Split(string(b), "\n"), func(line string) bool { return !changed.MatchString(line) })
	return strings.Join(lines, "\n")
}

// TestLocal is the demo's stack without the demo.
func TestLocal(t *testing.T) {
	root := built(t)
	t.Parallel()
	dir := t.TempDir()
	writeStacks(t, root, dir, "local")
	appliesAndLeavesNothing(t, root, filepath.Join(dir, "stacks", "local"), nil)
}

// BenchmarkDeploy measures how long the stacks local and local-wide take to
// apply and to destroy on the emulators. Run it alone and once:
//
//	go test ./test/local -run '^$' -bench '^BenchmarkDeploy$' -benchtime 1x
func BenchmarkDeploy(b *testing.B) {
	root := built(b)
	var measured []results.Result
	for _, name := range []string{"local", "local-wide"} {
		dir := b.TempDir()
		writeStacks(b, root, dir, name)
		stackDir := filepath.Join(dir, "stacks", name)
		readStack(b, stackDir).without(listed(b, root, heldByNone)).write(b, stackDir)
		aws := startEmulated(b, root)
		step := func(what string, run func() error) {
			start := time.Now()
			if err := run(); err != nil {
				b.Fatal(err)
			}
			measured = append(measured, results.Result{Name: what, Value: time.Since(start).Seconds(), Unit: "s", Input: name})
		}
		step("init-and-apply", func() error { _, err := aws.Deploy(b.Context(), stackDir); return err })
		measured = append(measured, results.Result{Name: "resources", Value: float64(len(stateOf(b, stackDir))), Unit: "count", Input: name})
		step("destroy", func() error { return aws.Destroy(b.Context(), stackDir) })
	}
	results.Write(b, measured...)
}

// regions are those of a stack's providers.
func (s stack) regions(t *testing.T) []string {
	t.Helper()
	var providers struct{ AWS []struct{ Region string } }
	if err := json.Unmarshal(s.rest["provider"], &providers); err != nil {
		t.Fatal(err)
	}
	regions := make([]string, len(providers.AWS))
	for i, p := range providers.AWS {
		regions[i] = p.Region
	}
	if len(regions) == 0 {
		t.Fatal("the stack has no providers")
	}
	return regions
}
