// Package function is a Lambda function as every tier runs one: our own Go
// program under a role of its own, traced, its settings encrypted, its
// executions reserved, called by an alias.
package function

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdaalias"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdafunction"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/check"
)

// Props configures a Function.
type Props struct {
	Name        string             // required; unique in the account and region, at most 64 characters
	Description string             // required; what it does
	Code        asset.Function     // required
	LogGroup    *security.LogGroup // required; named /aws/lambda/ and Name
	Key         *security.Key      // required; encrypts Environment

	Environment    map[string]*string // settings; never a secret; default none
	MemoryMiB      int                // 128 to 10240; more memory is more CPU; default 512
	TimeoutSeconds int                // 1 to 900; default 60
	Concurrency    int                // reserved executions, 1 to 10000; default 10
}

func (p *Props) setDefaults() {
	p.MemoryMiB = cmp.Or(p.MemoryMiB, 512)
	p.TimeoutSeconds = cmp.Or(p.TimeoutSeconds, 60)
	p.Concurrency = cmp.Or(p.Concurrency, 10)
}

// Validate returns all that is wrong with p, for who builds on a Function.
func (p Props) Validate() error {
	p.setDefaults()
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Description", p.Description != ""),
		check.Required("Code", p.Code.Path != ""),
		check.Required("LogGroup", p.LogGroup != nil),
		check.Required("Key", p.Key != nil),
		check.Between("MemoryMiB", p.MemoryMiB, 128, 10240),
		check.Between("TimeoutSeconds", p.TimeoutSeconds, 1, 900),
		check.Between("Concurrency", p.Concurrency, 1, 10_000),
	)
}

// Function is a Lambda function that may write its log and its traces, and do
// what is granted to its Role besides.
//
//	Function
//	├── role   aws_iam_role and its policy
//	├── this   aws_lambda_function
//	└── live   aws_lambda_alias
type Function struct {
	Role *security.Role

	// Scope is where what has the function called is defined.
	Scope constructs.Construct

	this lambdafunction.LambdaFunction
	live lambdaalias.LambdaAlias
}

// New defines a Function in scope.
func New(scope constructs.Construct, id string, p Props) (*Function, error) {
	p.setDefaults()
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("function %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "lambda.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("function %q: %w", id, err)
	}
	p.LogGroup.GrantWrite(role)
	p.Key.GrantDecrypt(role)
	role.Allow(jsii.String("*"), "xray:PutTraceSegments", "xray:PutTelemetryRecords") // X-Ray knows no resources

	code := cdktf.NewTerraformAsset(scope, jsii.String("code"), &cdktf.TerraformAssetConfig{
		Path: &p.Code.Path, Type: cdktf.AssetType_FILE,
	})
	config := &lambdafunction.LambdaFunctionConfig{
		FunctionName:                 &p.Name,
		Description:                  &p.Description,
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
	}
	if len(p.Environment) > 0 {
		config.Environment = &lambdafunction.LambdaFunctionEnvironment{Variables: &p.Environment}
	}
	this := lambdafunction.NewLambdaFunction(scope, jsii.String("this"), config)
	live := lambdaalias.NewLambdaAlias(scope, jsii.String("live"), &lambdaalias.LambdaAliasConfig{
		Name:            jsii.String("live"),
		FunctionName:    this.FunctionName(),
		FunctionVersion: this.Version(),
	})
	return &Function{Role: role, Scope: scope, this: this, live: live}, nil
}

// Name is a token.
func (f *Function) Name() *string { return f.this.FunctionName() }

// ARN is the live alias's, a token: what calls the function calls this.
func (f *Function) ARN() *string { return f.live.Arn() }

// Setting is a variable of the function's environment, a token.
func (f *Function) Setting(name string) *string {
	return f.this.GetStringAttribute(jsii.String("environment[0].variables." + name))
}

// GrantInvoke lets role call the function.
func (f *Function) GrantInvoke(role *security.Role) { role.Allow(f.ARN(), "lambda:InvokeFunction") }
