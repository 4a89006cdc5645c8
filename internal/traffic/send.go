package traffic

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/shopstream/shopstream/constructs/event"
)

// Sender sends batches to a collector.
type Sender struct {
	Collector       string // required; URL such as http://127.0.0.1:8080
	Connections     int    // at once; default 8. 1 keeps the batches' order
	EventsPerSecond int    // default 0: as fast as the collector answers
}

// Sent is what the collector answered.
type Sent struct {
	Batches      int            `json:"batches"`
	Acknowledged int            `json:"acknowledged"` // events in batches answered with 202
	Refused      map[string]int `json:"refused"`      // events by the refusal's code, or the status of one without
	Attempts     int            `json:"attempts"`     // requests, those sent again included
}

// Send sends all batches, again and again where the collector asks for it. It
// calls progress, which may be nil, after each batch.
func (s Sender) Send(ctx context.Context, source Source, progress func(Sent)) (Sent, error) {
	endpoint, err := url.JoinPath(s.Collector, "/v1/events")
	if err != nil {
		return Sent{}, fmt.Errorf("collector must be a URL, got %q: %w", s.Collector, err)
	}
	run := &sending{endpoint: endpoint, client: retryablehttp.NewClient(), progress: progress, sent: Sent{Refused: map[string]int{}}}
	run.client.Logger = nil
	run.client.RetryMax = 8
	run.client.RetryWaitMin, run.client.RetryWaitMax = 100*time.Millisecond, 5*time.Second
	run.client.RequestLogHook = func(retryablehttp.Logger, *http.Request, int) { run.count(func(s *Sent) { s.Attempts++ }) }
	run.client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	limit := rate.NewLimiter(rate.Inf, 0)
	if s.EventsPerSecond > 0 {
		limit = rate.NewLimiter(rate.Limit(s.EventsPerSecond), max(s.EventsPerSecond, event.MaxBatchEvents))
	}
	limit.AllowN(time.Now(), limit.Burst())       // the first second has no more than the others
	workers, sending := errgroup.WithContext(ctx) // ends with the first error
	workers.SetLimit(cmp.Or(s.Connections, 8))
	for batch := range source.Batches {
		if err = limit.WaitN(sending, len(batch.Events)); err != nil {
			break // sending has ended, or would before the limit allows more
		}
		workers.Go(func() error { return run.send(sending, batch) })
	}
	err = cmp.Or(workers.Wait(), ctx.Err(), err)
	return run.sent, err
}

type sending struct {
	endpoint string
	client   *retryablehttp.Client
	progress func(Sent)

	mu   sync.Mutex
	sent Sent
}

func (s *sending) count(change func(*Sent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.sent)
}

func (s *sending) send(ctx context.Context, batch event.Batch) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return fmt.Errorf("encode batch %s: %w", batch.BatchID, err)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/plain") // as the tracker sends it
	request.Header.Set("User-Agent", agents[int(batch.BatchID[0])%len(agents)])
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("send batch to %s: %w", s.endpoint, err)
	}
	defer response.Body.Close()
	var answer struct {
		Accepted int                                     `json:"accepted"`
		Error    struct{ Code, Message, Pointer string } `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer); err != nil {
		return fmt.Errorf("the collector at %s answered %s without its JSON; is it one?", s.endpoint, response.Status)
	}
	s.count(func(sent *Sent) {
		sent.Batches++
		if response.StatusCode == http.StatusAccepted {
			sent.Acknowledged += answer.Accepted
		} else {
			sent.Refused[cmp.Or(answer.Error.Code, response.Status)] += len(batch.Events)
			slog.Debug("batch refused", "status", response.StatusCode, "code", answer.Error.Code, "pointer", answer.Error.Pointer)
		}
		if s.progress != nil {
			s.progress(*sent)
		}
	})
	return nil
}
