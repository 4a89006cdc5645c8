package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/internal/emulator"
	"github.com/shopstream/shopstream/internal/process"
)

// TestWide applies the stack local-wide, which has what prod has, on the
// emulators, but for what docs/emulators.md says that no emulator holds.
func TestWide(t *testing.T) {
	root := built(t)
	t.Parallel()
	dir := t.TempDir()
	writeWide(t, root, dir)
	stackDir := filepath.Join(dir, "stacks", "local-wide")
	lacked := lackedTypes(t, root)
	applied := readStack(t, stackDir).without(lacked)
	applied.write(t, stackDir)
	writeFile(t, filepath.Join(stackDir, "terraform.tfvars.json"),
		`{"page_email": "pages@example.com", "ticket_email": "tickets@example.com"}`)
	if wrong := disagreements(lacked, applied, readStack(t, filepath.Join(dir, "stacks", "prod"))); len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n")) // before minutes of applying
	}

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
	if _, err := aws.Deploy(t.Context(), stackDir); err != nil {
		t.Fatal(err)
	}
	if got, want := len(stateOf(t, stackDir)), applied.count(); got != want {
		t.Errorf("got %d resources in the state, want %d", got, want)
	}
	if err := aws.Terraform(t.Context(), stackDir, "plan", "-no-color", "-input=false", "-detailed-exitcode", "-parallelism=30"); err != nil {
		t.Errorf("a second plan fails or finds changes: %v\n%s", err, changes(filepath.Join(dir, "run", "terraform-plan.log")))
	}
	if err := aws.Destroy(t.Context(), stackDir); err != nil {
		t.Fatal(err)
	}
	if left := stateOf(t, stackDir); len(left) > 0 {
		t.Errorf("destroying leaves %s", strings.Join(left, ", "))
	}
}

// writeWide writes the stacks local-wide and prod to dir, in a process of its own.
func writeWide(t *testing.T, root, dir string) {
	t.Helper()
	cmd := exec.Command("go", "run", "./test/local/wide")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CDKTF_OUTDIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// disagreements are what is wrong with the list in docs/emulators.md.
func disagreements(lacked map[string]string, applied, prod stack) (wrong []string) {
	for name, reason := range lacked {
		if prod.resources[name] == nil {
			wrong = append(wrong, fmt.Sprintf("docs/emulators.md lists %s, which prod does not have", name))
		}
		if reason == "" {
			wrong = append(wrong, fmt.Sprintf("docs/emulators.md lists %s without a reason", name))
		}
	}
	for name := range prod.resources {
		if _, listed := lacked[name]; !listed && applied.resources[name] == nil {
			wrong = append(wrong, fmt.Sprintf("prod has %s, which local-wide does not apply and docs/emulators.md does not list", name))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestTheListOfWhatNoEmulatorHoldsIsHeldToTheStacks(t *testing.T) {
	parse := func(resources string) (s stack) {
		t.Helper()
		if err := json.Unmarshal([]byte(resources), &s.resources); err != nil {
			t.Fatal(err)
		}
		return s
	}
	prod := parse(`{
		"aws_lock": {"this": {}},
		"aws_alarm": {"on-lock": {"name": "${aws_lock.this.name}"}, "other": {}},
		"aws_panel": {"this": {"depends_on": ["aws_alarm.on-lock"]}}
	}`)
	lacked := map[string]string{"aws_lock": "has no route"}

	applied := prod.without(lacked)
	if want := parse(`{"aws_alarm": {"other": {}}}`); !reflect.DeepEqual(applied.resources, want.resources) {
		t.Errorf("got %s, want only what does not refer to the lock", applied.resources)
	}
	for name, c := range map[string]struct {
		lacked map[string]string
		want   []string
	}{
		"a type that falls with another has to be listed": {lacked, []string{"prod has aws_panel, which local-wide does not apply and docs/emulators.md does not list"}},
		"a list that covers all is right":                 {map[string]string{"aws_lock": "has no route", "aws_panel": "shows the lock"}, nil},
		"a type that prod does not have is wrong":         {map[string]string{"aws_lock": "x", "aws_panel": "x", "aws_gone": "x"}, []string{"docs/emulators.md lists aws_gone, which prod does not have"}},
		"a type needs a reason":                           {map[string]string{"aws_lock": "", "aws_panel": "x"}, []string{"docs/emulators.md lists aws_lock without a reason"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := disagreements(c.lacked, applied, prod); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

var lackedRow = regexp.MustCompile("(?m)^\\| `(aws_[a-z0-9_]+)` \\|(.*)\\|$")

// lackedTypes are the types of resources that docs/emulators.md lists as held
// by no emulator, each with its reason.
func lackedTypes(t *testing.T, root string) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "emulators.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## What no emulator holds\n")
	if !found {
		t.Fatal("docs/emulators.md has no section What no emulator holds")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	lacked := map[string]string{}
	for _, row := range lackedRow.FindAllStringSubmatch(section, -1) {
		lacked[row[1]] = strings.TrimSpace(row[2])
	}
	return lacked
}

// stack is a stack's Terraform JSON.
type stack struct {
	resources map[string]map[string]json.RawMessage // by type and name
	outputs   map[string]json.RawMessage
	rest      map[string]json.RawMessage
}

func readStack(t *testing.T, dir string) (s stack) {
	t.Helper()
	readJSON(t, filepath.Join(dir, "cdk.tf.json"), &s.rest)
	for key, v := range map[string]any{"resource": &s.resources, "output": &s.outputs} {
		if err := json.Unmarshal(s.rest[key], v); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s stack) write(t *testing.T, dir string) {
	t.Helper()
	whole := map[string]any{"resource": s.resources, "output": s.outputs}
	for key, v := range s.rest {
		if whole[key] == nil {
			whole[key] = v
		}
	}
	b, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cdk.tf.json"), string(b))
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s stack) count() (n int) {
	for _, byName := range s.resources {
		n += len(byName)
	}
	return n
}

// without is the stack without the resources of some types, and without all
// that refers to them.
func (s stack) without(types map[string]string) stack {
	gone := map[string]bool{}
	for name, byName := range s.resources {
		if _, remove := types[name]; remove {
			for resource := range byName {
				gone[name+"."+resource] = true
			}
		}
	}
	for before := -1; before < len(gone); {
		before = len(gone)
		for name, byName := range s.resources {
			for resource, body := range byName {
				if refersTo(body, gone) {
					gone[name+"."+resource] = true
				}
			}
		}
	}
	kept := stack{resources: map[string]map[string]json.RawMessage{}, outputs: maps.Clone(s.outputs), rest: s.rest}
	for name, byName := range s.resources {
		for resource, body := range byName {
			if gone[name+"."+resource] {
				continue
			}
			if kept.resources[name] == nil {
				kept.resources[name] = map[string]json.RawMessage{}
			}
			kept.resources[name][resource] = body
		}
	}
	maps.DeleteFunc(kept.outputs, func(_ string, body json.RawMessage) bool { return refersTo(body, gone) })
	return kept
}

var address = regexp.MustCompile(`\baws_[a-z0-9_]+\.[A-Za-z0-9_-]+`)

// refersTo says whether a body names one of the addresses.
func refersTo(body json.RawMessage, addresses map[string]bool) bool {
	return slices.ContainsFunc(address.FindAll(body, -1), func(found []byte) bool { return addresses[string(found)] })
}

// stateOf are the addresses of the resources in a stack's state.
func stateOf(t *testing.T, dir string) (addresses []string) {
	t.Helper()
	var state struct {
		Resources []struct{ Mode, Type, Name string }
	}
	readJSON(t, filepath.Join(dir, "terraform.tfstate"), &state)
	for _, r := range state.Resources {
		if r.Mode == "managed" {
			addresses = append(addresses, fmt.Sprintf("%s.%s", r.Type, r.Name))
		}
	}
	return addresses
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
