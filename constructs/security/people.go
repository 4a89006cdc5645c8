package security

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicyattachment"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// PeopleProps configures People. Who may take a role is a list of ARNs: of IAM
// users, who must have given a second factor, or of IAM Identity Center's roles
// (…:role/aws-reserved/sso.amazonaws.com/…), which asked for it at sign-in: AWS
// does not pass that on.
type PeopleProps struct {
	Prefix          string   // required; begins the roles' names, such as shopstream-prod-; at most 40 characters
	Account         Account  // required
	Operators       []string // required; watch and operate
	Analysts        []string // required; query
	PrivacyOfficers []string // required; look into the quarantine and erase
	Redrivers       []string // required; let stored events and failures enter again
	BreakGlass      []string // required; may do everything, and be seen
	Alerts          Alerts   // required; told whenever break-glass is assumed

	Edge cdktf.TerraformProvider // of us-east-1, where the console assumes roles; required in other regions
}

var assumerFormat = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(user/.+|role/aws-reserved/sso\.amazonaws\.com/.+)$`)

func (p PeopleProps) validate() error {
	errs := []error{
		check.Required("Prefix", p.Prefix != ""),
		check.Between("length of Prefix", len(p.Prefix), 1, 40),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
		check.Required("Alerts", p.Alerts != nil),
		check.That(p.Account.Region == edgeRegion || p.Edge != nil, "Edge is required outside %s", edgeRegion),
	}
	for _, group := range []struct {
		field string
		arns  []string
	}{{"Operators", p.Operators}, {"Analysts", p.Analysts}, {"PrivacyOfficers", p.PrivacyOfficers}, {"Redrivers", p.Redrivers}, {"BreakGlass", p.BreakGlass}} {
		errs = append(errs, ValidateAssumers(group.field, group.arns))
	}
	return errors.Join(errs...)
}

// ValidateAssumers holds those who may take a role to what People says of them.
func ValidateAssumers(field string, arns []string) error {
	errs := []error{check.Required(field, len(arns) > 0)}
	for _, arn := range arns {
		errs = append(errs, check.That(assumerFormat.MatchString(arn),
			"%s must hold ARNs of IAM users or of Identity Center's roles, got %q", field, arn))
	}
	return errors.Join(errs...)
}

// People are the roles that people take, each with a second factor. What holds
// data grants it to them, as to any other role.
//
//	People
//	├── operator          Role: metrics, alarms, traces, settings of what has the Prefix
//	├── analyst           Role
//	├── privacy_officer   Role
//	├── redrive           Role
//	└── break_glass       aws_iam_role with AWS's AdministratorAccess, unbounded, and the alarm that it was assumed
type People struct {
	Operator, Analyst, PrivacyOfficer, Redrive *Role
}

// NewPeople defines People in scope.
func NewPeople(scope constructs.Construct, id string, p PeopleProps) (*People, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("people %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	boundary, _ := boundaryOf(scope)
	role := func(id, name string, assumers []string) *Role {
		return newRole(constructs.NewConstruct(scope, &id), &iamrole.IamRoleConfig{
			Name:                jsii.String(p.Prefix + name),
			AssumeRolePolicy:    Policy(assumedBy(assumers)...),
			MaxSessionDuration:  jsii.Number(4 * 3600),
			PermissionsBoundary: boundary,
		})
	}
	people := &People{
		Operator:       role("operator", "operator", p.Operators),
		Analyst:        role("analyst", "analyst", p.Analysts),
		PrivacyOfficer: role("privacy_officer", "privacy-officer", p.PrivacyOfficers),
		Redrive:        role("redrive", "redrive", p.Redrivers),
	}
	people.watch(p.Account, p.Prefix)
	return people, newBreakGlass(scope, p)
}

// watch lets operators see the account's alarms, metrics, jobs, logs' names and
// traces, and how what has the prefix is set. What a log group holds, it grants.
func (p *People) watch(account Account, prefix string) {
	at := account.Region + ":" + account.ID + ":"
	p.Operator.Allow(jsii.String("arn:aws:cloudwatch:"+at+"alarm:*"), "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory")
	p.Operator.Allow(jsii.String("arn:aws:cloudwatch::"+account.ID+":dashboard/*"), "cloudwatch:GetDashboard")
	p.Operator.Allow(jsii.String("arn:aws:logs:"+at+"log-group:*"), "logs:DescribeLogGroups")
	for _, resource := range []struct{ arn, action string }{
		{"ecs:" + at + "service/", "ecs:DescribeServices"},
		{"ecs:" + at + "task/", "ecs:DescribeTasks"},
		{"firehose:" + at + "deliverystream/", "firehose:DescribeDeliveryStream"},
		{"kinesis:" + at + "stream/", "kinesis:DescribeStreamSummary"},
		{"scheduler:" + at + "schedule/*/", "scheduler:GetSchedule"},
	} {
		p.Operator.Allow(jsii.String("arn:aws:"+resource.arn+prefix+"*"), resource.action)
	}
	p.Operator.Allow(jsii.String("*"), // these know no resources
		"application-autoscaling:DescribeScalingActivities", "backup:ListBackupJobs", "backup:ListCopyJobs",
		"cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:ListDashboards", "cloudwatch:ListMetrics",
		"ecs:ListTasks", "lambda:GetAccountSettings", "scheduler:ListSchedules",
		"logs:GetQueryResults", "logs:StopQuery", "xray:BatchGetTraces", "xray:GetServiceGraph", "xray:GetTraceSummaries")
}

// assumedBy is the trust of a role that people take.
func assumedBy(arns []string) (trust []Statement) {
	var users, roles []string
	for _, arn := range arns {
		if strings.Contains(arn, ":user/") {
			users = append(users, arn)
		} else {
			roles = append(roles, arn)
		}
	}
	if len(users) > 0 {
		trust = append(trust, Statement{
			Sid: "Users", Effect: "Allow", Principal: map[string][]string{"AWS": users}, Action: "sts:AssumeRole",
			Condition: map[string]any{"Bool": map[string]string{"aws:MultiFactorAuthPresent": "true"}},
		})
	}
	if len(roles) > 0 {
		trust = append(trust, Statement{
			Sid: "IdentityCenter", Effect: "Allow", Principal: map[string][]string{"AWS": roles}, Action: "sts:AssumeRole",
		})
	}
	return trust
}

// newBreakGlass defines the role for the day on which nothing else helps.
func newBreakGlass(scope constructs.Construct, p PeopleProps) error {
	scope = constructs.NewConstruct(scope, jsii.String("break_glass"))
	role := iamrole.NewIamRole(scope, jsii.String("this"), &iamrole.IamRoleConfig{
		Name:               jsii.String(p.Prefix + "break-glass"),
		AssumeRolePolicy:   Policy(assumedBy(p.BreakGlass)...),
		MaxSessionDuration: jsii.Number(3600),
	})
	iamrolepolicyattachment.NewIamRolePolicyAttachment(scope, jsii.String("admin"), &iamrolepolicyattachment.IamRolePolicyAttachmentConfig{
		Role: role.Name(), PolicyArn: jsii.String("arn:aws:iam::aws:policy/AdministratorAccess"),
	})
	return alarmAssumption(scope, p, "arn:aws:iam::"+p.Account.ID+":role/"+p.Prefix+"break-glass")
}
