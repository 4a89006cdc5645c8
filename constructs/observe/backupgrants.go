package observe

import (
	"fmt"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupvault"

	"github.com/shopstream/shopstream/constructs/security"
)

// grantSave lets role do what AWS's policies for backups allow, on what this
// plan names alone. A deletion at the end of retention is the vault's own.
func (p BackupProps) grantSave(role *security.Role, vault, replica backupvault.BackupVault) {
	for _, table := range p.Tables {
		role.Allow(table, "dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:StartAwsBackupJob")
	}
	for _, bucket := range p.Buckets {
		role.Allow(bucket, "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketNotification", "s3:GetBucketTagging",
			"s3:GetBucketVersioning", "s3:GetInventoryConfiguration", "s3:ListBucket", "s3:ListBucketVersions",
			"s3:PutBucketNotification", "s3:PutInventoryConfiguration")
		role.Allow(objectsOf(bucket), "s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion",
			"s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
	}
	if len(p.Buckets) > 0 { // Backup learns of changes through a rule of its own
		role.Allow(jsii.String("arn:aws:events:"+p.Account.Region+":"+p.Account.ID+":rule/AwsBackupManagedRule*"),
			"events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:EnableRule",
			"events:ListTargetsByRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets")
		role.Allow(jsii.String("*"), "cloudwatch:GetMetricData") // knows no resources
	}
	role.Allow(vault.Arn(), "backup:DescribeBackupVault")
	for _, key := range p.Sources {
		role.Allow(key.ARN(), "kms:Decrypt", "kms:DescribeKey")
	}
	useVaultKey(role, p.Key)
	if replica != nil {
		role.Allow(jsii.String("*"), "backup:CopyFromBackupVault") // knows no resources
		role.Allow(replica.Arn(), "backup:CopyIntoBackupVault", "backup:DescribeBackupVault")
		useVaultKey(role, p.ReplicaKey)
	}
}

// useVaultKey lets role encrypt and read backups, and let Backup's own workers do so.
func useVaultKey(role *security.Role, key *security.Key) {
	role.Allow(key.ARN(), "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")
}

// grantRestore lets role restore a table beside the saved one, as NAME-restored,
// and objects as new versions into the saved bucket.
func (p BackupProps) grantRestore(role *security.Role) {
	for _, table := range p.Tables {
		role.Allow(jsii.String(*table+"-restored*"), "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:DescribeTable",
			"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:RestoreTableFromAwsBackup",
			"dynamodb:Scan", "dynamodb:UpdateItem")
	}
	for _, bucket := range p.Buckets {
		role.Allow(bucket, "s3:GetBucketLocation", "s3:GetBucketOwnershipControls", "s3:GetBucketVersioning",
			"s3:ListBucket", "s3:ListBucketVersions")
		role.Allow(objectsOf(bucket), "s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion",
			"s3:GetObjectVersionAcl", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging")
	}
	for _, key := range append([]*security.Key{p.Key}, p.Sources...) {
		role.Allow(key.ARN(), "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")
	}
}

func objectsOf(bucket *string) *string { return jsii.String(fmt.Sprintf("%s/*", *bucket)) }
