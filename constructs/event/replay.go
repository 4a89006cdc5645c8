package event

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ReplayPack returns the line of a pack that enters the events stream again:
// marked as replayed, with those events alone that keep takes, and how many
// they are; without any, the line is nil. All events of a pack make the same
// pack again. What UnmarshalPack refuses is an error.
func ReplayPack(line []byte, keep func(Stored) bool) ([]byte, int, error) {
	p, err := UnmarshalPack(line)
	if err != nil {
		return nil, 0, err
	}
	var raw struct {
		Events []jsontext.Value `json:"events"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return nil, 0, fmt.Errorf("pack %s: %w", p.Header.ID, err)
	}
	header := PackHeader{Contract: p.Header.Contract, Replayed: true}
	var kept [][]byte
	for i, e := range p.Events {
		if !keep(e) {
			continue
		}
		if n := len(header.Frames); n == 0 || header.Frames[n-1].ID != e.FrameID {
			header.Frames = append(header.Frames, PackFrame{ID: e.FrameID})
		}
		header.Frames[len(header.Frames)-1].Count++
		kept = append(kept, raw.Events[i])
	}
	if len(kept) == 0 {
		return nil, 0, nil
	}
	events := bytes.Join(kept, []byte{','})
	header.ID = packID(events)
	head, err := json.Marshal(header)
	if err != nil {
		return nil, 0, fmt.Errorf("pack %s: %w", p.Header.ID, err)
	}
	return fmt.Appendf(nil, `{"pack":%s,"events":[%s]}`+"\n", head, events), len(kept), nil
}
