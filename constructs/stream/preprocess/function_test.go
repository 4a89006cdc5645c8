package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/sift"
	"github.com/shopstream/shopstream/internal/putrecords"
)

// cloud is the events stream and the buckets in memory. It writes down what
// happens in which order: "put receipts/…" and "records lane-003".
type cloud struct {
	kinesisErr, s3Err error
	s3Fails           string // prefix of keys that fail with s3Err

	log     []string
	lines   map[string][]string // of the events stream, by partition key
	places  map[string]string   // where Kinesis puts them, by partition key
	objects map[string][]byte   // by bucket and key
	metrics bytes.Buffer
	before  func(entry string) error // of each call, if there is one
}

func (c *cloud) called(entry string) error {
	if c.before == nil {
		return nil
	}
	return c.before(entry)
}

func (c *cloud) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	if err := c.called("records"); err != nil || c.kinesisErr != nil {
		return nil, errors.Join(err, c.kinesisErr)
	}
	out := &kinesis.PutRecordsOutput{}
	for _, r := range in.Records {
		c.log = append(c.log, "records "+*r.PartitionKey)
		c.lines[*r.PartitionKey] = append(c.lines[*r.PartitionKey], string(r.Data))
		c.places[*r.PartitionKey] = *r.ExplicitHashKey
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: aws.String("1")})
	}
	return out, nil
}

func (c *cloud) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if err := c.called("put " + *in.Key); err != nil {
		return nil, err
	}
	c.log = append(c.log, "put "+*in.Key)
	if c.s3Err != nil && strings.HasPrefix(*in.Key, c.s3Fails) {
		return nil, c.s3Err
	}
	body, err := io.ReadAll(in.Body)
	c.objects[*in.Bucket+"/"+*in.Key] = body
	return &s3.PutObjectOutput{}, err
}

// packs returns the lines of all lanes, in their order.
func (c *cloud) packs() (lines []string) {
	for _, lane := range slices.Sorted(maps.Keys(c.lines)) {
		lines = append(lines, c.lines[lane]...)
	}
	return lines
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func newTestFunction() (*function, *cloud) {
	c := &cloud{lines: map[string][]string{}, places: map[string]string{}, objects: map[string][]byte{}}
	return &function{
		name: "preprocess", events: putrecords.Writer{Client: c, Stream: "events"}, s3: c, quarantine: "quarantine", ledger: "ledger", lanes: 16,
		sifter: sift.New("7"), metrics: &c.metrics, now: func() time.Time { return received.Add(90 * time.Second) },
	}, c
}

var (
	received = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)
	instance = uuid.MustParse("4f4a8b0e-8d1b-4a52-9a5b-6f0c5a7d9e01")
)

// id is the id of the nth event of a frame, of 23:59:59 on the day before.
func id(frame, n int) string {
	return event.NewID(time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC), [32]byte{3: byte(frame >> 8), 4: byte(frame), 5: byte(n >> 8), 6: byte(n)})
}

// view is a valid event.
func view(frame, n int) string {
	return fmt.Sprintf(`{"event_id":%q,"type":"page_view","visitor_id":"ann","seq":%d,"client_ts":"2026-03-01T00:00:01Z","page":{"url":"https://shoes.example/"}}`, id(frame, n), n)
}

// frame is frame n of partition n, made in the hour of its receipt.
func frame(n int, deeds ...string) event.Frame {
	f := event.Frame{
		ID: uuid.NewSHA1(uuid.Nil, []byte{byte(n)}), Instance: instance, Partition: n, Sequence: 5, FirstEvent: 50, CreatedAt: received,
	}
	for _, deed := range deeds {
		f.Events = append(f.Events, event.Received{
			ShopID: "shoes", BatchID: "8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11", BatchSeq: 7, SentAt: received, ReceivedAt: received,
			Trust: event.TrustBrowser, IP: "198.51.100.0", UserAgent: "Firefox", Event: jsontext.Value(deed),
		})
	}
	return f
}

// call is what Lambda calls the function with. A nil frame is a poison record.
func call(t *testing.T, frames ...*event.Frame) (batch events.KinesisEvent) {
	t.Helper()
	for i, f := range frames {
		data := []byte("poison")
		if f != nil {
			var err error
			if data, err = f.MarshalBinary(); err != nil {
				t.Fatal(err)
			}
		}
		batch.Records = append(batch.Records, events.KinesisEventRecord{Kinesis: events.KinesisRecord{Data: data, SequenceNumber: fmt.Sprint("s", i)}})
	}
	return batch
}

// process calls a new function with frames and expects that it takes them all.
func process(t *testing.T, frames ...event.Frame) *cloud {
	t.Helper()
	f, c := newTestFunction()
	var all []*event.Frame
	for i := range frames {
		all = append(all, &frames[i])
	}
	response, err := f.handle(t.Context(), call(t, all...))
	if err != nil || len(response.BatchItemFailures) != 0 {
		t.Fatalf("got %v, %v, want all taken", response, err)
	}
	return c
}

func unpack(t *testing.T, line string) (p event.Pack) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &p); err != nil {
		t.Fatalf("%q is no pack: %v", line, err)
	}
	return p
}

// stored decodes all objects of a bucket under a prefix.
func stored[T any](t *testing.T, c *cloud, prefix string) (all []T) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(c.objects)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		unzipped, err := gzip.NewReader(bytes.NewReader(c.objects[key]))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unzipped)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s does not end with a line feed", key)
		}
		for line := range bytes.Lines(text) {
			var v T
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
	}
	return all
}

func TestPreprocess(t *testing.T) {
	t.Run("stores a valid event with what is known of it", func(t *testing.T) {
		c := process(t, frame(3, "{}", view(3, 1)))
		lines := c.lines["lane-000"]
		if len(lines) != 1 {
			t.Fatalf("got lanes %v, want one pack in lane-000", c.lines)
		}
		e := unpack(t, lines[0]).Events[0]
		f := frame(3)
		want := event.Stored{
			Event:  e.Event,
			ShopID: "shoes", ShopBucket: event.ShopBucket("shoes"), EventTime: e.EventTime, EventDate: "2026-02-28",
			ReceivedAt: received, BatchID: "8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11", BatchSeq: 7, FrameID: f.ID.String(), FramePosition: 1,
			Trust: event.TrustBrowser, IP: "198.51.100.0", UserAgent: "Firefox", Device: e.Device, SchemaVersion: event.SchemaVersion,
		}
		if fmt.Sprintf("%+v", e) != fmt.Sprintf("%+v", want) {
			t.Errorf("got %+v, want %+v", e, want)
		}
		if again, err := json.Marshal(e.Event); err != nil || string(again) != view(3, 1) {
			t.Errorf("got the event %s, want %s", again, view(3, 1))
		}
	})

	t.Run("says in a pack's header which frames it holds and how much of them", func(t *testing.T) {
		first, other, second := frame(1, view(1, 0), view(1, 1), "{}"), frame(17, view(17, 0)), frame(2, view(2, 0)) // 1 and 2 share a lane of 16
		c := process(t, first, other, second)
		if got := fmt.Sprint(slices.Sorted(maps.Keys(c.lines))); got != "[lane-000 lane-001]" {
			t.Fatalf("got lanes %s, want lane-000 and lane-001", got)
		}
		p := unpack(t, c.lines["lane-000"][0])
		want := []event.PackFrame{{ID: first.ID.String(), Count: 2}, {ID: second.ID.String(), Count: 1}}
		if !slices.Equal(p.Header.Frames, want) || p.Header.Contract != event.SchemaVersion || p.Header.Replayed || p.Header.ID == "" {
			t.Errorf("got %+v, want frames %v", p.Header, want)
		}
		for i, e := range p.Events {
			if want := []string{id(1, 0), id(1, 1), id(2, 0)}[i]; e.EventID != want {
				t.Errorf("got event %s at %d, want %s", e.EventID, i, want)
			}
		}
	})

	t.Run("keeps packs to 256 KiB and one line", func(t *testing.T) {
		// The worst case: texts that JSON for HTML makes six times as long.
		var items []string
		for range 30 {
			items = append(items, fmt.Sprintf(`{"item_id":"%s","price":1,"currency":"EUR"}`, strings.Repeat("<", 1024)))
		}
		large := strings.Replace(view(1, 0), `"seq"`, `"items":[`+strings.Join(items, ",")+`],"seq"`, 1)
		var frames []event.Frame
		deeds := make([]string, 12)
		for n := range 4 {
			for i := range deeds {
				deeds[i] = strings.Replace(large, id(1, 0), id(n, i), 1)
			}
			frames = append(frames, frame(n*16, deeds...))
		}
		for n := range 150 { // many small frames in a pack
			for i := range deeds {
				deeds[i] = view(200+n, i)
			}
			f := frame(100, deeds...)
			f.ID = uuid.NewSHA1(uuid.Nil, []byte{1, byte(n)})
			frames = append(frames, f)
		}
		counts := map[string]int{}
		total := 0
		for _, line := range process(t, frames...).packs() {
			if len(line) > event.MaxPackBytes {
				t.Errorf("a pack has %d bytes, at most %d are allowed", len(line), event.MaxPackBytes)
			}
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Error("a pack is not one line with its line feed")
			}
			p, inHeader := unpack(t, line), 0
			for _, f := range p.Header.Frames {
				counts[f.ID] += f.Count
				inHeader += f.Count
			}
			if inHeader != len(p.Events) {
				t.Errorf("a pack's header counts %d events, it holds %d", inHeader, len(p.Events))
			}
			total += len(p.Events)
		}
		for _, f := range frames {
			if counts[f.ID.String()] != len(f.Events) {
				t.Errorf("frame %s: packs hold %d events, want %d", f.ID, counts[f.ID.String()], len(f.Events))
			}
		}
		if total != 4*12+150*12 {
			t.Errorf("got %d events in packs, want %d", total, 4*12+150*12)
		}
	})

	t.Run("quarantines what breaks the contract with its reason and place", func(t *testing.T) {
		zeroPrice := strings.Replace(view(1, 2), `"seq"`, `"items":[{"item_id":"a","price":1,"currency":"EUR"},{"item_id":"a","price":0,"currency":"EUR"}],"seq"`, 1)
		unknown := strings.Replace(view(1, 4), `"seq"`, `"color":1,"seq"`, 1)
		f := frame(1, view(1, 0), `{}`, zeroPrice, view(1, 3), unknown)
		c := process(t, f)
		got := stored[event.Quarantined](t, c, "quarantine/events/")
		want := []event.Quarantined{
			{Reason: "required", Pointer: "/event_id", FramePosition: 1, Original: jsontext.Value("{}")},
			{Reason: "range", Pointer: "/items/1/price", FramePosition: 2, EventID: id(1, 2), Original: jsontext.Value(zeroPrice)},
			{Reason: "unknown_field", Pointer: "/color", FramePosition: 4, EventID: id(1, 4), Original: jsontext.Value(unknown)},
		}
		if len(got) != len(want) {
			t.Fatalf("got %d quarantined, want %d", len(got), len(want))
		}
		for i, w := range want {
			w.Message, w.ShopID, w.ReceivedAt, w.BatchID = got[i].Message, "shoes", received, "8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11"
			w.BatchSeq, w.SentAt, w.FramedAt, w.Trust, w.IP, w.UserAgent = 7, received, received, event.TrustBrowser, "198.51.100.0", "Firefox"
			w.FrameID, w.Rule, w.Component, w.Version, w.SchemaVersion = f.ID.String(), got[i].Rule, "preprocess", "7", event.SchemaVersion
			if fmt.Sprintf("%+v", got[i]) != fmt.Sprintf("%+v", w) || got[i].Message == "" || got[i].Rule == "" {
				t.Errorf("got %+v, want %+v with a message", got[i], w)
			}
		}
		p := unpack(t, c.packs()[0])
		if len(p.Events) != 2 || p.Events[0].FramePosition != 0 || p.Events[1].FramePosition != 3 {
			t.Errorf("got %+v in the pack, want those at 0 and 3", p.Events)
		}
	})

	t.Run("takes the time of receipt from the frame, not from the clock", func(t *testing.T) {
		f := frame(1, view(1, 0))
		f.Events[0].ReceivedAt = received.Add(-90 * 24 * time.Hour)
		if got := stored[event.Quarantined](t, process(t, f), "quarantine/"); len(got) != 1 || got[0].Reason != "event_time" {
			t.Errorf("got %+v, want a quarantined event for its event_time", got)
		}
	})

	t.Run("bounds the message of an event with thousands of problems", func(t *testing.T) {
		deed := strings.Replace(view(1, 0), `"seq"`, `"items":[`+strings.Repeat("{},", 9_000)+`{}],"seq"`, 1)
		got := stored[event.Quarantined](t, process(t, frame(1, deed)), "quarantine/")
		if len(got) != 1 || len(got[0].Message) > 4<<10 || got[0].Reason != "length" || got[0].Pointer != "/items" {
			t.Errorf("got %d quarantined, want one with the first problems", len(got))
		}
	})

	t.Run("writes a receipt of every frame by the hour it was made in", func(t *testing.T) {
		late := frame(3, view(3, 0))
		late.CreatedAt = time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
		frames := []event.Frame{frame(1, view(1, 0), "{}"), frame(2, "{}"), late}
		c := process(t, frames...)
		for hour, want := range map[string][]event.Receipt{"12": {frames[0].Receipt(), frames[1].Receipt()}, "13": {late.Receipt()}} {
			if got := stored[event.Receipt](t, c, "ledger/receipts/date=2026-03-01/hour="+hour+"/"); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v at %s, want %+v", got, hour, want)
			}
		}
	})

	t.Run("spreads lanes evenly over the events stream, each where its first partition lies", func(t *testing.T) {
		var frames []event.Frame
		for partition := range event.VirtualPartitions {
			frames = append(frames, frame(partition, view(partition, 0)))
		}
		c := process(t, frames...)
		for lane := range 16 {
			if key := fmt.Sprintf("lane-%03d", lane); c.places[key] != event.HashKey(lane*16) {
				t.Errorf("got %s at %q, want %s", key, c.places[key], event.HashKey(lane*16))
			}
		}
	})

	t.Run("writes receipts and rejects before packs", func(t *testing.T) {
		c := process(t, frame(1, view(1, 0), "{}"), frame(17, view(17, 0)))
		var order []string
		for _, entry := range c.log {
			order = append(order, strings.FieldsFunc(entry, func(r rune) bool { return r == '/' || r == '-' })[0])
		}
		if want := []string{"put receipts", "put events", "records lane", "records lane"}; !slices.Equal(order, want) {
			t.Errorf("got %v, want %v", c.log, want)
		}
	})

	t.Run("makes no call for an empty batch", func(t *testing.T) {
		if c := process(t); len(c.log) != 0 {
			t.Errorf("got %v, want nothing", c.log)
		}
	})

	t.Run("takes a frame without events", func(t *testing.T) {
		if c := process(t, frame(1)); len(c.objects) != 1 || len(c.lines) != 0 {
			t.Errorf("got %v, want its receipt alone", c.log)
		}
	})
}

func TestPreprocessAgain(t *testing.T) {
	frames := []event.Frame{frame(1, view(1, 0), "{}", view(1, 2)), frame(17, view(17, 0)), frame(2, "{}")}
	frames[2].CreatedAt = received.Add(time.Hour)

	t.Run("writes the same objects and packs for the same frames", func(t *testing.T) {
		first, second := process(t, frames...), process(t, frames...)
		if !maps.EqualFunc(first.objects, second.objects, bytes.Equal) {
			t.Errorf("got %v, then %v", slices.Sorted(maps.Keys(first.objects)), slices.Sorted(maps.Keys(second.objects)))
		}
		if !slices.Equal(first.packs(), second.packs()) {
			t.Errorf("got packs %v, then %v", first.packs(), second.packs())
		}
	})

	t.Run("writes other objects for other frames", func(t *testing.T) {
		first, second := process(t, frames...), process(t, frames[0])
		for key := range second.objects {
			if strings.Contains(key, "receipts") && first.objects[key] != nil {
				t.Errorf("%s holds the receipts of other frames, too", key)
			}
		}
	})
}

func TestPreprocessPoison(t *testing.T) {
	before, behind := frame(1, view(1, 0)), frame(2, view(2, 0))

	t.Run("takes what comes before it, reports it alone and leaves what lies behind", func(t *testing.T) {
		f, c := newTestFunction()
		response, err := f.handle(t.Context(), call(t, &before, nil, &behind, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(response.BatchItemFailures), "[{s1}]"; got != want {
			t.Errorf("got failures %s, want %s", got, want)
		}
		if got := stored[event.Receipt](t, c, "ledger/"); len(got) != 1 || !reflect.DeepEqual(got[0], before.Receipt()) {
			t.Errorf("got receipts %v, want that of the frame before", got)
		}
		if got := c.packs(); len(got) != 1 || !strings.Contains(got[0], before.ID.String()) || strings.Contains(got[0], behind.ID.String()) {
			t.Errorf("got packs %v, want those of the frame before", got)
		}
	})

	t.Run("is reported without a call when it comes first", func(t *testing.T) {
		f, c := newTestFunction()
		response, err := f.handle(t.Context(), call(t, nil, &behind))
		if err != nil || fmt.Sprint(response.BatchItemFailures) != "[{s0}]" || len(c.log) != 0 {
			t.Errorf("got %v, %v and %v, want s0 and no call", response, err, c.log)
		}
	})

	for name, spoil := range map[string]func([]byte) []byte{
		"empty":               func([]byte) []byte { return nil },
		"a frame cut short":   func(b []byte) []byte { return b[:len(b)-1] },
		"a frame with a flip": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"a future frame":      func(b []byte) []byte { b[4]++; return b },
	} {
		t.Run("may be "+name, func(t *testing.T) {
			f, c := newTestFunction()
			batch := call(t, &before)
			batch.Records[0].Kinesis.Data = spoil(batch.Records[0].Kinesis.Data)
			response, err := f.handle(t.Context(), batch)
			if err != nil || len(response.BatchItemFailures) != 1 || len(c.log) != 0 {
				t.Errorf("got %v, %v and %v, want one failure and no call", response, err, c.log)
			}
		})
	}
}

func TestPreprocessFailures(t *testing.T) {
	away := errors.New("service unavailable")
	tests := []struct {
		name string
		fail func(*cloud)
		want string // what may have been written: every entry has this beginning
	}{
		{"S3 refuses receipts", func(c *cloud) { c.s3Err, c.s3Fails = away, "receipts/" }, "put receipts"},
		{"S3 refuses quarantined events", func(c *cloud) { c.s3Err, c.s3Fails = away, "events/" }, "put "},
		{"Kinesis refuses packs until Lambda's time is up", func(c *cloud) { c.kinesisErr = away }, "put "},
	}
	for _, tt := range tests {
		t.Run("has Lambda retry all when "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, c := newTestFunction()
				tt.fail(c)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				a, b := frame(1, view(1, 0), "{}"), frame(2, view(2, 0))
				batch := call(t, &a, &b, nil)
				if _, err := f.handle(ctx, batch); err == nil || !strings.Contains(err.Error(), away.Error()) {
					t.Errorf("got %v, want %v", err, away)
				}
				if left := time.Minute - time.Since(start); left < time.Second {
					t.Errorf("the error came %s before Lambda ends the function, want 1 s or more", left)
				}
				for _, entry := range c.log {
					if !strings.HasPrefix(entry, tt.want) {
						t.Errorf("got %s, want nothing after the failure", entry)
					}
				}
				c.kinesisErr, c.s3Err = nil, nil
				if response, err := f.handle(t.Context(), batch); err != nil || fmt.Sprint(response.BatchItemFailures) != "[{s2}]" {
					t.Errorf("got %v, %v from the retry, want the poison record alone", response, err)
				}
				if whole := process(t, a, b); !maps.EqualFunc(whole.objects, c.objects, bytes.Equal) || !slices.Equal(whole.packs(), c.packs()) {
					t.Error("the retry wrote something else than an undisturbed call")
				}
			})
		})
	}
}

func TestPreprocessLogsNothingPersonal(t *testing.T) {
	var logs bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logs, nil)))
	defer slog.SetDefault(before)
	f, c := newTestFunction()
	secret := strings.Replace(view(1, 0), `"ann"`, `"ann-of-green-gables","color":1`, 1)
	bad := frame(1, secret, `{"visitor_id":"ann-of-green-gables"}`)
	if _, err := f.handle(t.Context(), call(t, &bad, nil)); err != nil {
		t.Fatal(err)
	}
	c.s3Err = errors.New("service unavailable")
	if _, err := f.handle(t.Context(), call(t, &bad)); err == nil {
		t.Fatal("got no error from a broken S3")
	}
	if strings.Count(logs.String(), "\n") != 2 {
		t.Errorf("got %s, want a line of the poison record and one of the failure", &logs)
	}
	for _, personal := range []string{"ann-of", "198.51.100", "Firefox", "page_view"} {
		if strings.Contains(logs.String(), personal) {
			t.Errorf("the logs hold %q: %s", personal, &logs)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	good := map[string]string{"EVENTS_STREAM": "events", "QUARANTINE_BUCKET": "q", "LEDGER_BUCKET": "l", "LANES": "16"}
	t.Run("are named when they are missing, all at once", func(t *testing.T) {
		_, err := newFunction(t.Context(), func(string) string { return "" })
		for name := range good {
			if err == nil || strings.Count(err.Error(), name) != 1 {
				t.Errorf("got %v, want %s in it once", err, name)
			}
		}
	})
	for _, lanes := range []string{"0", "-1", "3", "512", "many"} {
		t.Run("refuse "+lanes+" lanes", func(t *testing.T) {
			wrong := maps.Clone(good)
			wrong["LANES"] = lanes
			_, err := newFunction(t.Context(), func(name string) string { return wrong[name] })
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", lanes)) {
				t.Errorf("got %v, want it to tell %q", err, lanes)
			}
		})
	}
	t.Run("make a function", func(t *testing.T) {
		all := maps.Clone(good)
		all["AWS_LAMBDA_FUNCTION_NAME"], all["AWS_LAMBDA_FUNCTION_VERSION"] = "shop-preprocess", "12" // Lambda sets them
		f, err := newFunction(t.Context(), func(name string) string { return all[name] })
		if err != nil || f.lanes != 16 || f.events.Stream != "events" || f.quarantine != "q" || f.ledger != "l" || f.name != "shop-preprocess" {
			t.Fatalf("got %+v, %v", f, err)
		}
		refused := frame(1, "{}")
		if got := f.sifter.Batch().Sift(&refused).Quarantined[0].Version; got != "12" {
			t.Errorf("it quarantines as version %q, want 12", got)
		}
	})
}
