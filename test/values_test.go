package test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

// What environments' values make of their stacks, where no construct says it.

func TestProdHasWhatStaysUpWithoutAZone(t *testing.T) {
	gateways := map[string]int{}
	for _, env := range deployed {
		template := synth.Decode(t, newStack(t, env))
		gateways[env.Name] = len(template.Resource["aws_nat_gateway"])
		if env.Name != "prod" {
			continue
		}
		var services []string
		for _, endpoint := range resources[struct {
			Type string `json:"vpc_endpoint_type"`
			Name string `json:"service_name"`
		}](t, template, "aws_vpc_endpoint") {
			if endpoint.Type == "Interface" {
				services = append(services, strings.TrimPrefix(endpoint.Name, "com.amazonaws.eu-west-1."))
			}
		}
		slices.Sort(services)
		if want := []string{"ecr.api", "ecr.dkr", "kinesis-streams", "logs"}; !slices.Equal(services, want) {
			t.Errorf("prod: got interface endpoints for %v, want %v", services, want)
		}
	}
	if want := map[string]int{"dev": 1, "staging": 1, "prod": 3}; !maps.Equal(gateways, want) {
		t.Errorf("got NAT gateways %v, want %v", gateways, want)
	}
}

func TestRawPacksMoveToGlacierWhereTheyAreKeptAndEndAfterAYear(t *testing.T) {
	for _, env := range []stacks.Environment{stacks.Staging, stacks.Prod} {
		template := synth.Decode(t, newStack(t, env))
		for _, bucket := range []string{"raw", "raw_copy"} {
			got := synth.Get[struct {
				Rule []struct {
					Filter     []struct{ Prefix string }
					Expiration []struct{ Days int }
					Transition []struct {
						Days  int
						Class string `json:"storage_class"`
					}
				}
			}](t, template.Resource, "aws_s3_bucket_lifecycle_configuration", bucket+"_lifecycle")
			found, ends := false, map[string]int{}
			for _, rule := range got.Rule {
				for _, end := range rule.Expiration {
					ends[rule.Filter[0].Prefix] = end.Days
				}
				for _, move := range rule.Transition {
					found = found || move.Days == 90 && move.Class == "GLACIER_IR"
				}
			}
			if !found {
				t.Errorf("%s: %s: got %+v, want Glacier after 90 days", env.Name, bucket, got)
			}
			if want := map[string]int{"events/": 400, "errors/": 400}; !maps.Equal(ends, want) { // erasures/ stay
				t.Errorf("%s: %s: got the ends %v, want %v", env.Name, bucket, ends, want)
			}
		}
	}
}

func TestProgramsLogsAreKeptAsLongAsTheEnvironmentSays(t *testing.T) {
	for _, env := range deployed {
		template := synth.Decode(t, newStack(t, env))
		for _, log := range []string{"collector_log", "preprocess_log", "scaler_log"} {
			got := synth.Get[struct {
				Days int `json:"retention_in_days"`
			}](t, template.Resource, "aws_cloudwatch_log_group", log+"_this")
			if got.Days != env.LogRetentionDays {
				t.Errorf("%s: %s: got %d days, want %d", env.Name, log, got.Days, env.LogRetentionDays)
			}
		}
	}
}

func TestMeasuresThatCostAreSwitchedOn(t *testing.T) {
	template := synth.Decode(t, newStack(t, stacks.Prod))
	t.Run("of each shard", func(t *testing.T) {
		want := []string{"IncomingBytes", "IncomingRecords", "IteratorAgeMilliseconds", "ReadProvisionedThroughputExceeded", "WriteProvisionedThroughputExceeded"}
		for name, got := range resources[struct {
			Metrics []string `json:"shard_level_metrics"`
		}](t, template, "aws_kinesis_stream") {
			if !slices.Equal(slices.Sorted(slices.Values(got.Metrics)), want) {
				t.Errorf("%s: got %v, want %v", name, got.Metrics, want)
			}
		}
	})
	t.Run("of the collector's tasks", func(t *testing.T) {
		got := resources[struct {
			Setting []struct{ Name, Value string }
		}](t, template, "aws_ecs_cluster")["collector_cluster"]
		if len(got.Setting) != 1 || got.Setting[0].Name != "containerInsights" || got.Setting[0].Value != "enabled" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestOutputsSayWhatPeopleMustKnow(t *testing.T) {
	names := func(env stacks.Environment) []string {
		return slices.Sorted(maps.Keys(synth.Decode(t, newStack(t, env)).Output))
	}
	got := names(everything)
	for _, name := range []string{"collector_url", "collector_dns_name", "tracker_url", "tracker_dns_name", "token_url", "client_id_erp", "client_id_pos"} {
		if !slices.Contains(got, name) {
			t.Errorf("everything: no output %s among %v", name, got)
		}
	}
	for _, name := range names(stacks.Prod) {
		if strings.HasSuffix(name, "_dns_name") {
			t.Errorf("prod has the output %s, and no domain", name)
		}
	}
}
