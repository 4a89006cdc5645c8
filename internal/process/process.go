// Package process runs programs that must not outlive the program that
// started them, however that one ends. Each runs under a supervisor: this same
// executable started again, in a session of its own, holding a pipe from its
// starter. When the pipe closes (the starter ended, or was killed) the
// supervisor ends the program's whole process group. The supervisor is there
// before the program is, so no moment is unguarded.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Group is the programs of one run: their logs and locks lie in one folder.
type Group struct {
	dir string

	mu        sync.Mutex
	processes []*Process // in the order in which they were started
}

// NewGroup ends what an earlier run in dir left behind and starts a new one.
func NewGroup(dir string) (*Group, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := Sweep(dir); err != nil {
		return nil, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	for _, log := range logs {
		if err := os.Remove(log); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &Group{dir: dir}, nil
}

// Command is a program to run.
type Command struct {
	Name string   // required; names the log and the lock: letters, digits and hyphens
	Args []string // required; the program and its arguments
	Env  []string // default: this program's
	Dir  string   // default: this program's
}

// Process is a program that runs.
type Process struct {
	Name string
	Log  string // path of what it prints

	stdin io.WriteCloser
	done  chan struct{}
	err   error
}

// Start starts a program under a supervisor.
func (g *Group) Start(c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, fmt.Errorf("start %s: Args is required", c.Name)
	}
	if _, err := exec.LookPath(c.Args[0]); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{Name: c.Name, Log: filepath.Join(g.dir, c.Name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	supervisor := exec.Command(self, c.Args...)
	if c.Env == nil {
		c.Env = os.Environ()
	}
	supervisor.Env = append(slices.Clone(c.Env), superviseVariable+"="+c.Name, runVariable+"="+g.dir)
	supervisor.Dir = c.Dir
	supervisor.Stdout, supervisor.Stderr = log, log
	supervisor.SysProcAttr = newSession()
	if p.stdin, err = supervisor.StdinPipe(); err != nil {
		return nil, err
	}
	if err := supervisor.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		p.err = supervisor.Wait()
		close(p.done)
	}()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.processes = append(g.processes, p)
	return p, nil
}

// Run runs a program to its end, or ends it with ctx.
func (g *Group) Run(ctx context.Context, c Command) error {
	p, err := g.Start(c)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.Err()
	case <-ctx.Done():
		p.Stop()
		return ctx.Err()
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the program ended, with the last lines that it printed; nil
// while it runs and after success.
func (p *Process) Err() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s ended: %w; its last lines:\n%s", p.Name, p.err, tail(p.Log, 15))
}

// Stop ends the program and waits for its end.
func (p *Process) Stop() {
	p.stdin.Close()
	<-p.done
}

// Stop ends all programs, the last started first.
func (g *Group) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := len(g.processes) - 1; i >= 0; i-- {
		g.processes[i].Stop()
	}
	g.processes = nil
}

// Keep lets the programs go on when this one ends. Sweep ends them.
func (g *Group) Keep() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, p := range g.processes {
		select {
		case <-p.done:
			continue
		default:
		}
		_, err := io.WriteString(p.stdin, keepWord+"\n")
		errs = append(errs, err, p.stdin.Close())
	}
	return errors.Join(errs...)
}

func tail(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var lines []string
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if lines = append(lines, "  "+scanner.Text()); len(lines) > n {
			lines = lines[1:]
		}
	}
	return strings.Join(lines, "\n")
}

const (
	superviseVariable = "SHOPSTREAM_SUPERVISE" // set in a supervisor: the program's name
	runVariable       = "SHOPSTREAM_RUN"       // set in every program of a run: its folder
	keepWord          = "keep"
	grace             = 10 * time.Second // between asking a program to end and ending it
)
