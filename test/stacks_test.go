package test

import (
	"bytes"
	"encoding/json"
	"flag"
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
	env.Traffic = capacity.Traffic{EventsPerSecond: 50_000, Burst: 3, EventsPerRequest: 10}
	env.Front = ingest.FrontLoadBalancer
	env.Domain = ingest.Domain{Name: "collect.example.com", CertificateARN: "arn:aws:acm:eu-west-1:777788889999:certificate/11111111-2222-3333-4444-555555555555"}
	env.TrackerDomain = ingest.Domain{Name: "t.example.com", CertificateARN: "arn:aws:acm:us-east-1:777788889999:certificate/11111111-2222-3333-4444-555555555555"}
	env.Deployment = ingest.BlueGreen
	env.Integrators = []string{"erp", "pos"}
	env.NATGateways = 0
	env.People = stacks.People{
		Operators: []string{"arn:aws:iam::777788889999:user/ops"}, Analysts: []string{"arn:aws:iam::777788889999:user/ana"},
		PrivacyOfficers: []string{"arn:aws:iam::777788889999:user/dpo"}, BreakGlass: []string{"arn:aws:iam::777788889999:user/root2"},
	}
	return env
}()

// newStack defines env's stack with a function that holds no code.
func newStack(t *testing.T, env stacks.Environment) cdktf.TerraformStack {
	t.Helper()
	code, err := asset.Fixture(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := stacks.New(cdktf.Testing_App(nil), env, stacks.Workloads{Preprocess: code})
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
	_, err = security.NewSecret(p.Stack, "secret", security.SecretProps{
		Name: "shopstream-everything-salesforce", Description: "Salesforce's API.", Key: p.Keys.Events, Protect: true,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contentHash is that of an asset, which changes with every build.
var contentHash = regexp.MustCompile(`[0-9A-F]{32}`)

func TestStacksMatchTheirGoldenFiles(t *testing.T) {
	for _, env := range environments {
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
