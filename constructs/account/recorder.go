package account

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/configconfigurationrecorder"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/configconfigurationrecorderstatus"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/configdeliverychannel"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicyattachment"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// RecorderProps configures a Recorder.
type RecorderProps struct {
	Name          string        // required; unique in the account, at most 64 characters
	Bucket        string        // required; name of the bucket that it makes, unique in the world
	Key           *security.Key // required; encrypts every file
	RetentionDays int           // age at which files are deleted, 91 to 3650; default 730
	Protect       bool          // whether Terraform refuses to destroy it; default false
	DeleteObjects bool          // whether destroying it deletes its files, which needs Protect to be false; default false

	AccessLogs *lake.AccessLogs // takes a line for each request; default none
}

func (p RecorderProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Bucket", p.Bucket != ""),
		check.Required("Key", p.Key != nil),
		check.Between("RetentionDays", p.RetentionDays, 91, 3650),
		check.That(!p.Protect || !p.DeleteObjects, "DeleteObjects must be false where Protect is true"),
	)
}

// Recorder is AWS Config: it writes down every change of the account's
// resources, of the region's and of the global ones.
//
//	Recorder
//	├── bucket    Bucket
//	├── role      Role and AWS's policy for Config
//	├── this      aws_config_configuration_recorder
//	├── channel   aws_config_delivery_channel
//	└── status    aws_config_configuration_recorder_status
type Recorder struct{}

// NewRecorder defines a Recorder in scope.
func NewRecorder(scope constructs.Construct, id string, p RecorderProps) (*Recorder, error) {
	p.RetentionDays = cmp.Or(p.RetentionDays, 730)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("recorder %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	bucket, err := lake.NewBucket(scope, "bucket", lake.BucketProps{
		Name: p.Bucket, Key: p.Key, AccessLogs: p.AccessLogs, GlacierAfterDays: 90, ExpireAfterDays: p.RetentionDays,
		Protect: p.Protect, DeleteObjects: p.DeleteObjects,
	})
	if err != nil {
		return nil, fmt.Errorf("recorder %q: %w", id, err)
	}
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "config.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("recorder %q: %w", id, err)
	}
	bucket.GrantWrite(role, "")
	role.Allow(bucket.ARN(), "s3:GetBucketAcl", "s3:ListBucket")
	reads := iamrolepolicyattachment.NewIamRolePolicyAttachment(scope, jsii.String("reads"), &iamrolepolicyattachment.IamRolePolicyAttachmentConfig{
		Role: &p.Name, PolicyArn: jsii.String("arn:aws:iam::aws:policy/service-role/AWS_ConfigRole"), DependsOn: role.Grants(),
	})
	p.record(scope, bucket, role, reads)
	return &Recorder{}, nil
}

// record starts the recorder, which needs a channel first.
func (p RecorderProps) record(scope constructs.Construct, bucket *lake.Bucket, role *security.Role, reads cdktf.ITerraformDependable) {
	recorder := configconfigurationrecorder.NewConfigConfigurationRecorder(scope, jsii.String("this"), &configconfigurationrecorder.ConfigConfigurationRecorderConfig{
		Name:    &p.Name,
		RoleArn: role.ARN(),
		RecordingGroup: &configconfigurationrecorder.ConfigConfigurationRecorderRecordingGroup{
			AllSupported: true, IncludeGlobalResourceTypes: true,
		},
		DependsOn: &[]cdktf.ITerraformDependable{reads},
	})
	channel := configdeliverychannel.NewConfigDeliveryChannel(scope, jsii.String("channel"), &configdeliverychannel.ConfigDeliveryChannelConfig{
		Name: recorder.Name(), S3BucketName: bucket.ID(), S3KmsKeyArn: p.Key.ARN(),
	})
	configconfigurationrecorderstatus.NewConfigConfigurationRecorderStatus(scope, jsii.String("status"), &configconfigurationrecorderstatus.ConfigConfigurationRecorderStatusConfig{
		Name: recorder.Name(), IsEnabled: true, DependsOn: &[]cdktf.ITerraformDependable{channel},
	})
}
