package observe

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchlogmetricfilter"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketmetric"

	"github.com/shopstream/shopstream/internal/check"
	"github.com/shopstream/shopstream/internal/metric"
)

// TableProps is a DynamoDB table to watch.
type TableProps struct {
	Name *string // required; may be a token
}

// WatchTable watches a table: requests that it refuses for their rate.
func (t *Tier) WatchTable(id string, p TableProps) error {
	metric := func(name string) Metric {
		return Metric{"AWS/DynamoDB", name, dimension("TableName", p.Name), "Sum"}
	}
	return t.alarms(id, required("Name", p.Name), AlarmProps{
		Says:    "The table refuses requests for their rate.",
		Runbook: "docs/runbooks/tables.md#throttled", Topic: t.Topics.Ticket,
		Signal: Signal{
			Label: "throttled requests", Expression: "FILL(m1, 0) + FILL(m2, 0)",
			Metrics: []Metric{metric("ReadThrottleEvents"), metric("WriteThrottleEvents")},
		},
		Comparison: Above, Threshold: 0, Periods: 5, Datapoints: 3, Missing: MissingIsGood,
	})
}

// BucketProps is an S3 bucket to watch.
type BucketProps struct {
	Bucket  *string // required; may be a token
	Rejects bool    // whether its objects are what was rejected: then an unusual amount is told; default false
}

// WatchBucket watches who is refused, and where the bucket takes rejects, how
// much comes in. It has S3 count the bucket's requests, which costs money.
func (t *Tier) WatchBucket(id string, p BucketProps) error {
	problem := errors.Join(checkID(id), required("Bucket", p.Bucket))
	if problem != nil {
		return fmt.Errorf("watch %q: %w", id, problem)
	}
	every := s3bucketmetric.NewS3BucketMetric(t.scope, jsii.String(id+"_requests"), &s3bucketmetric.S3BucketMetricConfig{
		Bucket: p.Bucket, Name: jsii.String("all"),
	})
	metric := func(name string) []Metric {
		return []Metric{{"AWS/S3", name, map[string]*string{"BucketName": p.Bucket, "FilterId": every.Name()}, "Sum"}}
	}
	alarms := []AlarmProps{{
		Says:    "Somebody is refused again and again.",
		Runbook: "docs/runbooks/buckets.md#refused", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "refused requests", Seconds: 300, Metrics: metric("4xxErrors")},
		Comparison: Above, Threshold: 20, Periods: 3, Datapoints: 2, Missing: MissingIsGood,
	}}
	if p.Rejects {
		alarms = append(alarms, AlarmProps{
			Says:    "Far more is rejected than this hour of the week lets expect.",
			Runbook: "docs/runbooks/buckets.md#rejected", Topic: t.Topics.Ticket,
			Signal:     Signal{Label: "bytes", Seconds: 300, Metrics: metric("BytesUploaded")},
			Comparison: AboveBand, Threshold: 6, Periods: 3, Missing: MissingIsGood,
		})
	}
	return t.alarms(id, nil, alarms...)
}

// LogProps is a log group of JSON lines to watch.
type LogProps struct {
	Group *string // required; may be a token
	Lines int     // errors in five minutes that are too many, 1 to 100000; default 10
}

// WatchLog counts the lines of level ERROR in a log group.
func (t *Tier) WatchLog(id string, p LogProps) error {
	p.Lines = cmp.Or(p.Lines, 10)
	problem := errors.Join(checkID(id), required("Group", p.Group), check.Between("Lines", p.Lines, 1, 100_000))
	if problem != nil {
		return fmt.Errorf("watch %q: %w", id, problem)
	}
	// A filter takes dimensions from the lines alone: the name tells the logs apart.
	name := t.Topics.prefix + hyphened(id) + "-errors"
	filter := cloudwatchlogmetricfilter.NewCloudwatchLogMetricFilter(t.scope, jsii.String(id+"_errors"), &cloudwatchlogmetricfilter.CloudwatchLogMetricFilterConfig{
		Name: &name, LogGroupName: p.Group, Pattern: jsii.String(`{ $.level = "ERROR" }`),
		MetricTransformation: &cloudwatchlogmetricfilter.CloudwatchLogMetricFilterMetricTransformation{
			Namespace: jsii.String(Namespace), Name: &name, Value: jsii.String("1"),
		},
	})
	metric := Metric{Namespace: Namespace, Name: *filter.Name(), Stat: "Sum"} // a filter and its metric have one name
	return t.alarms(id, nil, AlarmProps{
		Says:    "The program logs errors.",
		Runbook: "docs/runbooks/functions.md#error-lines", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "lines of level ERROR", Seconds: 300, Metrics: []Metric{metric}},
		Comparison: Above, Threshold: float64(p.Lines), Periods: 3, Datapoints: 2, Missing: MissingIsGood,
	})
}

// WatchLedger watches that nothing is lost: what the ledger publishes hourly
// under pipeline's name, which may be a token. That it publishes nothing is a
// loss, too, until it says otherwise.
func (t *Tier) WatchLedger(id string, pipeline *string) error {
	// Two hours hold a number of an hourly job even where it runs late.
	published := func(label, name string) Signal {
		return Signal{Label: label, Seconds: 2 * 3600, Metrics: []Metric{{Namespace, name, dimension(metric.Pipeline, pipeline), "Maximum"}}}
	}
	return t.alarms(id, required("pipeline", pipeline), AlarmProps{
		Says:    "Accepted events are neither in the lake nor in the quarantine, or the ledger does not say.",
		Runbook: "docs/runbooks/ledger.md#residue", Topic: t.Topics.Page, Signal: published("events that are nowhere", metric.Residue),
		Comparison: Above, Threshold: 0, Missing: MissingIsBad,
	}, AlarmProps{
		Says:    "Frames are missing in their sequences, or the ledger does not say.",
		Runbook: "docs/runbooks/ledger.md#frame-gaps", Topic: t.Topics.Page, Signal: published("missing frames", metric.FrameGaps),
		Comparison: Above, Threshold: 0, Missing: MissingIsBad,
	}, AlarmProps{
		Says:    "Events are stored whose acceptance nothing proves, or the ledger does not say.",
		Runbook: "docs/runbooks/ledger.md#unreceipted", Topic: t.Topics.Page, Signal: published("events without a receipt", metric.Unreceipted),
		Comparison: Above, Threshold: 0, Missing: MissingIsBad,
	})
}

// DelayProps is a stage that publishes how old events are when they get there.
type DelayProps struct {
	Pipeline      string  // required; the Pipeline dimension of the metric
	Stage         string  // required; the Stage dimension of the metric, such as tables
	WithinSeconds float64 // required; the objective, above 0
	EverySeconds  int     // how often the stage publishes, 60 to 43200, a multiple of 60; default 60
}

// WatchDelay watches the metric DelaySeconds of a stage against its objective.
// That it publishes nothing is a delay.
func (t *Tier) WatchDelay(id string, p DelayProps) error {
	p.EverySeconds = cmp.Or(p.EverySeconds, 60)
	problem := errors.Join(
		check.Required("Pipeline", p.Pipeline != ""), check.Required("Stage", p.Stage != ""),
		check.That(p.WithinSeconds > 0, "WithinSeconds must be above 0, got %v", p.WithinSeconds),
		check.Between("EverySeconds", p.EverySeconds, 60, 43200),
	)
	return t.alarms(id, problem, AlarmProps{
		Says:    fmt.Sprintf("Events reach the stage %q more than %g seconds after they were accepted, or it does not say.", p.Stage, p.WithinSeconds),
		Runbook: "docs/runbooks/delivery.md#stage-late", Topic: t.Topics.Ticket,
		Signal: Signal{
			Label: "age at arrival, seconds", Seconds: p.EverySeconds,
			Metrics: []Metric{{Namespace, "DelaySeconds", map[string]*string{"Pipeline": &p.Pipeline, "Stage": &p.Stage}, "Maximum"}},
		},
		Comparison: Above, Threshold: p.WithinSeconds, Periods: 2, Missing: MissingIsBad,
	})
}
