package test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/test/synth"
)

func TestBucket(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		bucket, err := lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: newKey(t, scope), GlacierAfterDays: 90, ExpireAfterDays: 7, Protect: true})
		if err != nil {
			return err
		}
		bucket.GrantWrite(newRole(t, scope, "writer"), "in/")
		return nil
	})
	r := template.Resource

	t.Run("is encrypted with the given key, by bucket keys", func(t *testing.T) {
		got := synth.Get[struct {
			Rule []struct {
				BucketKey bool `json:"bucket_key_enabled"`
				Default   struct {
					Algorithm string `json:"sse_algorithm"`
					Key       string `json:"kms_master_key_id"`
				} `json:"apply_server_side_encryption_by_default"`
			}
		}](t, r, "aws_s3_bucket_server_side_encryption_configuration", "raw_encryption")
		if len(got.Rule) != 1 || !got.Rule[0].BucketKey || got.Rule[0].Default.Algorithm != "aws:kms" || !strings.HasPrefix(got.Rule[0].Default.Key, "${aws_kms_key.key_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("blocks all public access", func(t *testing.T) {
		got := synth.Get[map[string]any](t, r, "aws_s3_bucket_public_access_block", "raw_public_access")
		for _, setting := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
			if got[setting] != true {
				t.Errorf("%s: got %v, want true", setting, got[setting])
			}
		}
	})
	t.Run("answers TLS alone", func(t *testing.T) {
		got := synth.Get[struct{ Policy string }](t, r, "aws_s3_bucket_policy", "raw_policy")
		s := decodePolicy(t, got.Policy).Statement
		if len(s) != 1 || s[0].Effect != "Deny" || s[0].Principal != "*" || s[0].Condition["Bool"]["aws:SecureTransport"] != "false" ||
			!reflect.DeepEqual(s[0].Resource, []any{"arn:aws:s3:::test-raw", "arn:aws:s3:::test-raw/*"}) {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("keeps versions, archives and forgets", func(t *testing.T) {
		versioning := synth.Get[struct {
			Configuration struct{ Status string } `json:"versioning_configuration"`
		}](t, r, "aws_s3_bucket_versioning", "raw_versioning")
		if versioning.Configuration.Status != "Enabled" {
			t.Errorf("got versioning %q", versioning.Configuration.Status)
		}
		got := synth.Get[struct {
			Rule []struct {
				ID         string
				Status     string
				Transition []struct {
					Days  int
					Class string `json:"storage_class"`
				}
				Expiration []struct{ Days int }
				Noncurrent []struct {
					Days int `json:"noncurrent_days"`
				} `json:"noncurrent_version_expiration"`
			}
		}](t, r, "aws_s3_bucket_lifecycle_configuration", "raw_lifecycle")
		if len(got.Rule) != 3 || got.Rule[0].Noncurrent[0].Days != 7 || got.Rule[1].Transition[0].Days != 90 || got.Rule[1].Transition[0].Class != "GLACIER_IR" || got.Rule[2].Expiration[0].Days != 7 {
			t.Errorf("got %+v, want old versions gone with the rest after 7 days, Glacier after 90", got)
		}
	})
	t.Run("is not destroyed, nor emptied, where it is protected", func(t *testing.T) {
		got := synth.Get[struct {
			Force     bool `json:"force_destroy"`
			Lifecycle struct {
				Prevent bool `json:"prevent_destroy"`
			}
		}](t, r, "aws_s3_bucket", "raw_this")
		if got.Force || !got.Lifecycle.Prevent {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("grants writers the prefix and the key", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"s3:PutObject", "s3:AbortMultipartUpload"}, Resource: "${aws_s3_bucket.raw_this.arn}/in/*"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, r, "writer_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestBucketReportsEveryBadProp(t *testing.T) {
	_, err := lake.NewBucket(nil, "raw", lake.BucketProps{GlacierAfterDays: 1, Protect: true, DeleteObjects: true})
	for _, want := range []string{"Name is required", "Key is required", "DeleteObjects must be false where Protect is true", "GlacierAfterDays must be 30 to 3650, got 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestDelivery(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		source, err := stream.New(scope, "events", stream.Props{Name: "events", Key: key})
		if err != nil {
			return err
		}
		bucket, err := lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: key})
		if err != nil {
			return err
		}
		log, err := security.NewLogGroup(scope, "log", security.LogGroupProps{Name: "/firehose", Key: key, RetentionDays: 1})
		if err != nil {
			return err
		}
		_, err = lake.NewDelivery(scope, "delivery", lake.DeliveryProps{Name: "raw", Source: source, Destination: bucket, LogGroup: log})
		return err
	})
	got := synth.Get[struct {
		Source struct {
			Stream string `json:"kinesis_stream_arn"`
		} `json:"kinesis_source_configuration"`
		S3 struct {
			Bucket      string `json:"bucket_arn"`
			Key         string `json:"kms_key_arn"`
			Prefix      string
			ErrorPrefix string                 `json:"error_output_prefix"`
			Format      string                 `json:"compression_format"`
			Seconds     int                    `json:"buffering_interval"`
			MiB         int                    `json:"buffering_size"`
			Logging     struct{ Enabled bool } `json:"cloudwatch_logging_options"`
		} `json:"extended_s3_configuration"`
		DependsOn []string `json:"depends_on"`
	}](t, template.Resource, "aws_kinesis_firehose_delivery_stream", "delivery_this")

	t.Run("reads the stream and writes to the bucket", func(t *testing.T) {
		if !strings.HasPrefix(got.Source.Stream, "${aws_kinesis_stream.events_this") || !strings.HasPrefix(got.S3.Bucket, "${aws_s3_bucket.raw_this") || !strings.HasPrefix(got.S3.Key, "${aws_kms_key.key_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("writes gzip by date and hour of arrival, errors apart", func(t *testing.T) {
		if got.S3.Format != "GZIP" || got.S3.Prefix != "events/arrival_date=!{timestamp:yyyy-MM-dd}/arrival_hour=!{timestamp:HH}/" ||
			!strings.HasPrefix(got.S3.ErrorPrefix, "errors/!{firehose:error-output-type}/") || !got.S3.Logging.Enabled {
			t.Errorf("got %+v", got.S3)
		}
	})
	t.Run("waits a minute or 64 MiB", func(t *testing.T) {
		if got.S3.Seconds != 60 || got.S3.MiB != 64 {
			t.Errorf("got %d s, %d MiB", got.S3.Seconds, got.S3.MiB)
		}
	})
	t.Run("is created after its grants, which Firehose checks once", func(t *testing.T) {
		if len(got.DependsOn) != 1 || !strings.HasPrefix(got.DependsOn[0], "aws_iam_role_policy.delivery_role_policy") {
			t.Errorf("got %v", got.DependsOn)
		}
	})
}
