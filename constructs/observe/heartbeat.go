package observe

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedulegroup"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Sender is a function that sends an event of the heartbeat's shop to the
// pipeline's front when it is called.
type Sender interface {
	ARN() *string
	GrantInvoke(*security.Role)
}

// HeartbeatProps configures a Heartbeat.
type HeartbeatProps struct {
	Name   string // required; unique in the account and region, at most 64 characters
	Sender Sender // required
}

func (p HeartbeatProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Sender", p.Sender != nil),
	)
}

// Heartbeat has one event a minute sent through the whole pipeline, so that
// silence anywhere on its way is a fault, at night, too.
//
//	Heartbeat
//	├── role    aws_iam_role and its policy
//	├── group   aws_scheduler_schedule_group: the metrics' dimension
//	└── this    aws_scheduler_schedule
type Heartbeat struct {
	group schedulerschedulegroup.SchedulerScheduleGroup
}

// NewHeartbeat defines a Heartbeat in scope.
func NewHeartbeat(scope constructs.Construct, id string, p HeartbeatProps) (*Heartbeat, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("heartbeat %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "scheduler.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("heartbeat %q: %w", id, err)
	}
	p.Sender.GrantInvoke(role)
	group := schedulerschedulegroup.NewSchedulerScheduleGroup(scope, jsii.String("group"), &schedulerschedulegroup.SchedulerScheduleGroupConfig{
		Name: &p.Name,
	})
	schedulerschedule.NewSchedulerSchedule(scope, jsii.String("this"), &schedulerschedule.SchedulerScheduleConfig{
		Name:               &p.Name,
		GroupName:          group.Name(),
		Description:        jsii.String("Sends an event of the heartbeat's shop through the pipeline."),
		ScheduleExpression: jsii.String("rate(1 minute)"),
		FlexibleTimeWindow: &schedulerschedule.SchedulerScheduleFlexibleTimeWindow{Mode: jsii.String("OFF")},
		Target: &schedulerschedule.SchedulerScheduleTarget{
			Arn:     p.Sender.ARN(),
			RoleArn: role.ARN(),
			// The next beat comes in a minute; a late one says nothing.
			RetryPolicy: &schedulerschedule.SchedulerScheduleTargetRetryPolicy{MaximumRetryAttempts: jsii.Number(0), MaximumEventAgeInSeconds: jsii.Number(60)},
		},
		DependsOn: role.Grants(),
	})
	return &Heartbeat{group}, nil
}

// WatchHeartbeat watches that beats are sent. That they arrive is watched
// where they do: by streams and deliveries with Beats.
func (t *Tier) WatchHeartbeat(id string, h *Heartbeat) error {
	if h == nil {
		return fmt.Errorf("watch %q: heartbeat is required", id)
	}
	metric := func(name string) Metric {
		return Metric{"AWS/Scheduler", name, dimension("ScheduleGroup", h.group.Name()), "Sum"}
	}
	return t.alarms(id, nil, AlarmProps{
		Says:    "The heartbeat is not sent.",
		Runbook: "docs/runbooks/heartbeat.md#not-sent", Topic: t.Topics.Ticket,
		Signal: Signal{
			Label: "beats sent", Seconds: 300, Expression: "FILL(m1, 0) - FILL(m2, 0)",
			Metrics: []Metric{metric("InvocationAttemptCount"), metric("TargetErrorCount")},
		},
		Comparison: Below, Threshold: 1, Periods: 2, Missing: MissingIsBad,
	})
}
