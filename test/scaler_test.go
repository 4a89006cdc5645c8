package test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

// scalerStack is a Scaler of two streams, one of which is watched.
func scalerStack(t *testing.T, change func(*stream.ScalerProps)) (synth.Template, error) {
	t.Helper()
	code, err := asset.Fixture(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var refused error
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		tier := newTier(t, scope)
		key, err := security.NewKey(scope, "events_key", security.KeyProps{Alias: "events", Description: "events", Account: testAccount})
		if err != nil {
			return err
		}
		newStream := func(name string, shards int, protect bool) *stream.Stream {
			s, err := stream.New(scope, name, stream.Props{Name: name, Key: key, Shards: shards, Protect: protect})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		log, err := security.NewLogGroup(scope, "log", security.LogGroupProps{Name: "/aws/lambda/scaler", Key: key, RetentionDays: 1})
		if err != nil {
			return err
		}
		p := stream.ScalerProps{Name: "scaler", Code: code, Key: key, LogGroup: log, Topic: tier.Topics.Ticket, Streams: []stream.Scaled{
			{Stream: newStream("gateway", 3, true), Max: 12}, {Stream: newStream("events", 9, false), Min: 2, Max: 36},
		}}
		if change != nil {
			p.Streams = append(p.Streams, stream.Scaled{Stream: newStream("demand", 0, false), Max: 8})
			change(&p)
		}
		scaler, err := stream.NewScaler(scope, "scaler", p)
		if refused = err; err != nil {
			return nil
		}
		return tier.WatchShards("gateway", observe.ShardsProps{Stream: p.Streams[0].Stream.Name(), Scaler: scaler})
	})
	return template, refused
}

func TestScaler(t *testing.T) {
	template, err := scalerStack(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("may look at its streams and change their shards, and no more", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "${aws_cloudwatch_log_group.log_this.arn}:*"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.events_key_this.arn}"},
			{Actions: []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, Resource: "*"},
			{Actions: []string{"kinesis:DescribeStreamSummary"}, Resource: "${aws_kinesis_stream.gateway_this.arn}"},
			{Actions: []string{"kinesis:DescribeStreamSummary"}, Resource: "${aws_kinesis_stream.events_this.arn}"},
			{Actions: []string{"cloudwatch:GetMetricData", "kinesis:UpdateShardCount"}, Resource: "*"}, // these know no resources
			{Actions: []string{"sns:Publish"}, Resource: "${aws_sns_topic.topics_ticket_this.arn}"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "scaler_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%v\nwant\n%v", got, want)
		}
	})
	t.Run("owns the shard counts, which later plans leave alone", func(t *testing.T) {
		for name, protect := range map[string]bool{"gateway": true, "events": false} {
			got := synth.Get[kinesisStream](t, template.Resource, "aws_kinesis_stream", name+"_this")
			if !reflect.DeepEqual(got.Lifecycle.IgnoreChanges, []string{"shard_count"}) || got.Lifecycle.PreventDestroy != protect {
				t.Errorf("%s: got %+v", name, got.Lifecycle)
			}
		}
	})
	t.Run("knows its streams with their bounds, and runs once at a time", func(t *testing.T) {
		got := synth.Get[struct {
			Environment struct{ Variables map[string]string }
			Concurrency int `json:"reserved_concurrent_executions"`
		}](t, template.Resource, "aws_lambda_function", "scaler_this")
		var targets []struct {
			Stream   string
			Min, Max int
		}
		if err := json.Unmarshal([]byte(got.Environment.Variables["STREAMS"]), &targets); err != nil {
			t.Fatal(err)
		}
		if len(targets) != 2 || targets[0].Min != 1 || targets[0].Max != 12 || targets[1].Min != 2 || targets[1].Max != 36 ||
			!strings.HasPrefix(targets[1].Stream, "${aws_kinesis_stream.events_this") || got.Concurrency != 1 {
			t.Errorf("got %+v and %d executions", targets, got.Concurrency)
		}
	})
	t.Run("is called every minute by a role that may call it alone, and each call once", func(t *testing.T) {
		got := synth.Get[struct {
			Expression string `json:"schedule_expression"`
			Target     struct {
				ARN   string
				Role  string `json:"role_arn"`
				Retry struct {
					Attempts *int `json:"maximum_retry_attempts"`
				} `json:"retry_policy"`
			}
		}](t, template.Resource, "aws_scheduler_schedule", "scaler_schedule")
		if got.Expression != "rate(1 minute)" || *got.Target.Retry.Attempts != 0 ||
			!strings.HasPrefix(got.Target.ARN, "${aws_lambda_alias.scaler_live") || !strings.HasPrefix(got.Target.Role, "${aws_iam_role.scaler_schedule_role_this") {
			t.Errorf("got %+v", got)
		}
		want := []synth.Grant{{Actions: []string{"lambda:InvokeFunction"}, Resource: "${aws_lambda_alias.scaler_live.arn}"}}
		if got := synth.Grants(t, template.Resource, "scaler_schedule_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		wantOnce(t, template, "scaler")
	})
	t.Run("is called by its streams' alarms, and by no others", func(t *testing.T) {
		got := synth.Get[struct {
			Action, Principal, Qualifier string
			Source                       string `json:"source_arn"`
		}](t, template.Resource, "aws_lambda_permission", "scaler_gateway_alarm")
		filling := getAlarm(t, template, "gateway_filling_up")
		if got.Action != "lambda:InvokeFunction" || got.Principal != "lambda.alarms.cloudwatch.amazonaws.com" ||
			!strings.HasPrefix(got.Qualifier, "${aws_lambda_alias.scaler_live") || got.Source != "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"+filling.Name {
			t.Errorf("got %+v for %s", got, filling.Name)
		}
		if len(filling.Actions) != 1 || !strings.HasPrefix(filling.Actions[0], "${aws_lambda_alias.scaler_live") || filling.Over != nil {
			t.Errorf("got %v and %v, want that it calls the scaler", filling.Actions, filling.Over)
		}
	})
}

func wantOnce(t *testing.T, template synth.Template, name string) {
	t.Helper()
	got := synth.Get[struct {
		Attempts  *int `json:"maximum_retry_attempts"`
		Seconds   int  `json:"maximum_event_age_in_seconds"`
		Qualifier string
	}](t, template.Resource, "aws_lambda_function_event_invoke_config", name+"_once")
	if got.Attempts == nil || *got.Attempts != 0 || got.Seconds != 60 || !strings.HasPrefix(got.Qualifier, "${aws_lambda_alias."+name+"_live") {
		t.Errorf("got %+v, want one call of the alias", got)
	}
}

func TestScalerReportsEveryBadProp(t *testing.T) {
	_, err := scalerStack(t, func(p *stream.ScalerProps) {
		p.Name, p.Topic = strings.Repeat("x", 56), nil
		p.Streams[1].Min = 37
	})
	want := `scaler "scaler": length of Name must be 1 to 55, got 56
Topic is required
stream 1 of Streams: Min must be 1 to 36, got 37
stream 2 of Streams: Stream must have shards: one on demand scales by itself`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestShardsAreWatched(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error { watchAll(t, scope); return nil })
	t.Run("at what is planned for they call the scaler, and where nobody counts them, too", func(t *testing.T) {
		got := getAlarm(t, template, "gateway_filling_up")
		if got.Threshold != 70 || got.Comparison != "GreaterThanThreshold" || got.Periods != 1 || got.Missing != "breaching" ||
			got.Queries[3].Expression != "100 * MAX([FILL(m1, 0) / 60000000, FILL(m2, 0) / 60000]) / m3" {
			t.Errorf("got %+v", got)
		}
		var metrics []string
		for _, q := range got.Queries[:3] {
			metrics = append(metrics, q.Metric.Name)
		}
		if want := []string{"IncomingBytes", "IncomingRecords", "OpenShards"}; !slices.Equal(metrics, want) {
			t.Errorf("got %v, want %v", metrics, want)
		}
	})
	t.Run("they page when more are needed and none come, and when the scaler is silent", func(t *testing.T) {
		got := getAlarm(t, template, "gateway_not_scaled")
		if got.Metric != "ShardsRefused" || got.Namespace != "Shopstream" || got.Threshold != 0 || got.Periods != 10 || got.Datapoints != 5 || got.Missing != "breaching" || !got.tells(pager) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("only by a scaler", func(t *testing.T) {
		synth.Stack(t, func(scope cdktf.TerraformStack) error {
			err := newTier(t, scope).WatchShards("gateway", observe.ShardsProps{})
			if want := "watch \"gateway\": Stream is required\nScaler is required"; err == nil || err.Error() != want {
				t.Errorf("got %v, want %q", err, want)
			}
			return nil
		})
	})
}

func TestPipelineSendsAHeartbeat(t *testing.T) {
	template := synth.Decode(t, newStack(t, stacks.Prod))
	t.Run("for a shop that the collector finds in the registry", func(t *testing.T) {
		item := synth.Get[struct{ Item string }](t, template.Resource, "aws_dynamodb_table_item", "heartbeat_shop")
		var got event.Shop
		if err := attributevalue.UnmarshalMap(decodeItem(t, item.Item), &got); err != nil {
			t.Fatal(err)
		}
		if want := (event.Shop{Key: "shopstream-prod-heartbeat", ID: "heartbeat", EventsPerSecond: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("to the collector's address, and may write its log alone", func(t *testing.T) {
		got := synth.Get[struct {
			Environment struct{ Variables map[string]string }
		}](t, template.Resource, "aws_lambda_function", "heartbeat_sender_this").Environment.Variables
		if !strings.HasPrefix(got["COLLECTOR_URL"], "${aws_api_gateway_stage.front_api_live") || !strings.HasSuffix(got["COLLECTOR_URL"], ".invoke_url}/v1/events") || got["SHOP_KEY"] != "shopstream-prod-heartbeat" {
			t.Errorf("got %v", got)
		}
		want := []synth.Grant{
			{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "${aws_cloudwatch_log_group.heartbeat_sender_log_this.arn}:*"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.events_key_this.arn}"},
			{Actions: []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, Resource: "*"},
		}
		if got := synth.Grants(t, template.Resource, "heartbeat_sender_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		wantOnce(t, template, "heartbeat_sender")
	})
	t.Run("whose silence pages wherever it should arrive", func(t *testing.T) {
		for _, name := range []string{"watch_stream_gateway_silent_this", "watch_stream_events_silent_this", "watch_lake_raw_silent_this"} {
			if got := synth.Get[alarm](t, template.Resource, "aws_cloudwatch_metric_alarm", name); got.Missing != "breaching" || !got.tells(pager) {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	})
}

// decodeItem reads an item in DynamoDB's JSON.
func decodeItem(t *testing.T, text string) map[string]types.AttributeValue {
	t.Helper()
	var raw map[string]struct {
		S    *string
		N    *string
		BOOL *bool
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	item := map[string]types.AttributeValue{}
	for name, v := range raw {
		switch {
		case v.S != nil:
			item[name] = &types.AttributeValueMemberS{Value: *v.S}
		case v.N != nil:
			item[name] = &types.AttributeValueMemberN{Value: *v.N}
		case v.BOOL != nil:
			item[name] = &types.AttributeValueMemberBOOL{Value: *v.BOOL}
		}
	}
	return item
}

func TestAStreamOnDemandHasNoScaler(t *testing.T) {
	env := stacks.Dev
	env.OnDemand = true
	template := synth.Decode(t, newStack(t, env))
	for name := range template.Resource["aws_lambda_function"] {
		if strings.HasPrefix(name, "scaler") {
			t.Errorf("got %s", name)
		}
	}
}
