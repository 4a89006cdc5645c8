// Package stream is the tier of moving data: the collector writes frames to
// its gateway stream, its preprocess function turns them into packs on the
// events stream, and lake, warehouse and ml read those.
package stream

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kinesisstream"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Props configures a Stream.
type Props struct {
	Name           string        // required; unique in the account and region
	Key            *security.Key // required; encrypts every record
	Shards         int           // 1 to 10000; each takes 1 MB/s or 1,000 records/s; with a Scaler, to begin with; default 0: on demand
	RetentionHours int           // replay window, 24 to 8760; default 24
	Protect        bool          // whether Terraform refuses to destroy it; default false
}

func (p Props) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Key", p.Key != nil),
		check.Between("Shards", p.Shards, 0, 10_000),
		check.Between("RetentionHours", p.RetentionHours, 24, 8760),
	)
}

// shardMetrics are those that tell a hot shard from a slow reader.
var shardMetrics = jsii.Strings("IncomingBytes", "IncomingRecords", "IteratorAgeMilliseconds",
	"ReadProvisionedThroughputExceeded", "WriteProvisionedThroughputExceeded")

// Stream is an encrypted Kinesis data stream.
type Stream struct {
	key            *security.Key
	kinesis        kinesisstream.KinesisStream
	provisioned    bool
	retentionHours int
}

// New defines a Stream in scope.
func New(scope constructs.Construct, id string, p Props) (*Stream, error) {
	p.RetentionHours = cmp.Or(p.RetentionHours, 24)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("stream %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	config := &kinesisstream.KinesisStreamConfig{
		Name:              &p.Name,
		RetentionPeriod:   jsii.Number(p.RetentionHours),
		EncryptionType:    jsii.String("KMS"),
		KmsKeyId:          p.Key.ARN(),
		ShardLevelMetrics: shardMetrics,
		StreamModeDetails: &kinesisstream.KinesisStreamStreamModeDetails{StreamMode: jsii.String("ON_DEMAND")},
		Lifecycle:         &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	}
	if p.Shards > 0 {
		config.StreamModeDetails.StreamMode = jsii.String("PROVISIONED")
		config.ShardCount = jsii.Number(p.Shards)
	}
	return &Stream{p.Key, kinesisstream.NewKinesisStream(scope, jsii.String("this"), config), p.Shards > 0, p.RetentionHours}, nil
}

// ARN is a token.
func (s *Stream) ARN() *string { return s.kinesis.Arn() }

// Name is a token: whoever uses it waits for the stream.
func (s *Stream) Name() *string { return s.kinesis.Name() }

// GrantWrite lets role put records and encrypt them.
func (s *Stream) GrantWrite(role *security.Role) {
	role.Allow(s.ARN(), "kinesis:PutRecords")
	s.key.GrantEncrypt(role)
}

// GrantDescribe lets role see the stream's settings, and no record.
func (s *Stream) GrantDescribe(role *security.Role) {
	role.Allow(s.ARN(), "kinesis:DescribeStreamSummary")
}

// GrantRead lets role consume records and decrypt them.
func (s *Stream) GrantRead(role *security.Role) {
	role.Allow(s.ARN(), "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
		"kinesis:GetShardIterator", "kinesis:ListShards")
	s.key.GrantDecrypt(role)
}
