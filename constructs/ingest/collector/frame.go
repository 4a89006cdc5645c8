package main

import (
	"bytes"
	"sync"

	"github.com/shopstream/shopstream/constructs/event"
)

// lines are events as they travel in frames, each of them encoded once: what a
// client sent is copied into its line as it is.
type lines struct {
	bytes  []byte
	places []place
}

// place is where a line ends, which virtual partition it belongs to and how
// many events it holds.
type place struct{ partition, end, count int }

var linesPool = sync.Pool{New: func() any { return new(lines) }}

const (
	maxPooled    = 64 << 10 // what a pool keeps of large batches
	maxLineBytes = 64 << 10 // a line that is longer takes no further event: it is to fit into a draft
)

func newLines() *lines { return linesPool.Get().(*lines) }

// release ends the use of l.
func (l *lines) release() {
	if cap(l.bytes) <= maxPooled {
		l.bytes, l.places = l.bytes[:0], l.places[:0]
		linesPool.Put(l)
	}
}

// add adds the event of ids, whose line is line, with visitor in the place of
// its visitor_id.
func (l *lines) add(line event.FrameLine, ids event.IDs, visitor string, partition int) {
	last, begin := len(l.places)-1, 0
	if last > 0 {
		begin = l.places[last-1].end
	}
	goesOn := last >= 0 && l.places[last].partition == partition && len(l.bytes)-begin < maxLineBytes
	l.bytes = line.Begin(l.bytes, goesOn)
	begin = len(l.bytes)
	l.bytes = ids.AppendEvent(l.bytes, visitor)
	// A line break in JSON is a space between two tokens.
	for e := l.bytes[begin:]; ; {
		i := bytes.IndexByte(e, '\n')
		if i < 0 {
			break
		}
		e[i] = ' '
		e = e[i+1:]
	}
	l.bytes = line.End(l.bytes)
	if !goesOn {
		l.places = append(l.places, place{partition: partition})
		last++
	}
	l.places[last].end = len(l.bytes)
	l.places[last].count++
}
