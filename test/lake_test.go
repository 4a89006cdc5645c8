package test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
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
		if len(got.Rule) != 3 || got.Rule[0].Noncurrent[0].Days != 1 || got.Rule[1].Transition[0].Days != 90 || got.Rule[1].Transition[0].Class != "GLACIER_IR" || got.Rule[2].Expiration[0].Days != 7 {
			t.Errorf("got %+v, want old versions gone a day after the rest, Glacier after 90", got)
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

func TestBucketEndsObjectsUnderThePrefixesThatItNames(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		_, err := lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: newKey(t, scope), ExpireAfterDays: 400, ExpirePrefixes: []string{"events/", "errors/"}})
		return err
	})
	type rule struct {
		ID         string
		Filter     []struct{ Prefix string }
		Expiration []struct{ Days int }
	}
	got := map[string]int{}
	for _, r := range synth.Get[struct{ Rule []rule }](t, template.Resource, "aws_s3_bucket_lifecycle_configuration", "raw_lifecycle").Rule {
		if len(r.Expiration) > 0 {
			got[r.ID+" "+r.Filter[0].Prefix] = r.Expiration[0].Days
		}
	}
	if want := map[string]int{"expire-events events/": 400, "expire-errors errors/": 400}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBucketReportsEveryBadProp(t *testing.T) {
	_, err := lake.NewBucket(nil, "raw", lake.BucketProps{GlacierAfterDays: 1, ExpirePrefixes: []string{"events"}, Protect: true, DeleteObjects: true})
	for _, want := range []string{"Name is required", "Key is required", "DeleteObjects must be false where Protect is true", "GlacierAfterDays must be 30 to 3650, got 1",
		"ExpirePrefixes needs ExpireAfterDays", `ExpirePrefixes must end with "/", got "events"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestBucketGrants(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		bucket, err := lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: newKey(t, scope)})
		if err != nil {
			return err
		}
		bucket.GrantRead(newRole(t, scope, "reader"), "in/")
		bucket.GrantErase(newRole(t, scope, "eraser"))
		bucket.GrantDescribe(newRole(t, scope, "onlooker"))
		bucket.Allow(security.Statement{Sid: "Distribution", Effect: "Allow", Principal: security.Service("cloudfront.amazonaws.com"),
			Action: "s3:GetObject", Resource: "arn:aws:s3:::test-raw/*"})
		return nil
	})
	const arn = "${aws_s3_bucket.raw_this.arn}"
	for role, want := range map[string][]synth.Grant{
		"reader": {
			{Actions: []string{"s3:GetObject"}, Resource: arn + "/in/*"},
			{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: arn},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		},
		"eraser": {
			{Actions: []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:PutObject"}, Resource: arn + "/*"},
			{Actions: []string{"s3:ListBucketVersions"}, Resource: arn},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		},
		"onlooker": {{Actions: []string{"s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration"}, Resource: arn}},
	} {
		t.Run("lets a "+role+" do that alone", func(t *testing.T) {
			if got := synth.Grants(t, template.Resource, role+"_policy"); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	t.Run("lets a service in beside the demand for TLS", func(t *testing.T) {
		got := synth.Get[struct{ Policy string }](t, template.Resource, "aws_s3_bucket_policy", "raw_policy")
		s := decodePolicy(t, got.Policy).Statement
		if len(s) != 2 || s[0].Sid != "TLSOnly" || s[1].Sid != "Distribution" {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAccessLogs(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		logs, err := lake.NewAccessLogs(scope, "access", lake.AccessLogsProps{Name: "test-access", Account: testAccount, Protect: true})
		if err != nil {
			return err
		}
		_, err = lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: newKey(t, scope), AccessLogs: logs})
		return err
	})
	r := template.Resource

	t.Run("take each bucket's lines by the day, once they let S3 in", func(t *testing.T) {
		got := synth.Get[struct {
			Bucket    string
			Target    string   `json:"target_bucket"`
			Prefix    string   `json:"target_prefix"`
			DependsOn []string `json:"depends_on"`
			Format    struct {
				Partitioned struct {
					Source string `json:"partition_date_source"`
				} `json:"partitioned_prefix"`
			} `json:"target_object_key_format"`
		}](t, r, "aws_s3_bucket_logging", "raw_access_log")
		if !strings.HasPrefix(got.Bucket, "${aws_s3_bucket.raw_this") || !strings.HasPrefix(got.Target, "${aws_s3_bucket.access_this") ||
			got.Prefix != "test-raw/" || got.Format.Partitioned.Source != "EventTime" || len(got.DependsOn) != 1 || !strings.HasPrefix(got.DependsOn[0], "aws_s3_bucket_policy.access_policy") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("take them from the account's buckets alone, over TLS", func(t *testing.T) {
		got := synth.Get[struct{ Policy string }](t, r, "aws_s3_bucket_policy", "access_policy")
		s := decodePolicy(t, got.Policy).Statement
		if len(s) != 2 || s[0].Sid != "TLSOnly" || !reflect.DeepEqual(s[1].Principal, map[string]any{"Service": "logging.s3.amazonaws.com"}) || s[1].Action != "s3:PutObject" ||
			s[1].Resource != "arn:aws:s3:::test-access/*" || s[1].Condition["StringEquals"]["aws:SourceAccount"] != "123456789012" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("are encrypted with S3's key, for KMS's would stop them", func(t *testing.T) {
		got := synth.Get[struct {
			Rule []struct {
				Default map[string]string `json:"apply_server_side_encryption_by_default"`
			}
		}](t, r, "aws_s3_bucket_server_side_encryption_configuration", "access_encryption")
		if !reflect.DeepEqual(got.Rule[0].Default, map[string]string{"sse_algorithm": "AES256"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("are private, versioned, protected and forget like any bucket", func(t *testing.T) {
		for _, kind := range []string{"aws_s3_bucket_public_access_block", "aws_s3_bucket_versioning", "aws_s3_bucket_ownership_controls", "aws_s3_bucket_lifecycle_configuration"} {
			if len(r[kind]) != 2 {
				t.Errorf("got %d of %s, want one for each bucket", len(r[kind]), kind)
			}
		}
		got := synth.Get[struct {
			Lifecycle struct {
				Prevent bool `json:"prevent_destroy"`
			}
		}](t, r, "aws_s3_bucket", "access_this")
		if !got.Lifecycle.Prevent {
			t.Error("got no protection")
		}
	})
}

func TestReplica(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		other := provider.NewAwsProvider(scope, jsii.String("replica"), &provider.AwsProviderConfig{Region: jsii.String("eu-central-1"), Alias: jsii.String("replica")})
		key, err := security.NewKey(scope, "replica_key", security.KeyProps{Alias: "replica", Description: "copies", Account: testAccount, Provider: other})
		if err != nil {
			return err
		}
		source, err := lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: newKey(t, scope)})
		if err != nil {
			return err
		}
		logs, err := lake.NewAccessLogs(scope, "replica_access", lake.AccessLogsProps{Name: "test-access", Account: testAccount, Provider: other})
		if err != nil {
			return err
		}
		destination, err := lake.NewBucket(scope, "replica_raw", lake.BucketProps{Name: "test-copy", Key: key, AccessLogs: logs, Provider: other})
		if err != nil {
			return err
		}
		return lake.NewReplica(scope, "replication", lake.ReplicaProps{Name: "replication", Source: source, Destination: destination})
	})
	r := template.Resource

	type status struct{ Status string }
	got := synth.Get[struct {
		Bucket, Role string
		DependsOn    []string `json:"depends_on"`
		Rule         []struct {
			Status   string
			Markers  status `json:"delete_marker_replication"`
			Criteria struct {
				KMS status `json:"sse_kms_encrypted_objects"`
			} `json:"source_selection_criteria"`
			Destination struct {
				Bucket     string
				Encryption struct {
					Key string `json:"replica_kms_key_id"`
				} `json:"encryption_configuration"`
				Time    status `json:"replication_time"`
				Metrics status
			}
		}
	}](t, r, "aws_s3_bucket_replication_configuration", "replication_this")

	t.Run("copies all that KMS encrypts, encrypted with the other region's key", func(t *testing.T) {
		rule := got.Rule[0]
		if len(got.Rule) != 1 || !strings.HasPrefix(got.Bucket, "${aws_s3_bucket.raw_this") || rule.Status != "Enabled" || rule.Criteria.KMS.Status != "Enabled" ||
			!strings.HasPrefix(rule.Destination.Bucket, "${aws_s3_bucket.replica_raw_this") || !strings.HasPrefix(rule.Destination.Encryption.Key, "${aws_kms_key.replica_key_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("tells what took longer than 15 minutes, and copies deletions as markers", func(t *testing.T) {
		rule := got.Rule[0]
		if rule.Destination.Time.Status != "Enabled" || rule.Destination.Metrics.Status != "Enabled" || rule.Markers.Status != "Enabled" {
			t.Errorf("got %+v", rule)
		}
	})
	t.Run("waits until both buckets keep versions", func(t *testing.T) {
		if len(got.DependsOn) != 2 || !strings.HasPrefix(got.DependsOn[0], "aws_s3_bucket_versioning.raw_versioning") || !strings.HasPrefix(got.DependsOn[1], "aws_s3_bucket_versioning.replica_raw_versioning") {
			t.Errorf("got %v", got.DependsOn)
		}
	})
	t.Run("may read the source, write the copy and use their keys", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"s3:GetReplicationConfiguration", "s3:ListBucket"}, Resource: "${aws_s3_bucket.raw_this.arn}"},
			{Actions: []string{"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"}, Resource: "${aws_s3_bucket.raw_this.arn}/*"},
			{Actions: []string{"s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"}, Resource: "${aws_s3_bucket.replica_raw_this.arn}/*"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Encrypt", "kms:GenerateDataKey"}, Resource: "${aws_kms_key.replica_key_this.arn}"},
		}
		if got := synth.Grants(t, r, "replication_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("has every part of the copy in the other region", func(t *testing.T) {
		seen := 0
		for kind, resources := range r {
			for name, raw := range resources {
				var got struct{ Provider string }
				if err := json.Unmarshal(raw, &got); err != nil {
					t.Fatal(err)
				}
				copied := strings.HasPrefix(name, "replica_")
				if copied {
					seen++
				}
				if copied != (got.Provider == "aws.replica") {
					t.Errorf("%s.%s: got provider %q", kind, name, got.Provider)
				}
			}
		}
		if seen != 17 {
			t.Errorf("looked at %d resources, want a key's 2, a bucket's 8 and the access logs' 7", seen)
		}
	})
}

func TestReplicaReportsEveryBadProp(t *testing.T) {
	err := lake.NewReplica(nil, "replication", lake.ReplicaProps{})
	for _, want := range []string{`replica "replication"`, "Name is required", "Source is required", "Destination is required"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	synth.Stack(t, func(scope cdktf.TerraformStack) error {
		bucket, err := lake.NewBucket(scope, "raw", lake.BucketProps{Name: "test-raw", Key: newKey(t, scope)})
		if err != nil {
			return err
		}
		err = lake.NewReplica(scope, "replication", lake.ReplicaProps{Name: "replication", Source: bucket, Destination: bucket})
		if err == nil || !strings.Contains(err.Error(), "key of its own region") {
			t.Errorf("got %v, want one about the key", err)
		}
		return nil
	})
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
