package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/putrecords"
	"github.com/shopstream/shopstream/test/results"
)

const (
	benchEvents  = 20 // of a batch
	benchBatches = 500
	benchSeconds = 5
	benchRounds  = 3

	// Times nginx's CPU per request: what is wanted, and what was reached and a
	// fifth, above which something became worse.
	goalWithoutKinesis, maxWithoutKinesis = 7, 18
	goalWithKinesis, maxWithKinesis       = 14, 23

	maxBilledRatio  = 0.2
	maxAddedLatency = 100 * time.Millisecond
)

// BenchmarkCollector compares the collector's CPU per request with nginx's,
// which reads the same bodies and answers 204, and tells what of it net/http
// takes alone. They take turns, so that whatever else the machine does slows
// all. It needs wrk, and nginx with its module echo.
func BenchmarkCollector(b *testing.B) {
	needPrograms(b)
	script := writeScript(b, benchBodies())
	stub := httptest.NewServer(&kinesisStub{})
	defer stub.Close()
	servers := []*measured{startNginx(b), startBench(b, "bare", ""), startBench(b, "memory", ""), startBench(b, "program", stub.URL)}
	cost := map[string][]float64{} // microseconds of CPU a request
	for round := range benchRounds + 1 {
		for _, s := range servers {
			micros := s.measure(b, script)
			if round > 0 { // the first one warms up
				cost[s.name] = append(cost[s.name], micros)
			}
		}
	}
	median := func(name string) float64 { return slices.Sorted(slices.Values(cost[name]))[benchRounds/2] }
	nginx, memory, program := median("nginx"), median("memory"), median("program")
	for _, of := range []struct {
		ratio, goal, most float64
		what              string
	}{{memory / nginx, goalWithoutKinesis, maxWithoutKinesis, "without Kinesis"}, {program / nginx, goalWithKinesis, maxWithKinesis, "with PutRecords"}} {
		b.Logf("%s a request takes %.1f times nginx's CPU; the goal is %g", of.what, of.ratio, of.goal)
		if of.ratio > of.most {
			b.Errorf("%s a request takes %.1f times nginx's CPU, want at most %g", of.what, of.ratio, of.most)
		}
	}
	results.Write(b,
		results.Result{Name: "cpu-per-request", Value: nginx, Unit: "us", Input: "nginx"},
		results.Result{Name: "cpu-per-request", Value: median("bare"), Unit: "us", Input: "net-http-alone"},
		results.Result{Name: "cpu-per-request", Value: memory, Unit: "us", Input: "without-kinesis"},
		results.Result{Name: "cpu-per-request", Value: program, Unit: "us", Input: "with-putrecords"},
		results.Result{Name: "to-nginx", Value: memory / nginx, Unit: fmt.Sprintf("of-a-goal-of-%d", goalWithoutKinesis), Input: "without-kinesis"},
		results.Result{Name: "to-nginx", Value: program / nginx, Unit: fmt.Sprintf("of-a-goal-of-%d", goalWithKinesis), Input: "with-putrecords"},
	)
}

// BenchmarkCollectorBill sends 2,000 events a second for some seconds, as many
// visitors as batches, and adds up what Kinesis bills. A provisioned stream,
// which is the default, is billed by shards, and a shard counts the bytes of data
// and partition keys. What it is billed besides, PUT units of 25 KB, and what a
// stream on demand would be, each record rounded up to 1 KB, are told too.
func BenchmarkCollectorBill(b *testing.B) {
	kinesisOf := &kinesisStub{}
	stub := httptest.NewServer(kinesisOf)
	defer stub.Close()
	s := startBench(b, "program", stub.URL)
	bodies := benchBodies()
	const perSecond, seconds = 2000 / benchEvents, 10
	took := make([]time.Duration, perSecond*seconds)
	raw := 0
	var sending sync.WaitGroup
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for i := range took {
		body := bodies[i%len(bodies)]
		raw += len(body)
		<-tick.C
		sending.Go(func() {
			begin := time.Now()
			response, err := web.Post(s.url, "text/plain", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if took[i] = time.Since(begin); response.StatusCode != http.StatusAccepted {
				b.Errorf("got %d", response.StatusCode)
			}
		})
	}
	sending.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	b.Logf("%d bytes a batch", raw/len(took))
	ratio := float64(kinesisOf.bytes.Load()) / float64(raw)
	if ratio > maxBilledRatio || p99 > maxAddedLatency {
		b.Errorf("got %.3f billed bytes a raw byte and a p99 of %s, want at most %g and %s", ratio, p99, maxBilledRatio, maxAddedLatency)
	}
	results.Write(b,
		results.Result{Name: "billed-per-raw-byte", Value: ratio, Unit: fmt.Sprintf("of-at-most-%g", maxBilledRatio), Input: "2000-events-a-second"},
		results.Result{Name: "billed-per-raw-byte-on-demand", Value: float64(kinesisOf.onDemand.Load()) / float64(raw), Unit: "bytes", Input: "2000-events-a-second"},
		results.Result{Name: "put-units-per-million-events", Value: float64(kinesisOf.units.Load()) / float64(len(took)*benchEvents) * 1e6, Unit: "units", Input: "2000-events-a-second"},
		results.Result{Name: "p99-added-latency", Value: float64(p99.Microseconds()) / 1000, Unit: "ms", Input: "2000-events-a-second"},
	)
}

func needPrograms(b *testing.B) {
	b.Helper()
	for _, program := range []string{"wrk", "nginx"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Fatalf("%v; on Debian: apt-get install wrk nginx-light libnginx-mod-http-echo", err)
		}
	}
}

// busiest is shoes without a rate.
func busiest() event.Shop {
	s := shoes
	s.EventsPerSecond = 1 << 30
	return s
}

// benchBodies are batches of about 12 KB, each of another visitor.
func benchBodies() []string {
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	hex := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", random.Uint32(), random.IntN(1<<16), random.IntN(1<<12), random.IntN(1<<12), random.Uint64N(1<<48))
	}
	words := strings.Fields("trail running shoe waterproof jacket leather boot oak chair desk lamp merino shirt gravel bike noise cancelling headphones wool blanket")
	title := func() string {
		var t []string
		for range 3 + random.IntN(3) {
			t = append(t, words[random.IntN(len(words))])
		}
		return strings.Join(t, " ")
	}
	bodies := make([]string, benchBatches)
	for i := range bodies {
		visitor, session := hex(), hex()
		var events []string
		at, referrer := begin.Add(time.Duration(random.IntN(1e6))*time.Millisecond), "https://www.google.com/"
		for seq := range benchEvents {
			at = at.Add(time.Duration(500+random.IntN(30_000)) * time.Millisecond)
			var seed [32]byte
			for n := range seed {
				seed[n] = byte(random.Uint32())
			}
			product, name := random.IntN(20_000), title()
			url := fmt.Sprintf("https://www.shoes.example/en/products/%s-%d?ref=list&position=%d", strings.ReplaceAll(name, " ", "-"), product, random.IntN(60))
			e := event.Event{
				EventID: event.NewID(at, seed), Type: event.ProductView, VisitorID: visitor, SessionID: session, Seq: int64(seq), ClientTS: at,
				Page: &event.Page{URL: url, Title: name + " | Shoes Example", Referrer: referrer},
				Items: []event.Item{{
					ID: fmt.Sprintf("sku-%06d", product), Name: name, Brand: words[random.IntN(len(words))], Category: "shoes.running", Price: float64(random.IntN(30_000)+99) / 100, Currency: "EUR",
				}},
			}
			b, err := json.Marshal(e)
			if err != nil {
				panic(err)
			}
			events, referrer = append(events, string(b)), url
		}
		bodies[i] = batch(shoes.Key, events...)
	}
	return bodies
}

// writeScript has wrk send the bodies in turns.
func writeScript(b *testing.B, bodies []string) string {
	script := bytes.NewBufferString("local r, i = {}, 0\nlocal headers = {['Content-Type']='text/plain', ['User-Agent']='Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0', ['X-Forwarded-For']='198.51.100.7'}\ninit = function()\n")
	for _, body := range bodies {
		fmt.Fprintf(script, "r[#r+1] = wrk.format('POST', '/v1/events', headers, [==[%s]==])\n", body)
	}
	script.WriteString("end\nrequest = function() i = i % #r + 1; return r[i] end\n")
	path := filepath.Join(b.TempDir(), "bodies.lua")
	if err := os.WriteFile(path, script.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// measured is a process that is measured.
type measured struct {
	name, url string
	pids      func() []int
}

var requests = regexp.MustCompile(`(\d+) requests in `)

// measure returns the CPU time of a request, in microseconds.
func (s *measured) measure(b *testing.B, script string) float64 {
	b.Helper()
	before := cpuTime(b, s.pids())
	out, err := exec.Command("wrk", "-c64", "-t1", fmt.Sprintf("-d%ds", benchSeconds), "-s", script, s.url).CombinedOutput()
	used := cpuTime(b, s.pids()) - before
	match := requests.FindSubmatch(out)
	if err != nil || match == nil || bytes.Contains(out, []byte("Non-2xx")) {
		b.Fatalf("%s: wrk: %v\n%s", s.name, err, out)
	}
	n, _ := strconv.Atoi(string(match[1]))
	b.Logf("%s: %d requests, %.1f us of CPU each", s.name, n, float64(used.Microseconds())/float64(n))
	return float64(used.Microseconds()) / float64(n)
}

// cpuTime is that of processes, in user and kernel mode.
func cpuTime(b *testing.B, pids []int) (total time.Duration) {
	b.Helper()
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(threads) == 0 {
			b.Skip("CPU time of other processes is told by Linux alone")
		}
		for _, thread := range threads {
			var nanoseconds int64
			if stat, err := os.ReadFile(thread); err == nil { // it may have ended
				_, _ = fmt.Sscan(string(stat), &nanoseconds)
			}
			total += time.Duration(nanoseconds)
		}
	}
	return total
}

func startNginx(b *testing.B) *measured {
	b.Helper()
	dir, address := b.TempDir(), freeAddress(b)
	config := fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
worker_processes 1; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
	access_log off; keepalive_requests 100000000; client_body_buffer_size 64k; client_body_temp_path %[1]s/body;
	server { listen %[2]s; location / { echo_read_request_body; echo_status 204; } }
}`, dir, address)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("nginx", "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", path)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	awaitAddress(b, address)
	return &measured{"nginx", "http://" + address + "/v1/events", func() []int {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		pids := []int{cmd.Process.Pid}
		for child := range strings.FieldsSeq(string(children)) {
			pid, _ := strconv.Atoi(child)
			pids = append(pids, pid)
		}
		return pids
	}}
}

// startBench starts this test binary as a collector: "program" is the whole
// one, which writes to awsURL; "memory" forgets its frames; "bare" reads bodies.
func startBench(b *testing.B, name, awsURL string) *measured {
	b.Helper()
	address := freeAddress(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(programEnvironment(awsURL), "TEST_COLLECTOR="+name, "LISTEN="+address, "GOGC=400")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	awaitAddress(b, address)
	await(func() bool {
		response, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
	return &measured{name, "http://" + address + "/v1/events", func() []int { return []int{cmd.Process.Pid} }}
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func awaitAddress(b *testing.B, address string) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	b.Fatalf("nothing listens on %s", address)
}

// forgetful takes all records and keeps none.
type forgetful struct{}

func (forgetful) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	return &kinesis.PutRecordsOutput{Records: slices.Repeat([]types.PutRecordsResultEntry{{SequenceNumber: aws.String("1")}}, len(in.Records))}, nil
}

// runInMemory is the collector without Kinesis.
func runInMemory() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	m := newMeters()
	s := newServer(newRegistry(newTable(busiest()), "registry", time.Now),
		newProducer(putrecords.Writer{Client: forgetful{}, Stream: "gateway"}, time.Now, m), nobody, &tasks{client: &cluster{}}, m)
	s.becomeReady(ctx, newVault(string(visitorSecret)), "visitor-secret")
	listener, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err := errors.Join(err, s.serve(ctx, listener)); err != nil {
		panic(err)
	}
}

// runBare is net/http that does what nginx does.
func runBare() {
	err := http.ListenAndServe(os.Getenv("LISTEN"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	panic(err)
}

// kinesisStub takes all records and counts what they cost.
type kinesisStub struct{ bytes, onDemand, units atomic.Int64 }

func (k *kinesisStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") != "Kinesis_20131202.PutRecords" {
		cloud{&gateway{}, newTable(busiest())}.ServeHTTP(w, r)
		return
	}
	var in struct {
		Records []struct {
			Data         []byte
			PartitionKey string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	results := make([]string, len(in.Records))
	for i, record := range in.Records {
		size := int64(len(record.Data) + len(record.PartitionKey))
		k.bytes.Add(size)
		k.onDemand.Add((size + 1023) / 1024 * 1024)
		k.units.Add((size + 25<<10 - 1) / (25 << 10))
		results[i] = `{"SequenceNumber":"1","ShardId":"shardId-000000000000"}`
	}
	fmt.Fprintf(w, `{"FailedRecordCount":0,"Records":[%s]}`, strings.Join(results, ","))
}
