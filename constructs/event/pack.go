package event

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Pack is what preprocess puts on the events stream as one record, and what
// lies in S3 raw as one line: valid events of some frames.
type Pack struct {
	Header PackHeader `json:"pack"`
	Events []Stored   `json:"events"`
}

// PackHeader names a pack and the frames that its events came in.
type PackHeader struct {
	ID       string      `json:"id"`
	Frames   []PackFrame `json:"frames"`
	Contract int         `json:"contract"` // SchemaVersion
	Replayed bool        `json:"replayed"` // on its way a second time, from S3
}

// PackFrame says how many of a frame's events the pack holds.
type PackFrame struct {
	ID    string `json:"id"`
	Count int    `json:"count"`
}

// MaxPackBytes is the size that a pack must not exceed: 256 KiB are billed as
// whole put units of Kinesis and stay far below a record's limit of 1 MiB.
const MaxPackBytes = 256 << 10

// Packer collects stored events into packs' lines.
type Packer struct {
	Replayed bool // of all its packs

	frames []PackFrame
	events bytes.Buffer
	sealed [][]byte
}

// Add takes the next event of a frame. Events of one frame come together.
func (p *Packer) Add(e Stored) error {
	line, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode event at position %d of frame %s: %w", e.FramePosition, e.FrameID, err)
	}
	const headroom = 1 << 10
	if len(line)+headroom > MaxPackBytes { // never one that the collector took
		return fmt.Errorf("event at position %d of frame %s has %d bytes, more than a pack holds", e.FramePosition, e.FrameID, len(line))
	}
	frameBytes := 64 * (len(p.frames) + 1)
	if p.events.Len() > 0 && p.events.Len()+len(line)+frameBytes+headroom > MaxPackBytes {
		p.seal()
	}
	if n := len(p.frames); n == 0 || p.frames[n-1].ID != e.FrameID {
		p.frames = append(p.frames, PackFrame{ID: e.FrameID})
	}
	p.frames[len(p.frames)-1].Count++
	if p.events.Len() > 0 {
		p.events.WriteByte(',')
	}
	p.events.Write(line)
	return nil
}

func (p *Packer) seal() {
	if p.events.Len() == 0 {
		return
	}
	header, err := json.Marshal(PackHeader{
		ID:       packID(p.events.Bytes()),
		Frames:   p.frames,
		Contract: SchemaVersion,
		Replayed: p.Replayed,
	})
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	p.sealed = append(p.sealed, fmt.Appendf(nil, `{"pack":%s,"events":[%s]}`+"\n", header, p.events.Bytes()))
	p.frames = nil
	p.events.Reset()
}

// packID is made of what lies between the brackets of events: the same events
// make the same pack, and a reader sees whether they are still those.
func packID(events []byte) string {
	digest := sha256.Sum256(events)
	return uuid.UUID(digest[:16]).String()
}

// UnmarshalPack reads a pack's line, with or without its line feed, whole or
// refuses it: corrupt, cut and future ones are errors.
func UnmarshalPack(line []byte) (Pack, error) {
	var raw struct {
		Header PackHeader     `json:"pack"`
		Events jsontext.Value `json:"events"`
	}
	if err := json.Unmarshal(line, &raw); err != nil || raw.Events.Kind() != '[' {
		return Pack{}, errors.New("not a pack")
	}
	h := raw.Header
	switch {
	case h.Contract < 1 || h.Contract > SchemaVersion:
		return Pack{}, fmt.Errorf("pack %.36q of contract %d, this reader knows 1 to %d", h.ID, h.Contract, SchemaVersion)
	case h.ID != packID(raw.Events[1:len(raw.Events)-1]):
		return Pack{}, errors.New("pack is corrupt: its id is not that of its events")
	}
	p := Pack{Header: h}
	if err := json.Unmarshal(raw.Events, &p.Events); err != nil {
		return Pack{}, fmt.Errorf("pack %s holds an unreadable event", h.ID)
	}
	rest := p.Events
	for _, f := range h.Frames {
		for range f.Count {
			if len(rest) == 0 || rest[0].FrameID != f.ID {
				return Pack{}, fmt.Errorf("pack %s does not hold the %d events of frame %.36q, as its header says", h.ID, f.Count, f.ID)
			}
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		return Pack{}, fmt.Errorf("pack %s holds %d events that its header does not name", h.ID, len(rest))
	}
	return p, nil
}

// Lines returns the packs, each one line of JSON with its line feed, and
// empties the packer.
func (p *Packer) Lines() [][]byte {
	p.seal()
	lines := p.sealed
	p.sealed = nil
	return lines
}

// Receipt is preprocess's record that it took a frame whole: what the ledger
// holds against the lake. It lies in a bucket of its own, so that what
// destroys events does not destroy the proof that they were accepted.
type Receipt struct {
	FrameID    string    `json:"frame_id"`
	Instance   string    `json:"instance"`
	Partition  int       `json:"partition"`
	Sequence   uint64    `json:"sequence"`
	FirstEvent uint64    `json:"first_event"`
	Count      int       `json:"count"`
	CreatedAt  time.Time `json:"created_at"`
	Duplicates []int     `json:"duplicates,omitzero"` // positions of events that were left out: others of the same batch say the same
}

// Receipt returns the frame's receipt.
func (f Frame) Receipt() Receipt {
	return Receipt{f.ID.String(), f.Instance.String(), f.Partition, f.Sequence, f.FirstEvent, len(f.Events), f.CreatedAt, nil}
}
