package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueue"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"example.test/platform/churn"

	"github.com/shopstream/shopstream/stacks"
)

func TestMain(m *testing.M) {
	status := m.Run()
	jsii.Close()
	os.Exit(status)
}

// pipeline defines our production with a function that holds no code.
func pipeline(t *testing.T) *stacks.Pipeline {
	t.Helper()
	var workloads stacks.Workloads
	workloads.Preprocess.Path = filepath.Join(t.TempDir(), "function.zip")
	workloads.Preprocess.Platform = "linux-arm64"
	workloads.Heartbeat, workloads.Ledger, workloads.Scaler = workloads.Preprocess, workloads.Preprocess, workloads.Preprocess
	if err := os.WriteFile(workloads.Preprocess.Path, []byte("PK\x05\x06"+strings.Repeat("\x00", 18)), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := define(cdktf.Testing_App(nil), production(), workloads)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// resources are a stack's by type and by name, less cdktf's hash.
func resources(t *testing.T, p *stacks.Pipeline) map[string]map[string]json.RawMessage {
	t.Helper()
	text := regexp.MustCompile(`_[0-9A-F]{8}([".}])`).ReplaceAllString(*cdktf.Testing_Synth(p.Stack, jsii.Bool(true)), "$1")
	var stack struct {
		Resource map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &stack); err != nil {
		t.Fatal(err)
	}
	return stack.Resource
}

func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}

func TestOurProduction(t *testing.T) {
	t.Run("is Shopstream's but for our values", func(t *testing.T) {
		env := production()
		if err := env.Validate(); err != nil {
			t.Fatal(err)
		}
		env.Name, env.Account, env.Region, env.ReplicaRegion, env.Traffic = stacks.Prod.Name, stacks.Prod.Account, stacks.Prod.Region, stacks.Prod.ReplicaRegion, stacks.Prod.Traffic
		if !reflect.DeepEqual(env, stacks.Prod) {
			t.Errorf("got %+v, want %+v", env, stacks.Prod)
		}
	})
	t.Run("passes the guardrails with our tier in it", func(t *testing.T) {
		if err := pipeline(t).Check(); err != nil {
			t.Error(err)
		}
	})
	t.Run("is held to the guardrails where we add what breaks them", func(t *testing.T) {
		p := pipeline(t)
		sqsqueue.NewSqsQueue(p.Stack, jsii.String("plain"), &sqsqueue.SqsQueueConfig{Name: jsii.String("plain")})
		err := p.Check()
		if err == nil || !strings.Contains(err.Error(), "live/plain breaks encrypted") || !strings.Contains(err.Error(), "live/plain breaks dead-letters") {
			t.Errorf("got %v", err)
		}
	})
}

func TestChurn(t *testing.T) {
	r := resources(t, pipeline(t))
	t.Run("takes every event into a bucket with our key", func(t *testing.T) {
		var got struct {
			Source struct {
				Stream string `json:"kinesis_stream_arn"`
			} `json:"kinesis_source_configuration"`
			Target struct {
				Bucket string `json:"bucket_arn"`
				Key    string `json:"kms_key_arn"`
			} `json:"extended_s3_configuration"`
		}
		decode(t, r["aws_kinesis_firehose_delivery_stream"]["churn_delivery_this"], &got)
		if got.Source.Stream != "${aws_kinesis_stream.events_this.arn}" || got.Target.Bucket != "${aws_s3_bucket.churn_bucket_this.arn}" || got.Target.Key != "${aws_kms_key.churn_key_this.arn}" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("lets our jobs read it, and nothing else", func(t *testing.T) {
		var policy struct{ Policy string }
		decode(t, r["aws_iam_role_policy"]["churn_jobs_policy"], &policy)
		var got struct {
			Statement []struct {
				Action   []string
				Resource string
			}
		}
		decode(t, []byte(policy.Policy), &got)
		var grants []string
		for _, s := range got.Statement {
			grants = append(grants, s.Resource+": "+strings.Join(s.Action, " "))
		}
		want := []string{
			"${aws_s3_bucket.churn_bucket_this.arn}/events/*: s3:GetObject",
			"${aws_s3_bucket.churn_bucket_this.arn}: s3:GetBucketLocation s3:ListBucket",
			"${aws_kms_key.churn_key_this.arn}: kms:Decrypt",
		}
		if !reflect.DeepEqual(grants, want) {
			t.Errorf("got  %v\nwant %v", grants, want)
		}
	})
	t.Run("acts within the stack's boundary", func(t *testing.T) {
		var got struct {
			Name     string
			Boundary string `json:"permissions_boundary"`
		}
		decode(t, r["aws_iam_role"]["churn_jobs_this"], &got)
		if got.Name != "shopstream-live-churn-jobs" || got.Boundary != "${aws_iam_policy.boundary_this.arn}" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("names all that it lacks at once", func(t *testing.T) {
		_, err := churn.New(nil, "churn", churn.Props{})
		for _, field := range []string{"Name", "Account", "Events", "Logs"} {
			if err == nil || !strings.Contains(err.Error(), field+" is required") {
				t.Errorf("got %v, want %s in it", err, field)
			}
		}
	})
}
