package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	metrics "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/internal/metric"
)

type kinesisAPI interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	UpdateShardCount(context.Context, *kinesis.UpdateShardCountInput, ...func(*kinesis.Options)) (*kinesis.UpdateShardCountOutput, error)
}

type snsAPI interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

type scaler struct {
	kinesis    kinesisAPI
	cloudwatch cloudwatch.GetMetricDataAPIClient
	sns        snsAPI
	targets    []target
	topic      string    // ARN; told of every change
	metrics    io.Writer // the log
	now        func() time.Time
}

// handle scales every stream. One that fails does not keep the others from it.
func (s *scaler) handle(ctx context.Context) error {
	var errs []error
	for _, t := range s.targets {
		if err := s.scale(ctx, t); err != nil {
			errs = append(errs, fmt.Errorf("scale stream %s: %w", t.Stream, err))
		}
	}
	return errors.Join(errs...)
}

func (s *scaler) scale(ctx context.Context, t target) error {
	now := s.now()
	r, err := s.read(ctx, t.Stream, now)
	if err != nil {
		return err
	}
	d := decide(t, r, now)
	slog.Info("decided", "stream", t.Stream, "shards", r.shards, "target", d.shards, "because", d.why)
	values := map[string]float64{metric.OpenShards: float64(r.shards), metric.ShardsRefused: 0}
	changed := false
	if d.shards != r.shards {
		changed, err = s.change(ctx, t.Stream, d.shards)
	}
	if changed {
		values[metric.ShardChanges] = 1
	}
	if d.refused || err != nil && d.shards > r.shards {
		values[metric.ShardsRefused] = 1
	}
	err = errors.Join(err, metric.Write(s.metrics, now, map[string]string{metric.StreamName: t.Stream}, values))
	if changed {
		err = errors.Join(err, s.tell(ctx, t.Stream, r.shards, d))
	}
	return err
}

// change reports whether AWS took the change. Where another is under way, it
// is that one which the stream needed.
func (s *scaler) change(ctx context.Context, stream string, shards int) (bool, error) {
	_, err := s.kinesis.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
		StreamName: &stream, TargetShardCount: aws.Int32(int32(shards)), ScalingType: types.ScalingTypeUniformScaling,
	})
	if busy := (*types.ResourceInUseException)(nil); errors.As(err, &busy) {
		return false, nil
	}
	return err == nil, err
}

func (s *scaler) tell(ctx context.Context, stream string, from int, d decision) error {
	_, err := s.sns.Publish(ctx, &sns.PublishInput{
		TopicArn: &s.topic,
		Subject:  aws.String("The shards of a stream change"),
		Message:  aws.String(fmt.Sprintf("%s goes from %d to %d shards: %s.", stream, from, d.shards, d.why)),
	})
	return err
}

const (
	lately  = 3 * time.Minute  // CloudWatch knows a minute when it is over, and then not at once
	readers = 15 * time.Minute // in which a reader must have said how far it is
)

// queries are what a decision is made of, by id.
var queries = []struct {
	id, namespace, name, stat string
}{
	{"bytes", "AWS/Kinesis", "IncomingBytes", "Sum"},
	{"records", "AWS/Kinesis", "IncomingRecords", "Sum"},
	{"age", "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum"},
	{"changes", metric.Namespace, metric.ShardChanges, "Sum"},
}

// read asks Kinesis and CloudWatch about a stream. A minute without a number
// of bytes is one in which nothing came.
func (s *scaler) read(ctx context.Context, stream string, now time.Time) (r reading, err error) {
	out, err := s.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &stream})
	if err != nil {
		return r, err
	}
	summary := out.StreamDescriptionSummary
	r.shards, r.active, r.created = int(*summary.OpenShardCount), summary.StreamStatus == types.StreamStatusActive, *summary.StreamCreationTimestamp

	in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(now.Add(-24 * time.Hour)), EndTime: &now}
	for _, q := range queries {
		in.MetricDataQueries = append(in.MetricDataQueries, metrics.MetricDataQuery{
			Id: aws.String(q.id), MetricStat: &metrics.MetricStat{
				Period: aws.Int32(60), Stat: aws.String(q.stat), Metric: &metrics.Metric{
					Namespace: aws.String(q.namespace), MetricName: aws.String(q.name),
					Dimensions: []metrics.Dimension{{Name: aws.String(metric.StreamName), Value: &stream}},
				},
			},
		})
	}
	pages := cloudwatch.NewGetMetricDataPaginator(s.cloudwatch, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return r, err
		}
		for _, result := range page.MetricDataResults {
			if result.StatusCode != metrics.StatusCodeComplete && result.StatusCode != metrics.StatusCodePartialData {
				return r, fmt.Errorf("get metric %s: %s", *result.Id, result.StatusCode)
			}
			for i, at := range result.Timestamps {
				r.add(*result.Id, now, at, result.Values[i])
			}
		}
	}
	return r, nil
}

// add takes in one number of a metric.
func (r *reading) add(id string, now, at time.Time, value float64) {
	since := now.Sub(at)
	fill := func(shards float64) {
		if since <= lately {
			r.load = math.Max(r.load, shards)
		}
		if since <= quiet {
			r.peak = math.Max(r.peak, shards)
		}
	}
	switch id {
	case "bytes":
		fill(value / 60 / capacity.ShardBytes)
	case "records":
		fill(value / 60 / capacity.ShardRecords)
	case "age":
		if age := time.Duration(value) * time.Millisecond; since <= readers && (r.age == nil || age > *r.age) {
			r.age = &age
		}
	case "changes":
		for range int(value) {
			r.changes = append(r.changes, at)
		}
	}
}
