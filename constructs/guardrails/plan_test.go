package guardrails

import (
	"strings"
	"testing"
)

func findInPlan(t *testing.T, file string, o PlanOptions) map[string]Violation {
	t.Helper()
	violations, err := FindInPlan(read(t, "plan", file), o)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Violation{}
	for _, v := range violations {
		found[v.Address] = v
	}
	return found
}

// In fail.json and unknown.json everything whose name starts with bad_ is refused.
func wantRefused(t *testing.T, file string, found map[string]Violation) {
	t.Helper()
	for _, line := range strings.Split(string(read(t, "plan", file)), "\n") {
		_, quoted, is := strings.Cut(line, `"address": `)
		address := strings.ReplaceAll(strings.Trim(quoted, `",`), `\"`, `"`)
		if !is || !strings.Contains(address, "bad_") {
			continue
		}
		if found[address].Rule == "" {
			t.Errorf("%s passes", address)
		}
	}
	for address, v := range found {
		if !strings.Contains(address, "bad_") {
			t.Errorf("%s should pass, got %v", address, v)
		}
	}
}

func TestPlan(t *testing.T) {
	t.Run("that destroys no data and opens nothing passes", func(t *testing.T) {
		if err := CheckPlan(read(t, "plan", "pass.json"), PlanOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("is refused for all that it destroys, opens or doesn't know, at once", func(t *testing.T) {
		wantRefused(t, "fail.json", findInPlan(t, "fail.json", PlanOptions{}))
	})
	t.Run("tells what forces a resource to be made anew", func(t *testing.T) {
		found := findInPlan(t, "fail.json", PlanOptions{})
		for address, want := range map[string]string{
			"aws_dynamodb_table.bad_anew":                     "because of hash_key",
			"aws_sagemaker_feature_group.bad_feature":         "a changed feature makes the group anew and its records are gone",
			"aws_kinesis_firehose_delivery_stream.bad_table":  "a changed destination table makes the stream anew",
			"aws_kinesis_firehose_delivery_stream.bad_stream": "a new stream starts at the latest record",
		} {
			if !strings.Contains(found[address].Problem, want) {
				t.Errorf("%s: got %q, want %q in it", address, found[address].Problem, want)
			}
		}
	})
	t.Run("may destroy what is named, and that alone", func(t *testing.T) {
		found := findInPlan(t, "fail.json", PlanOptions{DestroyData: []string{"aws_kinesis_stream.bad_destroyed"}})
		if v, is := found["aws_kinesis_stream.bad_destroyed"]; is {
			t.Errorf("got %v, want it let through", v)
		}
		if found["aws_dynamodb_table.bad_anew"].Rule != DataKept {
			t.Error("another resource was let through")
		}
	})
	t.Run("may destroy all, but makes nothing anew", func(t *testing.T) {
		found := findInPlan(t, "fail.json", PlanOptions{DestroyAll: true})
		for _, address := range []string{"aws_kinesis_stream.bad_destroyed", "module.lake.aws_s3_bucket.bad_in_module", "aws_glue_catalog_table.bad_iceberg"} {
			if v, is := found[address]; is {
				t.Errorf("got %v, want it let through", v)
			}
		}
		if found["aws_dynamodb_table.bad_anew"].Rule != DataKept || found["aws_sagemaker_feature_group.bad_feature"].Rule != NotAnew {
			t.Error("what is made anew was let through")
		}
	})
	t.Run("may make public what is named, which doesn't make its policy known", func(t *testing.T) {
		found := findInPlan(t, "fail.json", PlanOptions{Public: []string{"aws_sqs_queue.bad_star", "aws_sqs_queue.bad_unknown"}})
		if v, is := found["aws_sqs_queue.bad_star"]; is {
			t.Errorf("got %v, want it let through", v)
		}
		if found["aws_sqs_queue.bad_unknown"].Rule == "" {
			t.Error("an unknown policy was let through")
		}
	})
	t.Run("is refused for names that it doesn't touch", func(t *testing.T) {
		found := findInPlan(t, "pass.json", PlanOptions{DestroyData: []string{"aws_kinesis_stream.events"}, Public: []string{"aws_s3_bucket.raw"}})
		if len(found) != 2 || found["aws_kinesis_stream.events"].Rule != Fresh || found["aws_s3_bucket.raw"].Rule != Fresh {
			t.Errorf("got %v", found)
		}
	})
	t.Run("is read in its stack where a policy is unknown", func(t *testing.T) {
		if n := len(findInPlan(t, "unknown.json", PlanOptions{})); n != 5 {
			t.Errorf("without the stack: got %d refused, want all 5", n)
		}
		wantRefused(t, "unknown.json", findInPlan(t, "unknown.json", PlanOptions{StackJSON: read(t, "plan", "unknown_stack.json")}))
	})
	for name, text := range map[string]string{
		"that is no JSON can't be judged":          "Plan: 1 to add",
		"of another format can't be judged":        `{"format_version": "2.0"}`,
		"that is a stack can't be judged":          string(read(t, "encrypted", "pass.json")),
		"that ended with an error can't be judged": `{"format_version": "1.2", "errored": true}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := FindInPlan([]byte(text), PlanOptions{}); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestAPlanThatDestroysAllIsRefusedForWhatRefusesToGo(t *testing.T) {
	for name, c := range map[string]struct{ kind, before, refused string }{
		"a bucket that keeps its objects":           {"aws_s3_bucket", `{"force_destroy": false}`, "force_destroy = false"},
		"a bucket that lets them go":                {"aws_s3_bucket", `{"force_destroy": true}`, ""},
		"a repository that keeps its images":        {"aws_ecr_repository", `{"force_delete": false}`, "force_delete = false"},
		"a service that says nothing":               {"aws_ecs_service", `{"force_delete": null}`, ""},
		"a protected table":                         {"aws_dynamodb_table", `{"deletion_protection_enabled": true}`, "deletion_protection_enabled = true"},
		"a table that isn't":                        {"aws_dynamodb_table", `{"deletion_protection_enabled": false}`, ""},
		"a protected user pool":                     {"aws_cognito_user_pool", `{"deletion_protection": "ACTIVE"}`, "deletion_protection = ACTIVE"},
		"a user pool that isn't":                    {"aws_cognito_user_pool", `{"deletion_protection": "INACTIVE"}`, ""},
		"a protected cluster":                       {"aws_rds_cluster", `{"deletion_protection": true}`, "deletion_protection = true"},
		"a protected load balancer":                 {"aws_lb", `{"enable_deletion_protection": true}`, "enable_deletion_protection = true"},
		"a protected store of events":               {"aws_cloudtrail_event_data_store", `{"termination_protection_enabled": true}`, "termination_protection_enabled = true"},
		"a stream, which nothing protects but code": {"aws_kinesis_stream", `{}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := `{"format_version": "1.2", "resource_changes": [{"address": "x", "mode": "managed", "type": "` + c.kind + `", "change": {"actions": ["delete"], "before": ` + c.before + `}}]}`
			err := CheckPlan([]byte(plan), PlanOptions{DestroyAll: true})
			if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("got %v, want %q in it", err, c.refused)
			}
		})
	}
}
