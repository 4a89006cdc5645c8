package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/process"
)

const (
	faultEvents = 20_000 // that trackers send under each fault
	suiteEvents = 200_000
	faultShops  = "fault-" // prefix of their ids
)

// faults are a deployment whose collector and function reach the emulator
// through proxies.
type faults struct {
	deployment
	collector *process.Process
	programs  *process.Group
	env       []string // the collector's
	gateway   *proxy   // between the collector and its stream
	registry  *proxy   // between the collector and DynamoDB
	function  *proxy   // between preprocess and its stream and buckets
	evidence  *evidence
	wants     map[identity]want // of all that was acknowledged
	table     bytes.Buffer
	sent      int
}

// TestFaults breaks what a deployed pipeline depends on while trackers send,
// and reads from the buckets what became of each event.
func TestFaults(t *testing.T) {
	root := built(t)
	t.Parallel()
	f := newFaults(t, root)
	t.Run("personal data stays in the gateway stream and in failed/", func(t *testing.T) { f.markers(t) })

	rows := tabwriter.NewWriter(&f.table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(rows, "fault\tsent\tacknowledged\t202\t429\t503\tno answer\tcalls broken\tduplicates\tseconds\t")
	for _, c := range []struct {
		name string
		run  func(*testing.T, load) (outcome, error)
	}{
		{"nothing", f.nothing},
		{"PutRecords throttled partially", f.throttled},
		{"PutRecords times out", f.timesOut},
		{"connections are reset", f.resets},
		{"500s before and after success", f.fails},
		{"the function crashes mid-batch", f.crashes},
		{"batches and frames come twice", f.twice},
		{"poison records", f.poison},
		{"the registry is away", f.registryAway},
		{"the registry is away at the start", f.registryAwayAtStart},
		{"clocks a day behind", func(t *testing.T, l load) (outcome, error) { return f.skewed(t, l, -24*time.Hour) }},
		{"clocks a day ahead", func(t *testing.T, l load) (outcome, error) { return f.skewed(t, l, 24*time.Hour) }},
		{"a resend across midnight", f.midnight},
		{"SIGTERM of the collector", f.sigterm},
		{"SIGKILL of the collector", f.sigkill},
	} {
		ok := t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			l := load{name: strings.ReplaceAll(strings.ToLower(c.name), " ", "-"), shops: [2]string{faultShops + "a", faultShops + "b"}, events: faultEvents}
			out, err := c.run(t, l)
			f.gateway.heal()
			f.registry.heal()
			if err != nil {
				t.Fatal(err)
			}
			f.await(t, out)
			f.function.heal()
			a := &out.tracker.answers
			fmt.Fprintf(rows, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", c.name, a.sent, a.acked, a.statuses[202], a.statuses[429], a.statuses[503], a.statuses[0], out.broken, f.evidence.duplicates(out.wants), time.Since(began).Seconds())
			f.sent += a.sent
			if a.sent < faultEvents || a.acked < faultEvents {
				t.Errorf("got %d events sent and %d acknowledged, want %d or more", a.sent, a.acked, faultEvents)
			}
		})
		if !ok {
			break // what comes behind would fail for the same reason
		}
	}
	rows.Flush()
	t.Logf("%d events were sent; %d distinct ones were acknowledged\n%s", f.sent, len(f.wants), f.table.String())
	if !t.Failed() && f.sent < suiteEvents {
		t.Errorf("got %d events over the suite, want %d", f.sent, suiteEvents)
	}
}

// outcome is what trackers met under a fault.
type outcome struct {
	tracker  *tracker
	wants    map[identity]want // acknowledged
	accepted int               // events that are so at least, with those of before
	broken   int64             // calls
}

// newFaults deploys, and puts proxies in between.
func newFaults(t *testing.T, root string) *faults {
	t.Helper()
	f := &faults{wants: map[identity]want{}}
	r := startDemo(t, "--keep", "--sessions", "20")
	if status := r.end(t); status != 0 {
		t.Fatalf("got exit status %d\n%s", status, r.out.String())
	}
	f.deployment = deployment{root: root, dir: r.dir}
	readJSON(t, filepath.Join(r.dir, "endpoints.json"), &f.deployment)
	f.gateway, f.registry, f.function = newProxy(t, f.MiniStack), newProxy(t, f.MiniStack), newProxy(t, f.MiniStack)
	f.evidence = newEvidence(f.deployment)
	f.register(t, event.Shop{ID: faultShops + "a"}, event.Shop{ID: faultShops + "b"})
	f.register(t, event.Shop{ID: faultShops + "past-a", Backfill: true}, event.Shop{ID: faultShops + "past-b", Backfill: true})
	f.leadFunction(t)

	var err error
	if f.programs, err = process.NewGroup(filepath.Join(t.TempDir(), "run")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.programs.Stop)
	f.env = f.environment(t)
	f.Collector = "http://" + variable(f.env, "LISTEN")
	f.start(t)
	f.ready(t)
	return f
}

func (f *faults) register(t *testing.T, shops ...event.Shop) {
	t.Helper()
	for _, shop := range shops {
		shop.Key, shop.Salt, shop.EventsPerSecond = keyOf(shop.ID), event.NewSalt(), 1_000_000
		item, err := attributevalue.MarshalMap(shop)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dynamodb.NewFromConfig(f.config()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.Outputs.RegistryTable, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
}

// environment is the collector's, as its task definition says, with the
// proxies for AWS.
func (f *faults) environment(t *testing.T) []string {
	t.Helper()
	cfg := f.config()
	cfg.BaseEndpoint = &f.Moto
	out, err := ecs.NewFromConfig(cfg).DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &f.Outputs.CollectorTaskDefinition})
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"AWS_ACCESS_KEY_ID=emulated", "AWS_SECRET_ACCESS_KEY=emulated", "AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=" + f.Region,
		"AWS_ENDPOINT_URL=" + f.MiniStack, "AWS_ENDPOINT_URL_KINESIS=" + f.gateway.URL, "AWS_ENDPOINT_URL_DYNAMODB=" + f.registry.URL,
	}
	for _, variable := range out.TaskDefinition.ContainerDefinitions[0].Environment {
		env = append(env, *variable.Name+"="+*variable.Value)
	}
	for _, name := range []string{"LISTEN", "METRICS_LISTEN"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+listener.Addr().String())
		listener.Close()
	}
	return env
}

// variable is the last value of one.
func variable(env []string, name string) (value string) {
	for _, v := range env {
		if is, ok := strings.CutPrefix(v, name+"="); ok {
			value = is
		}
	}
	return value
}

// start starts a collector in the place of the one before.
func (f *faults) start(t *testing.T) {
	t.Helper()
	var err error
	f.collector, err = f.programs.Start(process.Command{Name: "collector", Args: []string{filepath.Join(f.root, "build", "collector")}, Env: f.env})
	if err != nil {
		t.Fatal(err)
	}
}

// ready waits until the collector is.
func (f *faults) ready(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if f.isReady() {
			return
		}
	}
	t.Fatalf("the collector is not ready within 30 s: %v", f.collector.Err())
}

func (f *faults) isReady() bool {
	response, err := http.Get(f.Collector + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// leadFunction leads preprocess to its proxy, by a version of its own.
func (f *faults) leadFunction(t *testing.T) {
	t.Helper()
	var at struct {
		Environment struct{ Variables map[string]string }
	}
	f.lambda(t, http.MethodGet, "/configuration", nil, &at)
	variables := at.Environment.Variables
	variables["AWS_ENDPOINT_URL_KINESIS"], variables["AWS_ENDPOINT_URL_S3"] = f.function.URL, f.function.URL
	f.lambda(t, http.MethodPut, "/configuration", at, nil)
	var version struct{ Version string }
	f.lambda(t, http.MethodPost, "/versions", struct{}{}, &version)
	f.lambda(t, http.MethodPut, "/aliases/live", map[string]string{"FunctionVersion": version.Version}, nil)
}

const preprocess = "shopstream-local-preprocess"

// lambda calls Lambda about preprocess.
func (f *faults) lambda(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, f.MiniStack+"/2015-03-31/functions/"+preprocess+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer := f.answer(t, request, "lambda")
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(answer), out); err != nil {
		t.Fatalf("decode %s: %v", answer, err)
	}
}

// answer calls the emulator about what no SDK is there for.
func (f *faults) answer(t *testing.T, request *http.Request, service string) string {
	t.Helper()
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=emulated/%s/%s/%s/aws4_request, SignedHeaders=host, Signature=0", time.Now().UTC().Format("20060102"), f.Region, service))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: got %s, %v: %s", request.Method, request.URL, response.Status, err, answer)
	}
	return string(answer)
}

// await waits until all that was acknowledged lies in the buckets, and checks
// it there. Then the ledger has to say the same.
func (f *faults) await(t *testing.T, out outcome) {
	t.Helper()
	maps.Copy(f.wants, out.wants)
	accepted, missing, residue := 0, 0, 0
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		f.evidence.collect(t)
		if accepted, missing, residue = f.evidence.accepted(), f.evidence.missing(out.wants), f.evidence.residue(); accepted >= out.accepted && missing+residue == 0 {
			break
		}
	}
	if accepted < out.accepted || missing+residue > 0 {
		t.Errorf("after 60 s, %d events of %d are accepted, %d are acknowledged and nowhere, and the residue is %d", accepted, out.accepted, missing, residue)
	}
	if wrong := f.evidence.check(f.wants); len(wrong) > 0 {
		t.Fatalf("%d problems:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
	}
	f.deployment.await(t, "the ledger balances", balancedAt(int64(out.accepted)))
}

// send has trackers send a load until all of it is acknowledged.
func (f *faults) send(t *testing.T, l load) (outcome, error) {
	return f.sendWhile(t, l, func(*atomic.Int64) {})
}

// sendWhile calls during meanwhile, with the number of events that are
// acknowledged so far.
func (f *faults) sendWhile(t *testing.T, l load, during func(acked *atomic.Int64)) (outcome, error) {
	out := outcome{tracker: &tracker{url: f.Collector}, wants: map[identity]want{}, accepted: f.evidence.accepted()}
	out.tracker.answers.statuses = map[int]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var mu sync.Mutex
	var count atomic.Int64
	sent := make(chan error, 1)
	go func() {
		sent <- out.tracker.send(ctx, l, l.batches(), func(b batch) {
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(out.wants, b.wants)
			count.Add(int64(len(b.wants)))
		})
	}()
	during(&count)
	err := <-sent
	out.accepted += out.tracker.answers.acked
	out.broken = f.gateway.broken.Load() + f.registry.broken.Load() + f.function.broken.Load()
	return out, err
}

func (f *faults) nothing(t *testing.T, l load) (outcome, error) { return f.send(t, l) }

func (f *faults) throttled(t *testing.T, l load) (outcome, error) {
	f.gateway.breaks(throttled)
	f.function.breaks(throttled)
	return f.send(t, l)
}

func (f *faults) timesOut(t *testing.T, l load) (outcome, error) {
	f.gateway.breaks(ambiguous("PutRecords", 4, (*call).hang))
	f.function.breaks(ambiguous("PutRecords", 2, (*call).hang))
	return f.send(t, l)
}

func (f *faults) resets(t *testing.T, l load) (outcome, error) {
	f.gateway.breaks(ambiguous("PutRecords", 1000, (*call).reset))
	f.function.breaks(ambiguous("PutRecords", 8, (*call).reset))
	return f.send(t, l)
}

func (f *faults) fails(t *testing.T, l load) (outcome, error) {
	f.gateway.breaks(ambiguous("PutRecords", 1000, (*call).fail))
	f.function.breaks(ambiguous("PutRecords", 8, (*call).fail))
	return f.send(t, l)
}

// crashes kills the function where it hurts: with receipts but without events,
// and with events but without having said so.
func (f *faults) crashes(t *testing.T, l load) (outcome, error) {
	const crashes = 5 // the mapping gives up on a record that fails six times
	f.function.breaks(func(c *call) {
		kill := func() {
			c.broken.Add(1)
			if err := f.killFunction(); err != nil {
				t.Error(err)
			}
			panic(http.ErrAbortHandler)
		}
		switch {
		case c.broken.Load() >= crashes:
			c.pass()
		case c.operation == http.MethodPut && c.n%4 == 1:
			c.forward(c.body)
			kill()
		case c.operation == "PutRecords" && c.n%2 == 0:
			kill()
		case c.operation == "PutRecords":
			c.forward(c.body)
			kill()
		default:
			c.pass()
		}
	})
	out, err := f.send(t, l)
	for deadline := time.Now().Add(20 * time.Second); f.function.broken.Load() < 3 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
	}
	out.broken = f.function.broken.Load()
	if out.broken < 3 {
		t.Errorf("the function was killed %d times, want 3 or more", out.broken)
	}
	return out, err
}

// killFunction kills the processes in which MiniStack runs the function.
func (f *faults) killFunction() error {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return err
	}
	for _, path := range environments {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte("AWS_LAMBDA_FUNCTION_NAME="+preprocess+"\x00")) || !bytes.Contains(environ, []byte("AWS_ENDPOINT_URL="+f.MiniStack+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return err
		}
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return fmt.Errorf("no process runs %s", preprocess)
}

// twice sends every batch twice at once, and then puts every frame of them on
// the stream again, as a mapping delivers again what it has no answer for.
func (f *faults) twice(t *testing.T, l load) (outcome, error) {
	began := time.Now()
	l.clock = func() time.Time { return began }
	again := make(chan error, 1)
	go func() {
		_, err := f.send(t, l)
		again <- err
	}()
	out, err := f.send(t, l)
	if err := <-again; err != nil {
		return out, err
	}
	out.accepted += l.events
	f.await(t, out)
	client := kinesis.NewFromConfig(f.config())
	var entries []types.PutRecordsRequestEntry
	for _, r := range f.records(t, client, f.Outputs.GatewayStream, began) {
		entries = append(entries, types.PutRecordsRequestEntry{Data: r.Data, PartitionKey: r.PartitionKey})
	}
	if len(entries) < faultEvents/batchEvents {
		t.Errorf("got %d frames on the gateway stream, want those of all batches", len(entries))
	}
	objects := len(f.objects(t, f.Outputs.LedgerBucket))
	for len(entries) > 0 {
		n := min(len(entries), 250)
		if _, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: &f.Outputs.GatewayStream, Records: entries[:n]}); err != nil {
			return out, err
		}
		entries = entries[n:]
	}
	for deadline := time.Now().Add(30 * time.Second); len(f.objects(t, f.Outputs.LedgerBucket)) == objects && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
	}
	time.Sleep(3 * time.Second) // longer than the way to S3 takes here
	if f.evidence.duplicates(out.wants) == 0 {
		t.Error("got no duplicates, want those of batches that came twice")
	}
	return out, err
}

// records are those that a stream took since.
func (f *faults) records(t *testing.T, client *kinesis.Client, stream string, since time.Time) (all []types.Record) {
	t.Helper()
	shards, err := client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards.Shards {
		at, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: &stream, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		for next := at.ShardIterator; next != nil; {
			out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: next, Limit: aws.Int32(1000)})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Records {
				if !r.ApproximateArrivalTimestamp.Before(since) {
					all = append(all, r)
				}
			}
			if next = out.NextShardIterator; len(out.Records) == 0 {
				break
			}
		}
	}
	return all
}

// poison puts records on the gateway stream that are no frames, or no longer.
func (f *faults) poison(t *testing.T, l load) (outcome, error) {
	before := len(f.objects(t, f.Outputs.FailedBucket))
	whole := newFrame("poison", "v", pageView("v", ""))
	frame, err := whole.MarshalBinary()
	if err != nil {
		return outcome{}, err
	}
	bent, future := bytes.Clone(frame), bytes.Clone(frame)
	bent[len(bent)-1] ^= 1
	future[4]++
	records := [][]byte{[]byte("poison"), frame[:len(frame)/2], bent, future}
	client := kinesis.NewFromConfig(f.config())
	out, err := f.sendWhile(t, l, func(*atomic.Int64) {
		for i, data := range records {
			time.Sleep(100 * time.Millisecond)
			if _, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &f.Outputs.GatewayStream, Data: data, PartitionKey: aws.String(fmt.Sprintf("%03d", 60*i))}); err != nil {
				t.Error(err)
			}
		}
	})
	failed := 0
	for deadline := time.Now().Add(60 * time.Second); failed != len(records) && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		failed = len(f.objects(t, f.Outputs.FailedBucket)) - before
	}
	if failed != len(records) {
		t.Errorf("got %d records in failed/, want the %d of poison", failed, len(records))
	}
	out.broken = int64(failed)
	return out, err
}

// registryAway has known shops go on while DynamoDB is away, and new ones wait.
func (f *faults) registryAway(t *testing.T, l load) (outcome, error) {
	before, err := f.send(t, load{name: l.name + "-before", shops: l.shops, events: 2 * batchEvents}) // the shops are known from here on
	if err != nil {
		return before, err
	}
	f.await(t, before)
	f.registry.breaks(away)
	known, err := f.send(t, l)
	if err != nil {
		return known, err
	}
	if n := known.tracker.answers.statuses; n[503]+n[0] > 0 {
		t.Errorf("got answers %v, want 202 alone for shops that are known", n)
	}
	f.await(t, known)
	l.shops, l.name = [2]string{faultShops + "late-a", faultShops + "late-b"}, l.name+"-late"
	f.register(t, event.Shop{ID: l.shops[0]}, event.Shop{ID: l.shops[1]})
	var early int64
	late, err := f.sendWhile(t, l, func(acked *atomic.Int64) {
		time.Sleep(4 * time.Second)
		early = acked.Load()
		f.registry.heal()
	})
	if n := late.tracker.answers.statuses[503]; early > 0 || n == 0 {
		t.Errorf("got %d events of unknown shops acknowledged, %d answers of 503, want none and some while the registry is away", early, n)
	}
	return late, err
}

// registryAwayAtStart starts a collector that cannot read the registry.
func (f *faults) registryAwayAtStart(t *testing.T, l load) (outcome, error) {
	f.collector.Stop()
	f.registry.breaks(away)
	f.start(t)
	out, err := f.sendWhile(t, l, func(acked *atomic.Int64) {
		time.Sleep(4 * time.Second)
		if f.isReady() || acked.Load() > 0 {
			t.Errorf("ready is %t and %d events are acknowledged while the registry is away", f.isReady(), acked.Load())
		}
		f.registry.heal()
		f.ready(t)
	})
	if out.tracker.answers.statuses[503] == 0 {
		t.Errorf("got answers %v, want some of 503", out.tracker.answers.statuses)
	}
	return out, err
}

// skewed has the senders' clocks be wrong. What happened is known all the
// same; what an id says of the future is not believed.
func (f *faults) skewed(t *testing.T, l load, by time.Duration) (outcome, error) {
	l.clock = func() time.Time { return time.Now().Add(by) }
	out, err := f.send(t, l)
	for of, w := range out.wants {
		w.happen = w.happen.Add(-by)
		if by > 0 {
			w.date = ""
		}
		out.wants[of] = w
	}
	return out, err
}

// midnight sends events in the last seconds of yesterday, and again in the
// first ones of today: events of shops that import history count as received
// when they are sent.
func (f *faults) midnight(t *testing.T, l load) (outcome, error) {
	day := time.Now().UTC().Truncate(24 * time.Hour)
	l.shops = [2]string{faultShops + "past-a", faultShops + "past-b"}
	l.clock = func() time.Time { return day.Add(-20 * time.Second) }
	l.sentAt = func() time.Time { return day.Add(-10 * time.Second) }
	first, err := f.send(t, l)
	if err != nil {
		return first, err
	}
	f.await(t, first)
	l.sentAt = func() time.Time { return day.Add(10 * time.Second) }
	again, err := f.send(t, l)
	if err != nil {
		return again, err
	}
	f.await(t, again)
	for of := range again.wants {
		days := map[string]bool{}
		for _, c := range f.evidence.copies[of] {
			days[c.received.UTC().Format(time.DateOnly)] = true
		}
		if len(days) != 2 {
			t.Fatalf("%v was received on %v, want two days", of, days)
		}
	}
	return again, nil
}

func (f *faults) sigterm(t *testing.T, l load) (outcome, error) {
	return f.endCollector(t, l, func() {
		f.collector.Stop()
		if err := f.collector.Err(); err != nil {
			t.Error(err)
		}
	})
}

func (f *faults) sigkill(t *testing.T, l load) (outcome, error) {
	return f.endCollector(t, l, func() {
		pid := (&run{dir: filepath.Dir(filepath.Dir(f.collector.Log))}).program(t, "collector")
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		<-f.collector.Done()
	})
}

// endCollector ends the collector under load, twice, and starts another.
func (f *faults) endCollector(t *testing.T, l load, end func()) (outcome, error) {
	f.gateway.breaks(slow)
	return f.sendWhile(t, l, func(acked *atomic.Int64) {
		for _, share := range []int64{4, 2} {
			for deadline := time.Now().Add(20 * time.Second); acked.Load() < faultEvents/share && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			}
			end()
			time.Sleep(300 * time.Millisecond)
			f.start(t)
			f.ready(t)
		}
	})
}
