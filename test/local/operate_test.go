package local

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/erase"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/replay"
)

// operator is the tool as an operator runs it, with credentials of the account.
func (d deployment) operator(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(d.root, "build", "shopstream"), append(args, "--env", "local")...)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+d.MiniStack, "AWS_REGION="+d.Region, "AWS_ACCESS_KEY_ID=123456789012", "AWS_SECRET_ACCESS_KEY=emulated",
		"XDG_STATE_HOME="+filepath.Join(d.dir, "state"))
	return cmd
}

// operates runs it and returns what it prints.
func (d deployment) operates(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := d.operator(args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, said.String())
	}
	return out.String(), nil
}

func (d deployment) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.operates(t, args...)
	if err != nil {
		t.Fatalf("shopstream %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// today is a replay of all that the test stored.
func today(args ...string) []string {
	at := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("2006-01-02T15") }
	return append([]string{"replay", "--from", at(-3 * time.Hour), "--to", at(2 * time.Hour), "--rate", "1"}, args...)
}

func (d deployment) replays(t *testing.T, args ...string) (p replay.Progress) {
	t.Helper()
	out := d.must(t, today(args...)...)
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatalf("decode %q: %v", out, err)
	}
	return p
}

// lines are those of a bucket's objects under events/.
func (d deployment) lines(t *testing.T, bucket string) (lines [][]byte) {
	t.Helper()
	client := ledger.NewS3(d.config())
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("events/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range page.Contents {
			for line := range bytes.Lines(d.unzipped(t, client, &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func (d deployment) unzipped(t *testing.T, client *s3.Client, in *s3.GetObjectInput) []byte {
	t.Helper()
	object, err := client.GetObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	unzipped, err := gzip.NewReader(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unique is an object of the raw bucket whose packs lie in no other one.
func (d deployment) unique(t *testing.T) string {
	t.Helper()
	client, holders, packs := ledger.NewS3(d.config()), map[string]int{}, map[string][]string{}
	keys := slices.DeleteFunc(d.objects(t, d.Outputs.RawBucket), func(key string) bool { return !strings.HasPrefix(key, "events/") })
	for _, key := range keys {
		for line := range bytes.Lines(d.unzipped(t, client, &s3.GetObjectInput{Bucket: &d.Outputs.RawBucket, Key: &key})) {
			p, err := event.UnmarshalPack(line)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			packs[key] = append(packs[key], p.Header.ID)
			holders[p.Header.ID]++
		}
	}
	for _, key := range keys {
		if len(packs[key]) > 0 && !slices.ContainsFunc(packs[key], func(id string) bool { return holders[id] > 1 }) {
			return key
		}
	}
	t.Fatalf("each of %d objects holds packs that lie in others too", len(keys))
	return ""
}

// awaitReplayed waits until so many packs that are marked as replayed lie in
// the raw bucket.
func (d deployment) awaitReplayed(t *testing.T, want int) {
	t.Helper()
	got := 0
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		got = 0
		for _, line := range d.lines(t, d.Outputs.RawBucket) {
			if head, _, _ := bytes.Cut(line, []byte(`"events":`)); bytes.Contains(head, []byte(`"replayed":true`)) {
				got++
			}
		}
		if got >= want {
			return
		}
	}
	t.Fatalf("got %d replayed packs in the raw bucket, want %d", got, want)
}

func (d deployment) put(t *testing.T, bucket, key string, body []byte) {
	t.Helper()
	if _, err := ledger.NewS3(d.config()).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
}

func zipped(t *testing.T, v any) []byte {
	t.Helper()
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	if err := json.NewEncoder(zip).Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// newFrame holds events of one visitor as a collector of its own sends them.
func newFrame(shop, visitor string, events ...string) event.Frame {
	now := time.Now().UTC()
	f := event.Frame{ID: uuid.Must(uuid.NewV7()), Instance: uuid.New(), Partition: event.VirtualPartition(shop, visitor, ""), CreatedAt: now}
	for _, e := range events {
		f.Events = append(f.Events, event.Received{
			ShopID: shop, BatchID: uuid.NewString(), SentAt: now, ReceivedAt: now, Trust: event.TrustBrowser, Event: jsontext.Value(e),
		})
	}
	return f
}

// pageView is a valid event; more begins with a comma.
func pageView(visitor, more string) string {
	now := time.Now().UTC()
	return fmt.Sprintf(`{"event_id":%q,"type":"page_view","visitor_id":%q,"session_id":"s","seq":0,"client_ts":%q,"page":{"url":"https://shoes.example/"}%s}`,
		uuid.Must(uuid.NewV7()), visitor, now.Format(time.RFC3339), more)
}

// operate is an operator's day: shops come and change, events enter again, a
// visitor is forgotten. The ledger balances throughout.
func operate(t *testing.T, d deployment) {
	t.Run("takes events for a shop that was added, without a deploy", func(t *testing.T) { d.onboard(t) })
	t.Run("replays raw packs and changes nothing in the ledger", func(t *testing.T) { d.replayRaw(t) })
	t.Run("goes on with a replay that was killed", func(t *testing.T) { d.replayKilled(t) })
	t.Run("replays what is still rejected, once", func(t *testing.T) { d.replayRejected(t) })
	t.Run("delivers once what is no longer rejected", func(t *testing.T) { d.replayMended(t) })
	t.Run("redrives failed records and leaves poison in the queue", func(t *testing.T) { d.redrive(t) })
	t.Run("forgets a visitor", func(t *testing.T) { d.forget(t) })
}

func (d deployment) onboard(t *testing.T) {
	before := d.statement(t).Ledger.Accepted
	key := strings.TrimSpace(d.must(t, "shops", "add", "newcomer", "--origin", "https://new.example"))
	second := strings.TrimSpace(d.must(t, "shops", "rotate-key", "newcomer"))
	for _, k := range []string{key, second} {
		body := fmt.Sprintf(`{"v":1,"shop":%q,"sent_at":%q,"batch_id":%q,"seq":0,"events":[%s]}`, k, time.Now().UTC().Format(time.RFC3339), uuid.NewString(), pageView("v", ""))
		if status, answer := d.post(t, body); status != http.StatusAccepted {
			t.Errorf("key %s: got %d %s, want 202", k, status, answer)
		}
	}
	d.await(t, "the new shop's events are stored", balancedAt(before+2))

	if _, err := d.operates(t, "shops", "add", "newcomer"); err == nil || !strings.Contains(err.Error(), `shop "newcomer" is there already`) {
		t.Errorf("got %v, want a refusal of the second shop of that id", err)
	}
	for range 2 {
		d.must(t, "shops", "bind-client", "newcomer", "1example23456789")
	}
	d.must(t, "shops", "bind-client", "newcomer", "another")
	d.must(t, "shops", "disable", "newcomer")
	list := d.must(t, "shops", "list")
	row := regexp.MustCompile(`(?m)^newcomer +(pk_\S+) +off +100 +https://new\.example +1example23456789 another +asked$`)
	if got := row.FindAllStringSubmatch(list, -1); len(got) != 2 {
		t.Errorf("got\n%s\nwant two keys of newcomer, switched off, each client once", list)
	}
	d.must(t, "shops", "disable", "newcomer", "--undo")
	d.must(t, "shops", "rotate-key", "newcomer", "--drop-old", key)
	if _, err := d.operates(t, "shops", "rotate-key", "newcomer", "--drop-old", second); err == nil || !strings.Contains(err.Error(), "is the only key") {
		t.Errorf("got %v, want the last key to stay", err)
	}
	if list = d.must(t, "shops", "list"); strings.Contains(list, key) || !strings.Contains(list, second) {
		t.Errorf("got\n%s\nwant the new key alone", list)
	}
}

// stored is what no replay of raw packs may change.
func stored(s ledger.Statement) ledger.Statement {
	s.Hops.RawObjects = 0
	return s
}

func (d deployment) replayRaw(t *testing.T) {
	before := d.statement(t)
	counted := d.replays(t, "--dry-run")
	if counted.Records != int(before.Hops.Packs) || counted.Events < int(before.Hops.RawEvents) {
		t.Errorf("got %+v in the dry run, want the %d packs of %d events", counted, before.Hops.Packs, before.Hops.RawEvents)
	}
	entered := d.replays(t)
	if entered.Records != counted.Records || entered.Events != counted.Events {
		t.Errorf("got %+v, want %+v as in the dry run", entered, counted)
	}
	d.awaitReplayed(t, entered.Records)
	if after := d.statement(t); !reflect.DeepEqual(stored(after), stored(before)) {
		t.Errorf("got %+v, want %+v as before", after, before)
	}
}

func (d deployment) replayKilled(t *testing.T) {
	before := d.statement(t)
	counted := d.replays(t, "--dry-run")
	state := filepath.Join(t.TempDir(), "checkpoint.json")
	args := today("--checkpoint", state, "--rate", "0.4")
	slow := d.operator(args...)
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	var at struct{ Progress replay.Progress }
	for deadline := time.Now().Add(60 * time.Second); at.Progress.Objects < 1 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(state); err == nil {
			if err := json.Unmarshal(b, &at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := slow.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if slow.Wait() == nil {
		t.Fatal("the replay ended before it was killed")
	}
	var said bytes.Buffer
	again := d.operator(append(args, "--rate", "1")...)
	again.Stderr = &said
	out, err := again.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	var entered replay.Progress
	if err := json.Unmarshal(out, &entered); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "goes on behind ") || entered.Objects != counted.Objects || entered.Events < counted.Events {
		t.Errorf("got %+v and %q, want all %+v, some of it before", entered, said.String(), counted)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("got %v, want no checkpoint of what is done", err)
	}
	d.awaitReplayed(t, 2*int(before.Hops.Packs))
	if after := d.statement(t); !reflect.DeepEqual(stored(after), stored(before)) {
		t.Errorf("got %+v, want %+v as before", after, before)
	}
}

func (d deployment) replayRejected(t *testing.T) {
	before := d.statement(t).Ledger
	entered := d.replays(t, "--quarantine")
	if entered.Events == 0 {
		t.Fatal("nothing was rejected before")
	}
	n := int64(entered.Events)
	after := d.await(t, "what was rejected is rejected again", balancedAt(before.Accepted+n)).Ledger
	want := before
	want.Accepted, want.Duplicates = before.Accepted+n, before.Duplicates+n
	if after != want {
		t.Errorf("got %+v, want %+v: the same events, each once more", after, want)
	}
	if again := d.replays(t, "--quarantine"); again.Events != entered.Events {
		t.Errorf("got %+v, want the same %d originals", again, n)
	}
	time.Sleep(2 * time.Second) // longer than the way to S3 takes here
	if again := d.statement(t).Ledger; again != after {
		t.Errorf("got %+v after the second time, want %+v as before", again, after)
	}
}

func (d deployment) replayMended(t *testing.T) {
	before := d.statement(t).Ledger
	f := newFrame("newcomer", "h1_mendedmendedmendedmend", pageView("h1_mendedmendedmendedmend", ""))
	var id struct {
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal(f.Events[0].Event, &id); err != nil {
		t.Fatal(err)
	}
	hour := f.CreatedAt.Format("date=2006-01-02/hour=15/")
	d.put(t, d.Outputs.LedgerBucket, "receipts/"+hour+"mended.json.gz", zipped(t, f.Receipt()))
	d.put(t, d.Outputs.QuarantineBucket, "events/"+hour+"mended.json.gz", zipped(t, event.Quarantined{
		Reason: "bygone_rule", ShopID: "newcomer", EventID: id.EventID, SentAt: f.CreatedAt, ReceivedAt: f.CreatedAt, BatchID: f.Events[0].BatchID,
		FrameID: f.ID.String(), Trust: event.TrustBrowser, Component: "preprocess", SchemaVersion: 1, Original: f.Events[0].Event,
	}))
	want := before
	want.Accepted, want.Delivered, want.Quarantined = before.Accepted+2, before.Delivered+1, before.Quarantined+1
	for range 2 {
		if entered := d.replays(t, "--reason", "bygone_rule", "--shop", "newcomer"); entered.Events != 1 || entered.Records != 1 {
			t.Errorf("got %+v, want one event", entered)
		}
		if after := d.await(t, "it is delivered", balancedAt(want.Accepted)).Ledger; after != want {
			t.Errorf("got %+v, want %+v", after, want)
		}
	}
	var found []event.Stored
	for _, line := range d.lines(t, d.Outputs.RawBucket) {
		if !bytes.Contains(line, []byte(id.EventID)) {
			continue
		}
		p, err := event.UnmarshalPack(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Events {
			if e.EventID == id.EventID {
				found = append(found, e)
			}
		}
	}
	if len(found) == 0 || found[0].ShopID != "newcomer" {
		t.Errorf("got %+v, want the event with its shop", found)
	}
}

func (d deployment) redrive(t *testing.T) {
	before := d.statement(t).Ledger.Accepted
	f := newFrame("newcomer", "w", pageView("w", ""))
	data, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{"Records": []any{map[string]any{"kinesis": map[string]any{"partitionKey": fmt.Sprintf("%03d", f.Partition), "data": data}}}})
	if err != nil {
		t.Fatal(err)
	}
	object, err := json.Marshal(map[string]any{"requestContext": map[string]any{"condition": "RetryAttemptsExhausted"}, "payload": string(payload)})
	if err != nil {
		t.Fatal(err)
	}
	d.put(t, d.Outputs.FailedBucket, "aws/lambda/mapping/shard/2026/11/20/record=1", object)
	var waiting struct{ Messages int }
	if err := json.Unmarshal([]byte(d.must(t, "replay", "--failed", "--dry-run")), &waiting); err != nil || waiting.Messages < 4 { // S3's test of the queue may be one more
		t.Errorf("got %+v and %v, want 4 messages: this one and three of poison", waiting, err)
	}
	out, err := d.operates(t, "replay", "--failed")
	if err == nil || !strings.Contains(err.Error(), "a record would fail again: not a frame") {
		t.Errorf("got %v, want to hear of the poison", err)
	}
	var done replay.Redriven
	if err := json.Unmarshal([]byte(out), &done); err != nil {
		t.Fatalf("decode %q: %v", out, err)
	}
	if done.Objects != 1 || done.Records != 1 || done.Events != 1 || done.Broken != 3 {
		t.Errorf("got %+v, want 1 record of 1 event, 3 broken", done)
	}
	d.await(t, "the redriven event is stored", balancedAt(before+1))
}

func (d deployment) forget(t *testing.T) {
	before := d.statement(t).Ledger
	key := strings.TrimSpace(d.must(t, "shops", "rotate-key", "newcomer"))
	sent := func(visitor string) string {
		body := fmt.Sprintf(`{"v":1,"shop":%q,"sent_at":%q,"batch_id":%q,"seq":0,"events":[%s,%s]}`, key, time.Now().UTC().Format(time.RFC3339), uuid.NewString(),
			pageView(visitor, ""), pageView(visitor, `,"color":"red"`))
		if status, answer := d.post(t, body); status != http.StatusAccepted {
			t.Fatalf("got %d %s, want 202", status, answer)
		}
		return visitor
	}
	goes, stays := sent("who goes"), sent("who stays")
	after := d.await(t, "both visitors' events are stored", balancedAt(before.Accepted+4)).Ledger
	gone, other := d.known(t, goes), d.known(t, stays)
	client := dynamodb.NewFromConfig(d.config())
	table := "shopstream-local-online"
	d.createOnline(t, client, table, gone, other)

	args := []string{"erase", "--shop", "newcomer", "--visitor", goes}
	if out := d.must(t, append(args, "--dry-run")...); !strings.Contains(out, "visitor "+gone) || !strings.Contains(out, "would be erased") || !strings.Contains(d.everywhere(t), gone) {
		t.Errorf("got\n%s\nwant a dry run that erases nothing", out)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	began := time.Now()
	d.must(t, append(args, "--report", path)...)

	if found := d.everywhere(t); strings.Contains(found, gone) || !strings.Contains(found, other) {
		t.Errorf("want no version of a quarantine object that tells of the visitor, and the other's as they were")
	}
	left, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if left.Count != 1 || !strings.Contains(fmt.Sprint(left.Items[0][erase.OnlineVisitor]), other) {
		t.Errorf("got %v, want the other visitor's item alone", left.Items)
	}
	tombstones, err := erase.Load(t.Context(), ledger.NewS3(d.config()), d.Outputs.RawBucket)
	if err != nil {
		t.Fatal(err)
	}
	if !tombstones.Hides("newcomer", gone, began.Add(-time.Second)) || tombstones.Hides("newcomer", gone, began.Add(time.Hour)) || tombstones.Hides("newcomer", other, began.Add(-time.Second)) {
		t.Errorf("got %v, want one that hides what was received of the visitor until now", tombstones)
	}
	if got := d.statement(t).Ledger; got != after {
		t.Errorf("got %+v, want %+v: what is erased was accepted all the same", got, after)
	}
	if p := d.replays(t, "--dry-run", "--shop", "newcomer"); p.Erased == 0 {
		t.Errorf("got %+v, want the visitor's events left out of a replay", p)
	}
	d.checkReport(t, path, began)
}

// known is the id under which a visitor of newcomer is stored.
func (d deployment) known(t *testing.T, sent string) string {
	t.Helper()
	out := d.must(t, "erase", "--shop", "newcomer", "--visitor", sent, "--dry-run")
	id := regexp.MustCompile(`visitor (h1_[A-Za-z0-9_-]{22}):`).FindStringSubmatch(out)
	if id == nil || !strings.Contains(d.everywhere(t), id[1]) {
		t.Fatalf("got\n%s\nwant the id under which the quarantine has the visitor", out)
	}
	return id[1]
}

func (d deployment) createOnline(t *testing.T, client *dynamodb.Client, table string, visitors ...string) {
	t.Helper()
	text := types.ScalarAttributeTypeS
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("shop_visitor"), AttributeType: text}, {AttributeName: aws.String("feature"), AttributeType: text}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("shop_visitor"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("feature"), KeyType: types.KeyTypeRange}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // what plans the stack's changes afterwards must not meet it
		if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
			t.Error(err)
		}
	})
	for _, visitor := range visitors {
		item := map[string]types.AttributeValue{"shop_visitor": &types.AttributeValueMemberS{Value: "newcomer#" + visitor}, "feature": &types.AttributeValueMemberS{Value: "session"}}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
}

// everywhere is every version of every object in the quarantine.
func (d deployment) everywhere(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	client := ledger.NewS3(d.config())
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &d.Outputs.QuarantineBucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			all.Write(d.unzipped(t, client, &s3.GetObjectInput{Bucket: &d.Outputs.QuarantineBucket, Key: v.Key, VersionId: v.VersionId}))
		}
	}
	return all.String()
}

func (d deployment) checkReport(t *testing.T, path string, began time.Time) {
	t.Helper()
	var reports []erase.Report
	readJSON(t, path, &reports)
	stores := map[string]erase.Store{}
	for _, report := range reports {
		for _, store := range report.Stores {
			stores[store.Name] = store
		}
	}
	if got := stores[d.Outputs.QuarantineBucket]; got.Erased != 1 {
		t.Errorf("got %+v, want one record", got)
	}
	if got := stores["shopstream-local-online"]; got.Erased != 1 {
		t.Errorf("got %+v, want one item", got)
	}
	day := 24 * time.Hour
	for name, want := range map[string]time.Duration{
		d.Outputs.GatewayStream: day, d.Outputs.EventsStream: day,
		d.Outputs.FailedBucket: (6 + 1) * day, // objects, then their versions
	} {
		got := stores[name].EndsAt
		if got == nil || got.Before(began.Add(want-time.Second)) || got.After(began.Add(want+day+time.Minute)) {
			t.Errorf("%s: got %v, want %v from now, whole days at most", name, got, want)
		}
	}
	if got, ok := stores[d.Outputs.RawBucket]; !ok || got.EndsAt != nil || !strings.Contains(got.By, "no rule") {
		t.Errorf("got %+v, want that nothing ends raw packs here", got)
	}
}
