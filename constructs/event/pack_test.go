package event

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// stored is the event at a position of the n-th frame, with a title of some size.
func stored(n, position, size int) Stored {
	e, err := Unmarshal(encode(minimal(PageView)), noon)
	if err != nil {
		panic(err)
	}
	e.EventID = NewID(noon, [32]byte{byte(n), byte(position >> 8), byte(position)})
	e.Page.Title = strings.Repeat("x", size)
	return Stored{
		Event: e, ShopID: "shop-01", ShopBucket: ShopBucket("shop-01"), EventTime: noon, EventDate: "2026-03-02", ReceivedAt: noon,
		BatchID: "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", FrameID: frameID(n), FramePosition: position, Trust: TrustServer, SchemaVersion: SchemaVersion,
	}
}

func frameID(n int) string { return NewID(noon, [32]byte{0xff, byte(n)}) }

func pack(t testing.TB, events ...Stored) [][]byte {
	t.Helper()
	var p Packer
	for _, e := range events {
		if err := p.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return p.Lines()
}

func readPack(t testing.TB, line []byte) Pack {
	t.Helper()
	p, err := UnmarshalPack(line)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPackIsOneLineThatNamesItsFramesAndHoldsTheirEvents(t *testing.T) {
	events := []Stored{stored(1, 0, 5), stored(1, 3, 5), stored(2, 0, 5)}
	lines := pack(t, events...)
	if len(lines) != 1 || bytes.Count(lines[0], []byte("\n")) != 1 || !bytes.HasSuffix(lines[0], []byte("]}\n")) {
		t.Fatalf("packs are %q", lines)
	}
	got := readPack(t, lines[0])
	if _, err := uuid.Parse(got.Header.ID); err != nil {
		t.Error(err)
	}
	got.Header.ID = ""
	want := Pack{Header: PackHeader{Frames: []PackFrame{{frameID(1), 2}, {frameID(2), 1}}, Contract: SchemaVersion}, Events: events}
	if !bytes.Equal(encode(got), encode(want)) || !reflect.DeepEqual(got.Header, want.Header) {
		t.Errorf("got  %s\nwant %s", encode(got), encode(want))
	}
}

func TestNoTextOfAnEventBreaksAPacksLine(t *testing.T) {
	e := stored(1, 0, 0)
	e.Page.Title = "a\nb\r\nc\u2028d\u0085e\x00"
	e.UserAgent = "u\n"
	e.Custom = Custom{"k": "v\n"}
	line := pack(t, e)[0]
	if n := bytes.IndexByte(line, '\n'); n != len(line)-1 {
		t.Errorf("line feed at %d of %d", n, len(line))
	}
	if got := readPack(t, line).Events[0]; got.Page.Title != e.Page.Title || got.Custom["k"] != "v\n" {
		t.Errorf("event is %+v", got)
	}
}

func TestPacksStayBelowTheirLimitAndLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a second")
	}
	for _, size := range []int{0, 700, 1024} {
		var events []Stored
		for n := range 40 { // frames
			for position := range 25 + n {
				events = append(events, stored(n, position, size))
			}
		}
		lines := pack(t, events...)
		if len(lines) < 2 {
			t.Fatalf("%d packs, want several", len(lines))
		}
		var got []Stored
		for i, line := range lines {
			if len(line) > MaxPackBytes || i < len(lines)-1 && len(line) < MaxPackBytes-8<<10 {
				t.Errorf("pack %d of %d has %d bytes, want nearly %d", i, len(lines), len(line), MaxPackBytes)
			}
			p := readPack(t, line)
			counts := map[string]int{}
			for _, e := range p.Events {
				counts[e.FrameID]++
			}
			if len(p.Header.Frames) != len(counts) {
				t.Errorf("pack %d names %d frames and holds events of %d", i, len(p.Header.Frames), len(counts))
			}
			for _, f := range p.Header.Frames {
				if f.Count != counts[f.ID] {
					t.Errorf("pack %d says %d events of frame %s, holds %d", i, f.Count, f.ID, counts[f.ID])
				}
			}
			got = append(got, p.Events...)
		}
		if len(got) != len(events) {
			t.Fatalf("packs hold %d events, want %d", len(got), len(events))
		}
		for i := range got {
			if got[i].EventID != events[i].EventID || got[i].FramePosition != events[i].FramePosition {
				t.Fatalf("event %d is %s, want %s: order is lost", i, got[i].EventID, events[i].EventID)
			}
		}
	}
}

func TestPacksOfManyFramesOfOneEventStayBelowTheirLimitToo(t *testing.T) {
	var p Packer
	e := stored(0, 0, 0)
	for n := range 2000 {
		e.FrameID = uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)).String()
		if err := p.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range p.Lines() {
		if readPack(t, line); len(line) > MaxPackBytes {
			t.Errorf("a pack has %d bytes", len(line))
		}
	}
}

func TestTheSameEventsMakeTheSamePack(t *testing.T) {
	first, second := pack(t, stored(1, 0, 5), stored(1, 1, 5)), pack(t, stored(1, 0, 5), stored(1, 1, 5))
	if !bytes.Equal(first[0], second[0]) {
		t.Errorf("packs differ:\n%s%s", first[0], second[0])
	}
	other := pack(t, stored(1, 0, 5), stored(1, 1, 6))
	if readPack(t, other[0]).Header.ID == readPack(t, first[0]).Header.ID {
		t.Error("other events make a pack of the same id")
	}
}

func TestCustomFieldsAreWrittenInOneOrder(t *testing.T) {
	e := stored(1, 0, 5)
	e.Custom = Custom{}
	for name, v := range manyKeys(50) {
		e.Custom[name] = v
	}
	first := pack(t, e)[0]
	for range 20 {
		if !bytes.Equal(pack(t, e)[0], first) {
			t.Fatal("the same event makes another pack")
		}
	}
}

func TestAPackThatIsCutIsRefusedAtEveryByte(t *testing.T) {
	line := pack(t, stored(1, 0, 5), stored(2, 0, 5))[0]
	readPack(t, bytes.TrimSuffix(line, []byte("\n"))) // whole without its line feed
	for n := range len(line) - 1 {
		if _, err := UnmarshalPack(line[:n]); err == nil {
			t.Fatalf("a pack of %d bytes is read from its first %d", len(line), n)
		}
	}
}

func TestAPackWhoseEventsChangedIsRefused(t *testing.T) {
	line := pack(t, stored(1, 0, 5), stored(2, 0, 5))[0]
	from := bytes.Index(line, []byte(`"events":[`)) + len(`"events":[`)
	for i := from; i < len(line)-len("]}\n"); i++ {
		changed := bytes.Clone(line)
		changed[i] ^= 1
		if _, err := UnmarshalPack(changed); err == nil {
			t.Fatalf("the pack is read with another byte at %d", i)
		}
	}
}

func TestAPackOfAFutureContractOrWithAWrongHeaderIsRefusedWithItsReason(t *testing.T) {
	line := string(pack(t, stored(1, 0, 5), stored(1, 1, 5), stored(2, 0, 5))[0])
	for _, c := range []struct{ old, new, want string }{
		{`"contract":1`, `"contract":2`, "contract 2, this reader knows 1 to 1"},
		{`"contract":1`, `"contract":0`, "contract 0, this reader knows 1 to 1"},
		{`"count":2`, `"count":1`, "does not hold the 1 events of frame"},
		{`"count":2`, `"count":-1`, "does not hold"},
		{`"count":2`, `"count":9`, "does not hold the 9 events of frame"},
		{`{"id":"` + frameID(2) + `","count":1}`, ``, "not a pack"},
		{`,{"id":"` + frameID(2) + `","count":1}`, ``, "holds 1 events that its header does not name"},
		{`"frames":[`, `"frames":[],"was":[`, "holds 3 events that its header does not name"},
		{`{"id":"` + frameID(2), `{"id":"` + frameID(3), "does not hold the 1 events of frame"},
		{`"events":[`, `"events":{"a":[`, "not a pack"},
		{`"events":[`, `"evenings":[`, "not a pack"},
		{`"pack":`, `"pack":{},"pack":`, "not a pack"},
		{"]}\n", "]}\n{}", "not a pack"},
	} {
		changed := strings.Replace(line, c.old, c.new, 1)
		if changed == line {
			t.Fatalf("the pack holds no %s", c.old)
		}
		if p, err := UnmarshalPack([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) || p.Events != nil {
			t.Errorf("%s for %s: error is %v, want %q", c.new, c.old, err, c.want)
		}
	}
	readPack(t, []byte(strings.Replace(line, `"replayed":false`, `"replayed":true`, 1))) // the same events, once more
}

func TestAPackerIsEmptyAfterItsLines(t *testing.T) {
	var p Packer
	if lines := p.Lines(); len(lines) != 0 {
		t.Errorf("a new one has %d packs", len(lines))
	}
	if err := p.Add(stored(1, 0, 5)); err != nil {
		t.Fatal(err)
	}
	if got := [2]int{len(p.Lines()), len(p.Lines())}; got != [2]int{1, 0} {
		t.Errorf("it has %d packs, then %d", got[0], got[1])
	}
}

// TestTheLargestEventThatIsAcceptedFitsIntoAPack takes an event of nearly
// MaxEventBytes, whose every number is written longer than it came.
func TestTheLargestEventThatIsAcceptedFitsIntoAPack(t *testing.T) {
	item := `{"item_id":"p","price":1e12,"currency":"EUR","item_name":"` + strings.Repeat(`\u0001`, 12) + `"},`
	e := minimal(ProductView)
	e["items"] = "ITEMS"
	raw := bytes.Replace(encode(e), []byte(`"ITEMS"`), []byte("["+strings.TrimSuffix(strings.Repeat(item, 200), ",")+"]"), 1)
	if len(raw) > MaxEventBytes || len(raw) < MaxEventBytes*4/5 {
		t.Fatalf("the event has %d bytes", len(raw))
	}
	s := stored(1, 1, 0)
	var err error
	if s.Event, err = Unmarshal(raw, noon); err != nil {
		t.Fatal(err)
	}
	s.UserAgent = strings.Repeat("\x01", MaxUserAgent)
	for _, line := range pack(t, stored(1, 0, 5), s, stored(1, 2, 5)) {
		if len(line) > MaxPackBytes {
			t.Errorf("a pack has %d bytes", len(line))
		}
	}
}

func TestAnEventThatFitsIntoNoPackIsAnErrorAndTheOthersStay(t *testing.T) {
	var p Packer
	if err := p.Add(stored(1, 0, 5)); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(stored(1, 1, MaxPackBytes)); err == nil || !strings.Contains(err.Error(), "position 1 of frame "+frameID(1)) {
		t.Errorf("error is %v", err)
	}
	if err := p.Add(stored(1, 2, 5)); err != nil {
		t.Fatal(err)
	}
	lines := p.Lines()
	if len(lines) != 1 || len(readPack(t, lines[0]).Events) != 2 || readPack(t, lines[0]).Header.Frames[0].Count != 2 {
		t.Errorf("packs are %s", lines)
	}
}
