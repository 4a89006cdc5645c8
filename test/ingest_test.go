package test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/test/synth"
)

func TestCollector(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		gateway, err := stream.New(scope, "gateway", stream.Props{Name: "gateway", Key: key})
		if err != nil {
			return err
		}
		registry, err := ingest.NewRegistry(scope, "registry", ingest.RegistryProps{Name: "shops", Key: key, Protect: true})
		if err != nil {
			return err
		}
		log, err := security.NewLogGroup(scope, "log", security.LogGroupProps{Name: "/collector", Key: key, RetentionDays: 1})
		if err != nil {
			return err
		}
		secret, err := security.NewSecret(scope, "secret", security.SecretProps{Name: "visitors", Description: "makes ids", Key: key})
		if err != nil {
			return err
		}
		registry.GrantList(newRole(t, scope, "lister"))
		registry.GrantManage(newRole(t, scope, "manager"))
		_, err = ingest.NewCollector(scope, "collector", ingest.CollectorProps{
			Name: "collector", Image: jsii.String("registry.example/collector@sha256:0"), Account: testAccount, Gateway: gateway, Registry: registry, Secret: secret, LogGroup: log,
		})
		return err
	})

	t.Run("registry grants those who list and those who manage no more than that", func(t *testing.T) {
		const table, key = "${aws_dynamodb_table.registry_this.arn}", "${aws_kms_key.key_this.arn}"
		for role, want := range map[string][]synth.Grant{
			"lister": {{Actions: []string{"dynamodb:Scan"}, Resource: table}, {Actions: []string{"kms:Decrypt"}, Resource: key}},
			"manager": {
				{Actions: []string{"dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem"}, Resource: table},
				{Actions: []string{"kms:GenerateDataKey"}, Resource: key}, {Actions: []string{"kms:Decrypt"}, Resource: key},
			},
		} {
			if got := synth.Grants(t, template.Resource, role+"_policy"); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v, want %v", role, got, want)
			}
		}
	})
	t.Run("container has what the collector reads from its environment", func(t *testing.T) {
		task := synth.Get[struct {
			Containers string `json:"container_definitions"`
		}](t, template.Resource, "aws_ecs_task_definition", "collector_task")
		var containers []struct {
			ReadOnly    bool `json:"readonlyRootFilesystem"`
			User        string
			StopTimeout int
			Environment []struct{ Name, Value string }
		}
		if err := json.Unmarshal([]byte(task.Containers), &containers); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, variable := range containers[0].Environment {
			got[variable.Name] = variable.Value
		}
		if got["LISTEN"] != ":8080" || got["AWS_REGION"] != "eu-west-1" || !strings.HasPrefix(got["GATEWAY_STREAM"], "${aws_kinesis_stream.gateway_this") || !strings.HasPrefix(got["REGISTRY_TABLE"], "${aws_dynamodb_table.registry_this") {
			t.Errorf("got %v", got)
		}
		if got["CLUSTER"] != "collector" || got["METRICS_LISTEN"] != ":9090" || got["GOMEMLIMIT"] != "819MiB" || !strings.HasPrefix(got["VISITOR_SECRET"], "${aws_secretsmanager_secret.secret_this") {
			t.Errorf("got %v", got)
		}
		if !containers[0].ReadOnly || containers[0].User == "" || containers[0].StopTimeout < 50 {
			t.Errorf("got %+v, want a read-only root, a user and time to drain", containers[0])
		}
	})
	t.Run("may write frames, look shops up, read the secret of visitor ids and count its tasks, and no more", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"kinesis:PutRecords"}, Resource: "${aws_kinesis_stream.gateway_this.arn}"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"dynamodb:GetItem"}, Resource: "${aws_dynamodb_table.registry_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}, Resource: "${aws_secretsmanager_secret.secret_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"ecs:DescribeClusters"}, Resource: "${aws_ecs_cluster.collector_cluster.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "collector_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("is started by a role that may only write its log", func(t *testing.T) {
		want := []synth.Grant{{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "${aws_cloudwatch_log_group.log_this.arn}:*"}}
		if got := synth.Grants(t, template.Resource, "collector_execution_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("believes no client where nothing says which one sends", func(t *testing.T) {
		if got := collectorEnvironment(t, template); got["FRONT"] != "" || got["TOKEN_ISSUER"] != "" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("registry is encrypted, recoverable and protected", func(t *testing.T) {
		got := synth.Get[struct {
			Protected  bool                   `json:"deletion_protection_enabled"`
			Recovery   struct{ Enabled bool } `json:"point_in_time_recovery"`
			Encryption struct {
				Key string `json:"kms_key_arn"`
			} `json:"server_side_encryption"`
			Lifecycle struct {
				Prevent bool `json:"prevent_destroy"`
			}
		}](t, template.Resource, "aws_dynamodb_table", "registry_this")
		if !got.Protected || !got.Recovery.Enabled || !strings.HasPrefix(got.Encryption.Key, "${aws_kms_key.key_this") || !got.Lifecycle.Prevent {
			t.Errorf("got %+v", got)
		}
	})
}

func TestCollectorBehindTheAPI(t *testing.T) {
	template := newEdge(ingest.FrontAPI).synth(t)
	t.Run("believes the API's header", func(t *testing.T) {
		if got := collectorEnvironment(t, template); got["FRONT"] != "api" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("is started by a role that may pull its image and write its log", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "${aws_cloudwatch_log_group.collector_log_this.arn}:*"},
			{Actions: []string{"ecr:GetAuthorizationToken"}, Resource: "*"},
			{Actions: []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, Resource: "arn:aws:ecr:eu-west-1:123456789012:repository/shopstream/collector"},
		}
		if got := synth.Grants(t, template.Resource, "collector_execution_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
