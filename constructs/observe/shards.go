package observe

import (
	"errors"
	"fmt"

	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/internal/check"
	"github.com/shopstream/shopstream/internal/metric"
)

// Scaler is a function that gives a stream shards when it is called, and says
// how many there are and whether they are enough.
type Scaler interface {
	ARN() *string
	AllowService(id, service, sourceARN string)
}

// ShardsProps is a Kinesis stream whose shards a Scaler owns.
type ShardsProps struct {
	Stream *string // required; name; may be a token
	Scaler Scaler  // required
}

// WatchShards watches how full a stream's shards are: above what is planned
// for it calls the scaler, and it pages when that does not help.
func (t *Tier) WatchShards(id string, p ShardsProps) error {
	stream := func(namespace, name, stat string) Metric {
		return Metric{namespace, name, dimension(metric.StreamName, p.Stream), stat}
	}
	problem := errors.Join(required("Stream", p.Stream), check.Required("Scaler", p.Scaler != nil))
	if problem != nil || checkID(id) != nil {
		return t.alarms(id, problem)
	}
	account := t.Topics.account
	p.Scaler.AllowService(id+"_alarm", "lambda.alarms.cloudwatch.amazonaws.com",
		"arn:aws:cloudwatch:"+account.Region+":"+account.ID+":alarm:"+t.Topics.prefix+hyphened(id)+"-filling-up")
	return t.alarms(id, nil, AlarmProps{
		Says:    "The shards fill up, so the scaler is called.",
		Runbook: "docs/runbooks/streams.md#filling-up", Calls: p.Scaler.ARN(),
		Signal: Signal{
			Label:      "load of the shards, percent",
			Expression: fmt.Sprintf("100 * MAX([FILL(m1, 0) / %d, FILL(m2, 0) / %d]) / m3", 60*capacity.ShardBytes, 60*capacity.ShardRecords),
			Metrics: []Metric{
				stream("AWS/Kinesis", "IncomingBytes", "Sum"), stream("AWS/Kinesis", "IncomingRecords", "Sum"),
				stream(metric.Namespace, metric.OpenShards, "Maximum"),
			},
		},
		Comparison: Above, Threshold: 100 * capacity.Utilisation, Missing: MissingIsBad, // the scaler sleeps: a call may wake it
	}, AlarmProps{
		Says:    "The stream needs more shards and gets none, or the scaler says nothing.",
		Runbook: "docs/runbooks/streams.md#not-scaled", Topic: t.Topics.Page,
		Signal:     Signal{Label: "needs more shards and gets none", Metrics: []Metric{stream(metric.Namespace, metric.ShardsRefused, "Maximum")}},
		Comparison: Above, Threshold: 0, Periods: 10, Datapoints: 5, Missing: MissingIsBad,
	})
}
