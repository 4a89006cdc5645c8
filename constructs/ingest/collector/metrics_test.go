package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

func TestMetrics(t *testing.T) {
	var log bytes.Buffer
	prometheus, atTheFront := httptest.NewRecorder(), httptest.NewRecorder()
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t, hats)
		ctx, stop := context.WithCancel(t.Context())
		published := make(chan struct{})
		go func() { c.meters.publish(ctx, &log, "collectors"); close(published) }()
		var refusals, call atomic.Int64
		c.gateway.answer = func(context.Context, *kinesis.PutRecordsInput) (map[int]bool, error) {
			return map[int]bool{0: call.Add(1) <= refusals.Load()}, nil
		}
		c.send(deed("ann", 0), deed("ann", 1))
		c.serve(serverPost(hats.Key, clientHeader, "hatter"))
		c.serve(post("{"))
		c.serve(post(batch("pk_nobody", deed("ann", 0))))
		refusals.Store(call.Load() + 2)
		c.send(deed("ann", 2))
		time.Sleep(time.Minute)
		synctest.Wait()
		refusals.Store(100)
		c.send(deed("bob", 0))
		stop()
		<-published

		request := httptest.NewRequest("GET", "/metrics", nil)
		c.meters.handler().ServeHTTP(prometheus, request)
		c.http.ServeHTTP(atTheFront, request)
		refusals.Store(0)
		time.Sleep(5 * time.Second)
	})
	t.Run("go to CloudWatch as what a minute added", func(t *testing.T) {
		type line struct {
			ClusterName                                                                              string
			AcceptedEvents, AnonymousEvents, Frames, RefusedRecords, RefusedBatches, DeferredBatches float64
			BufferedBytes, PutUnits                                                                  float64
			AWS                                                                                      struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
				}
			} `json:"_aws"`
		}
		var lines []line
		for _, text := range strings.Split(strings.TrimSpace(log.String()), "\n") {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, l)
		}
		if len(lines) != 2 {
			t.Fatalf("got %d lines, want one for the minute and one at the end", len(lines))
		}
		first, last := lines[0], lines[1]
		if first.AcceptedEvents != 4 || first.AnonymousEvents != 1 || first.Frames != 3 || first.PutUnits != 3 || first.RefusedRecords != 2 || first.RefusedBatches != 2 || first.DeferredBatches != 0 || first.BufferedBytes != 0 {
			t.Errorf("got %+v", first)
		}
		if last.AcceptedEvents != 0 || last.DeferredBatches != 1 || last.BufferedBytes == 0 {
			t.Errorf("got %+v", last)
		}
		if m := first.AWS.CloudWatchMetrics[0]; first.ClusterName != "collectors" || m.Namespace != "Shopstream" || m.Dimensions[0][0] != "ClusterName" {
			t.Errorf("got %+v", first)
		}
	})
	t.Run("go to Prometheus as what there was", func(t *testing.T) {
		for _, want := range []string{
			`collector_events_total{trust="browser"} 3`, `collector_events_total{trust="server"} 1`,
			`collector_answers_total{status="202"} 3`, `collector_answers_total{status="400"} 1`, `collector_answers_total{status="401"} 1`,
			`collector_answers_total{status="503"} 1`, `collector_answer_seconds_count 6`, `collector_buffered_bytes `,
		} {
			if !strings.Contains(prometheus.Body.String(), want) {
				t.Errorf("%s is missing in\n%s", want, prometheus.Body)
			}
		}
	})
	t.Run("are not where the fronts lead", func(t *testing.T) {
		if atTheFront.Code != http.StatusNotFound {
			t.Errorf("got %d", atTheFront.Code)
		}
	})
}
