package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/ledger/ledgertest"
)

// lake is a pipeline's buckets, in which DuckDB queries what Athena does: the
// same text, translated, over tables with the catalog's columns.
type lake struct {
	*ledgertest.Buckets
	t      *testing.T
	reader ledger.Reader
}

func newLake(t *testing.T) *lake {
	t.Helper()
	s3 := ledgertest.New(t)
	return &lake{s3, t, ledger.Reader{
		S3: ledger.NewS3(s3.Config()), DuckDB: ledgertest.Tool(t, "duckdb"), Dir: t.TempDir(),
		Raw: "raw", Quarantine: "quarantine", Ledger: "ledger", Failed: "failed",
	}}
}

// catalog are the tables as stacks define them: Athena's are, too.
var catalog = []struct {
	name, objects, prefix string
	columns               []event.Column
}{
	{"packs", "raw/events", "arrival_", event.Columns(event.Pack{})},
	{"quarantined", "quarantine/events", "", event.Columns(event.Quarantined{})},
	{"receipts", "ledger/receipts", "", event.Columns(event.Receipt{})},
}

// translated are texts of DuckDB's by Athena's: a translation takes longer than a query.
var translated = map[string]string{}

// translate returns the tables and the query in DuckDB's words. The tables'
// objects are named relative to the working directory.
func translate(t *testing.T, query string) string {
	t.Helper()
	if text, ok := translated[query]; ok {
		return text
	}
	var words struct {
		Query string   `json:"query"`
		Types []string `json:"types"`
	}
	words.Query = query
	for _, table := range catalog {
		for _, c := range table.columns {
			words.Types = append(words.Types, c.GlueJSON)
		}
	}
	in, err := json.Marshal(words)
	if err != nil {
		t.Fatal(err)
	}
	out := output(t, exec.Command(ledgertest.Tool(t, "python"), filepath.Join("testdata", "duckdb.py")), in)
	if err := json.Unmarshal(out, &words); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("SET autoinstall_known_extensions = false;\n")
	for _, table := range catalog {
		var columns []string
		for _, c := range table.columns {
			columns = append(columns, fmt.Sprintf(`"%s": '%s'`, c.Name, words.Types[0]))
			words.Types = words.Types[1:]
		}
		fmt.Fprintf(&text, "CREATE VIEW %s AS SELECT * FROM read_json('%s/*/*/*.gz', format = 'newline_delimited', compression = 'gzip', "+
			"maximum_object_size = 4194304, hive_partitioning = true, hive_types_autocast = false, columns = {%s});\n",
			table.name, table.objects, strings.Join(columns, ", "))
	}
	text.WriteString(words.Query + ";")
	translated[query] = text.String()
	return translated[query]
}

func output(t *testing.T, cmd *exec.Cmd, in []byte) []byte {
	t.Helper()
	var problems bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, &problems)
	}
	return out
}

// answer is what the query answers at a time, as Athena has it.
func (l *lake) answer(query string) []types.Row {
	l.t.Helper()
	if _, err := l.reader.Read(l.t.Context()); err != nil { // copies the objects
		l.t.Fatal(err)
	}
	for _, table := range catalog { // DuckDB wants a file at least
		dir := filepath.Join(l.reader.Dir, table.objects, table.prefix+"date=2020-01-01", table.prefix+"hour=00")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			l.t.Fatal(err)
		}
		empty, err := os.ReadFile(filepath.Join(l.reader.Dir, filepath.Dir(table.objects), "empty.gz"))
		if err != nil {
			l.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "empty.gz"), empty, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	cmd := exec.Command(l.reader.DuckDB, "-header", "-list", "-init", os.DevNull, ":memory:")
	cmd.Dir = l.reader.Dir
	var rows []types.Row
	for line := range strings.Lines(string(output(l.t, cmd, []byte(translate(l.t, query))))) {
		var row types.Row
		for value := range strings.SplitSeq(strings.TrimSpace(line), "|") {
			row.Data = append(row.Data, types.Datum{VarCharValue: &value})
		}
		rows = append(rows, row)
	}
	return rows
}

// at is the ledger of a run at a time.
func (l *lake) at(now time.Time) ledger.Ledger {
	l.t.Helper()
	query, err := windowAt(now).query()
	if err != nil {
		l.t.Fatal(err)
	}
	got, err := decode(l.answer(query))
	if err != nil {
		l.t.Fatal(err)
	}
	if got.Accepted+got.Unreceipted != got.Delivered+got.Quarantined+got.Duplicates+got.Residue {
		l.t.Errorf("the two sides differ: %+v", got)
	}
	return got
}
