//go:build unix

package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func newSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// Init turns this process into a supervisor where it was started as one, and
// then never returns. Programs and tests that use a Group call it first.
func Init() {
	name, asked := os.LookupEnv(superviseVariable)
	if !asked {
		return
	}
	os.Unsetenv(superviseVariable)
	os.Exit(supervise(name, os.Getenv(runVariable), os.Args[1:]))
}

// supervise runs a program until it ends, the pipe closes, or somebody asks.
func supervise(name, dir string, args []string) int {
	runtime.LockOSThread() // a parent-death signal is sent when the thread ends that started the program
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	abandoned := make(chan struct{})
	go func() {
		defer close(abandoned)
		input := bufio.NewScanner(os.Stdin)
		for input.Scan() {
			if input.Text() == keepWord {
				select {} // until somebody asks
			}
		}
	}()

	lock, err := lockFile(filepath.Join(dir, name+".lock"))
	if err != nil {
		fmt.Fprintf(os.Stderr, "lock %s: %v\n", name, err)
		return 1
	}
	defer os.Remove(lock.Name())
	program := exec.Command(args[0], args[1:]...)
	program.Stdout, program.Stderr = os.Stdout, os.Stderr
	program.SysProcAttr = groupAttributes()
	if err := program.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	select {
	case err = <-ended:
	case <-abandoned:
		err = end(program, ended)
	case <-signals:
		err = end(program, ended)
	}
	_ = syscall.Kill(-program.Process.Pid, syscall.SIGKILL) // what it started and left behind, if anything
	if err == nil {
		return 0
	}
	return max(program.ProcessState.ExitCode(), 1)
}

// end asks the program's group to end, and ends it after a while.
func end(program *exec.Cmd, ended <-chan error) error {
	_ = syscall.Kill(-program.Process.Pid, syscall.SIGTERM) // may have ended by itself
	select {
	case <-ended:
		return nil
	case <-time.After(grace):
		_ = syscall.Kill(-program.Process.Pid, syscall.SIGKILL)
		return <-ended
	}
}

// lockFile writes this process's id into a file that it holds until it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("%s is held by another run: %w", path, err)
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(f, os.Getpid())
	return f, err
}

// Sweep ends all that runs in dir: kept programs by their supervisors, and
// whatever has lost its supervisor.
func Sweep(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	locks, err := filepath.Glob(filepath.Join(dir, "*.lock"))
	if err != nil {
		return err
	}
	deadline := time.Now().Add(grace + 5*time.Second)
	for _, path := range locks {
		if pid, held := holder(path); held {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
	for _, path := range locks {
		for {
			if _, held := holder(path); !held {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("a program of an earlier run in %s does not end; its lock is %s", dir, path)
			}
			time.Sleep(20 * time.Millisecond)
		}
		os.Remove(path)
	}
	killOrphans(dir)
	return nil
}

// Running are the names of the programs that run in dir.
func Running(dir string) []string {
	locks, _ := filepath.Glob(filepath.Join(dir, "*.lock")) // the pattern is valid
	var names []string
	for _, path := range locks {
		if _, held := holder(path); held {
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".lock"))
		}
	}
	return names
}

// holder returns the supervisor that holds a lock. A process id in a lock that
// nobody holds is stale.
func holder(path string) (pid int, held bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0, false
	}
	b := make([]byte, 32)
	n, _ := f.Read(b)
	pid, err = strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid, err == nil && pid > 1
}
