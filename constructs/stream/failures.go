package stream

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketnotification"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueue"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// FailuresProps configures Failures.
type FailuresProps struct {
	Name    string           // required; unique in the account and region, at most 75 characters
	Account security.Account // required
	Key     *security.Key    // required; encrypts messages
	Bucket  *lake.Bucket     // required; takes the records that could not be processed, and keeps them for FailureRetentionDays
}

func (p FailuresProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 75),
		check.Required("Account", p.Account.ID != ""),
		check.Required("Key", p.Key != nil),
		check.Required("Bucket", p.Bucket != nil),
	)
}

// How long the queues keep a message, and the bucket of failures its record:
// S3 deletes it at the midnight after, so that no message outlives its record.
const (
	FailureRetentionDays  = 6
	FailureRetentionHours = FailureRetentionDays * 24
)

// Failures is where records go that a function could not process: whole into
// a bucket, and as a message about that object into a queue that redrive reads.
//
//	Failures
//	├── queue          aws_sqs_queue: the bucket alone may send
//	├── dlq            aws_sqs_queue: what redrive gave up
//	└── notification   aws_s3_bucket_notification
type Failures struct {
	key    *security.Key
	bucket *lake.Bucket
	queue  sqsqueue.SqsQueue
	dlq    sqsqueue.SqsQueue
}

// NewFailures defines Failures in scope.
func NewFailures(scope constructs.Construct, id string, p FailuresProps) (*Failures, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("failures %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	bucketARN := "arn:aws:s3:::" + p.Bucket.Name()
	p.Key.AllowService("s3.amazonaws.com", bucketARN, "kms:GenerateDataKey", "kms:Decrypt")

	queueConfig := func(name string) *sqsqueue.SqsQueueConfig {
		return &sqsqueue.SqsQueueConfig{
			Name:                         &name,
			KmsMasterKeyId:               p.Key.ARN(),
			KmsDataKeyReusePeriodSeconds: jsii.Number(300),
			MessageRetentionSeconds:      jsii.Number(FailureRetentionHours * 3600),
			VisibilityTimeoutSeconds:     jsii.Number(300),
		}
	}
	dlq := sqsqueue.NewSqsQueue(scope, jsii.String("dlq"), queueConfig(p.Name+"-dlq"))
	config := queueConfig(p.Name)
	config.RedrivePolicy = jsii.String(fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":5}`, *dlq.Arn()))
	config.Policy = security.Policy(security.Statement{
		Sid:       "FailedBucket",
		Effect:    "Allow",
		Principal: security.Service("s3.amazonaws.com"),
		Action:    "sqs:SendMessage",
		Resource:  "arn:aws:sqs:" + p.Account.Region + ":" + p.Account.ID + ":" + p.Name,
		Condition: map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": bucketARN}},
	})
	queue := sqsqueue.NewSqsQueue(scope, jsii.String("queue"), config)
	s3bucketnotification.NewS3BucketNotification(scope, jsii.String("notification"), &s3bucketnotification.S3BucketNotificationConfig{
		Bucket: p.Bucket.ID(),
		Queue:  []*s3bucketnotification.S3BucketNotificationQueue{{QueueArn: queue.Arn(), Events: jsii.Strings("s3:ObjectCreated:*")}},
	})
	return &Failures{p.Key, p.Bucket, queue, dlq}, nil
}

// QueueName is a token.
func (f *Failures) QueueName() *string { return f.queue.Name() }

// DeadLettersName is a token: the queue of what redrive gave up.
func (f *Failures) DeadLettersName() *string { return f.dlq.Name() }

// QueueURL is a token.
func (f *Failures) QueueURL() *string { return f.queue.Url() }

// GrantReceive lets role take messages out of the queue and read the records
// that they name.
func (f *Failures) GrantReceive(role *security.Role) {
	role.Allow(f.queue.Arn(), "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage")
	f.key.GrantDecrypt(role)
	f.bucket.GrantRead(role, "")
}

// GrantRedrive lets role move messages that redrive gave up back into the
// queue, look at them and delete them. They name objects, which it can't read.
func (f *Failures) GrantRedrive(role *security.Role) {
	role.Allow(f.dlq.Arn(), "sqs:CancelMessageMoveTask", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
		"sqs:ListMessageMoveTasks", "sqs:ReceiveMessage", "sqs:StartMessageMoveTask")
	role.Allow(f.queue.Arn(), "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage")
	f.key.GrantEncrypt(role)
	f.key.GrantDecrypt(role)
}
