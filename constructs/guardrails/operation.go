package guardrails

import (
	"fmt"
	"slices"
	"strings"
)

// requiredTags are those that costs and alarms are sorted by.
var requiredTags = []string{"environment", "project"}

func untagged(s *stack) (found []finding) {
	if len(s.providers) == 0 {
		found = append(found, finding{&resource{kind: "provider", name: "aws", path: s.name}, "the stack has no provider that tags", "define one with default_tags"})
	}
	for _, r := range s.providers {
		for _, name := range requiredTags {
			if value, _ := first(r.body, "default_tags.tags."+name).(string); value == "" {
				found = append(found, finding{r, "its default_tags lack " + name, "set it"})
			}
		}
	}
	return found
}

// unboundLogs finds programs whose logs land where nobody set how long they
// are kept. The table asks the same of types with an attribute for it.
func unboundLogs(s *stack) (found []finding) {
	for _, r := range s.of("aws_ecs_task_definition") {
		for _, c := range containers(r) {
			group := c.LogConfiguration.Options["awslogs-group"]
			if c.LogConfiguration.LogDriver == "awsfirelens" {
				continue // the router in the same task logs by itself
			}
			if !refersTo("aws_cloudwatch_log_group").holds(s, group) {
				found = append(found, finding{r, "a container's logs go to " + shown(group), "name an aws_cloudwatch_log_group of this stack in awslogs-group"})
			}
		}
	}
	return found
}

// lostMessages finds queues without a dead-letter queue and readers of streams
// that drop a record untold, or block their shard for ever.
func lostMessages(s *stack) (found []finding) {
	for _, r := range s.of("aws_sqs_queue") {
		if s.isDeadLetterQueue(r) {
			continue
		}
		targets := s.deadLetterQueues(r)
		if len(targets) == 0 {
			found = append(found, finding{r, "it has no dead-letter queue in this stack", "set redrive_policy to one with deadLetterTargetArn and maxReceiveCount"})
		}
		for _, target := range targets {
			if target == r {
				found = append(found, finding{r, "it is its own dead-letter queue", "name another queue"})
			}
		}
	}
	for _, r := range s.of("aws_lambda_event_source_mapping") {
		if r.text("starting_position") == "" {
			continue // a queue's, which redrives by itself
		}
		if text := r.text("destination_config.on_failure.destination_arn"); text == "" {
			found = append(found, finding{r, "what its function can't process is dropped", "set destination_config.on_failure"})
		}
		for _, path := range []string{"maximum_retry_attempts", "maximum_record_age_in_seconds"} {
			if n, ok := first(r.body, path).(float64); !ok || n < 0 {
				found = append(found, finding{r, path + " is " + shown(first(r.body, path)) + ", so one bad record blocks its shard", "set it to a number that ends"})
			}
		}
	}
	return found
}

// deadLetterQueues returns the queues that a queue gives up to.
func (s *stack) deadLetterQueues(r *resource) []*resource {
	targets := s.redriveTargets(r)
	for _, policy := range s.of("aws_sqs_queue_redrive_policy") {
		if slices.Contains(s.refs(policy, "queue_url"), r) {
			targets = append(targets, s.redriveTargets(policy)...)
		}
	}
	return targets
}

func (s *stack) redriveTargets(r *resource) (found []*resource) {
	if !strings.Contains(r.text("redrive_policy"), "maxReceiveCount") && r.kind != "aws_sns_topic_subscription" {
		return nil
	}
	for _, target := range s.refs(r, "redrive_policy") {
		if target.kind == "aws_sqs_queue" {
			found = append(found, target)
		}
	}
	return found
}

// deadLetters are where types name a dead-letter queue of theirs.
var deadLetters = map[string]string{
	"aws_lambda_function":         "dead_letter_config?.target_arn",
	"aws_cloudwatch_event_target": "dead_letter_config?.arn",
	"aws_scheduler_schedule":      "target.dead_letter_config?.arn",
	"aws_pipes_pipe":              "source_parameters?.kinesis_stream_parameters?.dead_letter_config?.arn",
}

func (s *stack) isDeadLetterQueue(queue *resource) bool {
	for _, r := range s.resources {
		if r != queue && slices.Contains(s.redriveTargets(r), queue) {
			return true
		}
		if path, has := deadLetters[r.kind]; has && slices.Contains(s.refs(r, path), queue) {
			return true
		}
	}
	return false
}

// unwatched finds functions without an alarm that acts.
func unwatched(s *stack) (found []finding) {
	watched := map[*resource]bool{}
	byName := map[string]*resource{}
	for _, function := range s.of("aws_lambda_function") {
		byName[function.text("function_name")] = function
	}
	for _, alarm := range s.of("aws_cloudwatch_metric_alarm") {
		if !s.acts(alarm) {
			continue
		}
		for _, path := range []string{"dimensions?.FunctionName?", "metric_query?.metric?.dimensions?.FunctionName?"} {
			for _, function := range s.refs(alarm, path) {
				watched[function] = true
			}
			for _, name := range values(alarm.body, path) {
				watched[byName[fmt.Sprint(name)]] = true
			}
		}
	}
	for _, function := range s.of("aws_lambda_function") {
		if !watched[function] {
			found = append(found, finding{function, "no alarm that acts watches it", "add an aws_cloudwatch_metric_alarm on its Errors with alarm_actions"})
		}
	}
	return found
}

// acts reports whether an alarm tells somebody, by itself or in a composite one.
func (s *stack) acts(alarm *resource) bool {
	if alarm.body["actions_enabled"] == false {
		return false
	}
	if len(s.refs(alarm, "alarm_actions?")) > 0 || first(alarm.body, "alarm_actions") != nil {
		return true
	}
	for _, composite := range s.of("aws_cloudwatch_composite_alarm") {
		named := slices.Contains(s.refs(composite, "alarm_rule"), alarm) ||
			alarm.text("alarm_name") != "" && strings.Contains(composite.text("alarm_rule"), alarm.text("alarm_name"))
		if named && composite.body["actions_enabled"] != false && first(composite.body, "alarm_actions") != nil {
			return true
		}
	}
	return false
}

// idleRoles finds roles that nothing is granted to: a grant was forgotten, or
// the role.
func idleRoles(s *stack) (found []finding) {
	granted := map[*resource]bool{}
	for _, r := range s.of("aws_iam_role_policy", "aws_iam_role_policy_attachment", "aws_iam_policy_attachment") {
		statements, err := parsePolicy(r.text("policy"))
		if r.kind == "aws_iam_role_policy" && err == nil && !slices.ContainsFunc(statements, statement.allows) {
			continue // it grants nothing
		}
		for _, path := range []string{"role?", "roles?"} {
			for _, role := range s.refs(r, path) {
				granted[role] = true
			}
			for _, role := range s.of("aws_iam_role") {
				granted[role] = granted[role] || slices.Contains(values(r.body, path), any(role.text("name"))) && role.text("name") != ""
			}
		}
	}
	for _, role := range s.of("aws_iam_role") {
		if !granted[role] && first(role.body, "inline_policy.policy") == nil && first(role.body, "managed_policy_arns") == nil {
			found = append(found, finding{role, "nothing is granted to it", "grant what it is for, or take it out"})
		}
	}
	return found
}
