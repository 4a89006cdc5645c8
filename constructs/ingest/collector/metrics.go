package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	io_prometheus_client "github.com/prometheus/client_model/go"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/metric"
)

// meters count what the collector does, for Prometheus and for CloudWatch. No
// number is told by shop: there are thousands.
type meters struct {
	registry                     *prometheus.Registry
	answers                      *prometheus.CounterVec // by status
	seconds                      prometheus.Histogram
	browserEvents, serverEvents  prometheus.Counter
	withoutConsent, withoutSalt  prometheus.Counter
	frames, frameBytes, putUnits prometheus.Counter
	refusedRecords               prometheus.Counter
}

func newMeters() *meters {
	m := &meters{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "collector", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	one := func(name, help string) prometheus.Counter { return counter(name, help).WithLabelValues() }
	m.answers = counter("answers_total", "Answers to batches.", "status")
	events := counter("events_total", "Events that Kinesis acknowledged.", "trust")
	m.browserEvents, m.serverEvents = events.WithLabelValues(string(event.TrustBrowser)), events.WithLabelValues(string(event.TrustServer))
	anonymous := counter("anonymous_events_total", "Events whose visitor is not known again, and why.", "reason")
	m.withoutConsent, m.withoutSalt = anonymous.WithLabelValues("consent"), anonymous.WithLabelValues("salt")
	m.frames = one("frames_total", "Frames that were sent to Kinesis.")
	m.frameBytes = one("frame_bytes_total", "Bytes of these frames and of their partition keys.")
	m.putUnits = one("put_units_total", "PUT payload units of 25 KB that these frames cost.")
	m.refusedRecords = one("refused_records_total", "Attempts at a frame that Kinesis refused.")
	m.seconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "collector", Name: "answer_seconds", Help: "Time to answer a batch.", Buckets: []float64{.01, .025, .05, .1, .15, .25, .5, 1, 2, 3, 5},
	})
	m.registry.MustRegister(m.seconds)
	return m
}

func (m *meters) watchBuffer(waiting func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "collector", Name: "buffered_bytes", Help: "Bytes of events that Kinesis has not acknowledged.",
	}, func() float64 { return float64(waiting()) }))
}

func (m *meters) answered(status int, took time.Duration) {
	m.answers.WithLabelValues(strconv.Itoa(status)).Inc()
	m.seconds.Observe(took.Seconds())
}

func (m *meters) accepted(trust event.Trust, events int) {
	if trust == event.TrustServer {
		m.serverEvents.Add(float64(events))
	} else {
		m.browserEvents.Add(float64(events))
	}
}

// frame counts a record as Kinesis bills it.
func (m *meters) frame(bytes int) {
	const unit = 25 << 10
	m.frames.Inc()
	m.frameBytes.Add(float64(bytes))
	m.putUnits.Add(float64((bytes + unit - 1) / unit))
}

func (m *meters) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// clusterName is ECS's dimension, which the collector's metrics have too.
const clusterName = "ClusterName"

// published are the counters that CloudWatch gets, with its names.
var published = map[string]string{
	"collector_events_total":           "AcceptedEvents",
	"collector_anonymous_events_total": "AnonymousEvents",
	"collector_frames_total":           "Frames",
	"collector_frame_bytes_total":      "FrameBytes",
	"collector_put_units_total":        "PutUnits",
	"collector_refused_records_total":  "RefusedRecords",
}

// totals are the counters' values by CloudWatch's names. Batches that come again
// by themselves are told from those that somebody must look after.
func (m *meters) totals() (map[string]float64, error) {
	families, err := m.registry.Gather()
	totals := map[string]float64{"RefusedBatches": 0, "DeferredBatches": 0, "BufferedBytes": 0}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			switch name := published[f.GetName()]; {
			case name != "":
				totals[name] += one.GetCounter().GetValue()
			case f.GetName() == "collector_buffered_bytes":
				totals["BufferedBytes"] = one.GetGauge().GetValue()
			case f.GetName() == "collector_answers_total":
				if name := verdict(one.GetLabel()); name != "" {
					totals[name] += one.GetCounter().GetValue()
				}
			}
		}
	}
	return totals, err
}

func verdict(labels []*io_prometheus_client.LabelPair) string {
	switch labels[0].GetValue() {
	case "202":
		return ""
	case "408", "429", "503":
		return "DeferredBatches"
	default:
		return "RefusedBatches"
	}
}

// publish writes a line for CloudWatch each minute, and when ctx ends.
func (m *meters) publish(ctx context.Context, w io.Writer, cluster string) {
	before := map[string]float64{}
	for ended := false; !ended; {
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			ended = true
		}
		totals, err := m.totals()
		values := map[string]float64{}
		for name, total := range totals {
			values[name] = total - before[name]
		}
		values["BufferedBytes"] = totals["BufferedBytes"]
		before = totals
		if err == nil {
			err = metric.Write(w, time.Now(), map[string]string{clusterName: cluster}, values)
		}
		if err != nil {
			slog.Error("metrics cannot be published", "error", err)
		}
	}
}
