package test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/test/synth"
)

// alerts is a topic that encrypts nothing.
type alerts struct{}

const alertsARN = "arn:aws:sns:eu-west-1:123456789012:alerts"

func (alerts) ARN() *string { return jsii.String(alertsARN) }

func (a alerts) GrantPublish(role *security.Role) { role.Allow(a.ARN(), "sns:Publish") }

const (
	alice  = "arn:aws:iam::123456789012:user/alice"
	center = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Data_0123456789abcdef"
)

func newPeople(t *testing.T, scope cdktf.TerraformStack, topic security.Alerts) *security.People {
	t.Helper()
	edge := provider.NewAwsProvider(scope, jsii.String("edge"), &provider.AwsProviderConfig{Region: jsii.String("us-east-1"), Alias: jsii.String("edge")})
	people, err := security.NewPeople(scope, "people", security.PeopleProps{
		Prefix: "test-", Account: testAccount, Alerts: topic, Edge: edge,
		Operators: []string{alice, center}, Analysts: []string{center}, PrivacyOfficers: []string{alice}, Redrivers: []string{alice}, BreakGlass: []string{alice},
	})
	if err != nil {
		t.Fatal(err)
	}
	return people
}

type role struct {
	Name, Trust, Boundary string
	Seconds               int
}

func getRole(t *testing.T, template synth.Template, name string) role {
	t.Helper()
	got := synth.Get[struct {
		Name     string
		Trust    string `json:"assume_role_policy"`
		Boundary string `json:"permissions_boundary"`
		Seconds  int    `json:"max_session_duration"`
	}](t, template.Resource, "aws_iam_role", name)
	return role{got.Name, got.Trust, got.Boundary, got.Seconds}
}

func newBoundary(t *testing.T, scope cdktf.TerraformStack) {
	t.Helper()
	if _, err := security.NewBoundary(scope, security.BoundaryProps{Prefix: "test-", Account: testAccount, Regions: []string{"eu-central-1"}}); err != nil {
		t.Fatal(err)
	}
}

func TestPeople(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newBoundary(t, scope)
		c := newCatalog(t, scope)
		people := newPeople(t, scope, alerts{})
		c.events.GrantRead(people.Analyst)
		c.bucket.GrantErase(people.PrivacyOfficer)
		return nil
	})
	r := template.Resource

	t.Run("give a second factor: IAM users here, Identity Center's at its sign-in", func(t *testing.T) {
		s := decodePolicy(t, getRole(t, template, "people_operator_this").Trust).Statement
		if len(s) != 2 || !reflect.DeepEqual(s[0].Principal, map[string]any{"AWS": []any{alice}}) || s[0].Condition["Bool"]["aws:MultiFactorAuthPresent"] != "true" ||
			!reflect.DeepEqual(s[1].Principal, map[string]any{"AWS": []any{center}}) || s[1].Condition != nil {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("are whom the values name, for as long as the values say, within the boundary", func(t *testing.T) {
		for name, want := range map[string]string{"operator": "test-operator", "analyst": "test-analyst", "privacy_officer": "test-privacy-officer", "redrive": "test-redrive"} {
			got := getRole(t, template, "people_"+name+"_this")
			if got.Name != want || got.Seconds != 4*3600 || !strings.HasPrefix(got.Boundary, "${aws_iam_policy.boundary_this") {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		s := decodePolicy(t, getRole(t, template, "people_analyst_this").Trust).Statement
		if len(s) != 1 || !reflect.DeepEqual(s[0].Principal, map[string]any{"AWS": []any{center}}) {
			t.Errorf("got analysts %+v", s)
		}
	})
	t.Run("watch as operators, and change nothing", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"}, Resource: "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*"},
			{Actions: []string{"cloudwatch:GetDashboard"}, Resource: "arn:aws:cloudwatch::123456789012:dashboard/*"},
			{Actions: []string{"logs:DescribeLogGroups"}, Resource: "arn:aws:logs:eu-west-1:123456789012:log-group:*"},
			{Actions: []string{"ecs:DescribeServices"}, Resource: "arn:aws:ecs:eu-west-1:123456789012:service/test-*"},
			{Actions: []string{"ecs:DescribeTasks"}, Resource: "arn:aws:ecs:eu-west-1:123456789012:task/test-*"},
			{Actions: []string{"firehose:DescribeDeliveryStream"}, Resource: "arn:aws:firehose:eu-west-1:123456789012:deliverystream/test-*"},
			{Actions: []string{"kinesis:DescribeStreamSummary"}, Resource: "arn:aws:kinesis:eu-west-1:123456789012:stream/test-*"},
			{Actions: []string{"scheduler:GetSchedule"}, Resource: "arn:aws:scheduler:eu-west-1:123456789012:schedule/*/test-*"},
			{Actions: []string{"application-autoscaling:DescribeScalingActivities", "backup:ListBackupJobs", "backup:ListCopyJobs",
				"cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:ListDashboards", "cloudwatch:ListMetrics",
				"ecs:ListTasks", "lambda:GetAccountSettings", "scheduler:ListSchedules",
				"logs:GetQueryResults", "logs:StopQuery", "xray:BatchGetTraces", "xray:GetServiceGraph", "xray:GetTraceSummaries"}, Resource: "*"},
		}
		if got := synth.Grants(t, r, "people_operator_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("do no more than they are granted", func(t *testing.T) {
		for _, grant := range synth.Grants(t, r, "people_analyst_policy") {
			if strings.Contains(grant.Resource, "aws_s3_bucket") && slices.Contains(grant.Actions, "s3:GetObject") && grant.Resource != "${aws_s3_bucket.bucket_this.arn}/events/*" {
				t.Errorf("analysts: got %v", grant)
			}
		}
		want := []synth.Grant{
			{Actions: []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:PutObject"}, Resource: "${aws_s3_bucket.bucket_this.arn}/*"},
			{Actions: []string{"s3:ListBucketVersions"}, Resource: "${aws_s3_bucket.bucket_this.arn}"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, r, "people_privacy_officer_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("privacy officers: got %v, want %v", got, want)
		}
	})
}

func TestBreakGlass(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newBoundary(t, scope)
		newPeople(t, scope, alerts{})
		return nil
	})
	r := template.Resource

	t.Run("may do everything, for an hour, with a second factor", func(t *testing.T) {
		got := getRole(t, template, "people_break_glass_this")
		s := decodePolicy(t, got.Trust).Statement
		if got.Name != "test-break-glass" || got.Seconds != 3600 || got.Boundary != "" || len(s) != 1 || s[0].Condition["Bool"]["aws:MultiFactorAuthPresent"] != "true" {
			t.Errorf("got %+v", got)
		}
		attached := synth.Get[struct {
			Policy string `json:"policy_arn"`
		}](t, r, "aws_iam_role_policy_attachment", "people_break_glass_admin")
		if attached.Policy != "arn:aws:iam::aws:policy/AdministratorAccess" {
			t.Errorf("got %q", attached.Policy)
		}
	})

	type rule struct{ Name, Pattern, Provider string }
	getRule := func(t *testing.T, name string) rule {
		got := synth.Get[struct {
			Name, Provider string
			Pattern        string `json:"event_pattern"`
		}](t, r, "aws_cloudwatch_event_rule", "people_break_glass_"+name)
		return rule{got.Name, got.Pattern, got.Provider}
	}
	type target struct {
		ARN, Rule, Provider string
		Role                string `json:"role_arn"`
	}
	getTarget := func(t *testing.T, name string) target {
		return synth.Get[target](t, r, "aws_cloudwatch_event_target", "people_break_glass_"+name+"_target")
	}
	t.Run("is told to people whenever it is assumed", func(t *testing.T) {
		var pattern struct {
			Source []string
			Detail struct {
				Name       []string `json:"eventName"`
				Parameters struct {
					Role []string `json:"roleArn"`
				} `json:"requestParameters"`
			}
		}
		rule := getRule(t, "alarm")
		if err := json.Unmarshal([]byte(rule.Pattern), &pattern); err != nil {
			t.Fatal(err)
		}
		if pattern.Source[0] != "aws.sts" || pattern.Detail.Name[0] != "AssumeRole" || pattern.Detail.Parameters.Role[0] != "arn:aws:iam::123456789012:role/test-break-glass" || rule.Provider != "" {
			t.Errorf("got %+v", rule)
		}
		if got := getTarget(t, "alarm"); got.ARN != alertsARN || !strings.HasPrefix(got.Rule, "${aws_cloudwatch_event_rule.people_break_glass_alarm") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is told from us-east-1 too, where the console assumes roles", func(t *testing.T) {
		const bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
		rule, target := getRule(t, "edge"), getTarget(t, "edge")
		if rule.Provider != "aws.edge" || rule.Pattern != getRule(t, "alarm").Pattern || target.Provider != "aws.edge" || target.ARN != bus {
			t.Errorf("got %+v, %+v", rule, target)
		}
	})
	t.Run("is told in a role, for EventBridge names itself to no topic", func(t *testing.T) {
		for _, name := range []string{"alarm", "edge"} {
			if got := getTarget(t, name); !strings.HasPrefix(got.Role, "${aws_iam_role.people_break_glass_alarm_role_this") {
				t.Errorf("got %+v", got)
			}
		}
		want := []synth.Grant{
			{Actions: []string{"sns:Publish"}, Resource: alertsARN},
			{Actions: []string{"events:PutEvents"}, Resource: "arn:aws:events:eu-west-1:123456789012:event-bus/default"},
		}
		if got := synth.Grants(t, r, "people_break_glass_alarm_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestFailuresShowRecordsToWhoReceivesThemAndNotToWhoMovesMessages(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		bucket, err := lake.NewBucket(scope, "failed", lake.BucketProps{Name: "failed", Key: key})
		if err != nil {
			return err
		}
		failures, err := stream.NewFailures(scope, "failures", stream.FailuresProps{Name: "failures", Account: testAccount, Key: key, Bucket: bucket})
		if err != nil {
			return err
		}
		failures.GrantRedrive(newRole(t, scope, "operator"))
		failures.GrantReceive(newRole(t, scope, "redrive"))
		return nil
	})
	want := []synth.Grant{
		{Actions: []string{"sqs:CancelMessageMoveTask", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListMessageMoveTasks",
			"sqs:ReceiveMessage", "sqs:StartMessageMoveTask"}, Resource: "${aws_sqs_queue.failures_dlq.arn}"},
		{Actions: []string{"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"}, Resource: "${aws_sqs_queue.failures_queue.arn}"},
		{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
		{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
	}
	if got := synth.Grants(t, template.Resource, "operator_policy"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	received := []synth.Grant{
		{Actions: []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"}, Resource: "${aws_sqs_queue.failures_queue.arn}"},
		{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		{Actions: []string{"s3:GetObject"}, Resource: "${aws_s3_bucket.failed_this.arn}/*"},
		{Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: "${aws_s3_bucket.failed_this.arn}"},
		{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
	}
	if got := synth.Grants(t, template.Resource, "redrive_policy"); !reflect.DeepEqual(got, received) {
		t.Errorf("got %v, want %v", got, received)
	}
}

func TestBoundary(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newRole(t, scope, "before")
		newBoundary(t, scope)
		newRole(t, cdktf.TerraformStack_Of(scope), "after")
		for _, service := range []string{"firehose", "backup"} {
			if _, err := security.NewRole(scope, service, security.RoleProps{Name: service, AssumedBy: service + ".amazonaws.com"}); err != nil {
				return err
			}
		}
		return nil
	})
	policy := decodePolicyLists(t, synth.Get[struct{ Name, Policy string }](t, template.Resource, "aws_iam_policy", "boundary_this").Policy)

	t.Run("holds every role that is defined after it", func(t *testing.T) {
		if got := getRole(t, template, "after_this"); !strings.HasPrefix(got.Boundary, "${aws_iam_policy.boundary_this") {
			t.Errorf("got %+v", got)
		}
		if got := getRole(t, template, "before_this"); got.Boundary != "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("has services take roles for its account alone, where they tell for which", func(t *testing.T) {
		for name, key := range map[string]string{"after": "aws:SourceAccount", "firehose": "sts:ExternalId"} {
			s := decodePolicy(t, getRole(t, template, name+"_this").Trust).Statement
			if want := map[string]map[string]string{"StringEquals": {key: testAccount.ID}}; !reflect.DeepEqual(s[0].Condition, want) {
				t.Errorf("%s: got %v, want %v", name, s[0].Condition, want)
			}
		}
		for _, name := range []string{"before", "backup"} {
			if s := decodePolicy(t, getRole(t, template, name+"_this").Trust).Statement; s[0].Condition != nil {
				t.Errorf("%s: got %v, want none", name, s[0].Condition)
			}
		}
	})
	t.Run("leaves no way to more rights", func(t *testing.T) {
		for _, s := range policy {
			for _, action := range s.Action {
				service, _, _ := strings.Cut(action, ":")
				if s.Effect == "Allow" && slices.Contains([]string{"*", "iam", "organizations", "account", "cloudtrail"}, service) && action != "iam:PassRole" {
					t.Errorf("allows %s", action)
				}
				if action == "iam:PassRole" && s.Resource != "arn:aws:iam::123456789012:role/test-*" {
					t.Errorf("passes %s", s.Resource)
				}
			}
		}
	})
	t.Run("keeps data and what guards it", func(t *testing.T) {
		denied := policy[2]
		if denied.Effect != "Deny" || denied.Condition != nil || denied.Resource != "*" {
			t.Fatalf("got %+v", denied)
		}
		for _, action := range []string{"dynamodb:DeleteTable", "kinesis:DeleteStream", "kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "logs:DeleteLogGroup", "s3:DeleteBucket*",
			"s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration", "secretsmanager:DeleteSecret"} {
			if !slices.Contains(denied.Action, action) {
				t.Errorf("does not deny %s", action)
			}
		}
	})
	t.Run("holds roles in their regions", func(t *testing.T) {
		got := policy[3]
		if want := []string{"eu-west-1", "us-east-1", "eu-central-1"}; got.Effect != "Deny" || !slices.Contains(got.Action, "*") || !reflect.DeepEqual(got.Condition["StringNotEquals"]["aws:RequestedRegion"], want) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("fits into a managed policy", func(t *testing.T) {
		if n := len(synth.Get[struct{ Policy string }](t, template.Resource, "aws_iam_policy", "boundary_this").Policy); n > 6144 {
			t.Errorf("got %d characters, IAM takes 6144", n)
		}
	})
}

// boundaryStatement is a statement whose actions and conditions are lists.
type boundaryStatement struct {
	Effect, Resource string
	Action           []string
	Condition        map[string]map[string][]string
}

func decodePolicyLists(t *testing.T, text string) (statements []boundaryStatement) {
	t.Helper()
	for _, s := range decodeStatements(t, text) {
		var b boundaryStatement
		var action any
		for name, into := range map[string]any{"Effect": &b.Effect, "Resource": &b.Resource, "Action": &action, "Condition": &b.Condition} {
			if s[name] == nil {
				continue
			}
			if err := json.Unmarshal(s[name], into); err != nil {
				t.Fatal(err)
			}
		}
		switch action := action.(type) {
		case string:
			b.Action = []string{action}
		case []any:
			for _, a := range action {
				b.Action = append(b.Action, a.(string))
			}
		}
		statements = append(statements, b)
	}
	return statements
}

func decodeStatements(t *testing.T, text string) []map[string]json.RawMessage {
	t.Helper()
	var policy struct{ Statement []map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatalf("decode policy: %v\n%s", err, text)
	}
	return policy.Statement
}

func TestSecret(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		key := newKey(t, scope)
		kept, err := security.NewSecret(scope, "kept", security.SecretProps{Name: "kept", Description: "opens all", Key: key, Protect: true})
		if err != nil {
			return err
		}
		kept.GrantRead(newRole(t, scope, "reader"))
		_, err = security.NewSecret(scope, "passing", security.SecretProps{
			Name: "passing", Description: "opens nothing", Key: key, DeleteAtOnce: true, Value: jsii.String("${var.value}"), ValueVersion: 2,
		})
		return err
	})
	r := template.Resource
	type secret struct {
		Days      int    `json:"recovery_window_in_days"`
		Key       string `json:"kms_key_id"`
		Lifecycle struct {
			Prevent bool `json:"prevent_destroy"`
		}
	}
	t.Run("is encrypted, and its deletion can be undone for 30 days", func(t *testing.T) {
		got := synth.Get[secret](t, r, "aws_secretsmanager_secret", "kept_this")
		if got.Days != 30 || !got.Lifecycle.Prevent || !strings.HasPrefix(got.Key, "${aws_kms_key.key_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is gone at once where a value says so", func(t *testing.T) {
		if got := synth.Get[secret](t, r, "aws_secretsmanager_secret", "passing_this"); got.Days != 0 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("leaves a value that it has not to others, and one that it has out of Terraform's state", func(t *testing.T) {
		versions := r["aws_secretsmanager_secret_version"]
		got := synth.Get[map[string]any](t, r, "aws_secretsmanager_secret_version", "passing_value")
		if len(versions) != 1 || got["secret_string_wo"] != "${var.value}" || got["secret_string_wo_version"] != 2.0 || got["secret_string"] != nil {
			t.Errorf("got %v of %d versions", got, len(versions))
		}
	})
	t.Run("grants readers the value and the key", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}, Resource: "${aws_secretsmanager_secret.kept_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, r, "reader_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// resource is something that Shield can protect.
type resource string

func (r resource) ARN() *string { return jsii.String(string(r)) }

func TestShield(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		err := security.NewShield(scope, "shield", security.ShieldProps{Name: "test", Distribution: resource("distribution-arn"), LoadBalancer: resource("balancer-arn"), Subscribe: true})
		if err != nil {
			return err
		}
		return security.NewShield(scope, "small", security.ShieldProps{Name: "small", Distribution: resource("distribution-arn")})
	})
	r := template.Resource
	t.Run("protects what it can, once the account is subscribed", func(t *testing.T) {
		for name, arn := range map[string]string{"distribution": "distribution-arn", "load_balancer": "balancer-arn"} {
			got := synth.Get[struct {
				Resource  string   `json:"resource_arn"`
				DependsOn []string `json:"depends_on"`
			}](t, r, "aws_shield_protection", "shield_"+name)
			if got.Resource != arn || len(got.DependsOn) != 1 || !strings.HasPrefix(got.DependsOn[0], "aws_shield_subscription.shield_subscription") {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("subscribes to nothing by default", func(t *testing.T) {
		if len(r["aws_shield_subscription"]) != 1 || len(r["aws_shield_protection"]) != 3 {
			t.Errorf("got %d subscriptions, %d protections", len(r["aws_shield_subscription"]), len(r["aws_shield_protection"]))
		}
	})
}

func TestSecurityReportsEveryBadProp(t *testing.T) {
	_, people := security.NewPeople(nil, "people", security.PeopleProps{Analysts: []string{"arn:aws:iam::123456789012:root"}})
	_, boundary := security.NewBoundary(nil, security.BoundaryProps{})
	_, secret := security.NewSecret(nil, "secret", security.SecretProps{Protect: true, DeleteAtOnce: true})
	shield := security.NewShield(nil, "shield", security.ShieldProps{})
	for _, c := range []struct {
		err  error
		want []string
	}{
		{people, []string{`people "people"`, "Prefix is required", "Account.ID is required", "Account.Region is required", "Alerts is required", "Edge is required outside us-east-1",
			"Operators is required", "PrivacyOfficers is required", "Redrivers is required", "BreakGlass is required", `Analysts must hold ARNs of IAM users or of Identity Center's roles, got "arn:aws:iam::123456789012:root"`}},
		{boundary, []string{"boundary: ", "Prefix is required", "Account.ID is required", "Account.Region is required"}},
		{secret, []string{`secret "secret"`, "Name is required", "Description is required", "Key is required", "DeleteAtOnce must be false where Protect is true"}},
		{shield, []string{`shield "shield"`, "Name is required", "Distribution or LoadBalancer is required"}},
	} {
		for _, want := range c.want {
			if c.err == nil || !strings.Contains(c.err.Error(), want) {
				t.Errorf("got %v, want %q in it", c.err, want)
			}
		}
	}
}
