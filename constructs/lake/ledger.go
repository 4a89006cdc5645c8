package lake

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedule"

	"github.com/shopstream/shopstream/constructs/function"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/check"
)

// LedgerProps configures a Ledger.
type LedgerProps struct {
	Name        string             // required; unique in the account and region, at most 55 characters
	Pipeline    string             // required; the Pipeline dimension of the metrics
	Code        asset.Function     // required
	LogGroup    *security.LogGroup // required; named /aws/lambda/ and Name
	Key         *security.Key      // required; encrypts the function's environment
	Workgroup   *Workgroup         // required; counts within its limits
	Packs       *JSONTable         // required; named packs: what was delivered
	Receipts    *JSONTable         // required; named receipts: what was accepted
	Quarantined *JSONTable         // required; named quarantined
}

func (p LedgerProps) validate() error {
	errs := []error{
		p.function().Validate(),
		check.Between("length of Name", len(p.Name), 1, 55),
		check.Required("Pipeline", p.Pipeline != ""),
		check.Required("Workgroup", p.Workgroup != nil),
	}
	for _, t := range p.tables() {
		errs = append(errs,
			check.Required(t.field, t.table != nil),
			check.That(t.table == nil || t.table.name == t.name, "%s must be the table %q, which the query names", t.field, t.name))
	}
	return errors.Join(errs...)
}

// ledgerTable is a table that the query names.
type ledgerTable struct {
	field, name string
	table       *JSONTable
}

func (p LedgerProps) tables() []ledgerTable {
	return []ledgerTable{{"Packs", "packs", p.Packs}, {"Receipts", "receipts", p.Receipts}, {"Quarantined", "quarantined", p.Quarantined}}
}

// LedgerTimeoutSeconds is how long a call may take, most of which is Athena's.
const LedgerTimeoutSeconds = 600

func (p LedgerProps) function() function.Props {
	return function.Props{
		Name: p.Name, Description: "Balances what was accepted against what is stored.",
		Code: p.Code, LogGroup: p.LogGroup, Key: p.Key,
		MemoryMiB: 128, TimeoutSeconds: LedgerTimeoutSeconds, Concurrency: 1,
	}
}

// Ledger is the function that balances hourly what was accepted against what is
// stored, by a query of its own over the tables, and publishes what is missing:
// see observe.Tier.WatchLedger. Each call counts several hours anew, so that one
// that fails is made up for by the next.
//
//	Ledger
//	├── role, this, live   as a function.Function has them
//	├── once               aws_lambda_function_event_invoke_config
//	├── schedule_role      aws_iam_role and its policy
//	└── schedule           aws_scheduler_schedule
type Ledger struct {
	function *function.Function
}

// NewLedger defines a Ledger in scope.
func NewLedger(scope constructs.Construct, id string, p LedgerProps) (*Ledger, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("ledger %q: %w", id, err)
	}
	props := p.function()
	props.Environment = map[string]*string{
		"DATABASE": p.Packs.catalog.Name(), "WORKGROUP": p.Workgroup.Name(), "PIPELINE": &p.Pipeline,
	}
	f, err := function.New(scope, id, props)
	if err != nil {
		return nil, err
	}
	p.Workgroup.GrantRun(f.Role)
	for _, t := range p.tables() {
		t.table.GrantRead(f.Role)
	}
	f.TryOnce()
	return &Ledger{f}, p.schedule(f)
}

// Name is the function's, a token.
func (l *Ledger) Name() *string { return l.function.Name() }

// Pipeline is what the metrics are published under, a token: whoever uses it
// waits for the function.
func (l *Ledger) Pipeline() *string { return l.function.Setting("PIPELINE") }

func (p LedgerProps) schedule(f *function.Function) error {
	role, err := security.NewRole(f.Scope, "schedule_role", security.RoleProps{Name: p.Name + "-schedule", AssumedBy: "scheduler.amazonaws.com"})
	if err != nil {
		return err
	}
	f.GrantInvoke(role)
	schedulerschedule.NewSchedulerSchedule(f.Scope, jsii.String("schedule"), &schedulerschedule.SchedulerScheduleConfig{
		Name:               &p.Name,
		Description:        jsii.String("Has the ledger balanced."),
		ScheduleExpression: jsii.String("rate(1 hour)"),
		FlexibleTimeWindow: &schedulerschedule.SchedulerScheduleFlexibleTimeWindow{Mode: jsii.String("OFF")},
		Target: &schedulerschedule.SchedulerScheduleTarget{
			Arn:     f.ARN(),
			RoleArn: role.ARN(),
			// The next call counts the same hours, and one more.
			RetryPolicy: &schedulerschedule.SchedulerScheduleTargetRetryPolicy{MaximumRetryAttempts: jsii.Number(0), MaximumEventAgeInSeconds: jsii.Number(60)},
		},
		DependsOn: role.Grants(),
	})
	return nil
}
