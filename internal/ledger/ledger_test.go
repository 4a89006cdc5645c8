package ledger

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
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 123456789, time.UTC)

// buckets are a small S3 and a Reader of it.
type buckets struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string][]byte // by bucket/key
	gets    int
	reader  Reader
}

func newBuckets(t *testing.T) *buckets {
	t.Helper()
	duckDB := filepath.Join("..", "..", ".venv", "bin", "duckdb")
	if _, err := os.Stat(duckDB); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have DuckDB: %v", err)
		}
		t.Skipf("needs DuckDB's command line: %v", err)
	}
	b := &buckets{t: t, objects: map[string][]byte{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1}
	b.reader = Reader{
		S3: NewS3(cfg), DuckDB: duckDB, Dir: filepath.Join(t.TempDir(), "it's [one] *"),
		Raw: "raw", Quarantine: "quarantine", Ledger: "ledger", Failed: "failed",
	}
	return b
}

// ServeHTTP answers ListObjectsV2, two keys a page, and GetObject.
func (b *buckets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.Method != http.MethodGet {
		http.Error(w, "no", http.StatusMethodNotAllowed)
		return
	}
	if key != "" {
		b.gets++
		object, ok := b.objects[bucket+"/"+key]
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
	for _, name := range slices.Sorted(maps.Keys(b.objects)) {
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

func (b *buckets) put(name string, lines ...[]byte) {
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
	b.objects[name] = body.Bytes()
}

func (b *buckets) delete(name string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.objects[name]; !ok {
		b.t.Fatalf("there is no object %s", name)
	}
	delete(b.objects, name)
}

// preprocess stores frames as the function of that name does: their receipts,
// packs and quarantine records, in one object each that is named after name.
func (b *buckets) preprocess(name string, frames ...event.Frame) {
	b.t.Helper()
	b.receipts(name, frames...)
	b.events(name, frames...)
}

func (b *buckets) receipts(name string, frames ...event.Frame) {
	b.t.Helper()
	var lines [][]byte
	for _, f := range frames {
		lines = append(lines, line(b.t, f.Receipt()))
	}
	b.put("ledger/receipts/date=2026-03-02/hour=12/"+name+".json.gz", lines...)
}

func (b *buckets) events(name string, frames ...event.Frame) {
	b.t.Helper()
	var packer event.Packer
	var rejects [][]byte
	for _, f := range frames {
		for position, r := range f.Events {
			e, err := event.Unmarshal(r.Event, r.ReceivedAt)
			var ps event.Problems
			if errors.As(err, &ps) {
				rejects = append(rejects, line(b.t, event.Quarantined{
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
		b.put("raw/events/arrival_date=2026-03-02/arrival_hour=12/"+name, packs...) // Firehose's names may lack .gz
	}
	if len(rejects) > 0 {
		b.put("quarantine/events/date=2026-03-02/hour=12/"+name+".json.gz", rejects...)
	}
}

func (b *buckets) read() Statement {
	b.t.Helper()
	s, err := b.reader.Read(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	l := s.Ledger
	if l.Accepted+l.Unreceipted != l.Delivered+l.Quarantined+l.Duplicates+l.Residue {
		b.t.Errorf("the two sides differ: %+v", l)
	}
	return s
}

func (b *buckets) want(want Ledger) {
	b.t.Helper()
	if got := b.read().Ledger; got != want {
		b.t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func line(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// chain makes the frames of one instance and partition.
type chain struct {
	instance  string
	partition int
	sequence  uint64
	first     uint64
}

func (c *chain) frame(events ...event.Received) event.Frame {
	f := event.Frame{
		ID: uuid.MustParse(event.NewID(noon, sha256.Sum256(fmt.Append(nil, *c)))), Instance: uuid.NewSHA1(uuid.Nil, []byte(c.instance)),
		Partition: c.partition, Sequence: c.sequence, FirstEvent: c.first, CreatedAt: noon, Events: events,
	}
	c.sequence++
	c.first += uint64(len(events))
	return f
}

func received(shop, raw string) event.Received {
	return event.Received{
		ShopID: shop, BatchID: "0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11", SentAt: noon, ReceivedAt: noon, Trust: event.TrustBrowser, Event: json.RawMessage(raw),
	}
}

func id(name string) string { return event.NewID(noon, sha256.Sum256([]byte(name))) }

// view is a valid event that is known by name.
func view(name string) event.Received {
	return received("shop-01", fmt.Sprintf(`{"event_id":%q,"type":"page_view","session_id":"s1","client_ts":"2026-03-02T12:00:00Z","page":{"url":"/"}}`, id(name)))
}

// broken is an event without what its type needs.
func broken(name string) event.Received {
	return received("shop-01", fmt.Sprintf(`{"event_id":%q,"type":"search","client_ts":"2026-03-02T12:00:00Z"}`, id(name)))
}

func TestNothingBalances(t *testing.T) {
	b := newBuckets(t)
	s := b.read()
	if s.Ledger != (Ledger{}) || s.Ledger.Err() != nil || len(s.Types)+len(s.Reasons)+len(s.Minutes)+len(s.Shops) != 0 || s.Types == nil {
		t.Errorf("statement is %+v", s)
	}
}

func TestWhatIsDeliveredQuarantinedAndSentTwiceBalances(t *testing.T) {
	b := newBuckets(t)
	one, two := chain{partition: 1}, chain{partition: 2}
	b.preprocess("a", one.frame(view("1"), view("2"), broken("3")), two.frame(view("4")))
	b.preprocess("b", one.frame(view("5")), one.frame(view("2")), two.frame(broken("6")))
	other := chain{instance: "another collector", partition: 1}
	b.preprocess("c", other.frame(view("7")))
	b.want(Ledger{Accepted: 8, Delivered: 5, Quarantined: 2, Duplicates: 1})
	if err := b.read().Ledger.Err(); err != nil {
		t.Error(err)
	}
}

func TestAnEventInTwoFramesIsADuplicate(t *testing.T) {
	b := newBuckets(t)
	var c chain
	b.preprocess("a", c.frame(view("1"), view("1")), c.frame(view("1")))
	b.want(Ledger{Accepted: 3, Delivered: 1, Duplicates: 2})
}

func TestTheSameIDInTwoShopsIsTwoEvents(t *testing.T) {
	b := newBuckets(t)
	var c chain
	elsewhere := view("1")
	elsewhere.ShopID = "shop-02"
	b.preprocess("a", c.frame(view("1"), elsewhere))
	b.want(Ledger{Accepted: 2, Delivered: 2})
	if funnel := b.read().Funnel; funnel[0].Sessions != 2 {
		t.Errorf("funnel is %+v: sessions of two shops are two, whatever their ids", funnel)
	}
}

func TestAFrameThatIsProcessedAgainCountsOnce(t *testing.T) {
	b := newBuckets(t)
	var c chain
	f, g := c.frame(view("1"), broken("2")), c.frame(view("3"))
	b.preprocess("a", f)
	b.preprocess("b", f, g) // with another one: in other packs and objects
	b.want(Ledger{Accepted: 3, Delivered: 2, Quarantined: 1})
	s := b.read()
	if h := s.Hops; h.Frames != 2 || h.FrameEvents != 3 || h.RawEvents != 2 || h.QuarantineEvents != 1 || h.RawObjects != 2 || h.Packs != 2 {
		t.Errorf("hops are %+v", h)
	}
}

func TestAPackThatIsStoredTwiceCountsOnce(t *testing.T) {
	b := newBuckets(t)
	var c chain
	f := c.frame(view("1"), view("2"))
	b.preprocess("a", f)
	b.events("again", f)
	b.want(Ledger{Accepted: 2, Delivered: 2})
	if h := b.read().Hops; h.Packs != 1 || h.RawObjects != 2 || h.RawEvents != 2 {
		t.Errorf("hops are %+v", h)
	}
}

func TestAQuarantinedEventThatComesTwiceIsADuplicate(t *testing.T) {
	b := newBuckets(t)
	var c chain
	collision := broken("1")
	collision.Event = bytes.Replace(collision.Event, []byte(`"search"`), []byte(`"refund"`), 1)
	nameless := received("shop-01", `{"type":"search"}`)
	b.preprocess("a", c.frame(broken("1"), broken("1"), collision, nameless), c.frame(broken("1"), nameless))
	b.want(Ledger{Accepted: 6, Quarantined: 4, Duplicates: 2}) // the nameless are told apart by their places
}

func TestAFrameThatMeetsANewerContractWhenItIsProcessedAgainCountsOnce(t *testing.T) {
	b := newBuckets(t)
	var c chain
	f := c.frame(view("1"), view("2"))
	b.preprocess("a", f)
	b.put("quarantine/events/b.json.gz", line(t, event.Quarantined{Reason: "range", ShopID: "shop-01", EventID: id("2"), FrameID: f.ID.String(), FramePosition: 1, Original: f.Events[1].Event}))
	b.want(Ledger{Accepted: 2, Delivered: 2})
}

func TestAMissingObjectIsResidue(t *testing.T) {
	b := newBuckets(t)
	var c chain
	b.preprocess("a", c.frame(view("1"), broken("2"), view("3")))
	b.preprocess("b", c.frame(view("4"), view("5"), broken("6")))
	b.delete("raw/events/arrival_date=2026-03-02/arrival_hour=12/b")
	b.want(Ledger{Accepted: 6, Delivered: 2, Quarantined: 2, Residue: 2})
	b.delete("quarantine/events/date=2026-03-02/hour=12/b.json.gz")
	b.want(Ledger{Accepted: 6, Delivered: 2, Quarantined: 1, Residue: 3})
}

func TestAFrameThatIsMissingInItsSequenceIsAGapOfAsManyEventsAsItHeld(t *testing.T) {
	b := newBuckets(t)
	var c chain
	first := c.frame(view("1"))
	c.frame(view("lost 1"), view("lost 2"), view("lost 3"))
	c.frame(view("lost 4"), view("lost 5"))
	last := c.frame(view("2"))
	b.preprocess("a", first, last)
	b.want(Ledger{Accepted: 7, Delivered: 2, Residue: 5, FrameGaps: 2})
}

func TestTheFirstFrameOfASequenceIsMissedToo(t *testing.T) {
	b := newBuckets(t)
	one, two := chain{partition: 1}, chain{partition: 2}
	one.frame(view("lost 1"), view("lost 2"))
	b.preprocess("a", one.frame(view("1")), two.frame(view("2")))
	b.want(Ledger{Accepted: 4, Delivered: 2, Residue: 2, FrameGaps: 1})
}

func TestEventsThatAreMissingBetweenTwoFramesInSequenceAreResidue(t *testing.T) {
	b := newBuckets(t)
	var c chain
	first := c.frame(view("1"))
	c.first += 4
	b.preprocess("a", first, c.frame(view("2")))
	b.want(Ledger{Accepted: 6, Delivered: 2, Residue: 4})
}

func TestFramesThatOverlapDoNotMakeUpForAMissingOne(t *testing.T) {
	b := newBuckets(t)
	var c chain
	first := c.frame(view("1"), view("2"))
	twin := first // two collectors that take themselves for one
	twin.ID = uuid.New()
	c.frame(view("lost 1"), view("lost 2"))
	b.preprocess("a", first, twin, c.frame(view("3")))
	b.want(Ledger{Accepted: 7, Delivered: 3, Duplicates: 2, Residue: 2, FrameGaps: 1})
}

func TestAMissingReceiptIsAGapAndItsEventsAreUnreceipted(t *testing.T) {
	b := newBuckets(t)
	var c chain
	b.preprocess("a", c.frame(view("1")))
	b.preprocess("b", c.frame(view("2"), broken("3")))
	b.preprocess("c", c.frame(view("4")))
	b.delete("ledger/receipts/date=2026-03-02/hour=12/b.json.gz")
	b.want(Ledger{Accepted: 4, Delivered: 3, Quarantined: 1, Residue: 2, FrameGaps: 1, Unreceipted: 2})
}

func TestAMissingReceiptAtTheEndOfASequenceIsSeenByItsEvents(t *testing.T) {
	b := newBuckets(t)
	var c chain
	b.preprocess("a", c.frame(view("1")))
	b.events("b", c.frame(view("2"), view("3")))
	b.want(Ledger{Accepted: 1, Delivered: 3, Unreceipted: 2})
}

func TestAReceiptedLossIsNotHiddenByEventsWithoutAReceipt(t *testing.T) {
	b := newBuckets(t)
	one, two := chain{partition: 1}, chain{partition: 2}
	b.receipts("a", one.frame(view("lost")))
	b.events("b", two.frame(view("1")))
	b.want(Ledger{Accepted: 1, Delivered: 1, Residue: 1, Unreceipted: 1})
}

func TestAnObjectThatIsGoneIsRemovedFromTheCopiesAndTheOthersAreNotReadAgain(t *testing.T) {
	b := newBuckets(t)
	var c chain
	for i, name := range []string{"a", "b", "c", "d", "e"} { // several pages of a list
		b.preprocess(name, c.frame(view(fmt.Sprint(i))))
	}
	b.want(Ledger{Accepted: 5, Delivered: 5})
	before := b.gets
	b.delete("raw/events/arrival_date=2026-03-02/arrival_hour=12/c")
	b.preprocess("f", c.frame(view("f")))
	b.want(Ledger{Accepted: 6, Delivered: 5, Residue: 1})
	if n := b.gets - before; n != 2 {
		t.Errorf("%d objects were read, want the 2 new ones", n)
	}
	if left, _ := filepath.Glob(filepath.Join(strings.NewReplacer("[", `\[`, "*", `\*`).Replace(b.reader.Dir), "raw", "events", "*", "*", "c*")); len(left) != 0 {
		t.Errorf("copies are left: %v", left)
	}
}

func TestFilesThatADownloadLeftBehindAreRemoved(t *testing.T) {
	b := newBuckets(t)
	left := filepath.Join(b.reader.Dir, "raw", "events", "download-1")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.read()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
}

func TestAnObjectWhoseNameLeavesItsFolderIsRefused(t *testing.T) {
	for _, key := range []string{"events/../../../../escaped", "events/../empty", "events/..", "events//a", "events/./a", "events/folder/"} {
		t.Run(key, func(t *testing.T) {
			b := newBuckets(t)
			b.put("raw/" + key)
			_, err := b.reader.Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), "s3://raw/"+key+" has a name") {
				t.Errorf("error is %v", err)
			}
			if b.gets != 0 {
				t.Errorf("%d objects were read", b.gets)
			}
		})
	}
}

func TestAnObjectThatCannotBeReadIsAnErrorAndNoLedger(t *testing.T) {
	var c chain
	f := c.frame(view("1"))
	for name, body := range map[string][]byte{"no gzip": []byte("hello"), "half a gzip": nil, "no JSON": []byte("x")} {
		t.Run(name, func(t *testing.T) {
			b := newBuckets(t)
			b.preprocess("a", f)
			switch key := "raw/events/arrival_date=2026-03-02/arrival_hour=12/a"; name {
			case "no gzip":
				b.objects[key] = body
			case "half a gzip":
				b.objects[key] = b.objects[key][:len(b.objects[key])/2]
			default:
				b.put(key, body)
			}
			if s, err := b.reader.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "query the ledger") {
				t.Errorf("statement is %+v, error %v", s.Ledger, err)
			}
		})
	}
}

func TestAnOutageOfS3IsAnErrorThatNamesTheBucket(t *testing.T) {
	b := newBuckets(t)
	b.reader.S3 = NewS3(aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""), RetryMaxAttempts: 1})
	if _, err := b.reader.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "list s3://raw/events/") {
		t.Errorf("error is %v", err)
	}
}

func TestTheStatementSaysWhatLiesBehindTheLedger(t *testing.T) {
	b := newBuckets(t)
	var c chain
	purchase := func(name, session string, value float64) event.Received {
		return received("shop-02", fmt.Sprintf(`{"event_id":%q,"type":"purchase","visitor_id":"v%s","session_id":%q,"client_ts":"2026-03-02T12:00:00Z",
			"items":[{"item_id":"p","price":1,"currency":"EUR"}],"order":{"transaction_id":"o","value":%g,"currency":"EUR"}}`, id(name), session, session, value))
	}
	b.preprocess("a", c.frame(view("1"), view("2"), broken("3"), purchase("4", "s2", 10.1), purchase("5", "s3", 20.2), purchase("5", "s3", 20.2)))
	b.put("failed/aws/lambda/x")
	s := b.read()
	want := Statement{
		Ledger: Ledger{Accepted: 6, Delivered: 4, Quarantined: 1, Duplicates: 1}, FailedRecords: 1,
		Types:   []TypeCount{{"page_view", 2}, {"purchase", 2}},
		Reasons: []ReasonCount{{"required", "/search", 1}},
		Funnel:  []FunnelStep{{"all sessions", 3}, {"saw a product", 0}, {"filled a cart", 0}, {"began a checkout", 0}, {"bought", 2}},
		Minutes: []MinuteCount{{"2026-03-02T12:00:00Z", 4}},
		Shops:   []ShopCount{{"shop-01", 2, 0, 0, 0, ""}, {"shop-02", 2, 2, 2, 30.3, "EUR"}},
	}
	want.Hops.Frames, want.Hops.FrameEvents, want.Hops.Packs, want.Hops.RawObjects, want.Hops.RawEvents = 1, 6, 1, 1, 5
	want.Hops.QuarantineObjects, want.Hops.QuarantineEvents = 1, 1
	if got, want := line(t, s), line(t, want); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNoEventThatTheCollectorTakesMakesTheLedgerUnreadable stores what is JSON
// by the letter and breaks other parsers, as events that are quarantined and as
// texts of events that are delivered.
func TestNoEventThatTheCollectorTakesMakesTheLedgerUnreadable(t *testing.T) {
	b := newBuckets(t)
	var c chain
	originals := []string{
		`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud83d":"\u0000"}`, `{"a":1e999,"b":-1e-999,"c":123456789012345678901234567890}`,
		`{"a":1,"a":2,"":3}`, `{"event_id":"\u0000","type":"\ud800"}`, `{"event_id":{"a":1}}`, "{\"a\":\n[\r1,\t2]}", `{"a":"` + "\u2028\u0085\ufeff" + `"}`,
		`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, `{"a":"` + strings.Repeat(`\u0001`, 5000) + `"}`,
	}
	var events []event.Received
	for _, original := range originals {
		events = append(events, received("shop-01", original))
	}
	for i, text := range []string{"\x00", "\ufffd\u2028", `'";--`, "\\", strings.Repeat("\x01", 100)} {
		raw := line(t, map[string]any{
			"event_id": id(fmt.Sprint(i)), "type": "refund", "visitor_id": text[:min(len(text), 60)], "client_ts": "1970-01-01T00:00:00Z", "custom": map[string]any{text: text, "n": 1.7e308},
			"order": map[string]any{"transaction_id": text, "value": event.MaxAmount, "currency": "EUR"},
		})
		events = append(events, received("shop-01", string(raw)))
	}
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "jsontestsuite", "test_parsing", "[iy]_*.json")) // more of them, where they are
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Appendf(nil, `{"v":1,"shop":"s","sent_at":"2026-03-02T12:00:00Z","batch_id":"0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11","seq":0,"events":[{"a":%s}]}`, text)
		if batch, err := event.UnmarshalBatch(body); err == nil {
			events = append(events, received("shop-01", string(batch.Events[0])))
		}
	}
	b.preprocess("a", c.frame(events...))
	s := b.read()
	if l := s.Ledger; l.Accepted != int64(len(events)) || l.Delivered != 5 || l.Err() != nil {
		t.Errorf("ledger of %d events is %+v: %v", len(events), l, l.Err())
	}
}

func TestALedgerThatDoesNotBalanceSaysWhy(t *testing.T) {
	for _, c := range []struct {
		ledger Ledger
		want   string
	}{
		{Ledger{Accepted: 3, Delivered: 1, Quarantined: 1, Duplicates: 1}, ""},
		{Ledger{Residue: 2}, "the ledger does not balance: residue is 2, want 0: accepted events that are neither in the lake nor in the quarantine"},
		{Ledger{Residue: -2}, "the ledger does not balance: residue is -2, want 0: accepted events that are neither in the lake nor in the quarantine"},
		{Ledger{FrameGaps: 3}, "the ledger does not balance: 3 frames are missing in their sequences"},
		{Ledger{Unreceipted: 4}, "the ledger does not balance: 4 stored events have no receipt of their frame"},
		{Ledger{Residue: 2, FrameGaps: 1, Unreceipted: 4}, "the ledger does not balance: residue is 2, want 0: accepted events that are neither in the lake nor in the quarantine; 1 frames are missing in their sequences; 4 stored events have no receipt of their frame"},
	} {
		got := ""
		if err := c.ledger.Err(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v says %q, want %q", c.ledger, got, c.want)
		}
	}
}
