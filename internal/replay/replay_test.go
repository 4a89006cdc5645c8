package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

var (
	noon    = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	evening = noon.Add(6 * time.Hour)
)

// bucket is S3 in memory, two names a page.
type bucket struct {
	objects  map[string][]byte
	modified map[string]time.Time // default noon
	gets     []string
	fail     string // GetObject of this one fails
}

func (b *bucket) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	out := &s3.ListObjectsV2Output{}
	after := max(aws.ToString(in.StartAfter), aws.ToString(in.ContinuationToken))
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, *in.Prefix) || key <= after {
			continue
		}
		if len(out.Contents) == 2 {
			out.IsTruncated, out.NextContinuationToken = aws.Bool(true), out.Contents[1].Key
			break
		}
		modified := noon
		if at, ok := b.modified[key]; ok {
			modified = at
		}
		out.Contents = append(out.Contents, s3types.Object{Key: &key, Size: aws.Int64(int64(len(b.objects[key]))), LastModified: &modified})
	}
	return out, nil
}

func (b *bucket) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	if *in.Key == b.fail {
		return nil, errors.New("reset")
	}
	b.gets = append(b.gets, *in.Key)
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(b.objects[*in.Key]))}, nil
}

func (b *bucket) put(t *testing.T, key string, lines ...[]byte) {
	t.Helper()
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	for _, line := range lines {
		if _, err := zip.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	if b.objects == nil {
		b.objects = map[string][]byte{}
	}
	b.objects[key] = body.Bytes()
}

// stream keeps what it takes.
type stream struct {
	entries []types.PutRecordsRequestEntry
	fail    error
}

func (s *stream) Put(_ context.Context, entries []types.PutRecordsRequestEntry) error {
	if s.fail != nil {
		return s.fail
	}
	s.entries = append(s.entries, entries...)
	return nil
}

func (s *stream) packs(t *testing.T) (packs []event.Pack) {
	t.Helper()
	for _, entry := range s.entries {
		p, err := event.UnmarshalPack(entry.Data)
		if err != nil {
			t.Fatal(err)
		}
		packs = append(packs, p)
	}
	return packs
}

func (s *stream) frames(t *testing.T) (frames []event.Frame) {
	t.Helper()
	for _, entry := range s.entries {
		var f event.Frame
		if err := f.UnmarshalBinary(entry.Data); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	return frames
}

func eventID(n int) string { return fmt.Sprintf("019aa111-0000-7000-8000-%012d", n) }

// pack is the line of a pack with events of shop's visitors; n tells it from
// others.
func pack(t *testing.T, n int, shop string, visitors ...string) []byte {
	t.Helper()
	var p event.Packer
	for i, visitor := range visitors {
		err := p.Add(event.Stored{
			Event:  event.Event{EventID: eventID(100*n + i), Type: event.PageView, VisitorID: visitor, ClientTS: noon},
			ShopID: shop, ReceivedAt: noon, FrameID: fmt.Sprintf("019aa111-0000-7000-9000-%012d", n), FramePosition: i,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p.Lines()[0]
}

func rejected(t *testing.T, n int, shop, reason, visitor string) []byte {
	t.Helper()
	line, err := json.Marshal(event.Quarantined{
		Reason: reason, ShopID: shop, EventID: eventID(n), SentAt: noon, ReceivedAt: noon, BatchID: "b", BatchSeq: 7,
		FrameID: eventID(9), FramePosition: n, Trust: event.TrustServer, IP: "192.0.2.0",
		Original: jsontext.Value(fmt.Sprintf(`{"event_id":%q,"visitor_id":%q,"color":"red"}`, eventID(n), visitor)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}

func rawKey(hour int, name string) string {
	return fmt.Sprintf("events/arrival_date=2026-11-20/arrival_hour=%02d/%s.gz", hour, name)
}

func quarantineKey(hour int, name string) string {
	return fmt.Sprintf("events/date=2026-11-20/hour=%02d/%s.json.gz", hour, name)
}

func nobody(string, string, time.Time) bool { return false }

func newReplay(t *testing.T, zone Zone, from *bucket, to *stream) *Replay {
	t.Helper()
	return &Replay{
		Selection: Selection{Zone: zone, Bucket: "b", From: noon.Add(-4 * time.Hour), To: noon}, S3: from, Stream: to, Hidden: nobody,
		State: filepath.Join(t.TempDir(), "state", "replay.json"), Progress: func(Progress) {}, Now: func() time.Time { return evening },
	}
}

func run(t *testing.T, r *Replay) Progress {
	t.Helper()
	p, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRaw(t *testing.T) {
	t.Run("lets the packs of the hours enter as they are, marked as replayed", func(t *testing.T) {
		var from bucket
		from.put(t, rawKey(7, "before"), pack(t, 1, "shoes", "a"))
		from.put(t, rawKey(8, "first"), pack(t, 2, "shoes", "a", "b"), pack(t, 3, "hats", "c"))
		from.put(t, rawKey(11, "last"), pack(t, 4, "shoes", "a"))
		from.put(t, rawKey(12, "behind"), pack(t, 5, "shoes", "a"))
		var to stream
		p := run(t, newReplay(t, Raw, &from, &to))
		if p.Objects != 2 || p.Records != 3 || p.Events != 4 || p.TotalObjects != 2 {
			t.Errorf("got %+v, want 2 objects, 3 packs, 4 events", p)
		}
		for i, got := range to.packs(t) {
			want, err := event.UnmarshalPack(pack(t, 2+i, []string{"shoes", "hats", "shoes"}[i], [][]string{{"a", "b"}, {"c"}, {"a"}}[i]...))
			if err != nil {
				t.Fatal(err)
			}
			want.Header.Replayed = true
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	})
	t.Run("puts each pack where preprocess had it, whatever its lanes", func(t *testing.T) {
		var from bucket
		from.put(t, rawKey(8, "a"), pack(t, 1, "shoes", "a"))
		var to stream
		run(t, newReplay(t, Raw, &from, &to))
		partition := event.VirtualPartition("shoes", "a", eventID(100))
		if got := to.entries[0]; *got.ExplicitHashKey != event.HashKey(partition) || *got.PartitionKey != fmt.Sprintf("%03d", partition) {
			t.Errorf("got %s at %s, want partition %d", *got.PartitionKey, *got.ExplicitHashKey, partition)
		}
	})
	t.Run("takes an hour that has begun whole", func(t *testing.T) {
		var from bucket
		from.put(t, rawKey(11, "a"), pack(t, 1, "shoes", "a"))
		from.put(t, rawKey(12, "b"), pack(t, 2, "shoes", "a"))
		from.put(t, rawKey(13, "c"), pack(t, 3, "shoes", "a"))
		r := newReplay(t, Raw, &from, &stream{})
		r.Selection.From, r.Selection.To = noon.Add(-time.Minute), noon.Add(time.Second)
		if p := run(t, r); p.Objects != 2 {
			t.Errorf("got %+v, want the objects of 11 and 12", p)
		}
	})
	t.Run("takes one shop's events alone, in a pack of their own", func(t *testing.T) {
		var from bucket
		var p event.Packer
		for i, shop := range []string{"shoes", "hats", "shoes"} {
			if err := p.Add(event.Stored{Event: event.Event{EventID: eventID(i), Type: event.PageView, ClientTS: noon}, ShopID: shop, ReceivedAt: noon, FrameID: eventID(50 + i/2), FramePosition: i}); err != nil {
				t.Fatal(err)
			}
		}
		from.put(t, rawKey(8, "a"), p.Lines()[0])
		var to stream
		r := newReplay(t, Raw, &from, &to)
		r.Selection.Shop = "shoes"
		run(t, r)
		got := to.packs(t)
		if len(got) != 1 || len(got[0].Events) != 2 || got[0].Events[0].ShopID != "shoes" || got[0].Events[1].ShopID != "shoes" || !got[0].Header.Replayed {
			t.Errorf("got %+v, want the two events of shoes", got)
		}
	})
	t.Run("leaves erased visitors out and counts them", func(t *testing.T) {
		var from bucket
		from.put(t, rawKey(8, "a"), pack(t, 1, "shoes", "a", "gone", "b"), pack(t, 2, "shoes", "gone"))
		var to stream
		r := newReplay(t, Raw, &from, &to)
		r.Hidden = func(shop, visitor string, at time.Time) bool {
			return shop == "shoes" && visitor == "gone" && at.Equal(noon)
		}
		if p := run(t, r); p.Events != 2 || p.Records != 1 || p.Erased != 2 {
			t.Errorf("got %+v, want 2 events in 1 pack, 2 erased", p)
		}
		if bytes.Contains(to.entries[0].Data, []byte("gone")) {
			t.Error("the erased visitor entered again")
		}
	})
	t.Run("lets a pack that lies there twice enter once", func(t *testing.T) {
		var from bucket
		from.put(t, rawKey(8, "a"), pack(t, 1, "shoes", "a"))
		again, _, err := event.ReplayPack(pack(t, 1, "shoes", "a"), func(event.Stored) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		from.put(t, rawKey(9, "replayed"), again)
		if p := run(t, newReplay(t, Raw, &from, &stream{})); p.Records != 1 || p.Objects != 2 {
			t.Errorf("got %+v, want 1 pack of 2 objects", p)
		}
	})
	t.Run("does not take what it lets enter", func(t *testing.T) {
		from := bucket{modified: map[string]time.Time{rawKey(11, "own"): evening.Add(time.Second)}}
		from.put(t, rawKey(8, "a"), pack(t, 1, "shoes", "a"))
		from.put(t, rawKey(11, "own"), pack(t, 2, "shoes", "a"))
		if p := run(t, newReplay(t, Raw, &from, &stream{})); p.Objects != 1 {
			t.Errorf("got %+v, want 1 object", p)
		}
	})
	t.Run("goes on behind a line that it cannot read, and fails at the end", func(t *testing.T) {
		var from bucket
		corrupt := bytes.Replace(pack(t, 1, "shoes", "a"), []byte("page_view"), []byte("purchases"), 1)
		from.put(t, rawKey(8, "a"), corrupt, pack(t, 2, "shoes", "a"))
		var to stream
		p, err := newReplay(t, Raw, &from, &to).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "1 lines could not be read") || !strings.Contains(err.Error(), "line 1: pack is corrupt") || p.Records != 1 {
			t.Errorf("got %+v and %v", p, err)
		}
	})
	t.Run("writes nothing in a dry run", func(t *testing.T) {
		var from bucket
		from.put(t, rawKey(8, "a"), pack(t, 1, "shoes", "a"))
		r := newReplay(t, Raw, &from, nil)
		r.Stream = nil
		if p := run(t, r); p.Events != 1 {
			t.Errorf("got %+v, want 1 event", p)
		}
		if _, err := os.Stat(r.State); !os.IsNotExist(err) {
			t.Errorf("got %v, want no file of the state", err)
		}
	})
}

func TestResume(t *testing.T) {
	from := &bucket{fail: rawKey(10, "c")}
	for i, name := range []string{"a", "b", "c", "d"} {
		from.put(t, rawKey(8+i, name), pack(t, i, "shoes", "v"))
	}
	to := &stream{}
	r := newReplay(t, Raw, from, to)
	if _, err := r.Run(t.Context()); err == nil {
		t.Fatal("want the failure of the third object")
	}
	t.Run("refuses the state of another selection", func(t *testing.T) {
		other := *r
		other.Selection.Shop = "hats"
		if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "belongs to a replay of something else") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("goes on behind the last object that entered whole", func(t *testing.T) {
		from.fail, from.gets, to.fail = "", nil, errors.New("killed")
		if _, err := r.Run(t.Context()); err == nil {
			t.Fatal("want the failure of the stream")
		}
		from.gets, to.fail = nil, nil
		r.Now = func() time.Time { return evening.Add(time.Hour) }
		p := run(t, r)
		if want := []string{rawKey(10, "c"), rawKey(11, "d")}; !slices.Equal(from.gets, want) {
			t.Errorf("got %v, want %v", from.gets, want)
		}
		if p.Objects != 4 || p.Events != 4 || p.TotalObjects != 4 || !p.Resumed || len(to.entries) != 4 {
			t.Errorf("got %+v and %d packs, want all 4", p, len(to.entries))
		}
	})
	t.Run("begins anew once it was done", func(t *testing.T) {
		to.entries = nil
		if p := run(t, r); p.Resumed || len(to.entries) != 4 {
			t.Errorf("got %+v and %d packs, want 4 again", p, len(to.entries))
		}
	})
}

func TestQuarantine(t *testing.T) {
	t.Run("lets originals enter as the collector had them, in marked frames of their partition", func(t *testing.T) {
		var from bucket
		from.put(t, quarantineKey(8, "a"), rejected(t, 1, "shoes", "unknown_field", "v"), rejected(t, 2, "shoes", "unknown_field", "v"))
		var to stream
		run(t, newReplay(t, Quarantine, &from, &to))
		frames := to.frames(t)
		if len(frames) != 1 || len(frames[0].Events) != 2 {
			t.Fatalf("got %+v, want one frame with 2 events", frames)
		}
		f, got := frames[0], frames[0].Events[0]
		if !f.Replayed || f.Sequence != 0 || f.FirstEvent != 0 || f.Partition != event.VirtualPartition("shoes", "v", eventID(1)) || *to.entries[0].PartitionKey != fmt.Sprintf("%03d", f.Partition) {
			t.Errorf("got %+v", f)
		}
		want := event.Received{
			ShopID: "shoes", BatchID: "b", BatchSeq: 7, SentAt: noon, ReceivedAt: noon, Trust: event.TrustServer, IP: "192.0.2.0",
			Event: jsontext.Value(fmt.Sprintf(`{"event_id":%q,"visitor_id":"v","color":"red"}`, eventID(1))),
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("makes the same frames of the same originals, and others of others", func(t *testing.T) {
		var from bucket
		from.put(t, quarantineKey(8, "a"), rejected(t, 1, "shoes", "range", "v"), rejected(t, 2, "shoes", "type", "v"))
		var first, second, other stream
		run(t, newReplay(t, Quarantine, &from, &first))
		later := newReplay(t, Quarantine, &from, &second)
		later.Now = func() time.Time { return evening.Add(time.Hour) }
		run(t, later)
		r := newReplay(t, Quarantine, &from, &other)
		r.Selection.Reason = "type"
		run(t, r)
		a, b, c := first.frames(t)[0], second.frames(t)[0], other.frames(t)[0]
		if a.ID != b.ID || a.Instance != b.Instance {
			t.Errorf("got frames %s and %s of the same originals", a.ID, b.ID)
		}
		if a.ID == c.ID || a.Instance == c.Instance || len(c.Events) != 1 {
			t.Errorf("got %+v, want another frame with one event", c)
		}
	})
	t.Run("takes a shop's alone", func(t *testing.T) {
		var from bucket
		from.put(t, quarantineKey(8, "a"), rejected(t, 1, "shoes", "range", "v"), rejected(t, 2, "hats", "range", "v"))
		r := newReplay(t, Quarantine, &from, &stream{})
		r.Selection.Shop = "hats"
		if p := run(t, r); p.Events != 1 {
			t.Errorf("got %+v, want 1 event", p)
		}
	})
	t.Run("leaves out what was rejected again, as its original enters", func(t *testing.T) {
		var from bucket
		from.put(t, quarantineKey(8, "b"), rejected(t, 1, "shoes", "range", "v"))
		var to stream
		first := newReplay(t, Quarantine, &from, &to)
		run(t, first)
		again := bytes.Replace(rejected(t, 0, "shoes", "range", "v"), []byte(eventID(9)), []byte(to.frames(t)[0].ID.String()), 1)
		from.put(t, quarantineKey(8, "a"), again)
		if p := run(t, newReplay(t, Quarantine, &from, &to)); p.Events != 1 || p.Objects != 2 {
			t.Errorf("got %+v, want 1 event", p)
		}
		if frames := to.frames(t); frames[0].ID != frames[1].ID {
			t.Errorf("got frames %s and %s, want one twice", frames[0].ID, frames[1].ID)
		}
	})
	t.Run("takes those whose id another event had first only when they are asked for", func(t *testing.T) {
		var from bucket
		from.put(t, quarantineKey(8, "a"), rejected(t, 1, "shoes", "id_collision", "v"), rejected(t, 2, "shoes", "range", "v"))
		r := newReplay(t, Quarantine, &from, &stream{})
		if p := run(t, r); p.Events != 1 {
			t.Errorf("got %+v, want 1 event", p)
		}
		r.Selection.Reason = "id_collision"
		if p := run(t, r); p.Events != 1 {
			t.Errorf("got %+v, want the other", p)
		}
	})
	t.Run("leaves out what is erased", func(t *testing.T) {
		var from bucket
		emptied := []byte(`{"reason":"range","shop_id":"shoes","received_at":"2026-11-20T12:00:00Z","original":null}` + "\n")
		from.put(t, quarantineKey(8, "a"), emptied, rejected(t, 1, "shoes", "range", "gone"), rejected(t, 2, "shoes", "range", "v"))
		r := newReplay(t, Quarantine, &from, &stream{})
		r.Hidden = func(_, visitor string, _ time.Time) bool { return visitor == "gone" }
		if p := run(t, r); p.Events != 1 || p.Erased != 1 {
			t.Errorf("got %+v, want 1 event and 1 erased", p)
		}
	})
	t.Run("fills several frames where one would be too large", func(t *testing.T) {
		var from bucket
		var lines [][]byte
		for i := range 40 {
			lines = append(lines, bytes.Replace(rejected(t, i, "shoes", "range", "v"), []byte(`"red"`), []byte(`"`+strings.Repeat("r", 30_000)+`"`), 1))
		}
		from.put(t, quarantineKey(8, "a"), lines...)
		var to stream
		p := run(t, newReplay(t, Quarantine, &from, &to))
		ids := map[string]bool{}
		for _, f := range to.frames(t) {
			ids[f.ID.String()] = true
		}
		if p.Events != 40 || p.Records != 3 || len(ids) != 3 {
			t.Errorf("got %+v and frames %v, want 40 events in 3 frames", p, ids)
		}
	})
}

func TestSelection(t *testing.T) {
	err := Selection{Zone: Raw, From: noon, To: noon, Reason: "range"}.Validate()
	for _, want := range []string{"from must be before to", "only what lies in the quarantine has a reason"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
