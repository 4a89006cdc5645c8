package stacks

import (
	"reflect"
	"strings"

	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// ministackServices are the provider's endpoints that MiniStack serves, because
// it moves data; moto serves all others. docs/emulators.md tells why.
var ministackServices = words(`
	apigateway athena backup budgets cloudfront cloudwatch cognitoidp dynamodb events firehose kinesis kms lambda logs s3 scheduler
	secretsmanager sns sqs wafv2`)

// otherNames are endpoints that the provider knows under another name too, of
// which it takes one.
var otherNames = words(`
	amg applicationautoscaling appintegrationsservice appregistry beanstalk cloudcontrolapi cloudhsm cloudwatchevents
	cloudwatchevidently cloudwatchlog cloudwatchlogs cloudwatchobservabilityaccessmanager cloudwatchrum codedeploy
	cognitoidentityprovider config costandusagereportservice costexplorer databasemigration databasemigrationservice
	directoryservice elasticloadbalancing elasticloadbalancingv2 elasticsearchservice es eventbridge gluedatabrew
	inspectorv2 lex lexmodelbuilding lexmodelbuildingservice lexmodelsv2 locationservice managedgrafana msk
	opensearchingestion opensearchservice prometheus prometheusservice recyclebin redshiftdataapiservice
	resourcegroupstagging s3api sdb serverlessapplicationrepository serverlessapprepo stepfunctions transcribeservice`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// emulatorEndpoints sends every service to an emulator: one left out would
// reach the real AWS.
func emulatorEndpoints(stack cdktf.TerraformStack, env Environment) []*provider.AwsProviderEndpoints {
	if !env.Emulated {
		return nil
	}
	ministack := variable(stack, "ministack_endpoint", "URL of MiniStack, such as http://127.0.0.1:4566.")
	moto := variable(stack, "moto_endpoint", "URL of moto, such as http://127.0.0.1:5000.")
	var endpoints provider.AwsProviderEndpoints
	fields := reflect.ValueOf(&endpoints).Elem()
	for i := range fields.NumField() {
		service := strings.ToLower(fields.Type().Field(i).Name)
		switch {
		case otherNames[service]:
		case ministackServices[service]:
			fields.Field(i).Set(reflect.ValueOf(ministack))
		default:
			fields.Field(i).Set(reflect.ValueOf(moto))
		}
	}
	return []*provider.AwsProviderEndpoints{&endpoints}
}
