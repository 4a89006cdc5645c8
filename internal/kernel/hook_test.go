package kernel

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const assembly = `{"name": "@cdktf/provider-aws", "version": "1.2.3", "types": {
	"@cdktf/provider-aws.sqsQueue.SqsQueue": {"kind": "class"},
	"@cdktf/provider-aws.sqsQueue.SqsQueueConfig": {"kind": "interface"},
	"@cdktf/provider-aws.s3Bucket.S3Bucket": {"kind": "class", "docs": {"summary": "ünïcode"}}}}`

const parts = ".jsii.shopstream-1"

// pkg is an npm package in a cache, and the folder that jsii links it into.
type pkg struct {
	cached, linked string
	full           bool // files cannot grow: the disk is as good as full
}

func newPackage(t *testing.T) pkg {
	t.Helper()
	p := pkg{cached: t.TempDir(), linked: t.TempDir()}
	p.write(t, ".jsii", assembly)
	p.write(t, "package.json", `{"main": "lib/index.js"}`)
	p.write(t, "lib/index.js", `exports.eager = 1`)
	p.write(t, "lib/lazy-index.js", `exports.lazy = 1`)
	scope := filepath.Join(p.linked, "node_modules", "@cdktf")
	if err := errors.Join(os.MkdirAll(scope, 0o755), os.Symlink(p.cached, filepath.Join(scope, "provider-aws"))); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p pkg) write(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(p.cached, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// load runs kernel with the script and checks that it sees the whole package
// with the code from index. It returns what took effect and the warnings.
func (p pkg) load(t *testing.T, kernel, index string) (trace, warnings string) {
	t.Helper()
	traceFile := filepath.Join(t.TempDir(), "trace")
	limit := "unlimited"
	if p.full {
		limit = "1" // block: enough for the trace
	}
	cmd := exec.Command("sh", "-c", `ulimit -f "$0" && exec "$@"`, limit, "node", "--preserve-symlinks", "--require", "./hook.cjs", kernel, p.linked,
		"@cdktf/provider-aws.s3Bucket.S3Bucket", "@cdktf/provider-aws.sqsQueue.SqsQueueConfig", "@cdktf/provider-aws.sqsQueue.Absent")
	cmd.Env = append(os.Environ(), "SHOPSTREAM_KERNEL_TRACE="+traceFile, "NODE_OPTIONS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	want := `{"version":"1.2.3","count":3,"types":[{"kind":"class","docs":{"summary":"ünïcode"}},{"kind":"interface"},"none"],` +
		`"code":["` + index + `"],"parsed":[1]}`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("the kernel saw\n%s, want\n%s", got, want)
	}
	lines, _ := os.ReadFile(traceFile)
	return strings.TrimSpace(string(lines)), stderr.String()
}

const testKernel = "testdata/kernel.js"

func TestScriptSplitsOnceThenLoadsByParts(t *testing.T) {
	p := newPackage(t)
	for _, want := range []string{"types split\ncode lazy", "types lazy\ncode lazy", "types lazy\ncode lazy"} {
		if trace, warnings := p.load(t, testKernel, "lazy"); trace != want || warnings != "" {
			t.Errorf("got %q and warnings %q, want %q", trace, warnings, want)
		}
	}
}

func TestScriptRepairsDamagedParts(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"header":    func(b []byte) []byte { return append([]byte("x"), b[1:]...) },
		"length":    func(b []byte) []byte { return bytes.Replace(b, []byte(" "), []byte(" 999999999"), 1) },
		"index":     func(b []byte) []byte { return bytes.Replace(b, []byte("1.2.3"), []byte("1.2.4"), 1) },
		"type":      func(b []byte) []byte { return bytes.Replace(b, []byte(`"class","docs"`), []byte(`"enums","docs"`), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPackage(t)
			p.load(t, testKernel, "lazy")
			whole, err := os.ReadFile(filepath.Join(p.cached, parts))
			if err != nil {
				t.Fatal(err)
			}
			p.write(t, parts, string(damage(bytes.Clone(whole))))
			if _, warnings := p.load(t, testKernel, "lazy"); strings.Count(warnings, "\n") != 1 || !strings.Contains(warnings, parts) {
				t.Errorf("got warnings %q, want one line about %s", warnings, parts)
			}
			p.load(t, testKernel, "lazy")
			if healed, _ := os.ReadFile(filepath.Join(p.cached, parts)); !bytes.Equal(healed, whole) {
				t.Error("the parts weren't written anew")
			}
			if trace, warnings := p.load(t, testKernel, "lazy"); trace != "types lazy\ncode lazy" || warnings != "" {
				t.Errorf("afterwards got %q and warnings %q", trace, warnings)
			}
		})
	}
}

func TestScriptServesProcessesAtOnce(t *testing.T) {
	p := newPackage(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, warnings := p.load(t, testKernel, "lazy"); warnings != "" {
				t.Errorf("got warnings %q", warnings)
			}
		})
	}
	wg.Wait()
	if files, _ := filepath.Glob(filepath.Join(p.cached, parts+"*")); len(files) != 1 {
		t.Errorf("got %q, want the parts alone", files)
	}
}

func TestScriptLeavesAloneWhatItDoesNotKnow(t *testing.T) {
	t.Run("a package without a lazy index", func(t *testing.T) {
		p := newPackage(t)
		if err := os.Remove(filepath.Join(p.cached, "lib", "lazy-index.js")); err != nil {
			t.Fatal(err)
		}
		if _, warnings := p.load(t, testKernel, "eager"); strings.Count(warnings, "\n") != 1 || !strings.Contains(warnings, "lazy-index.js") {
			t.Errorf("got warnings %q, want one line about lazy-index.js", warnings)
		}
	})
	t.Run("a cache that can't be written", func(t *testing.T) {
		p := newPackage(t)
		p.full = true // read-only would not stop root
		if trace, warnings := p.load(t, testKernel, "lazy"); strings.Count(warnings, "\n") != 1 || strings.Contains(trace, "split") {
			t.Errorf("got %q and warnings %q, want one line", trace, warnings)
		}
	})
	t.Run("another kind of assembly", func(t *testing.T) {
		p := newPackage(t)
		p.write(t, ".jsii", strings.Replace(assembly, `"name": "@cdktf/provider-aws"`, `"name": "other"`, 1))
		if _, warnings := p.load(t, testKernel, "lazy"); strings.Count(warnings, "\n") != 1 {
			t.Errorf("got warnings %q, want one line", warnings)
		}
	})
	t.Run("a kernel that reads assemblies in another way", func(t *testing.T) {
		source, err := os.ReadFile(testKernel)
		if err != nil {
			t.Fatal(err)
		}
		kernel := filepath.Join(t.TempDir(), "kernel.js")
		changed := strings.ReplaceAll(string(source), "assemblyBuffer", "buffer")
		if err := os.WriteFile(kernel, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, warnings := newPackage(t).load(t, kernel, "lazy"); !strings.Contains(warnings, "in another way") {
			t.Errorf("got warnings %q", warnings)
		}
	})
	t.Run("a package outside jsii's cache", func(t *testing.T) {
		p := newPackage(t)
		link := filepath.Join(p.linked, "node_modules", "@cdktf", "provider-aws")
		if err := errors.Join(os.Remove(link), os.Rename(p.cached, link)); err != nil {
			t.Fatal(err)
		}
		if trace, warnings := p.load(t, testKernel, "lazy"); trace != "code lazy" || warnings != "" {
			t.Errorf("got %q and warnings %q", trace, warnings)
		}
	})
}
