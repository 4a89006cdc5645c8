package test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/metric"
	"github.com/shopstream/shopstream/test/synth"
)

// ledgerStack is a Ledger over tables of one bucket.
func ledgerStack(t *testing.T, change func(*lake.LedgerProps)) (synth.Template, error) {
	t.Helper()
	code, err := asset.Fixture(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var refused error
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		c := newCatalog(t, scope)
		newTable := func(name, prefix string, row any) *lake.JSONTable {
			table, err := lake.NewJSONTable(scope, name, lake.JSONTableProps{Name: name, Description: name, Catalog: c.catalog, Bucket: c.bucket, Prefix: prefix, Row: row})
			if err != nil {
				t.Fatal(err)
			}
			return table
		}
		workgroup, err := lake.NewWorkgroup(scope, "workgroup", lake.WorkgroupProps{Name: "test-analysts", Catalog: c.catalog, Results: c.bucket})
		if err != nil {
			return err
		}
		log, err := security.NewLogGroup(scope, "log", security.LogGroupProps{Name: "/aws/lambda/test-ledger", Key: c.key, RetentionDays: 1})
		if err != nil {
			return err
		}
		p := lake.LedgerProps{
			Name: "test-ledger", Pipeline: "test", Code: code, Key: c.key, LogGroup: log, Workgroup: workgroup, Packs: c.packs,
			Receipts: newTable("receipts", "receipts/", event.Receipt{}), Quarantined: newTable("quarantined", "refused/", event.Quarantined{}),
		}
		if change != nil {
			change(&p)
		}
		_, refused = lake.NewLedger(scope, "ledger", p)
		return nil
	})
	return template, refused
}

func TestLedger(t *testing.T) {
	template, err := ledgerStack(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("may query three tables and read them, and no more", func(t *testing.T) {
		const bucket, key, glue = "${aws_s3_bucket.bucket_this.arn}", "${aws_kms_key.key_this.arn}", "arn:aws:glue:eu-west-1:123456789012:"
		reads := []string{"glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions"}
		lists := synth.Grant{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: bucket}
		decrypts := synth.Grant{Actions: []string{"kms:Decrypt"}, Resource: key}
		want := []synth.Grant{
			{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "${aws_cloudwatch_log_group.log_this.arn}:*"},
			decrypts,
			{Actions: []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, Resource: "*"},
			{Actions: []string{"athena:GetQueryExecution", "athena:GetQueryResults", "athena:StartQueryExecution", "athena:StopQueryExecution"},
				Resource: "${aws_athena_workgroup.workgroup_this.arn}"},
			{Actions: []string{"s3:GetObject"}, Resource: bucket + "/queries/*"}, lists, decrypts,
			{Actions: []string{"s3:PutObject", "s3:AbortMultipartUpload"}, Resource: bucket + "/queries/*"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: key}, decrypts,
		}
		for _, table := range []struct{ name, prefix string }{{"packs", "events/"}, {"receipts", "receipts/"}, {"quarantined", "refused/"}} {
			want = append(want,
				synth.Grant{Actions: reads, Resource: glue + "catalog"}, synth.Grant{Actions: reads, Resource: glue + "database/test"},
				synth.Grant{Actions: reads, Resource: glue + "table/test/" + table.name},
				synth.Grant{Actions: []string{"s3:GetObject"}, Resource: bucket + "/" + table.prefix + "*"}, lists, decrypts)
		}
		if got := synth.Grants(t, template.Resource, "ledger_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%v\nwant\n%v", got, want)
		}
	})
	t.Run("knows where to ask and whose ledger it is, and runs once at a time", func(t *testing.T) {
		got := synth.Get[ledgerFunction](t, template.Resource, "aws_lambda_function", "ledger_this")
		v := got.Environment.Variables
		if len(v) != 3 || !strings.HasPrefix(v["DATABASE"], "${aws_glue_catalog_database.catalog_this") || !strings.HasPrefix(v["WORKGROUP"], "${aws_athena_workgroup.workgroup_this") ||
			v["PIPELINE"] != "test" || got.Concurrency != 1 || got.Timeout != 600 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is called every hour by a role that may call it alone, and each call once", func(t *testing.T) {
		got := synth.Get[struct {
			Expression string `json:"schedule_expression"`
			Target     struct {
				ARN   string
				Role  string `json:"role_arn"`
				Retry struct {
					Attempts *int `json:"maximum_retry_attempts"`
				} `json:"retry_policy"`
			}
		}](t, template.Resource, "aws_scheduler_schedule", "ledger_schedule")
		if got.Expression != "rate(1 hour)" || *got.Target.Retry.Attempts != 0 ||
			!strings.HasPrefix(got.Target.ARN, "${aws_lambda_alias.ledger_live") || !strings.HasPrefix(got.Target.Role, "${aws_iam_role.ledger_schedule_role_this") {
			t.Errorf("got %+v", got)
		}
		want := []synth.Grant{{Actions: []string{"lambda:InvokeFunction"}, Resource: "${aws_lambda_alias.ledger_live.arn}"}}
		if got := synth.Grants(t, template.Resource, "ledger_schedule_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		wantOnce(t, template, "ledger")
	})
}

type ledgerFunction struct {
	Environment struct{ Variables map[string]string }
	Concurrency int `json:"reserved_concurrent_executions"`
	Timeout     int
}

func TestLedgerReportsEveryBadProp(t *testing.T) {
	_, err := ledgerStack(t, func(p *lake.LedgerProps) {
		p.Name, p.Pipeline, p.Workgroup, p.Receipts, p.Packs = strings.Repeat("x", 56), "", nil, nil, p.Quarantined
	})
	want := `ledger "ledger": length of Name must be 1 to 55, got 56
Pipeline is required
Workgroup is required
Packs must be the table "packs", which the query names
Receipts is required`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestTheLedgersAlarmsWatchWhatItPublishes compares what rings with what the
// function is told to publish under.
func TestTheLedgersAlarmsWatchWhatItPublishes(t *testing.T) {
	for _, env := range environments {
		t.Run(env.Name, func(t *testing.T) {
			template := synth.Decode(t, newStack(t, env))
			if env.Core {
				if len(template.Resource["aws_scheduler_schedule"])+len(template.Resource["aws_cloudwatch_metric_alarm"]) > 0 {
					t.Error("a core has no tables to count in")
				}
				return
			}
			settings := synth.Get[ledgerFunction](t, template.Resource, "aws_lambda_function", "hourly_ledger_this").Environment.Variables
			if settings["PIPELINE"] != env.Name {
				t.Errorf("publishes under %q", settings["PIPELINE"])
			}
			published := regexp.MustCompile(`^\$\{aws_lambda_function\.hourly_ledger_this_\w+\.environment\[0\]\.variables\.PIPELINE\}$`)
			for id, name := range map[string]string{"residue": metric.Residue, "frame_gaps": metric.FrameGaps, "unreceipted": metric.Unreceipted} {
				got := getAlarm(t, template, "lake_ledger_"+id)
				if got.Namespace != metric.Namespace || got.Metric != name || len(got.Dimensions) != 1 || !published.MatchString(got.Dimensions[metric.Pipeline]) ||
					got.Comparison != "GreaterThanThreshold" || got.Threshold != 0 || got.Missing != "breaching" || got.Statistic != "Maximum" || !got.tells(pager) {
					t.Errorf("%s: got %+v", id, got)
				}
			}
			if got := getAlarm(t, template, "lake_ledger_errors"); got.Periods != 1 || got.Queries[0].Metric.Period != 3600 || !got.tells(ticket) {
				t.Errorf("one call an hour that fails is never told: got %+v", got)
			}
		})
	}
}
