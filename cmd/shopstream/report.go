package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/report"
)

// columns prints what shoppers did: types, funnel and quarantine.
func columns(w io.Writer, s ledger.Statement) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "type\tevents\t\tfunnel\tsessions\t\tquarantined for\tevents")
	for i := range max(len(s.Types), len(s.Funnel), len(s.Reasons)) {
		var cells [6]any
		for j := range cells {
			cells[j] = ""
		}
		if i < len(s.Types) {
			cells[0], cells[1] = s.Types[i].Type, s.Types[i].Events
		}
		if i < len(s.Funnel) {
			cells[2], cells[3] = s.Funnel[i].Step, s.Funnel[i].Sessions
		}
		if i < len(s.Reasons) {
			cells[4], cells[5] = s.Reasons[i].Reason+" "+s.Reasons[i].Pointer, s.Reasons[i].Events
		}
		fmt.Fprintf(table, "%v\t%v\t\t%v\t%v\t\t%v\t%v\n", cells[:]...)
	}
	table.Flush()
}

func (d *demo) writeReport() error {
	if err := writeJSON(filepath.Join(d.dir, "ledger.json"), d.statement.Ledger); err != nil {
		return err
	}
	r := report.Report{
		Input:        fmt.Sprintf("%d visits of simulated shoppers, seed %d", d.simulation.Sessions, d.simulation.Seed),
		Acknowledged: d.sent.Acknowledged,
		Statement:    d.statement,
		Made:         time.Now(),
	}
	if d.log != nil {
		r.Input = filepath.Base(d.events)
		for _, row := range d.log.Skipped {
			r.Skipped = append(r.Skipped, report.Skipped{Line: row.Line, Reason: row.Reason})
		}
	}
	for _, s := range d.steps.done {
		r.Steps = append(r.Steps, report.Step{Name: s.name, Took: s.took})
	}
	f, err := os.Create(filepath.Join(d.dir, "report.html"))
	if err != nil {
		return err
	}
	if err := report.Write(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
