package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

// answerTimeout bounds how long a client waits for Kinesis before it is told
// to come back.
const answerTimeout = 3 * time.Second

// server answers over HTTP.
type server struct {
	registry *registry
	producer *producer
	now      func() time.Time
	ready    atomic.Bool // the registry has answered, and the task is not ending
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/events", s.collect)
	mux.HandleFunc("OPTIONS /v1/events", s.preflight)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}

// refusal is an answer other than 202. A client drops a batch only for a 400
// or 413 that carries a code of ours; everything else it sends again.
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Pointer string `json:"pointer,omitempty"` // JSON pointer to the field at fault
}

func (r refusal) Error() string { return r.Message }

func (s *server) collect(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w, r)
	count, err := s.accept(r)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"accepted":%d}`+"\n", count)
}

// preflight lets any origin ask: which shop it is for stands in the body, and
// the shop's own list of origins decides there.
func (s *server) preflight(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w, r)
	w.Header().Set("Access-Control-Allow-Methods", "POST")
	w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Content-Encoding")
	w.Header().Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// allowOrigin lets a page read the answer, refusals and Retry-After included.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true") // sendBeacon always sends with credentials
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
	w.Header().Add("Vary", "Origin")
}

func refuse(w http.ResponseWriter, err error) {
	var r refusal
	if !errors.As(err, &r) {
		slog.Error("batch refused", "error", err)
		r = refusal{status: http.StatusServiceUnavailable, Code: "unavailable", Message: "events are not taken at the moment; send the batch again"}
	}
	if r.status == http.StatusServiceUnavailable || r.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(1))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(map[string]refusal{"error": r}) // the client is gone: nobody to tell
}

// accept returns the number of events once Kinesis has them all.
func (s *server) accept(r *http.Request) (int, error) {
	body, err := readBody(r)
	if err != nil {
		return 0, err
	}
	batch, err := event.UnmarshalBatch(body)
	if err != nil {
		return 0, malformed(err)
	}
	if err := checkCaps(batch); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
	defer cancel()
	shop, err := s.registry.lookup(ctx, batch.Shop)
	if errors.Is(err, errUnknownShop) {
		return 0, refusal{http.StatusUnauthorized, "unknown_shop", "the shop key is not known; take it from the shop's registry item", "/shop"}
	} else if err != nil {
		return 0, err
	}
	if origin := r.Header.Get("Origin"); origin != "" && len(shop.Origins) > 0 && !slices.Contains(shop.Origins, origin) {
		return 0, refusal{http.StatusForbidden, "origin_not_allowed", "the shop does not list this origin; add it to the shop's registry item", ""}
	}
	if !shop.limit.AllowN(s.now(), len(batch.Events)) {
		return 0, refusal{http.StatusTooManyRequests, "rate_exceeded", fmt.Sprintf("the shop sends more than its %d events a second", shop.EventsPerSecond), ""}
	}
	if err := s.producer.put(ctx, s.receive(r, batch, shop)); err != nil {
		return 0, err
	}
	return len(batch.Events), nil
}

// readBody returns the body, decompressed, or a refusal where it is over the
// cap. What the network cut short is not the batch's fault: it comes again.
func readBody(r *http.Request) ([]byte, error) {
	tooLarge := refusal{http.StatusRequestEntityTooLarge, "batch_too_large", fmt.Sprintf("a batch has at most %d bytes", event.MaxBatchBytes), ""}
	body, err := io.ReadAll(io.LimitReader(r.Body, event.MaxBatchBytes+1))
	switch {
	case err != nil:
		return nil, refusal{http.StatusRequestTimeout, "body_incomplete", "the body did not arrive whole; send the batch again", ""}
	case len(body) > event.MaxBatchBytes:
		return nil, tooLarge
	case !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip"):
		return body, nil
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(unzipped, event.MaxBatchBytes+1))
	}
	switch {
	case err != nil:
		return nil, refusal{http.StatusBadRequest, "malformed_json", "the body is not gzip, as its Content-Encoding says", ""}
	case len(body) > event.MaxBatchBytes:
		return nil, tooLarge
	}
	return body, nil
}

// malformed names the first few problems: a body can have one at every byte.
func malformed(err error) error {
	var problems event.Problems
	if !errors.As(err, &problems) {
		return err
	}
	code := "malformed_envelope"
	if problems[0].Rule == "json" {
		code = "malformed_json"
	}
	return refusal{http.StatusBadRequest, code, problems[:min(len(problems), 10)].Error(), problems[0].Pointer}
}

func checkCaps(batch event.Batch) error {
	if n := len(batch.Events); n > event.MaxBatchEvents {
		return refusal{http.StatusRequestEntityTooLarge, "batch_too_large", fmt.Sprintf("a batch has at most %d events, got %d", event.MaxBatchEvents, n), "/events"}
	}
	for i, e := range batch.Events {
		if len(e) > event.MaxEventBytes {
			return refusal{http.StatusRequestEntityTooLarge, "event_too_large",
				fmt.Sprintf("an event has at most %d bytes, got %d", event.MaxEventBytes, len(e)), fmt.Sprintf("/events/%d", i)}
		}
	}
	return nil
}

// receive adds to each event what the collector alone knows.
func (s *server) receive(r *http.Request, batch event.Batch, shop *shop) []keyed {
	receivedAt := s.now().UTC()
	if shop.Backfill {
		receivedAt = batch.SentAt.UTC()
	}
	ip, userAgent := cutIP(r), r.UserAgent()
	if len(userAgent) > event.MaxString {
		userAgent = userAgent[:event.MaxString]
	}
	events := make([]keyed, len(batch.Events))
	for i, raw := range batch.Events {
		var ids struct {
			EventID   string `json:"event_id"`
			VisitorID string `json:"visitor_id"`
		}
		_ = json.Unmarshal(raw, &ids) // ids of another type are preprocess's to reject: any partition will do
		events[i] = keyed{
			event.Received{
				ShopID: shop.ID, BatchID: batch.BatchID, BatchSeq: batch.Seq, SentAt: batch.SentAt.UTC(), ReceivedAt: receivedAt,
				Trust: event.TrustBrowser, IP: ip, UserAgent: strings.ToValidUTF8(userAgent, ""), Event: raw,
			},
			event.VirtualPartition(shop.ID, ids.VisitorID, ids.EventID),
		}
	}
	return events
}

// cutIP returns the client's address without its last octet, or its last 80
// bits: enough for a region, too little for a person.
func cutIP(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if forwarded := r.Header.Values("X-Forwarded-For"); len(forwarded) > 0 {
		hops := strings.Split(forwarded[len(forwarded)-1], ",")
		host = strings.TrimSpace(hops[len(hops)-1]) // what the load balancer saw; all before it is the client's own claim
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	bits := 24
	if addr = addr.Unmap(); addr.Is6() {
		bits = 48
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}
