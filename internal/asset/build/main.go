// Command build compiles the workloads that stacks deploy: functions as zip
// files for AWS and for this machine, and the programs that the demo runs. The
// same source gives the same bytes, wherever and whenever it is built.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"github.com/shopstream/shopstream/internal/asset"
)

// functions are the Lambda functions by name.
var functions = map[string]string{
	"heartbeat":  "./constructs/observe/heartbeat",
	"ledger":     "./constructs/lake/ledger",
	"preprocess": "./constructs/stream/preprocess",
	"scaler":     "./constructs/stream/scaler",
}

// programs run on this machine.
var programs = map[string]string{
	"collector":      "./constructs/ingest/collector",
	"shopstream":     "./cmd/shopstream",
	"infrastructure": ".",
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := build(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(ctx context.Context) error {
	root, err := asset.Root()
	if err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	var errs []error
	for name, path := range programs {
		errs = append(errs, compile(ctx, path, filepath.Join("build", name), runtime.GOOS, runtime.GOARCH))
	}
	for name, path := range functions {
		errs = append(errs,
			function(ctx, name, path, asset.AWS, "linux", "arm64"),
			function(ctx, name, path, asset.Host, runtime.GOOS, runtime.GOARCH))
	}
	return errors.Join(errs...)
}

func compile(ctx context.Context, path, out, goos, goarch string, tags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", out}, tags...)
	cmd := exec.CommandContext(ctx, "go", append(args, path)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for %s/%s: %w\n%s", path, goos, goarch, err, output)
	}
	return nil
}

// function writes a zip file into build/.
func function(ctx context.Context, name, path string, platform asset.Platform, goos, goarch string) error {
	dir := filepath.Join("build", "functions", string(platform))
	binary := filepath.Join(dir, name+".bootstrap")
	if err := compile(ctx, path, binary, goos, goarch, "-tags", "lambda.norpc"); err != nil {
		return err
	}
	defer os.Remove(binary)
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	archive, err := archive(program)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".zip"), archive, 0o644)
}

// archive returns a zip file that holds the program as "bootstrap", the name
// that Lambda's provided runtimes start.
func archive(program []byte) ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	entry, err := w.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := entry.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
