package main

import (
	"fmt"
	"runtime/debug"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/sift"
)

// pending is what becomes of some frames and is not written yet.
type pending struct {
	packers           []event.Packer // by lane, those of replays behind
	receipts, rejects objects
	eventBytes        int
	counts            counts
}

func (f *function) newPending() *pending {
	p := &pending{packers: make([]event.Packer, 2*f.lanes), counts: counts{quarantined: map[string]int{}}}
	for i := range f.lanes {
		p.packers[f.lanes+i].Replayed = true
	}
	return p
}

// take takes a frame. One that is none, or on which our own code fails, is a
// poison record, and its neighbours are not.
func (p *pending) take(batch *sift.Batch, record []byte) (err error) {
	defer func() {
		if failure := recover(); failure != nil { // it may quote what was sent: its type must do
			err = fmt.Errorf("frame makes preprocess fail with a %T: %s", failure, debug.Stack())
		}
	}()
	var frame event.Frame
	if err := frame.UnmarshalBinary(record); err != nil {
		return err
	}
	p.counts.bytes += len(record)
	return p.sift(batch, frame)
}

func (p *pending) sift(batch *sift.Batch, frame event.Frame) error {
	sifted := batch.Sift(&frame)
	receipt := frame.Receipt()
	receipt.Duplicates = sifted.Duplicates
	if err := p.receipts.add(frame, receipt); err != nil {
		return err
	}
	for _, q := range sifted.Quarantined {
		if err := p.reject(frame, q); err != nil {
			return err
		}
	}
	lanes := len(p.packers) / 2
	lane := frame.Partition * lanes / event.VirtualPartitions
	if frame.Replayed {
		lane += lanes
	}
	for _, e := range sifted.Stored {
		if p.packers[lane].Add(e) == nil {
			p.counts.delivered++
			continue
		}
		q := batch.Quarantine(&frame, e.FramePosition, e.EventID, event.Problems{{Rule: sift.TooLarge, Message: "is more than a pack holds, with all that is known of it"}})
		if err := p.reject(frame, q); err != nil {
			return err
		}
	}
	for _, e := range frame.Events {
		p.eventBytes += len(e.Event)
	}
	p.counts.frame(frame, len(sifted.Duplicates))
	return nil
}

func (p *pending) reject(frame event.Frame, q event.Quarantined) error {
	p.counts.quarantined[q.Reason]++
	return p.rejects.add(frame, q)
}
