package main

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// What a run looks at, back from the hour in which it runs. A run that fails
// loses nothing: the hours are counted by those that follow.
const (
	settling = 2 * time.Hour  // until an hour is counted: what comes later is lost until it comes
	counted  = 6 * time.Hour  // whole hours
	lookBack = 24 * time.Hour // before them: where a frame's predecessor is looked for
	silence  = 12 * time.Hour // of the look-back: an instance without a frame in it did not live then
	margin   = time.Hour      // by which the clocks that name an hour may differ
)

// window is the time whose frames a run counts, with what it reads for it.
type window struct {
	Known  moment // receipts are read from here
	Silent moment // an instance that is first seen from here on began then
	Before moment // events are read from here
	From   moment
	To     moment
}

func windowAt(now time.Time) window {
	to := now.UTC().Truncate(time.Hour).Add(-settling)
	from := to.Add(-counted)
	known := from.Add(-lookBack)
	return window{moment{known}, moment{known.Add(silence)}, moment{from.Add(-margin)}, moment{from}, moment{to}}
}

// moment is a time as the tables have it.
type moment struct{ time.Time }

// Date is the day of an object's name.
func (m moment) Date() string { return m.Format(time.DateOnly) }

// Hour is the day and the hour of an object's name.
func (m moment) Hour() string { return m.Format("2006-01-02T15") }

// FrameID is what the ids of all frames since then are not less than: UUIDv7
// begin with their time.
func (m moment) FrameID() string {
	ms := m.UnixMilli()
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}

//go:embed ledger.sql
var text string

var query = template.Must(template.New("ledger.sql").Parse(text))

// query is in Athena's dialect, which is Trino's.
func (w window) query() (string, error) {
	var b strings.Builder
	err := query.Execute(&b, w)
	return b.String(), err
}
