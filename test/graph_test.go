package test

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

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

// pictureEdges are the arrows of the picture, as references: who names whom.
var pictureEdges = [][2]string{
	{"aws_wafv2_web_acl_association.front_firewall_association", "aws_wafv2_web_acl.front_firewall_this"},
	{"aws_wafv2_web_acl_association.front_firewall_association", "aws_api_gateway_stage.front_api_live"},
	{"aws_api_gateway_integration.front_api_collect_integration", "aws_api_gateway_vpc_link.front_link_this"},
	{"aws_api_gateway_vpc_link.front_link_this", "aws_lb.front_link_load_balancer"},
	{"aws_lb_target_group_attachment.front_link_target", "aws_lb.front_load_balancer_this"},
	{"aws_lb_listener.front_load_balancer_listener", "aws_lb_target_group.front_load_balancer_targets"},
	{"aws_ecs_service.service_this", "aws_lb_target_group.front_load_balancer_targets"},
	{"aws_ecs_service.service_this", "aws_ecs_task_definition.collector_task"},
	{"aws_ecs_service.service_this", "aws_ecs_cluster.collector_cluster"},
	{"aws_api_gateway_authorizer.front_api_servers", "aws_cognito_user_pool.identity_this"},
	{"aws_cloudfront_distribution.tracker_this", "aws_s3_bucket.artifacts_this"},
	{"aws_glue_catalog_table.packs_this", "aws_glue_catalog_database.catalog_this"},
	{"aws_glue_crawler.crawler_this", "aws_glue_security_configuration.glue_this"},
	{"aws_s3_bucket_replication_configuration.raw_replica_this", "aws_s3_bucket.raw_copy_this"},
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
	{"aws_kinesis_firehose_delivery_stream.delivery_this", "aws_kinesis_stream.events_this"},
	{"aws_kinesis_firehose_delivery_stream.delivery_this", "aws_s3_bucket.raw_this"},
}

func TestStackIsTheOneInThePicture(t *testing.T) {
	g := graphOf(synth.Decode(t, newStack(t, stacks.Prod)))
	for _, edge := range pictureEdges {
		if !g[edge[0]][edge[1]] {
			known := make([]string, 0, len(g[edge[0]]))
			for to := range g[edge[0]] {
				known = append(known, to)
			}
			sort.Strings(known)
			t.Errorf("%s does not name %s, but %s", edge[0], edge[1], strings.Join(known, ", "))
		}
	}
}

func TestEveryResourceIsConnectedToThePipeline(t *testing.T) {
	g := graphOf(synth.Decode(t, newStack(t, stacks.Prod)))
	if len(g) < 50 {
		t.Fatalf("got %d resources, want a pipeline's", len(g))
	}
	connected := g.component("aws_kinesis_stream.gateway_this")
	var loose []string
	for node := range g {
		if !connected[node] {
			loose = append(loose, node)
		}
	}
	slices.Sort(loose)
	if len(loose) > 0 {
		t.Errorf("not connected: %s", strings.Join(loose, ", "))
	}
}
