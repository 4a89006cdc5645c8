package observe

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/shopstream/shopstream/internal/check"
)

// StreamProps is a Kinesis stream to watch.
type StreamProps struct {
	Name           *string // required; may be a token
	RetentionHours int     // required; 24 to 8760
	Beats          bool    // whether something is always sent, such as a heartbeat: then silence pages; default false
}

// WatchStream watches a stream: room, readers, silence and how much comes in.
func (t *Tier) WatchStream(id string, p StreamProps) error {
	metric := func(name, stat string) []Metric {
		return []Metric{{"AWS/Kinesis", name, dimension("StreamName", p.Name), stat}}
	}
	alarms := []AlarmProps{{
		Says:    "Shards refuse records: senders wait and, in the end, are told to come again.",
		Runbook: "docs/runbooks/streams.md#write-throttled", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "records refused", Metrics: metric("WriteProvisionedThroughputExceeded", "Sum")},
		Comparison: Above, Threshold: 0, Periods: 5, Datapoints: 3, Missing: MissingIsGood,
	}, {
		Says:    "Readers of a shard are held back.",
		Runbook: "docs/runbooks/streams.md#read-throttled", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "reads refused", Metrics: metric("ReadProvisionedThroughputExceeded", "Sum")},
		Comparison: Above, Threshold: 0, Periods: 15, Datapoints: 10, Missing: MissingIsGood,
	}, {
		Says:    "A reader is so far behind that the stream will delete what it has not read.",
		Runbook: "docs/runbooks/streams.md#records-expiring", Topic: t.Topics.Page,
		Signal:     Signal{Label: "age of the oldest read, milliseconds", Metrics: metric("GetRecords.IteratorAgeMilliseconds", "Maximum")},
		Comparison: Above, Threshold: float64(p.RetentionHours) * 3600 * 1000 / 4, Missing: MissingIsGood,
	}, {
		Says:    "Far more or far less comes in than this hour of the week lets expect.",
		Runbook: "docs/runbooks/streams.md#unusual", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "records", Seconds: 300, Metrics: metric("IncomingRecords", "Sum")},
		Comparison: OffBand, Threshold: 4, Periods: 3, Missing: MissingIsGood,
	}}
	if p.Beats {
		alarms = append(alarms, AlarmProps{
			Says:    "Nothing comes in, not even the heartbeat.",
			Runbook: "docs/runbooks/heartbeat.md#silent", Topic: t.Topics.Page,
			Signal:     Signal{Label: "records", Metrics: metric("IncomingRecords", "Sum")},
			Comparison: Below, Threshold: 1, Periods: 5, Missing: MissingIsBad,
		})
	}
	return t.alarms(id, errors.Join(required("Name", p.Name), check.Between("RetentionHours", p.RetentionHours, 24, 8760)), alarms...)
}

// DeliveryProps is a Firehose stream that reads a Kinesis stream and writes to S3.
type DeliveryProps struct {
	Name          *string // required; may be a token
	Function      *string // name of the function that fills the Kinesis stream; its lag counts; default none
	WithinSeconds int     // from acceptance to S3, 60 to 86400; default RawWithin
	Beats         bool    // whether something is always delivered, such as a heartbeat: then silence pages; default false
}

// WatchDelivery watches a delivery: whether it keeps its objective, and fails.
func (t *Tier) WatchDelivery(id string, p DeliveryProps) error {
	p.WithinSeconds = cmp.Or(p.WithinSeconds, int(RawWithin.Seconds()))
	metric := func(name, stat string) Metric {
		return Metric{"AWS/Firehose", name, dimension("DeliveryStreamName", p.Name), stat}
	}
	age := Signal{
		Label:      "age at arrival, seconds",
		Metrics:    []Metric{metric("DeliveryToS3.DataFreshness", "Maximum"), metric("KinesisMillisBehindLatest", "Maximum")},
		Expression: "FILL(m1, 0) + FILL(m2, 0) / 1000",
	}
	if p.Function != nil {
		age.Metrics = append(age.Metrics, Metric{"AWS/Lambda", "IteratorAge", dimension("FunctionName", p.Function), "Maximum"})
		age.Expression += " + FILL(m3, 0) / 1000"
	}
	alarms := []AlarmProps{{
		Says:    fmt.Sprintf("Events reach S3 more than %d seconds after they were accepted.", p.WithinSeconds),
		Runbook: "docs/runbooks/delivery.md#late", Topic: t.Topics.Page, Signal: age,
		Comparison: Above, Threshold: float64(p.WithinSeconds), Periods: 5, Datapoints: 3, Missing: MissingIsGood,
	}, {
		Says:    "Firehose fails to write to S3 and tries again.",
		Runbook: "docs/runbooks/delivery.md#failing", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "share of writes that succeed", Seconds: 300, Metrics: []Metric{metric("DeliveryToS3.Success", "Average")}},
		Comparison: Below, Threshold: 1, Periods: 3, Datapoints: 2, Missing: MissingIsGood,
	}, {
		Says:    "Firehose may not use a key, so nothing is delivered.",
		Runbook: "docs/runbooks/delivery.md#locked-out", Topic: t.Topics.Page,
		Signal: Signal{
			Label: "refusals by KMS", Seconds: 300, Expression: "FILL(m1, 0) + FILL(m2, 0) + FILL(m3, 0) + FILL(m4, 0)",
			Metrics: []Metric{metric("KMSKeyAccessDenied", "Sum"), metric("KMSKeyDisabled", "Sum"), metric("KMSKeyInvalidState", "Sum"), metric("KMSKeyNotFound", "Sum")},
		},
		Comparison: Above, Threshold: 0, Missing: MissingIsGood,
	}}
	if p.Beats {
		alarms = append(alarms, AlarmProps{
			Says:    "Nothing is delivered, not even the heartbeat.",
			Runbook: "docs/runbooks/heartbeat.md#silent", Topic: t.Topics.Page,
			Signal:     Signal{Label: "records", Seconds: 300, Metrics: []Metric{metric("DeliveryToS3.Records", "Sum")}},
			Comparison: Below, Threshold: 1, Periods: 3, Missing: MissingIsBad, // Firehose may keep what it has for 15 minutes
		})
	}
	problem := errors.Join(required("Name", p.Name), check.Between("WithinSeconds", p.WithinSeconds, 60, 86400))
	return t.alarms(id, problem, alarms...)
}
