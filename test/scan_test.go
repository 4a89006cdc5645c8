package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	checkov          = "../.venv-checkov/bin/checkov"
	mostSuppressions = 20
	planted          = "planted.tf"
)

// plantedDefect is what the scan must find: else it finds nothing at all.
const plantedDefect = `resource "aws_vpc_security_group_ingress_rule" "planted" {
security_group_id = "sg-0123456789abcdef0"
cidr_ipv4 = "0.0.0.0/0"
ip_protocol = "tcp"
from_port = 22
to_port = 22
}
`

// finding is a check that a resource fails.
type finding struct {
	Check    string `json:"check_id"`
	Name     string `json:"check_name"`
	Resource string // its address
	File     string `json:"file_path"`
	path     string // its construct's, without the stack
}

func TestScanOfProd(t *testing.T) {
	needCheckov(t)
	scanned := writeHCL(t, "prod")
	found, resources := scan(t, scanned.dir)

	t.Run("looks at every resource", func(t *testing.T) {
		if want := len(scanned.paths) + 1; resources != want || resources < 200 {
			t.Errorf("got %d resources, want %d, the stack's and the planted one, and at least 200", resources, want)
		}
	})
	t.Run("finds a planted defect", func(t *testing.T) {
		if !slices.ContainsFunc(found, func(f finding) bool { return f.File == "/"+planted && f.Check == "CKV_AWS_24" }) {
			t.Error("the port of SSH is open to the world, and the scan finds nothing")
		}
	})

	used := map[string]int{}
	t.Run("finds nothing that isn't suppressed", func(t *testing.T) {
		for _, f := range found {
			if f.File == "/"+planted {
				continue
			}
			f.path = scanned.paths[f.Resource]
			if keys := suppressing(f); len(keys) > 0 {
				for _, key := range keys {
					used[key]++
				}
				continue
			}
			t.Errorf("%s (%s): %s: %s", f.path, f.Resource, f.Check, f.Name)
		}
	})
	t.Run("needs every suppression", func(t *testing.T) {
		for _, s := range suppressions {
			for _, key := range s.keys() {
				if used[key] == 0 {
					t.Errorf("the suppression of %s suppresses nothing: take it out", key)
				}
			}
		}
	})
}

func TestSuppressionsOfTheScan(t *testing.T) {
	if len(suppressions) > mostSuppressions {
		t.Errorf("got %d, want at most %d: mend what the scan finds", len(suppressions), mostSuppressions)
	}
	known := map[string]bool{}
	for _, s := range suppressions {
		if len(s.Checks) == 0 || len(s.Paths) == 0 || known[s.key()] {
			t.Fatalf("want checks and paths that no other begins with: %q", s)
		}
		known[s.key()] = true
		if len(s.Reason) < 40 {
			t.Errorf("%v of %v: got the reason %q, want why it is safe", s.Checks, s.Paths, s.Reason)
		}
		for _, pattern := range s.Paths {
			if _, err := path.Match(pattern, ""); err != nil {
				t.Errorf("%s: %v", pattern, err)
			}
		}
	}
}

// suppressing returns the keys of the suppressions that cover f.
func suppressing(f finding) (keys []string) {
	for _, s := range suppressions {
		if !slices.Contains(s.Checks, f.Check) {
			continue
		}
		for _, pattern := range s.Paths {
			if matches, _ := path.Match(pattern, f.path); matches {
				keys = append(keys, s.key()+": "+f.Check, s.key()+": "+pattern)
			}
		}
	}
	return keys
}

// key names a suppression by its first check and path.
func (s suppression) key() string { return s.Checks[0] + " of " + s.Paths[0] }

// keys name what each must be used: the checks and the paths.
func (s suppression) keys() (keys []string) {
	for _, check := range s.Checks {
		keys = append(keys, s.key()+": "+check)
	}
	for _, pattern := range s.Paths {
		keys = append(keys, s.key()+": "+pattern)
	}
	return keys
}

func needCheckov(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(checkov); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: make setup-test installs it", err)
		}
		t.Skip("checkov is not installed: make setup-test installs it")
	}
}

// scan returns what checkov finds in dir, and the number of resources that it
// looked at. It ends well also where it cannot read a file or a check breaks.
func scan(t *testing.T, dir string) ([]finding, int) {
	t.Helper()
	program, err := filepath.Abs(checkov)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--directory", ".", "--framework", "terraform", "--output", "json", "--quiet", "--compact", "--skip-download", "--soft-fail")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LOG_LEVEL=WARNING"} // nobody's own settings
	var output, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("checkov: %v\n%s%s", err, problems.String(), output.String())
	}
	if strings.Contains(problems.String(), "ERROR") {
		t.Errorf("checkov: %s", problems.String())
	}
	var report struct {
		Results struct {
			Failed []finding `json:"failed_checks"`
		}
		Summary struct {
			Errors    int `json:"parsing_errors"`
			Resources int `json:"resource_count"`
		}
	}
	if err := json.Unmarshal(output.Bytes(), &report); err != nil {
		t.Fatalf("checkov: %v\n%s", err, output.String())
	}
	if report.Summary.Errors > 0 {
		t.Fatalf("checkov cannot read %d files", report.Summary.Errors)
	}
	return report.Results.Failed, report.Summary.Resources
}

// hcl is a stack as HCL, beside a planted defect.
type hcl struct {
	dir   string
	paths map[string]string // of constructs, by the resource's address
}

// writeHCL lets the program write a stack as HCL.
func writeHCL(t *testing.T, stack string) hcl {
	t.Helper()
	out := t.TempDir()
	runProgram(t, buildProgram(t), "SHOPSTREAM_STACKS="+stack, "CDKTF_OUTDIR="+out, "SYNTH_HCL_OUTPUT=true")
	written, err := os.ReadFile(filepath.Join(out, "stacks", stack, "cdk.tf"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "stacks", stack, "metadata.json"))
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Resource map[string]map[string]struct {
			Note struct{ Metadata struct{ Path string } } `json:"//"`
		}
	}
	if err := json.Unmarshal(b, &metadata); err != nil {
		t.Fatal(err)
	}
	h := hcl{dir: t.TempDir(), paths: map[string]string{}}
	for kind, resources := range metadata.Resource {
		for name, resource := range resources {
			h.paths[kind+"."+name] = strings.TrimPrefix(resource.Note.Metadata.Path, stack+"/")
		}
	}
	for name, content := range map[string]string{"cdk.tf": mendHCL(string(written)), planted: plantedDefect} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

var (
	quoted     = regexp.MustCompile(`^(.* = )?"(.*\$\{.*)"(,?)$`)
	escaped    = regexp.MustCompile(`\$\{(?:"[^"]*"|[^}"])*\}|["\\]`)
	objectHead = regexp.MustCompile(`^(\w+) = \{$`)
	listHead   = regexp.MustCompile(`^(\w+) = \[$`)
)

// mendHCL mends what CDKTF gets wrong in HCL: it escapes no quote in a text
// with a reference, as every policy is, and writes the blocks of a web ACL's
// statements, which its bindings don't type, as attributes.
func mendHCL(written string) string {
	lines := strings.Split(written, "\n")
	var lists []string // that are open in a web ACL
	inACL := false
	for i, line := range lines {
		if strings.HasPrefix(line, `resource "`) {
			inACL = strings.HasPrefix(line, `resource "aws_wafv2_web_acl" `)
		}
		if m := quoted.FindStringSubmatch(line); m != nil {
			text := escaped.ReplaceAllStringFunc(m[2], func(s string) string {
				if len(s) > 1 {
					return s // an expression
				}
				return `\` + s
			})
			lines[i] = m[1] + `"` + text + `"` + m[3]
		}
		if !inACL {
			continue
		}
		switch head := listHead.FindStringSubmatch(line); {
		case head != nil:
			lists = append(lists, head[1])
			lines[i] = ""
		case line == "]":
			lists = lists[:len(lists)-1]
			lines[i] = ""
		case line == "{":
			lines[i] = lists[len(lists)-1] + " {"
		case line == "},":
			lines[i] = "}"
		default:
			lines[i] = objectHead.ReplaceAllString(lines[i], "$1 {")
		}
	}
	return strings.Join(lines, "\n")
}
