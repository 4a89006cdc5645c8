package test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var environments = []stacks.Environment{stacks.Local, stacks.Dev, stacks.Staging, stacks.Prod}

// everything switches on what no environment of ours does.
var everything = func() stacks.Environment {
	env := stacks.Prod
	env.Name = "everything"
	env.Traffic = capacity.Traffic{EventsPerSecond: 50_000, Burst: 3, BytesPerEvent: 900, EventsPerRequest: 10}
	env.OnDemand = true
	env.InterfaceEndpoints = []string{"ecr.api", "ecr.dkr", "glue", "kinesis-streams", "kms", "logs", "monitoring", "secretsmanager", "sts", "xray"}
	env.Schedules = []ingest.Schedule{{Name: "black_friday", When: "at(2026-11-27T00:00:00)", TimeZone: "Europe/Berlin", MinTasks: 40, MaxTasks: 200}}
	env.Shield, env.SubscribeShield = true, true
	env.ActOverBudget = true
	env.Front = ingest.FrontLoadBalancer
	env.Domain = ingest.Domain{Name: "collect.example.com", CertificateARN: "arn:aws:acm:eu-west-1:777788889999:certificate/11111111-2222-3333-4444-555555555555"}
	env.TrackerDomain = ingest.Domain{Name: "t.example.com", CertificateARN: "arn:aws:acm:us-east-1:777788889999:certificate/11111111-2222-3333-4444-555555555555"}
	env.Deployment = ingest.BlueGreen
	env.Integrators = []string{"erp", "pos"}
	env.NATGateways = 0
	env.People = stacks.People{
		Operators: []string{"arn:aws:iam::777788889999:user/ops"}, Analysts: []string{"arn:aws:iam::777788889999:user/ana"},
		PrivacyOfficers: []string{"arn:aws:iam::777788889999:user/dpo"},
		Redrivers:       []string{"arn:aws:iam::777788889999:user/red"}, BreakGlass: []string{"arn:aws:iam::777788889999:user/root2"},
	}
	return env
}()

// left are the fields of environments and accounts that everything and
// wholeAccount leave at zero.
var left = map[string]string{
	"Environment.Emulated":       "leaves AWS",
	"Environment.DeleteData":     "Protect excludes it",
	"Environment.Core":           "leaves out what the others switch on",
	"Environment.NATGateways":    "zero is one in each zone",
	"AccountSettings.Emulated":   "leaves AWS",
	"AccountSettings.DeleteData": "Protect excludes it",
	"AccountSettings.KeepImages": "zero is 100",
	"AccountSettings.TrailDays":  "zero is 730",
}

func TestFixturesSwitchEverythingOn(t *testing.T) {
	unused := maps.Clone(left)
	var visit func(path string, v reflect.Value)
	visit = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				visit(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		}
		_, excused := left[path]
		if delete(unused, path); v.IsZero() != excused {
			t.Errorf("%s is %v: switch it on, or say in left why not", path, v)
		}
	}
	visit("Environment", reflect.ValueOf(everything))
	visit("AccountSettings", reflect.ValueOf(wholeAccount))
	if len(unused) > 0 {
		t.Errorf("left names %v, which is no field", slices.Sorted(maps.Keys(unused)))
	}
}

// newStack defines env's stack with a function that holds no code.
func newStack(t *testing.T, env stacks.Environment) cdktf.TerraformStack {
	t.Helper()
	code, err := asset.Fixture(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := stacks.New(cdktf.Testing_App(nil), env, stacks.Workloads{Heartbeat: code, Ledger: code, Preprocess: code, Scaler: code, Tracker: asset.TrackerFixture})
	if err != nil {
		t.Fatal(err)
	}
	if env.Name == everything.Name {
		addOptions(t, pipeline)
	}
	return pipeline.Stack
}

// addOptions adds what a platform team may put beside a pipeline.
func addOptions(t *testing.T, p *stacks.Pipeline) {
	t.Helper()
	_, err := network.NewPeering(p.Stack, "peering", network.PeeringProps{
		Name: "everything-warehouse", Network: p.Network, PeerVPC: jsii.String("vpc-0123456789abcdef0"),
		PeerAccount: security.Account{ID: everything.Account, Region: everything.Region}, PeerCIDR: "10.9.0.0/16", RuleNumber: 500,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = network.NewAcceptedPeering(p.Stack, "accepted", network.AcceptedPeeringProps{
		Name: "everything-partner", Network: p.Network, Connection: jsii.String("pcx-0123456789abcdef0"), PeerCIDR: "10.8.0.0/16", RuleNumber: 501,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = security.NewSecret(p.Stack, "secret", security.SecretProps{
		Name: "shopstream-everything-salesforce", Description: "Salesforce's API.", Key: p.Keys.Events, Protect: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	addShared(t, p)
	addAPI(t, p)
}

// addShared adds what an environment that shares its account may want: a
// budget of its own, told to a pager.
func addShared(t *testing.T, p *stacks.Pipeline) {
	t.Helper()
	account := security.Account{ID: everything.Account, Region: everything.Region}
	topics, err := observe.NewTopics(p.Stack, "shared_topics", observe.TopicsProps{
		Prefix: "shopstream-everything-shared-", Account: account, Key: p.Keys.Alerts,
		Page: observe.Subscribers{HTTPS: jsii.String("https://pager.example.com/")},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = observe.NewBudget(p.Stack, "shared_budget", observe.BudgetProps{
		Name: "shopstream-everything-shared-budget", Account: account, MonthlyUSD: 1000, Environment: everything.Name, Topic: topics.Page,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addAPI adds the other front, under a name of its own.
func addAPI(t *testing.T, p *stacks.Pipeline) {
	t.Helper()
	account := security.Account{ID: everything.Account, Region: everything.Region}
	newLog := func(id, name string) *security.LogGroup {
		log, err := security.NewLogGroup(p.Stack, id, security.LogGroupProps{Name: name, Key: p.Keys.Logs, RetentionDays: 7})
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	identity, err := ingest.NewIdentity(p.Stack, "api_identity", ingest.IdentityProps{
		Name: "shopstream-everything-api", Account: account, Integrators: everything.Integrators, Protect: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ingest.NewFront(p.Stack, "api_front", ingest.FrontProps{
		Kind: ingest.FrontAPI, Name: "shopstream-everything-api", Account: account, Network: p.Network, Identity: identity, Protect: true,
		FirewallLog: newLog("api_firewall_log", "aws-waf-logs-shopstream-everything-api"),
		Domain:      ingest.Domain{Name: "api.example.com", CertificateARN: everything.Domain.CertificateARN},
		API:         ingest.APIProps{LogGroup: newLog("api_access_log", "/shopstream/everything/api"), DailyRequests: 1_000_000, CacheGB: "1.6"},
		Firewall:    ingest.FirewallProps{RequestsPerAddress: 3000},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contentHash is that of an asset, which changes with every build.
var contentHash = regexp.MustCompile(`[0-9A-F]{32}`)

func TestStacksMatchTheirGoldenFiles(t *testing.T) {
	for _, env := range append(slices.Clone(environments), everything) {
		t.Run(env.Name, func(t *testing.T) { wantGolden(t, env.Name, newStack(t, env)) })
	}
	for _, account := range []stacks.AccountSettings{stacks.DevAccount, stacks.StagingAccount, stacks.ProdAccount} {
		for kind, define := range map[string]func(constructs.Construct, stacks.AccountSettings) (cdktf.TerraformStack, error){
			"bootstrap-": stacks.NewBootstrap, "account-": stacks.NewAccount,
		} {
			t.Run(kind+account.Name, func(t *testing.T) {
				stack, err := define(cdktf.Testing_App(nil), account)
				if err != nil {
					t.Fatal(err)
				}
				wantGolden(t, kind+account.Name, stack)
			})
		}
	}
}

func wantGolden(t *testing.T, name string, stack cdktf.TerraformStack) {
	t.Helper()
	got := contentHash.ReplaceAllString(*cdktf.Testing_Synth(stack, jsii.Bool(true)), "CONTENT_HASH") + "\n"
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if that is meant, run make golden and review its diff\n%s", path, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "first at line " + strconv.Itoa(i+1) + ":\n  got  " + a[i] + "\n  want " + b[i]
		}
	}
	return "one has more lines"
}

func TestStackBase(t *testing.T) {
	prod, local := synth.Decode(t, newStack(t, stacks.Prod)), synth.Decode(t, newStack(t, stacks.Local))

	t.Run("keeps its state in the account's bucket, locked by a file", func(t *testing.T) {
		var got struct {
			Backend struct {
				S3 struct {
					Bucket, Key, Region string
					Encrypt             bool
					Lock                bool `json:"use_lockfile"`
				}
			}
			Providers struct {
				AWS struct{ Source, Version string }
			} `json:"required_providers"`
		}
		if err := json.Unmarshal(prod.Terraform, &got); err != nil {
			t.Fatal(err)
		}
		s3 := got.Backend.S3
		if s3.Bucket != "shopstream-state-777788889999-eu-west-1" || s3.Key != "prod/terraform.tfstate" || s3.Region != "eu-west-1" || !s3.Encrypt || !s3.Lock {
			t.Errorf("got %+v", s3)
		}
		if got.Providers.AWS.Version != "~> 5.99" {
			t.Errorf("got provider version %q, want ~> 5.99", got.Providers.AWS.Version)
		}
	})
	type awsProvider struct {
		Alias, Region string
		Accounts      []string `json:"allowed_account_ids"`
		Tags          []struct {
			Tags map[string]string
		} `json:"default_tags"`
		Endpoints []map[string]string
	}
	decode := func(t *testing.T, template synth.Template) (providers []awsProvider) {
		for _, raw := range template.Provider["aws"] {
			var p awsProvider
			if err := json.Unmarshal(raw, &p); err != nil {
				t.Fatal(err)
			}
			providers = append(providers, p)
		}
		return providers
	}
	t.Run("has providers for its region, copies and the edge, each for its account and with tags", func(t *testing.T) {
		var got [][2]string
		for _, p := range decode(t, prod) {
			got = append(got, [2]string{p.Alias, p.Region})
			if !reflect.DeepEqual(p.Accounts, []string{"777788889999"}) || p.Tags[0].Tags["environment"] != "prod" || p.Endpoints != nil {
				t.Errorf("got %+v", p)
			}
		}
		if want := [][2]string{{"", "eu-west-1"}, {"replica", "eu-central-1"}, {"edge", "us-east-1"}}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("sends every service to an emulator where it is emulated", func(t *testing.T) {
		for _, p := range decode(t, local) {
			if len(p.Endpoints) != 1 || len(p.Endpoints[0]) < 200 {
				t.Fatalf("got %d endpoints of provider %q", len(p.Endpoints[0]), p.Alias)
			}
			for service, endpoint := range p.Endpoints[0] {
				if endpoint != "${var.moto_endpoint}" && endpoint != "${var.ministack_endpoint}" {
					t.Errorf("%s goes to %s", service, endpoint)
				}
			}
		}
	})
	t.Run("takes an image by digest alone, but where it is a process", func(t *testing.T) {
		type image struct {
			Validation []struct {
				Condition string
				Message   string `json:"error_message"`
			}
		}
		deployed := synth.Get[image](t, synth.Section{"variable": prod.Variable}, "variable", "collector_image")
		emulated := synth.Get[image](t, synth.Section{"variable": local.Variable}, "variable", "collector_image")
		if len(deployed.Validation) != 1 || deployed.Validation[0].Condition != `${can(regex("@sha256:[0-9a-f]{64}$", var.collector_image))}` || len(emulated.Validation) != 0 {
			t.Errorf("got %+v and %+v", deployed, emulated)
		}
	})
	t.Run("takes settings as variables without defaults", func(t *testing.T) {
		if len(prod.Variable) == 0 {
			t.Fatal("got no variables")
		}
		for name, raw := range prod.Variable {
			var variable map[string]any
			if err := json.Unmarshal(raw, &variable); err != nil {
				t.Fatal(err)
			}
			if _, has := variable["default"]; has || variable["description"] == "" {
				t.Errorf("%s: got %v, want a description and no default", name, variable)
			}
		}
	})
}

func TestOptionsReachTheStack(t *testing.T) {
	all, dev := synth.Decode(t, newStack(t, everything)), synth.Decode(t, newStack(t, stacks.Dev))

	t.Run("on demand, AWS sizes both streams, and no scaler does", func(t *testing.T) {
		for _, name := range []string{"gateway_this", "events_this"} {
			got := synth.Get[struct {
				Shards int `json:"shard_count"`
				Mode   struct {
					Mode string `json:"stream_mode"`
				} `json:"stream_mode_details"`
			}](t, all.Resource, "aws_kinesis_stream", name)
			if got.Shards != 0 || got.Mode.Mode != "ON_DEMAND" {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		for name := range all.Resource["aws_lambda_function"] {
			if strings.HasPrefix(name, "scaler_") {
				t.Errorf("got %s", name)
			}
		}
	})
	t.Run("preprocess packs into the lanes that the traffic needs", func(t *testing.T) {
		for want, template := range map[string]synth.Template{"256": all, "16": dev} {
			got := synth.Get[struct {
				Environment struct{ Variables map[string]string }
			}](t, template.Resource, "aws_lambda_function", "preprocess_this")
			if got.Environment.Variables["LANES"] != want {
				t.Errorf("got %s lanes, want %s", got.Environment.Variables["LANES"], want)
			}
		}
	})
	t.Run("Shield Advanced protects the tracker and the public load balancer", func(t *testing.T) {
		for name, want := range map[string]string{"distribution": "${aws_cloudfront_distribution.tracker_", "load_balancer": "${aws_lb.front_load_balancer_this"} {
			got := synth.Get[struct {
				ARN string `json:"resource_arn"`
			}](t, all.Resource, "aws_shield_protection", "shield_"+name)
			if !strings.HasPrefix(got.ARN, want) {
				t.Errorf("%s: got %s, want %s…", name, got.ARN, want)
			}
		}
		if len(all.Resource["aws_shield_subscription"]) != 1 || len(dev.Resource["aws_shield_protection"]) != 0 {
			t.Error("want a subscription in everything, and nothing in dev")
		}
	})
	t.Run("a spent budget acts, in dev already", func(t *testing.T) {
		for name, c := range map[string]struct {
			template synth.Template
			roles    []string
		}{
			"dev":        {dev, []string{"shopstream-dev-ci-apply"}},
			"everything": {all, []string{"shopstream-everything-ci-apply", "shopstream-everything-analyst"}},
		} {
			got := synth.Get[struct {
				Definition struct {
					IAM struct{ Roles []string } `json:"iam_action_definition"`
				}
			}](t, c.template.Resource, "aws_budgets_budget_action", "budget_act")
			if !slices.Equal(got.Definition.IAM.Roles, c.roles) {
				t.Errorf("%s: got %v, want %v", name, got.Definition.IAM.Roles, c.roles)
			}
		}
	})
	t.Run("the collector's tasks follow the calendar", func(t *testing.T) {
		got := synth.Get[struct{ Schedule string }](t, all.Resource, "aws_appautoscaling_scheduled_action", "service_schedule_black_friday")
		if got.Schedule != everything.Schedules[0].When {
			t.Errorf("got %+v", got)
		}
	})
}

func TestNoMessageAboutAFailureOutlivesItsRecord(t *testing.T) {
	template := synth.Decode(t, newStack(t, stacks.Prod))
	bucket := synth.Get[struct {
		Rule []struct {
			Expiration []struct{ Days int }
		}
	}](t, template.Resource, "aws_s3_bucket_lifecycle_configuration", "failed_lifecycle")
	days := 0
	for _, rule := range bucket.Rule {
		for _, expiration := range rule.Expiration {
			days = max(days, expiration.Days)
		}
	}
	if days != 6 {
		t.Errorf("got records for %d days, want 6, and a seventh for their bytes", days)
	}
	for _, queue := range []string{"failures_queue", "failures_dlq"} {
		got := synth.Get[struct {
			Seconds int `json:"message_retention_seconds"`
		}](t, template.Resource, "aws_sqs_queue", queue)
		if got.Seconds != days*24*3600 {
			t.Errorf("%s: got messages for %d seconds, and records for %d days", queue, got.Seconds, days)
		}
	}
	if got := getAlarm(t, template, "stream_failures_expiring"); got.Threshold != float64(days*24*3600/2) {
		t.Errorf("the alarm looks at %g seconds, want half of what is kept", got.Threshold)
	}
}

func TestDestroyingDataTakesTwoSettings(t *testing.T) {
	for _, env := range environments {
		template := synth.Decode(t, newStack(t, env))
		seen := 0
		for _, kind := range []string{"aws_s3_bucket", "aws_kinesis_stream", "aws_dynamodb_table", "aws_kms_key"} {
			for name, raw := range template.Resource[kind] {
				var got struct {
					Lifecycle struct {
						Prevent bool `json:"prevent_destroy"`
					}
				}
				if err := json.Unmarshal(raw, &got); err != nil {
					t.Fatal(err)
				}
				if seen++; got.Lifecycle.Prevent != env.Protect {
					t.Errorf("%s: %s.%s: got prevent_destroy %v, want %v", env.Name, kind, name, got.Lifecycle.Prevent, env.Protect)
				}
			}
		}
		if seen < 10 {
			t.Errorf("%s: looked at %d resources that hold data, want at least 10", env.Name, seen)
		}
	}
	if !stacks.Staging.Protect || !stacks.Prod.Protect {
		t.Error("staging and prod must be protected")
	}
}

func TestTwoSynthsInTwoFoldersAreIdentical(t *testing.T) {
	program := buildProgram(t)
	one, two := t.TempDir(), filepath.Join(t.TempDir(), "with a space")
	runProgram(t, program, "CDKTF_OUTDIR="+one)
	runProgram(t, program, "CDKTF_OUTDIR="+two)
	wantSameTree(t, one, two)
	root, err := asset.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range readTree(t, one) {
		for _, path := range []string{root, one, os.TempDir()} {
			if strings.HasSuffix(name, ".json") && bytes.Contains([]byte(content), []byte(path)) {
				t.Errorf("%s holds the path %s", name, path)
			}
		}
	}
}

func TestProgramSynthesizesTheStacksThatAreNamed(t *testing.T) {
	program := buildProgram(t)
	out := t.TempDir()
	runProgram(t, program, "CDKTF_OUTDIR="+out, "SHOPSTREAM_STACKS=prod,dev")
	found, err := filepath.Glob(filepath.Join(out, "stacks", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range found {
		found[i] = filepath.Base(path)
	}
	if slices.Sort(found); !reflect.DeepEqual(found, []string{"dev", "prod"}) {
		t.Errorf("got %v, want dev and prod", found)
	}
}

func TestProgramNamesAnUnknownStackBeforeItStartsNode(t *testing.T) {
	cmd := exec.Command(buildProgram(t))
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "SHOPSTREAM_STACKS=prd", "JSII_NODE=/nonexistent/node", "CDKTF_OUTDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	want := `SHOPSTREAM_STACKS names the unknown stack "prd"; known are local, dev, staging, prod, bootstrap-dev, account-dev, bootstrap-staging, account-staging, bootstrap-prod, account-prod` + "\n"
	if err == nil || string(out) != want {
		t.Errorf("got %q, %v, want %q and a failure", out, err, want)
	}
}

func TestTerraformAcceptsEveryStack(t *testing.T) {
	needTerraform(t)
	out := t.TempDir()
	runProgram(t, buildProgram(t), "CDKTF_OUTDIR="+out)
	dirs, err := filepath.Glob(filepath.Join(out, "stacks", "*"))
	if err != nil || len(dirs) != 10 {
		t.Fatalf("got %d stacks, %v, want four environments and two for each of three accounts", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			terraform(t, dir, "init", "-backend=false", "-input=false", "-no-color")
			terraform(t, dir, "validate", "-no-color")
		})
	}
}
