package stream

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedule"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/function"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/check"
)

// Scaled is a stream with the bounds of its shards.
type Scaled struct {
	Stream *Stream // required; not on demand
	Min    int     // shards, 1 to Max; default 1
	Max    int     // required; shards, at most 10000
}

func (s Scaled) validate() error {
	return errors.Join(
		check.Required("Stream", s.Stream != nil),
		check.That(s.Stream == nil || s.Stream.provisioned, "Stream must have shards: one on demand scales by itself"),
		check.Between("Min", s.Min, 1, max(1, s.Max)),
		check.Between("Max", s.Max, 1, 10_000),
	)
}

// ScalerProps configures a Scaler.
type ScalerProps struct {
	Name     string             // required; unique in the account and region, at most 55 characters
	Code     asset.Function     // required
	LogGroup *security.LogGroup // required; named /aws/lambda/ and Name
	Key      *security.Key      // required; encrypts the function's environment
	Topic    *observe.Topic     // required; told of every change
	Streams  []Scaled           // required
}

func (p ScalerProps) validate() error {
	errs := []error{
		p.function().Validate(),
		check.Between("length of Name", len(p.Name), 1, 55),
		check.Required("Topic", p.Topic != nil),
		check.Required("Streams", len(p.Streams) > 0),
	}
	for i, s := range p.Streams {
		if err := s.validate(); err != nil {
			errs = append(errs, fmt.Errorf("stream %d of Streams: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// ScalerTimeoutSeconds is how long a call may take.
const ScalerTimeoutSeconds = 30

func (p ScalerProps) function() function.Props {
	return function.Props{
		Name: p.Name, Description: "Gives streams the shards that their load needs.",
		Code: p.Code, LogGroup: p.LogGroup, Key: p.Key,
		MemoryMiB: 256, TimeoutSeconds: ScalerTimeoutSeconds,
		Concurrency: 1, // two at once would both change the same stream
	}
}

// Scaler is the function that owns the shard counts of streams from their
// creation on. It runs every minute, and at once when an alarm says that a
// stream fills up (see observe.Tier.WatchShards); since it reads by itself what
// it decides by, none of the two needs the other.
//
//	Scaler
//	├── role, this, live   as a function.Function has them
//	├── once               aws_lambda_function_event_invoke_config
//	├── ID_alarm           aws_lambda_permission: of each alarm that calls it
//	├── schedule_role      aws_iam_role and its policy
//	└── schedule           aws_scheduler_schedule
type Scaler struct {
	function *function.Function
}

// NewScaler defines a Scaler in scope.
func NewScaler(scope constructs.Construct, id string, p ScalerProps) (*Scaler, error) {
	p.Streams = append([]Scaled(nil), p.Streams...)
	for i := range p.Streams {
		p.Streams[i].Min = cmp.Or(p.Streams[i].Min, 1)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("scaler %q: %w", id, err)
	}
	props := p.function()
	props.Environment = map[string]*string{"STREAMS": p.targets(), "TOPIC_ARN": p.Topic.ARN()}
	f, err := function.New(scope, id, props)
	if err != nil {
		return nil, err
	}
	for _, s := range p.Streams {
		s.Stream.handToScaler(f.Role)
	}
	f.Role.Allow(jsii.String("*"), "cloudwatch:GetMetricData", "kinesis:UpdateShardCount") // these know no resources
	p.Topic.GrantPublish(f.Role)
	f.TryOnce()
	return &Scaler{f}, p.schedule(f)
}

// Name is a token.
func (s *Scaler) Name() *string { return s.function.Name() }

// ARN is the live alias's, a token.
func (s *Scaler) ARN() *string { return s.function.ARN() }

// AllowService lets an AWS service call the scaler on behalf of the resource
// with sourceARN.
func (s *Scaler) AllowService(id, service, sourceARN string) {
	s.function.AllowService(id, service, sourceARN)
}

// targets are the streams as the function reads them.
func (p ScalerProps) targets() *string {
	type target struct {
		Stream   string
		Min, Max int
	}
	targets := make([]target, len(p.Streams))
	for i, s := range p.Streams {
		targets[i] = target{*s.Stream.Name(), s.Min, s.Max}
	}
	text, err := json.Marshal(targets)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return jsii.String(string(text))
}

func (p ScalerProps) schedule(f *function.Function) error {
	role, err := security.NewRole(f.Scope, "schedule_role", security.RoleProps{Name: p.Name + "-schedule", AssumedBy: "scheduler.amazonaws.com"})
	if err != nil {
		return err
	}
	f.GrantInvoke(role)
	schedulerschedule.NewSchedulerSchedule(f.Scope, jsii.String("schedule"), &schedulerschedule.SchedulerScheduleConfig{
		Name:               &p.Name,
		Description:        jsii.String("Has the load of the streams looked at."),
		ScheduleExpression: jsii.String("rate(1 minute)"),
		FlexibleTimeWindow: &schedulerschedule.SchedulerScheduleFlexibleTimeWindow{Mode: jsii.String("OFF")},
		Target: &schedulerschedule.SchedulerScheduleTarget{
			Arn:     f.ARN(),
			RoleArn: role.ARN(),
			// The next look comes in a minute.
			RetryPolicy: &schedulerschedule.SchedulerScheduleTargetRetryPolicy{MaximumRetryAttempts: jsii.Number(0), MaximumEventAgeInSeconds: jsii.Number(60)},
		},
		DependsOn: role.Grants(),
	})
	return nil
}

// handToScaler lets role look at the shard count, which later plans then leave
// alone. It needs no right on the key: no record is read or written.
func (s *Stream) handToScaler(role *security.Role) {
	role.Allow(s.ARN(), "kinesis:DescribeStreamSummary")
	s.kinesis.SetLifecycle(&cdktf.TerraformResourceLifecycle{
		PreventDestroy: s.kinesis.Lifecycle().PreventDestroy, IgnoreChanges: jsii.Strings("shard_count"),
	})
}
