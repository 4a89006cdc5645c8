package security

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicy"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// RoleProps configures a Role.
type RoleProps struct {
	Name      string // required; unique in the account, at most 64 characters
	AssumedBy string // required; a service such as "lambda.amazonaws.com"
}

func (p RoleProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("AssumedBy", p.AssumedBy != ""),
	)
}

// accountKeys are the condition keys in which services tell for whose account
// they assume a role, from each service's own documentation: AWS keeps no list.
// A service that isn't here is not known to tell, and a condition would keep it
// out: of ours, Backup and CodeDeploy.
var accountKeys = map[string]string{
	"ecs-tasks.amazonaws.com":     "aws:SourceAccount",
	"events.amazonaws.com":        "aws:SourceAccount",
	"firehose.amazonaws.com":      "sts:ExternalId", // the account's id, in words of its own
	"glue.amazonaws.com":          "aws:SourceAccount",
	"lambda.amazonaws.com":        "aws:SourceAccount",
	"s3.amazonaws.com":            "aws:SourceAccount",
	"scheduler.amazonaws.com":     "aws:SourceAccount",
	"vpc-flow-logs.amazonaws.com": "aws:SourceAccount",
}

// Role is an IAM role that a service assumes. It may do nothing until
// something is granted to it, and nothing that its stack's Boundary denies.
// Where the service tells for whose account it acts, it must be the Boundary's.
//
//	Role
//	├── this     aws_iam_role
//	└── policy   aws_iam_role_policy, from the first Allow on
type Role struct {
	scope      constructs.Construct
	role       iamrole.IamRole
	policy     iamrolepolicy.IamRolePolicy
	statements []Statement
}

// NewRole defines a Role in scope.
func NewRole(scope constructs.Construct, id string, p RoleProps) (*Role, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("role %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	boundary, account := boundaryOf(scope)
	trust := Statement{Effect: "Allow", Principal: Service(p.AssumedBy), Action: "sts:AssumeRole"}
	if key := accountKeys[p.AssumedBy]; key != "" && account != "" {
		trust.Condition = map[string]any{"StringEquals": map[string]string{key: account}}
	}
	return newRole(scope, &iamrole.IamRoleConfig{
		Name: &p.Name, PermissionsBoundary: boundary, AssumeRolePolicy: Policy(trust),
	}), nil
}

func newRole(scope constructs.Construct, config *iamrole.IamRoleConfig) *Role {
	return &Role{scope: scope, role: iamrole.NewIamRole(scope, jsii.String("this"), config)}
}

// ARN is a token.
func (r *Role) ARN() *string { return r.role.Arn() }

// Allow adds a statement to the role's one policy.
func (r *Role) Allow(resource *string, actions ...string) {
	r.statements = append(r.statements, Statement{Effect: "Allow", Action: actions, Resource: *resource})
	if r.policy == nil {
		r.policy = iamrolepolicy.NewIamRolePolicy(r.scope, jsii.String("policy"), &iamrolepolicy.IamRolePolicyConfig{
			Role: r.role.Id(), Policy: Policy(r.statements...),
		})
		return
	}
	r.policy.SetPolicy(Policy(r.statements...))
}

// Grants are what a resource depends on when the service checks the role's
// grants at the resource's creation.
func (r *Role) Grants() *[]cdktf.ITerraformDependable {
	return &[]cdktf.ITerraformDependable{r.policy}
}
