package observe

import (
	"cmp"
	"errors"

	"github.com/shopstream/shopstream/internal/check"
)

// FunctionProps is a Lambda function to watch.
type FunctionProps struct {
	Name           *string // required; may be a token
	TimeoutSeconds int     // required; the function's, 1 to 900
	BehindSeconds  int     // age of a record that is read late, 1 to 604800; default 0: it reads no stream
	EverySeconds   int     // how often it is called, 300 to 86400, a multiple of 60; where that is seldom, one call that fails is told; default 300 or more often
}

// WatchFunction watches a function: errors, room, time, and how far it is
// behind where it reads a stream.
func (t *Tier) WatchFunction(id string, p FunctionProps) error {
	metric := func(name, stat string) Metric {
		return Metric{"AWS/Lambda", name, dimension("FunctionName", p.Name), stat}
	}
	p.EverySeconds = cmp.Or(p.EverySeconds, 300)
	periods, datapoints := 3, 2
	if p.EverySeconds > 300 { // a period has one call
		periods, datapoints = 1, 1
	}
	alarms := []AlarmProps{{
		Says:    "More than one call in a hundred fails.",
		Runbook: "docs/runbooks/functions.md#errors", Topic: t.Topics.Ticket,
		Signal: Signal{
			Label: "failed calls, percent", Seconds: p.EverySeconds, Expression: "100 * m1 / m2",
			Metrics: []Metric{metric("Errors", "Sum"), metric("Invocations", "Sum")},
		},
		Comparison: Above, Threshold: 1, Periods: periods, Datapoints: datapoints, Missing: MissingIsGood,
	}, {
		Says:    "Calls find no free execution.",
		Runbook: "docs/runbooks/functions.md#throttles", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "throttled calls", Metrics: []Metric{metric("Throttles", "Sum")}},
		Comparison: Above, Threshold: 0, Periods: 15, Datapoints: 10, Missing: MissingIsGood,
	}, {
		Says:    "Calls take four fifths of their timeout, at which they fail.",
		Runbook: "docs/runbooks/functions.md#slow", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "longest call, milliseconds", Seconds: p.EverySeconds, Metrics: []Metric{metric("Duration", "Maximum")}},
		Comparison: Above, Threshold: float64(p.TimeoutSeconds) * 1000 * 4 / 5, Periods: periods, Datapoints: datapoints, Missing: MissingIsGood,
	}}
	if p.BehindSeconds > 0 {
		alarms = append(alarms, AlarmProps{
			Says:    "The function falls behind the stream that it reads.",
			Runbook: "docs/runbooks/functions.md#behind", Topic: t.Topics.Page,
			Signal:     Signal{Label: "age of the last record, milliseconds", Metrics: []Metric{metric("IteratorAge", "Maximum")}},
			Comparison: Above, Threshold: float64(p.BehindSeconds) * 1000, Periods: 5, Datapoints: 3, Missing: MissingIsGood,
		}, AlarmProps{
			Says:    "Records that could not be processed could not be kept either.",
			Runbook: "docs/runbooks/functions.md#failures-lost", Topic: t.Topics.Page,
			Signal:     Signal{Label: "failures that found no place", Metrics: []Metric{metric("DestinationDeliveryFailures", "Sum")}},
			Comparison: Above, Threshold: 0, Missing: MissingIsGood,
		})
	}
	problem := errors.Join(
		required("Name", p.Name),
		check.Between("TimeoutSeconds", p.TimeoutSeconds, 1, 900),
		check.Between("BehindSeconds", p.BehindSeconds, 0, 604800),
		check.Between("EverySeconds", p.EverySeconds, 300, 86400),
	)
	return t.alarms(id, problem, alarms...)
}

// QueueProps is an SQS queue and its dead-letter queue.
type QueueProps struct {
	Name           *string // required; may be a token
	DeadLetters    *string // required; name of the dead-letter queue; may be a token
	WaitingSeconds int     // age of a message that nobody took, 60 to 1209600; default 3600
	RetentionHours int     // required; of both queues, 1 to 336
}

// WatchQueue watches what could not be processed: messages nobody takes,
// messages given up, and messages about to be forgotten.
func (t *Tier) WatchQueue(id string, p QueueProps) error {
	p.WaitingSeconds = cmp.Or(p.WaitingSeconds, 3600)
	metric := func(queue *string, name string) Metric {
		return Metric{"AWS/SQS", name, dimension("QueueName", queue), "Maximum"}
	}
	problem := errors.Join(
		required("Name", p.Name), required("DeadLetters", p.DeadLetters),
		check.Between("WaitingSeconds", p.WaitingSeconds, 60, 1209600),
		check.Between("RetentionHours", p.RetentionHours, 1, 336),
	)
	return t.alarms(id, problem, AlarmProps{
		Says:    "Nobody takes what could not be processed.",
		Runbook: "docs/runbooks/failures.md#waiting", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "age of the oldest message, seconds", Seconds: 300, Metrics: []Metric{metric(p.Name, "ApproximateAgeOfOldestMessage")}},
		Comparison: Above, Threshold: float64(p.WaitingSeconds), Periods: 3, Missing: MissingIsGood,
	}, AlarmProps{
		Says:    "What could not be processed was given up.",
		Runbook: "docs/runbooks/failures.md#dead-letters", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "dead letters", Seconds: 300, Metrics: []Metric{metric(p.DeadLetters, "ApproximateNumberOfMessagesVisible")}},
		Comparison: Above, Threshold: 0, Missing: MissingIsGood,
	}, AlarmProps{
		Says:    "What could not be processed is deleted soon: half of its retention is over.",
		Runbook: "docs/runbooks/failures.md#expiring", Topic: t.Topics.Page,
		Signal: Signal{
			Label: "age of the oldest message, seconds", Seconds: 300, Expression: "MAX([FILL(m1, 0), FILL(m2, 0)])",
			Metrics: []Metric{metric(p.Name, "ApproximateAgeOfOldestMessage"), metric(p.DeadLetters, "ApproximateAgeOfOldestMessage")},
		},
		Comparison: Above, Threshold: float64(p.RetentionHours) * 3600 / 2, Missing: MissingIsGood,
	})
}
