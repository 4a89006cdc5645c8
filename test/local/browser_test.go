package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/shopstream/shopstream/cmd/shopstream/shop"
	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/test/results"
)

// visits are what test/browser/scenarios.mjs knows to do, each in a shop of its
// own, with the settings of its tracker.
var visits = map[string]map[string]string{
	"walks the shop":                                nil,
	"closes the tab at once after a click":          granted,
	"crashes after a click":                         granted,
	"goes on while a batch is on its way":           granted,
	"is offline, then online":                       granted,
	"meets a collector that answers 503, then well": granted,
	"meets a firewall that answers 403, then well":  granted,
	"uses two tabs":                                 granted,
	"denies storage":                                granted,
	"decides late, and takes it back":               nil,
	"sends Global Privacy Control":                  granted,
	"declines, in a shop that counts without ids":   {"data-denied": "anonymous"},
	"has a strict Content-Security-Policy":          granted,
	"navigates within a page":                       granted,
	"makes 500 events in a second":                  granted,
	"has a clock two days ahead":                    granted,
	"has a clock two days behind":                   granted,
	"redefines fetch":                               granted,
	"makes an event while the page ends":            granted,
	"flushes twice as the page ends":                granted,
	"finds the collector away for long":             granted,
}

var granted = map[string]string{"data-consent": "granted"}

// visit is a shop that one scenario's shopper comes to.
type visit struct {
	ID   string `json:"-"`
	Shop string `json:"shop"` // URL
	Gate string `json:"gate"` // URL
	gate *gate
}

// visited is what a scenario prints.
type visited struct {
	Name     string
	Made     []string // events in the shopper's order: their type, and custom.n where they have it
	AnyOrder bool     `json:"any_order"`
	Error    string
	Seconds  float64
}

// browse sends shoppers with real browsers to the demo's shop, and looks for
// what they did in what is stored.
func browse(t *testing.T, d deployment) {
	browser := chromium(t)
	all := map[string]visit{}
	began := time.Now()
	for i, name := range slices.Sorted(maps.Keys(visits)) {
		all[name] = d.openShop(t, fmt.Sprintf("browser-%d-%02d", began.Unix(), i), visits[name])
	}
	outcomes := visitAll(t, d.root, browser, all)
	t.Logf("%d scenarios in %.1f s", len(outcomes), time.Since(began).Seconds())

	stored := d.awaitStored(t, all, outcomes)
	for _, name := range slices.Sorted(maps.Keys(visits)) {
		t.Run(name, func(t *testing.T) {
			v, ok := outcomes[name]
			if !ok {
				t.Fatal("the scenario has no outcome")
			}
			at := all[name]
			got, copies := once(stored[at.ID])
			want := slices.Clone(v.Made)
			t.Logf("%d events made, %d stored once, %d copies, %d requests, %.1f s", len(want), len(got), copies, at.gate.requests, v.Seconds)
			if v.Error != "" {
				t.Error(v.Error)
			}
			if v.AnyOrder {
				slices.Sort(want)
				slices.Sort(got)
			}
			if !slices.Equal(got, want) {
				n := 0
				for n < len(got) && n < len(want) && got[n] == want[n] {
					n++
				}
				t.Errorf("from event %d on, got %q, want %q", n, got[n:min(n+30, len(got))], want[n:min(n+30, len(want))])
			}
			at.gate.check(t)
			for _, s := range stored[at.ID] {
				if s.ReceivedAt.Sub(s.EventTime).Abs() > time.Hour || s.EventDate != s.ReceivedAt.Format(time.DateOnly) {
					t.Errorf("got a %s of %s, under %s, that was received at %s", s.Type, s.EventTime, s.EventDate, s.ReceivedAt)
				}
			}
			if name == "declines, in a shop that counts without ids" {
				for _, s := range stored[at.ID] {
					if s.VisitorID != "" || s.SessionID != "" {
						t.Errorf("got a %s with ids", s.Type)
					}
				}
			}
		})
	}
}

// maxStart is far above the 5 ms that the tracker may take of the main thread
// at its start: a machine that tests does other things besides.
const maxStart = 20 // ms

func TestTheTrackerStartsWithoutHoldingUpThePage(t *testing.T) {
	if ms := startOfTracker(t, 1); ms > maxStart {
		t.Errorf("got %.1f ms of the main thread, want at most %d", ms, maxStart)
	}
}

// BenchmarkTrackerStart measures what the tracker's start takes of the main
// thread, by the browser's own trace.
func BenchmarkTrackerStart(b *testing.B) {
	results.Write(b,
		results.Result{Name: "start", Value: startOfTracker(b, 1), Unit: "ms", Input: "desktop"},
		results.Result{Name: "start", Value: startOfTracker(b, 4), Unit: "ms", Input: "4-times-slower"})
}

// startOfTracker is the median of several loads of a product's page.
func startOfTracker(t testing.TB, slowdown int) float64 {
	t.Helper()
	root, err := asset.Root()
	if err != nil {
		t.Fatal(err)
	}
	browser := chromium(t)
	collector := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(collector.Close)
	handler, err := shop.New(shop.Options{Collector: collector.URL, Key: "pk_start", Settings: granted})
	if err != nil {
		lacking(t, "%v", err)
	}
	served := httptest.NewServer(handler)
	t.Cleanup(served.Close)
	var loads []float64
	if err := json.Unmarshal(runBrowser(t, root, browser, "start.mjs", nil, served.URL+"/product/SU-1042", strconv.Itoa(slowdown)), &loads); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f ms", loads)
	slices.Sort(loads)
	return loads[len(loads)/2]
}

// chromium is the path of a browser.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	lacking(t, "chromium is not installed; on Debian: apt-get install chromium; or set CHROMIUM to a browser's path")
	return ""
}

// openShop opens a shop in front of a gate, and registers it.
func (d deployment) openShop(t *testing.T, id string, settings map[string]string) visit {
	t.Helper()
	g := newGate(t, d.Collector)
	before := httptest.NewServer(g)
	t.Cleanup(before.Close)
	key := keyOf(id)
	handler, err := shop.New(shop.Options{Collector: before.URL, Key: key, Settings: settings})
	if err != nil {
		lacking(t, "%v", err)
	}
	served := httptest.NewServer(handler)
	t.Cleanup(served.Close)
	item, err := attributevalue.MarshalMap(event.Shop{Key: key, ID: id, EventsPerSecond: 100_000, Salt: event.NewSalt(), Origins: []string{served.URL}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dynamodb.NewFromConfig(d.config()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &d.Outputs.RegistryTable, Item: item}); err != nil {
		t.Fatal(err)
	}
	return visit{ID: id, Shop: served.URL, Gate: before.URL, gate: g}
}

// visitAll runs the scenarios in one browser.
func visitAll(t *testing.T, root, browser string, all map[string]visit) map[string]visited {
	t.Helper()
	in, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	out := runBrowser(t, root, browser, "scenarios.mjs", in)
	outcomes := map[string]visited{}
	for line := range bytes.Lines(out) {
		var v visited
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("decode %s: %v", line, err)
		}
		outcomes[v.Name] = v
	}
	return outcomes
}

// runBrowser runs a program of test/browser and returns what it prints.
func runBrowser(t testing.TB, root, browser, program string, in []byte, args ...string) []byte {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "constructs/ingest/tracker/node_modules/playwright-core")); err != nil {
		lacking(t, "playwright-core is not installed; run make build")
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(root, "test", "browser", program)}, args...)...)
	cmd.Dir, cmd.Stdin = root, bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "CHROMIUM="+browser)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, problems.String())
	}
	return out
}

// awaitStored waits until as many distinct events of each shop are stored as
// were made, and then for what must not come.
func (d deployment) awaitStored(t *testing.T, all map[string]visit, outcomes map[string]visited) (stored map[string][]event.Stored) {
	t.Helper()
	complete := func() bool {
		stored = d.stored(t)
		for name, v := range outcomes {
			if got, _ := once(stored[all[name].ID]); len(got) < len(v.Made) {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(30 * time.Second); !complete() && time.Now().Before(deadline); {
		time.Sleep(time.Second)
	}
	time.Sleep(2 * time.Second) // longer than the way to S3 takes here
	return d.stored(t)
}

// stored are the events in the raw zone by shop, copies included.
func (d deployment) stored(t *testing.T) map[string][]event.Stored {
	t.Helper()
	stored := map[string][]event.Stored{}
	for _, line := range d.lines(t, d.Outputs.RawBucket) {
		p, err := event.UnmarshalPack(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Events {
			stored[s.ShopID] = append(stored[s.ShopID], s)
		}
	}
	return stored
}

// once are events, each once, in their sessions' order; and how many copies
// there were.
func once(stored []event.Stored) (names []string, copies int) {
	first := map[string]event.Stored{}
	for _, s := range stored {
		if _, ok := first[s.EventID]; ok {
			copies++
			continue
		}
		first[s.EventID] = s
	}
	events := slices.SortedFunc(maps.Values(first), func(a, b event.Stored) int {
		if a.SessionID != b.SessionID {
			return strings.Compare(a.SessionID, b.SessionID)
		}
		return int(a.Seq - b.Seq)
	})
	for _, s := range events {
		name := string(s.Type)
		if n, ok := s.Custom["n"]; ok {
			name += fmt.Sprintf(":%v", n)
		}
		names = append(names, name)
	}
	return names, copies
}

// gate stands between browsers and the collector, and answers in its place as
// outages and firewalls do.
type gate struct {
	next http.Handler

	mu       sync.Mutex
	mode     string
	requests int                        // batches that came
	batches  map[string]map[string]bool // batches by the event that came in them
}

func newGate(t *testing.T, collector string) *gate {
	t.Helper()
	to, err := url.Parse(collector)
	if err != nil {
		t.Fatal(err)
	}
	return &gate{next: httputil.NewSingleHostReverseProxy(to), mode: "well", batches: map[string]map[string]bool{}}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/gate" {
		g.control(w, r)
		return
	}
	if r.URL.Path != "/v1/events" {
		g.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the browser has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	mode, n := g.note(body)
	switch mode {
	case "503":
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Expose-Headers", "Date, Retry-After")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error":{"code":"unavailable","message":"events are not taken at the moment"}}`)
	case "403":
		if n%2 == 0 { // a firewall may forget CORS
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<html><body>Forbidden</body></html>`)
	case "slow":
		time.Sleep(time.Second)
		g.next.ServeHTTP(w, r)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// control takes what is to be answered from now on, and tells what came.
func (g *gate) control(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if mode := r.URL.Query().Get("mode"); mode != "" {
		g.mode = mode
	}
	_ = json.NewEncoder(w).Encode(map[string]int{"requests": g.requests, "events": len(g.batches)}) // the client has gone: nobody to tell
}

func (g *gate) note(body []byte) (mode string, n int) {
	var batch struct {
		ID     string `json:"batch_id"`
		Events []struct {
			ID string `json:"event_id"`
		}
	}
	_ = json.Unmarshal(body, &batch) // the collector tells what is malformed
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	for _, e := range batch.Events {
		if g.batches[e.ID] == nil {
			g.batches[e.ID] = map[string]bool{}
		}
		g.batches[e.ID][batch.ID] = true
	}
	return g.mode, g.requests
}

// check says which events came in more than one batch: what is sent again is
// sent as the same one.
func (g *gate) check(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, batches := range g.batches {
		if len(batches) > 1 {
			t.Errorf("event %s came in %d batches, want it in one", id, len(batches))
		}
	}
}
