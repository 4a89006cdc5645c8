package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWide applies the stack local-wide, which has what prod has, on the
// emulators, but for what docs/emulators.md says that no emulator holds.
func TestWide(t *testing.T) {
	root := built(t)
	t.Parallel()
	dir := t.TempDir()
	writeStacks(t, root, dir, "local-wide")
	stackDir := filepath.Join(dir, "stacks", "local-wide")
	lacked := listed(t, root, heldByNone)
	applied := readStack(t, stackDir).without(lacked)
	applied.write(t, stackDir)
	if wrong := disagreements(lacked, applied, readStack(t, filepath.Join(dir, "stacks", "prod"))); len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n")) // before minutes of applying
	}
	appliesAndLeavesNothing(t, root, stackDir, listed(t, root, leftByDestroy))
}

// disagreements are what is wrong with a list in docs/emulators.md of types that
// are in the whole and cannot be applied.
func disagreements(lacked map[string]string, applied, whole stack) (wrong []string) {
	for name, reason := range lacked {
		if whole.resources[name] == nil {
			wrong = append(wrong, fmt.Sprintf("docs/emulators.md lists %s, which is in no stack", name))
		}
		if reason == "" {
			wrong = append(wrong, fmt.Sprintf("docs/emulators.md lists %s without a reason", name))
		}
	}
	for name := range whole.resources {
		if _, listed := lacked[name]; !listed && applied.resources[name] == nil {
			wrong = append(wrong, fmt.Sprintf("%s is not applied, and docs/emulators.md does not list it", name))
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
		"a type that falls with another has to be listed": {lacked, []string{"aws_panel is not applied, and docs/emulators.md does not list it"}},
		"a list that covers all is right":                 {map[string]string{"aws_lock": "has no route", "aws_panel": "shows the lock"}, nil},
		"a type that is in no stack is wrong":             {map[string]string{"aws_lock": "x", "aws_panel": "x", "aws_gone": "x"}, []string{"docs/emulators.md lists aws_gone, which is in no stack"}},
		"a type needs a reason":                           {map[string]string{"aws_lock": "", "aws_panel": "x"}, []string{"docs/emulators.md lists aws_lock without a reason"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := disagreements(c.lacked, applied, prod); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Sections of docs/emulators.md whose tables tests are held to.
const (
	heldByNone        = "What no emulator holds"
	accountHeldByNone = "What no emulator holds of an account"
	leftByDestroy     = "What a destroy leaves"
)

var row = regexp.MustCompile("(?m)^\\| `([a-z0-9_ -]+)` \\|(.*)\\|$")

// listed are the first cells of a section's table in docs/emulators.md, each
// with the second, the reason.
func listed(t testing.TB, root, section string) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "emulators.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n## "+section+"\n")
	if !found {
		t.Fatalf("docs/emulators.md has no section %s", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	cells := map[string]string{}
	for _, match := range row.FindAllStringSubmatch(text, -1) {
		cells[match[1]] = strings.TrimSpace(match[2])
	}
	return cells
}

// stack is a stack's Terraform JSON.
type stack struct {
	resources map[string]map[string]json.RawMessage // by type and name
	outputs   map[string]json.RawMessage
	rest      map[string]json.RawMessage
}

func readStack(t testing.TB, dir string) (s stack) {
	t.Helper()
	readJSON(t, filepath.Join(dir, "cdk.tf.json"), &s.rest)
	for key, v := range map[string]any{"resource": &s.resources, "output": &s.outputs} {
		if s.rest[key] == nil { // as where a stack has no outputs
			continue
		}
		if err := json.Unmarshal(s.rest[key], v); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s stack) write(t testing.TB, dir string) {
	t.Helper()
	whole := map[string]any{}
	for key, v := range s.rest {
		whole[key] = v
	}
	whole["resource"] = s.resources
	if len(s.outputs) > 0 { // Terraform takes no empty ones
		whole["output"] = s.outputs
	} else {
		delete(whole, "output")
	}
	b, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cdk.tf.json"), string(b))
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// and is both stacks' resources.
func (s stack) and(other stack) stack {
	both := map[string]map[string]json.RawMessage{}
	for _, resources := range []map[string]map[string]json.RawMessage{s.resources, other.resources} {
		for name, byName := range resources {
			if both[name] == nil {
				both[name] = map[string]json.RawMessage{}
			}
			maps.Copy(both[name], byName)
		}
	}
	return stack{resources: both}
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
