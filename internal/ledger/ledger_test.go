package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/ledger/ledgertest"
)

// buckets are a small S3 and a Reader of it.
type buckets struct {
	*ledgertest.Buckets
	t      *testing.T
	reader Reader
}

func newBuckets(t *testing.T) *buckets {
	t.Helper()
	s3 := ledgertest.New(t)
	return &buckets{s3, t, Reader{
		S3: NewS3(s3.Config()), DuckDB: ledgertest.Tool(t, "duckdb"), Dir: filepath.Join(t.TempDir(), "it's [one] *"),
		Raw: "raw", Quarantine: "quarantine", Ledger: "ledger", Failed: "failed",
	}}
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

func TestNothingBalances(t *testing.T) {
	b := newBuckets(t)
	s := b.read()
	if s.Ledger != (Ledger{}) || s.Ledger.Err() != nil || len(s.Types)+len(s.Reasons)+len(s.Minutes)+len(s.Shops) != 0 || s.Types == nil {
		t.Errorf("statement is %+v", s)
	}
}

func TestWhatIsDeliveredQuarantinedAndSentTwiceBalances(t *testing.T) {
	b := newBuckets(t)
	one, two := ledgertest.Chain{Partition: 1}, ledgertest.Chain{Partition: 2}
	b.Preprocess("a", one.Frame(ledgertest.View("1"), ledgertest.View("2"), ledgertest.Broken("3")), two.Frame(ledgertest.View("4")))
	b.Preprocess("b", one.Frame(ledgertest.View("5")), one.Frame(ledgertest.View("2")), two.Frame(ledgertest.Broken("6")))
	other := ledgertest.Chain{Instance: "another collector", Partition: 1}
	b.Preprocess("c", other.Frame(ledgertest.View("7")))
	b.want(Ledger{Accepted: 8, Delivered: 5, Quarantined: 2, Duplicates: 1})
	if err := b.read().Ledger.Err(); err != nil {
		t.Error(err)
	}
}

func TestAnEventInTwoFramesIsADuplicate(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	b.Preprocess("a", c.Frame(ledgertest.View("1"), ledgertest.View("1")), c.Frame(ledgertest.View("1")))
	b.want(Ledger{Accepted: 3, Delivered: 1, Duplicates: 2})
}

func TestTheSameIDInTwoShopsIsTwoEvents(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	elsewhere := ledgertest.View("1")
	elsewhere.ShopID = "shop-02"
	b.Preprocess("a", c.Frame(ledgertest.View("1"), elsewhere))
	b.want(Ledger{Accepted: 2, Delivered: 2})
	if funnel := b.read().Funnel; funnel[0].Sessions != 2 {
		t.Errorf("funnel is %+v: sessions of two shops are two, whatever their ids", funnel)
	}
}

func TestAFrameThatIsProcessedAgainCountsOnce(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	f, g := c.Frame(ledgertest.View("1"), ledgertest.Broken("2")), c.Frame(ledgertest.View("3"))
	b.Preprocess("a", f)
	b.Preprocess("b", f, g) // with another one: in other packs and objects
	b.want(Ledger{Accepted: 3, Delivered: 2, Quarantined: 1})
	s := b.read()
	if h := s.Hops; h.Frames != 2 || h.FrameEvents != 3 || h.RawEvents != 2 || h.QuarantineEvents != 1 || h.RawObjects != 2 || h.Packs != 2 {
		t.Errorf("hops are %+v", h)
	}
}

func TestAPackThatIsStoredTwiceCountsOnce(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	f := c.Frame(ledgertest.View("1"), ledgertest.View("2"))
	b.Preprocess("a", f)
	b.Events("again", f)
	b.want(Ledger{Accepted: 2, Delivered: 2})
	if h := b.read().Hops; h.Packs != 1 || h.RawObjects != 2 || h.RawEvents != 2 {
		t.Errorf("hops are %+v", h)
	}
}

func TestAQuarantinedEventThatComesTwiceIsADuplicate(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	collision := ledgertest.Broken("1")
	collision.Event = bytes.Replace(collision.Event, []byte(`"search"`), []byte(`"refund"`), 1)
	nameless := ledgertest.Received("shop-01", `{"type":"search"}`)
	b.Preprocess("a", c.Frame(ledgertest.Broken("1"), ledgertest.Broken("1"), collision, nameless), c.Frame(ledgertest.Broken("1"), nameless))
	b.want(Ledger{Accepted: 6, Quarantined: 4, Duplicates: 2}) // the nameless are told apart by their places
}

func TestAFrameThatMeetsANewerContractWhenItIsProcessedAgainCountsOnce(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	f := c.Frame(ledgertest.View("1"), ledgertest.View("2"))
	b.Preprocess("a", f)
	b.Put("quarantine/events/b.json.gz", ledgertest.Line(t, event.Quarantined{Reason: "range", ShopID: "shop-01", EventID: ledgertest.ID("2"), FrameID: f.ID.String(), FramePosition: 1, Original: f.Events[1].Event}))
	b.want(Ledger{Accepted: 2, Delivered: 2})
}

func TestAMissingObjectIsResidue(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	b.Preprocess("a", c.Frame(ledgertest.View("1"), ledgertest.Broken("2"), ledgertest.View("3")))
	b.Preprocess("b", c.Frame(ledgertest.View("4"), ledgertest.View("5"), ledgertest.Broken("6")))
	b.Delete("raw/events/arrival_date=2026-03-02/arrival_hour=12/b")
	b.want(Ledger{Accepted: 6, Delivered: 2, Quarantined: 2, Residue: 2})
	b.Delete("quarantine/events/date=2026-03-02/hour=12/b.json.gz")
	b.want(Ledger{Accepted: 6, Delivered: 2, Quarantined: 1, Residue: 3})
}

func TestAFrameThatIsMissingInItsSequenceIsAGapOfAsManyEventsAsItHeld(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	first := c.Frame(ledgertest.View("1"))
	c.Frame(ledgertest.View("lost 1"), ledgertest.View("lost 2"), ledgertest.View("lost 3"))
	c.Frame(ledgertest.View("lost 4"), ledgertest.View("lost 5"))
	last := c.Frame(ledgertest.View("2"))
	b.Preprocess("a", first, last)
	b.want(Ledger{Accepted: 7, Delivered: 2, Residue: 5, FrameGaps: 2})
}

func TestTheFirstFrameOfASequenceIsMissedToo(t *testing.T) {
	b := newBuckets(t)
	one, two := ledgertest.Chain{Partition: 1}, ledgertest.Chain{Partition: 2}
	one.Frame(ledgertest.View("lost 1"), ledgertest.View("lost 2"))
	b.Preprocess("a", one.Frame(ledgertest.View("1")), two.Frame(ledgertest.View("2")))
	b.want(Ledger{Accepted: 4, Delivered: 2, Residue: 2, FrameGaps: 1})
}

func TestEventsThatAreMissingBetweenTwoFramesInSequenceAreResidue(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	first := c.Frame(ledgertest.View("1"))
	c.FirstEvent += 4
	b.Preprocess("a", first, c.Frame(ledgertest.View("2")))
	b.want(Ledger{Accepted: 6, Delivered: 2, Residue: 4})
}

func TestFramesThatOverlapDoNotMakeUpForAMissingOne(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	first := c.Frame(ledgertest.View("1"), ledgertest.View("2"))
	twin := first // two collectors that take themselves for one
	twin.ID = uuid.New()
	c.Frame(ledgertest.View("lost 1"), ledgertest.View("lost 2"))
	b.Preprocess("a", first, twin, c.Frame(ledgertest.View("3")))
	b.want(Ledger{Accepted: 7, Delivered: 3, Duplicates: 2, Residue: 2, FrameGaps: 1})
}

func TestWhatPreprocessLeftOutIsADuplicate(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	f := c.Frame(ledgertest.View("1"), ledgertest.View("2"), ledgertest.View("1"))
	left := f.Receipt()
	left.Duplicates = []int{2}
	b.Put("ledger/receipts/date=2026-03-02/hour=12/a.json.gz", ledgertest.Line(t, left))
	once := f
	once.Events = f.Events[:2]
	b.Events("a", once)
	b.want(Ledger{Accepted: 3, Delivered: 2, Duplicates: 1})

	t.Run("in whatever batch the frame comes again", func(t *testing.T) {
		b.Preprocess("b", f)
		b.want(Ledger{Accepted: 3, Delivered: 2, Duplicates: 1})
	})
}

func TestAMissingReceiptIsAGapAndItsEventsAreUnreceipted(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	b.Preprocess("a", c.Frame(ledgertest.View("1")))
	b.Preprocess("b", c.Frame(ledgertest.View("2"), ledgertest.Broken("3")))
	b.Preprocess("c", c.Frame(ledgertest.View("4")))
	b.Delete("ledger/receipts/date=2026-03-02/hour=12/b.json.gz")
	b.want(Ledger{Accepted: 4, Delivered: 3, Quarantined: 1, Residue: 2, FrameGaps: 1, Unreceipted: 2})
}

func TestAMissingReceiptAtTheEndOfASequenceIsSeenByItsEvents(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	b.Preprocess("a", c.Frame(ledgertest.View("1")))
	b.Events("b", c.Frame(ledgertest.View("2"), ledgertest.View("3")))
	b.want(Ledger{Accepted: 1, Delivered: 3, Unreceipted: 2})
}

func TestAReceiptedLossIsNotHiddenByEventsWithoutAReceipt(t *testing.T) {
	b := newBuckets(t)
	one, two := ledgertest.Chain{Partition: 1}, ledgertest.Chain{Partition: 2}
	b.Receipts("a", one.Frame(ledgertest.View("lost")))
	b.Events("b", two.Frame(ledgertest.View("1")))
	b.want(Ledger{Accepted: 1, Delivered: 1, Residue: 1, Unreceipted: 1})
}

func TestAnObjectThatIsGoneIsRemovedFromTheCopiesAndTheOthersAreNotReadAgain(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	for i, name := range []string{"a", "b", "c", "d", "e"} { // several pages of a list
		b.Preprocess(name, c.Frame(ledgertest.View(fmt.Sprint(i))))
	}
	b.want(Ledger{Accepted: 5, Delivered: 5})
	before := b.Gets
	b.Delete("raw/events/arrival_date=2026-03-02/arrival_hour=12/c")
	b.Preprocess("f", c.Frame(ledgertest.View("f")))
	b.want(Ledger{Accepted: 6, Delivered: 5, Residue: 1})
	if n := b.Gets - before; n != 2 {
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
			b.Put("raw/" + key)
			_, err := b.reader.Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), "s3://raw/"+key+" has a name") {
				t.Errorf("error is %v", err)
			}
			if b.Gets != 0 {
				t.Errorf("%d objects were read", b.Gets)
			}
		})
	}
}

func TestAnObjectThatCannotBeReadIsAnErrorAndNoLedger(t *testing.T) {
	var c ledgertest.Chain
	f := c.Frame(ledgertest.View("1"))
	for name, body := range map[string][]byte{"no gzip": []byte("hello"), "half a gzip": nil, "no JSON": []byte("x")} {
		t.Run(name, func(t *testing.T) {
			b := newBuckets(t)
			b.Preprocess("a", f)
			switch key := "raw/events/arrival_date=2026-03-02/arrival_hour=12/a"; name {
			case "no gzip":
				b.Objects[key] = body
			case "half a gzip":
				b.Objects[key] = b.Objects[key][:len(b.Objects[key])/2]
			default:
				b.Put(key, body)
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
	var c ledgertest.Chain
	purchase := func(name, session string, value float64) event.Received {
		return ledgertest.Received("shop-02", fmt.Sprintf(`{"event_id":%q,"type":"purchase","visitor_id":"v%s","session_id":%q,"client_ts":"2026-03-02T12:00:00Z",
			"items":[{"item_id":"p","price":1,"currency":"EUR"}],"order":{"transaction_id":"o","value":%g,"currency":"EUR"}}`, ledgertest.ID(name), session, session, value))
	}
	b.Preprocess("a", c.Frame(ledgertest.View("1"), ledgertest.View("2"), ledgertest.Broken("3"), purchase("4", "s2", 10.1), purchase("5", "s3", 20.2), purchase("5", "s3", 20.2)))
	b.Put("failed/aws/lambda/x")
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
	if got, want := ledgertest.Line(t, s), ledgertest.Line(t, want); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNoEventThatTheCollectorTakesMakesTheLedgerUnreadable stores what is JSON
// by the letter and breaks other parsers, as events that are quarantined and as
// texts of events that are delivered.
func TestNoEventThatTheCollectorTakesMakesTheLedgerUnreadable(t *testing.T) {
	b := newBuckets(t)
	var c ledgertest.Chain
	originals := []string{
		`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud83d":"\u0000"}`, `{"a":1e999,"b":-1e-999,"c":123456789012345678901234567890}`,
		`{"a":1,"a":2,"":3}`, `{"event_id":"\u0000","type":"\ud800"}`, `{"event_id":{"a":1}}`, "{\"a\":\n[\r1,\t2]}", `{"a":"` + "\u2028\u0085\ufeff" + `"}`,
		`{"a":` + strings.Repeat("[", event.MaxBatchDepth-3) + strings.Repeat("]", event.MaxBatchDepth-3) + `}`, `{"a":"` + strings.Repeat(`\u0001`, 5000) + `"}`,
	}
	var events []event.Received
	for _, original := range originals {
		events = append(events, ledgertest.Received("shop-01", original))
	}
	for i, text := range []string{"\x00", "\ufffd\u2028", `'";--`, "\\", strings.Repeat("\x01", 100)} {
		raw := ledgertest.Line(t, map[string]any{
			"event_id": ledgertest.ID(fmt.Sprint(i)), "type": "refund", "client_ts": "1970-01-01T00:00:00Z", "custom": map[string]any{"note": text, "n": 1.7e308},
			"order": map[string]any{"transaction_id": "o1", "value": 1e12, "currency": "EUR", "coupon": text}, "page": map[string]any{"url": text, "title": text},
		})
		events = append(events, ledgertest.Received("shop-01", string(raw)))
	}
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "jsontestsuite", "test_parsing", "[iy]_*.json")) // more of them, where they are
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Appendf(nil, `{"v":1,"shop":"s","sent_at":"2026-03-02T12:00:00Z","batch_id":"0b4b3d3e-5f9a-4c39-9f0a-6f4d1c6f3c11","seq":0,"events":[{"a":%s}]}`, text)
		if batch, _, err := event.UnmarshalBatch(body); err == nil {
			events = append(events, ledgertest.Received("shop-01", string(batch.Events[0])))
		}
	}
	b.Preprocess("a", c.Frame(events...))
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
