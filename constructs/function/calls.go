package function

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdafunctioneventinvokeconfig"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdapermission"
)

// AllowService lets an AWS service call the function on behalf of the resource
// with sourceARN. A service that assumes a role has GrantInvoke instead.
func (f *Function) AllowService(id, service, sourceARN string) {
	lambdapermission.NewLambdaPermission(f.Scope, &id, &lambdapermission.LambdaPermissionConfig{
		FunctionName: f.this.FunctionName(),
		Qualifier:    f.live.Name(),
		Action:       jsii.String("lambda:InvokeFunction"),
		Principal:    &service,
		SourceArn:    &sourceARN,
	})
}

// TryOnce has a call that nobody waits for made once, and not at all after a
// minute. Without it Lambda makes it up to three times, for six hours.
func (f *Function) TryOnce() {
	lambdafunctioneventinvokeconfig.NewLambdaFunctionEventInvokeConfig(f.Scope, jsii.String("once"), &lambdafunctioneventinvokeconfig.LambdaFunctionEventInvokeConfigConfig{
		FunctionName:             f.this.FunctionName(),
		Qualifier:                f.live.Name(),
		MaximumRetryAttempts:     jsii.Number(0),
		MaximumEventAgeInSeconds: jsii.Number(60),
	})
}
