package observe

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchmetricalarm"

	"github.com/shopstream/shopstream/internal/check"
)

// Comparison is when an alarm rings.
type Comparison string

// The comparisons.
const (
	Above     Comparison = "GreaterThanThreshold"
	Below     Comparison = "LessThanThreshold"
	AboveBand Comparison = "GreaterThanUpperThreshold"                // of what CloudWatch learned to expect
	OffBand   Comparison = "LessThanLowerOrGreaterThanUpperThreshold" // above it or below
)

// Missing is what an alarm takes a missing number for.
type Missing string

// What a missing number says.
const (
	MissingIsBad   Missing = "breaching"    // something should have been published
	MissingIsGood  Missing = "notBreaching" // nothing happened
	MissingIsStale Missing = "ignore"       // the alarm stays as it is
)

// AlarmProps configures an Alarm.
type AlarmProps struct {
	Name       string     // required; unique in the account and region
	Says       string     // required; what is the matter, a sentence
	Runbook    string     // required; docs/runbooks/PAGE.md#SECTION
	Topic      *Topic     // told when it rings and when it is over; default none, for parts of a Composite
	Calls      *string    // ARN of a function that is called when it rings, and that lets it; default none
	Signal     Signal     // required
	Comparison Comparison // required
	Threshold  float64    // in the Signal's unit; for a band its width, in standard deviations
	Periods    int        // numbers of the Signal that are looked at, 1 to 1440; default 1
	Datapoints int        // of them, those that must be bad, 1 to Periods; default all
	Missing    Missing    // required
}

var runbookFormat = regexp.MustCompile(`^docs/runbooks/[a-z-]+\.md#[a-z0-9-]+$`)

func (p *AlarmProps) setDefaults() {
	p.Signal.Seconds = cmp.Or(p.Signal.Seconds, 60)
	p.Periods = cmp.Or(p.Periods, 1)
	p.Datapoints = cmp.Or(p.Datapoints, p.Periods)
}

func (p AlarmProps) validate() error {
	longest := 24 * 3600 // what CloudWatch looks back at most
	if p.Signal.Seconds >= 3600 {
		longest *= 7
	}
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 255),
		check.Required("Says", p.Says != ""),
		check.That(runbookFormat.MatchString(p.Runbook), "Runbook must be docs/runbooks/PAGE.md#SECTION, got %q", p.Runbook),
		p.Signal.validate(),
		check.OneOf("Comparison", p.Comparison, Above, Below, AboveBand, OffBand),
		check.That(p.Topic == nil || p.Calls == nil, "Calls must be empty where Topic is told"),
		check.That(!p.banded() || p.Threshold > 0, "Threshold of a band must be above 0, got %v", p.Threshold),
		check.That(!p.banded() || p.Signal.Expression == "", "Expression must be empty where a band is learned"),
		check.Between("Periods", p.Periods, 1, 1440),
		check.Between("Datapoints", p.Datapoints, 1, p.Periods),
		check.That(p.Periods*p.Signal.Seconds <= longest, "Periods × Seconds must be at most %d seconds, got %d", longest, p.Periods*p.Signal.Seconds),
		check.OneOf("Missing", p.Missing, MissingIsBad, MissingIsGood, MissingIsStale),
	)
}

func (p AlarmProps) banded() bool { return p.Comparison == AboveBand || p.Comparison == OffBand }

// band is metric math for what CloudWatch expects of the signal; from the
// first such alarm on, it learns that.
func (p AlarmProps) band() string {
	if !p.banded() {
		return ""
	}
	return fmt.Sprintf("ANOMALY_DETECTION_BAND(m1, %g)", p.Threshold)
}

// description carries the runbook, which CloudWatch has no field for.
func description(says, runbook string) *string {
	return jsii.String(says + " Runbook: " + runbook)
}

// Alarm is a metric alarm.
type Alarm struct {
	props AlarmProps
	alarm cloudwatchmetricalarm.CloudwatchMetricAlarm
}

// NewAlarm defines an Alarm in scope.
func NewAlarm(scope constructs.Construct, id string, p AlarmProps) (*Alarm, error) {
	p.setDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("alarm %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	config := &cloudwatchmetricalarm.CloudwatchMetricAlarmConfig{
		AlarmName:          &p.Name,
		AlarmDescription:   description(p.Says, p.Runbook),
		ComparisonOperator: jsii.String(string(p.Comparison)),
		EvaluationPeriods:  jsii.Number(p.Periods),
		DatapointsToAlarm:  jsii.Number(p.Datapoints),
		TreatMissingData:   jsii.String(string(p.Missing)),
	}
	if p.Topic != nil {
		config.AlarmActions, config.OkActions = &[]*string{p.Topic.ARN()}, &[]*string{p.Topic.ARN()}
	}
	if p.Calls != nil {
		config.AlarmActions = &[]*string{p.Calls}
	}
	if !p.banded() {
		config.Threshold = &p.Threshold
	}
	p.Signal.watch(config, p.band())
	return &Alarm{p, cloudwatchmetricalarm.NewCloudwatchMetricAlarm(scope, jsii.String("this"), config)}, nil
}

// Name is a token: whoever uses it waits for the alarm.
func (a *Alarm) Name() *string { return a.alarm.AlarmName() }

// widget draws the signal with the threshold as a line.
func (a *Alarm) widget(region string) map[string]any {
	w := graph(region, a.props.Says, a.props.Signal.rows(a.props.band()))
	if !a.props.banded() {
		w["properties"].(map[string]any)["annotations"] = map[string]any{
			"horizontal": []any{map[string]any{"label": a.props.Name, "value": a.props.Threshold}},
		}
	}
	return w
}
