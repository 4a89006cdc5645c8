package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/stacks"
)

// Terraform applies each protected stack whole against a mocked AWS: no
// credentials, no emulator. Every attribute that a resource reads of another
// gets a value of its own, so that wrong wiring shows.
func TestTerraformAppliesStacksOnAMockedAWS(t *testing.T) {
	needTerraform(t)
	for _, env := range []stacks.Environment{stacks.Staging, stacks.Prod, everything} {
		t.Run(env.Name, func(t *testing.T) {
			applyOnMock(t, newStack(t, env), security.Account{ID: env.Account, Region: env.Region}, wiringOf(env))
		})
	}
	t.Run("account", func(t *testing.T) {
		stack, err := stacks.NewAccount(cdktf.Testing_App(nil), wholeAccount)
		if err != nil {
			t.Fatal(err)
		}
		applyOnMock(t, stack, testAccount, nil)
	})
}

// applyOnMock holds what was applied to equations.
func applyOnMock(t *testing.T, defined cdktf.TerraformStack, account security.Account, equations [][2]string) {
	t.Helper()
	dir := *cdktf.Testing_FullSynth(defined)
	t.Cleanup(func() { os.RemoveAll(dir) })
	dir = filepath.Join(dir, "stacks", *defined.Node().Id())
	file := filepath.Join(dir, "cdk.tf.json")
	stack := readStack(t, file)
	allowDestroy(stack)
	writeJSON(t, file, stack)
	writeJSON(t, filepath.Join(dir, "wiring.tftest.json"), mockTest(stack, account, equal(t, stack, equations)))
	terraform(t, dir, "init", "-backend=false", "-input=false", "-no-color")
	output := terraform(t, dir, "test", "-no-color")
	if !strings.Contains(output, "Success! 1 passed, 0 failed.") {
		t.Errorf("got\n%s", output)
	}
}

func needTerraform(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("terraform is not installed")
	}
}

func terraform(t *testing.T, dir string, args ...string) string {
	t.Helper()
	output, err := exec.Command("terraform", append([]string{"-chdir=" + dir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("terraform %s: %v\n%s", args[0], err, output)
	}
	return string(output)
}

type stackJSON struct {
	Resource  map[string]map[string]map[string]any `json:"resource"`
	Variable  map[string]any                       `json:"variable,omitempty"`
	Provider  any                                  `json:"provider"`
	Output    any                                  `json:"output,omitempty"`
	Terraform any                                  `json:"terraform"`
	Data      any                                  `json:"data,omitempty"`
	Locals    any                                  `json:"locals,omitempty"`
}

func readStack(t *testing.T, file string) (s stackJSON) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func writeJSON(t *testing.T, file string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// allowDestroy takes prevent_destroy back, and nothing else: a test destroys
// what it applied.
func allowDestroy(s stackJSON) {
	for _, named := range s.Resource {
		for _, resource := range named {
			if lifecycle, ok := resource["lifecycle"].(map[string]any); ok {
				delete(lifecycle, "prevent_destroy")
			}
		}
	}
}

func TestAllowDestroyTakesBackNothingElse(t *testing.T) {
	stack := stackJSON{Resource: map[string]map[string]map[string]any{"aws_s3_bucket": {"raw": {
		"bucket": "raw", "lifecycle": map[string]any{"prevent_destroy": true, "ignore_changes": []any{"tags"}},
	}}}}
	allowDestroy(stack)
	got := fmt.Sprint(stack.Resource["aws_s3_bucket"]["raw"])
	if want := "map[bucket:raw lifecycle:map[ignore_changes:[tags]]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

var attribute = regexp.MustCompile(`(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+_[0-9A-F]{8})\.([a-z0-9_]+)`)

// testImage is an image by digest.
var testImage = "registry.example/collector@sha256:" + strings.Repeat("0a", 32)

// mockTest is a test file for terraform test: mocked providers, a value for
// each attribute that is read, and the wiring that must come out.
func mockTest(s stackJSON, account security.Account, asserts []any) map[string]any {
	read := map[string]map[string]any{} // values by address
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it was decoded just now
	}
	for _, match := range attribute.FindAllStringSubmatch(string(text), -1) {
		kind, name, attr := match[1], match[2], match[3]
		if _, configured := s.Resource[kind][name][attr]; configured {
			continue
		}
		address := kind + "." + name
		if read[address] == nil {
			read[address] = map[string]any{}
		}
		value := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		if attr == "arn" || strings.HasSuffix(attr, "_arn") {
			value = "arn:aws:" + strings.SplitN(strings.TrimPrefix(kind, "aws_"), "_", 2)[0] + ":" + account.Region + ":" + account.ID + ":" + value
		}
		read[address][attr] = value
	}
	var overrides []any
	for _, address := range slices.Sorted(maps.Keys(read)) {
		overrides = append(overrides, map[string]any{"target": address, "values": read[address]})
	}
	variables := map[string]any{}
	for name := range s.Variable {
		variables[name] = "test-" + name
	}
	if _, has := s.Variable["collector_image"]; has {
		variables["collector_image"] = testImage
	}
	return map[string]any{
		"mock_provider": map[string]any{"aws": []any{
			map[string]any{}, map[string]any{"alias": "replica"}, map[string]any{"alias": "edge"},
		}},
		"override_resource": overrides,
		"variables":         variables,
		"run":               map[string]any{"apply": map[string]any{"command": "apply", "assert": asserts}},
	}
}

// Wiring is the picture's arrows as equations over what was applied. All stacks
// have the first; the others come with what an environment chooses.
var (
	wiringOfAll = [][2]string{
		{"tolist(aws_ecs_service.service_this.load_balancer)[0].target_group_arn", "aws_lb_target_group.front_load_balancer_targets.arn"},
		{"sort(aws_ecs_service.service_this.network_configuration[0].subnets)[0]", "aws_subnet.network_private_subnet_a.id"},
		{"aws_ecs_service.service_this.task_definition", "aws_ecs_task_definition.collector_task.arn"},
		{"aws_lambda_event_source_mapping.preprocess_mapping.event_source_arn", "aws_kinesis_stream.gateway_this.arn"},
		{"aws_lambda_event_source_mapping.preprocess_mapping.function_name", "aws_lambda_alias.preprocess_live.arn"},
		{"aws_lambda_event_source_mapping.preprocess_mapping.destination_config[0].on_failure[0].destination_arn", "aws_s3_bucket.failed_this.arn"},
		{"aws_lambda_function.preprocess_this.environment[0].variables.EVENTS_STREAM", "aws_kinesis_stream.events_this.name"},
		{"aws_lambda_function.preprocess_this.role", "aws_iam_role.preprocess_role_this.arn"},
		{"aws_kinesis_stream.gateway_this.kms_key_id", "aws_kms_key.transit_key_this.arn"},
		{"aws_kinesis_stream.events_this.kms_key_id", "aws_kms_key.events_key_this.arn"},
		{"aws_kinesis_firehose_delivery_stream.delivery_this.kinesis_source_configuration[0].kinesis_stream_arn", "aws_kinesis_stream.events_this.arn"},
		{"aws_kinesis_firehose_delivery_stream.delivery_this.extended_s3_configuration[0].bucket_arn", "aws_s3_bucket.raw_this.arn"},
		{"aws_s3_bucket_notification.failures_notification.queue[0].queue_arn", "aws_sqs_queue.failures_queue.arn"},
		{"jsondecode(aws_sqs_queue.failures_queue.redrive_policy).deadLetterTargetArn", "aws_sqs_queue.failures_dlq.arn"},
		{"tolist(aws_cloudwatch_metric_alarm.watch_stream_gateway_records_expiring_this.alarm_actions)[0]", "aws_sns_topic.topics_page_this.arn"},
		{"tolist(aws_cloudwatch_metric_alarm.watch_stream_failures_waiting_this.alarm_actions)[0]", "aws_sns_topic.topics_ticket_this.arn"},
		{"aws_backup_vault.backup_vault.kms_key_arn", "aws_kms_key.backups_key_this.arn"},
	}
	wiringOfAPI = [][2]string{
		{"aws_api_gateway_integration.front_api_collect_integration.connection_id", "aws_api_gateway_vpc_link.front_link_this.id"},
		{"tolist(aws_api_gateway_vpc_link.front_link_this.target_arns)[0]", "aws_lb.front_link_load_balancer.arn"},
		{"aws_lb_target_group_attachment.front_link_target.target_id", "aws_lb.front_load_balancer_this.arn"},
		{"aws_wafv2_web_acl_association.front_firewall_association.resource_arn", "aws_api_gateway_stage.front_api_live.arn"},
	}
	wiringOfLoadBalancer = [][2]string{
		{"aws_wafv2_web_acl_association.front_firewall_association.resource_arn", "aws_lb.front_load_balancer_this.arn"},
		{"tolist(aws_lb.front_load_balancer_this.security_groups)[0]", "aws_security_group.front_load_balancer_group_this.id"},
	}
	wiringOfScaler = [][2]string{
		{"tolist(aws_cloudwatch_metric_alarm.watch_stream_gateway_filling_up_this.alarm_actions)[0]", "aws_lambda_alias.scaler_live.arn"},
		{"aws_scheduler_schedule.scaler_schedule.target[0].arn", "aws_lambda_alias.scaler_live.arn"},
	}
	wiringOfReplicas = [][2]string{
		{"aws_s3_bucket_replication_configuration.raw_replica_this.role", "aws_iam_role.raw_replica_role_this.arn"},
		{"aws_s3_bucket_replication_configuration.raw_replica_this.rule[0].destination[0].bucket", "aws_s3_bucket.raw_copy_this.arn"},
		{"aws_s3_bucket_replication_configuration.transformed_replica_this.rule[0].destination[0].bucket", "aws_s3_bucket.transformed_copy_this.arn"},
	}
)

// wiringOf are the equations that must hold of env's stack.
func wiringOf(env stacks.Environment) [][2]string {
	wiring := slices.Clone(wiringOfAll)
	if env.Front == ingest.FrontAPI {
		wiring = append(wiring, wiringOfAPI...)
	} else {
		wiring = append(wiring, wiringOfLoadBalancer...)
	}
	if !env.OnDemand {
		wiring = append(wiring, wiringOfScaler...)
	}
	if env.Replicate {
		wiring = append(wiring, wiringOfReplicas...)
	}
	return wiring
}

// equal are equations as terraform test asserts them. One over a resource that
// the stack lacks is missing wiring.
func equal(t *testing.T, s stackJSON, equations [][2]string) (asserts []any) {
	t.Helper()
	for _, e := range equations {
		left, right := s.hashed(e[0]), s.hashed(e[1])
		if strings.Contains(left+right, missing) {
			t.Errorf("the stack lacks a resource of %s == %s", e[0], e[1])
			continue
		}
		asserts = append(asserts, map[string]any{"condition": "${" + left + " == " + right + "}", "error_message": e[0] + " is not " + e[1]})
	}
	return asserts
}

// missing stands for a resource that a stack lacks.
const missing = "no_such_resource."

var named = regexp.MustCompile(`(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+)`)

// hashed gives the resource in an expression its hash.
func (s stackJSON) hashed(expression string) string {
	return named.ReplaceAllStringFunc(expression, func(address string) string {
		kind, name, _ := strings.Cut(address, ".")
		for full := range s.Resource[kind] {
			if ownHash.ReplaceAllString(full, "") == name {
				return kind + "." + full
			}
		}
		return missing + name
	})
}
