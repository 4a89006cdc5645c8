package test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/test/synth"
)

type kinesisStream struct {
	Encryption string `json:"encryption_type"`
	Key        string `json:"kms_key_id"`
	Hours      int    `json:"retention_period"`
	Shards     int    `json:"shard_count"`
	Mode       struct {
		Mode string `json:"stream_mode"`
	} `json:"stream_mode_details"`
	Lifecycle struct {
		IgnoreChanges  []string `json:"ignore_changes"`
		PreventDestroy bool     `json:"prevent_destroy"`
	}
}

func TestStream(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		onDemand, err := stream.New(scope, "demand", stream.Props{Name: "demand", Key: key})
		if err != nil {
			return err
		}
		onDemand.GrantRead(newRole(t, scope, "reader"))
		onDemand.GrantWrite(newRole(t, scope, "writer"))
		onDemand.GrantDescribe(newRole(t, scope, "onlooker"))
		_, err = stream.New(scope, "shards", stream.Props{Name: "shards", Key: key, Shards: 4, RetentionHours: 168, Protect: true})
		return err
	})
	demand := synth.Get[kinesisStream](t, template.Resource, "aws_kinesis_stream", "demand_this")
	shards := synth.Get[kinesisStream](t, template.Resource, "aws_kinesis_stream", "shards_this")

	t.Run("is encrypted with the given key", func(t *testing.T) {
		if demand.Encryption != "KMS" || !strings.HasPrefix(demand.Key, "${aws_kms_key.key_this") {
			t.Errorf("got %+v, want KMS with the given key", demand)
		}
	})
	t.Run("is on demand without shards, and keeps records for a day", func(t *testing.T) {
		if demand.Mode.Mode != "ON_DEMAND" || demand.Shards != 0 || demand.Hours != 24 {
			t.Errorf("got %+v, want on demand, 24 hours", demand)
		}
	})
	t.Run("has its shards where it has no scaler", func(t *testing.T) {
		if shards.Mode.Mode != "PROVISIONED" || shards.Shards != 4 || shards.Lifecycle.IgnoreChanges != nil {
			t.Errorf("got %+v, want 4 provisioned shards that a plan may change", shards)
		}
	})
	t.Run("is not destroyed where it is protected", func(t *testing.T) {
		if !shards.Lifecycle.PreventDestroy || demand.Lifecycle.PreventDestroy {
			t.Errorf("got %v and %v, want the protected one alone", shards.Lifecycle, demand.Lifecycle)
		}
	})
	t.Run("grants readers the key too, and nothing else", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"}, Resource: "${aws_kinesis_stream.demand_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "reader_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("shows its settings alone to who describes it", func(t *testing.T) {
		want := []synth.Grant{{Actions: []string{"kinesis:DescribeStreamSummary"}, Resource: "${aws_kinesis_stream.demand_this.arn}"}}
		if got := synth.Grants(t, template.Resource, "onlooker_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("grants writers the key too, and nothing else", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"kinesis:PutRecords"}, Resource: "${aws_kinesis_stream.demand_this.arn}"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "writer_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestStreamReportsEveryBadProp(t *testing.T) {
	_, err := stream.New(nil, "events", stream.Props{Shards: -1, RetentionHours: 1})
	want := "stream \"events\": Name is required\nKey is required\nShards must be 0 to 10000, got -1\nRetentionHours must be 24 to 8760, got 1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// preprocessStack is a Preprocess with all around it.
func preprocessStack(t *testing.T, change func(*stream.PreprocessProps)) (synth.Template, error) {
	t.Helper()
	code, err := asset.Fixture(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var refused error
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		p := stream.PreprocessProps{Name: "preprocess", Code: code, Key: key}
		for name, at := range map[string]**stream.Stream{"gateway": &p.Gateway, "events": &p.Events} {
			s, err := stream.New(scope, name, stream.Props{Name: name, Key: key})
			if err != nil {
				return err
			}
			*at = s
		}
		var failed *lake.Bucket
		for name, at := range map[string]**lake.Bucket{"quarantine": &p.Quarantine, "ledger": &p.Ledger, "failed": &failed} {
			b, err := lake.NewBucket(scope, name, lake.BucketProps{Name: "test-" + name, Key: key})
			if err != nil {
				return err
			}
			*at = b
		}
		var err error
		if p.Failures, err = stream.NewFailures(scope, "failures", stream.FailuresProps{Name: "failures", Account: testAccount, Key: key, Bucket: failed}); err != nil {
			return err
		}
		if p.LogGroup, err = security.NewLogGroup(scope, "log", security.LogGroupProps{Name: "/aws/lambda/preprocess", Key: key, RetentionDays: 1}); err != nil {
			return err
		}
		if change != nil {
			change(&p)
		}
		_, refused = stream.NewPreprocess(scope, "preprocess", p)
		return nil
	})
	return template, refused
}

func TestPreprocess(t *testing.T) {
	template, err := preprocessStack(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("has every setting of its mapping explicit", func(t *testing.T) {
		got := synth.Get[map[string]any](t, template.Resource, "aws_lambda_event_source_mapping", "preprocess_mapping")
		want := map[string]any{
			"batch_size": 500., "maximum_batching_window_in_seconds": 0., "parallelization_factor": 1., "maximum_retry_attempts": 5.,
			"maximum_record_age_in_seconds": 12 * 3600., "bisect_batch_on_function_error": true,
			"function_response_types": []any{"ReportBatchItemFailures"}, "starting_position": "TRIM_HORIZON",
		}
		for setting, value := range want {
			if !reflect.DeepEqual(got[setting], value) {
				t.Errorf("%s: got %v, want %v", setting, got[setting], value)
			}
		}
	})
	t.Run("sends what it cannot process whole to the failed bucket", func(t *testing.T) {
		got := synth.Get[struct {
			Function    string `json:"function_name"`
			Destination struct {
				OnFailure struct {
					ARN string `json:"destination_arn"`
				} `json:"on_failure"`
			} `json:"destination_config"`
		}](t, template.Resource, "aws_lambda_event_source_mapping", "preprocess_mapping")
		if !strings.HasPrefix(got.Destination.OnFailure.ARN, "${aws_s3_bucket.failed_this") || !strings.HasPrefix(got.Function, "${aws_lambda_alias.preprocess_live") {
			t.Errorf("got %+v, want the failed bucket and the alias", got)
		}
	})
	t.Run("may read the gateway, write packs, rejects and receipts, and no more", func(t *testing.T) {
		var got []string
		for _, grant := range synth.Grants(t, template.Resource, "preprocess_role_policy") {
			if !strings.HasPrefix(grant.Resource, "${aws_kms_key.") {
				got = append(got, strings.Join(grant.Actions, " ")+" on "+grant.Resource)
			}
		}
		want := []string{
			"logs:CreateLogStream logs:PutLogEvents on ${aws_cloudwatch_log_group.log_this.arn}:*",
			"xray:PutTraceSegments xray:PutTelemetryRecords on *",
			"kinesis:DescribeStream kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards on ${aws_kinesis_stream.gateway_this.arn}",
			"kinesis:PutRecords on ${aws_kinesis_stream.events_this.arn}",
			"s3:PutObject s3:AbortMultipartUpload on ${aws_s3_bucket.quarantine_this.arn}/*",
			"s3:PutObject s3:AbortMultipartUpload on ${aws_s3_bucket.ledger_this.arn}/receipts/*",
			"s3:PutObject s3:AbortMultipartUpload on ${aws_s3_bucket.failed_this.arn}/*",
			"s3:ListBucket on ${aws_s3_bucket.failed_this.arn}",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	t.Run("is an arm64 function with traces and an encrypted environment", func(t *testing.T) {
		got := synth.Get[struct {
			Architectures []string
			Runtime       string
			Key           string                `json:"kms_key_arn"`
			Tracing       struct{ Mode string } `json:"tracing_config"`
			Concurrency   int                   `json:"reserved_concurrent_executions"`
		}](t, template.Resource, "aws_lambda_function", "preprocess_this")
		if !reflect.DeepEqual(got.Architectures, []string{"arm64"}) || got.Runtime != "provided.al2023" || got.Key == "" || got.Tracing.Mode != "Active" || got.Concurrency != 10 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestPreprocessRefusesLanesThatDoNotDivideThePartitions(t *testing.T) {
	_, err := preprocessStack(t, func(p *stream.PreprocessProps) { p.Lanes = 48 })
	if want := "Lanes must be one of 1, 2, 4, 8, 16, 32, 64, 128, 256, got 48"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestPreprocessRefusesRecordsThatExpireUntold(t *testing.T) {
	_, err := preprocessStack(t, func(p *stream.PreprocessProps) { p.MaximumRecordAgeHours = 24 })
	want := "MaximumRecordAgeHours must be under the gateway's retention of 24, got 24"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestFailures(t *testing.T) {
	template, err := preprocessStack(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	queue := synth.Get[struct {
		Key     string `json:"kms_master_key_id"`
		Redrive string `json:"redrive_policy"`
		Policy  string
		Seconds int `json:"message_retention_seconds"`
	}](t, template.Resource, "aws_sqs_queue", "failures_queue")

	t.Run("queue gives up into a dead-letter queue", func(t *testing.T) {
		if !strings.Contains(queue.Redrive, "${aws_sqs_queue.failures_dlq") || !strings.Contains(queue.Redrive, `"maxReceiveCount":5`) {
			t.Errorf("got %s", queue.Redrive)
		}
	})
	t.Run("queue is encrypted and keeps messages for six days", func(t *testing.T) {
		if !strings.HasPrefix(queue.Key, "${aws_kms_key.key_this") || queue.Seconds != 6*24*3600 {
			t.Errorf("got %+v", queue)
		}
	})
	t.Run("queue takes messages from the failed bucket alone", func(t *testing.T) {
		s := decodePolicy(t, queue.Policy).Statement
		if len(s) != 1 || s[0].Action != "sqs:SendMessage" || s[0].Condition["ArnEquals"]["aws:SourceArn"] != "arn:aws:s3:::test-failed" ||
			s[0].Resource != "arn:aws:sqs:eu-west-1:123456789012:failures" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("key lets S3 send to the queue", func(t *testing.T) {
		got := synth.Get[struct{ Policy string }](t, template.Resource, "aws_kms_key", "key_this")
		s := decodePolicy(t, got.Policy).Statement
		if len(s) != 2 || s[1].Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:s3:::test-failed" {
			t.Errorf("got %+v, want S3 for the failed bucket", s)
		}
	})
	t.Run("bucket tells the queue of every object", func(t *testing.T) {
		got := synth.Get[struct {
			Queue []struct{ Events []string }
		}](t, template.Resource, "aws_s3_bucket_notification", "failures_notification")
		if len(got.Queue) != 1 || !reflect.DeepEqual(got.Queue[0].Events, []string{"s3:ObjectCreated:*"}) {
			t.Errorf("got %+v", got)
		}
	})
}
