package lake

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketlogging"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// AccessLogsProps configures AccessLogs.
type AccessLogsProps struct {
	Name            string           // required; unique in the world
	Account         security.Account // required; its buckets alone may log here, those of its region
	ExpireAfterDays int              // age at which lines are deleted, 1 to 3650; default 90
	Protect         bool             // whether Terraform refuses to destroy it; default false
	DeleteObjects   bool             // whether destroying it deletes its objects, which needs Protect to be false; default false

	Provider cdktf.TerraformProvider // of the Account's region; default the stack's own
}

func (p AccessLogsProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 3, 63),
		check.Required("Account", p.Account.ID != ""),
		check.Between("ExpireAfterDays", p.ExpireAfterDays, 1, 3650),
		check.That(!p.Protect || !p.DeleteObjects, "DeleteObjects must be false where Protect is true"),
	)
}

// AccessLogs is the bucket that tells who asked for what in the other buckets.
// It is built as they are, but S3's own key encrypts it: S3 delivers no access
// log to a bucket with a key of KMS.
type AccessLogs struct {
	bucket *Bucket
}

// NewAccessLogs defines AccessLogs in scope.
func NewAccessLogs(scope constructs.Construct, id string, p AccessLogsProps) (*AccessLogs, error) {
	p.ExpireAfterDays = cmp.Or(p.ExpireAfterDays, 90)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("access logs %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	bucket := newBucket(scope, BucketProps{
		Name: p.Name, ExpireAfterDays: p.ExpireAfterDays, Protect: p.Protect, DeleteObjects: p.DeleteObjects, Provider: p.Provider,
	})
	bucket.Allow(security.Statement{
		Sid:       "AccessLogs",
		Effect:    "Allow",
		Principal: security.Service("logging.s3.amazonaws.com"),
		Action:    "s3:PutObject",
		Resource:  "arn:aws:s3:::" + p.Name + "/*",
		Condition: map[string]any{"StringEquals": map[string]string{"aws:SourceAccount": p.Account.ID}},
	})
	return &AccessLogs{bucket}, nil
}

// ID is a token: the bucket's name.
func (l *AccessLogs) ID() *string { return l.bucket.ID() }

// take makes a bucket log here, by the day of the request.
func (l *AccessLogs) take(scope constructs.Construct, from *Bucket, provider cdktf.TerraformProvider) {
	s3bucketlogging.NewS3BucketLoggingA(scope, jsii.String("access_log"), &s3bucketlogging.S3BucketLoggingAConfig{
		Bucket:       from.ID(),
		TargetBucket: l.ID(),
		TargetPrefix: jsii.String(from.Name() + "/"),
		TargetObjectKeyFormat: &s3bucketlogging.S3BucketLoggingTargetObjectKeyFormat{
			PartitionedPrefix: &s3bucketlogging.S3BucketLoggingTargetObjectKeyFormatPartitionedPrefix{PartitionDateSource: jsii.String("EventTime")},
		},
		DependsOn: &[]cdktf.ITerraformDependable{l.bucket.policy}, // lines are lost until it lets S3 in
		Provider:  provider,
	})
}
