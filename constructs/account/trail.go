package account

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudtrail"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketpolicy"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// TrailProps configures a Trail.
type TrailProps struct {
	Name          string           // required; unique in the account and region
	Account       security.Account // required
	Bucket        string           // required; name of the bucket that it makes, unique in the world
	Key           *security.Key    // required; encrypts every file
	Watched       []string         // what begins the names of the buckets whose every read and write is told; default none
	Unwatched     []string         // what begins the names of buckets among them that aren't, such as those of access logs; default none
	RetentionDays int              // age at which files are deleted, 91 to 3650; default 730
	Protect       bool             // whether Terraform refuses to destroy it; default false
	DeleteObjects bool             // whether destroying it deletes its files, which needs Protect to be false; default false

	AccessLogs *lake.AccessLogs // takes a line for each request; default none
}

func (p TrailProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
		check.Required("Bucket", p.Bucket != ""),
		check.Required("Key", p.Key != nil),
		check.That(len(p.Watched) > 0 || len(p.Unwatched) == 0, "Watched is required with Unwatched"),
		check.Between("RetentionDays", p.RetentionDays, 91, 3650),
		check.That(!p.Protect || !p.DeleteObjects, "DeleteObjects must be false where Protect is true"),
	)
}

// Trail tells who called what in the account, in every region, in files that
// can't be changed unnoticed.
//
//	Trail
//	├── bucket   Bucket
//	└── this     aws_cloudtrail
type Trail struct{}

// NewTrail defines a Trail in scope.
func NewTrail(scope constructs.Construct, id string, p TrailProps) (*Trail, error) {
	p.RetentionDays = cmp.Or(p.RetentionDays, 730)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("trail %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	arn := "arn:aws:cloudtrail:" + p.Account.Region + ":" + p.Account.ID + ":trail/" + p.Name
	p.Key.AllowService("cloudtrail.amazonaws.com", arn, "kms:GenerateDataKey*", "kms:DescribeKey")
	bucket, err := lake.NewBucket(scope, "bucket", lake.BucketProps{
		Name: p.Bucket, Key: p.Key, AccessLogs: p.AccessLogs, GlacierAfterDays: 90, ExpireAfterDays: p.RetentionDays,
		Protect: p.Protect, DeleteObjects: p.DeleteObjects,
	})
	if err != nil {
		return nil, fmt.Errorf("trail %q: %w", id, err)
	}
	p.letIn(bucket, arn)
	cloudtrail.NewCloudtrail(scope, jsii.String("this"), &cloudtrail.CloudtrailConfig{
		Name:                       &p.Name,
		S3BucketName:               bucket.ID(),
		KmsKeyId:                   p.Key.ARN(),
		IsMultiRegionTrail:         true,
		IncludeGlobalServiceEvents: true,
		EnableLogFileValidation:    true,
		AdvancedEventSelector:      p.selectors(),
		DependsOn:                  &[]cdktf.ITerraformDependable{policyOf(scope)}, // CloudTrail tries to write when it is created
	})
	return &Trail{}, nil
}

// letIn lets CloudTrail write.
func (p TrailProps) letIn(bucket *lake.Bucket, arn string) {
	statement := func(sid, action, resource string, condition map[string]string) security.Statement {
		condition["aws:SourceArn"] = arn
		return security.Statement{
			Sid: sid, Effect: "Allow", Principal: security.Service("cloudtrail.amazonaws.com"), Action: action, Resource: resource,
			Condition: map[string]any{"StringEquals": condition},
		}
	}
	name := "arn:aws:s3:::" + p.Bucket
	bucket.Allow(statement("TrailCheck", "s3:GetBucketAcl", name, map[string]string{}))
	bucket.Allow(statement("TrailWrite", "s3:PutObject", name+"/AWSLogs/"+p.Account.ID+"/*",
		map[string]string{"s3:x-amz-acl": "bucket-owner-full-control"})) // the header of CloudTrail's writes, though ACLs are off
}

// policyOf finds the policy of the bucket in scope.
func policyOf(scope constructs.Construct) cdktf.ITerraformDependable {
	return scope.Node().FindChild(jsii.String("bucket")).Node().FindChild(jsii.String("policy")).(s3bucketpolicy.S3BucketPolicy)
}

// selectors choose all changes of settings, and what is done to watched objects.
func (p TrailProps) selectors() []*cloudtrail.CloudtrailAdvancedEventSelector {
	field := func(name string, values ...string) *cloudtrail.CloudtrailAdvancedEventSelectorFieldSelector {
		return &cloudtrail.CloudtrailAdvancedEventSelectorFieldSelector{Field: &name, EqualTo: jsii.Strings(values...)}
	}
	selectors := []*cloudtrail.CloudtrailAdvancedEventSelector{{
		Name:          jsii.String("settings"),
		FieldSelector: []*cloudtrail.CloudtrailAdvancedEventSelectorFieldSelector{field("eventCategory", "Management")},
	}}
	if len(p.Watched) == 0 {
		return selectors
	}
	objects := &cloudtrail.CloudtrailAdvancedEventSelectorFieldSelector{Field: jsii.String("resources.ARN"), StartsWith: bucketARNs(p.Watched)}
	if len(p.Unwatched) > 0 {
		objects.NotStartsWith = bucketARNs(p.Unwatched)
	}
	return append(selectors, &cloudtrail.CloudtrailAdvancedEventSelector{
		Name: jsii.String("objects"),
		FieldSelector: []*cloudtrail.CloudtrailAdvancedEventSelectorFieldSelector{
			field("eventCategory", "Data"), field("resources.type", "AWS::S3::Object"), objects,
		},
	})
}

func bucketARNs(names []string) *[]*string {
	arns := make([]*string, len(names))
	for i, name := range names {
		arns[i] = jsii.String("arn:aws:s3:::" + name)
	}
	return &arns
}
