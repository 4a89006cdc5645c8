package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
)

// Frame is what the collector puts on the gateway stream as one record: some
// events of one virtual partition. Its header carries the accounting: within
// an instance and a partition, Sequence has no gap and FirstEvent is the sum
// of the counts of all frames before, so that what lies behind a missing frame
// tells how many events it held. docs/formats.md lays out the bytes.
type Frame struct {
	ID         uuid.UUID // UUIDv7, of a replay version 5; the same whenever the frame is sent again
	Instance   uuid.UUID // the collector process
	Partition  int       // 0 to VirtualPartitions-1; the record's partition key
	Sequence   uint64    // from 0
	FirstEvent uint64    // from 0
	CreatedAt  time.Time // in milliseconds
	Replayed   bool      // its events come from the quarantine: they were accepted once before
	Events     []Received
}

const (
	frameMagic   = "SHFR"
	frameVersion = 1
	frameHeader  = 80 // bytes
	flagReplayed = 1

	// MaxFrameBytes is the most that a frame's events may take before
	// compression, MaxFrameEvents how many they may be; they bound what a reader
	// allocates.
	MaxFrameBytes  = 4 << 20
	MaxFrameEvents = 16 << 10
)

var (
	crcTable = crc32.MakeTable(crc32.Castagnoli)
	// The frame has its own checksum. The next level saves 4 % of the bytes for
	// a third more CPU time.
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxFrameBytes))
)

// MarshalBinary returns the frame's bytes.
func (f Frame) MarshalBinary() ([]byte, error) {
	var lines []byte
	var before FrameLine
	for _, e := range f.Events {
		line, err := NewFrameLine(e)
		if err != nil {
			return nil, fmt.Errorf("encode event of frame %s: %w", f.ID, err)
		}
		event, err := jsontext.AppendFormat(nil, e.Event, lenient, jsontext.PreserveRawStrings(true))
		if err != nil {
			return nil, fmt.Errorf("encode event of frame %s: %w", f.ID, err)
		}
		lines = append(line.Begin(lines, bytes.Equal(line, before)), event...)
		lines, before = line.End(lines), line
	}
	if len(lines) > MaxFrameBytes || len(f.Events) > MaxFrameEvents {
		return nil, fmt.Errorf("frame %s has %d bytes and %d events, at most %d and %d are allowed", f.ID, len(lines), len(f.Events), MaxFrameBytes, MaxFrameEvents)
	}
	return f.Seal(len(f.Events), lines), nil
}

// FrameLine is how a line of a frame begins, with what the collector knows of a
// batch. Events of the batch follow that came one after the other.
type FrameLine []byte

// frameLine is a line of a frame.
type frameLine struct {
	Received                // without its event
	Events   jsontext.Value `json:"events"`
}

const lineEnd = "]}\n"

// NewFrameLine returns the beginning of the lines of all events that were
// received as of was.
func NewFrameLine(of Received) (FrameLine, error) {
	of.Event = nil
	b, err := json.Marshal(frameLine{of, jsontext.Value("[]")}, lenient)
	return bytes.TrimSuffix(b, []byte("]}")), err
}

// Begin appends to lines what goes before an event: the beginning of a line or,
// where the event goes on with the last one, a comma in the place of its end.
func (l FrameLine) Begin(lines []byte, goesOn bool) []byte {
	if goesOn {
		return append(lines[:len(lines)-len(lineEnd)], ',')
	}
	return append(lines, l...)
}

// End appends what goes behind an event.
func (FrameLine) End(lines []byte) []byte { return append(lines, lineEnd...) }

// Seal returns the bytes of the frame with count events, which are lines
// already, in the place of f.Events.
func (f Frame) Seal(count int, lines []byte) []byte {
	b := make([]byte, frameHeader, frameHeader+len(lines)/4)
	copy(b, frameMagic)
	b[4] = frameVersion // b[6:8] is reserved and 0
	if f.Replayed {
		b[5] = flagReplayed
	}
	copy(b[8:], f.ID[:])
	copy(b[24:], f.Instance[:])
	binary.BigEndian.PutUint32(b[40:], uint32(f.Partition))
	binary.BigEndian.PutUint32(b[44:], uint32(count))
	binary.BigEndian.PutUint64(b[48:], f.Sequence)
	binary.BigEndian.PutUint64(b[56:], f.FirstEvent)
	binary.BigEndian.PutUint64(b[64:], uint64(f.CreatedAt.UnixMilli()))
	binary.BigEndian.PutUint32(b[72:], uint32(len(lines)))
	b = encoder.EncodeAll(lines, b)
	binary.BigEndian.PutUint32(b[76:], frameChecksum(b))
	return b
}

// frameChecksum covers the header up to the checksum itself and the payload.
func frameChecksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:76], crcTable), crcTable, b[frameHeader:])
}

// UnmarshalBinary reads a frame whole or refuses it: corrupt, cut and future
// ones are errors.
func (f *Frame) UnmarshalBinary(b []byte) error {
	switch {
	case len(b) < frameHeader || string(b[:4]) != frameMagic:
		return errors.New("not a frame")
	case b[4] != frameVersion:
		return fmt.Errorf("frame of version %d, this reader knows %d", b[4], frameVersion)
	case binary.BigEndian.Uint32(b[76:]) != frameChecksum(b):
		return errors.New("frame is corrupt: its checksum differs")
	}
	size, count := binary.BigEndian.Uint32(b[72:]), binary.BigEndian.Uint32(b[44:])
	got := Frame{
		ID:         uuid.UUID(b[8:24]),
		Instance:   uuid.UUID(b[24:40]),
		Partition:  int(binary.BigEndian.Uint32(b[40:])),
		Sequence:   binary.BigEndian.Uint64(b[48:]),
		FirstEvent: binary.BigEndian.Uint64(b[56:]),
		CreatedAt:  time.UnixMilli(int64(binary.BigEndian.Uint64(b[64:]))).UTC(),
		Replayed:   b[5]&flagReplayed != 0,
	}
	if size > MaxFrameBytes || count > MaxFrameEvents || got.Partition >= VirtualPartitions {
		return fmt.Errorf("frame %s has an impossible header", got.ID)
	}
	lines, err := decoder.DecodeAll(b[frameHeader:], make([]byte, 0, size))
	if err != nil || len(lines) != int(size) {
		return fmt.Errorf("frame %s does not decompress to its %d bytes", got.ID, size)
	}
	got.Events = make([]Received, 0, min(count, size/2)) // an event and its comma
	for line := range bytes.Lines(lines) {
		if got.Events, err = appendEvents(got.Events, line, int(count)); err != nil {
			return fmt.Errorf("frame %s holds an unreadable line behind position %d", got.ID, len(got.Events))
		}
	}
	if len(got.Events) != int(count) {
		return fmt.Errorf("frame %s holds %d events, its header says %d", got.ID, len(got.Events), count)
	}
	*f = got
	return nil
}

// appendEvents appends the events of a line, and no more than one over most.
func appendEvents(events []Received, line []byte, most int) ([]Received, error) {
	var l frameLine
	if err := json.Unmarshal(line, &l, lenient); err != nil {
		return events, err
	}
	if l.Events.Kind() != '[' || l.Event != nil {
		return events, errNoJSON
	}
	r := reader{body: l.Events, at: 1}
	var err error
	for more := r.next() != ']'; more && len(events) <= most; more, err = r.more(']') {
		e := l.Received
		if e.Event, err = r.raw(math.MaxInt); err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, err
}
