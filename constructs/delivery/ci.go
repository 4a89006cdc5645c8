package delivery

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iampolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicyattachment"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// CIProps configures a CI.
type CIProps struct {
	Account    security.Account // required
	Stack      string           // required; the stack that is planned and applied; its resources' names begin with shopstream-, it and a hyphen
	Regions    []string         // further regions that the stack lives in; the Account's and us-east-1, where global services live, always are
	GitHub     *GitHub          // required
	State      *State           // required
	Repository string           // required; OWNER/NAME, or OWNER@ID/NAME@ID where GitHub's subject claims are immutable

	Artifacts []string // buckets whose objects Terraform reads back, a * at the end stands for any rest; default none: it reads no object
}

// RepositoryFormat is that of GitHub's names, with or without the ids that
// newer repositories carry in their subject claims. It takes no wildcards.
var RepositoryFormat = regexp.MustCompile(`^[A-Za-z0-9-]+(@[0-9]+/[A-Za-z0-9._-]+@[0-9]+|/[A-Za-z0-9._-]+)$`)

var stackFormat = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (p CIProps) validate() error {
	return errors.Join(
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
		check.Required("Stack", p.Stack != ""),
		check.Between("length of Stack", len(p.Stack), 1, 16),
		check.That(stackFormat.MatchString(p.Stack), "Stack must be letters, digits, dots, underscores and hyphens, got %q", p.Stack),
		check.Required("GitHub", p.GitHub != nil),
		check.Required("State", p.State != nil),
		check.That(RepositoryFormat.MatchString(p.Repository), "Repository must be OWNER/NAME or OWNER@ID/NAME@ID, got %q", p.Repository),
	)
}

// CI is what GitHub's jobs may do to a stack: those of its environment STACK,
// which an approval should protect, apply; those of STACK-plan, which may run on
// pull requests too, plan. A plan reads every setting and
// no data. An apply makes and destroys the stack's resources, but no role
// without the stack's security.Boundary, not that boundary, not break-glass,
// and not what stands here: those change by an administrator's hand.
//
//	CI
//	├── plan        aws_iam_role, its policy, AWS's ReadOnlyAccess
//	├── boundary    aws_iam_policy: the most that apply may do
//	└── apply       aws_iam_role, its policy, AWS's PowerUserAccess
type CI struct {
	plan, apply iamrole.IamRole
}

// NewCI defines a CI in scope.
func NewCI(scope constructs.Construct, id string, p CIProps) (*CI, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("ci %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	p.State.Keep(p.Stack, p.prefix()+"ci-")
	boundary := iampolicy.NewIamPolicy(scope, jsii.String("boundary"), &iampolicy.IamPolicyConfig{
		Name:        jsii.String(p.prefix() + "ci-boundary"),
		Description: jsii.String("The most that " + p.prefix() + "ci-apply may do. Grants nothing."),
		Policy:      policy(p.boundary()...),
	})
	return &CI{
		plan: p.role(scope, "plan", p.Stack+"-plan", "ReadOnlyAccess", nil,
			append(p.State.mayRead(p.Stack), p.noData())),
		apply: p.role(scope, "apply", p.Stack, "PowerUserAccess", boundary.Arn(),
			append(p.State.mayWrite(p.Stack), p.mayManageRoles()...)),
	}, nil
}

// prefix begins the names of the stack's resources.
func (p CIProps) prefix() string { return "shopstream-" + p.Stack + "-" }

func (p CIProps) iam(kind, name string) string {
	return "arn:aws:iam::" + p.Account.ID + ":" + kind + "/" + p.prefix() + name
}

// role defines a role with one of AWS's policies, which know every type of
// resource, and one of its own.
func (p CIProps) role(scope constructs.Construct, id, environment, managed string, boundary *string, statements []statement) iamrole.IamRole {
	scope = constructs.NewConstruct(scope, &id)
	role := iamrole.NewIamRole(scope, jsii.String("this"), &iamrole.IamRoleConfig{
		Name:                jsii.String(p.prefix() + "ci-" + id),
		Description:         jsii.String("GitHub's jobs of " + p.Repository + " in " + environment + "."),
		AssumeRolePolicy:    p.GitHub.trust(p.Repository, environment),
		MaxSessionDuration:  jsii.Number(2 * 3600), // longer than the slowest apply
		PermissionsBoundary: boundary,
	})
	iamrolepolicy.NewIamRolePolicy(scope, jsii.String("policy"), &iamrolepolicy.IamRolePolicyConfig{
		Role: role.Id(), Policy: policy(statements...),
	})
	iamrolepolicyattachment.NewIamRolePolicyAttachment(scope, jsii.String("managed"), &iamrolepolicyattachment.IamRolePolicyAttachmentConfig{
		Role: role.Name(), PolicyArn: jsii.String("arn:aws:iam::aws:policy/" + managed),
	})
	return role
}

// PlanARN is a token.
func (c *CI) PlanARN() *string { return c.plan.Arn() }

// ApplyARN is a token.
func (c *CI) ApplyARN() *string { return c.apply.Arn() }
