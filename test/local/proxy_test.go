package local

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between one of our programs and the emulator, and breaks the
// calls that its fault wants broken.
type proxy struct {
	*httptest.Server
	behind *url.URL

	mu     sync.Mutex
	fault  func(*call)
	calls  map[string]int // since the fault began, by operation
	broken atomic.Int64   // since the fault began
}

// call is one that a program makes through a proxy.
type call struct {
	*proxy
	w         http.ResponseWriter
	r         *http.Request
	body      []byte
	operation string // such as PutRecords
	n         int    // of this operation since the fault began, from 0
}

func newProxy(t *testing.T, behind string) *proxy {
	t.Helper()
	at, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{behind: at}
	p.heal()
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// breaks has fault answer all calls from now on. It may be nil.
func (p *proxy) breaks(fault func(*call)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.calls = fault, map[string]int{}
	p.broken.Store(0)
}

func (p *proxy) heal() { p.breaks(nil) }

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the program has gone
	}
	_, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		operation = r.Method // of S3
	}
	p.mu.Lock()
	fault, n := p.fault, p.calls[operation]
	p.calls[operation]++
	p.mu.Unlock()
	c := &call{proxy: p, w: w, r: r, body: body, operation: operation, n: n}
	if fault == nil {
		c.pass()
		return
	}
	fault(c)
}

// forward makes the call with body, whether or not the program still waits.
func (c *call) forward(body []byte) (status int, header http.Header, answer []byte) {
	request := &http.Request{
		Method: c.r.Method, Header: c.r.Header.Clone(), ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Host: c.behind.Host,
		URL: &url.URL{Scheme: c.behind.Scheme, Host: c.behind.Host, Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: c.r.URL.RawQuery},
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return http.StatusBadGateway, nil, nil
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return http.StatusBadGateway, nil, nil
	}
	return response.StatusCode, response.Header, answer
}

func (c *call) pass() { c.answer(c.forward(c.body)) }

func (c *call) answer(status int, header http.Header, body []byte) {
	for name, values := range header {
		if name != "Content-Length" && name != "Transfer-Encoding" && name != "Connection" {
			c.w.Header()[name] = values
		}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the program has gone: nobody to tell
}

// fail answers 500.
func (c *call) fail() {
	c.broken.Add(1)
	c.answer(http.StatusInternalServerError, http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, []byte(`{"__type":"InternalFailure","message":"broken"}`))
}

// hang answers nothing until the program gives up, or a minute is over.
func (c *call) hang() {
	c.broken.Add(1)
	select {
	case <-c.r.Context().Done():
	case <-time.After(time.Minute):
	}
	panic(http.ErrAbortHandler)
}

// reset ends the connection as a host that has gone does.
func (c *call) reset() {
	c.broken.Add(1)
	connection, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	connection.Close()
}

// ambiguous breaks every other call of an operation, up to limit: one before it
// is made, the next one after it has worked.
func ambiguous(operation string, limit int, breaks func(*call)) func(*call) {
	return func(c *call) {
		switch {
		case c.operation != operation || int(c.broken.Load()) >= limit:
			c.pass()
		case c.n%4 == 0:
			breaks(c)
		case c.n%4 == 2:
			c.forward(c.body)
			breaks(c)
		default:
			c.pass()
		}
	}
}

// throttled refuses a quarter of the records of each call, and every fourth
// call that has only one.
func throttled(c *call) {
	var in map[string]json.RawMessage
	var records []json.RawMessage
	if c.operation != "PutRecords" || json.Unmarshal(c.body, &in) != nil || json.Unmarshal(in["Records"], &records) != nil {
		c.pass()
		return
	}
	refused := func(i int) bool { return (i+c.n)%4 == 0 }
	var taken []json.RawMessage
	for i, record := range records {
		if !refused(i) {
			taken = append(taken, record)
		}
	}
	type result struct {
		SequenceNumber, ShardId, ErrorCode, ErrorMessage string `json:",omitempty"`
	}
	var out struct {
		FailedRecordCount int
		Records           []result
	}
	if len(taken) > 0 {
		in["Records"], _ = json.Marshal(taken)
		body, _ := json.Marshal(in)
		status, header, answer := c.forward(body)
		if status != http.StatusOK || json.Unmarshal(answer, &out) != nil || len(out.Records) != len(taken) {
			c.answer(status, header, answer)
			return
		}
	}
	results := make([]result, len(records))
	for i := range records {
		if refused(i) {
			results[i] = result{ErrorCode: "ProvisionedThroughputExceededException", ErrorMessage: "Rate exceeded for shard"}
			out.FailedRecordCount++
			c.broken.Add(1)
			continue
		}
		results[i], out.Records = out.Records[0], out.Records[1:]
	}
	out.Records = results
	body, _ := json.Marshal(out)
	c.answer(http.StatusOK, http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, body)
}

// slow makes calls take as long as a busy stream does.
func slow(c *call) {
	time.Sleep(100 * time.Millisecond)
	c.pass()
}

// away is a service that is not there: it resets every other connection and
// never answers the others.
func away(c *call) {
	if c.n%2 == 0 {
		c.reset()
		return
	}
	c.hang()
}
