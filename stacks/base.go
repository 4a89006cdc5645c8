package stacks

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/delivery"
)

// providerVersion is what a stack asks Terraform for. The bindings would pin
// the one version that they were made from.
const providerVersion = "~> 5.99"

// providers are those that a resource must ask for.
type providers struct {
	replica cdktf.TerraformProvider // another region
	edge    cdktf.TerraformProvider // us-east-1
}

// newBase defines env's stack with its backend and its providers: "aws",
// "aws.replica" in another region for copies, and "aws.edge" in us-east-1,
// where CloudFront's certificates and firewalls live.
func newBase(app constructs.Construct, env Environment) (cdktf.TerraformStack, providers) {
	stack := cdktf.NewTerraformStack(app, &env.Name)
	stack.AddOverride(jsii.String("terraform.required_providers.aws"), map[string]any{
		"source":  "registry.terraform.io/hashicorp/aws", // whole, so that OpenTofu takes the same one
		"version": providerVersion,
	})
	if env.Emulated {
		// Relative to the stack's folder: an absolute path would make the
		// output differ between folders.
		cdktf.NewLocalBackend(stack, &cdktf.LocalBackendConfig{Path: jsii.String("terraform.tfstate")})
	} else {
		cdktf.NewS3Backend(stack, &cdktf.S3BackendConfig{
			Bucket:  jsii.String(delivery.StateBucket(env.account())),
			Key:     jsii.String(delivery.StateKey(env.Name)),
			Region:  &env.Region,
			Encrypt: jsii.Bool(true),
		})
		stack.AddOverride(jsii.String("terraform.backend.s3.use_lockfile"), true) // has no typed field
	}

	endpoints := emulatorEndpoints(stack, env)
	newProvider := func(id, alias, region string) cdktf.TerraformProvider {
		config := &provider.AwsProviderConfig{
			Region:            &region,
			AllowedAccountIds: jsii.Strings(env.Account),
			DefaultTags: []*provider.AwsProviderDefaultTags{{Tags: &map[string]*string{
				"environment": &env.Name, "project": jsii.String("shopstream"),
			}}},
		}
		if alias != "" {
			config.Alias = &alias
		}
		if env.Emulated {
			config.Endpoints = endpoints
			config.AccessKey, config.SecretKey = jsii.String("emulated"), jsii.String("emulated") // emulators take any
			config.S3UsePathStyle = true
			config.MaxRetries = jsii.Number(10)
			config.SkipCredentialsValidation, config.SkipMetadataApiCheck = true, jsii.String("true")
		}
		return provider.NewAwsProvider(stack, &id, config)
	}
	newProvider("aws", "", env.Region)
	return stack, providers{
		replica: newProvider("aws_replica", "replica", env.ReplicaRegion),
		edge:    newProvider("aws_edge", "edge", "us-east-1"),
	}
}

// variable declares a setting: Terraform asks for it and holds it to what is
// valid, synth never needs it.
func variable(stack cdktf.TerraformStack, name, description string, valid ...*cdktf.TerraformVariableValidationConfig) *string {
	return cdktf.NewTerraformVariable(stack, &name, &cdktf.TerraformVariableConfig{
		Type: jsii.String("string"), Description: &description, Nullable: jsii.Bool(false), Validation: &valid,
	}).StringValue()
}

// secretVariable declares a setting that neither a plan nor the state holds,
// which Terraform has from 1.11 on and OpenTofu too.
func secretVariable(stack cdktf.TerraformStack, name, description string) *string {
	v := cdktf.NewTerraformVariable(stack, jsii.String(name+"_setting"), &cdktf.TerraformVariableConfig{
		Type: jsii.String("string"), Description: &description, Nullable: jsii.Bool(false), Sensitive: jsii.Bool(true),
	})
	v.OverrideLogicalId(&name)                    // the id is left to what it sets
	v.AddOverride(jsii.String("ephemeral"), true) // has no typed field
	return v.StringValue()
}

func output(stack cdktf.TerraformStack, name, description string, value *string) {
	cdktf.NewTerraformOutput(stack, &name, &cdktf.TerraformOutputConfig{Value: value, Description: &description})
}
