package test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

// graph is a stack's resources with the references between them. A resource is
// named TYPE.NAME, less cdktf's hash.
type graph map[string]map[string]bool

var (
	resourceReference = regexp.MustCompile(`(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+?)_[0-9A-F]{8}`)
	ownHash           = regexp.MustCompile(`_[0-9A-F]{8}$`)
)

func graphOf(template synth.Template) graph {
	g := graph{}
	for kind, named := range template.Resource {
		for name, raw := range named {
			node := kind + "." + ownHash.ReplaceAllString(name, "")
			g[node] = map[string]bool{}
			for _, match := range resourceReference.FindAllStringSubmatch(string(raw), -1) {
				if to := match[1] + "." + match[2]; to != node {
					g[node][to] = true
				}
			}
		}
	}
	return g
}

// component is all that references connect with a resource, either way.
func (g graph) component(start string) map[string]bool {
	both := map[string][]string{}
	for from, tos := range g {
		for to := range tos {
			both[from] = append(both[from], to)
			both[to] = append(both[to], from)
		}
	}
	found, todo := map[string]bool{}, []string{start}
	for len(todo) > 0 {
		node := todo[0]
		if todo = todo[1:]; found[node] {
			continue
		}
		found[node] = true
		todo = append(todo, both[node]...)
	}
	return found
}

// The arrows of the picture, as references: who names whom. All stacks have the
// first; the others come with what an environment chooses.
var arrowsOfAll = [][2]string{
	{"aws_wafv2_web_acl_association.front_firewall_association", "aws_wafv2_web_acl.front_firewall_this"},
	{"aws_ecs_service.service_this", "aws_lb_target_group.front_load_balancer_targets"},
	{"aws_ecs_service.service_this", "aws_ecs_task_definition.collector_task"},
	{"aws_ecs_service.service_this", "aws_ecs_cluster.collector_cluster"},
	{"aws_cloudfront_distribution.tracker_this", "aws_s3_bucket.artifacts_this"},
	{"aws_glue_catalog_table.packs_this", "aws_glue_catalog_database.catalog_this"},
	{"aws_glue_crawler.crawler_this", "aws_glue_security_configuration.glue_this"},
	{"aws_ecs_task_definition.collector_task", "aws_kinesis_stream.gateway_this"},
	{"aws_ecs_task_definition.collector_task", "aws_dynamodb_table.registry_this"},
	{"aws_lambda_event_source_mapping.preprocess_mapping", "aws_kinesis_stream.gateway_this"},
	{"aws_lambda_event_source_mapping.preprocess_mapping", "aws_lambda_alias.preprocess_live"},
	{"aws_lambda_event_source_mapping.preprocess_mapping", "aws_s3_bucket.failed_this"},
	{"aws_lambda_alias.preprocess_live", "aws_lambda_function.preprocess_this"},
	{"aws_lambda_function.preprocess_this", "aws_kinesis_stream.events_this"},
	{"aws_lambda_function.preprocess_this", "aws_s3_bucket.quarantine_this"},
	{"aws_lambda_function.preprocess_this", "aws_s3_bucket.ledger_this"},
	{"aws_s3_bucket_notification.failures_notification", "aws_s3_bucket.failed_this"},
	{"aws_s3_bucket_notification.failures_notification", "aws_sqs_queue.failures_queue"},
	{"aws_sqs_queue.failures_queue", "aws_sqs_queue.failures_dlq"},
	{"aws_scheduler_schedule.heartbeat_this", "aws_lambda_alias.heartbeat_sender_live"},
	{"aws_scheduler_schedule.hourly_ledger_schedule", "aws_lambda_alias.hourly_ledger_live"},
	{"aws_lambda_function.hourly_ledger_this", "aws_athena_workgroup.workgroup_this"},
	{"aws_lambda_function.hourly_ledger_this", "aws_glue_catalog_database.catalog_this"},
	{"aws_cloudwatch_metric_alarm.watch_lake_ledger_residue_this", "aws_sns_topic.topics_page_this"},
	{"aws_cloudwatch_metric_alarm.watch_lake_ledger_frame_gaps_this", "aws_sns_topic.topics_page_this"},
	{"aws_dynamodb_table_item.heartbeat_shop", "aws_dynamodb_table.registry_this"},
	{"aws_kinesis_firehose_delivery_stream.delivery_this", "aws_kinesis_stream.events_this"},
	{"aws_kinesis_firehose_delivery_stream.delivery_this", "aws_s3_bucket.raw_this"},
	{"aws_ecs_service.service_this", "aws_subnet.network_private_subnet_a"},
	{"aws_cloudwatch_metric_alarm.watch_stream_gateway_records_expiring_this", "aws_sns_topic.topics_page_this"},
	{"aws_cloudwatch_metric_alarm.watch_stream_failures_waiting_this", "aws_sns_topic.topics_ticket_this"},
	{"aws_cloudwatch_metric_alarm.watch_stream_failures_waiting_this", "aws_sqs_queue.failures_queue"},
	{"aws_sns_topic_subscription.topics_page_email", "aws_sns_topic.topics_page_this"},
	{"aws_sns_topic_subscription.topics_ticket_email", "aws_sns_topic.topics_ticket_this"},
	{"aws_backup_plan.backup_plan", "aws_backup_vault.backup_vault"},
	{"aws_backup_selection.backup_selection", "aws_backup_plan.backup_plan"},
	{"aws_backup_selection.backup_selection", "aws_dynamodb_table.registry_this"},
	{"aws_backup_selection.backup_selection", "aws_s3_bucket.ledger_this"},
	{"aws_backup_vault_notifications.backup_notifications", "aws_sns_topic.topics_ticket_this"},
	{"aws_athena_workgroup.workgroup_this", "aws_s3_bucket.athena_results_this"},
}

var arrowsOfAPI = [][2]string{
	{"aws_lb_listener.front_load_balancer_plain_listener", "aws_lb_target_group.front_load_balancer_targets"},
	{"aws_wafv2_web_acl_association.front_firewall_association", "aws_api_gateway_stage.front_api_live"},
	{"aws_api_gateway_integration.front_api_collect_integration", "aws_api_gateway_vpc_link.front_link_this"},
	{"aws_api_gateway_vpc_link.front_link_this", "aws_lb.front_link_load_balancer"},
	{"aws_lb_target_group_attachment.front_link_target", "aws_lb.front_load_balancer_this"},
	{"aws_api_gateway_authorizer.front_api_servers", "aws_cognito_user_pool.identity_this"},
	{"aws_lambda_function.heartbeat_sender_this", "aws_api_gateway_stage.front_api_live"},
	{"aws_api_gateway_stage.front_api_live", "aws_api_gateway_deployment.front_api_deployment"},
	{"aws_api_gateway_deployment.front_api_deployment", "aws_api_gateway_integration.front_api_collect_integration"},
	{"aws_api_gateway_usage_plan.front_api_plan", "aws_api_gateway_stage.front_api_live"},
}

var arrowsOfLoadBalancer = [][2]string{
	{"aws_lb_listener.front_load_balancer_listener", "aws_lb_target_group.front_load_balancer_targets"},
	{"aws_wafv2_web_acl_association.front_firewall_association", "aws_lb.front_load_balancer_this"},
}

var arrowsOfBlueGreen = [][2]string{
	{"aws_codedeploy_deployment_group.service_deployments_group", "aws_ecs_service.service_this"},
	{"aws_codedeploy_deployment_group.service_deployments_group", "aws_lb_listener.front_load_balancer_listener"},
}

var arrowsOfScaler = [][2]string{
	{"aws_cloudwatch_metric_alarm.watch_stream_gateway_filling_up_this", "aws_lambda_alias.scaler_live"},
	{"aws_cloudwatch_metric_alarm.watch_stream_events_filling_up_this", "aws_lambda_alias.scaler_live"},
	{"aws_scheduler_schedule.scaler_schedule", "aws_lambda_alias.scaler_live"},
	{"aws_lambda_function.scaler_this", "aws_kinesis_stream.gateway_this"},
	{"aws_lambda_function.scaler_this", "aws_kinesis_stream.events_this"},
	{"aws_lambda_function.scaler_this", "aws_sns_topic.topics_ticket_this"},
}

var arrowsOfReplicas = [][2]string{
	{"aws_s3_bucket_replication_configuration.raw_replica_this", "aws_s3_bucket.raw_copy_this"},
	{"aws_s3_bucket_replication_configuration.raw_replica_this", "aws_s3_bucket.raw_this"},
	{"aws_s3_bucket_replication_configuration.transformed_replica_this", "aws_s3_bucket.transformed_this"},
	{"aws_s3_bucket_replication_configuration.transformed_replica_this", "aws_s3_bucket.transformed_copy_this"},
	{"aws_backup_plan.backup_plan", "aws_backup_vault.backup_replica"},
}

// arrowsOf are those that env's stack must have.
func arrowsOf(env stacks.Environment) [][2]string {
	arrows := slices.Clone(arrowsOfAll)
	for _, part := range []struct {
		has    bool
		arrows [][2]string
	}{
		{env.Front == ingest.FrontAPI, arrowsOfAPI}, {env.Front == ingest.FrontLoadBalancer, arrowsOfLoadBalancer},
		{env.Deployment == ingest.BlueGreen, arrowsOfBlueGreen}, {!env.OnDemand, arrowsOfScaler}, {env.Replicate, arrowsOfReplicas},
	} {
		if part.has {
			arrows = append(arrows, part.arrows...)
		}
	}
	return arrows
}

func TestStackIsTheOneInThePicture(t *testing.T) {
	for _, env := range append(deployed, everything) {
		t.Run(env.Name, func(t *testing.T) {
			g := graphOf(synth.Decode(t, newStack(t, env)))
			for _, arrow := range arrowsOf(env) {
				if !g[arrow[0]][arrow[1]] {
					t.Errorf("%s does not name %s, but %s", arrow[0], arrow[1], strings.Join(slices.Sorted(maps.Keys(g[arrow[0]])), ", "))
				}
			}
		})
	}
}

// deployed are the environments that live on AWS.
var deployed = []stacks.Environment{stacks.Dev, stacks.Staging, stacks.Prod}

// hubs name, or are named by, what has nothing else to do with each other.
var hubs = regexp.MustCompile(`^aws_kms_|^aws_sns_topic|^aws_cloudwatch_dashboard\.|^aws_[a-z0-9_]+\.(replica_)?access_logs_|^aws_iam_policy\.boundary_this$`)

// looseEnds are parts of a stack that no reference connects with the main
// arrow, by a resource in each.
var looseEnds = map[string]string{
	"aws_cloudfront_distribution.tracker_this":           "shoppers' browsers take the tracker from it, and the tracker sends to the front",
	"aws_s3_bucket.landing_this":                         "shops put files there, and batch jobs of the lake read them",
	"aws_dynamodb_table.online_this":                     "the sessions' job writes it, and what serves features reads it",
	"aws_budgets_budget.budget_monthly":                  "a bill is the account's",
	"aws_budgets_budget.budget_daily":                    "a bill is the account's",
	"aws_budgets_budget.shared_budget_monthly":           "a bill is the account's",
	"aws_budgets_budget.shared_budget_daily":             "a bill is the account's",
	"aws_iam_role.people_break_glass_this":               "it may do everything, and names nothing",
	"aws_cloudwatch_event_rule.people_break_glass_alarm": "it watches who becomes a role, by the role's name",
	"aws_cloudwatch_event_rule.people_break_glass_edge":  "it watches who becomes a role, by the role's name",
	"aws_secretsmanager_secret.secret_this":              "an example of what a platform team puts beside the pipeline",
}

// loose are the resources that no reference connects with the gateway stream,
// hubs left out, but for looseEnds, of which it tells those that are.
func (g graph) loose() (found, ends []string) {
	parts := graph{}
	for from, tos := range g {
		if hubs.MatchString(from) {
			continue
		}
		parts[from] = map[string]bool{}
		for to := range tos {
			if !hubs.MatchString(to) {
				parts[from][to] = true
			}
		}
	}
	connected := parts.component("aws_kinesis_stream.gateway_this")
	for end := range looseEnds {
		if _, is := parts[end]; is && !connected[end] {
			ends = append(ends, end)
		}
	}
	for _, end := range ends {
		maps.Copy(connected, parts.component(end))
	}
	for node := range parts {
		if !connected[node] {
			found = append(found, node)
		}
	}
	slices.Sort(found)
	return found, ends
}

func TestEveryResourceIsConnectedToThePipeline(t *testing.T) {
	used := map[string]bool{}
	for _, env := range append(deployed, everything) {
		g := graphOf(synth.Decode(t, newStack(t, env)))
		if len(g) < 300 {
			t.Fatalf("%s: got %d resources, want a pipeline's", env.Name, len(g))
		}
		found, ends := g.loose()
		if len(found) > 0 {
			t.Errorf("%s: not connected: %s", env.Name, strings.Join(found, ", "))
		}
		for _, end := range ends {
			used[end] = true
		}
	}
	for end := range looseEnds {
		if !used[end] {
			t.Errorf("%s is connected, or not there: take it out of the loose ends", end)
		}
	}
}

func TestAResourceThatOnlyAHubConnectsIsLoose(t *testing.T) {
	g := graph{}
	for _, hub := range []string{"aws_kms_key.events_key_this", "aws_sns_topic.topics_page_this", "aws_s3_bucket.access_logs_this", "aws_iam_policy.boundary_this"} {
		g[hub] = map[string]bool{}
	}
	g["aws_kinesis_stream.gateway_this"] = map[string]bool{"aws_kms_key.events_key_this": true, "aws_sqs_queue.reader": true}
	for from, to := range map[string]string{
		"aws_sqs_queue.stray": "aws_kms_key.events_key_this", "aws_cloudwatch_metric_alarm.stray": "aws_sns_topic.topics_page_this",
		"aws_s3_bucket_logging.stray": "aws_s3_bucket.access_logs_this", "aws_iam_role.stray": "aws_iam_policy.boundary_this",
	} {
		g[from] = map[string]bool{to: true}
	}
	g["aws_sqs_queue.led_to"], g["aws_sqs_queue.reader"] = map[string]bool{}, map[string]bool{"aws_sns_topic.topics_page_this": true}
	g["aws_iam_role.stray"]["aws_sqs_queue.led_to"] = true
	want := []string{"aws_cloudwatch_metric_alarm.stray", "aws_iam_role.stray", "aws_s3_bucket_logging.stray", "aws_sqs_queue.led_to", "aws_sqs_queue.stray"}
	if found, _ := g.loose(); !slices.Equal(found, want) {
		t.Errorf("got %v, want %v", found, want)
	}
}
