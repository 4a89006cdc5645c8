package test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"

	_ "github.com/shopstream/shopstream/internal/kernel"
)

func TestKernelLoadsTheAWSPackage(t *testing.T) {
	if got := *provider.AwsProvider_TfResourceType(); got != "aws" {
		t.Errorf("got %q, want aws", got)
	}
}

// The kernel of this process started before any test could look, so a second
// one of this binary is watched.
func TestKernelIsFastInTests(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	wantFast(t, exec.Command(self, "-test.run=^TestKernelLoadsTheAWSPackage$"))
}

func TestKernelOfTheProgram(t *testing.T) {
	program := buildProgram(t)

	t.Run("is fast", func(t *testing.T) {
		cmd := exec.Command(program)
		cmd.Dir = ".."
		cmd.Env = []string{"SHOPSTREAM_STACKS=", "CDKTF_OUTDIR=" + t.TempDir()}
		wantFast(t, cmd)
	})

	t.Run("writes the same as a plain one", func(t *testing.T) {
		fast, plain := t.TempDir(), t.TempDir()
		runProgram(t, program, "CDKTF_OUTDIR="+fast, "SHOPSTREAM_KERNEL=fast")
		runProgram(t, program, "CDKTF_OUTDIR="+plain, "SHOPSTREAM_KERNEL=plain")
		wantSameTree(t, fast, plain)
	})
}

// wantFast runs cmd and checks that its kernel loaded the AWS package by parts.
func wantFast(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	// An inherited NODE_OPTIONS would hide that cmd set its own too late.
	cmd.Env = append(os.Environ(), append(cmd.Env, "NODE_OPTIONS=", "SHOPSTREAM_KERNEL=", "SHOPSTREAM_KERNEL_TRACE="+file)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	trace, _ := os.ReadFile(file)
	code, types := strings.Contains(string(trace), "code lazy"), strings.Contains(string(trace), "types ") // lazy, or split the first time
	if !code || !types || strings.Contains(string(trace), "plain") {
		t.Errorf("the kernel reports %q, want lazy code and types", trace)
	}
}

// buildProgram builds the program at the root of the repository.
func buildProgram(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// runProgram runs the program in an environment that has env in addition and no
// Node options, and returns its end, from which the CPU time can be read.
func runProgram(t testing.TB, program string, env ...string) *os.ProcessState {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Dir = ".."
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NODE_OPTIONS=") })
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("synth with %q: %v\n%s", env, err, out)
	}
	return cmd.ProcessState
}

func wantSameTree(t testing.TB, got, want string) {
	t.Helper()
	a, b := readTree(t, got), readTree(t, want)
	if len(b) == 0 {
		t.Error("nothing was written")
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if content, ok := a[name]; !ok || !bytes.Equal(content, b[name]) {
			t.Errorf("%s differs or is missing", name)
		}
		delete(a, name)
	}
	for name := range a {
		t.Errorf("%s is written in addition", name)
	}
}

func readTree(t testing.TB, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(root, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
