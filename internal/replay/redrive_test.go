package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/putrecords"
)

// queue is SQS in memory: what is received is not seen again.
type queue struct {
	messages []sqstypes.Message
	deleted  []string
}

func (q *queue) ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	n := min(2, len(q.messages))
	out := &sqs.ReceiveMessageOutput{Messages: q.messages[:n]}
	q.messages = q.messages[n:]
	return out, nil
}

func (q *queue) DeleteMessage(_ context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	q.deleted = append(q.deleted, *in.ReceiptHandle)
	return &sqs.DeleteMessageOutput{}, nil
}

func (q *queue) add(body string) {
	q.messages = append(q.messages, sqstypes.Message{Body: &body, ReceiptHandle: aws.String(fmt.Sprint(len(q.messages)))})
}

func (q *queue) addObject(key string) {
	q.add(fmt.Sprintf(`{"Records":[{"s3":{"bucket":{"name":"failed"},"object":{"key":%q}}}]}`, url.QueryEscape(key)))
}

func frame(t *testing.T) []byte {
	t.Helper()
	data, err := event.Frame{ID: uuid.New(), Partition: 7, CreatedAt: noon, Events: []event.Received{{ShopID: "shoes", Event: jsontext.Value("{}"), SentAt: noon, ReceivedAt: noon}}}.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// failure is an object as Lambda writes it.
func failure(t *testing.T, records ...[]byte) []byte {
	t.Helper()
	var all []any
	for _, data := range records {
		all = append(all, map[string]any{"kinesis": map[string]any{"partitionKey": "007", "data": data}})
	}
	payload, err := json.Marshal(map[string]any{"Records": all})
	if err != nil {
		t.Fatal(err)
	}
	object, err := json.Marshal(map[string]any{"version": "1.0", "payload": string(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func TestRedrive(t *testing.T) {
	good, other := frame(t), frame(t)
	t.Run("puts frames back as they were and forgets their messages", func(t *testing.T) {
		from := &bucket{objects: map[string][]byte{"aws/lambda/a b+c": failure(t, good, other)}}
		var q queue
		q.add(`{"Service":"Amazon S3","Event":"s3:TestEvent"}`)
		q.addObject("aws/lambda/a b+c")
		var to stream
		told := 0
		done, err := Redrive{from, &q, "q", &to, func(Redriven) { told++ }}.Run(t.Context())
		if err != nil || done.Objects != 1 || done.Records != 2 || done.Events != 2 || told != 2 {
			t.Errorf("got %+v and %v, told %d times", done, err, told)
		}
		if len(to.entries) != 2 || !bytes.Equal(to.entries[0].Data, good) || !bytes.Equal(to.entries[1].Data, other) || *to.entries[0].PartitionKey != "007" {
			t.Errorf("got %d records, want both as they were", len(to.entries))
		}
		if strings.Join(q.deleted, " ") != "0 1" {
			t.Errorf("got %v deleted, want both messages", q.deleted)
		}
	})
	t.Run("leaves the messages of poison and of what is gone, and lets the rest enter", func(t *testing.T) {
		from := &bucket{fail: "gone", objects: map[string][]byte{"poison": failure(t, []byte("poison"), good), "other": []byte(`{"payload":"{}"}`), "good": failure(t, other)}}
		var q queue
		for _, key := range []string{"poison", "gone", "other", "good"} {
			q.addObject(key)
		}
		q.add("no JSON")
		var to stream
		done, err := Redrive{from, &q, "q", &to, func(Redriven) {}}.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "s3://failed/poison: a record would fail again: not a frame") || done.Broken != 4 || done.Objects != 1 {
			t.Errorf("got %+v and %v", done, err)
		}
		if len(to.entries) != 2 || strings.Join(q.deleted, " ") != "3" {
			t.Errorf("got %d records and %v deleted, want the 2 frames, and the last object's message", len(to.entries), q.deleted)
		}
	})
	t.Run("keeps the message where the stream takes nothing", func(t *testing.T) {
		from := &bucket{objects: map[string][]byte{"good": failure(t, good)}}
		var q queue
		q.addObject("good")
		if _, err := (Redrive{from, &q, "q", &stream{fail: errors.New("throttled")}, func(Redriven) {}}).Run(t.Context()); err == nil || len(q.deleted) > 0 {
			t.Errorf("got %v and %v deleted, want the failure and the message left", err, q.deleted)
		}
	})
}

// kinesisAPI takes everything.
type kinesisAPI struct {
	calls [][]types.PutRecordsRequestEntry
}

func (k *kinesisAPI) PutRecords(_ context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	k.calls = append(k.calls, in.Records)
	return &kinesis.PutRecordsOutput{Records: make([]types.PutRecordsResultEntry, len(in.Records))}, nil
}

func TestPaced(t *testing.T) {
	entries := func(n, size int) []types.PutRecordsRequestEntry {
		all := make([]types.PutRecordsRequestEntry, n)
		for i := range all {
			all[i] = types.PutRecordsRequestEntry{Data: make([]byte, size), PartitionKey: aws.String("k")}
		}
		return all
	}
	put := func(t *testing.T, shards int, share float64, all []types.PutRecordsRequestEntry) (*kinesisAPI, float64) {
		t.Helper()
		k := &kinesisAPI{}
		var took time.Duration
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			if err := NewPaced(putrecords.Writer{Client: k, Stream: "s"}, shards, share).Put(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			took = time.Since(began)
		})
		return k, took.Seconds()
	}
	t.Run("takes its share of the records a second", func(t *testing.T) {
		k, took := put(t, 2, 0.1, entries(260, 10)) // 200 a second: 200 at once, 60 in 0.3 s
		if took < 0.29 || took > 0.31 || len(k.calls) != 2 {
			t.Errorf("took %.2f s and %d calls, want 0.3 s and 2", took, len(k.calls))
		}
	})
	t.Run("takes its share of the bytes a second", func(t *testing.T) {
		_, took := put(t, 1, 1, entries(5, 256<<10)) // 1 MiB a second: 1 MiB at once, a quarter in 0.25 s
		if took < 0.24 || took > 0.26 {
			t.Errorf("took %.2f s, want 0.25", took)
		}
	})
	t.Run("lets the largest record pass, however small the share", func(t *testing.T) {
		if k, _ := put(t, 1, 0.001, entries(1, 1<<20)); len(k.calls) != 1 {
			t.Errorf("got %d calls", len(k.calls))
		}
	})
}
