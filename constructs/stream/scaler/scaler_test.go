package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	metrics "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// account is an AWS account in which every stream has four shards.
type account struct {
	numbers map[string]float64 // by metric's name: a minute ago
	minutes time.Duration      // or so long ago
	status  metrics.StatusCode
	refusal error  // of a change
	away    string // the stream that nobody knows

	changed, told []string
	asked         *cloudwatch.GetMetricDataInput
}

func (a *account) DescribeStreamSummary(_ context.Context, in *kinesis.DescribeStreamSummaryInput, _ ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	if *in.StreamName == a.away {
		return nil, errors.New("no such stream")
	}
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{
		OpenShardCount: aws.Int32(4), StreamStatus: types.StreamStatusActive, StreamCreationTimestamp: &old,
	}}, nil
}

func (a *account) UpdateShardCount(_ context.Context, in *kinesis.UpdateShardCountInput, _ ...func(*kinesis.Options)) (*kinesis.UpdateShardCountOutput, error) {
	if in.ScalingType != types.ScalingTypeUniformScaling {
		return nil, errors.New("no such way to scale")
	}
	a.changed = append(a.changed, *in.StreamName)
	return &kinesis.UpdateShardCountOutput{TargetShardCount: in.TargetShardCount}, a.refusal
}

// GetMetricData answers in two pages, as CloudWatch may.
func (a *account) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	a.asked = in
	half, next := in.MetricDataQueries[:2], aws.String("more")
	if in.NextToken != nil {
		half, next = in.MetricDataQueries[2:], nil
	}
	out := &cloudwatch.GetMetricDataOutput{NextToken: next}
	for _, q := range half {
		result := metrics.MetricDataResult{Id: q.Id, StatusCode: a.status}
		if number, has := a.numbers[*q.MetricStat.Metric.MetricName]; has {
			result.Timestamps, result.Values = []time.Time{noon.Add(-a.minutes)}, []float64{number}
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
	}
	return out, nil
}

func (a *account) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	a.told = append(a.told, *in.TopicArn+": "+*in.Message)
	return &sns.PublishOutput{}, nil
}

// run lets a scaler with two streams look at the account once.
func (a *account) run(t *testing.T) (log string, err error) {
	t.Helper()
	if a.status == "" {
		a.status = metrics.StatusCodeComplete
	}
	if a.minutes == 0 {
		a.minutes = time.Minute
	}
	var lines bytes.Buffer
	s := &scaler{
		kinesis: a, cloudwatch: a, sns: a, topic: "topic", metrics: &lines, now: func() time.Time { return noon },
		targets: []target{{"gateway", 1, 16}, {"events", 1, 16}},
	}
	err = s.handle(t.Context())
	return lines.String(), err
}

func TestTheScalerGoesByBytesOrRecordsWhicheverFillsMore(t *testing.T) {
	for name, c := range map[string]struct {
		numbers map[string]float64
		changes int
	}{
		"many bytes":        {map[string]float64{"IncomingBytes": 3 * 60e6, "IncomingRecords": 60}, 2},
		"many records":      {map[string]float64{"IncomingBytes": 60, "IncomingRecords": 3 * 60e3}, 2},
		"little of both":    {map[string]float64{"IncomingBytes": 2.2 * 60e6, "IncomingRecords": 2.2 * 60e3}, 0},
		"nothing at all":    {nil, 0}, // and no reader says anything
		"an idle stream":    {map[string]float64{"IncomingBytes": 60, "GetRecords.IteratorAgeMilliseconds": 1000}, 2},
		"a reader behind":   {map[string]float64{"IncomingBytes": 60, "GetRecords.IteratorAgeMilliseconds": 61_000}, 0},
		"changes are spent": {map[string]float64{"IncomingBytes": 4 * 60e6, "ShardChanges": 10}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := &account{numbers: c.numbers}
			if _, err := a.run(t); err != nil || len(a.changed) != c.changes {
				t.Errorf("got changes of %v and %v, want %d", a.changed, err, c.changes)
			}
		})
	}
}

func TestTheScalerActsOnTheLastMinutesAlone(t *testing.T) {
	a := &account{numbers: map[string]float64{"IncomingBytes": 4 * 60e6, "GetRecords.IteratorAgeMilliseconds": 0}, minutes: 4 * time.Minute}
	if _, err := a.run(t); err != nil || len(a.changed) > 0 {
		t.Errorf("got changes of %v and %v, want none for what is over", a.changed, err)
	}
	if from := noon.Sub(*a.asked.StartTime); from != 24*time.Hour {
		t.Errorf("got %s of metrics, want a day, for which changes are counted", from)
	}
}

func TestAChangeIsToldAndCounted(t *testing.T) {
	a := &account{numbers: map[string]float64{"IncomingBytes": 3 * 60e6}}
	log, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}
	want := "topic: gateway goes from 4 to 8 shards: its load fills 3.0 of 4 shards."
	if len(a.told) != 2 || a.told[0] != want {
		t.Errorf("got %q, want %q and the other stream's", a.told, want)
	}
	if lines := strings.Split(strings.TrimSpace(log), "\n"); len(lines) != 2 || !strings.Contains(lines[1], `"ShardChanges":1,"ShardsRefused":0,"StreamName":"events"`) {
		t.Errorf("got metrics %s", log)
	}
}

func TestWithoutAChangeNobodyIsToldAndTheShardsAreCounted(t *testing.T) {
	a := &account{}
	log, err := a.run(t)
	if err != nil || len(a.told) > 0 || strings.Contains(log, "ShardChanges") || !strings.Contains(log, `{"OpenShards":4,"ShardsRefused":0,"StreamName":"gateway"`) {
		t.Errorf("got %q, %v and metrics %s", a.told, err, log)
	}
}

func TestARefusalShowsInAMetricAndFailsTheCall(t *testing.T) {
	a := &account{numbers: map[string]float64{"IncomingBytes": 3 * 60e6}, refusal: &types.LimitExceededException{Message: aws.String("500 shards")}}
	log, err := a.run(t)
	if err == nil || !strings.Contains(err.Error(), "500 shards") || len(a.told) > 0 {
		t.Errorf("got %v, and told %q", err, a.told)
	}
	if strings.Count(log, `"ShardsRefused":1`) != 2 || strings.Contains(log, "ShardChanges") {
		t.Errorf("got metrics %s", log)
	}
}

func TestAChangeThatSomebodyElseMakesIsNoFault(t *testing.T) {
	a := &account{numbers: map[string]float64{"IncomingBytes": 3 * 60e6}, refusal: &types.ResourceInUseException{}}
	log, err := a.run(t)
	if err != nil || len(a.told) > 0 || strings.Contains(log, `"ShardsRefused":1`) || strings.Contains(log, "ShardChanges") {
		t.Errorf("got %q, %v and metrics %s", a.told, err, log)
	}
}

func TestMetricsThatCloudWatchDoesNotGiveChangeNothing(t *testing.T) {
	a := &account{numbers: map[string]float64{"IncomingBytes": 3 * 60e6}, status: metrics.StatusCodeInternalError}
	if _, err := a.run(t); err == nil || !strings.Contains(err.Error(), "get metric bytes: InternalError") || len(a.changed) > 0 {
		t.Errorf("got %v and changes of %v", err, a.changed)
	}
}

func TestAStreamThatFailsDoesNotKeepTheOther(t *testing.T) {
	a := &account{numbers: map[string]float64{"IncomingBytes": 3 * 60e6}, away: "gateway"}
	if _, err := a.run(t); err == nil || !strings.Contains(err.Error(), "scale stream gateway") || len(a.changed) != 1 || a.changed[0] != "events" {
		t.Errorf("got %v and changes of %v, want that of events", err, a.changed)
	}
}

func TestTheScalerTellsAllThatItLacks(t *testing.T) {
	_, err := newScaler(t.Context(), func(string) string { return "" })
	for _, want := range []string{"TOPIC_ARN is required", "STREAMS must be a list"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
