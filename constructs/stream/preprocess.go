package stream

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdaalias"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdaeventsourcemapping"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdafunction"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

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

	MemoryMiB             int // 128 to 10240; more memory is more CPU; default 512
	TimeoutSeconds        int // of one batch, 1 to 900; default 60
	Concurrency           int // reserved executions, 1 to 10000; at least shards × ParallelizationFactor; default 10
	BatchRecords          int // frames in one call, 1 to 10000; default 500
	BatchSeconds          int // longest wait for a full batch, 0 to 300; default 0
	ParallelizationFactor int // calls at once a shard, 1 to 10; default 1
	RetryAttempts         int // calls after the first failed one, 1 to 10000; default 5
	MaximumRecordAgeHours int // age at which a record goes to Failures untried, 1 to 168, under the gateway's retention; default 12
	Lanes                 int // groups of virtual partitions that packs do not mix, 1 to 256; default 16
}

func (p *PreprocessProps) setDefaults() {
	p.MemoryMiB = cmp.Or(p.MemoryMiB, 512)
	p.TimeoutSeconds = cmp.Or(p.TimeoutSeconds, 60)
	p.Concurrency = cmp.Or(p.Concurrency, 10)
	p.BatchRecords = cmp.Or(p.BatchRecords, 500)
	p.ParallelizationFactor = cmp.Or(p.ParallelizationFactor, 1)
	p.RetryAttempts = cmp.Or(p.RetryAttempts, 5)
	p.MaximumRecordAgeHours = cmp.Or(p.MaximumRecordAgeHours, 12)
	p.Lanes = cmp.Or(p.Lanes, 16)
}

func (p PreprocessProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Code", p.Code.Path != ""),
		check.Required("Gateway", p.Gateway != nil),
		check.Required("Events", p.Events != nil),
		check.Required("Quarantine", p.Quarantine != nil),
		check.Required("Ledger", p.Ledger != nil),
		check.Required("Failures", p.Failures != nil),
		check.Required("LogGroup", p.LogGroup != nil),
		check.Required("Key", p.Key != nil),
		check.Between("MemoryMiB", p.MemoryMiB, 128, 10240),
		check.Between("TimeoutSeconds", p.TimeoutSeconds, 1, 900),
		check.Between("Concurrency", p.Concurrency, 1, 10_000),
		check.Between("BatchRecords", p.BatchRecords, 1, 10_000),
		check.Between("BatchSeconds", p.BatchSeconds, 0, 300),
		check.Between("ParallelizationFactor", p.ParallelizationFactor, 1, 10),
		check.Between("RetryAttempts", p.RetryAttempts, 1, 10_000),
		check.Between("MaximumRecordAgeHours", p.MaximumRecordAgeHours, 1, 168),
		check.Between("Lanes", p.Lanes, 1, 256),
	}
	if p.Gateway != nil {
		errs = append(errs, check.That(p.MaximumRecordAgeHours < p.Gateway.retentionHours,
			"MaximumRecordAgeHours must be under the gateway's retention of %d, got %d: an older record would be lost untold",
			p.Gateway.retentionHours, p.MaximumRecordAgeHours))
	}
	return errors.Join(errs...)
}

// Preprocess is the function that turns frames into packs.
//
//	Preprocess
//	├── role      aws_iam_role and its policy
//	├── this      aws_lambda_function
//	├── live      aws_lambda_alias
//	└── mapping   aws_lambda_event_source_mapping: gateway -> live, failed records -> Failures
type Preprocess struct {
	function lambdafunction.LambdaFunction
}

// NewPreprocess defines a Preprocess in scope.
func NewPreprocess(scope constructs.Construct, id string, p PreprocessProps) (*Preprocess, error) {
	p.setDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("preprocess %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "lambda.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("preprocess %q: %w", id, err)
	}
	p.Gateway.GrantRead(role)
	p.Events.GrantWrite(role)
	p.Quarantine.GrantWrite(role, "")
	p.Ledger.GrantWrite(role, "receipts/")
	p.Failures.GrantSend(role)
	p.LogGroup.GrantWrite(role)
	p.Key.GrantDecrypt(role)
	role.Allow(jsii.String("*"), "xray:PutTraceSegments", "xray:PutTelemetryRecords") // X-Ray knows no resources

	function := p.function(scope, role)
	live := lambdaalias.NewLambdaAlias(scope, jsii.String("live"), &lambdaalias.LambdaAliasConfig{
		Name:            jsii.String("live"),
		FunctionName:    function.FunctionName(),
		FunctionVersion: function.Version(),
	})
	p.newMapping(scope, live, role)
	return &Preprocess{function}, nil
}

// Name is a token.
func (p *Preprocess) Name() *string { return p.function.FunctionName() }

func (p PreprocessProps) function(scope constructs.Construct, role *security.Role) lambdafunction.LambdaFunction {
	code := cdktf.NewTerraformAsset(scope, jsii.String("code"), &cdktf.TerraformAssetConfig{
		Path: &p.Code.Path, Type: cdktf.AssetType_FILE,
	})
	return lambdafunction.NewLambdaFunction(scope, jsii.String("this"), &lambdafunction.LambdaFunctionConfig{
		FunctionName:                 &p.Name,
		Description:                  jsii.String("Turns frames of the gateway stream into packs on the events stream."),
		Role:                         role.ARN(),
		Runtime:                      jsii.String("provided.al2023"),
		Handler:                      jsii.String("bootstrap"),
		Architectures:                jsii.Strings(p.Code.Platform.Architecture()),
		Filename:                     code.Path(),
		SourceCodeHash:               cdktf.Fn_Filebase64sha256(code.Path()),
		Publish:                      true,
		MemorySize:                   jsii.Number(p.MemoryMiB),
		Timeout:                      jsii.Number(p.TimeoutSeconds),
		ReservedConcurrentExecutions: jsii.Number(p.Concurrency),
		KmsKeyArn:                    p.Key.ARN(),
		TracingConfig:                &lambdafunction.LambdaFunctionTracingConfig{Mode: jsii.String("Active")},
		LoggingConfig:                &lambdafunction.LambdaFunctionLoggingConfig{LogFormat: jsii.String("JSON"), LogGroup: p.LogGroup.Name()},
		Environment: &lambdafunction.LambdaFunctionEnvironment{Variables: &map[string]*string{
			"EVENTS_STREAM":     p.Events.Name(),
			"QUARANTINE_BUCKET": p.Quarantine.ID(),
			"LEDGER_BUCKET":     p.Ledger.ID(),
			"LANES":             jsii.String(fmt.Sprint(p.Lanes)),
		}},
	})
}

func (p PreprocessProps) newMapping(scope constructs.Construct, live lambdaalias.LambdaAlias, role *security.Role) {
	// By default a mapping retries for ever, and one bad record blocks its
	// shard until it expires: every setting is explicit.
	lambdaeventsourcemapping.NewLambdaEventSourceMapping(scope, jsii.String("mapping"), &lambdaeventsourcemapping.LambdaEventSourceMappingConfig{
		EventSourceArn:                 p.Gateway.ARN(),
		FunctionName:                   live.Arn(),
		StartingPosition:               jsii.String("TRIM_HORIZON"),
		BatchSize:                      jsii.Number(p.BatchRecords),
		MaximumBatchingWindowInSeconds: jsii.Number(p.BatchSeconds),
		ParallelizationFactor:          jsii.Number(p.ParallelizationFactor),
		MaximumRetryAttempts:           jsii.Number(p.RetryAttempts),
		MaximumRecordAgeInSeconds:      jsii.Number(p.MaximumRecordAgeHours * 3600),
		BisectBatchOnFunctionError:     true,
		FunctionResponseTypes:          jsii.Strings("ReportBatchItemFailures"),
		DestinationConfig: &lambdaeventsourcemapping.LambdaEventSourceMappingDestinationConfig{
			OnFailure: &lambdaeventsourcemapping.LambdaEventSourceMappingDestinationConfigOnFailure{DestinationArn: p.Failures.bucket.ARN()},
		},
		DependsOn: role.Grants(), // Lambda checks them when the mapping is created
	})
}

// GrantSend lets role put failed records whole.
func (f *Failures) GrantSend(role *security.Role) {
	f.bucket.GrantWrite(role, "")
	role.Allow(f.bucket.ARN(), "s3:ListBucket") // Lambda checks that the bucket is there
}
