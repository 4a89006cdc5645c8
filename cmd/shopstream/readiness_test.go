package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parsePlanned(t *testing.T, stack string) planned {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cdk.tf.json")
	if err := os.WriteFile(path, []byte(stack), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := readPlanned(path, "prod")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestQuotasAreThoseThatTheStackTakesOf(t *testing.T) {
	p := parsePlanned(t, `{"resource": {
		"aws_lambda_function": {"one": {"reserved_concurrent_executions": 6}, "two": {"reserved_concurrent_executions": 4}, "free": {"reserved_concurrent_executions": -1}, "unset": {}},
		"aws_kinesis_stream": {"gateway": {"shard_count": 3}, "events": {"shard_count": 9}, "on_demand": {}},
		"aws_eip": {"a": {}, "b": {}, "c": {}},
		"aws_ecs_task_definition": {"collector_task": {"cpu": "512"}, "other_task": {"cpu": "2048"}},
		"aws_ecs_service": {
			"collector": {"task_definition": "${aws_ecs_task_definition.collector_task.arn}", "desired_count": 2},
			"other": {"task_definition": "${aws_ecs_task_definition.other_task.arn}", "desired_count": 3}
		},
		"aws_appautoscaling_target": {"capacity": {"resource_id": "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.collector.name}", "max_capacity": 24}},
		"aws_api_gateway_method_settings": {"all": {"settings": {"throttling_rate_limit": 1500}}, "one": {"settings": {"throttling_rate_limit": 100}}}
	}}`)
	want := map[string]float64{"L-B99A9384": 6 + 4 + 100, "L-0918CF54": 12, "L-0263D0A3": 3, "L-3032A538": 24*0.5 + 3*2, "L-8A5B8E43": 1500}
	for _, q := range quotas {
		if got := q.need(p); got != want[q.code] {
			t.Errorf("%s: got %v, want %v", q.name, got, want[q.code])
		}
	}
	empty := parsePlanned(t, `{}`)
	if checks := empty.quotaChecks(&home{}); len(checks) > 0 {
		t.Errorf("a stack that takes of no quota has %d checks", len(checks))
	}
}

func TestDestroyingTakesBothSettingsAndTheName(t *testing.T) {
	const (
		protected = `{"resource": {"aws_kinesis_stream": {"events": {"lifecycle": {"prevent_destroy": true}}}, "aws_s3_bucket": {"raw": {"force_destroy": false}}}}`
		full      = `{"resource": {"aws_kinesis_stream": {"events": {"lifecycle": {"prevent_destroy": false}}}, "aws_s3_bucket": {"raw": {"force_destroy": false}}}}`
		images    = `{"resource": {"aws_ecr_repository": {"images": {"force_delete": false}}}}`
		open      = `{"resource": {"aws_kinesis_stream": {"events": {"lifecycle": {"prevent_destroy": false}}}, "aws_s3_bucket": {"raw": {"force_destroy": true}}}}`
	)
	const (
		name    = `DESTROY_DATA: got "dev", want "prod"; name what loses its data: make destroy ENV=prod DESTROY_DATA=prod`
		unnamed = `DESTROY_DATA: got "", want "prod"; name what loses its data: make destroy ENV=prod DESTROY_DATA=prod`
		protect = "Protect: it protects 1 resources, such as aws_kinesis_stream.events; set Protect to false for it in stacks/ and run make deploy ENV=prod"
		raw     = "DeleteData: without it 1 resources refuse to go while they hold something, such as aws_s3_bucket.raw; set DeleteData to true for it in stacks/ and run make deploy ENV=prod"
	)
	for title, c := range map[string]struct {
		stack, named string
		want         []string
	}{
		"a protected one isn't":            {protected, "prod", []string{protect, raw}},
		"one that keeps its objects isn't": {full, "prod", []string{raw}},
		"one that keeps its images isn't":  {images, "prod", []string{strings.ReplaceAll(raw, "aws_s3_bucket.raw", "aws_ecr_repository.images")}},
		"one that isn't named isn't":       {open, "", []string{unnamed}},
		"one that is named wrongly isn't":  {open, "dev", []string{name}},
		"all is told at once":              {protected, "dev", []string{name, protect, raw}},
		"one that is open and named is":    {open, "prod", nil},
	} {
		t.Run(title, func(t *testing.T) {
			var got []string
			for _, err := range missing(t.Context(), parsePlanned(t, c.stack).destroyable(c.named)) {
				got = append(got, err.Error())
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// The golden files are the stacks as they are deployed.
func TestNoEnvironmentIsDestroyedAsItStands(t *testing.T) {
	golden := filepath.Join("..", "..", "test", "testdata", "golden")
	for name, want := range map[string]int{
		"dev": 1, "staging": 2, "prod": 2, "bootstrap-prod": 2, "account-prod": 2,
		"local": 0, // lives in the demo
	} {
		p, err := readPlanned(filepath.Join(golden, name+".json"), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := missing(t.Context(), p.destroyable(name)); len(got) != want {
			t.Errorf("%s: got %d reasons, want %d: %v", name, len(got), want, got)
		}
	}
}

func TestAStackOnEmulatedAWSNeedsItsSettingsAlone(t *testing.T) {
	p := parsePlanned(t, `{"provider": {"aws": [{"region": "eu-west-1", "allowed_account_ids": ["1"], "endpoints": [{}]}]},
		"variable": {"moto_endpoint": {"description": "URL of moto."}, "known": {"default": ""}}}`)
	t.Setenv("TF_VAR_moto_endpoint", "")
	got := missing(t.Context(), p.ready())
	if len(got) != 1 || got[0].Error() != "TF_VAR_moto_endpoint: not set; set it (docs/settings.md): URL of moto." {
		t.Errorf("got %v", got)
	}
	t.Setenv("TF_VAR_moto_endpoint", "http://127.0.0.1:1")
	if got := missing(t.Context(), p.ready()); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestAStackMustBeSynthesized(t *testing.T) {
	_, err := readPlanned(filepath.Join(t.TempDir(), "cdk.tf.json"), "prod")
	if err == nil || err.Error() != `environment "prod" is not synthesized; run make synth, or take one of those in cdktf.out/stacks` {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "cdk.tf.json")
	if err := os.WriteFile(path, []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readPlanned(path, "prod"); err == nil || !strings.Contains(err.Error(), "decode "+path) {
		t.Errorf("got %v", err)
	}
}
