package guardrails

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every rule has testdata/RULE/pass.json, in which it finds nothing, and
// fail.json, in which it finds every resource whose name starts with bad_ and
// no other.
func TestEveryRuleHasAFixtureThatPassesAndOneThatFails(t *testing.T) {
	rules := map[string]bool{}
	for _, rule := range Rules() {
		rules[rule.Name] = true
		t.Run(rule.Name, func(t *testing.T) {
			if found := brokenIn(t, rule.Name, "pass.json"); len(found) > 0 {
				t.Errorf("pass.json: got %v, want nothing", slices.Collect(maps.Values(found)))
			}
			found := brokenIn(t, rule.Name, "fail.json")
			s := fixture(t, rule.Name, "fail.json")
			bad := 0
			names := map[string]bool{}
			for _, r := range slices.Concat(s.resources, s.providers) {
				names[strings.TrimPrefix(r.path, "test/")] = true
			}
			for name := range s.variables {
				names[name] = true
			}
			for name := range names {
				if !strings.Contains(name, "bad_") {
					continue
				}
				if bad++; found[name].Rule == "" {
					t.Errorf("fail.json: %s passes", name)
				}
			}
			for name, v := range found {
				if !strings.Contains(name, "bad_") {
					t.Errorf("fail.json: %s should pass, got %v", name, v)
				}
				if v.Path == "" || v.Problem == "" || v.Mend == "" {
					t.Errorf("fail.json: %+v lacks the path, the problem or the mend", v)
				}
			}
			if bad == 0 {
				t.Error("fail.json: nothing in it is bad_")
			}
		})
	}
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if dir.IsDir() && dir.Name() != "plan" && !rules[dir.Name()] {
			t.Errorf("testdata/%s is of no rule", dir.Name())
		}
	}
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fixture(t *testing.T, parts ...string) *stack {
	t.Helper()
	s, err := decode(read(t, parts...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// brokenIn returns a fixture's violations of its own rule by the resource's name.
func brokenIn(t *testing.T, rule, file string) map[string]Violation {
	t.Helper()
	found := map[string]Violation{}
	for _, v := range fixture(t, rule, file).violations(true, rule) {
		found[strings.TrimPrefix(v.Path, "test/")] = v
	}
	return found
}

// A line of the table finds a resource that has its optional blocks and
// nothing in them.
func TestEveryLineOfTheTableFindsWhatLacksIt(t *testing.T) {
	for kind, lines := range byKind {
		for _, line := range lines {
			for _, q := range line.requirements {
				body := map[string]any{}
				if condition, value, _ := strings.Cut(line.condition, "="); condition != "" && condition[0] != '!' {
					body[condition] = cmp.Or(value, "x")
				}
				block := body
				parts := strings.Split(q.path, ".")
				for i, part := range parts {
					name, optional := strings.CutSuffix(part, "?")
					if optional && i == len(parts)-1 {
						block[name] = "wrong"
					} else if optional {
						inner := map[string]any{}
						block[name] = []any{inner}
						block = inner
					} else {
						break
					}
				}
				s := &stack{resources: []*resource{{kind: kind, name: "x", path: "test/x", body: body}}}
				s.index()
				name := strings.ReplaceAll(q.path, "?", "")
				if !slices.ContainsFunc(s.violations(true, q.rule), func(v Violation) bool { return strings.HasPrefix(v.Problem, name+" is ") }) {
					t.Errorf("%s: %s passes without %s", kind, q.rule, name)
				}
			}
		}
	}
}
