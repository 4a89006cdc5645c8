package security

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iampolicy"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// BoundaryProps configures a Boundary.
type BoundaryProps struct {
	Prefix  string   // required; the names of all the stack's roles begin with it, such as shopstream-prod-
	Account Account  // required
	Regions []string // further regions that roles may act in; the Account's and us-east-1, where global services live, always are
}

func (p BoundaryProps) validate() error {
	return errors.Join(
		check.Required("Prefix", p.Prefix != ""),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
	)
}

// boundedServices are those that a role of the platform can be granted at all.
// IAM, Organizations and CloudTrail are not among them.
var boundedServices = []string{
	"application-autoscaling", "athena", "autoscaling", "backup", "cloudwatch", "codedeploy", "cognito-idp", "dynamodb",
	"ec2", "ecr", "ecs", "elasticloadbalancing", "events", "execute-api", "firehose", "glue", "kinesis", "kinesisanalytics",
	"kms", "lakeformation", "lambda", "logs", "redshift", "redshift-data", "redshift-serverless", "s3", "sagemaker",
	"scheduler", "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "states", "sts", "tag", "xray",
}

// destructive are the actions that destroy data, or that unlock it: Terraform
// and break-glass alone take them.
var destructive = []string{
	"backup:Delete*", "backup:PutBackupVaultAccessPolicy",
	"dynamodb:DeleteBackup", "dynamodb:DeleteTable", "dynamodb:PutResourcePolicy",
	"glue:DeleteDatabase", "glue:PutResourcePolicy",
	"kinesis:DecreaseStreamRetentionPeriod", "kinesis:DeleteStream", "kinesis:PutResourcePolicy", "kinesis:StopStreamEncryption",
	"kms:DisableKey", "kms:DisableKeyRotation", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion",
	"logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:PutResourcePolicy", "logs:PutRetentionPolicy",
	"s3:DeleteBucket*", "s3:PutAccountPublicAccessBlock", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
	"s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
	"s3:PutLifecycleConfiguration", "s3:PutObjectAcl", "s3:PutReplicationConfiguration",
	"secretsmanager:DeleteSecret", "secretsmanager:PutResourcePolicy",
	"sqs:DeleteQueue",
}

// Boundary is the most that any role of a stack may ever do, whatever it is
// granted: no IAM, nothing in other regions, and no destruction of data. It
// grants nothing itself.
//
//	boundary
//	└── this   aws_iam_policy
type Boundary struct {
	policy iampolicy.IamPolicy
}

// A stack has one boundary, which roles find by its id, and the account in its context.
const (
	boundaryID = "boundary"
	accountKey = "account"
)

// NewBoundary defines the stack's Boundary. Every Role that is defined in the
// stack after it carries it.
func NewBoundary(stack cdktf.TerraformStack, p BoundaryProps) (*Boundary, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("boundary: %w", err)
	}
	scope := constructs.NewConstruct(stack, jsii.String(boundaryID))
	scope.Node().SetContext(jsii.String(accountKey), p.Account.ID)
	services := make([]string, len(boundedServices))
	for i, service := range boundedServices {
		services[i] = service + ":*"
	}
	return &Boundary{iampolicy.NewIamPolicy(scope, jsii.String("this"), &iampolicy.IamPolicyConfig{
		Name:        jsii.String(p.Prefix + "boundary"),
		Description: jsii.String("The most that a role named " + p.Prefix + "* may do. Grants nothing."),
		Policy: Policy(
			Statement{Sid: "Services", Effect: "Allow", Action: services, Resource: "*"},
			Statement{Sid: "OwnRoles", Effect: "Allow", Action: "iam:PassRole", Resource: "arn:aws:iam::" + p.Account.ID + ":role/" + p.Prefix + "*"},
			Statement{Sid: "Destruction", Effect: "Deny", Action: destructive, Resource: "*"},
			Statement{Sid: "OtherRegions", Effect: "Deny", Action: "*", Resource: "*", Condition: map[string]any{
				"StringNotEquals": map[string][]string{"aws:RequestedRegion": append([]string{p.Account.Region, "us-east-1"}, p.Regions...)},
			}},
		),
	})}, nil
}

// ARN is a token.
func (b *Boundary) ARN() *string { return b.policy.Arn() }

// boundaryOf finds the boundary of scope's stack and its account, nil and ""
// where there is none.
func boundaryOf(scope constructs.Construct) (arn *string, account string) {
	boundary := cdktf.TerraformStack_Of(scope).Node().TryFindChild(jsii.String(boundaryID))
	if boundary == nil {
		return nil, ""
	}
	account, _ = boundary.Node().TryGetContext(jsii.String(accountKey)).(string)
	return boundary.Node().FindChild(jsii.String("this")).(iampolicy.IamPolicy).Arn(), account
}
