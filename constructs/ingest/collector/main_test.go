package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/ingest/visitor"
	"github.com/shopstream/shopstream/internal/putrecords"
)

func TestMain(m *testing.M) {
	switch os.Getenv("TEST_COLLECTOR") {
	case "program":
		main()
		os.Exit(0)
	case "memory":
		runInMemory()
		os.Exit(0)
	case "bare":
		runBare()
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	// The encoder makes its channel when it is first used: not in a test's bubble.
	if _, err := (event.Frame{}).MarshalBinary(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// gateway is a Kinesis stream in memory.
type gateway struct {
	// answer, if set, decides on a call before anything is stored: it may wait,
	// refuse records by their index, or fail the call.
	answer func(ctx context.Context, in *kinesis.PutRecordsInput) (refused map[int]bool, err error)

	mu       sync.Mutex
	attempts []event.Frame // all that were sent
	frames   []event.Frame // those that are stored, in order
}

func (g *gateway) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	frames := make([]event.Frame, len(in.Records))
	for i, r := range in.Records {
		if err := frames[i].UnmarshalBinary(r.Data); err != nil {
			return nil, err
		}
		if want := fmt.Sprintf("%03d", frames[i].Partition); *r.PartitionKey != want {
			return nil, fmt.Errorf("got partition key %s, want %s", *r.PartitionKey, want)
		}
	}
	g.mu.Lock()
	g.attempts = append(g.attempts, frames...)
	g.mu.Unlock()
	var refused map[int]bool
	if g.answer != nil {
		var err error
		if refused, err = g.answer(ctx, in); err != nil {
			return nil, err
		}
	}
	return g.store(frames, refused), nil
}

func (g *gateway) store(frames []event.Frame, refused map[int]bool) *kinesis.PutRecordsOutput {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := &kinesis.PutRecordsOutput{}
	for i, f := range frames {
		if refused[i] {
			out.Records = append(out.Records, types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")})
			continue
		}
		g.frames = append(g.frames, f)
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: aws.String("1")})
	}
	return out
}

// events returns what is stored, in order.
func (g *gateway) events() (all []event.Received) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.frames {
		all = append(all, f.Events...)
	}
	return all
}

func (g *gateway) sent() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.attempts)
}

// table is the registry's table in memory.
type table struct {
	mu    sync.Mutex
	shops map[string]event.Shop
	err   error         // what every call fails with
	hangs bool          // until the caller gives up
	slow  time.Duration // how long GetItem takes
	asked int           // GetItem calls
	busy  int           // of these, not answered yet
}

func newTable(shops ...event.Shop) *table {
	t := &table{shops: map[string]event.Shop{}}
	for _, s := range shops {
		t.shops[s.Key] = s
	}
	return t
}

func (t *table) set(change func(*table)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t)
}

// settle waits until all calls are answered: a bubble does not end before.
func (t *table) settle() {
	for busy := true; busy; time.Sleep(time.Millisecond) {
		t.set(func(t *table) { busy = t.busy > 0 })
	}
}

func (t *table) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	defer t.set(func(t *table) { t.busy-- })
	t.mu.Lock()
	t.asked++
	t.busy++
	shop, ok := t.shops[in.Key["shop_key"].(*dynamodbtypes.AttributeValueMemberS).Value]
	err, hangs, slow := t.err, t.hangs, t.slow
	t.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil || !ok {
		return &dynamodb.GetItemOutput{}, err
	}
	item, err := attributevalue.MarshalMap(shop)
	return &dynamodb.GetItemOutput{Item: item}, err
}

var errAway = errors.New("connection refused")

// shoes is a shop that any test may use.
var shoes = event.Shop{Key: "pk_shoes", ID: "shoes", EventsPerSecond: 100_000, Salt: bytes.Repeat([]byte{7}, 32)}

var visitorSecret = []byte("a secret of the tests, 32 or more bytes long")

// pseudonym is the id that a visitor of shoes has behind the collector.
func pseudonym(name string) string {
	p, err := visitor.NewPseudonyms(visitorSecret, shoes)
	if err != nil {
		panic(err)
	}
	return p.Of([]byte(name))
}

// cluster is ECS in memory.
type cluster struct {
	running atomic.Int32
	away    atomic.Bool
}

func (c *cluster) DescribeClusters(context.Context, *ecs.DescribeClustersInput, ...func(*ecs.Options)) (*ecs.DescribeClustersOutput, error) {
	if c.away.Load() {
		return nil, errAway
	}
	return &ecs.DescribeClustersOutput{Clusters: []ecstypes.Cluster{{RunningTasksCount: c.running.Load()}}}, nil
}

// vault is Secrets Manager in memory.
type vault struct{ secret atomic.Pointer[string] }

func newVault(secret string) *vault {
	v := &vault{}
	v.secret.Store(&secret)
	return v
}

func (v *vault) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: v.secret.Load()}, nil
}

// collector is a server with its neighbours in memory.
type collector struct {
	*server
	http    http.Handler
	gateway *gateway
	table   *table
	serving sync.WaitGroup
}

// newCollector starts a collector that knows shoes and shops; it ends with the test.
func newCollector(t *testing.T, shops ...event.Shop) *collector {
	t.Helper()
	c := &collector{gateway: &gateway{}, table: newTable(append(shops, shoes)...)}
	m := newMeters()
	c.server = newServer(newRegistry(c.table, "registry", time.Now),
		newProducer(putrecords.Writer{Client: c.gateway, Stream: "gateway"}, time.Now, m), fromHeader, &tasks{client: &cluster{}}, m)
	c.registry.secret.Store(&visitorSecret)
	c.http = c.routes()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { c.producer.run(ctx); close(ended) }()
	t.Cleanup(func() { c.serving.Wait(); c.table.settle(); stop(); <-ended })
	return c
}

func (c *collector) serve(r *http.Request) *httptest.ResponseRecorder {
	c.serving.Add(1)
	defer c.serving.Done()
	w := httptest.NewRecorder()
	c.http.ServeHTTP(w, r)
	return w
}

// send posts a batch of events of shoes.
func (c *collector) send(events ...string) *httptest.ResponseRecorder {
	return c.serve(post(batch(shoes.Key, events...)))
}

func post(body string) *http.Request {
	r := httptest.NewRequest("POST", "/v1/events", strings.NewReader(body))
	r.Header.Set("Content-Type", "text/plain")
	return r
}

func batch(key string, events ...string) string {
	return fmt.Sprintf(`{"v":1,"shop":%q,"sent_at":"2026-03-01T12:00:00+01:00","batch_id":"8b0d9f3e-5f0e-4a39-9c54-0d1b8c1f6a11","seq":7,"events":[%s]}`,
		key, strings.Join(events, ","))
}

// deed is an event of a visitor; the collector looks at its ids alone.
func deed(visitor string, seq int) string {
	return fmt.Sprintf(`{"event_id":"%s/%d","visitor_id":%q,"seq":%d}`, visitor, seq, visitor, seq)
}

// ids returns the ids of stored events.
func ids(events []event.Received) (all []string) {
	for _, e := range events {
		var id struct {
			EventID string `json:"event_id"`
		}
		if err := json.Unmarshal(e.Event, &id); err != nil {
			panic(err)
		}
		all = append(all, id.EventID)
	}
	return all
}

// cloud answers for Kinesis and DynamoDB over HTTP.
type cloud struct {
	gateway *gateway
	table   *table
}

func (c cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var out any
	var err error
	switch action := r.Header.Get("X-Amz-Target"); action {
	case "secretsmanager.GetSecretValue":
		out = map[string]any{"SecretString": string(visitorSecret)}
	case "AmazonEC2ContainerServiceV20141113.DescribeClusters":
		out = map[string]any{"clusters": []any{map[string]any{"runningTasksCount": 1}}}
	case "DynamoDB_20120810.GetItem":
		shop := c.table.shops["pk_shoes"]
		out = map[string]any{"Item": map[string]any{
			"shop_key": map[string]string{"S": shop.Key}, "shop_id": map[string]string{"S": shop.ID},
			"events_per_second": map[string]string{"N": fmt.Sprint(shop.EventsPerSecond)}, "salt": map[string][]byte{"B": shop.Salt},
		}}
	case "Kinesis_20131202.PutRecords":
		in := &kinesis.PutRecordsInput{}
		if err = json.NewDecoder(r.Body).Decode(in); err == nil {
			out, err = c.gateway.PutRecords(r.Context(), in)
		}
	default:
		err = fmt.Errorf("unexpected %s", action)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": "ValidationException", "message": err.Error()}
	}
	if put, ok := out.(*kinesis.PutRecordsOutput); ok {
		results := []map[string]any{}
		for _, r := range put.Records {
			if r.ErrorCode != nil {
				results = append(results, map[string]any{"ErrorCode": r.ErrorCode})
			} else {
				results = append(results, map[string]any{"SequenceNumber": r.SequenceNumber})
			}
		}
		out = map[string]any{"Records": results}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// program is this test binary, started as the collector.
type program struct {
	*exec.Cmd
	address string
	logs    *bytes.Buffer
	ended   chan error
}

// programEnvironment leads a program to awsURL.
func programEnvironment(awsURL string) []string {
	return append(os.Environ(), "METRICS_LISTEN=127.0.0.1:0", "GATEWAY_STREAM=gateway", "REGISTRY_TABLE=registry",
		"CLUSTER=collector", "VISITOR_SECRET=visitor-secret",
		"AWS_ENDPOINT_URL="+awsURL, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

func startProgram(t *testing.T, c cloud) *program {
	t.Helper()
	aws := httptest.NewServer(c)
	t.Cleanup(aws.Close)
	p := &program{Cmd: exec.Command(os.Args[0]), logs: &bytes.Buffer{}, ended: make(chan error, 1)}
	p.Env = append(programEnvironment(aws.URL), "TEST_COLLECTOR=program", "LISTEN=127.0.0.1:0")
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	listens := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(p.logs, lines.Text())
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "collector listens" {
				listens <- line.Address
			}
		}
		p.ended <- p.Wait()
	}()
	select {
	case p.address = <-listens:
	case err := <-p.ended:
		t.Fatalf("the collector ended with %v: %s", err, p.logs)
	}
	return p
}

func (p *program) get(path string) int {
	response, err := http.Get("http://" + p.address + path)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// await polls until done; a test that waits in vain ends with its deadline.
func await(done func() bool) {
	for !done() {
		time.Sleep(5 * time.Millisecond)
	}
}

func TestProgram(t *testing.T) {
	t.Run("answers what is in flight after SIGTERM and loses nothing", func(t *testing.T) {
		hold, held, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var calls atomic.Int64 // since hold
		g := &gateway{answer: func(context.Context, *kinesis.PutRecordsInput) (map[int]bool, error) {
			select {
			case <-hold:
			default:
				return nil, nil
			}
			n := calls.Add(1)
			if n == 1 {
				close(held)
			}
			<-release
			return map[int]bool{0: n%2 == 1}, nil // some go through only when they are sent again
		}}
		p := startProgram(t, cloud{g, newTable(shoes)})
		await(func() bool { return p.get("/readyz") == http.StatusOK })
		const clients = 12
		var mu sync.Mutex
		var accepted []string
		var sending sync.WaitGroup
		late := make([]int, clients) // events answered after the signal
		signalled := make(chan struct{})
		for client := range clients {
			sending.Go(func() {
				web := &http.Client{Transport: &http.Transport{}}
				defer web.CloseIdleConnections()
				for n := 0; ; n += 2 {
					visitor := fmt.Sprintf("visitor-%d", client)
					response, err := web.Post("http://"+p.address+"/v1/events", "text/plain", strings.NewReader(batch(shoes.Key, deed(visitor, n), deed(visitor, n+1))))
					if err != nil {
						return // the collector has ended
					}
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
					if response.StatusCode != http.StatusAccepted {
						continue
					}
					select {
					case <-signalled:
						late[client]++
					default:
					}
					mu.Lock()
					accepted = append(accepted, fmt.Sprintf("%s/%d", visitor, n), fmt.Sprintf("%s/%d", visitor, n+1))
					mu.Unlock()
				}
			})
		}
		await(func() bool { return len(g.events()) > 200 })
		close(hold)
		<-held
		close(signalled)
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		await(func() bool { return p.get("/healthz") == 0 }) // the listener is closed
		select {
		case err := <-p.ended:
			t.Fatalf("the collector ended with %v while requests were in flight", err)
		default:
		}
		close(release)
		if err := <-p.ended; err != nil {
			t.Errorf("the collector ended with %v: %s", err, p.logs)
		}
		sending.Wait()

		if slices.Max(late) == 0 {
			t.Error("no request that was in flight at the signal was answered with 202")
		}
		stored := map[string]bool{}
		for _, id := range ids(g.events()) {
			stored[id] = true
		}
		for _, id := range accepted {
			if !stored[id] {
				t.Errorf("event %s was answered with 202 and is not on the stream", id)
			}
		}
		checkSequences(t, g)
	})

	t.Run("names all settings that are missing", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // it must not come so far as to serve
		defer cancel()
		err := run(ctx, func(string) string { return "" })
		for _, want := range []string{"LISTEN", "METRICS_LISTEN", "GATEWAY_STREAM", "REGISTRY_TABLE", "CLUSTER", "VISITOR_SECRET"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, which does not name %s", err, want)
			}
		}
	})

	t.Run("says how to choose another address when its own is taken", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		err = run(t.Context(), func(name string) string {
			if name == "FRONT" {
				return frontAPI
			}
			return taken.Addr().String()
		})
		if err == nil || !strings.Contains(err.Error(), "LISTEN") {
			t.Errorf("got %v, want it to name LISTEN", err)
		}
	})
}
