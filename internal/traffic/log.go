package traffic

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
)

// logColumns are those of the REES46 Open CDP data sets.
var logColumns = []string{"event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id", "user_session"}

var logTypes = map[string]event.Type{
	"view":             event.ProductView,
	"cart":             event.AddToCart,
	"remove_from_cart": event.RemoveFromCart,
	"purchase":         event.Purchase,
}

const (
	logTime     = "2006-01-02 15:04:05 UTC" // a letter zone's offset would be this machine's guess
	logCurrency = "USD"                     // the data set's
	logBatch    = 500                       // rows
)

// SkippedRow is a row of a log that is no event.
type SkippedRow struct {
	Line   int    `json:"line"` // from 1, the header's
	Reason string `json:"reason"`
}

// LogResult is what became of a log's rows; it is whole when the source's
// batches have been drawn.
type LogResult struct {
	Rows    int          // complete ones, each an event
	Skipped []SkippedRow // told, never fatal
	Err     error        // the log could not be read to its end
}

// Log reads a shop's log in the REES46 format. An event's id is made of its
// time and its row, so that the same row is always the same event; batches are
// sent, and their events received, by the log's own clock.
func Log(r io.Reader) (Source, *LogResult, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	if !lines.Scan() {
		return Source{}, nil, fmt.Errorf("the log is empty, its first line must be %q: %w", strings.Join(logColumns, ","), cmp.Or(lines.Err(), io.EOF))
	}
	if header := strings.TrimRight(lines.Text(), "\r"); header != strings.Join(logColumns, ",") {
		return Source{}, nil, fmt.Errorf("the log's first line is %.200q, it must be %q", header, strings.Join(logColumns, ","))
	}
	shop := event.Shop{Key: "pk_rees46", ID: "rees46", EventsPerSecond: 100_000, Backfill: true}
	result := &LogResult{}
	return Source{[]event.Shop{shop}, func(yield func(event.Batch) bool) {
		l := logReader{shop: shop}
		for line := 2; lines.Scan(); line++ {
			row := strings.TrimRight(lines.Text(), "\r")
			if row == "" {
				continue
			}
			e, err := l.event(row)
			if err != nil {
				result.Skipped = append(result.Skipped, SkippedRow{line, err.Error()})
				continue
			}
			result.Rows++
			if l.events = append(l.events, e); len(l.events) == logBatch && !yield(l.batch()) {
				return
			}
		}
		result.Err = lines.Err()
		if len(l.events) > 0 {
			yield(l.batch())
		}
	}}, result, nil
}

type logReader struct {
	shop    event.Shop
	events  []event.Event
	batches int
}

// batch takes the events read so far.
func (l *logReader) batch() event.Batch {
	var sentAt time.Time
	for _, e := range l.events {
		if e.ClientTS.After(sentAt) {
			sentAt = e.ClientTS
		}
	}
	b := event.Batch{V: event.SchemaVersion, Shop: l.shop.Key, SentAt: sentAt, BatchID: batchID(l.shop.ID, l.batches), Seq: int64(l.batches), Events: marshalEvents(l.events)}
	l.batches++
	l.events = nil
	return b
}

// event reads a row. Of its values only those are checked here without which
// there is no event; the others are the contract's to judge.
func (l *logReader) event(row string) (event.Event, error) {
	fields, err := csv.NewReader(strings.NewReader(row)).Read()
	if err != nil {
		return event.Event{}, errors.New("is no CSV: its quotes do not match")
	}
	if len(fields) != len(logColumns) {
		return event.Event{}, fmt.Errorf("has %d of %d columns", len(fields), len(logColumns))
	}
	at, err := time.Parse(logTime, fields[0])
	if err != nil {
		return event.Event{}, errors.New("event_time must look like 2019-10-01 00:00:00 UTC")
	}
	kind, ok := logTypes[fields[1]]
	if !ok {
		return event.Event{}, fmt.Errorf("event_type must be view, cart, remove_from_cart or purchase, got %q", fields[1])
	}
	price, err := strconv.ParseFloat(fields[6], 64)
	if err != nil || math.IsInf(price, 0) || math.IsNaN(price) {
		return event.Event{}, fmt.Errorf("price must be a number, got %q", fields[6])
	}
	if session := fields[8]; session != "" {
		if _, err := uuid.Parse(session); err != nil {
			return event.Event{}, errors.New("user_session must be a UUID")
		}
	}
	digest := sha256.Sum256([]byte(row)) // a row that is there twice is one event twice: of its order in the session the log says nothing
	e := event.Event{
		EventID: event.NewID(at, digest), Type: kind, VisitorID: fields[7], SessionID: fields[8],
		ClientTS: at,
		Items:    []event.Item{{ID: fields[2], Brand: fields[5], Category: fields[4], Price: price, Currency: logCurrency, Quantity: 1}},
	}
	if kind == event.Purchase {
		e.Order = &event.Order{ID: fmt.Sprintf("%x", digest[:8]), Value: price, Currency: logCurrency}
	}
	return e, nil
}
