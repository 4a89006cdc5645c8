package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// built compiles a program of its own in a new folder.
func built(t *testing.T, source string) ([]byte, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"go.mod": "module example.test/program\n\ngo 1.24\n", "main.go": source} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOTOOLCHAIN", "local")
	if err := compile(t.Context(), ".", filepath.Join("out", "program"), runtime.GOOS, runtime.GOARCH); err != nil {
		return nil, err
	}
	program, err := os.ReadFile(filepath.Join("out", "program"))
	if err != nil {
		t.Fatal(err)
	}
	return archive(program)
}

func TestTheSameSourceGivesTheSameZipInAnyFolder(t *testing.T) {
	const source = "package main\n\nfunc main() { panic(1) }\n"
	first, err := built(t, source)
	if err != nil {
		t.Fatal(err)
	}
	second, err := built(t, source)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("zips of %d and %d bytes differ", len(first), len(second))
	}
}

func TestAProgramThatDoesNotCompileSaysWhy(t *testing.T) {
	_, err := built(t, "package main\n\nfunc main() { nonsense() }\n")
	if err == nil || !strings.Contains(err.Error(), "build . for "+runtime.GOOS) || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("error is %v", err)
	}
}

func TestAFunctionsZipHoldsItsProgramAsAnExecutableBootstrap(t *testing.T) {
	b, err := archive([]byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(r.File) != 1 {
		t.Fatalf("%d files: %v", len(r.File), err)
	}
	f := r.File[0]
	if f.Name != "bootstrap" || f.Mode() != 0o755 || !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("file is %s %s of %s", f.Name, f.Mode(), f.Modified)
	}
	content, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(content); err != nil || string(got) != "program" {
		t.Errorf("it holds %q: %v", got, err)
	}
}
