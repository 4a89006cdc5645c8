package test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

func newTopics(t *testing.T, scope cdktf.TerraformStack) *observe.Topics {
	t.Helper()
	topics, err := observe.NewTopics(scope, "topics", observe.TopicsProps{
		Prefix: "test-", Account: testAccount, Key: newKey(t, scope),
		Page: observe.Subscribers{HTTPS: jsii.String("https://pager.example/1")}, Ticket: observe.Subscribers{Email: jsii.String("ops@example.com")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return topics
}

func newTier(t *testing.T, scope cdktf.TerraformStack) *observe.Tier {
	t.Helper()
	tier, err := observe.NewTier(scope, "watch", observe.TierProps{Name: "all", Topics: newTopics(t, scope)})
	if err != nil {
		t.Fatal(err)
	}
	return tier
}

// sender is a function that is called by a heartbeat.
type sender struct{}

func (sender) ARN() *string {
	return jsii.String("arn:aws:lambda:eu-west-1:123456789012:function:heartbeat")
}

func (s sender) GrantInvoke(role *security.Role) { role.Allow(s.ARN(), "lambda:InvokeFunction") }

// shardScaler is a scaler that lets nobody in.
type shardScaler struct{}

func (shardScaler) ARN() *string {
	return jsii.String("arn:aws:lambda:eu-west-1:123456789012:function:scaler:live")
}

func (shardScaler) AllowService(string, string, string) {}

func newHeartbeat(t *testing.T, scope cdktf.TerraformStack) *observe.Heartbeat {
	t.Helper()
	heartbeat, err := observe.NewHeartbeat(scope, "heartbeat", observe.HeartbeatProps{Name: "test-heartbeat", Sender: sender{}})
	if err != nil {
		t.Fatal(err)
	}
	return heartbeat
}

func newBackup(t *testing.T, scope cdktf.TerraformStack, topic *observe.Topic, change func(*observe.BackupProps)) *observe.Backup {
	t.Helper()
	replica := provider.NewAwsProvider(scope, jsii.String("replica"), &provider.AwsProviderConfig{Region: jsii.String("eu-central-1"), Alias: jsii.String("replica")})
	key := func(id, region string, provider cdktf.TerraformProvider) *security.Key {
		key, err := security.NewKey(scope, id, security.KeyProps{
			Alias: id, Description: id, Account: security.Account{ID: testAccount.ID, Region: region}, Provider: provider,
		})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	props := observe.BackupProps{
		Name: "test-backup", Account: testAccount, Key: key("backup_key", "eu-west-1", nil), Topic: topic,
		Tables:  []*string{jsii.String("arn:aws:dynamodb:eu-west-1:123456789012:table/shops")},
		Buckets: []*string{jsii.String("arn:aws:s3:::raw")}, Sources: []*security.Key{key("source_key", "eu-west-1", nil)},
		Protect: true, Replica: replica, ReplicaRegion: "eu-central-1", ReplicaKey: key("replica_key", "eu-central-1", replica),
	}
	if change != nil {
		change(&props)
	}
	backup, err := observe.NewBackup(scope, "backup", props)
	if err != nil {
		t.Fatal(err)
	}
	return backup
}

// watchAll watches one of everything.
func watchAll(t *testing.T, scope cdktf.TerraformStack) *observe.Tier {
	t.Helper()
	tier := newTier(t, scope)
	name := jsii.String
	behindAPI := tier.WatchAPI("api", observe.APIProps{Name: name("api"), Stage: name("live")})
	_, balanced := tier.WatchLoadBalancer("front", observe.LoadBalancerProps{Dimension: name("app/front/1")})
	for _, err := range []error{
		behindAPI, balanced,
		tier.WatchFirewall("firewall", observe.FirewallProps{WebACL: name("acl")}),
		tier.WatchService("collector", observe.ServiceProps{Cluster: name("c"), Name: name("s"), MinTasks: 2, MaxTasks: 8}),
		tier.WatchStream("gateway", observe.StreamProps{Name: name("gateway"), RetentionHours: 24, Beats: true}),
		tier.WatchShards("gateway", observe.ShardsProps{Stream: name("gateway"), Scaler: shardScaler{}}),
		tier.WatchFunction("preprocess", observe.FunctionProps{Name: name("preprocess"), TimeoutSeconds: 60, BehindSeconds: 60}),
		tier.WatchQueue("failures", observe.QueueProps{Name: name("failures"), DeadLetters: name("failures-dlq"), RetentionHours: 144}),
		tier.WatchDelivery("raw", observe.DeliveryProps{Name: name("raw"), Function: name("preprocess"), Beats: true}),
		tier.WatchTable("shops", observe.TableProps{Name: name("shops")}),
		tier.WatchBucket("quarantine", observe.BucketProps{Bucket: name("quarantine"), Rejects: true}),
		tier.WatchLog("collector_log", observe.LogProps{Group: name("/collector")}),
		tier.WatchLedger("ledger", name("test")),
		tier.WatchDelay("tables", observe.DelayProps{Pipeline: "test", Stage: "tables", WithinSeconds: observe.TablesWithin.Seconds(), EverySeconds: 3600}),
		tier.WatchHeartbeat("heartbeat", newHeartbeat(t, scope)),
		tier.WatchBackup("backup", newBackup(t, scope, tier.Topics.Ticket, nil)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return tier
}

// alarm is a metric or composite alarm as AWS reads it.
type alarm struct {
	Name        string   `json:"alarm_name"`
	Description string   `json:"alarm_description"`
	Comparison  string   `json:"comparison_operator"`
	Namespace   string   `json:"namespace"`
	Metric      string   `json:"metric_name"`
	Statistic   string   `json:"statistic"`
	Percentile  string   `json:"extended_statistic"`
	FewSamples  string   `json:"evaluate_low_sample_count_percentiles"`
	Period      int      `json:"period"`
	Periods     int      `json:"evaluation_periods"`
	Datapoints  int      `json:"datapoints_to_alarm"`
	Threshold   float64  `json:"threshold"`
	Band        string   `json:"threshold_metric_id"`
	Missing     string   `json:"treat_missing_data"`
	Actions     []string `json:"alarm_actions"`
	Over        []string `json:"ok_actions"`
	Rule        string   `json:"alarm_rule"`
	Dimensions  map[string]string
	Queries     []struct {
		ID         string `json:"id"`
		Expression string
		Returns    bool `json:"return_data"`
		Metric     *struct {
			Name   string `json:"metric_name"`
			Period int
			Stat   string
		}
	} `json:"metric_query"`
}

func getAlarm(t *testing.T, template synth.Template, name string) alarm {
	t.Helper()
	kind := "aws_cloudwatch_metric_alarm"
	if strings.HasSuffix(name, "_fast") || strings.HasSuffix(name, "_slow") && strings.Contains(name, "bad_answers") {
		kind = "aws_cloudwatch_composite_alarm"
	}
	return synth.Get[alarm](t, template.Resource, kind, "watch_"+name+"_this")
}

const (
	pager  = "${aws_sns_topic.topics_page_this"
	ticket = "${aws_sns_topic.topics_ticket_this"
)

func (a alarm) tells(topic string) bool {
	return len(a.Actions) == 1 && strings.HasPrefix(a.Actions[0], topic) && reflect.DeepEqual(a.Actions, a.Over)
}

func TestEveryAlarmNamesARunbookThatNamesIt(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error { watchAll(t, scope); return nil })
	checkRunbooks(t, template, 45)
}

func TestEveryAlarmOfAStackNamesARunbookThatNamesIt(t *testing.T) {
	for env, least := range map[*stacks.Environment]int{&stacks.Prod: 50, &everything: 45} {
		t.Run(env.Name, func(t *testing.T) { checkRunbooks(t, synth.Decode(t, newStack(t, *env)), least) })
	}
}

var (
	runbookInText = regexp.MustCompile(`(docs/runbooks/[a-z-]+\.md)#([a-z0-9-]+)$`)
	inBackticks   = regexp.MustCompile("`([a-z0-9-]+)`")
)

// checkRunbooks holds a stack's alarms, which are at least so many, to their
// runbooks: the page has the section, and names the alarm by its name's end.
func checkRunbooks(t *testing.T, template synth.Template, least int) {
	t.Helper()
	count := 0
	for _, kind := range []string{"aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"} {
		for address, raw := range template.Resource[kind] {
			var a alarm
			if err := json.Unmarshal(raw, &a); err != nil {
				t.Fatal(err)
			}
			count++
			found := runbookInText.FindStringSubmatch(a.Description)
			if found == nil {
				t.Errorf("%s: got description %q, want one that ends with a runbook", address, a.Description)
				continue
			}
			text, err := os.ReadFile("../" + found[1])
			if err != nil {
				t.Errorf("%s: %v", address, err)
				continue
			}
			if !strings.Contains(string(text), "\n## "+found[2]+"\n") {
				t.Errorf("%s: %s has no section %s", address, found[1], found[2])
			}
			named := slices.ContainsFunc(inBackticks.FindAllStringSubmatch(string(text), -1), func(word []string) bool {
				return strings.HasSuffix(a.Name, "-"+word[1])
			})
			if !named {
				t.Errorf("%s: %s does not name %s", address, found[1], a.Name)
			}
		}
	}
	if count < least {
		t.Errorf("got %d alarms, want at least %d", count, least)
	}
}

func TestEverySectionOfARunbookBelongsToAnAlarm(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error { watchAll(t, scope); return nil })
	used := map[string]bool{"docs/runbooks/budget.md#budget": true, "docs/runbooks/backup.md#restore": true} // no alarms, but messages
	for _, kind := range []string{"aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"} {
		for _, raw := range template.Resource[kind] {
			var a alarm
			if err := json.Unmarshal(raw, &a); err != nil {
				t.Fatal(err)
			}
			used[runbookInText.FindString(a.Description)] = true
		}
	}
	files, err := os.ReadDir("../docs/runbooks")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?m)^## (.+)$`)
	for _, file := range files {
		text, err := os.ReadFile("../docs/runbooks/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range section.FindAllStringSubmatch(string(text), -1) {
			if !used["docs/runbooks/"+file.Name()+"#"+found[1]] {
				t.Errorf("%s#%s belongs to no alarm", file.Name(), found[1])
			}
		}
	}
}

func TestTopics(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newTopics(t, scope).Page.AllowPublish("budgets.amazonaws.com", "arn:aws:budgets::123456789012:*")
		return nil
	})
	t.Run("are encrypted with the customer's key", func(t *testing.T) {
		for _, name := range []string{"page", "ticket"} {
			got := synth.Get[struct {
				Name string
				Key  string `json:"kms_master_key_id"`
			}](t, template.Resource, "aws_sns_topic", "topics_"+name+"_this")
			if got.Name != "test-"+name || !strings.HasPrefix(got.Key, "${aws_kms_key.key_this") {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("take messages of the account's own alarms, and over TLS alone", func(t *testing.T) {
		got := synth.Get[struct{ Policy string }](t, template.Resource, "aws_sns_topic_policy", "topics_ticket_policy")
		s := decodePolicy(t, got.Policy).Statement
		if len(s) != 2 || s[0].Effect != "Deny" || s[0].Condition["Bool"]["aws:SecureTransport"] != "false" {
			t.Fatalf("got %+v", s)
		}
		if !reflect.DeepEqual(s[1].Principal, map[string]any{"Service": "cloudwatch.amazonaws.com"}) || s[1].Action != "sns:Publish" ||
			s[1].Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:test-*" ||
			s[1].Condition["StringEquals"]["aws:SourceAccount"] != "123456789012" {
			t.Errorf("got %+v", s[1])
		}
	})
	t.Run("let a further service in by topic and key", func(t *testing.T) {
		got := synth.Get[struct{ Policy string }](t, template.Resource, "aws_sns_topic_policy", "topics_page_policy")
		s := decodePolicy(t, got.Policy).Statement
		if len(s) != 3 || s[2].Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:budgets::123456789012:*" {
			t.Fatalf("got %+v", s)
		}
		key := synth.Get[struct{ Policy string }](t, template.Resource, "aws_kms_key", "key_this")
		var services []any
		for _, s := range decodePolicy(t, key.Policy).Statement[1:] {
			services = append(services, s.Principal.(map[string]any)["Service"])
			if !reflect.DeepEqual(s.Action, []any{"kms:GenerateDataKey", "kms:Decrypt"}) {
				t.Errorf("got %v", s.Action)
			}
		}
		if !reflect.DeepEqual(services, []any{"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}) {
			t.Errorf("got %v", services)
		}
	})
	t.Run("tell their subscribers", func(t *testing.T) {
		type subscription struct{ Protocol, Endpoint string }
		got := synth.Get[subscription](t, template.Resource, "aws_sns_topic_subscription", "topics_page_https")
		if want := (subscription{"https", "https://pager.example/1"}); got != want {
			t.Errorf("got %+v", got)
		}
		if n := len(template.Resource["aws_sns_topic_subscription"]); n != 2 {
			t.Errorf("got %d subscriptions, want a pager and a mailbox", n)
		}
	})
}

func TestWatched(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error { watchAll(t, scope); return nil })

	t.Run("the ledger pages for a residue, for gaps, and where it says nothing", func(t *testing.T) {
		for name, metric := range map[string]string{"ledger_residue": "Residue", "ledger_frame_gaps": "FrameGaps", "ledger_unreceipted": "Unreceipted"} {
			got := getAlarm(t, template, name)
			if got.Namespace != "Shopstream" || got.Metric != metric || got.Comparison != "GreaterThanThreshold" || got.Threshold != 0 ||
				got.Missing != "breaching" || got.Dimensions["Pipeline"] != "test" || !got.tells(pager) {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("an error budget that burns fast pages, over a long and a short window", func(t *testing.T) {
		for _, id := range []string{"front", "api"} {
			got := getAlarm(t, template, id+"_bad_answers_fast")
			rule := regexp.MustCompile(`^ALARM\(\$\{aws_cloudwatch_metric_alarm\.watch_` + id + `_bad_answers_5m_this_\w+\.alarm_name\}\) AND ALARM\(\$\{aws_cloudwatch_metric_alarm\.watch_` + id + `_bad_answers_60m_this_\w+\.alarm_name\}\)$`)
			if !rule.MatchString(got.Rule) || !got.tells(pager) {
				t.Errorf("got %+v", got)
			}
			if slow := getAlarm(t, template, id+"_bad_answers_slow"); !slow.tells(ticket) {
				t.Errorf("got %+v, want a ticket", slow)
			}
			for name, want := range map[string]struct {
				period    int
				threshold float64
			}{"5m": {300, 0.72}, "60m": {3600, 0.72}, "30m": {1800, 0.3}, "360m": {21600, 0.3}} {
				window := getAlarm(t, template, id+"_bad_answers_"+name)
				if window.Queries[0].Metric.Period != want.period || window.Threshold-want.threshold > 1e-9 || want.threshold-window.Threshold > 1e-9 || window.Actions != nil {
					t.Errorf("%s: got %+v", name, window)
				}
			}
		}
	})
	t.Run("bad answers are those of targets, and those without one", func(t *testing.T) {
		got := getAlarm(t, template, "front_bad_answers_5m")
		var metrics []string
		for _, q := range got.Queries[:3] {
			metrics = append(metrics, q.Metric.Name)
		}
		last := got.Queries[3]
		if want := []string{"HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "RequestCount"}; !reflect.DeepEqual(metrics, want) {
			t.Errorf("got %v, want %v", metrics, want)
		}
		if want := "IF((FILL(m3, 0) + FILL(m2, 0)) >= 100, 100 * (FILL(m1, 0) + FILL(m2, 0)) / ((FILL(m3, 0) + FILL(m2, 0))), 0)"; last.Expression != want || !last.Returns || got.Queries[0].Returns {
			t.Errorf("got %+v, want %s", last, want)
		}
	})
	t.Run("the 99th percentile is held to 150 ms, where there are enough samples", func(t *testing.T) {
		got := getAlarm(t, template, "front_slow")
		if got.Metric != "TargetResponseTime" || got.Percentile != "p99" || got.FewSamples != "ignore" || got.Threshold != 0.15 || got.Statistic != "" {
			t.Errorf("got %+v", got)
		}
		if api := getAlarm(t, template, "api_slow"); api.Threshold != 150 || api.Metric != "IntegrationLatency" {
			t.Errorf("got %+v", api)
		}
	})
	t.Run("events reach the raw zone in five minutes, all lags added", func(t *testing.T) {
		got := getAlarm(t, template, "raw_late")
		if got.Threshold != 300 || !got.tells(pager) || got.Queries[3].Expression != "FILL(m1, 0) + FILL(m2, 0) / 1000 + FILL(m3, 0) / 1000" || got.Queries[2].Metric.Name != "IteratorAge" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("tables are ready in 75 minutes, and silence is a delay", func(t *testing.T) {
		got := getAlarm(t, template, "tables_stage_late")
		if got.Threshold != 4500 || got.Metric != "DelaySeconds" || got.Missing != "breaching" || got.Dimensions["Stage"] != "tables" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a reader at a quarter of the retention pages", func(t *testing.T) {
		got := getAlarm(t, template, "gateway_records_expiring")
		if got.Threshold != 6*3600*1000 || got.Metric != "GetRecords.IteratorAgeMilliseconds" || !got.tells(pager) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("where a heart beats, silence pages", func(t *testing.T) {
		for _, name := range []string{"gateway_silent", "raw_silent"} {
			got := getAlarm(t, template, name)
			if got.Comparison != "LessThanThreshold" || got.Threshold != 1 || got.Missing != "breaching" || !got.tells(pager) {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("what comes in is held to a band that CloudWatch learned", func(t *testing.T) {
		got := getAlarm(t, template, "gateway_unusual")
		if got.Band != "band" || got.Comparison != "LessThanLowerOrGreaterThanUpperThreshold" || len(got.Queries) != 2 ||
			!got.Queries[0].Returns || got.Queries[1].Expression != "ANOMALY_DETECTION_BAND(m1, 4)" || !got.Queries[1].Returns {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a function's failed calls, and a record that found no place", func(t *testing.T) {
		if got := getAlarm(t, template, "preprocess_errors"); got.Queries[2].Expression != "100 * m1 / m2" || got.Threshold != 1 || !got.tells(ticket) {
			t.Errorf("got %+v", got)
		}
		if got := getAlarm(t, template, "preprocess_failures_lost"); got.Metric != "DestinationDeliveryFailures" || !got.tells(pager) {
			t.Errorf("got %+v", got)
		}
		if got := getAlarm(t, template, "preprocess_slow"); got.Threshold != 48_000 {
			t.Errorf("got %v milliseconds, want four fifths of a minute", got.Threshold)
		}
	})
	t.Run("a dead letter tells, and one that is soon forgotten pages", func(t *testing.T) {
		if got := getAlarm(t, template, "failures_dead_letters"); got.Dimensions["QueueName"] != "failures-dlq" || got.Threshold != 0 || !got.tells(ticket) {
			t.Errorf("got %+v", got)
		}
		if got := getAlarm(t, template, "failures_expiring"); got.Threshold != 72*3600 || !got.tells(pager) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a service with too few tasks pages, also where nobody counts them", func(t *testing.T) {
		if got := getAlarm(t, template, "collector_too_few_tasks"); got.Threshold != 2 || got.Missing != "breaching" || !got.tells(pager) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("lines of level ERROR become a metric that an alarm watches", func(t *testing.T) {
		filter := synth.Get[struct {
			Name, Pattern  string
			Group          string                                  `json:"log_group_name"`
			Transformation struct{ Namespace, Name, Value string } `json:"metric_transformation"`
		}](t, template.Resource, "aws_cloudwatch_log_metric_filter", "watch_collector_log_errors")
		got := getAlarm(t, template, "collector_log_error_lines")
		if filter.Pattern != `{ $.level = "ERROR" }` || filter.Group != "/collector" || filter.Transformation.Value != "1" || filter.Transformation.Name != filter.Name ||
			!strings.HasPrefix(got.Metric, "${aws_cloudwatch_log_metric_filter.watch_collector_log_errors") || !strings.HasSuffix(got.Metric, ".name}") || got.Namespace != filter.Transformation.Namespace {
			t.Errorf("got %+v and %+v", filter, got)
		}
	})
	t.Run("a bucket's requests are counted before an alarm watches them", func(t *testing.T) {
		got := getAlarm(t, template, "quarantine_refused")
		if !strings.HasPrefix(got.Dimensions["FilterId"], "${aws_s3_bucket_metric.watch_quarantine_requests") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("two nights without a backup tell", func(t *testing.T) {
		if got := getAlarm(t, template, "backup_missing"); got.Missing != "breaching" || got.Period*got.Periods != 2*86400 || got.Threshold != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestADashboardDrawsWhatTheAlarmsWatch(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error { watchAll(t, scope); return nil })
	got := synth.Get[struct {
		Name string `json:"dashboard_name"`
		Body string `json:"dashboard_body"`
	}](t, template.Resource, "aws_cloudwatch_dashboard", "watch_dashboard")
	var body struct {
		Widgets []struct {
			Type       string
			Properties struct {
				Alarms      []string
				Region      string
				Metrics     [][]any
				Annotations struct {
					Horizontal []struct {
						Label string
						Value float64
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		t.Fatal(err)
	}
	metricAlarms, composites := len(template.Resource["aws_cloudwatch_metric_alarm"]), len(template.Resource["aws_cloudwatch_composite_alarm"])
	t.Run("it has the states of all alarms and a graph for each metric alarm", func(t *testing.T) {
		first := body.Widgets[0]
		if got.Name != "test-all" || first.Type != "alarm" || len(first.Properties.Alarms) != metricAlarms+composites || len(body.Widgets) != 1+metricAlarms {
			t.Errorf("got %s with %d states and %d widgets, want %d and %d", got.Name, len(first.Properties.Alarms), len(body.Widgets), metricAlarms+composites, 1+metricAlarms)
		}
		if want := "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:test-api-bad-answers-5m"; first.Properties.Alarms[0] != want {
			t.Errorf("got %s, want %s", first.Properties.Alarms[0], want)
		}
	})
	t.Run("a graph has the alarm's metric and its threshold as a line", func(t *testing.T) {
		for _, w := range body.Widgets[1:] {
			lines := w.Properties.Annotations.Horizontal
			if len(lines) == 0 || lines[0].Label != "test-front-slow" {
				continue
			}
			want := []any{"AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", "app/front/1",
				map[string]any{"id": "m1", "label": "99th percentile, seconds", "period": 300.0, "stat": "p99"}}
			if lines[0].Value != 0.15 || !reflect.DeepEqual(w.Properties.Metrics[0], want) || w.Properties.Region != "eu-west-1" {
				t.Errorf("got %+v", w)
			}
			return
		}
		t.Error("no graph of test-front-slow")
	})
}

func TestRollbackAlarmsAreNamesThatADeploymentWaitsFor(t *testing.T) {
	synth.Stack(t, func(scope cdktf.TerraformStack) error {
		rollback, err := newTier(t, scope).WatchLoadBalancer("front", observe.LoadBalancerProps{Dimension: jsii.String("app/front/1")})
		if len(rollback) != 1 || !*cdktf.Token_IsUnresolved(rollback[0]) {
			t.Errorf("got %d names, want the token of one", len(rollback))
		}
		return err
	})
}

func TestHeartbeat(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error { newHeartbeat(t, scope); return nil })
	t.Run("beats once a minute and tries none again", func(t *testing.T) {
		got := synth.Get[struct {
			Expression string `json:"schedule_expression"`
			Group      string `json:"group_name"`
			Target     struct {
				ARN   string
				Role  string `json:"role_arn"`
				Retry struct {
					Attempts *int `json:"maximum_retry_attempts"`
				} `json:"retry_policy"`
			}
		}](t, template.Resource, "aws_scheduler_schedule", "heartbeat_this")
		if got.Expression != "rate(1 minute)" || *got.Target.Retry.Attempts != 0 || got.Target.ARN != *(sender{}).ARN() || !strings.HasPrefix(got.Group, "${aws_scheduler_schedule_group.heartbeat_group") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("may call its sender alone", func(t *testing.T) {
		want := []synth.Grant{{Actions: []string{"lambda:InvokeFunction"}, Resource: *(sender{}).ARN()}}
		if got := synth.Grants(t, template.Resource, "heartbeat_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func newBudget(t *testing.T, change func(*observe.BudgetProps)) synth.Template {
	t.Helper()
	return synth.Stack(t, func(scope cdktf.TerraformStack) error {
		props := observe.BudgetProps{Name: "test-budget", Account: testAccount, MonthlyUSD: 3000, Topic: newTopics(t, scope).Ticket}
		change(&props)
		return observe.NewBudget(scope, "budget", props)
	})
}

func TestBudget(t *testing.T) {
	type budget struct {
		Limit  string `json:"limit_amount"`
		Unit   string `json:"time_unit"`
		Filter []struct {
			Name   string
			Values []string
		} `json:"cost_filter"`
		Notification []struct {
			Type      string   `json:"notification_type"`
			Threshold float64  `json:"threshold"`
			Topics    []string `json:"subscriber_sns_topic_arns"`
		}
	}
	t.Run("tells what is spent, what will be, and a surge on one day", func(t *testing.T) {
		template := newBudget(t, func(*observe.BudgetProps) {})
		monthly := synth.Get[budget](t, template.Resource, "aws_budgets_budget", "budget_monthly")
		daily := synth.Get[budget](t, template.Resource, "aws_budgets_budget", "budget_daily")
		if monthly.Limit != "3000.0" || daily.Limit != "300.0" || daily.Unit != "DAILY" || len(monthly.Notification) != 3 || len(daily.Notification) != 1 {
			t.Fatalf("got %+v and %+v", monthly, daily)
		}
		if n := monthly.Notification[2]; n.Type != "FORECASTED" || n.Threshold != 100 || !strings.HasPrefix(n.Topics[0], ticket) {
			t.Errorf("got %+v", n)
		}
		if monthly.Filter != nil {
			t.Errorf("got %v, want all costs of the account", monthly.Filter)
		}
	})
	t.Run("may publish for the account's budgets", func(t *testing.T) {
		template := newBudget(t, func(*observe.BudgetProps) {})
		policy := synth.Get[struct{ Policy string }](t, template.Resource, "aws_sns_topic_policy", "topics_ticket_policy").Policy
		s := decodePolicy(t, policy).Statement[2]
		if !reflect.DeepEqual(s.Principal, map[string]any{"Service": "budgets.amazonaws.com"}) || s.Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:budgets::123456789012:*" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("counts one environment of several in an account", func(t *testing.T) {
		template := newBudget(t, func(p *observe.BudgetProps) { p.Environment = "dev" })
		got := synth.Get[budget](t, template.Resource, "aws_budgets_budget", "budget_monthly").Filter
		if len(got) != 1 || got[0].Name != "TagKeyValue" || !reflect.DeepEqual(got[0].Values, []string{"user:environment$dev"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("does nothing unless roles are named", func(t *testing.T) {
		template := newBudget(t, func(*observe.BudgetProps) {})
		if n := len(template.Resource["aws_budgets_budget_action"]) + len(template.Resource["aws_iam_role"]); n != 0 {
			t.Errorf("got %d actions and roles", n)
		}
	})
	t.Run("puts its one policy on the named roles and can do no more", func(t *testing.T) {
		template := newBudget(t, func(p *observe.BudgetProps) { p.DenyRoles = []string{"dev-apply"} })
		action := synth.Get[struct {
			Approval   string `json:"approval_model"`
			Type       string `json:"action_type"`
			Definition struct {
				IAM struct{ Roles []string } `json:"iam_action_definition"`
			}
		}](t, template.Resource, "aws_budgets_budget_action", "budget_act")
		if action.Approval != "AUTOMATIC" || action.Type != "APPLY_IAM_POLICY" || !reflect.DeepEqual(action.Definition.IAM.Roles, []string{"dev-apply"}) {
			t.Errorf("got %+v", action)
		}
		actor := decodePolicy(t, synth.Get[struct{ Policy string }](t, template.Resource, "aws_iam_role_policy", "budget_actor_policy").Policy).Statement
		if len(actor) != 1 || !reflect.DeepEqual(actor[0].Action, []any{"iam:AttachRolePolicy", "iam:DetachRolePolicy"}) ||
			!reflect.DeepEqual(actor[0].Resource, []any{"arn:aws:iam::123456789012:role/dev-apply"}) ||
			actor[0].Condition["ArnEquals"]["iam:PolicyARN"] != "arn:aws:iam::123456789012:policy/test-budget-deny" {
			t.Errorf("got %+v", actor)
		}
		deny := decodePolicy(t, synth.Get[struct{ Policy string }](t, template.Resource, "aws_iam_policy", "budget_deny").Policy).Statement
		if len(deny) != 1 || deny[0].Effect != "Deny" || !slices.Contains(deny[0].Action.([]any), any("kinesis:UpdateShardCount")) {
			t.Errorf("got %+v", deny)
		}
	})
}

func backupOf(t *testing.T, change func(*observe.BackupProps)) synth.Template {
	t.Helper()
	return synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newBackup(t, scope, newTopics(t, scope).Ticket, change)
		return nil
	})
}

func TestBackup(t *testing.T) {
	type vault struct {
		Key       string `json:"kms_key_arn"`
		Force     bool   `json:"force_destroy"`
		Provider  string
		Lifecycle struct {
			Prevent bool `json:"prevent_destroy"`
		}
	}
	type lock struct {
		Days      int  `json:"min_retention_days"`
		Grace     *int `json:"changeable_for_days"`
		Provider  string
		VaultName string `json:"backup_vault_name"`
	}
	template := backupOf(t, nil)

	t.Run("keeps two vaults, each encrypted in its region and not to be destroyed", func(t *testing.T) {
		here := synth.Get[vault](t, template.Resource, "aws_backup_vault", "backup_vault")
		there := synth.Get[vault](t, template.Resource, "aws_backup_vault", "backup_replica")
		if !strings.HasPrefix(here.Key, "${aws_kms_key.backup_key_this") || here.Force || !here.Lifecycle.Prevent || here.Provider != "" {
			t.Errorf("got %+v", here)
		}
		if !strings.HasPrefix(there.Key, "${aws_kms_key.replica_key_this") || !there.Lifecycle.Prevent || there.Provider != "aws.replica" {
			t.Errorf("got %+v", there)
		}
	})
	t.Run("locks what it holds for its whole time, in both", func(t *testing.T) {
		for name, provider := range map[string]string{"backup_lock": "", "backup_replica_lock": "aws.replica"} {
			if got := synth.Get[lock](t, template.Resource, "aws_backup_vault_lock_configuration", name); got.Days != 35 || got.Grace != nil || got.Provider != provider {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("locks for ever by value", func(t *testing.T) {
		template := backupOf(t, func(p *observe.BackupProps) { p.IrrevocableAfter = 7 })
		if got := synth.Get[lock](t, template.Resource, "aws_backup_vault_lock_configuration", "backup_lock"); got.Grace == nil || *got.Grace != 7 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("lets go where backups may be deleted", func(t *testing.T) {
		template := backupOf(t, func(p *observe.BackupProps) { p.Protect, p.DeleteBackups = false, true })
		if got := synth.Get[vault](t, template.Resource, "aws_backup_vault", "backup_vault"); !got.Force || got.Lifecycle.Prevent {
			t.Errorf("got %+v", got)
		}
		if n := len(template.Resource["aws_backup_vault_lock_configuration"]); n != 0 {
			t.Errorf("got %d locks", n)
		}
	})
	t.Run("saves daily for 35 days and copies that to the other region", func(t *testing.T) {
		type lifecycle struct {
			Days int `json:"delete_after"`
		}
		got := synth.Get[struct {
			Rule []struct {
				Schedule  string
				Lifecycle lifecycle
				Copy      []struct {
					Vault     string `json:"destination_vault_arn"`
					Lifecycle lifecycle
				} `json:"copy_action"`
			}
		}](t, template.Resource, "aws_backup_plan", "backup_plan").Rule
		if len(got) != 1 || got[0].Schedule != "cron(0 2 * * ? *)" || got[0].Lifecycle.Days != 35 || len(got[0].Copy) != 1 ||
			got[0].Copy[0].Lifecycle.Days != 35 || !strings.HasPrefix(got[0].Copy[0].Vault, "${aws_backup_vault.backup_replica") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("selects the tables and the buckets", func(t *testing.T) {
		got := synth.Get[struct{ Resources []string }](t, template.Resource, "aws_backup_selection", "backup_selection").Resources
		if want := []string{"arn:aws:dynamodb:eu-west-1:123456789012:table/shops", "arn:aws:s3:::raw"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("saves with these grants alone", func(t *testing.T) {
		vaultKey := []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"}
		want := []synth.Grant{
			{Actions: []string{"dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:StartAwsBackupJob"}, Resource: "arn:aws:dynamodb:eu-west-1:123456789012:table/shops"},
			{Actions: []string{"s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketNotification", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetInventoryConfiguration", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketNotification", "s3:PutInventoryConfiguration"}, Resource: "arn:aws:s3:::raw"},
			{Actions: []string{"s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"}, Resource: "arn:aws:s3:::raw/*"},
			{Actions: []string{"events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:EnableRule", "events:ListTargetsByRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets"}, Resource: "arn:aws:events:eu-west-1:123456789012:rule/AwsBackupManagedRule*"},
			{Actions: []string{"cloudwatch:GetMetricData"}, Resource: "*"},
			{Actions: []string{"backup:DescribeBackupVault"}, Resource: "${aws_backup_vault.backup_vault.arn}"},
			{Actions: []string{"kms:Decrypt", "kms:DescribeKey"}, Resource: "${aws_kms_key.source_key_this.arn}"},
			{Actions: vaultKey, Resource: "${aws_kms_key.backup_key_this.arn}"},
			{Actions: []string{"backup:CopyFromBackupVault"}, Resource: "*"},
			{Actions: []string{"backup:CopyIntoBackupVault", "backup:DescribeBackupVault"}, Resource: "${aws_backup_vault.backup_replica.arn}"},
			{Actions: vaultKey, Resource: "${aws_kms_key.replica_key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "backup_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
	t.Run("restores a table beside the saved one, never over it", func(t *testing.T) {
		for _, grant := range synth.Grants(t, template.Resource, "backup_restore_role_policy") {
			if strings.HasPrefix(grant.Actions[0], "dynamodb:") && grant.Resource != "arn:aws:dynamodb:eu-west-1:123456789012:table/shops-restored*" {
				t.Errorf("got %+v", grant)
			}
			if slices.ContainsFunc(grant.Actions, func(a string) bool { return strings.HasPrefix(a, "s3:Delete") }) {
				t.Errorf("got %+v, want no deletion of objects", grant)
			}
		}
	})
	t.Run("tells of failed copies", func(t *testing.T) {
		got := synth.Get[struct {
			Events []string `json:"backup_vault_events"`
			Topic  string   `json:"sns_topic_arn"`
		}](t, template.Resource, "aws_backup_vault_notifications", "backup_notifications")
		if !slices.Contains(got.Events, "COPY_JOB_FAILED") || !strings.HasPrefix(got.Topic, ticket) {
			t.Errorf("got %+v", got)
		}
		key := decodePolicy(t, synth.Get[struct{ Policy string }](t, template.Resource, "aws_kms_key", "key_this").Policy).Statement
		last := key[len(key)-1]
		if !reflect.DeepEqual(last.Principal, map[string]any{"Service": "backup.amazonaws.com"}) ||
			last.Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:backup:eu-west-1:123456789012:backup-vault:test-backup" {
			t.Errorf("got %+v", last)
		}
	})
}

func TestObservePropsTellAllProblemsAtOnce(t *testing.T) {
	synth.Stack(t, func(scope cdktf.TerraformStack) error {
		tier := newTier(t, scope)
		replica := provider.NewAwsProvider(scope, jsii.String("replica"), &provider.AwsProviderConfig{Alias: jsii.String("replica")})
		_, noTopics := observe.NewTopics(scope, "x", observe.TopicsProps{})
		_, noTier := observe.NewTier(scope, "x", observe.TierProps{Name: "No"})
		_, noAlarm := tier.Alarm("x", observe.AlarmProps{
			Runbook: "docs/runbooks/x.md#x", Signal: observe.Signal{Seconds: 90, Metrics: []observe.Metric{{Stat: "p999"}, {}}},
			Comparison: "Near", Periods: 2000, Datapoints: 2001, Missing: "gone",
		})
		_, noRunbook := tier.Alarm("X", observe.AlarmProps{Name: "A b", Runbook: "wiki"})
		_, noBand := tier.Alarm("x", observe.AlarmProps{Says: "x", Runbook: "docs/runbooks/x.md#x", Comparison: observe.OffBand, Missing: observe.MissingIsGood,
			Signal: observe.Signal{Label: "x", Expression: "m1", Metrics: []observe.Metric{{Namespace: "x", Name: "x", Stat: "Sum"}}}})
		_, noComposite := tier.Composite("x", observe.CompositeProps{Runbook: "docs/runbooks/x.md#x"})
		_, noHeartbeat := observe.NewHeartbeat(scope, "x", observe.HeartbeatProps{})
		_, noBackup := observe.NewBackup(scope, "x", observe.BackupProps{
			RetentionDays: 3, IrrevocableAfter: 2, Protect: true, DeleteBackups: true, Replica: replica,
		})
		noAPI := tier.WatchAPI("x", observe.APIProps{})
		_, noBalancer := tier.WatchLoadBalancer("x", observe.LoadBalancerProps{})
		for _, c := range []struct {
			err  error
			want []string
		}{
			{noTopics, []string{`topics "x"`, "Prefix is required", "Account.ID is required", "Account.Region is required", "Key is required"}},
			{noTier, []string{`watched tier "x"`, "Name must be", "Topics is required"}},
			{noAlarm, []string{`watch "x"`, "Says is required", "Label is required", "Seconds must be a multiple of 60, got 90", "Expression is required where there are several", `Stat must be Sum`, `got "p999"`, "Namespace is required", `Comparison must be one of`, "Periods must be 1 to 1440, got 2000", "Datapoints must be 1 to 2000, got 2001", "Periods × Seconds must be at most 86400 seconds, got 180000", `Missing must be one of`}},
			{noRunbook, []string{"id must be", "Runbook must be docs/runbooks/PAGE.md#SECTION", "Name must be 1 to 40"}},
			{noBand, []string{"Threshold of a band must be above 0", "Expression must be empty where a band is learned"}},
			{noComposite, []string{"Says is required", "Topic is required", "number of All must be 2 to 100, got 0"}},
			{noHeartbeat, []string{`heartbeat "x"`, "Name is required", "Sender is required"}},
			{observe.NewBudget(scope, "x", observe.BudgetProps{}), []string{`budget "x"`, "Name is required", "Account.ID is required", "MonthlyUSD must be 1 to", "Topic is required"}},
			{noBackup, []string{`backup "x"`, "Name is required", "Key is required", "Topic is required", "Tables or Buckets is required", "Sources is required", "RetentionDays must be 7 to 3650, got 3", "IrrevocableAfter must be 3 to 36500, got 2", "DeleteBackups must be false where Protect is true", "DeleteBackups must be false where IrrevocableAfter is set", "ReplicaRegion is required", "ReplicaKey is required"}},
			{noAPI, []string{"Name is required", "Stage is required"}},
			{noBalancer, []string{"Dimension is required"}},
			{tier.WatchFirewall("x", observe.FirewallProps{}), []string{"WebACL is required"}},
			{tier.WatchService("x", observe.ServiceProps{MinTasks: 3, MaxTasks: 2}), []string{"Cluster is required", "Name is required", "MaxTasks must be 3 to 1000, got 2"}},
			{tier.WatchStream("x", observe.StreamProps{RetentionHours: 1}), []string{"Name is required", "RetentionHours must be 24 to 8760, got 1"}},
			{tier.WatchFunction("x", observe.FunctionProps{BehindSeconds: -1}), []string{"Name is required", "TimeoutSeconds must be 1 to 900, got 0", "BehindSeconds must be 0 to 604800, got -1"}},
			{tier.WatchQueue("x", observe.QueueProps{WaitingSeconds: 1, RetentionHours: 400}), []string{"Name is required", "DeadLetters is required", "WaitingSeconds must be 60 to", "RetentionHours must be 1 to 336, got 400"}},
			{tier.WatchDelivery("x", observe.DeliveryProps{WithinSeconds: 1}), []string{"Name is required", "WithinSeconds must be 60 to 86400, got 1"}},
			{tier.WatchTable("x", observe.TableProps{}), []string{"Name is required"}},
			{tier.WatchBucket("x", observe.BucketProps{}), []string{"Bucket is required"}},
			{tier.WatchLog("x", observe.LogProps{Lines: -1}), []string{"Group is required", "Lines must be 1 to 100000, got -1"}},
			{tier.WatchLedger("x", nil), []string{"pipeline is required"}},
			{tier.WatchDelay("x", observe.DelayProps{EverySeconds: 1}), []string{"Pipeline is required", "Stage is required", "WithinSeconds must be above 0", "EverySeconds must be 60 to 43200, got 1"}},
			{tier.WatchHeartbeat("x", nil), []string{"heartbeat is required"}},
			{tier.WatchBackup("x", nil), []string{"backup is required"}},
		} {
			for _, want := range c.want {
				if c.err == nil || !strings.Contains(c.err.Error(), want) {
					t.Errorf("got %v, want %q in it", c.err, want)
				}
			}
		}
		return nil
	})
}
