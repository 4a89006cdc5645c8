package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Init()
	if dir := os.Getenv("TEST_STARTER"); dir != "" {
		starter(dir)
	}
	os.Exit(m.Run())
}

// starter starts a shell that starts a sleep, prints that one's id, and waits.
func starter(dir string) {
	group, err := NewGroup(dir)
	if err != nil {
		panic(err)
	}
	if _, err := group.Start(shell(dir, "sleep 300 & echo $! > sleep.pid; wait")); err != nil {
		panic(err)
	}
	fmt.Println("started", awaitPID(dir))
	if os.Getenv("TEST_KEEP") != "" {
		if err := group.Keep(); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	select {}
}

func shell(dir, script string) Command {
	return Command{Name: "shell", Args: []string{"sh", "-c", script}, Dir: dir}
}

func awaitPID(dir string) int {
	for range 500 {
		if b, err := os.ReadFile(filepath.Join(dir, "sleep.pid")); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				return pid
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	panic("the program did not start within 5 s")
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ") // a zombie that nobody has waited for yet is dead
}

func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for range 300 {
		if !alive(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("process %d is alive after 6 s", pid)
}

// startStarter runs this test binary as a program that uses a Group.
func startStarter(t *testing.T, dir string, env ...string) (*exec.Cmd, int) {
	t.Helper()
	t.Cleanup(func() {
		if err := Sweep(dir); err != nil {
			t.Error(err)
		}
	})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "TEST_STARTER="+dir), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "started ")))
	if err != nil {
		t.Fatal(err)
	}
	return cmd, pid
}

func TestProgramsEndWithTheirStarter(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			starter, pid := startStarter(t, t.TempDir())
			if !alive(pid) {
				t.Fatal("the program's child does not run")
			}
			starter.Process.Signal(sig)
			starter.Wait()
			awaitDeath(t, pid)
		})
	}
}

func TestProgramsEndWhenTheirSupervisorIsKilled(t *testing.T) {
	dir := t.TempDir()
	_, pid := startStarter(t, dir)
	supervisor, held := holder(filepath.Join(dir, "shell.lock"))
	if !held {
		t.Fatal("nobody holds the lock")
	}
	syscall.Kill(supervisor, syscall.SIGKILL)
	if err := Sweep(dir); err != nil { // as the next run does
		t.Fatal(err)
	}
	awaitDeath(t, pid)
}

func TestKeptProgramsGoOnUntilTheyAreSwept(t *testing.T) {
	dir := t.TempDir()
	starter, pid := startStarter(t, dir, "TEST_KEEP=1")
	starter.Wait()
	time.Sleep(200 * time.Millisecond)
	if !alive(pid) {
		t.Fatal("the kept program ended with its starter")
	}
	if got := Running(dir); len(got) != 1 || got[0] != "shell" {
		t.Errorf("got %v running, want shell", got)
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, pid)
	if got := Running(dir); len(got) != 0 {
		t.Errorf("got %v running after the sweep, want none", got)
	}
}

func TestAFailingProgramTellsItsLastLines(t *testing.T) {
	group, err := NewGroup(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = group.Run(t.Context(), shell("", "echo out of luck; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "out of luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want exit status 3 and the line that it printed", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	group, err := NewGroup(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := group.Run(ctx, shell("", "sleep 300")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s, want well under the grace of %s", took, grace)
	}
}
