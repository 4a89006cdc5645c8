package observe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchcompositealarm"

	"github.com/shopstream/shopstream/internal/check"
)

// CompositeProps configures a Composite.
type CompositeProps struct {
	Name    string   // required; unique in the account and region
	Says    string   // required; what is the matter, a sentence
	Runbook string   // required; docs/runbooks/PAGE.md#SECTION
	Topic   *Topic   // required; told when it rings and when it is over
	All     []*Alarm // required, at least two; it rings while all of them do
}

func (p CompositeProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 255),
		check.Required("Says", p.Says != ""),
		check.That(runbookFormat.MatchString(p.Runbook), "Runbook must be docs/runbooks/PAGE.md#SECTION, got %q", p.Runbook),
		check.Required("Topic", p.Topic != nil),
		check.Between("number of All", len(p.All), 2, 100),
	)
}

// Composite is an alarm on alarms.
type Composite struct {
	alarm cloudwatchcompositealarm.CloudwatchCompositeAlarm
}

// NewComposite defines a Composite in scope.
func NewComposite(scope constructs.Construct, id string, p CompositeProps) (*Composite, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("composite alarm %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	rules := make([]string, len(p.All))
	for i, alarm := range p.All {
		rules[i] = fmt.Sprintf("ALARM(%s)", *alarm.Name())
	}
	return &Composite{cloudwatchcompositealarm.NewCloudwatchCompositeAlarm(scope, jsii.String("this"), &cloudwatchcompositealarm.CloudwatchCompositeAlarmConfig{
		AlarmName:        &p.Name,
		AlarmDescription: description(p.Says, p.Runbook),
		AlarmRule:        jsii.String(strings.Join(rules, " AND ")),
		AlarmActions:     &[]*string{p.Topic.ARN()},
		OkActions:        &[]*string{p.Topic.ARN()},
	})}, nil
}

// Name is a token: whoever uses it waits for the alarm.
func (c *Composite) Name() *string { return c.alarm.AlarmName() }
