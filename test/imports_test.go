package test

import (
	"os/exec"
	"strings"
	"testing"
)

// What runs in AWS, and the operator's tool, must not carry jsii: it would
// start a Node process and weigh 50 MB.
func TestWorkloadsDoNotImportJsii(t *testing.T) {
	const module = "github.com/shopstream/shopstream/"
	for _, name := range []string{
		"constructs/event", "constructs/capacity", "constructs/ingest/collector", "constructs/observe/heartbeat", "constructs/lake/ledger",
		"constructs/stream/preprocess", "constructs/stream/scaler", "cmd/shopstream",
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command("go", "list", "-deps", module+name).Output()
			if err != nil {
				t.Fatal(err)
			}
			deps := strings.Fields(string(out))
			if len(deps) < 20 {
				t.Fatalf("got %d packages, want the standard library's at least", len(deps))
			}
			for _, dep := range deps {
				if strings.Contains(dep, "jsii") || strings.Contains(dep, "cdktf") {
					t.Errorf("imports %s", dep)
				}
			}
		})
	}
}

// Only what defines constructs may import jsii.
func TestOnlyConstructsAndStacksImportJsii(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "github.com/shopstream/shopstream/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"": true, "stacks": true, "test": true, "test/synth": true, "test/local/wide": true,
		"constructs/function": true, "constructs/security": true, "constructs/network": true, "constructs/ingest": true, "constructs/stream": true, "constructs/lake": true,
		"constructs/observe": true, "constructs/account": true, "constructs/delivery": true}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 15 {
		t.Fatalf("got %d packages, want all", len(lines))
	}
	for _, line := range lines {
		path, imports, _ := strings.Cut(line, " ")
		name := strings.TrimPrefix(strings.TrimPrefix(path, "github.com/shopstream/shopstream"), "/")
		if strings.Contains(imports, "jsii-runtime-go") && !allowed[name] {
			t.Errorf("%s imports jsii", name)
		}
	}
}
