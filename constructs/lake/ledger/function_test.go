package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/shopstream/shopstream/internal/metric"
)

// fakeAthena answers one query, after it has looked at it once.
type fakeAthena struct {
	answer  func(query string) []types.Row
	state   types.QueryExecutionState // default succeeded
	refusal error

	asked   *athena.StartQueryExecutionInput
	looks   int
	stopped string
}

func (a *fakeAthena) StartQueryExecution(_ context.Context, in *athena.StartQueryExecutionInput, _ ...func(*athena.Options)) (*athena.StartQueryExecutionOutput, error) {
	a.asked = in
	return &athena.StartQueryExecutionOutput{QueryExecutionId: aws.String("q1")}, a.refusal
}

func (a *fakeAthena) GetQueryExecution(_ context.Context, in *athena.GetQueryExecutionInput, _ ...func(*athena.Options)) (*athena.GetQueryExecutionOutput, error) {
	status := &types.QueryExecutionStatus{State: types.QueryExecutionStateRunning, StateChangeReason: aws.String("limit reached")}
	if a.looks++; a.looks > 1 {
		status.State = types.QueryExecutionStateSucceeded
		if a.state != "" {
			status.State = a.state
		}
	}
	return &athena.GetQueryExecutionOutput{QueryExecution: &types.QueryExecution{Status: status}}, nil
}

func (a *fakeAthena) GetQueryResults(_ context.Context, in *athena.GetQueryResultsInput, _ ...func(*athena.Options)) (*athena.GetQueryResultsOutput, error) {
	if *in.QueryExecutionId != "q1" {
		return nil, errors.New("no such query")
	}
	return &athena.GetQueryResultsOutput{ResultSet: &types.ResultSet{Rows: a.answer(*a.asked.QueryString)}}, nil
}

func (a *fakeAthena) StopQueryExecution(ctx context.Context, in *athena.StopQueryExecutionInput, _ ...func(*athena.Options)) (*athena.StopQueryExecutionOutput, error) {
	a.stopped = *in.QueryExecutionId
	return nil, ctx.Err()
}

func newTestFunction(a *fakeAthena) (*function, *bytes.Buffer) {
	var log bytes.Buffer
	return &function{
		athena: a, database: "shopstream_test_lake", workgroup: "shopstream-test-analysts", pipeline: "test",
		metrics: &log, now: func() time.Time { return later }, wait: time.Millisecond,
	}, &log
}

// published are the numbers of one call, as CloudWatch Logs takes them.
func published(t *testing.T, l *lake) map[string]float64 {
	t.Helper()
	a := &fakeAthena{answer: l.answer}
	f, log := newTestFunction(a)
	if err := f.handle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if *a.asked.WorkGroup != f.workgroup || *a.asked.QueryExecutionContext.Database != f.database {
		t.Errorf("asked %+v", a.asked)
	}
	var line struct {
		Pipeline string
		AWS      struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	values := map[string]any{}
	if err := errors.Join(json.Unmarshal(log.Bytes(), &line), json.Unmarshal(log.Bytes(), &values)); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	directive := line.AWS.CloudWatchMetrics[0]
	if directive.Namespace != metric.Namespace || line.Pipeline != "test" || len(directive.Dimensions) != 1 || len(directive.Dimensions[0]) != 1 ||
		directive.Dimensions[0][0] != metric.Pipeline || line.AWS.Timestamp != later.UnixMilli() {
		t.Errorf("published %s", log)
	}
	numbers := map[string]float64{}
	for _, m := range directive.Metrics {
		numbers[m.Name] = values[m.Name].(float64)
	}
	return numbers
}

// TestWhateverIsDeletedMovesAMetricThatRings deletes one of each, one at a time.
func TestWhateverIsDeletedMovesAMetricThatRings(t *testing.T) {
	for name, c := range map[string]struct {
		remove func(*lake)
		metric string
	}{
		"nothing":                  {func(*lake) {}, ""},
		"a frame's receipt":        {func(l *lake) { l.Drop(receiptsHour+"a.json.gz", 0) }, metric.FrameGaps},
		"a pack":                   {func(l *lake) { l.Drop(rawHour+"a", 1) }, metric.Residue},
		"a raw object":             {func(l *lake) { l.Delete(rawHour + "a") }, metric.Residue},
		"a quarantine object":      {func(l *lake) { l.Delete(quarantineHour + "b.json.gz") }, metric.Residue},
		"a receipts object":        {func(l *lake) { l.Delete(receiptsHour + "b.json.gz") }, metric.FrameGaps},
		"the last receipts object": {func(l *lake) { l.Delete(receiptsHour + "c.json.gz") }, metric.Unreceipted},
		"all of a frame": {func(l *lake) {
			l.Drop(receiptsHour+"b.json.gz", 0)
			l.Drop(rawHour+"a", 1)
			l.Delete(quarantineHour + "b.json.gz")
		}, metric.Residue},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			stored(l)
			c.remove(l)
			got := published(t, l)
			if len(got) != 7 || c.metric != "" && got[c.metric] <= 0 || c.metric == "" && got[metric.Residue]+got[metric.FrameGaps]+got[metric.Unreceipted] != 0 {
				t.Errorf("published %v, want %s over 0", got, c.metric)
			}
		})
	}
}

func TestAQueryThatFailsPublishesNothing(t *testing.T) {
	answer := func(names, values string) func(string) []types.Row {
		row := func(text string) (r types.Row) {
			for value := range strings.SplitSeq(text, " ") {
				d := types.Datum{VarCharValue: &value}
				if value == "NULL" {
					d.VarCharValue = nil
				}
				r.Data = append(r.Data, d)
			}
			return r
		}
		return func(string) []types.Row { return []types.Row{row(names), row(values)} }
	}
	const names = "accepted delivered quarantined duplicates residue frame_gaps unreceipted"
	for name, c := range map[string]struct {
		athena *fakeAthena
		want   string
	}{
		"refused":        {&fakeAthena{refusal: errors.New("no such workgroup")}, "start the ledger's query: no such workgroup"},
		"failed":         {&fakeAthena{state: types.QueryExecutionStateFailed}, "query q1 of the ledger: it is FAILED: limit reached"},
		"cancelled":      {&fakeAthena{state: types.QueryExecutionStateCancelled}, "query q1 of the ledger: it is CANCELLED: limit reached"},
		"no row":         {&fakeAthena{answer: func(string) []types.Row { return make([]types.Row, 1) }}, "answers 1 rows"},
		"another column": {&fakeAthena{answer: answer(strings.Replace(names, "residue", "rest", 1), "1 1 0 0 0 0 0")}, `unknown field "rest"`},
		"a column less":  {&fakeAthena{answer: answer("accepted delivered", "1 1")}, "answers 2 columns, want 7"},
		"no number":      {&fakeAthena{answer: answer(names, "1 1 0 0 NULL 0 0")}, "answers no numbers"},
	} {
		t.Run(name, func(t *testing.T) {
			f, log := newTestFunction(c.athena)
			if err := f.handle(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || log.Len() > 0 {
				t.Errorf("error is %v, want %q; published %s", err, c.want, log)
			}
		})
	}
}

func TestAQueryThatIsNotDoneInTimeIsStopped(t *testing.T) {
	a := &fakeAthena{state: types.QueryExecutionStateRunning}
	f, log := newTestFunction(a)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.handle(ctx); !errors.Is(err, context.DeadlineExceeded) || a.stopped != "q1" || log.Len() > 0 || ctx.Err() != nil {
		t.Errorf("error is %v, stopped %q, %v left, published %s", err, a.stopped, ctx.Err(), log)
	}
}

func TestSettingsThatAreMissingAreAllNamed(t *testing.T) {
	_, err := newFunction(t.Context(), func(string) string { return "" })
	for _, name := range []string{"DATABASE", "WORKGROUP", "PIPELINE"} {
		if err == nil || !strings.Contains(err.Error(), "environment variable "+name+" is required") {
			t.Errorf("error is %v, want %s", err, name)
		}
	}
}
