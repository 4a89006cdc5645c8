package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

// TestWhatIsNoJSONIsRefused sends JSONTestSuite as batches, and in the place of
// an event's field.
func TestWhatIsNoJSONIsRefused(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "jsontestsuite", "test_parsing")
	files, err := os.ReadDir(dir)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have the shared data: %v", err)
		}
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t)
		counts := map[byte]int{}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(dir, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			kind := file.Name()[0] // n: must be refused, y: is JSON, i: may be either
			counts[kind]++
			whole := c.serve(post(string(text)))
			field := c.serve(post(batch(shoes.Key, `{"event_id":"x","custom":`+string(text)+`}`)))
			if whole.Code != http.StatusBadRequest {
				t.Errorf("%s: got %d for a batch, want 400", file.Name(), whole.Code)
			}
			if want := map[byte]int{'n': http.StatusBadRequest, 'y': http.StatusAccepted}[kind]; want != 0 && field.Code != want || field.Code >= 500 {
				t.Errorf("%s: got %d %s in an event, want %d", file.Name(), field.Code, field.Body, want)
			}
		}
		if counts['n'] != 188 || counts['y'] != 95 {
			t.Errorf("read %d n_ and %d y_ files, want 188 and 95", counts['n'], counts['y'])
		}
	})
}

func TestHostileBodiesAreCheap(t *testing.T) {
	bomb := zip(strings.Repeat(" ", 100<<20))
	for name, tt := range map[string]struct {
		body   []byte
		status int
	}{
		"a megabyte of brackets":            {bytes.Repeat([]byte("["), event.MaxBatchBytes), http.StatusBadRequest},
		"a megabyte of brackets, for event": {[]byte(batch(shoes.Key, strings.Repeat("[", event.MaxBatchBytes/2))), http.StatusBadRequest},
		"a megabyte of objects in a field":  {[]byte(batch(shoes.Key, `{"a":`+strings.Repeat(`{"a":`, 100_000))), http.StatusBadRequest},
		"a megabyte of backslashes":         {[]byte(batch(shoes.Key, `{"a":"`+strings.Repeat(`\`, event.MaxBatchBytes/2)+`"}`)), http.StatusRequestEntityTooLarge},
		"a gzip bomb":                       {bomb, http.StatusRequestEntityTooLarge},
		"gzip bombs in a row":               {bytes.Repeat(bomb, 9), http.StatusRequestEntityTooLarge},
		"gzip of gzip":                      {zip(string(zip(strings.Repeat(" ", 1000)))), http.StatusBadRequest},
		"gzip that was cut":                 {bomb[:len(bomb)/2], http.StatusRequestEntityTooLarge},
		"gzip that was cut early":           {zip(batch(shoes.Key, deed("ann", 0)))[:40], http.StatusBadRequest},
		"the beginning of gzip":             {[]byte{0x1f, 0x8b}, http.StatusBadRequest},
		"many empty gzips":                  {bytes.Repeat(zip(""), event.MaxBatchBytes/len(zip(""))), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			w := c.serve(postZip(tt.body))
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			if w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 16<<20 || took > 2*time.Second {
				t.Errorf("took %d MiB and %s", bytes>>20, took)
			}
			if n := c.bodies.taken.Load(); n != 0 {
				t.Errorf("%d bytes are still counted", n)
			}
		})
	}
}

func TestBodiesOfAllRequestsAreBounded(t *testing.T) {
	c := newCollector(t)
	const clients = 100
	var heap runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	before := heap.HeapAlloc
	// Each sends all of a megabyte but its end.
	arrived, ends := make(chan struct{}, clients), make(chan struct{})
	codes := make(chan int, clients)
	for range clients {
		go func() {
			whole := batch(shoes.Key, deed("ann", 0))
			whole += strings.Repeat(" ", event.MaxBatchBytes-len(whole))
			body := io.MultiReader(strings.NewReader(whole[:len(whole)-1]), waits{arrived, ends}, strings.NewReader(" "))
			w := c.serve(httptest.NewRequest("POST", "/v1/events", body))
			if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") != "1" {
				t.Error("got 503 without Retry-After")
			}
			codes <- w.Code
		}()
	}
	refused := 0
	for waiting := 0; waiting+refused < clients; {
		select {
		case <-arrived:
			waiting++
		case code := <-codes:
			if refused++; code != http.StatusServiceUnavailable {
				t.Errorf("got %d, want 503", code)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&heap)
	if held := int64(heap.HeapAlloc) - int64(before) - clients<<20; refused < clients-maxBodyBytes>>20 || held > maxBodyBytes+16<<20 { // the test holds clients' bodies
		t.Errorf("%d of %d were refused, %d MiB are held", refused, clients, held>>20)
	}
	close(ends)
	for range clients - refused {
		if code := <-codes; code != http.StatusAccepted {
			t.Errorf("got %d for one that had room, want 202", code)
		}
	}
	if n := c.bodies.taken.Load(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
}

// waits is a reader that says that it was reached, and ends when it may.
type waits struct {
	arrived chan<- struct{}
	ends    <-chan struct{}
}

func (w waits) Read([]byte) (int, error) {
	w.arrived <- struct{}{}
	<-w.ends
	return 0, io.EOF
}

func TestSlowAndEndlessRequestsEnd(t *testing.T) {
	c := newCollector(t)
	server := newHTTPServer(c.http)
	if server.ReadHeaderTimeout != 5*time.Second || server.ReadTimeout != 20*time.Second || server.WriteTimeout == 0 || server.IdleTimeout == 0 {
		t.Errorf("got %+v, want bounds", server)
	}
	server.ReadHeaderTimeout, server.ReadTimeout = 200*time.Millisecond, 500*time.Millisecond // of 5 s and 20 s
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	defer serving.Wait()
	defer func() { _ = server.Shutdown(context.Background()) }()

	const head = "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	for name, tt := range map[string]struct {
		begin, more string // more is sent again and again
		pause       time.Duration
		want        string // the answer's beginning; "": the connection ends
	}{
		"headers that come slowly":      {"POST /v1/events HTTP/1.1\r\n", "A: b\r\n", 20 * time.Millisecond, ""},
		"headers without end":           {head + "A: ", strings.Repeat("x", 4096), 0, "HTTP/1.1 431 "},
		"a body that comes slowly":      {head + "Content-Length: 100000\r\n\r\n", " ", 20 * time.Millisecond, "HTTP/1.1 408 "},
		"a body that never comes":       {head + "Content-Length: 1000000\r\n\r\n", "", 20 * time.Millisecond, "HTTP/1.1 408 "},
		"a body without end, in chunks": {head + "Transfer-Encoding: chunked\r\n\r\n", "1000\r\n" + strings.Repeat(" ", 4096) + "\r\n", 0, "HTTP/1.1 413 "},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			begin := time.Now()
			ended := make(chan struct{})
			go func() {
				_, err := io.WriteString(connection, tt.begin)
				for err == nil {
					select {
					case <-ended:
						return
					case <-time.After(tt.pause):
						_, err = io.WriteString(connection, tt.more)
					}
				}
			}()
			line, _ := bufio.NewReader(connection).ReadString('\n')
			close(ended)
			if took := time.Since(begin); !strings.HasPrefix(line, tt.want) || tt.want == "" && line != "" || took > 3*time.Second {
				t.Errorf("got %q after %s, want %q", line, took, tt.want)
			}
		})
	}
	t.Run("and others are answered all the time", func(t *testing.T) {
		response, err := http.Post(fmt.Sprintf("http://%s/v1/events", listener.Addr()), "text/plain", strings.NewReader(batch(shoes.Key, deed("ann", 0))))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("got %d", response.StatusCode)
		}
		http.DefaultClient.CloseIdleConnections()
	})
}
