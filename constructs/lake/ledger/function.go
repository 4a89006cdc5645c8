package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/shopstream/shopstream/internal/ledger"
	"github.com/shopstream/shopstream/internal/metric"
)

type athenaAPI interface {
	StartQueryExecution(context.Context, *athena.StartQueryExecutionInput, ...func(*athena.Options)) (*athena.StartQueryExecutionOutput, error)
	GetQueryExecution(context.Context, *athena.GetQueryExecutionInput, ...func(*athena.Options)) (*athena.GetQueryExecutionOutput, error)
	GetQueryResults(context.Context, *athena.GetQueryResultsInput, ...func(*athena.Options)) (*athena.GetQueryResultsOutput, error)
	StopQueryExecution(context.Context, *athena.StopQueryExecutionInput, ...func(*athena.Options)) (*athena.StopQueryExecutionOutput, error)
}

type function struct {
	athena    athenaAPI
	database  string // of the tables packs, receipts and quarantined
	workgroup string
	pipeline  string    // whose ledger it is: the metrics' dimension
	metrics   io.Writer // the log
	now       func() time.Time
	wait      time.Duration // between two looks at a query
}

// handle counts and publishes. That it fails is seen by the numbers that are
// missing then.
func (f *function) handle(ctx context.Context) error {
	now := f.now()
	w := windowAt(now)
	text, err := w.query()
	if err != nil {
		return err
	}
	rows, err := f.run(ctx, text)
	if err != nil {
		return err
	}
	l, err := decode(rows)
	if err != nil {
		return err
	}
	level, says := slog.LevelInfo, "the ledger balances"
	if err := l.Err(); err != nil {
		level, says = slog.LevelError, err.Error()
	}
	slog.Log(ctx, level, says, "from", w.From.Time, "to", w.To.Time, "ledger", l)
	return metric.Write(f.metrics, now, map[string]string{metric.Pipeline: f.pipeline}, map[string]float64{
		metric.Accepted: float64(l.Accepted), metric.Delivered: float64(l.Delivered), metric.Quarantined: float64(l.Quarantined),
		metric.Duplicates: float64(l.Duplicates), metric.Residue: float64(l.Residue), metric.FrameGaps: float64(l.FrameGaps),
		metric.Unreceipted: float64(l.Unreceipted),
	})
}

// run returns a query's answer, the names of its columns first. A query that is
// not done in time is stopped: it would go on, and cost.
func (f *function) run(ctx context.Context, text string) ([]types.Row, error) {
	started, err := f.athena.StartQueryExecution(ctx, &athena.StartQueryExecutionInput{
		QueryString: &text, WorkGroup: &f.workgroup, QueryExecutionContext: &types.QueryExecutionContext{Database: &f.database},
	})
	if err != nil {
		return nil, fmt.Errorf("start the ledger's query: %w", err)
	}
	id := started.QueryExecutionId
	if deadline, ok := ctx.Deadline(); ok { // there Lambda kills the function
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
		defer cancel()
	}
	if err := f.await(ctx, id); err != nil {
		if ctx.Err() != nil {
			_, stopping := f.athena.StopQueryExecution(context.WithoutCancel(ctx), &athena.StopQueryExecutionInput{QueryExecutionId: id})
			err = errors.Join(err, stopping)
		}
		return nil, fmt.Errorf("query %s of the ledger: %w", *id, err)
	}
	answer, err := f.athena.GetQueryResults(ctx, &athena.GetQueryResultsInput{QueryExecutionId: id})
	if err != nil {
		return nil, fmt.Errorf("read the answer of query %s of the ledger: %w", *id, err)
	}
	return answer.ResultSet.Rows, nil
}

// await waits until a query has succeeded.
func (f *function) await(ctx context.Context, id *string) error {
	for {
		got, err := f.athena.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: id})
		if err != nil {
			return err
		}
		switch status := got.QueryExecution.Status; status.State {
		case types.QueryExecutionStateSucceeded:
			return nil
		case types.QueryExecutionStateFailed, types.QueryExecutionStateCancelled:
			return fmt.Errorf("it is %s: %s", status.State, aws.ToString(status.StateChangeReason))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.wait):
		}
	}
}

// decode reads the one row, whose columns are named as a ledger's fields in
// JSON are.
func decode(rows []types.Row) (l ledger.Ledger, err error) {
	if len(rows) != 2 || len(rows[0].Data) != len(rows[1].Data) {
		return l, fmt.Errorf("the ledger's query answers %d rows, want the columns' names and one", len(rows))
	}
	numbers := map[string]json.Number{}
	for i, name := range rows[0].Data {
		numbers[aws.ToString(name.VarCharValue)] = json.Number(cmp.Or(aws.ToString(rows[1].Data[i].VarCharValue), "null"))
	}
	if fields := reflect.TypeFor[ledger.Ledger]().NumField(); len(numbers) != fields {
		return l, fmt.Errorf("the ledger's query answers %d columns, want %d", len(numbers), fields)
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		return l, fmt.Errorf("the ledger's query answers no numbers: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&l); err != nil {
		return l, fmt.Errorf("the ledger's query answers what is no ledger: %w", err)
	}
	return l, nil
}
