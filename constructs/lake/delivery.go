package lake

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchlogstream"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kinesisfirehosedeliverystream"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Source is a stream that a Delivery reads.
type Source interface {
	ARN() *string
	GrantRead(*security.Role)
}

// DeliveryProps configures a Delivery.
type DeliveryProps struct {
	Name             string             // required; unique in the account and region
	Source           Source             // required; its records must end with a line feed
	Destination      *Bucket            // required
	LogGroup         *security.LogGroup // required; takes delivery errors
	BufferingSeconds int                // longest wait before an object is written, 0 to 900; default 60
	BufferingMiB     int                // size at which an object is written, 1 to 128; default 64
}

// MaxBufferingSeconds is the longest that Firehose waits.
const MaxBufferingSeconds = 900

func (p DeliveryProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Source", p.Source != nil),
		check.Required("Destination", p.Destination != nil),
		check.Required("LogGroup", p.LogGroup != nil),
		check.Between("BufferingSeconds", p.BufferingSeconds, 0, MaxBufferingSeconds),
		check.Between("BufferingMiB", p.BufferingMiB, 1, 128),
	)
}

// Where a Delivery writes: by the hour of arrival, so that a finished hour
// never changes.
const (
	EventsPrefix = "events/arrival_date=!{timestamp:yyyy-MM-dd}/arrival_hour=!{timestamp:HH}/"
	ErrorPrefix  = "errors/!{firehose:error-output-type}/arrival_date=!{timestamp:yyyy-MM-dd}/"
)

// Delivery is a Firehose stream that writes a Source to a Bucket as gzip
// objects, by date and hour of arrival.
//
//	Delivery
//	├── role         aws_iam_role and its policy
//	├── errors       aws_cloudwatch_log_stream
//	└── this         aws_kinesis_firehose_delivery_stream
type Delivery struct {
	firehose kinesisfirehosedeliverystream.KinesisFirehoseDeliveryStream
}

// NewDelivery defines a Delivery in scope.
func NewDelivery(scope constructs.Construct, id string, p DeliveryProps) (*Delivery, error) {
	p.BufferingSeconds = cmp.Or(p.BufferingSeconds, 60)
	p.BufferingMiB = cmp.Or(p.BufferingMiB, 64)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("delivery %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "firehose.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("delivery %q: %w", id, err)
	}
	p.Source.GrantRead(role)
	p.Destination.GrantDeliver(role)
	p.LogGroup.GrantWrite(role)

	errorLog := cloudwatchlogstream.NewCloudwatchLogStream(scope, jsii.String("errors"), &cloudwatchlogstream.CloudwatchLogStreamConfig{
		Name: &p.Name, LogGroupName: p.LogGroup.Name(),
	})
	firehose := kinesisfirehosedeliverystream.NewKinesisFirehoseDeliveryStream(scope, jsii.String("this"), &kinesisfirehosedeliverystream.KinesisFirehoseDeliveryStreamConfig{
		Name:        &p.Name,
		Destination: jsii.String("extended_s3"),
		KinesisSourceConfiguration: &kinesisfirehosedeliverystream.KinesisFirehoseDeliveryStreamKinesisSourceConfiguration{
			KinesisStreamArn: p.Source.ARN(), RoleArn: role.ARN(),
		},
		ExtendedS3Configuration: &kinesisfirehosedeliverystream.KinesisFirehoseDeliveryStreamExtendedS3Configuration{
			BucketArn:         p.Destination.ARN(),
			RoleArn:           role.ARN(),
			KmsKeyArn:         p.Destination.Key().ARN(),
			Prefix:            jsii.String(EventsPrefix),
			ErrorOutputPrefix: jsii.String(ErrorPrefix),
			BufferingInterval: jsii.Number(p.BufferingSeconds),
			BufferingSize:     jsii.Number(p.BufferingMiB),
			CompressionFormat: jsii.String("GZIP"),
			CustomTimeZone:    jsii.String("UTC"),
			CloudwatchLoggingOptions: &kinesisfirehosedeliverystream.KinesisFirehoseDeliveryStreamExtendedS3ConfigurationCloudwatchLoggingOptions{
				Enabled: true, LogGroupName: p.LogGroup.Name(), LogStreamName: errorLog.Name(),
			},
		},
		DependsOn: role.Grants(), // Firehose checks them once, when it is created
	})
	return &Delivery{firehose}, nil
}

// Name is a token.
func (d *Delivery) Name() *string { return d.firehose.Name() }

// GrantDeliver lets Firehose's role write objects, with what its
// documentation asks for beyond GrantWrite.
func (b *Bucket) GrantDeliver(role *security.Role) {
	b.GrantWrite(role, "")
	role.Allow(b.ARN(), "s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
}
