package test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/test/synth"
)

// testCatalog is a catalog with one table of each kind, and a bucket.
type testCatalog struct {
	key     *security.Key
	bucket  *lake.Bucket
	catalog *lake.Catalog
	packs   *lake.JSONTable
	events  *lake.IcebergTable
}

func newCatalog(t *testing.T, scope cdktf.TerraformStack) (c testCatalog) {
	t.Helper()
	c.key = newKey(t, scope)
	var err error
	must := func() {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.bucket, err = lake.NewBucket(scope, "bucket", lake.BucketProps{Name: "test-lake", Key: c.key})
	must()
	c.catalog, err = lake.NewCatalog(scope, "catalog", lake.CatalogProps{Name: "test", Description: "test data", Account: testAccount})
	must()
	c.packs, err = lake.NewJSONTable(scope, "packs", lake.JSONTableProps{
		Name: "packs", Description: "Packs.", Catalog: c.catalog, Bucket: c.bucket, Prefix: "events/", Row: event.Pack{},
		DateKey: "arrival_date", HourKey: "arrival_hour", Days: 30,
	})
	must()
	c.events, err = lake.NewIcebergTable(scope, "events", lake.IcebergTableProps{
		Name: "events", Catalog: c.catalog, Bucket: c.bucket, Row: event.Stored{}, Optimizer: "test-optimizer", Protect: true,
	})
	must()
	return c
}

type glueTable struct {
	Database   string `json:"database_name"`
	Parameters map[string]string
	Keys       []column `json:"partition_keys"`
	Descriptor struct {
		Location string
		Columns  []column
		SerDe    struct {
			Library string `json:"serialization_library"`
		} `json:"ser_de_info"`
	} `json:"storage_descriptor"`
	Format struct {
		Iceberg struct {
			Operation string `json:"metadata_operation"`
			Version   string
		} `json:"iceberg_input"`
	} `json:"open_table_format_input"`
	Lifecycle struct {
		Ignore  []string `json:"ignore_changes"`
		Prevent bool     `json:"prevent_destroy"`
	}
}

type column struct{ Name, Type string }

func (t glueTable) typeOf(name string) string {
	for _, c := range t.Descriptor.Columns {
		if c.Name == name {
			return c.Type
		}
	}
	return "none"
}

func TestJSONTable(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newCatalog(t, scope).packs.GrantRead(newRole(t, scope, "reader"))
		return nil
	})
	got := synth.Get[glueTable](t, template.Resource, "aws_glue_catalog_table", "packs_this")

	t.Run("has the columns of a pack, as they are written", func(t *testing.T) {
		if want := "struct<id:string,frames:array<struct<id:string,count:int>>,contract:int,replayed:boolean>"; got.typeOf("pack") != want {
			t.Errorf("got %s, want %s", got.typeOf("pack"), want)
		}
		for _, want := range []string{"array<struct<event_id:string,", ",client_ts:string,", ",event_date:string,", ",custom:map<string,string>,", ",items:array<struct<item_id:string,"} {
			if !strings.Contains(got.typeOf("events"), want) {
				t.Errorf("got %s, want %q in it", got.typeOf("events"), want)
			}
		}
	})
	t.Run("finds the objects where Firehose puts them, without registering an hour", func(t *testing.T) {
		want := "s3://test-lake/" + strings.NewReplacer("!{timestamp:yyyy-MM-dd}", "$${arrival_date}", "!{timestamp:HH}", "$${arrival_hour}").Replace(lake.EventsPrefix)
		if got.Parameters["storage.location.template"] != want {
			t.Errorf("got %q, want %q", got.Parameters["storage.location.template"], want)
		}
		for name, want := range map[string]string{
			"projection.enabled":             "true",
			"projection.arrival_date.type":   "date",
			"projection.arrival_date.format": "yyyy-MM-dd",
			"projection.arrival_date.range":  "NOW-30DAYS,NOW",
			"projection.arrival_hour.type":   "integer",
			"projection.arrival_hour.range":  "0,23",
			"projection.arrival_hour.digits": "2",
		} {
			if got.Parameters[name] != want {
				t.Errorf("%s: got %q, want %q", name, got.Parameters[name], want)
			}
		}
		if want := []column{{"arrival_date", "string"}, {"arrival_hour", "string"}}; !reflect.DeepEqual(got.Keys, want) {
			t.Errorf("got keys %v, want %v", got.Keys, want)
		}
	})
	t.Run("lets readers see the table and its prefix alone", func(t *testing.T) {
		reads := []string{"glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions"}
		want := []synth.Grant{
			{Actions: reads, Resource: "arn:aws:glue:eu-west-1:123456789012:catalog"},
			{Actions: reads, Resource: "arn:aws:glue:eu-west-1:123456789012:database/test"},
			{Actions: reads, Resource: "arn:aws:glue:eu-west-1:123456789012:table/test/packs"},
			{Actions: []string{"s3:GetObject"}, Resource: "${aws_s3_bucket.bucket_this.arn}/events/*"},
			{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: "${aws_s3_bucket.bucket_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "reader_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A table must hold every field that a line of JSON can hold.
func TestTablesHoldEveryFieldOfTheContract(t *testing.T) {
	for name, row := range map[string]any{"quarantined": event.Quarantined{}, "receipts": event.Receipt{}, "events": event.Stored{}} {
		t.Run(name, func(t *testing.T) {
			template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
				c := newCatalog(t, scope)
				_, err := lake.NewJSONTable(scope, "table", lake.JSONTableProps{Name: name, Description: name, Catalog: c.catalog, Bucket: c.bucket, Prefix: "x/", Row: row})
				return err
			})
			got := synth.Get[glueTable](t, template.Resource, "aws_glue_catalog_table", "table_this")
			var names []string
			for _, c := range got.Descriptor.Columns {
				if slices.Contains(names, c.Name) {
					t.Errorf("has %s twice", c.Name)
				}
				names = append(names, c.Name)
			}
			line, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := json.Unmarshal(line, &fields); err != nil {
				t.Fatal(err)
			}
			if len(fields) < 7 {
				t.Fatalf("got %d fields, want a contract's", len(fields))
			}
			for field := range fields {
				if !slices.Contains(names, field) {
					t.Errorf("lacks %s", field)
				}
			}
		})
	}
}

func TestIcebergTable(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newCatalog(t, scope).events.GrantWrite(newRole(t, scope, "writer"))
		return nil
	})
	r := template.Resource
	got := synth.Get[glueTable](t, r, "aws_glue_catalog_table", "events_this")

	t.Run("is created from the contract, with times and days that can be compared", func(t *testing.T) {
		for name, want := range map[string]string{
			"event_id": "string", "seq": "bigint", "client_ts": "timestamp", "event_time": "timestamp", "event_date": "date", "shop_bucket": "int", "trust": "string",
			"custom": "map<string,string>", "search": "struct<search_term:string,results:bigint>",
			"order": "struct<transaction_id:string,value:double,currency:string,tax:double,shipping:double,coupon:string>",
			"items": "array<struct<item_id:string,item_name:string,item_brand:string,item_category:string,item_variant:string,price:double,currency:string,quantity:bigint,index:bigint>>",
		} {
			if got.typeOf(name) != want {
				t.Errorf("%s: got %s, want %s", name, got.typeOf(name), want)
			}
		}
		if got.Format.Iceberg.Operation != "CREATE" || got.Format.Iceberg.Version != "2" || got.Descriptor.Location != "s3://test-lake/events/" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is left to its jobs from then on", func(t *testing.T) {
		if want := []string{"parameters", "partition_keys", "storage_descriptor"}; !reflect.DeepEqual(got.Lifecycle.Ignore, want) || !got.Lifecycle.Prevent {
			t.Errorf("got %+v, want to ignore %v, protected", got.Lifecycle, want)
		}
	})
	t.Run("is compacted, forgets old snapshots and sweeps up", func(t *testing.T) {
		type optimizer struct {
			Type, Table   string
			Configuration []struct {
				Enabled   bool
				Role      string `json:"role_arn"`
				Retention []struct {
					Iceberg []struct {
						Days      int  `json:"snapshot_retention_period_in_days"`
						Snapshots int  `json:"number_of_snapshots_to_retain"`
						Clean     bool `json:"clean_expired_files"`
					} `json:"iceberg_configuration"`
				} `json:"retention_configuration"`
				Orphans []struct {
					Iceberg []struct {
						Days     int `json:"orphan_file_retention_period_in_days"`
						Location string
					} `json:"iceberg_configuration"`
				} `json:"orphan_file_deletion_configuration"`
			}
			DependsOn []string `json:"depends_on"`
		}
		get := func(kind string) optimizer {
			got := synth.Get[optimizer](t, r, "aws_glue_catalog_table_optimizer", "events_"+kind)
			if got.Type != kind || !got.Configuration[0].Enabled || !strings.HasPrefix(got.Configuration[0].Role, "${aws_iam_role.events_role_this") || len(got.DependsOn) != 1 {
				t.Errorf("%s: got %+v", kind, got)
			}
			return got
		}
		get("compaction")
		if got := get("retention").Configuration[0].Retention[0].Iceberg[0]; got.Days != 7 || got.Snapshots != 1 || !got.Clean {
			t.Errorf("got %+v, want deleted rows gone after 7 days", got)
		}
		if got := get("orphan_file_deletion").Configuration[0].Orphans[0].Iceberg[0]; got.Days != 3 || got.Location != "s3://test-lake/events/" {
			t.Errorf("got %+v, want the table's orphans gone after 3 days", got)
		}
	})
	const arn, glue = "${aws_s3_bucket.bucket_this.arn}", "arn:aws:glue:eu-west-1:123456789012:"
	data := []synth.Grant{
		{Actions: []string{"s3:GetObject"}, Resource: arn + "/events/*"},
		{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: arn},
		{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		{Actions: []string{"s3:PutObject", "s3:AbortMultipartUpload"}, Resource: arn + "/events/*"},
		{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
		{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		{Actions: []string{"s3:DeleteObject"}, Resource: arn + "/events/*"},
	}
	on := func(actions ...string) []synth.Grant {
		return []synth.Grant{{Actions: actions, Resource: glue + "catalog"}, {Actions: actions, Resource: glue + "database/test"}, {Actions: actions, Resource: glue + "table/test/events"}}
	}
	t.Run("lets its optimizers at the table and its prefix alone", func(t *testing.T) {
		want := slices.Concat(on("glue:GetTable", "glue:UpdateTable"), data, []synth.Grant{
			{Actions: []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/iceberg-*"},
		})
		if got := synth.Grants(t, r, "events_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("lets writers merge into the table", func(t *testing.T) {
		reads := on("glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions")
		want := slices.Concat(reads, data[:3], on("glue:UpdateTable"), data[3:])
		if got := synth.Grants(t, r, "writer_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestWorkgroup(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		c := newCatalog(t, scope)
		workgroup, err := lake.NewWorkgroup(scope, "workgroup", lake.WorkgroupProps{Name: "test", Catalog: c.catalog, Results: c.bucket, ScanLimitGiB: 2})
		if err != nil {
			return err
		}
		workgroup.GrantQuery(newRole(t, scope, "analyst"))
		return nil
	})
	r := template.Resource
	got := synth.Get[struct {
		State         string
		Configuration struct {
			Enforce bool `json:"enforce_workgroup_configuration"`
			Metrics bool `json:"publish_cloudwatch_metrics_enabled"`
			Limit   int  `json:"bytes_scanned_cutoff_per_query"`
			Engine  struct {
				Selected string `json:"selected_engine_version"`
			} `json:"engine_version"`
			Result struct {
				Location   string `json:"output_location"`
				Owner      string `json:"expected_bucket_owner"`
				Encryption struct {
					Option string `json:"encryption_option"`
					Key    string `json:"kms_key_arn"`
				} `json:"encryption_configuration"`
			} `json:"result_configuration"`
		}
	}](t, r, "aws_athena_workgroup", "workgroup_this")
	c := got.Configuration

	t.Run("cancels a query that reads too much, whatever its client asks for", func(t *testing.T) {
		if !c.Enforce || c.Limit != 2<<30 || !c.Metrics || c.Engine.Selected != "Athena engine version 3" {
			t.Errorf("got %+v", c)
		}
	})
	t.Run("encrypts answers into the account's bucket", func(t *testing.T) {
		if !strings.HasPrefix(c.Result.Location, "s3://${aws_s3_bucket.bucket_this") || !strings.HasSuffix(c.Result.Location, ".id}/queries/") || c.Result.Owner != "123456789012" || c.Result.Encryption.Option != "SSE_KMS" || !strings.HasPrefix(c.Result.Encryption.Key, "${aws_kms_key.key_this") {
			t.Errorf("got %+v", c.Result)
		}
	})
	t.Run("brings the queries that people ask for, each described", func(t *testing.T) {
		for _, name := range []string{"funnel", "ledger", "quarantine", "revenue"} {
			got := synth.Get[struct{ Database, Workgroup, Description, Query string }](t, r, "aws_athena_named_query", "workgroup_"+name)
			if !strings.HasPrefix(got.Query, "-- "+got.Description+"\n") || !strings.HasPrefix(got.Database, "${aws_glue_catalog_database.catalog_this") || !strings.HasPrefix(got.Workgroup, "${aws_athena_workgroup.workgroup_this") {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	})
	t.Run("lets analysts query, and read and write answers", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"athena:BatchGetNamedQuery", "athena:BatchGetQueryExecution", "athena:GetNamedQuery", "athena:GetQueryExecution",
				"athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetQueryRuntimeStatistics", "athena:GetWorkGroup",
				"athena:ListNamedQueries", "athena:ListQueryExecutions", "athena:StartQueryExecution", "athena:StopQueryExecution"},
				Resource: "${aws_athena_workgroup.workgroup_this.arn}"},
			{Actions: []string{"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata", "athena:ListDatabases", "athena:ListTableMetadata"},
				Resource: "arn:aws:athena:eu-west-1:123456789012:datacatalog/AwsDataCatalog"},
			{Actions: []string{"athena:ListDataCatalogs", "athena:ListEngineVersions", "athena:ListWorkGroups"}, Resource: "*"},
			{Actions: []string{"s3:GetObject"}, Resource: "${aws_s3_bucket.bucket_this.arn}/queries/*"},
			{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: "${aws_s3_bucket.bucket_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"s3:PutObject", "s3:AbortMultipartUpload"}, Resource: "${aws_s3_bucket.bucket_this.arn}/queries/*"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, r, "analyst_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestCrawler(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		c := newCatalog(t, scope)
		configuration, err := lake.NewSecurityConfiguration(scope, "glue", lake.SecurityConfigurationProps{Name: "test", Key: c.key, LogsKey: c.key})
		if err != nil {
			return err
		}
		return lake.NewCrawler(scope, "crawler", lake.CrawlerProps{Name: "test-crawler", Catalog: c.catalog, Bucket: c.bucket, Prefix: "events/", Security: configuration})
	})
	r := template.Resource
	t.Run("looks into the objects daily and keeps apart what it finds", func(t *testing.T) {
		got := synth.Get[struct {
			Schedule, Configuration string
			Prefix                  string                  `json:"table_prefix"`
			Security                string                  `json:"security_configuration"`
			Target                  []struct{ Path string } `json:"s3_target"`
			Change                  struct {
				Delete string `json:"delete_behavior"`
			} `json:"schema_change_policy"`
		}](t, r, "aws_glue_crawler", "crawler_this")
		if got.Schedule != "cron(0 3 * * ? *)" || got.Prefix != "discovered_" || !strings.HasPrefix(got.Security, "${aws_glue_security_configuration.glue_this") ||
			got.Target[0].Path != "s3://test-lake/events/" || got.Change.Delete != "LOG" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("may write the tables that it discovers alone", func(t *testing.T) {
		for _, grant := range synth.Grants(t, r, "crawler_role_policy") {
			for _, action := range grant.Actions {
				if strings.HasPrefix(grant.Resource, "arn:aws:glue:eu-west-1:123456789012:table/") && grant.Resource != "arn:aws:glue:eu-west-1:123456789012:table/test/discovered_*" ||
					strings.HasPrefix(action, "s3:Put") || strings.HasPrefix(action, "s3:Delete") || strings.HasPrefix(action, "glue:Delete") {
					t.Errorf("got %v", grant)
				}
			}
		}
	})
	t.Run("encrypts its logs, bookmarks and output", func(t *testing.T) {
		got := synth.Get[struct {
			Encryption struct {
				Logs      map[string]string `json:"cloudwatch_encryption"`
				Bookmarks map[string]string `json:"job_bookmarks_encryption"`
				S3        map[string]string `json:"s3_encryption"`
			} `json:"encryption_configuration"`
		}](t, r, "aws_glue_security_configuration", "glue_this")
		if got.Encryption.Logs["cloudwatch_encryption_mode"] != "SSE-KMS" || got.Encryption.Bookmarks["job_bookmarks_encryption_mode"] != "CSE-KMS" || got.Encryption.S3["s3_encryption_mode"] != "SSE-KMS" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestLakeReportsEveryBadProp(t *testing.T) {
	fail := func(_ any, err error) error { return err }
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"access logs":   {fail(lake.NewAccessLogs(nil, "x", lake.AccessLogsProps{ExpireAfterDays: -1, Protect: true, DeleteObjects: true})), []string{"Name is required", "Account is required", "ExpireAfterDays must be 1 to 3650, got -1", "DeleteObjects must be false"}},
		"catalog":       {fail(lake.NewCatalog(nil, "x", lake.CatalogProps{Name: "a-b"})), []string{`digits and underscores, got "a-b"`, "Description is required", "Account.ID is required", "Account.Region is required"}},
		"JSON table":    {fail(lake.NewJSONTable(nil, "x", lake.JSONTableProps{Prefix: "p", Days: -1})), []string{"Name is required", "Description is required", "Catalog is required", "Bucket is required", `Prefix must end with "/", got "p"`, "Row must be a value of a struct", "Days must be 1 to 3650, got -1"}},
		"Iceberg table": {fail(lake.NewIcebergTable(nil, "x", lake.IcebergTableProps{Row: 1})), []string{"Name is required", "Catalog is required", "Bucket is required", "Row must be a value of a struct, got int", "Optimizer is required"}},
		"workgroup":     {fail(lake.NewWorkgroup(nil, "x", lake.WorkgroupProps{ScanLimitGiB: -1})), []string{"Name is required", "Catalog is required", "Results is required", "ScanLimitGiB must be 1 to 102400, got -1"}},
		"configuration": {fail(lake.NewSecurityConfiguration(nil, "x", lake.SecurityConfigurationProps{})), []string{"Name is required", "Key is required", "LogsKey is required"}},
		"crawler":       {lake.NewCrawler(nil, "x", lake.CrawlerProps{}), []string{"Name is required", "Catalog is required", "Bucket is required", "Prefix must end", "Security is required"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, want := range append(c.want, `"x"`) {
				if c.err == nil || !strings.Contains(c.err.Error(), want) {
					t.Errorf("got %v, want %q in it", c.err, want)
				}
			}
		})
	}
}
