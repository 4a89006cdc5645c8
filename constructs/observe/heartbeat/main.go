// Command heartbeat is the Lambda function that sends one event of the
// heartbeat's shop to the collector, as a shop's server would. It tries once:
// the next beat comes in a minute, and a beat that fails has to be seen.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
)

// timeout is that of a beat: a collector that is well answers much sooner.
const timeout = 10 * time.Second

func main() {
	h, err := newHeartbeat(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(h.beat)
}

type heartbeat struct {
	client *http.Client
	url    string // of the collector, whole
	key    string // the shop's, publishable
	now    func() time.Time
}

func newHeartbeat(getenv func(string) string) (*heartbeat, error) {
	h := &heartbeat{url: getenv("COLLECTOR_URL"), key: getenv("SHOP_KEY"), now: time.Now, client: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a collector sends nobody elsewhere
	}}
	var errs []error
	if h.url == "" {
		errs = append(errs, errors.New("environment variable COLLECTOR_URL is required"))
	}
	if h.key == "" {
		errs = append(errs, errors.New("environment variable SHOP_KEY is required"))
	}
	return h, errors.Join(errs...)
}

// beat sends a batch of one event, and fails unless the collector took it.
func (h *heartbeat) beat(ctx context.Context) error {
	body, err := h.batch()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "shopstream-heartbeat")
	response, err := h.client.Do(request)
	if err != nil {
		return fmt.Errorf("beat not sent: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("beat not taken: the collector answers %s", response.Status)
	}
	return nil
}

// batch is a visit of nobody to the page of the heartbeat.
func (h *heartbeat) batch() ([]byte, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now := h.now().UTC()
	beat, err := json.Marshal(event.Event{
		EventID: id.String(), Type: event.PageView, ClientTS: now,
		Page: &event.Page{URL: "https://" + event.HeartbeatShop + ".invalid/"},
	})
	if err != nil {
		return nil, err
	}
	batch := event.Batch{V: event.SchemaVersion, Shop: h.key, SentAt: now, BatchID: id.String()}
	batch.Events = append(batch.Events, beat)
	return json.Marshal(batch)
}
