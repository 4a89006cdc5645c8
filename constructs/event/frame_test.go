package event

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
)

func received(raw string) Received {
	return Received{
		ShopID: "shop-01", BatchID: "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", BatchSeq: 2, SentAt: noon, ReceivedAt: noon.Add(40 * time.Millisecond),
		Trust: TrustBrowser, IP: "192.0.2.0", UserAgent: `Mozilla "5.0" <&>`, Event: jsontext.Value(raw),
	}
}

func frame(events ...Received) Frame {
	return Frame{
		ID: uuid.MustParse(NewID(noon, [32]byte{2})), Instance: uuid.MustParse("6f4d1c6f-0b4b-4d3e-8f9a-4c399f0a3c11"),
		Partition: 200, Sequence: 1 << 40, FirstEvent: 1<<40 + 7, CreatedAt: noon.Add(60 * time.Millisecond), Events: events,
	}
}

func marshalFrame(t testing.TB, f Frame) []byte {
	t.Helper()
	b, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resealed is a frame whose checksum is right again.
func resealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[76:], frameChecksum(b))
	return b
}

func TestAFrameIsReadAsItWasWritten(t *testing.T) {
	for name, f := range map[string]Frame{
		"events":            frame(received(`{"a":"é\u2028\n"}`), received(`null`), received(`{"html":"<&>"}`)),
		"no event":          frame(),
		"the largest event": frame(received(`"` + strings.Repeat("x", MaxEventBytes-2) + `"`)),
		"the least event":   {ID: uuid.Max, Partition: 0, Events: []Received{{Event: jsontext.Value(`{}`)}}, CreatedAt: time.UnixMilli(0).UTC()},
		"a batch's events":  frame(slices.Repeat([]Received{received(`{"a":1}`)}, MaxBatchEvents)...),
	} {
		t.Run(name, func(t *testing.T) {
			var got Frame
			if err := got.UnmarshalBinary(marshalFrame(t, f)); err != nil {
				t.Fatal(err)
			}
			if f.Events == nil {
				f.Events = []Received{}
			}
			if !reflect.DeepEqual(got, f) {
				t.Errorf("got  %+v\nwant %+v", got, f)
			}
		})
	}
}

func TestAFrameIsTheSameBytesWhenItIsWrittenAgain(t *testing.T) {
	f := frame(received(`{"a":1}`))
	if !bytes.Equal(marshalFrame(t, f), marshalFrame(t, f)) {
		t.Error("bytes differ")
	}
}

func TestAnEventOfManyLinesTakesOneInAFrame(t *testing.T) {
	var got Frame
	if err := got.UnmarshalBinary(marshalFrame(t, frame(received("{\n  \"a\":\r\n [1,\n2]}\n")))); err != nil {
		t.Fatal(err)
	}
	if string(got.Events[0].Event) != `{"a":[1,2]}` {
		t.Errorf("event is %s", got.Events[0].Event)
	}
}

func TestAFrameOverItsLimitIsNotWritten(t *testing.T) {
	big := received(`"` + strings.Repeat("x", 1<<20) + `"`)
	if _, err := frame(big, big, big, big).MarshalBinary(); err == nil || !strings.Contains(err.Error(), "at most 4194304") {
		t.Errorf("error is %v", err)
	}
}

func TestAFrameOfTooManyEventsIsNotWritten(t *testing.T) {
	if _, err := frame(slices.Repeat([]Received{received(`{}`)}, MaxFrameEvents+1)...).MarshalBinary(); err == nil || !strings.Contains(err.Error(), "and 16384 are allowed") {
		t.Errorf("error is %v", err)
	}
}

func TestAFrameTellsOnceWhatItsEventsShare(t *testing.T) {
	other := received(`{"c":3}`)
	other.IP = "198.51.100.0"
	f := frame(received(`{"a":1}`), received(`{"b":2}`), other, received(`{"d":4}`))
	lines, err := decoder.DecodeAll(marshalFrame(t, f)[frameHeader:], nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(lines, []byte("user_agent")); n != 3 || bytes.Count(lines, []byte("\n")) != 3 {
		t.Errorf("got lines\n%s", lines)
	}
	var got Frame
	if err := got.UnmarshalBinary(marshalFrame(t, f)); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("got %+v: %v", got, err)
	}
}

func TestAFrameThatIsCutIsRefusedAtEveryByte(t *testing.T) {
	b := marshalFrame(t, frame(received(`{"a":1}`), received(`{"b":2}`)))
	for n := range len(b) {
		refuse(t, b[:n], "frame")
	}
	refuse(t, append(slices.Clone(b), 0), "checksum")
}

func TestAFrameWithAnyBitFlippedIsRefused(t *testing.T) {
	b := marshalFrame(t, frame(received(`{"a":1}`), received(`{"b":2}`)))
	for bit := range len(b) * 8 {
		flipped := slices.Clone(b)
		flipped[bit/8] ^= 1 << (bit % 8)
		refuse(t, flipped, "frame")
	}
}

// refuse requires an error with word and that the reader keeps what it had.
func refuse(t *testing.T, b []byte, word string) {
	t.Helper()
	before := frame(received(`{"kept":true}`))
	f := before
	err := f.UnmarshalBinary(b)
	if err == nil || !strings.Contains(err.Error(), word) {
		t.Fatalf("error is %v, want one that says %q", err, word)
	}
	if !reflect.DeepEqual(f, before) {
		t.Fatalf("a refused frame left %+v behind", f)
	}
}

func TestWhatIsNoFrameOfThisVersionIsRefusedWithItsReason(t *testing.T) {
	good := marshalFrame(t, frame(received(`{"a":1}`)))
	edit := func(change func(b []byte)) []byte {
		b := slices.Clone(good)
		change(b)
		return resealed(b)
	}
	lines := func(text string, count uint32) []byte {
		b := slices.Clone(good[:frameHeader])
		binary.BigEndian.PutUint32(b[44:], count)
		binary.BigEndian.PutUint32(b[72:], uint32(len(text)))
		return resealed(encoder.EncodeAll([]byte(text), b))
	}
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "not a frame"},
		{"text", []byte(strings.Repeat("hello ", 40)), "not a frame"},
		{"another magic", edit(func(b []byte) { b[0] = 's' }), "not a frame"},
		{"the next version", edit(func(b []byte) { b[4] = 2 }), "version 2, this reader knows 1"},
		{"no version", edit(func(b []byte) { b[4] = 0 }), "version 0, this reader knows 1"},
		{"a partition too many", edit(func(b []byte) { binary.BigEndian.PutUint32(b[40:], VirtualPartitions) }), "impossible header"},
		{"a partition beyond 31 bits", edit(func(b []byte) { binary.BigEndian.PutUint32(b[40:], 1<<32-1) }), "impossible header"},
		{"more events than fit", edit(func(b []byte) { binary.BigEndian.PutUint32(b[44:], 1<<32-1) }), "impossible header"},
		{"more bytes than allowed", edit(func(b []byte) { binary.BigEndian.PutUint32(b[72:], MaxFrameBytes+1) }), "impossible header"},
		{"fewer bytes than it has", edit(func(b []byte) { b[75]-- }), "does not decompress"},
		{"more bytes than it has", edit(func(b []byte) { b[75]++ }), "does not decompress"},
		{"a payload that is no zstd", edit(func(b []byte) { b[frameHeader] ^= 0xff }), "does not decompress"},
		{"no payload", resealed(slices.Clone(good[:frameHeader])), "does not decompress"},
		{"an event too few", edit(func(b []byte) { binary.BigEndian.PutUint32(b[44:], 0) }), "holds 1 events, its header says 0"},
		{"an event too many", lines(`{"events":[{},{}]}`+"\n", 1), "holds 2 events, its header says 1"},
		{"an event that is no JSON", lines(`{"events":[{}]}`+"\n"+`{"events":[{]}`+"\n", 2), "unreadable line behind position 1"},
		{"an empty line", lines(`{"events":[{}]}`+"\n\n", 2), "unreadable line behind position 1"},
		{"a line without events", lines("{}\n", 0), "unreadable line"},
		{"a line whose events are none", lines(`{"events":null}`+"\n", 0), "unreadable line"},
		{"a line of one event", lines(`{"event":{},"events":[]}`+"\n", 0), "unreadable line"},
	} {
		t.Run(c.name, func(t *testing.T) { refuse(t, c.b, c.want) })
	}
}

// TestAForgedFrameTakesLittleMemory gives the reader frames whose checksum is
// right and that claim or hold far more than they should.
func TestAForgedFrameTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a second")
	}
	forged := func(size, count uint32, payload []byte) []byte {
		b := slices.Clone(marshalFrame(t, frame())[:frameHeader])
		binary.BigEndian.PutUint32(b[44:], count)
		binary.BigEndian.PutUint32(b[72:], size)
		return resealed(append(b, payload...))
	}
	zeros := make([]byte, 256<<20)
	oneFrame := encoder.EncodeAll(zeros, nil)
	var streamed bytes.Buffer // does not tell its size beforehand
	w, err := zstd.NewWriter(&streamed, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	manyFrames := bytes.Repeat(encoder.EncodeAll(zeros[:MaxFrameBytes], nil), 64)
	newlines := encoder.EncodeAll(bytes.Repeat([]byte("\n"), MaxFrameBytes), nil)
	zeroEvents := encoder.EncodeAll([]byte(`{"events":[0`+strings.Repeat(",0", MaxFrameBytes/2-8)+"] }\n"), nil)
	for name, b := range map[string][]byte{
		"a bomb":                         forged(1000, 1, oneFrame),
		"a bomb of the largest size":     forged(MaxFrameBytes, 1, oneFrame),
		"a bomb that hides its size":     forged(1000, 1, streamed.Bytes()),
		"a bomb of many frames":          forged(MaxFrameBytes, 1, manyFrames),
		"as many events as bytes":        forged(MaxFrameBytes, MaxFrameBytes, newlines),
		"as many events as could be":     forged(MaxFrameBytes, MaxFrameEvents, newlines),
		"more events than it says":       forged(MaxFrameBytes, MaxFrameEvents, zeroEvents),
		"a size without anything behind": forged(MaxFrameBytes, 0, nil),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			refuse(t, b, "frame")
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 6*MaxFrameBytes {
				t.Errorf("took %d MiB of memory", took>>20)
			}
		})
	}
}

func TestAFramesReceiptSaysWhatItsHeaderSays(t *testing.T) {
	got := frame(received(`{}`), received(`{}`)).Receipt()
	want := Receipt{
		FrameID: NewID(noon, [32]byte{2}), Instance: "6f4d1c6f-0b4b-4d3e-8f9a-4c399f0a3c11",
		Partition: 200, Sequence: 1 << 40, FirstEvent: 1<<40 + 7, Count: 2, CreatedAt: noon.Add(60 * time.Millisecond),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("receipt is %+v, want %+v", got, want)
	}
}

func FuzzFrame(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 4 {
		good := marshalFrame(f, frame(slices.Repeat([]Received{received(fmt.Sprintf(`{"n":%d}`, n))}, n)...))
		f.Add(good)
		f.Add(good[:random.IntN(len(good))])
		broken := slices.Clone(good)
		broken[frameHeader+random.IntN(len(good)-frameHeader+1)-1] ^= 0x40
		f.Add(broken)
	}
	f.Add([]byte(frameMagic + "\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= frameHeader {
			b = resealed(slices.Clone(b)) // lets the fuzzer come past the checksum
		}
		var got, again Frame
		if got.UnmarshalBinary(b) != nil {
			return
		}
		if err := again.UnmarshalBinary(marshalFrame(t, got)); err != nil {
			t.Fatalf("an accepted frame, written again, is refused: %v", err)
		}
		if !reflect.DeepEqual(got.Receipt(), again.Receipt()) {
			t.Fatalf("receipts differ: %+v, %+v", got.Receipt(), again.Receipt())
		}
	})
}
