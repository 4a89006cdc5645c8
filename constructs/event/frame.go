package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
	// compression; it bounds what a reader allocates.
	MaxFrameBytes = 4 << 20

	// minEventBytes is less than the smallest event takes: no header makes a
	// reader allocate for more events than the frame can hold.
	minEventBytes = 100
)

var (
	crcTable   = crc32.MakeTable(crc32.Castagnoli)
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxFrameBytes))
)

// MarshalBinary returns the frame's bytes.
func (f Frame) MarshalBinary() ([]byte, error) {
	var lines bytes.Buffer
	enc := jsontext.NewEncoder(&lines, lenient, jsontext.PreserveRawStrings(true)) // one line an event
	for _, e := range f.Events {
		if err := json.MarshalEncode(enc, e); err != nil {
			return nil, fmt.Errorf("encode event of frame %s: %w", f.ID, err)
		}
	}
	if lines.Len() > MaxFrameBytes {
		return nil, fmt.Errorf("frame %s has %d bytes, at most %d are allowed", f.ID, lines.Len(), MaxFrameBytes)
	}
	b := make([]byte, frameHeader, frameHeader+lines.Len()/4)
	copy(b, frameMagic)
	b[4] = frameVersion // b[6:8] is reserved and 0
	if f.Replayed {
		b[5] = flagReplayed
	}
	copy(b[8:], f.ID[:])
	copy(b[24:], f.Instance[:])
	binary.BigEndian.PutUint32(b[40:], uint32(f.Partition))
	binary.BigEndian.PutUint32(b[44:], uint32(len(f.Events)))
	binary.BigEndian.PutUint64(b[48:], f.Sequence)
	binary.BigEndian.PutUint64(b[56:], f.FirstEvent)
	binary.BigEndian.PutUint64(b[64:], uint64(f.CreatedAt.UnixMilli()))
	binary.BigEndian.PutUint32(b[72:], uint32(lines.Len()))
	b = encoder.EncodeAll(lines.Bytes(), b)
	binary.BigEndian.PutUint32(b[76:], frameChecksum(b))
	return b, nil
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
	if size > MaxFrameBytes || int(count) > int(size)/minEventBytes || got.Partition >= VirtualPartitions {
		return fmt.Errorf("frame %s has an impossible header", got.ID)
	}
	lines, err := decoder.DecodeAll(b[frameHeader:], make([]byte, 0, size))
	if err != nil || len(lines) != int(size) {
		return fmt.Errorf("frame %s does not decompress to its %d bytes", got.ID, size)
	}
	got.Events = make([]Received, 0, count)
	for line := range bytes.Lines(lines) {
		var e Received
		if err := json.Unmarshal(line, &e, lenient); err != nil {
			return fmt.Errorf("frame %s holds an unreadable event at position %d", got.ID, len(got.Events))
		}
		got.Events = append(got.Events, e)
	}
	if len(got.Events) != int(count) {
		return fmt.Errorf("frame %s holds %d events, its header says %d", got.ID, len(got.Events), count)
	}
	*f = got
	return nil
}
