package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// step is a part of the demo and how long it took.
type step struct {
	name string
	took time.Duration
}

// steps tells a person how far the demo is: a line for each step, and on a
// terminal a bar while it runs.
type steps struct {
	out      io.Writer
	terminal bool
	done     []step
}

func newSteps(out *os.File) *steps {
	return &steps{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// run runs one step. do reports how far it is; a total of 0 is unknown.
func (s *steps) run(name string, do func(report func(done, total int)) error) error {
	begun := time.Now()
	report := func(int, int) {}
	if s.terminal {
		bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.out), progressbar.OptionSetDescription(name),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(24), progressbar.OptionSpinnerType(14),
			progressbar.OptionThrottle(100*time.Millisecond))
		spinning, stopped := make(chan struct{}), make(chan struct{})
		go func() { // a spinner turns by itself
			defer close(stopped)
			for {
				select {
				case <-spinning:
					return
				case <-time.After(200 * time.Millisecond):
					_ = bar.Add(0) // drawing is best effort
				}
			}
		}()
		defer func() {
			close(spinning)
			<-stopped
		}()
		report = func(done, total int) {
			if total > 0 {
				bar.ChangeMax(total)
			}
			_ = bar.Set(done)
		}
		defer func() { _ = bar.Finish() }()
	}
	err := do(report)
	took := time.Since(begun)
	if err == nil {
		s.done = append(s.done, step{name, took})
		if s.terminal {
			fmt.Fprint(s.out, "\r\033[K")
		}
		fmt.Fprintf(s.out, "  %-44s %6.1f s\n", name, took.Seconds())
	}
	return err
}
