// Package preprocessbench compares what preprocess does with an event, that is
// to decode, validate, scrub and enrich it, with the libraries that a team
// would put together for it.
package preprocessbench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/ua-parser/uap-go/uaparser"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/sift"
	"github.com/shopstream/shopstream/internal/traffic"
	"github.com/shopstream/shopstream/test/results"
)

var data = filepath.Join("..", "..", "..", "shared", "data")

// sample are frames of a real shop's events, each with a real user agent.
func sample(t testing.TB) (frames []event.Frame) {
	t.Helper()
	log, err := os.Open(filepath.Join(data, "rees46", "2019-Oct.csv"))
	if err != nil {
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	defer log.Close()
	source, _, err := traffic.Log(log)
	if err != nil {
		t.Fatal(err)
	}
	agents, n := userAgents(t), 0
	for batch := range source.Batches {
		f := event.Frame{ID: uuid.NewSHA1(uuid.Nil, []byte(batch.BatchID)), CreatedAt: batch.SentAt}
		for _, raw := range batch.Events {
			f.Events = append(f.Events, event.Received{
				ShopID: source.Shops[0].ID, BatchID: batch.BatchID, SentAt: batch.SentAt, ReceivedAt: batch.SentAt,
				Trust: event.TrustBrowser, IP: "198.51.100.0", UserAgent: agents[n*7919%len(agents)], Event: raw,
			})
			n++
		}
		frames = append(frames, f)
	}
	return frames
}

// userAgents are as frequent as in real traffic.
func userAgents(t testing.TB) (agents []string) {
	t.Helper()
	file, err := os.Open(filepath.Join(data, "user-agents", "intoli-weighted.tsv"))
	if err != nil {
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		agents = append(agents, lines.Text()[strings.LastIndexByte(lines.Text(), '\t')+1:])
	}
	return agents
}

// stack is what a team would put together.
type stack struct {
	schema   *jsonschema.Schema
	personal []*regexp.Regexp
	agents   *uaparser.Parser
}

func newStack() (stack, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(filepath.Join("..", "..", "constructs", "event", "schema", "event.schema.json"))
	if err != nil {
		return stack{}, err
	}
	agents, err := uaparser.New()
	return stack{schema, []*regexp.Regexp{
		regexp.MustCompile(`[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}`),             // e-mail
		regexp.MustCompile(`\b[A-Z]{2}\d{2}[ ]?(?:[A-Z0-9]{4}[ ]?){2,7}[A-Z0-9]{1,4}\b`), // IBAN
		regexp.MustCompile(`\b(?:\d[ -]?){13,19}\b`),                                     // payment card
		regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b`),                                // IPv4
		regexp.MustCompile(`\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b`),               // IPv6
		regexp.MustCompile(`(?:\+\d{1,3}[ -]?)?\(?\d{2,4}\)?[ -]?\d{3,4}[ -]?\d{3,4}\b`), // telephone
	}, agents}, err
}

// clean scrubs all texts in value but those that the contract makes ids, times
// and words of a list.
func (s stack) clean(name string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = s.clean(name, v[name])
		}
	case []any:
		for i := range v {
			v[i] = s.clean(name, v[i])
		}
	case string:
		if strings.HasSuffix(name, "_id") || slices.Contains([]string{"type", "client_ts", "currency", "state"}, name) {
			return v
		}
		for _, re := range s.personal {
			v = re.ReplaceAllString(v, "[removed]")
		}
		return v
	}
	return value
}

// stored is what the stack makes of an event.
type stored struct {
	event     any
	agent     *uaparser.Client
	eventTime time.Time
	date      string
	campaign  url.Values
}

func (s stack) process(r event.Received) (stored, error) {
	var e any
	if err := json.Unmarshal(r.Event, &e); err != nil {
		return stored{}, err
	}
	if err := s.schema.Validate(e); err != nil {
		return stored{}, err
	}
	fields := e.(map[string]any)
	at, err := time.Parse(time.RFC3339, fields["client_ts"].(string))
	if err != nil {
		return stored{}, err
	}
	at = r.ReceivedAt.Add(at.Sub(r.SentAt))
	out := stored{event: s.clean("", e), agent: s.agents.Parse(r.UserAgent), eventTime: at, date: at.Format("2006-01-02")}
	if page, ok := fields["page"].(map[string]any); ok {
		if at, err := url.Parse(fmt.Sprint(page["url"])); err == nil {
			out.campaign = at.Query()
		}
	}
	return out, nil
}

// cpu is what the process has used.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cost is that of an event.
type cost struct {
	cpu           time.Duration
	allocs, bytes float64
}

// measure returns what process costs an event; it returns how many it stored.
func measure(t testing.TB, events int, process func() int) (c cost, stored int) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu(t)
	stored = process()
	used := cpu(t) - start
	runtime.ReadMemStats(&after)
	n := float64(events)
	return cost{used / time.Duration(events), float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n}, stored
}

// BenchmarkPreprocess takes CPU time, not time, and the median of rounds in
// which both take turns: other programs on the machine count little.
func BenchmarkPreprocess(b *testing.B) {
	frames := sample(b)
	s, err := newStack()
	if err != nil {
		b.Fatal(err)
	}
	events := 0
	for _, f := range frames {
		events += len(f.Events)
	}
	sifter := sift.New("")
	programs := []struct {
		name    string
		process func() int
		costs   []cost
	}{
		{name: "preprocess", process: func() (n int) {
			batch := sifter.Batch()
			for i := range frames {
				n += len(batch.Sift(&frames[i]).Stored)
			}
			return n
		}},
		{name: "stack", process: func() (n int) {
			for _, f := range frames {
				for _, r := range f.Events {
					if _, err := s.process(r); err == nil {
						n++
					} else if invalid := (*jsonschema.ValidationError)(nil); !errors.As(err, &invalid) {
						b.Fatal(err)
					}
				}
			}
			return n
		}},
	}
	for b.Loop() {
		for range 7 {
			for i := range programs {
				c, stored := measure(b, events, programs[i].process)
				if stored < events*99/100 {
					b.Fatalf("%s stored %d of %d events", programs[i].name, stored, events)
				}
				programs[i].costs = append(programs[i].costs, c)
			}
		}
	}
	var all []results.Result
	var medians []float64
	for _, p := range programs {
		slices.SortFunc(p.costs, func(a, b cost) int { return int(a.cpu - b.cpu) })
		c := p.costs[len(p.costs)/2]
		medians = append(medians, float64(c.cpu.Nanoseconds()))
		all = append(all,
			results.Result{Name: "cpu-per-event", Value: float64(c.cpu.Nanoseconds()) / 1000, Unit: "µs", Input: p.name},
			results.Result{Name: "allocs-per-event", Value: c.allocs, Unit: "allocs", Input: p.name},
			results.Result{Name: "bytes-per-event", Value: c.bytes, Unit: "B", Input: p.name})
	}
	results.Write(b, append(all, results.Result{Name: "less-cpu", Value: medians[1] / medians[0], Unit: "times", Input: "preprocess"})...)
}
