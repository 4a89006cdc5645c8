package lake

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	replication "github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketreplicationconfiguration"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// ReplicaProps configures a Replica.
type ReplicaProps struct {
	Name        string  // required; its role's, unique in the account, at most 64 characters
	Source      *Bucket // required
	Destination *Bucket // required; in another region, with a key of that region
}

func (p ReplicaProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Source", p.Source != nil),
		check.Required("Destination", p.Destination != nil),
		check.That(p.Source == nil || p.Destination == nil || p.Source.key != p.Destination.key,
			"Destination must have a key of its own region, not the Source's"),
	)
}

// NewReplica copies what is written to a bucket to one in another region, in
// 15 minutes by AWS's agreement, with an event for each object that took
// longer. Deletions are copied as markers, which hide an object and keep its
// versions; a version that is erased must be erased in both. What the source
// held before is not copied.
//
//	Replica
//	├── role   aws_iam_role and its policy
//	└── this   aws_s3_bucket_replication_configuration
func NewReplica(scope constructs.Construct, id string, p ReplicaProps) error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("replica %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "s3.amazonaws.com"})
	if err != nil {
		return fmt.Errorf("replica %q: %w", id, err)
	}
	role.Allow(p.Source.ARN(), "s3:GetReplicationConfiguration", "s3:ListBucket")
	role.Allow(p.Source.objects(""), "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
	role.Allow(p.Destination.objects(""), "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")
	p.Source.key.GrantDecrypt(role)
	role.Allow(p.Destination.key.ARN(), "kms:Encrypt", "kms:GenerateDataKey") // the second for bucket keys

	enabled := jsii.String("Enabled")
	minutes := jsii.Number(15) // S3 takes no other
	replication.NewS3BucketReplicationConfigurationA(scope, jsii.String("this"), &replication.S3BucketReplicationConfigurationAConfig{
		Bucket: p.Source.ID(),
		Role:   role.ARN(),
		Rule: []*replication.S3BucketReplicationConfigurationRule{{
			Id:                      jsii.String("all"),
			Status:                  enabled,
			Priority:                jsii.Number(0),
			Filter:                  &replication.S3BucketReplicationConfigurationRuleFilter{Prefix: jsii.String("")},
			DeleteMarkerReplication: &replication.S3BucketReplicationConfigurationRuleDeleteMarkerReplication{Status: enabled},
			SourceSelectionCriteria: &replication.S3BucketReplicationConfigurationRuleSourceSelectionCriteria{
				// Without it, S3 skips what KMS encrypts: everything.
				SseKmsEncryptedObjects: &replication.S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects{Status: enabled},
			},
			Destination: &replication.S3BucketReplicationConfigurationRuleDestination{
				Bucket: p.Destination.ARN(),
				EncryptionConfiguration: &replication.S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration{
					ReplicaKmsKeyId: p.Destination.key.ARN(),
				},
				Metrics: &replication.S3BucketReplicationConfigurationRuleDestinationMetrics{
					Status:         enabled,
					EventThreshold: &replication.S3BucketReplicationConfigurationRuleDestinationMetricsEventThreshold{Minutes: minutes},
				},
				ReplicationTime: &replication.S3BucketReplicationConfigurationRuleDestinationReplicationTime{
					Status: enabled,
					Time:   &replication.S3BucketReplicationConfigurationRuleDestinationReplicationTimeTime{Minutes: minutes},
				},
			},
		}},
		DependsOn: &[]cdktf.ITerraformDependable{p.Source.versioning, p.Destination.versioning}, // S3 refuses it without
	})
	return nil
}
