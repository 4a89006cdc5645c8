package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/shopstream/shopstream/constructs/event"
)

// SQS is the part of SQS's client that a Redrive uses.
type SQS interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
}

// Redrive lets records enter the gateway stream again that preprocess could
// not process: byte by byte, with the same frame ids. The queue says which
// they are, so that it goes on by itself where it was broken off.
type Redrive struct {
	S3       S3
	SQS      SQS
	Queue    string // URL
	Stream   Stream
	Progress func(Redriven)
}

// Redriven is how far a redrive came.
type Redriven struct {
	Objects int   `json:"objects"` // whose records entered
	Records int   `json:"records"` // frames
	Events  int   `json:"events"`
	Broken  int   `json:"broken"` // messages that stay: a record is no frame, or the object is gone
	First   error `json:"-"`      // why the first of them stays
}

// Run takes messages until the queue has none. What cannot enter stays in the
// queue, which moves it to its dead letters after five times.
func (r Redrive) Run(ctx context.Context) (Redriven, error) {
	var done Redriven
	for {
		out, err := r.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &r.Queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 2})
		if err != nil {
			return done, fmt.Errorf("receive from %s: %w", r.Queue, err)
		}
		if len(out.Messages) == 0 {
			return done, done.First
		}
		for _, message := range out.Messages {
			if err := r.message(ctx, message, &done); err != nil {
				return done, err
			}
			r.Progress(done)
		}
	}
}

// message lets the objects of one message enter, and then forgets it.
func (r Redrive) message(ctx context.Context, message sqstypes.Message, done *Redriven) error {
	var notice events.S3Event // without records it is S3's test of the queue
	if err := json.Unmarshal([]byte(*message.Body), &notice); err != nil {
		done.broken(errors.New("a message of the queue is not S3's"))
		return nil
	}
	for _, record := range notice.Records {
		bucket := record.S3.Bucket.Name
		key, err := url.QueryUnescape(record.S3.Object.Key)
		if err != nil {
			key = record.S3.Object.Key
		}
		to := &batch{stream: r.Stream, progress: &Progress{}}
		err = r.object(ctx, to, bucket, key)
		done.Records += to.progress.Records
		done.Events += to.progress.Events
		if ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			done.broken(fmt.Errorf("s3://%s/%s: %w", bucket, key, err))
			return nil
		}
		done.Objects++
	}
	if _, err := r.SQS.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &r.Queue, ReceiptHandle: message.ReceiptHandle}); err != nil {
		return fmt.Errorf("delete from %s: %w", r.Queue, err)
	}
	return nil
}

// object lets the frames of the invocation that an object holds enter.
func (r Redrive) object(ctx context.Context, to *batch, bucket, key string) error {
	out, err := r.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		return err
	}
	var invocation struct{ Payload string }
	var batch events.KinesisEvent
	if json.Unmarshal(body, &invocation) != nil || json.Unmarshal([]byte(invocation.Payload), &batch) != nil || len(batch.Records) == 0 {
		return errors.New("it does not hold the records of an invocation")
	}
	var broken error
	for _, record := range batch.Records {
		var frame event.Frame
		if err := frame.UnmarshalBinary(record.Kinesis.Data); err != nil {
			broken = fmt.Errorf("a record would fail again: %w", err)
			continue
		}
		if err := to.add(ctx, record.Kinesis.PartitionKey, record.Kinesis.Data, len(frame.Events)); err != nil {
			return err
		}
	}
	return errors.Join(broken, to.flush(ctx))
}

func (d *Redriven) broken(err error) {
	if d.Broken++; d.First == nil {
		d.First = fmt.Errorf("some records stay in the queue, the first for this: %w", err)
	}
}
