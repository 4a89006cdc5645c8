// Package ledgertest stores frames as preprocess and Firehose do, in a small
// S3, for tests of what balances them.
package ledgertest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/asset"
)

// Noon is when frames are made, but where a Chain says otherwise.
var Noon = time.Date(2026, 3, 2, 12, 0, 0, 123456789, time.UTC)

// Tool is the path of a program that "make setup" installs. Without it the test
// is skipped, and fails in CI.
func Tool(t *testing.T, name string) string {
	t.Helper()
	root, err := asset.Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".venv", "bin", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have %s: %v", name, err)
		}
		t.Skipf("needs %s, which make setup installs: %v", name, err)
	}
	return path
}

// Buckets are a small S3.
type Buckets struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	Objects map[string][]byte // by bucket/key
	Gets    int
}

// New starts a small S3.
func New(t *testing.T) *Buckets {
	b := &Buckets{t: t, Objects: map[string][]byte{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// Config reaches the buckets.
func (b *Buckets) Config() aws.Config {
	return aws.Config{Region: "eu-west-1", BaseEndpoint: &b.url, Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1}
}

// ServeHTTP answers ListObjectsV2, two keys a page, and GetObject.
func (b *Buckets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.Method != http.MethodGet {
		http.Error(w, "no", http.StatusMethodNotAllowed)
		return
	}
	if key != "" {
		b.Gets++
		object, ok := b.Objects[bucket+"/"+key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
			return
		}
		w.Write(object)
		return
	}
	type content struct{ Key string }
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []content
	}
	ask := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(b.Objects)) {
		key, ok := strings.CutPrefix(name, bucket+"/")
		if !ok || !strings.HasPrefix(key, ask.Get("prefix")) || key <= ask.Get("continuation-token") {
			continue
		}
		if len(page.Contents) == 2 {
			page.IsTruncated, page.NextContinuationToken = true, page.Contents[1].Key
			break
		}
		page.Contents = append(page.Contents, content{key})
	}
	if err := xml.NewEncoder(w).Encode(page); err != nil {
		b.t.Error(err)
	}
}

// Put stores lines as an object that is called bucket/key.
func (b *Buckets) Put(name string, lines ...[]byte) {
	b.t.Helper()
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	for _, line := range lines {
		if _, err := zip.Write(line); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Objects[name] = body.Bytes()
}

// Delete deletes an object, which must be there.
func (b *Buckets) Delete(name string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.Objects[name]; !ok {
		b.t.Fatalf("there is no object %s", name)
	}
	delete(b.Objects, name)
}

// Join puts an object's lines behind another one's, as Firehose does with
// packs that come at about the same time.
func (b *Buckets) Join(name, other string) {
	b.t.Helper()
	b.Objects[name] = append(b.Objects[name], b.Objects[other]...) // a gzip file may have several parts
	b.Delete(other)
}

// Drop takes a line out of an object, from 0.
func (b *Buckets) Drop(name string, line int) {
	b.t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(b.Objects[name]))
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Put(name, slices.Delete(slices.Collect(bytes.Lines(text)), line, line+1)...)
}

// Preprocess stores frames of one hour as the function of that name does: their
// receipts, packs and quarantine records, in one object each that is named
// after name.
func (b *Buckets) Preprocess(name string, frames ...event.Frame) {
	b.t.Helper()
	b.Receipts(name, frames...)
	b.Events(name, frames...)
}

// Receipts stores the frames' receipts alone.
func (b *Buckets) Receipts(name string, frames ...event.Frame) {
	b.t.Helper()
	var lines [][]byte
	for _, f := range frames {
		lines = append(lines, Line(b.t, f.Receipt()))
	}
	b.Put("ledger/receipts/"+Hour("", frames[0].CreatedAt)+name+".json.gz", lines...)
}

// Hour is the part of an object's key that names an hour. prefix is "arrival_"
// where that is when Firehose wrote it.
func Hour(prefix string, at time.Time) string {
	return at.Format(prefix + "date=2006-01-02/" + prefix + "hour=15/")
}

// Events stores the frames' events alone, in the hour of the first.
func (b *Buckets) Events(name string, frames ...event.Frame) {
	b.t.Helper()
	var packer event.Packer
	var rejects [][]byte
	for _, f := range frames {
		for position, r := range f.Events {
			e, err := event.Unmarshal(r.Event, r.ReceivedAt)
			var ps event.Problems
			if errors.As(err, &ps) {
				rejects = append(rejects, Line(b.t, event.Quarantined{
					Reason: ps[0].Rule, Pointer: ps[0].Pointer, Message: ps.Error(), ShopID: r.ShopID, EventID: e.EventID, ReceivedAt: r.ReceivedAt,
					BatchID: r.BatchID, FrameID: f.ID.String(), FramePosition: position, Component: "preprocess", SchemaVersion: 1, Original: r.Event,
				}))
				continue
			}
			at, err := event.IDTime(e.EventID)
			if err != nil {
				b.t.Fatal(err)
			}
			if err := packer.Add(event.Stored{
				Event: e, ShopID: r.ShopID, ShopBucket: event.ShopBucket(r.ShopID), EventTime: at, EventDate: at.Format("2006-01-02"), ReceivedAt: r.ReceivedAt,
				BatchID: r.BatchID, FrameID: f.ID.String(), FramePosition: position, Trust: r.Trust, SchemaVersion: 1,
			}); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	if packs := packer.Lines(); len(packs) > 0 {
		b.Put("raw/events/"+Hour("arrival_", frames[0].CreatedAt)+name, packs...) // Firehose's names may lack .gz
	}
	if len(rejects) > 0 {
		b.Put("quarantine/events/"+Hour("", frames[0].CreatedAt)+name+".json.gz", rejects...)
	}
}

// Line is v as a line of JSON.
func Line(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// Chain makes the frames of one instance and partition.
type Chain struct {
	Instance   string
	Partition  int
	Sequence   uint64
	FirstEvent uint64
	At         time.Time // default Noon
}

// Frame makes the next frame.
func (c *Chain) Frame(events ...event.Received) event.Frame {
	if c.At.IsZero() {
		c.At = Noon
	}
	f := event.Frame{
		ID: uuid.MustParse(event.NewID(c.At, sha256.Sum256(fmt.Append(nil, *c)))), Instance: uuid.NewSHA1(uuid.Nil, []byte(c.Instance)),
		Partition: c.Partition, Sequence: c.Sequence, FirstEvent: c.FirstEvent, CreatedAt: c.At, Events: events,
	}
	c.Sequence++
	c.FirstEvent += uint64(len(events))
	return f
}

// Received is an event as it came from a shop.
func Received(shop, raw string) event.Received {
	return event.Received{
		ShopID: shop, BatchID: "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", SentAt: Noon, ReceivedAt: Noon, Trust: event.TrustBrowser, Event: jsontext.Value(raw),
	}
}

// ID is an event's id that is made of a name.
func ID(name string) string { return event.NewID(Noon, sha256.Sum256([]byte(name))) }

// View is a valid event that is known by name.
func View(name string) event.Received {
	return Received("shop-01", fmt.Sprintf(`{"event_id":%q,"type":"page_view","session_id":"s1","client_ts":"2026-03-02T12:00:00Z","page":{"url":"/"}}`, ID(name)))
}

// Broken is an event without what its type needs.
func Broken(name string) event.Received {
	return Received("shop-01", fmt.Sprintf(`{"event_id":%q,"type":"search","client_ts":"2026-03-02T12:00:00Z"}`, ID(name)))
}
