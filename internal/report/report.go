// Package report writes what a run did and what its ledger proves as one HTML
// page. The page needs nothing but itself: no network, no script, no font.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/shopstream/shopstream/internal/ledger"
)

// Report is what a page shows.
type Report struct {
	Input        string    // what was sent, such as "simulated shoppers, seed 1" or a file's name
	Acknowledged int       // events that the collector answered with 202
	Skipped      []Skipped // rows of a log that are no events
	Steps        []Step    // in their order
	Statement    ledger.Statement
	Made         time.Time // shown in UTC
}

// Skipped is a row of a log that is no event.
type Skipped struct {
	Line   int // from 1
	Reason string
}

// Step is one of a run's steps.
type Step struct {
	Name string
	Took time.Duration
}

var (
	//go:embed page.html
	html string
	//go:embed page.css
	css template.CSS

	// Everything that r brings is escaped here, save for the charts: they
	// escape their texts themselves.
	layout = template.Must(template.New("page").Funcs(template.FuncMap{
		"number": number[int64],
		"count":  count,
		"share":  share,
		"money":  money,
		"took":   took,
		"css":    func() template.CSS { return css },
	}).Parse(html))
)

// Write writes r's page. The same report is always the same page.
func Write(w io.Writer, r Report) error {
	p, err := newPage(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer // a page that fails halfway is not written at all
	if err := layout.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = b.WriteTo(w)
	return err
}
