package test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/test/synth"
)

var testAccount = security.Account{ID: "123456789012", Region: "eu-west-1"}

func newKey(t *testing.T, scope cdktf.TerraformStack) *security.Key {
	t.Helper()
	key, err := security.NewKey(scope, "key", security.KeyProps{Alias: "test", Description: "test data", Account: testAccount})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRole(t *testing.T, scope cdktf.TerraformStack, id string) *security.Role {
	t.Helper()
	role, err := security.NewRole(scope, id, security.RoleProps{Name: id, AssumedBy: "lambda.amazonaws.com"})
	if err != nil {
		t.Fatal(err)
	}
	return role
}

// policyDocument is a policy as AWS reads it.
type policyDocument struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal any
	Action    any
	Resource  any
	Condition map[string]map[string]string
}

func decodePolicy(t *testing.T, text string) (p policyDocument) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("decode policy: %v\n%s", err, text)
	}
	return p
}

func TestKey(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		key.AllowService("s3.amazonaws.com", "arn:aws:s3:::failed", "kms:GenerateDataKey", "kms:Decrypt")
		key.AllowLogs(testAccount)
		return nil
	})
	got := synth.Get[struct {
		Rotates bool   `json:"enable_key_rotation"`
		Days    int    `json:"deletion_window_in_days"`
		Policy  string `json:"policy"`
	}](t, template.Resource, "aws_kms_key", "key_this")
	policy := decodePolicy(t, got.Policy)

	t.Run("rotates and can be rescued for 30 days", func(t *testing.T) {
		if !got.Rotates || got.Days != 30 {
			t.Errorf("got %+v, want rotation and 30 days", got)
		}
	})
	t.Run("leaves the decision to the account's own policies", func(t *testing.T) {
		want := map[string]any{"AWS": "arn:aws:iam::123456789012:root"}
		if !reflect.DeepEqual(policy.Statement[0].Principal, want) {
			t.Errorf("got %v, want %v", policy.Statement[0].Principal, want)
		}
	})
	t.Run("lets a service in for one source alone", func(t *testing.T) {
		s := policy.Statement[1]
		if !reflect.DeepEqual(s.Principal, map[string]any{"Service": "s3.amazonaws.com"}) ||
			!reflect.DeepEqual(s.Action, []any{"kms:GenerateDataKey", "kms:Decrypt"}) ||
			s.Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:s3:::failed" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("lets CloudWatch Logs in for the account's log groups", func(t *testing.T) {
		s := policy.Statement[2]
		if !reflect.DeepEqual(s.Principal, map[string]any{"Service": "logs.eu-west-1.amazonaws.com"}) ||
			!strings.HasPrefix(s.Condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"], "arn:aws:logs:eu-west-1:123456789012:") {
			t.Errorf("got %+v", s)
		}
	})
}

func TestRole(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newRole(t, scope, "idle")
		busy := newRole(t, scope, "busy")
		busy.Allow(jsii.String("arn:aws:s3:::a"), "s3:GetObject")
		busy.Allow(jsii.String("arn:aws:s3:::b"), "s3:PutObject")
		return nil
	})
	t.Run("may do nothing until something is granted", func(t *testing.T) {
		if n := len(template.Resource["aws_iam_role_policy"]); n != 1 {
			t.Errorf("got %d policies, want that of the role with grants alone", n)
		}
	})
	t.Run("has one policy that is its grants", func(t *testing.T) {
		want := []synth.Grant{{Actions: []string{"s3:GetObject"}, Resource: "arn:aws:s3:::a"}, {Actions: []string{"s3:PutObject"}, Resource: "arn:aws:s3:::b"}}
		if got := synth.Grants(t, template.Resource, "busy_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("is assumed by its service alone", func(t *testing.T) {
		got := synth.Get[struct {
			Trust string `json:"assume_role_policy"`
		}](t, template.Resource, "aws_iam_role", "busy_this")
		s := decodePolicy(t, got.Trust).Statement
		if len(s) != 1 || !reflect.DeepEqual(s[0].Principal, map[string]any{"Service": "lambda.amazonaws.com"}) || s[0].Action != "sts:AssumeRole" {
			t.Errorf("got %+v", s)
		}
	})
}

func TestLogGroupForgetsAndIsEncrypted(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		_, err := security.NewLogGroup(scope, "log", security.LogGroupProps{Name: "/test", Key: newKey(t, scope), RetentionDays: 14})
		return err
	})
	got := synth.Get[struct {
		Days int    `json:"retention_in_days"`
		Key  string `json:"kms_key_id"`
	}](t, template.Resource, "aws_cloudwatch_log_group", "log_this")
	if got.Days != 14 || !strings.HasPrefix(got.Key, "${aws_kms_key.key_this") {
		t.Errorf("got %+v, want 14 days and the key", got)
	}
}
