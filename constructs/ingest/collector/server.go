package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/shopstream/shopstream/constructs/event"
)

// answerTimeout bounds how long a client waits for Kinesis before it is told
// to come back.
const answerTimeout = 3 * time.Second

// server answers over HTTP.
type server struct {
	registry *registry
	producer *producer
	identify identify // who a server is
	tasks    *tasks
	meters   *meters
	now      func() time.Time
	bodies   bodies
	ready    atomic.Bool // the registry has answered, and the task is not ending
	outages  rate.Sometimes
}

func newServer(r *registry, p *producer, i identify, t *tasks, m *meters) *server {
	return &server{registry: r, producer: p, identify: i, tasks: t, meters: m, now: time.Now, outages: rate.Sometimes{First: 1, Interval: time.Second}}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/events", s.collect(s.browser))
	mux.HandleFunc("OPTIONS /v1/events", s.preflight)
	mux.HandleFunc("POST /v1/server/events", s.collect(s.server))
	mux.HandleFunc("GET /v1/config", s.config)
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

// sender is where a batch comes from.
type sender struct {
	trust         event.Trust
	client        string // of a server
	origin        string // of a browser's page
	ip, userAgent string // of a browser: a server's own tell nothing of a shopper
}

func (s *server) browser(r *http.Request) (sender, error) {
	userAgent := r.UserAgent()
	if len(userAgent) > event.MaxUserAgent {
		userAgent = userAgent[:event.MaxUserAgent]
	}
	return sender{trust: event.TrustBrowser, origin: r.Header.Get("Origin"), ip: cutIP(r), userAgent: strings.ToValidUTF8(userAgent, "")}, nil
}

func (s *server) server(r *http.Request) (sender, error) {
	client, err := s.identify(r)
	return sender{trust: event.TrustServer, client: client}, err
}

func (s *server) collect(from func(*http.Request) (sender, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		allowOrigin(w, r)
		sender, err := from(r)
		count, status := 0, http.StatusAccepted
		if err == nil {
			count, err = s.accept(r, sender)
		}
		if err != nil {
			status = s.refuse(w, err)
		} else {
			s.meters.accepted(sender.trust, count)
			w.Header()["Content-Type"] = asJSON
			w.WriteHeader(status)
			_, _ = w.Write(append(strconv.AppendInt([]byte(`{"accepted":`), int64(count), 10), "}\n"...)) // the client is gone: nobody to tell
		}
		s.meters.answered(status, time.Since(begin))
	}
}

var asJSON = []string{"application/json"}

// config tells a tracker what its shop wants.
func (s *server) config(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w, r)
	shop, err := s.shop(r.Context(), r.URL.Query().Get("shop"))
	if err != nil {
		s.refuse(w, err)
		return
	}
	answer := struct {
		V             int    `json:"v"`              // of the contract
		Consent       string `json:"consent"`        // asked, or never: there is no need to ask
		SamplePercent int    `json:"sample_percent"` // share of visitors whose events are wanted
	}{event.SchemaVersion, cmp.Or(string(shop.Consent), "asked"), cmp.Or(shop.SamplePercent, 100)}
	w.Header()["Content-Type"] = asJSON
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(answer) // the client is gone: nobody to tell
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

// allowOrigin lets a page read the answer, refusals, Date and Retry-After
// included.
func allowOrigin(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true") // sendBeacon always sends with credentials
		w.Header().Set("Access-Control-Expose-Headers", "Date, Retry-After")
	}
	w.Header().Add("Vary", "Origin")
}

// refuse answers err, and returns the status. An outage would fill the log: it
// is told once a second.
func (s *server) refuse(w http.ResponseWriter, err error) int {
	var r refusal
	if !errors.As(err, &r) {
		s.outages.Do(func() { slog.Error("batch refused", "error", err) })
		r = refusal{status: http.StatusServiceUnavailable, Code: "unavailable", Message: "events are not taken at the moment; send the batch again"}
	}
	if r.status == http.StatusServiceUnavailable || r.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header()["Content-Type"] = asJSON
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(map[string]refusal{"error": r}) // the client is gone: nobody to tell
	return r.status
}

// accept returns the number of events once Kinesis has them all.
func (s *server) accept(r *http.Request, from sender) (int, error) {
	body, err := s.bodies.read(r.Body)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	count, drafts, err := s.take(r.Context(), body.bytes, from)
	body.release() // drafts have copies
	if err != nil {
		return 0, err
	}
	return count, s.producer.wait(r.Context(), drafts, answerTimeout-time.Since(begin))
}

// take checks a batch and hands its events to the producer.
func (s *server) take(ctx context.Context, body []byte, from sender) (int, []*draft, error) {
	batch, ids, err := event.UnmarshalBatch(body)
	if err != nil {
		return 0, nil, malformed(err)
	}
	if err := checkCaps(batch); err != nil {
		return 0, nil, err
	}
	shop, err := s.shop(ctx, batch.Shop)
	if err != nil {
		return 0, nil, err
	}
	if err := shop.admit(from); err != nil {
		return 0, nil, err
	}
	if !shop.allow(s.now(), len(ids), s.tasks.count()) {
		return 0, nil, refusal{http.StatusTooManyRequests, "rate_exceeded", fmt.Sprintf("the shop sends more than its %d events a second", shop.EventsPerSecond), ""}
	}
	l := newLines()
	defer l.release()
	if err := s.receive(l, batch, ids, shop, from); err != nil {
		return 0, nil, err
	}
	drafts, err := s.producer.add(l)
	return len(ids), drafts, err
}

// shop returns the shop of key, or a refusal.
func (s *server) shop(ctx context.Context, key string) (*shop, error) {
	shop, err := s.registry.lookup(ctx, key)
	switch {
	case errors.Is(err, errUnknownShop):
		return nil, refusal{http.StatusUnauthorized, "unknown_shop", "the shop key is not known; take it from the shop's registry item", "/shop"}
	case err != nil:
		return nil, err
	case shop.Disabled:
		return nil, refusal{http.StatusForbidden, "shop_disabled", "the shop is disabled in the registry", "/shop"}
	}
	return shop, nil
}

// admit says whether the shop's events may come from there.
func (s *shop) admit(from sender) error {
	switch {
	case from.trust == event.TrustServer && !slices.Contains(s.ClientIDs, from.client):
		return refusal{http.StatusForbidden, "client_not_bound", "the token's client may not send for this shop; add it to the shop's registry item", "/shop"}
	case from.origin != "" && len(s.Origins) > 0 && !slices.Contains(s.Origins, from.origin):
		return refusal{http.StatusForbidden, "origin_not_allowed", "the shop does not list this origin; add it to the shop's registry item", ""}
	}
	return nil
}

// malformed names the first few problems: a body can have one at every byte.
func malformed(err error) error {
	var problems event.Problems
	if !errors.As(err, &problems) {
		return err
	}
	code := "malformed_envelope"
	switch problems[0].Rule {
	case "json", "utf8", "depth":
		code = "malformed_json"
	case "length":
		if problems[0].Pointer == "/events" {
			return refusal{http.StatusRequestEntityTooLarge, "batch_too_large", fmt.Sprintf("a batch has at most %d events", event.MaxBatchEvents), "/events"}
		}
	}
	return refusal{http.StatusBadRequest, code, problems[:min(len(problems), 10)].Error(), problems[0].Pointer}
}

func checkCaps(batch event.Batch) error {
	for i, e := range batch.Events {
		if len(e) > event.MaxEventBytes {
			return refusal{http.StatusRequestEntityTooLarge, "event_too_large",
				fmt.Sprintf("an event has at most %d bytes, got %d", event.MaxEventBytes, len(e)), fmt.Sprintf("/events/%d", i)}
		}
	}
	return nil
}

// receive adds the batch's events to l, each with what the collector alone
// knows, and without whom it is from: a visitor who is known again has another
// id from here on, all others have none and no session.
func (s *server) receive(l *lines, batch event.Batch, ids []event.IDs, shop *shop, from sender) error {
	receivedAt := s.now().UTC()
	if shop.Backfill {
		receivedAt = batch.SentAt.UTC()
	}
	line, err := event.NewFrameLine(event.Received{
		ShopID: shop.ID, BatchID: batch.BatchID, BatchSeq: batch.Seq, SentAt: batch.SentAt.UTC(), ReceivedAt: receivedAt,
		Trust: from.trust, IP: from.ip, UserAgent: from.userAgent,
	})
	if err != nil {
		return err
	}
	var known []byte // the visitor of the event before, mostly of all
	var pseudonym string
	var partition int
	for _, e := range ids {
		visitor := ""
		switch {
		case !shop.knows(e):
			s.meters.withoutConsent.Inc()
		case shop.pseudonyms == nil:
			s.meters.withoutSalt.Inc()
		default:
			if !bytes.Equal(e.Visitor, known) {
				known, pseudonym = e.Visitor, shop.pseudonyms.Of(e.Visitor)
				partition = event.VirtualPartition(shop.ID, pseudonym, "")
			}
			visitor = pseudonym
		}
		if visitor == "" {
			l.add(line, e, "", event.VirtualPartition(shop.ID, "", string(e.Event)))
		} else {
			l.add(line, e, visitor, partition)
		}
	}
	return nil
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
