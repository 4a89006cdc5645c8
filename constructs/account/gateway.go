package account

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayaccount"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicyattachment"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// GatewayLogsProps configures GatewayLogs.
type GatewayLogsProps struct {
	Name     string             // required; of the role, unique in the account
	Boundary *security.Boundary // required; what the role never passes
}

func (p GatewayLogsProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Boundary", p.Boundary != nil),
	)
}

// GatewayLogs lets the APIs of the account and region write logs: without it
// API Gateway refuses to create a stage that logs.
//
//	GatewayLogs
//	├── role    aws_iam_role and AWS's policy for it
//	└── this    aws_api_gateway_account
type GatewayLogs struct{}

// NewGatewayLogs defines GatewayLogs in scope.
func NewGatewayLogs(scope constructs.Construct, id string, p GatewayLogsProps) (*GatewayLogs, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("gateway logs %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role := iamrole.NewIamRole(scope, jsii.String("role"), &iamrole.IamRoleConfig{
		Name:                &p.Name,
		PermissionsBoundary: p.Boundary.ARN(),
		AssumeRolePolicy: security.Policy(security.Statement{
			Effect: "Allow", Principal: security.Service("apigateway.amazonaws.com"), Action: "sts:AssumeRole",
		}),
	})
	// API Gateway takes no role that may do less.
	grant := iamrolepolicyattachment.NewIamRolePolicyAttachment(scope, jsii.String("policy"), &iamrolepolicyattachment.IamRolePolicyAttachmentConfig{
		Role: role.Name(), PolicyArn: jsii.String("arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
	})
	apigatewayaccount.NewApiGatewayAccount(scope, jsii.String("this"), &apigatewayaccount.ApiGatewayAccountConfig{
		CloudwatchRoleArn: role.Arn(),
		DependsOn:         &[]cdktf.ITerraformDependable{grant},
	})
	return &GatewayLogs{}, nil
}
