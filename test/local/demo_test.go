// Package local tests the pipeline as it runs on this machine: the demo
// deploys it, once for all tests that need it, and is broken off in every way.
// Nothing here synthesizes in this process.
package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/process"
)

func TestMain(m *testing.M) {
	process.Init()
	os.Exit(m.Run())
}

// built returns the project's folder once what the demo needs is there.
func built(t testing.TB) string {
	t.Helper()
	root, err := asset.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"build/shopstream", "build/infrastructure", "build/collector", ".venv/bin/ministack"} {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			lacking(t, "%s is not there; run make setup build", path)
		}
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		lacking(t, "terraform is not installed")
	}
	return root
}

// lacking skips a test on a machine that lacks something; CI lacks nothing.
func lacking(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// run is a demo that runs.
type run struct {
	cmd *exec.Cmd
	dir string
	out bytes.Buffer // read when it has ended
}

func startDemo(t *testing.T, args ...string) *run {
	t.Helper()
	root := built(t)
	r := &run{dir: t.TempDir()}
	r.cmd = exec.Command(filepath.Join(root, "build", "shopstream"), append([]string{"demo", "--dir", r.dir}, args...)...)
	r.cmd.Dir = root
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait()
		if err := process.Sweep(filepath.Join(r.dir, "run")); err != nil {
			t.Error(err)
		}
	})
	return r
}

// program waits until a program of the demo runs and returns its process, the
// supervisor's child.
func (r *run) program(t *testing.T, name string) int {
	t.Helper()
	lock := filepath.Join(r.dir, "run", name+".lock")
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(lock)
		if err != nil {
			continue
		}
		supervisor, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			continue
		}
		if pid := childOf(supervisor); pid != 0 {
			return pid
		}
	}
	t.Fatalf("%s did not start within 4 minutes", name)
	return 0
}

func childOf(parent int) int {
	out, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(parent)).Output()
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return 0
	}
	return pid
}

// wantNothingLeft checks that no process of the demo runs, and no file but its
// last report is there.
func (r *run) wantNothingLeft(t *testing.T) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if left = r.processes(); len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		t.Errorf("still running:\n%s", strings.Join(left, "\n"))
	}
	for _, name := range []string{"run", "endpoints.json"} {
		if _, err := os.Stat(filepath.Join(r.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left in %s (%v)", name, r.dir, err)
		}
	}
}

// processes are those that carry the run's mark.
func (r *run) processes() (found []string) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is valid
	for _, path := range environments {
		environ, err := os.ReadFile(path)
		if err == nil && bytes.Contains(environ, []byte("SHOPSTREAM_RUN="+filepath.Join(r.dir, "run")+"\x00")) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// end waits for the demo's end and returns its exit status.
func (r *run) end(t *testing.T) int {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(5 * time.Minute):
		t.Fatal("the demo did not end within 5 minutes")
		return 0
	}
}

func (r *run) wantFailure(t *testing.T, message string) {
	t.Helper()
	if status := r.end(t); status != 1 || !strings.Contains(r.out.String(), message) {
		t.Errorf("got exit status %d, want 1 and %q; it printed\n%s", status, message, r.out.String())
	}
}

func TestDemoBrokenOff(t *testing.T) {
	t.Parallel()
	t.Run("by Ctrl-C while Terraform applies", func(t *testing.T) {
		t.Parallel()
		r := startDemo(t)
		r.program(t, "terraform-apply")
		r.cmd.Process.Signal(os.Interrupt)
		r.wantFailure(t, "interrupted; everything that was started is stopped")
		r.wantNothingLeft(t)
	})
	t.Run("by SIGKILL while Terraform applies, the next one clears what was left", func(t *testing.T) {
		t.Parallel()
		r := startDemo(t)
		r.program(t, "terraform-apply")
		r.cmd.Process.Kill()
		r.end(t)
		for deadline := time.Now().Add(20 * time.Second); len(r.processes()) > 0; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("still running:\n%s", strings.Join(r.processes(), "\n"))
			}
		}
		stop := exec.Command(r.cmd.Path, "demo", "stop", "--dir", r.dir)
		stop.Dir = r.cmd.Dir
		if out, err := stop.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		r.wantNothingLeft(t)
	})
	for _, victim := range []string{"ministack", "moto"} {
		t.Run("by the end of "+victim, func(t *testing.T) {
			t.Parallel()
			r := startDemo(t)
			pid := r.program(t, victim)
			r.program(t, "terraform-apply")
			syscall.Kill(pid, syscall.SIGKILL)
			r.wantFailure(t, victim+" ended before the demo did")
			r.wantNothingLeft(t)
		})
	}
	t.Run("by the end of Terraform", func(t *testing.T) {
		t.Parallel()
		r := startDemo(t)
		syscall.Kill(r.program(t, "terraform-apply"), syscall.SIGKILL)
		r.wantFailure(t, "terraform-apply ended")
		r.wantNothingLeft(t)
	})
	t.Run("by the end of the collector while events are sent", func(t *testing.T) {
		t.Parallel()
		r := startDemo(t, "--sessions", "200000")
		pid := r.program(t, "collector")
		time.Sleep(2 * time.Second)
		syscall.Kill(pid, syscall.SIGKILL)
		r.wantFailure(t, "collector ended before the demo did")
		r.wantNothingLeft(t)
	})
}

func TestDemoOnAMachineThatLacks(t *testing.T) {
	root := built(t)
	for _, lacks := range []string{"terraform", "node", "python3"} {
		t.Run(lacks, func(t *testing.T) {
			path := t.TempDir()
			for _, program := range []string{"go", "node", "python3", "terraform"} {
				if program == lacks {
					continue
				}
				at, err := exec.LookPath(program)
				if err != nil {
					t.Fatal(err)
				}
				script := fmt.Sprintf("#!/bin/sh\nPATH=%q exec %q \"$@\"\n", os.Getenv("PATH"), at)
				if err := os.WriteFile(filepath.Join(path, program), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			dir := t.TempDir()
			cmd := exec.Command(filepath.Join(root, "build", "shopstream"), "demo", "--dir", dir)
			cmd.Dir, cmd.Env = root, append(os.Environ(), "PATH="+path)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("got %v, want exit status 1", err)
			}
			if lines := strings.Split(strings.TrimSpace(string(out)), "\n"); len(lines) != 3 || !strings.Contains(lines[1], lacks) || !strings.Contains(lines[1], "; install ") {
				t.Errorf("got\n%s\nwant one line about %s with its mend", out, lacks)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func TestDemoRefuses(t *testing.T) {
	root := built(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	empty := filepath.Join(t.TempDir(), "empty.csv")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a busy port":             {[]string{"--listen", busy.Addr().String()}, "choose another with --listen"},
		"a log that is not there": {[]string{"--events", "nowhere.csv"}, "open nowhere.csv: no such file or directory"},
		"an empty log":            {[]string{"--events", empty}, "the log is empty"},
		"numbers out of range":    {[]string{"--shops", "0", "--sessions", "0"}, "shops must be 1 to 100, got 0\nsessions must be 1 to 10000000, got 0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(root, "build", "shopstream"), append([]string{"demo", "--dir", dir}, c.args...)...)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("got %v and %q, want a failure with %q", err, out, c.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v, want nothing started", left, err)
			}
		})
	}
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("decode %s: %v", path, err)
	}
}
