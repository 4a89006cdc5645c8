package test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/account"
	"github.com/shopstream/shopstream/constructs/delivery"
	"github.com/shopstream/shopstream/constructs/guardrails"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

// wholeAccount holds two environments and has every switch on.
var wholeAccount = stacks.AccountSettings{
	Name: "shared", Account: testAccount.ID, Region: testAccount.Region, ReplicaRegion: "eu-central-1",
	Environments: []string{"dev", "staging"}, Repository: "shop@12/stream@34", Protect: true,
	Manage:      stacks.Singletons{GitHub: true, Trail: true, GatewayLogs: true, Detector: true, Recorder: true, DataLake: true},
	GrantAdmins: []string{"arn:aws:iam::123456789012:role/admin"},
	Payer:       true, BillTags: true, AnomalyUSD: 250,
}

// accountStack defines one of an account's stacks and returns its JSON too.
func accountStack(t *testing.T, define func(app cdktf.App) (cdktf.TerraformStack, error)) (synth.Template, []byte) {
	t.Helper()
	stack, err := define(cdktf.Testing_App(nil))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(stack.ToTerraform())
	if err != nil {
		t.Fatal(err)
	}
	return synth.Decode(t, stack), b
}

func bootstrapStack(t *testing.T, a stacks.AccountSettings) (synth.Template, []byte) {
	t.Helper()
	return accountStack(t, func(app cdktf.App) (cdktf.TerraformStack, error) { return stacks.NewBootstrap(app, a) })
}

func singletonStack(t *testing.T, a stacks.AccountSettings) (synth.Template, []byte) {
	t.Helper()
	return accountStack(t, func(app cdktf.App) (cdktf.TerraformStack, error) { return stacks.NewAccount(app, a) })
}

// texts are a text or a list of them, as policies write them.
type texts []string

func (w *texts) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*w = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// right is a statement of a policy, whichever of its fields it has.
type right struct {
	Sid, Effect           string
	Principal             any
	Action, NotAction     texts
	Resource, NotResource texts
	Condition             map[string]map[string]texts
}

func rights(t *testing.T, policy string) map[string]right {
	t.Helper()
	var p struct{ Statement []right }
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		t.Fatalf("decode policy: %v\n%s", err, policy)
	}
	found := map[string]right{}
	for _, s := range p.Statement {
		if (s.Action == nil) == (s.NotAction == nil) {
			t.Errorf("statement %q is not one of actions: %+v", s.Sid, s)
		}
		found[s.Sid] = s
	}
	return found
}

type hasPolicy struct{ Name, Policy string }

const stateARN = "arn:aws:s3:::shopstream-state-123456789012-eu-west-1"

func TestState(t *testing.T) {
	template, _ := bootstrapStack(t, wholeAccount)
	r := template.Resource

	t.Run("lies where every stack's backend looks for it, versioned and encrypted by its own key", func(t *testing.T) {
		bucket := synth.Get[struct {
			Bucket    string
			Lifecycle struct {
				Prevent bool `json:"prevent_destroy"`
			}
		}](t, r, "aws_s3_bucket", "state_bucket_this")
		if bucket.Bucket != "shopstream-state-123456789012-eu-west-1" || !bucket.Lifecycle.Prevent {
			t.Errorf("got %+v", bucket)
		}
		if got := synth.Get[struct {
			Configuration struct{ Status string } `json:"versioning_configuration"`
		}](t, r, "aws_s3_bucket_versioning", "state_bucket_versioning"); got.Configuration.Status != "Enabled" {
			t.Errorf("got versioning %+v", got)
		}
		encryption := synth.Get[struct {
			Rule []struct {
				Default struct {
					Algorithm string `json:"sse_algorithm"`
					Key       string `json:"kms_master_key_id"`
				} `json:"apply_server_side_encryption_by_default"`
			}
		}](t, r, "aws_s3_bucket_server_side_encryption_configuration", "state_bucket_encryption")
		if got := encryption.Rule[0].Default; got.Algorithm != "aws:kms" || !strings.HasPrefix(got.Key, "${aws_kms_key.state_key_this") {
			t.Errorf("got %+v", got)
		}
	})
	policy := rights(t, synth.Get[hasPolicy](t, r, "aws_s3_bucket_policy", "state_bucket_policy").Policy)
	t.Run("answers TLS only", func(t *testing.T) {
		if got := policy["TLSOnly"]; got.Effect != "Deny" || !slices.Equal(got.Condition["Bool"]["aws:SecureTransport"], texts{"false"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is kept from the platform's roles but those of its stack and break-glass", func(t *testing.T) {
		const role = "arn:aws:iam::123456789012:role/shopstream-"
		for stack, owners := range map[string]texts{
			"dev": {role + "*-break-glass", role + "dev-ci-*"}, "staging": {role + "*-break-glass", role + "staging-ci-*"},
			"bootstrap-shared": {role + "*-break-glass"}, "account-shared": {role + "*-break-glass"},
		} {
			got := policy["Keep"+strings.ReplaceAll(stack, "-", "")]
			if got.Effect != "Deny" || got.Principal != "*" || !slices.Equal(got.Action, texts{"s3:DeleteObject*", "s3:GetObject*", "s3:PutObject*"}) ||
				!slices.Equal(got.Resource, texts{stateARN + "/" + stack + "/*"}) ||
				!slices.Equal(got.Condition["ArnLike"]["aws:PrincipalArn"], texts{role + "*"}) ||
				!slices.Equal(got.Condition["ArnNotLike"]["aws:PrincipalArn"], owners) {
				t.Errorf("%s: got %+v", stack, got)
			}
		}
	})
	t.Run("leaves a line for each read", func(t *testing.T) {
		if got := synth.Get[struct {
			Target string `json:"target_bucket"`
		}](t, r, "aws_s3_bucket_logging", "state_bucket_access_log"); !strings.HasPrefix(got.Target, "${aws_s3_bucket.state_access_logs_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("of bootstrap itself lies in it too, locked by a file", func(t *testing.T) {
		var got struct {
			Backend struct {
				S3 struct {
					Bucket, Key string
					Lock        bool `json:"use_lockfile"`
				}
			}
		}
		if err := json.Unmarshal(template.Terraform, &got); err != nil {
			t.Fatal(err)
		}
		if s3 := got.Backend.S3; "arn:aws:s3:::"+s3.Bucket != stateARN || s3.Key != "bootstrap-shared/terraform.tfstate" || !s3.Lock {
			t.Errorf("got %+v", s3)
		}
	})
}

func TestGitHub(t *testing.T) {
	template, _ := bootstrapStack(t, wholeAccount)
	provider := synth.Get[struct {
		URL     string   `json:"url"`
		Clients []string `json:"client_id_list"`
	}](t, template.Resource, "aws_iam_openid_connect_provider", "github_this")

	t.Run("is believed for AWS's own audience", func(t *testing.T) {
		if provider.URL != "https://token.actions.githubusercontent.com" || !slices.Equal(provider.Clients, []string{"sts.amazonaws.com"}) {
			t.Errorf("got %+v", provider)
		}
	})
	t.Run("lets one environment of one repository become a role", func(t *testing.T) {
		for name, environment := range map[string]string{"ci_dev_plan": "dev-plan", "ci_dev_apply": "dev", "ci_staging_plan": "staging-plan", "ci_staging_apply": "staging"} {
			trust := rights(t, getRole(t, template, name+"_this").Trust)
			want := map[string]map[string]texts{"StringEquals": {
				"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"},
				"token.actions.githubusercontent.com:sub": {"repo:shop@12/stream@34:environment:" + environment},
			}}
			federated, _ := trust[""].Principal.(map[string]any)
			if s := trust[""]; len(trust) != 1 || s.Effect != "Allow" || !slices.Equal(s.Action, texts{"sts:AssumeRoleWithWebIdentity"}) || !reflect.DeepEqual(s.Condition, want) ||
				!strings.HasPrefix(federated["Federated"].(string), "${aws_iam_openid_connect_provider.github_this") {
				t.Errorf("%s: got %+v", name, s)
			}
		}
	})
	t.Run("may be there already", func(t *testing.T) {
		a := wholeAccount
		a.Manage.GitHub = false
		template, _ := bootstrapStack(t, a)
		trust := rights(t, getRole(t, template, "ci_dev_plan_this").Trust)
		want := map[string]any{"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}
		if n := len(template.Resource["aws_iam_openid_connect_provider"]); n != 0 || !reflect.DeepEqual(trust[""].Principal, want) {
			t.Errorf("got %d providers, %+v", n, trust)
		}
	})
}

func TestPlanRole(t *testing.T) {
	template, _ := bootstrapStack(t, wholeAccount)
	policy := rights(t, synth.Get[hasPolicy](t, template.Resource, "aws_iam_role_policy", "ci_dev_plan_policy").Policy)

	t.Run("reads and locks its own state, and writes nothing else", func(t *testing.T) {
		want := map[string][]string{
			"StateBucket": {"s3:GetBucketLocation", "s3:ListBucket", stateARN},
			"State":       {"s3:GetObject", stateARN + "/dev/terraform.tfstate"},
			"StateLock":   {"s3:DeleteObject", "s3:GetObject", "s3:PutObject", stateARN + "/dev/terraform.tfstate.tflock"},
			"StateKey":    {"kms:Decrypt", "kms:GenerateDataKey"},
		}
		for sid, s := range policy {
			if sid == "StateKey" {
				if !strings.HasPrefix(s.Resource[0], "${aws_kms_key.state_key_this") {
					t.Errorf("got %+v", s)
				}
				s.Resource = nil
			}
			if got := append(slices.Clone(s.Action), s.Resource...); s.Effect == "Allow" && !slices.Equal(got, want[sid]) {
				t.Errorf("%s: got %v, want %v", sid, got, want[sid])
			}
		}
		if len(policy) != len(want)+1 {
			t.Errorf("got %d statements", len(policy))
		}
	})
	t.Run("reads every setting and no data", func(t *testing.T) {
		if got := attached(t, template, "ci_dev_plan_managed"); got != "arn:aws:iam::aws:policy/ReadOnlyAccess" {
			t.Errorf("got %s", got)
		}
		keepsData(t, policy["Data"])
	})
}

func attached(t *testing.T, template synth.Template, name string) string {
	t.Helper()
	return synth.Get[struct {
		Policy string `json:"policy_arn"`
	}](t, template.Resource, "aws_iam_role_policy_attachment", name).Policy
}

// keepsData asserts on the statement that denies dev's roles to read data.
func keepsData(t *testing.T, got right) {
	t.Helper()
	readable := texts{stateARN + "/dev/terraform.tfstate", stateARN + "/dev/terraform.tfstate.tflock", "arn:aws:s3:::shopstream-dev-artifacts-*/*"}
	if got.Effect != "Deny" || got.Condition != nil || !slices.Equal(got.NotResource, readable) {
		t.Fatalf("got %+v", got)
	}
	for _, action := range []string{"s3:GetObject*", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "kinesis:GetRecords", "logs:GetLogEvents", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage"} {
		if !slices.Contains(got.Action, action) {
			t.Errorf("does not deny %s", action)
		}
	}
}

func TestApplyRole(t *testing.T) {
	template, _ := bootstrapStack(t, wholeAccount)
	r := template.Resource
	boundary := rights(t, synth.Get[hasPolicy](t, r, "aws_iam_policy", "ci_dev_boundary").Policy)
	policy := rights(t, synth.Get[hasPolicy](t, r, "aws_iam_role_policy", "ci_dev_apply_policy").Policy)
	const iam = "arn:aws:iam::123456789012:"

	t.Run("carries its boundary", func(t *testing.T) {
		if got := getRole(t, template, "ci_dev_apply_this"); got.Name != "shopstream-dev-ci-apply" || !strings.HasPrefix(got.Boundary, "${aws_iam_policy.ci_dev_boundary") || got.Seconds != 7200 {
			t.Errorf("got %+v", got)
		}
		if got := attached(t, template, "ci_dev_apply_managed"); got != "arn:aws:iam::aws:policy/PowerUserAccess" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("writes its own state", func(t *testing.T) {
		if got := policy["StateWrite"]; !slices.Equal(got.Action, texts{"s3:PutObject"}) || !slices.Equal(got.Resource, texts{stateARN + "/dev/terraform.tfstate"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("manages its stack's roles alone", func(t *testing.T) {
		for sid, s := range policy {
			for _, action := range s.Action {
				if strings.HasPrefix(action, "iam:") && (strings.Contains(action, "*") || !slices.Equal(s.Resource, texts{iam + "role/shopstream-dev-*"}) && !slices.Equal(s.Resource, texts{iam + "policy/shopstream-dev-*"})) {
					t.Errorf("%s: %s on %v", sid, action, s.Resource)
				}
			}
		}
		if got := boundary["Roles"]; !slices.Equal(got.Resource, texts{iam + "role/shopstream-dev-*", iam + "role/aws-service-role/*"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("makes no role without the stack's boundary, nor takes it off", func(t *testing.T) {
		got := boundary["Unbounded"]
		if got.Effect != "Deny" || !slices.Equal(got.Resource, texts{"*"}) || len(got.Condition) != 1 || !slices.Equal(got.Condition["StringNotEquals"]["iam:PermissionsBoundary"], texts{iam + "policy/shopstream-dev-boundary"}) {
			t.Fatalf("got %+v", got)
		}
		for _, action := range []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"} {
			if !slices.Contains(got.Action, action) {
				t.Errorf("does not deny %s", action)
			}
		}
		if got := boundary["Rebound"]; got.Effect != "Deny" || got.Condition != nil || !slices.Equal(got.Action, texts{"iam:DeleteRolePermissionsBoundary"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("changes nothing of what holds it, and becomes no other role", func(t *testing.T) {
		got := boundary["Guards"]
		if got.Effect != "Deny" || got.Condition != nil || got.Action != nil || !slices.Equal(got.NotAction, texts{"iam:Get*", "iam:List*"}) ||
			!slices.Equal(got.Resource, texts{iam + "role/shopstream-dev-ci-*", iam + "role/shopstream-dev-break-glass", iam + "policy/shopstream-dev-*"}) {
			t.Errorf("got %+v", got)
		}
		if got := boundary["KeepStates"]; got.Effect != "Deny" || !slices.Equal(got.Resource, texts{stateARN, stateARN + "/*"}) || !slices.Contains(got.Action, "s3:PutBucket*") || !slices.Contains(got.Action, "s3:DeleteObjectVersion") {
			t.Errorf("got %+v", got)
		}
		if got := boundary["KeepStateKey"]; got.Effect != "Deny" || !strings.HasPrefix(got.Resource[0], "${aws_kms_key.state_key_this") || !slices.Contains(got.Action, "kms:PutKeyPolicy") {
			t.Errorf("got %+v", got)
		}
		for _, action := range boundary["Services"].Action {
			if service, _, _ := strings.Cut(action, ":"); slices.Contains([]string{"*", "iam", "organizations", "account", "cloudtrail", "config", "guardduty", "sso"}, service) || service == "sts" && action != "sts:GetCallerIdentity" {
				t.Errorf("allows %s", action)
			}
		}
	})
	t.Run("reads no data", func(t *testing.T) { keepsData(t, boundary["Data"]) })
	t.Run("stays in its regions", func(t *testing.T) {
		if got := boundary["OtherRegions"]; got.Effect != "Deny" || !slices.Equal(got.Action, texts{"*"}) || !slices.Equal(got.Condition["StringNotEquals"]["aws:RequestedRegion"], texts{"eu-west-1", "us-east-1", "eu-central-1"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("has a boundary that fits into a managed policy", func(t *testing.T) {
		for _, name := range []string{"dev", "staging"} {
			if n := len(synth.Get[hasPolicy](t, r, "aws_iam_policy", "ci_"+name+"_boundary").Policy); n > 6144-200 { // a key's ARN is longer than its token by less
				t.Errorf("%s: got %d characters, IAM takes 6144", name, n)
			}
		}
	})
}

func TestImages(t *testing.T) {
	template, _ := bootstrapStack(t, wholeAccount)
	got := synth.Get[struct {
		Name       string
		Mutability string `json:"image_tag_mutability"`
		Scanning   struct {
			OnPush bool `json:"scan_on_push"`
		} `json:"image_scanning_configuration"`
		Encryption []struct {
			Type string `json:"encryption_type"`
			Key  string `json:"kms_key"`
		} `json:"encryption_configuration"`
		Lifecycle struct {
			Prevent bool `json:"prevent_destroy"`
		}
	}](t, template.Resource, "aws_ecr_repository", "collector_images_this")

	t.Run("are where the collector's service pulls them", func(t *testing.T) {
		if got.Name != stacks.CollectorRepository {
			t.Errorf("got %q, want %q", got.Name, stacks.CollectorRepository)
		}
	})
	t.Run("have tags that never move", func(t *testing.T) {
		if got.Mutability != "IMMUTABLE" {
			t.Errorf("got %q", got.Mutability)
		}
	})
	t.Run("are scanned when they arrive, encrypted and kept", func(t *testing.T) {
		if !got.Scanning.OnPush || got.Encryption[0].Type != "KMS" || !strings.HasPrefix(got.Encryption[0].Key, "${aws_kms_key.images_key_this") || !got.Lifecycle.Prevent {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("go when they are many, or when an upload broke off", func(t *testing.T) {
		var lifecycle struct {
			Rules []struct {
				Selection struct {
					Status string `json:"tagStatus"`
					Count  int    `json:"countNumber"`
				}
			}
		}
		if err := json.Unmarshal([]byte(synth.Get[hasPolicy](t, template.Resource, "aws_ecr_lifecycle_policy", "collector_images_lifecycle").Policy), &lifecycle); err != nil {
			t.Fatal(err)
		}
		if rules := lifecycle.Rules; len(rules) != 2 || rules[0].Selection.Status != "untagged" || rules[0].Selection.Count != 7 || rules[1].Selection.Status != "any" || rules[1].Selection.Count != 100 {
			t.Errorf("got %+v", rules)
		}
	})
}

func TestTrail(t *testing.T) {
	template, _ := singletonStack(t, wholeAccount)
	r := template.Resource
	const arn = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/shopstream-account-trail"
	type field struct {
		Field         string
		Equals        []string `json:"equals"`
		StartsWith    []string `json:"starts_with"`
		NotStartsWith []string `json:"not_starts_with"`
	}
	got := synth.Get[struct {
		Name        string
		Bucket      string `json:"s3_bucket_name"`
		Key         string `json:"kms_key_id"`
		MultiRegion bool   `json:"is_multi_region_trail"`
		Validation  bool   `json:"enable_log_file_validation"`
		Global      bool   `json:"include_global_service_events"`
		Selectors   []struct {
			Name   string
			Fields []field `json:"field_selector"`
		} `json:"advanced_event_selector"`
		DependsOn []string `json:"depends_on"`
	}](t, r, "aws_cloudtrail", "trail_this")

	t.Run("covers every region, is encrypted and can't be changed unnoticed", func(t *testing.T) {
		if got.Name != "shopstream-account-trail" || !got.MultiRegion || !got.Global || !got.Validation || !strings.HasPrefix(got.Key, "${aws_kms_key.audit_key_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("tells every read and write of the lake, but of access logs", func(t *testing.T) {
		want := []field{
			{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{"AWS::S3::Object"}},
			{Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::shopstream-dev-", "arn:aws:s3:::shopstream-staging-"}, NotStartsWith: []string{
				"arn:aws:s3:::shopstream-dev-access-logs-", "arn:aws:s3:::shopstream-dev-copy-logs-",
				"arn:aws:s3:::shopstream-staging-access-logs-", "arn:aws:s3:::shopstream-staging-copy-logs-"}},
		}
		if len(got.Selectors) != 2 || !reflect.DeepEqual(got.Selectors[0].Fields, []field{{Field: "eventCategory", Equals: []string{"Management"}}}) || !reflect.DeepEqual(got.Selectors[1].Fields, want) {
			t.Errorf("got %+v", got.Selectors)
		}
	})
	t.Run("alone may write into its bucket, which is ready before it", func(t *testing.T) {
		policy := rights(t, synth.Get[hasPolicy](t, r, "aws_s3_bucket_policy", "trail_bucket_policy").Policy)
		for _, sid := range []string{"TrailCheck", "TrailWrite"} {
			s := policy[sid]
			if !reflect.DeepEqual(s.Principal, map[string]any{"Service": "cloudtrail.amazonaws.com"}) || !slices.Equal(s.Condition["StringEquals"]["aws:SourceArn"], texts{arn}) {
				t.Errorf("got %+v", s)
			}
		}
		if write := policy["TrailWrite"]; !slices.Equal(write.Resource, texts{"arn:aws:s3:::shopstream-account-trail-123456789012-eu-west-1/AWSLogs/123456789012/*"}) || !slices.Equal(write.Action, texts{"s3:PutObject"}) {
			t.Errorf("got %+v", write)
		}
		if len(got.DependsOn) != 1 || !strings.HasPrefix(got.DependsOn[0], "aws_s3_bucket_policy.trail_bucket_policy") {
			t.Errorf("depends on %v", got.DependsOn)
		}
	})
	t.Run("may use its key for itself alone", func(t *testing.T) {
		for _, s := range decodePolicy(t, synth.Get[hasPolicy](t, r, "aws_kms_key", "audit_key_this").Policy).Statement[1:] {
			if !reflect.DeepEqual(s.Principal, map[string]any{"Service": "cloudtrail.amazonaws.com"}) || !reflect.DeepEqual(s.Action, []any{"kms:GenerateDataKey*", "kms:DescribeKey"}) || s.Condition["ArnLike"]["aws:SourceArn"] != arn {
				t.Errorf("got %+v", s)
			}
		}
	})
}

func TestSingletons(t *testing.T) {
	template, _ := singletonStack(t, wholeAccount)
	r := template.Resource

	t.Run("let APIs write logs", func(t *testing.T) {
		got := synth.Get[struct {
			Role      string   `json:"cloudwatch_role_arn"`
			DependsOn []string `json:"depends_on"`
		}](t, r, "aws_api_gateway_account", "gateway_logs_this")
		if !strings.HasPrefix(got.Role, "${aws_iam_role.gateway_logs_role") || len(got.DependsOn) != 1 {
			t.Errorf("got %+v", got)
		}
		if got := getRole(t, template, "gateway_logs_role"); !strings.HasPrefix(got.Boundary, "${aws_iam_policy.boundary_this") {
			t.Errorf("got %+v", got)
		}
		if got := attached(t, template, "gateway_logs_policy"); got != "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("look for attackers", func(t *testing.T) {
		if got := synth.Get[struct{ Enable bool }](t, r, "aws_guardduty_detector", "detector_this"); !got.Enable {
			t.Errorf("got %+v", got)
		}
		for _, feature := range []string{"S3_DATA_EVENTS", "LAMBDA_NETWORK_LOGS"} {
			if got := synth.Get[struct{ Name, Status string }](t, r, "aws_guardduty_detector_feature", "detector_"+feature); got.Name != feature || got.Status != "ENABLED" {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("write down every change of resources, in order", func(t *testing.T) {
		recorder := synth.Get[struct {
			Group struct {
				All    bool `json:"all_supported"`
				Global bool `json:"include_global_resource_types"`
			} `json:"recording_group"`
			DependsOn []string `json:"depends_on"`
		}](t, r, "aws_config_configuration_recorder", "recorder_this")
		channel := synth.Get[struct {
			Key string `json:"s3_kms_key_arn"`
		}](t, r, "aws_config_delivery_channel", "recorder_channel")
		status := synth.Get[struct {
			Enabled   bool     `json:"is_enabled"`
			DependsOn []string `json:"depends_on"`
		}](t, r, "aws_config_configuration_recorder_status", "recorder_status")
		if !recorder.Group.All || !recorder.Group.Global || len(recorder.DependsOn) != 1 || !strings.HasPrefix(channel.Key, "${aws_kms_key.audit_key_this") ||
			!status.Enabled || !strings.HasPrefix(status.DependsOn[0], "aws_config_delivery_channel.recorder_channel") {
			t.Errorf("got %+v, %+v, %+v", recorder, channel, status)
		}
	})
	t.Run("let Config see what the platform's roles may not", func(t *testing.T) {
		if got := getRole(t, template, "recorder_role_this"); got.Boundary != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("grant Config its own bucket and key", func(t *testing.T) {
		const bucket, key = "${aws_s3_bucket.recorder_bucket_this.arn}", "${aws_kms_key.audit_key_this.arn}"
		want := []synth.Grant{
			{Actions: []string{"s3:PutObject", "s3:AbortMultipartUpload"}, Resource: bucket + "/*"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: key},
			{Actions: []string{"kms:Decrypt"}, Resource: key},
			{Actions: []string{"s3:GetBucketAcl", "s3:ListBucket"}, Resource: bucket},
		}
		if got := synth.Grants(t, r, "recorder_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("leave the lake's tables to IAM", func(t *testing.T) {
		type defaults struct {
			Permissions []string
			Principal   string
		}
		got := synth.Get[struct {
			Admins    []string
			Databases []defaults `json:"create_database_default_permissions"`
			Tables    []defaults `json:"create_table_default_permissions"`
		}](t, r, "aws_lakeformation_data_lake_settings", "data_lake_this")
		want := []defaults{{[]string{"ALL"}, "IAM_ALLOWED_PRINCIPALS"}}
		if !slices.Equal(got.Admins, wholeAccount.GrantAdmins) || !reflect.DeepEqual(got.Databases, want) || !reflect.DeepEqual(got.Tables, want) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("are left out one by one", func(t *testing.T) {
		a := wholeAccount
		a.Manage, a.GrantAdmins, a.Payer, a.BillTags, a.AnomalyUSD = stacks.Singletons{}, nil, false, false, 0
		template, _ := singletonStack(t, a)
		if len(template.Resource) != 0 {
			t.Errorf("got %v", template.Resource)
		}
		for kind, set := range map[string]func(*stacks.AccountSettings){
			"aws_cloudtrail":                    func(a *stacks.AccountSettings) { a.Manage.Trail = true },
			"aws_api_gateway_account":           func(a *stacks.AccountSettings) { a.Manage.GatewayLogs = true },
			"aws_guardduty_detector":            func(a *stacks.AccountSettings) { a.Manage.Detector = true },
			"aws_config_configuration_recorder": func(a *stacks.AccountSettings) { a.Manage.Recorder = true },
			"aws_lakeformation_data_lake_settings": func(a *stacks.AccountSettings) {
				a.Manage.DataLake, a.GrantAdmins = true, wholeAccount.GrantAdmins
			},
			"aws_ce_anomaly_monitor": func(a *stacks.AccountSettings) { a.Payer = true },
		} {
			one := a
			set(&one)
			template, _ := singletonStack(t, one)
			for _, singleton := range []string{"aws_cloudtrail", "aws_api_gateway_account", "aws_guardduty_detector", "aws_config_configuration_recorder", "aws_lakeformation_data_lake_settings", "aws_ce_anomaly_monitor"} {
				if n := len(template.Resource[singleton]); (n == 1) != (singleton == kind) {
					t.Errorf("with %s: got %d %s", kind, n, singleton)
				}
			}
		}
	})
}

func TestCosts(t *testing.T) {
	template, _ := singletonStack(t, wholeAccount)
	r := template.Resource
	t.Run("are tagged by project and environment", func(t *testing.T) {
		for _, tag := range []string{"project", "environment"} {
			if got := synth.Get[struct {
				Key    string `json:"tag_key"`
				Status string
			}](t, r, "aws_ce_cost_allocation_tag", "costs_"+tag+"_tag"); got.Key != tag || got.Status != "Active" {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("fall to an environment, or are shared", func(t *testing.T) {
		got := synth.Get[struct {
			Default string `json:"default_value"`
			Rule    []struct {
				Value string
				Rule  struct {
					Tags struct {
						Key    string
						Values []string
					}
				}
			}
		}](t, r, "aws_ce_cost_category", "costs_category")
		if got.Default != "shared" || len(got.Rule) != 2 {
			t.Fatalf("got %+v", got)
		}
		for i, environment := range wholeAccount.Environments {
			if rule := got.Rule[i]; rule.Value != environment || rule.Rule.Tags.Key != "environment" || !slices.Equal(rule.Rule.Tags.Values, []string{environment}) {
				t.Errorf("got %+v", rule)
			}
		}
	})
	t.Run("tell somebody when they grow unlike before", func(t *testing.T) {
		got := synth.Get[struct {
			Monitors   []string `json:"monitor_arn_list"`
			Subscriber []struct{ Type, Address string }
			Threshold  struct {
				Dimension struct {
					Key    string
					Values []string
				}
			} `json:"threshold_expression"`
		}](t, r, "aws_ce_anomaly_subscription", "costs_subscription")
		if !strings.HasPrefix(got.Monitors[0], "${aws_ce_anomaly_monitor.costs_monitor") || got.Subscriber[0].Type != "EMAIL" || got.Subscriber[0].Address != "${var.cost_email}" ||
			got.Threshold.Dimension.Key != "ANOMALY_TOTAL_IMPACT_ABSOLUTE" || !slices.Equal(got.Threshold.Dimension.Values, []string{"250"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("activate no tag before the bill knows it", func(t *testing.T) {
		a := wholeAccount
		a.BillTags = false
		template, _ := singletonStack(t, a)
		if n := len(template.Resource["aws_ce_cost_allocation_tag"]); n != 0 {
			t.Errorf("got %d tags", n)
		}
	})
}

func TestAccountStacksPassTheGuardrails(t *testing.T) {
	for _, a := range []stacks.AccountSettings{wholeAccount, stacks.DevAccount, stacks.StagingAccount, stacks.ProdAccount} {
		_, bootstrap := bootstrapStack(t, a)
		_, singletons := singletonStack(t, a)
		for kind, b := range map[string][]byte{"bootstrap": bootstrap, "account": singletons} {
			t.Run(kind+"-"+a.Name, func(t *testing.T) {
				if err := guardrails.Check(b, guardrails.Options{Protect: a.Protect, Exceptions: guardrails.Exceptions}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAccountSettingsReportEveryProblem(t *testing.T) {
	for _, c := range []struct {
		settings stacks.AccountSettings
		want     []string
	}{
		{
			stacks.AccountSettings{Name: "Dev!", Account: "1", Region: "x", ReplicaRegion: "x", Repository: "shop/*", Protect: true, DeleteData: true,
				KeepImages: 1, TrailDays: 90, GrantAdmins: []string{"*"}, BillTags: true, AnomalyUSD: -1},
			[]string{`account "Dev!"`, "Name must be 1 to 16", `Account must be 12 digits, got "1"`, "Region must be a region", "ReplicaRegion must be a region", "ReplicaRegion must differ",
				"Environments is required", `Repository must be OWNER/NAME or OWNER@ID/NAME@ID, got "shop/*"`, "DeleteData must be false where Protect is true", "KeepImages must be 2 to 1000, got 1",
				"TrailDays must be 91 to 3650, got 90", "GrantAdmins and Manage.DataLake go together", `GrantAdmins must hold ARNs of IAM roles or users, got "*"`, "BillTags needs Payer", "AnomalyUSD needs Payer", "AnomalyUSD must be 0 to 1000000, got -1"},
		},
		{
			stacks.AccountSettings{Environments: []string{"prod", "prod-eu", "State", "state", "account-x"}},
			[]string{`both "prod" and "prod-eu": one begins the other`, `must hold names of environments, got "State"`, `must not hold "state": "state" is the account's`, `must not hold "account-x": "account" is the account's`},
		},
	} {
		_, bootstrap := stacks.NewBootstrap(nil, c.settings)
		_, singletons := stacks.NewAccount(nil, c.settings)
		for _, err := range []error{bootstrap, singletons} {
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		}
	}
}

func TestAccountConstructsReportEveryBadProp(t *testing.T) {
	_, state := delivery.NewState(nil, "state", delivery.StateProps{Protect: true, DeleteObjects: true})
	_, github := delivery.NewGitHub(nil, "github", delivery.GitHubProps{})
	_, images := delivery.NewImages(nil, "images", delivery.ImagesProps{Keep: 1, Protect: true, DeleteObjects: true})
	_, ci := delivery.NewCI(nil, "ci", delivery.CIProps{Repository: "*/*"})
	_, trail := account.NewTrail(nil, "trail", account.TrailProps{Unwatched: []string{"logs-"}, RetentionDays: 90, Protect: true, DeleteObjects: true})
	_, gateway := account.NewGatewayLogs(nil, "gateway", account.GatewayLogsProps{})
	_, costs := account.NewCosts(nil, "costs", account.CostsProps{AnomalyUSD: -1})
	_, recorder := account.NewRecorder(nil, "recorder", account.RecorderProps{RetentionDays: 90, Protect: true, DeleteObjects: true})
	_, lake := account.NewDataLake(nil, "lake", account.DataLakeProps{})
	for _, c := range []struct {
		err  error
		want []string
	}{
		{state, []string{`state "state"`, "Account.ID is required", "Account.Region is required", "DeleteObjects must be false where Protect is true"}},
		{github, []string{`github "github"`, "Account.ID is required"}},
		{images, []string{`images "images"`, "Name is required", "Key is required", "Keep must be 2 to 1000, got 1", "DeleteObjects must be false where Protect is true"}},
		{ci, []string{`ci "ci"`, "Account.ID is required", "Account.Region is required", "Stack is required", "GitHub is required", "State is required", `got "*/*"`, "Stack must be letters"}},
		{trail, []string{`trail "trail"`, "Name is required", "Account.ID is required", "Account.Region is required", "Bucket is required", "Key is required", "Watched is required with Unwatched", "RetentionDays must be 91 to 3650, got 90", "DeleteObjects must be false"}},
		{gateway, []string{`gateway logs "gateway"`, "Name is required", "Boundary is required"}},
		{costs, []string{`costs "costs"`, "Name is required", "Environments is required", "Email is required", "AnomalyUSD must be 1 to 1000000, got -1"}},
		{recorder, []string{`recorder "recorder"`, "Name is required", "Bucket is required", "Key is required", "RetentionDays must be 91 to 3650, got 90", "DeleteObjects must be false"}},
		{lake, []string{`data lake "lake"`, "Admins is required"}},
	} {
		for _, want := range c.want {
			if c.err == nil || !strings.Contains(c.err.Error(), want) {
				t.Errorf("got %v, want %q in it", c.err, want)
			}
		}
	}
}
