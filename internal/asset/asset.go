// Package asset finds what "make build" has built. Synth never compiles: a
// missing workload is an error that says how to build it.
package asset

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Platform is what a workload is built for.
type Platform string

// AWS runs our functions and containers on Graviton; emulated AWS runs them as
// processes of this machine.
const (
	AWS  Platform = "linux-arm64"
	Host Platform = "host"
)

// Architecture is Lambda's word for the platform's instruction set.
func (p Platform) Architecture() string {
	if p == Host && runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return "arm64"
}

// Function is a zip file for AWS Lambda.
type Function struct {
	Path     string
	Platform Platform
}

// FindFunction returns the function that "make build" wrote into the project's
// build/.
func FindFunction(name string, platform Platform) (Function, error) {
	root, err := Root()
	if err != nil {
		return Function{}, err
	}
	path := filepath.Join(root, "build", "functions", string(platform), name+".zip")
	if _, err := os.Stat(path); err != nil {
		return Function{}, fmt.Errorf("function %q is not built for %s (%w); run make build", name, platform, err)
	}
	return Function{path, platform}, nil
}

// Tracker is a release of the script that shops load.
type Tracker struct {
	Version   string `json:"version"` // such as 1.0.0
	Integrity string `json:"sha384"`  // of a script tag: sha384-…
}

// TrackerFixture is no release, for tests that look at what is synthesized.
var TrackerFixture = Tracker{Version: "0.0.0", Integrity: "sha384-fixture"}

// TrackerDir is where "make build" writes the tracker, in the project's folder.
func TrackerDir(root string) string { return filepath.Join(root, "build", "tracker") }

// FindTracker returns the release that "make build" wrote.
func FindTracker() (t Tracker, err error) {
	root, err := Root()
	if err != nil {
		return t, err
	}
	b, err := os.ReadFile(filepath.Join(TrackerDir(root), "integrity.json"))
	if err != nil {
		return t, fmt.Errorf("the tracker is not built (%w); run make build", err)
	}
	if err := json.Unmarshal(b, &t); err != nil || t.Version == "" || t.Integrity == "" {
		return t, fmt.Errorf("build/tracker/integrity.json has no version and hash (%v); run make build", err)
	}
	return t, nil
}

// Fixture returns a function that holds no code, for tests that look at what
// is synthesized and not at what runs.
func Fixture(dir string) (Function, error) {
	path := filepath.Join(dir, "fixture.zip")
	const emptyZip = "PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	if err := os.WriteFile(path, []byte(emptyZip), 0o600); err != nil {
		return Function{}, err
	}
	return Function{path, AWS}, nil
}

// Root is the project's folder: what SHOPSTREAM_ROOT says, else the working
// directory or the nearest folder above it that holds cdktf.json.
func Root() (string, error) {
	if root := os.Getenv("SHOPSTREAM_ROOT"); root != "" {
		return root, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "cdktf.json")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no cdktf.json in %s or above it; run this in the project's folder", dir)
		}
	}
}
