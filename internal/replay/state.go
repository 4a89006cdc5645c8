package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is what a replay writes down after each object.
type state struct {
	Selection       Selection `json:"selection"`
	Begun           time.Time `json:"begun"`
	Object          string    `json:"object"` // the last one that entered whole
	Progress        `json:"progress"`
	FirstUnreadable string `json:"first_unreadable,omitempty"`
}

// load returns how far an earlier run came, or the beginning.
func (r *Replay) load() (*state, error) {
	at := &state{Selection: r.Selection, Begun: r.Now().UTC()}
	if r.Stream == nil {
		return at, nil
	}
	b, err := os.ReadFile(r.State)
	if errors.Is(err, fs.ErrNotExist) {
		return at, r.save(at)
	} else if err != nil {
		return nil, err
	}
	var before state
	if err := json.Unmarshal(b, &before); err != nil {
		return nil, fmt.Errorf("%s does not say how far a replay came (%w); delete it to begin anew, or name another file", r.State, err)
	}
	s, want := before.Selection, r.Selection
	same := s.From.Equal(want.From) && s.To.Equal(want.To)
	s.From, s.To, want.From, want.To = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if !same || s != want {
		return nil, fmt.Errorf("%s belongs to a replay of something else; delete it to give that up, or name another file", r.State)
	}
	before.Resumed = true
	return &before, nil
}

// save writes the state whole or not at all.
func (r *Replay) save(at *state) error {
	if r.Stream == nil {
		return nil
	}
	b, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.State), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(r.State+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(r.State+".new", r.State)
}

// done forgets how far it came: the same selection begins anew.
func (r *Replay) done() error {
	if r.Stream == nil {
		return nil
	}
	return os.Remove(r.State)
}
