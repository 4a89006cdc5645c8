package stream

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdaeventsourcemapping"

	"github.com/shopstream/shopstream/constructs/function"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/check"
)

// PreprocessProps configures a Preprocess.
type PreprocessProps struct {
	Name       string             // required; unique in the account and region, at most 64 characters
	Code       asset.Function     // required
	Gateway    *Stream            // required; read
	Events     *Stream            // required; takes packs of valid events
	Quarantine *lake.Bucket       // required; takes events that break the contract
	Ledger     *lake.Bucket       // required; takes receipts of frames
	Failures   *Failures          // required; takes records that could not be processed
	LogGroup   *security.LogGroup // required; named /aws/lambda/ and Name
	Key        *security.Key      // required; encrypts the function's environment

	MemoryMiB             int // as function.Props has it
	Concurrency           int // reserved executions, 1 to 10000; at least shards × ParallelizationFactor; default 10
	ParallelizationFactor int // calls at once a shard, 1 to 10; default 1
	Lanes                 int // groups of virtual partitions that packs do not mix, a power of two up to 256; with fewer than three a shard of Events, shards fill unevenly; default 16
	MaximumRecordAgeHours int // age at which a record goes to Failures untried, 1 to 168, under the gateway's retention; default 12
}

// PreprocessTimeoutSeconds is that of one batch.
const PreprocessTimeoutSeconds = 60

const (
	batchRecords  = 500 // frames in one call; it doesn't wait until there are so many
	retryAttempts = 5   // calls after the first failed one
)

func (p *PreprocessProps) setDefaults() {
	p.ParallelizationFactor = cmp.Or(p.ParallelizationFactor, 1)
	p.Lanes = cmp.Or(p.Lanes, 16)
	p.MaximumRecordAgeHours = cmp.Or(p.MaximumRecordAgeHours, 12)
}

func (p PreprocessProps) validate() error {
	errs := []error{
		p.function().Validate(),
		check.Required("Gateway", p.Gateway != nil),
		check.Required("Events", p.Events != nil),
		check.Required("Quarantine", p.Quarantine != nil),
		check.Required("Ledger", p.Ledger != nil),
		check.Required("Failures", p.Failures != nil),
		check.Between("ParallelizationFactor", p.ParallelizationFactor, 1, 10),
		check.OneOf("Lanes", p.Lanes, 1, 2, 4, 8, 16, 32, 64, 128, 256),
		check.Between("MaximumRecordAgeHours", p.MaximumRecordAgeHours, 1, 168),
	}
	if p.Gateway != nil {
		errs = append(errs, check.That(p.MaximumRecordAgeHours < p.Gateway.retentionHours,
			"MaximumRecordAgeHours must be under the gateway's retention of %d, got %d: an older record would be lost untold",
			p.Gateway.retentionHours, p.MaximumRecordAgeHours))
	}
	return errors.Join(errs...)
}

func (p PreprocessProps) function() function.Props {
	return function.Props{
		Name: p.Name, Description: "Turns frames of the gateway stream into packs on the events stream.",
		Code: p.Code, LogGroup: p.LogGroup, Key: p.Key,
		MemoryMiB: p.MemoryMiB, TimeoutSeconds: PreprocessTimeoutSeconds, Concurrency: p.Concurrency,
	}
}

// Preprocess is the function that turns frames into packs.
//
//	Preprocess
//	├── role      aws_iam_role and its policy
//	├── this      aws_lambda_function
//	├── live      aws_lambda_alias
//	└── mapping   aws_lambda_event_source_mapping: gateway -> live, failed records -> Failures
type Preprocess struct {
	function *function.Function
}

// NewPreprocess defines a Preprocess in scope.
func NewPreprocess(scope constructs.Construct, id string, p PreprocessProps) (*Preprocess, error) {
	p.setDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("preprocess %q: %w", id, err)
	}
	props := p.function()
	props.Environment = map[string]*string{
		"EVENTS_STREAM":     p.Events.Name(),
		"QUARANTINE_BUCKET": p.Quarantine.ID(),
		"LEDGER_BUCKET":     p.Ledger.ID(),
		"LANES":             jsii.String(fmt.Sprint(p.Lanes)),
	}
	preprocess, err := function.New(scope, id, props)
	if err != nil {
		return nil, err
	}
	p.Gateway.GrantRead(preprocess.Role)
	p.Events.GrantWrite(preprocess.Role)
	p.Quarantine.GrantWrite(preprocess.Role, "")
	p.Ledger.GrantWrite(preprocess.Role, "receipts/")
	p.Failures.GrantSend(preprocess.Role)
	p.newMapping(preprocess)
	return &Preprocess{preprocess}, nil
}

// Name is a token.
func (p *Preprocess) Name() *string { return p.function.Name() }

func (p PreprocessProps) newMapping(f *function.Function) {
	// By default a mapping retries for ever, and one bad record blocks its
	// shard until it expires: every setting is explicit.
	lambdaeventsourcemapping.NewLambdaEventSourceMapping(f.Scope, jsii.String("mapping"), &lambdaeventsourcemapping.LambdaEventSourceMappingConfig{
		EventSourceArn:                 p.Gateway.ARN(),
		FunctionName:                   f.ARN(),
		StartingPosition:               jsii.String("TRIM_HORIZON"),
		BatchSize:                      jsii.Number(batchRecords),
		MaximumBatchingWindowInSeconds: jsii.Number(0),
		ParallelizationFactor:          jsii.Number(p.ParallelizationFactor),
		MaximumRetryAttempts:           jsii.Number(retryAttempts),
		MaximumRecordAgeInSeconds:      jsii.Number(p.MaximumRecordAgeHours * 3600),
		BisectBatchOnFunctionError:     true,
		FunctionResponseTypes:          jsii.Strings("ReportBatchItemFailures"),
		DestinationConfig: &lambdaeventsourcemapping.LambdaEventSourceMappingDestinationConfig{
			OnFailure: &lambdaeventsourcemapping.LambdaEventSourceMappingDestinationConfigOnFailure{DestinationArn: p.Failures.bucket.ARN()},
		},
		DependsOn: f.Role.Grants(), // Lambda checks them when the mapping is created
	})
}

// GrantSend lets role put failed records whole.
func (f *Failures) GrantSend(role *security.Role) {
	f.bucket.GrantWrite(role, "")
	role.Allow(f.bucket.ARN(), "s3:ListBucket") // Lambda checks that the bucket is there
}
