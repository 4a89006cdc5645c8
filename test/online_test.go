package test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/test/synth"
)

type onlineTable struct {
	Billing    string `json:"billing_mode"`
	Hash       string `json:"hash_key"`
	Range      string `json:"range_key"`
	Protected  bool   `json:"deletion_protection_enabled"`
	Encryption struct {
		Key string `json:"kms_key_arn"`
	} `json:"server_side_encryption"`
	Recovery struct{ Enabled bool } `json:"point_in_time_recovery"`
	TTL      struct {
		Enabled   bool
		Attribute string `json:"attribute_name"`
	}
	Replica []struct {
		Region   string `json:"region_name"`
		Key      string `json:"kms_key_arn"`
		Recovery bool   `json:"point_in_time_recovery"`
	}
	StreamEnabled bool `json:"stream_enabled"`
	Lifecycle     struct {
		Prevent bool `json:"prevent_destroy"`
	}
}

func TestOnlineTable(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		table, err := stream.NewOnlineTable(scope, "online", stream.OnlineTableProps{Name: "online", Key: key, Protect: true})
		if err != nil {
			return err
		}
		table.GrantRead(newRole(t, scope, "reader"))
		table.GrantWrite(newRole(t, scope, "writer"))
		table.GrantErase(newRole(t, scope, "eraser"))
		_, err = stream.NewOnlineTable(scope, "copied", stream.OnlineTableProps{Name: "copied", Key: key, ReplicaRegion: "eu-central-1", ReplicaKey: key})
		return err
	})
	got := synth.Get[onlineTable](t, template.Resource, "aws_dynamodb_table", "online_this")

	t.Run("is on demand, by visitor and feature", func(t *testing.T) {
		if got.Billing != "PAY_PER_REQUEST" || got.Hash != "shop_visitor" || got.Range != "feature" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is encrypted, recoverable and protected", func(t *testing.T) {
		if !strings.HasPrefix(got.Encryption.Key, "${aws_kms_key.key_this") || !got.Recovery.Enabled || !got.Protected || !got.Lifecycle.Prevent {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("forgets items at their time", func(t *testing.T) {
		if !got.TTL.Enabled || got.TTL.Attribute != "expires_at" {
			t.Errorf("got %+v", got.TTL)
		}
	})
	t.Run("is copied to another region on request, with a key and recovery there", func(t *testing.T) {
		copied := synth.Get[onlineTable](t, template.Resource, "aws_dynamodb_table", "copied_this")
		if len(got.Replica) != 0 || len(copied.Replica) != 1 || copied.Replica[0].Region != "eu-central-1" || copied.Replica[0].Key == "" || !copied.Replica[0].Recovery || !copied.StreamEnabled {
			t.Errorf("got %+v and %+v", got.Replica, copied.Replica)
		}
	})
	t.Run("grants readers items and the key, and nothing else", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}, Resource: "${aws_dynamodb_table.online_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "reader_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("lets who erases find and delete items, and see how long backups hold them", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"dynamodb:DeleteItem", "dynamodb:DescribeContinuousBackups", "dynamodb:Query"}, Resource: "${aws_dynamodb_table.online_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "eraser_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("grants writers items and the key, and nothing else", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"}, Resource: "${aws_dynamodb_table.online_this.arn}"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "writer_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestOnlineTableReportsEveryBadProp(t *testing.T) {
	_, err := stream.NewOnlineTable(nil, "online", stream.OnlineTableProps{ReplicaRegion: "eu-central-1"})
	want := "online table \"online\": Name is required\nKey is required\nReplicaKey is required with ReplicaRegion, and only then"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
