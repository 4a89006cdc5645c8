package ingest

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchlogresourcepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/wafv2webacl"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/wafv2webaclassociation"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/wafv2webaclloggingconfiguration"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Guarded is what a Firewall stands before: an API or a LoadBalancer.
type Guarded interface{ ARN() *string }

// FirewallProps configures a Firewall.
type FirewallProps struct {
	Name     string             // required; unique in the account and region, at most 100 characters
	Account  security.Account   // required
	Guards   Guarded            // required
	LogGroup *security.LogGroup // required; its name starts with aws-waf-logs-; takes blocked requests with their addresses

	RequestsPerAddress       int // required; of browsers, in 5 minutes, 10 to 2000000000; many shoppers share an address
	ServerRequestsPerAddress int // of servers, in 5 minutes, 10 to 2000000000; default 60000
}

func (p FirewallProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 100),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
		check.Required("Guards", p.Guards != nil),
		check.Required("LogGroup", p.LogGroup != nil),
		check.Between("RequestsPerAddress", p.RequestsPerAddress, 10, 2_000_000_000),
		check.Between("ServerRequestsPerAddress", p.ServerRequestsPerAddress, 10, 2_000_000_000),
	)
}

// Firewall is a web ACL. It blocks by address, rate and header, never by the
// events in a body: rules on bodies count and label there, and the collector's
// strict decoder decides. What it blocks, a page can read and send again.
//
//	Firewall
//	├── this          aws_wafv2_web_acl
//	├── association   aws_wafv2_web_acl_association
//	├── log_policy    aws_cloudwatch_log_resource_policy
//	└── log           aws_wafv2_web_acl_logging_configuration: what is blocked, without queries and secrets
type Firewall struct{ acl wafv2webacl.Wafv2WebAcl }

// NewFirewall defines a Firewall in scope.
func NewFirewall(scope constructs.Construct, id string, p FirewallProps) (*Firewall, error) {
	p.ServerRequestsPerAddress = cmp.Or(p.ServerRequestsPerAddress, 60_000)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("firewall %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	acl := wafv2webacl.NewWafv2WebAcl(scope, jsii.String("this"), &wafv2webacl.Wafv2WebAclConfig{
		Name:          &p.Name,
		Description:   jsii.String("Guards the collector; bodies are counted, not blocked."),
		Scope:         jsii.String("REGIONAL"),
		DefaultAction: &wafv2webacl.Wafv2WebAclDefaultAction{Allow: &wafv2webacl.Wafv2WebAclDefaultActionAllow{}},
		Rule:          p.rules(),
		VisibilityConfig: &wafv2webacl.Wafv2WebAclVisibilityConfig{
			CloudwatchMetricsEnabled: true, MetricName: &p.Name, SampledRequestsEnabled: false, // samples hold addresses
		},
	})
	wafv2webaclassociation.NewWafv2WebAclAssociation(scope, jsii.String("association"), &wafv2webaclassociation.Wafv2WebAclAssociationConfigA{
		ResourceArn: p.Guards.ARN(), WebAclArn: acl.Arn(),
	})
	p.newLog(scope, acl)
	return &Firewall{acl}, nil
}

func (p FirewallProps) newLog(scope constructs.Construct, acl wafv2webacl.Wafv2WebAcl) {
	logARN := logGroupARN(p.Account, p.LogGroup)
	policy := cloudwatchlogresourcepolicy.NewCloudwatchLogResourcePolicy(scope, jsii.String("log_policy"), &cloudwatchlogresourcepolicy.CloudwatchLogResourcePolicyConfig{
		PolicyName: &p.Name,
		PolicyDocument: security.Policy(security.Statement{
			Effect: "Allow", Principal: security.Service("delivery.logs.amazonaws.com"),
			Action: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: *logARN + ":log-stream:*",
			Condition: map[string]any{
				"ArnLike":      map[string]string{"aws:SourceArn": "arn:aws:logs:" + p.Account.Region + ":" + p.Account.ID + ":*"},
				"StringEquals": map[string]string{"aws:SourceAccount": p.Account.ID},
			},
		}),
	})
	header := func(name string) *wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFields {
		return &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFields{
			SingleHeader: &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader{Name: &name},
		}
	}
	wafv2webaclloggingconfiguration.NewWafv2WebAclLoggingConfiguration(scope, jsii.String("log"), &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationConfig{
		ResourceArn:           acl.Arn(),
		LogDestinationConfigs: &[]*string{logARN},
		LoggingFilter: &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationLoggingFilter{
			DefaultBehavior: jsii.String("DROP"),
			Filter: []*wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationLoggingFilterFilter{{
				Behavior: jsii.String("KEEP"), Requirement: jsii.String("MEETS_ANY"),
				Condition: []*wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationLoggingFilterFilterCondition{{
					ActionCondition: &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationLoggingFilterFilterConditionActionCondition{Action: jsii.String("BLOCK")},
				}},
			}},
		},
		RedactedFields: []*wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFields{
			header("authorization"), header("cookie"), header("x-api-key"),
			{QueryString: &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFieldsQueryString{}},
		},
		DependsOn: &[]cdktf.ITerraformDependable{policy}, // WAF checks it when logging begins
	})
}

// WebACLName is a token: the WebACL dimension of its metrics, and the Rule dimension of
// all its rules together is ALL.
func (f *Firewall) WebACLName() *string { return f.acl.Name() }

// logGroupARN waits for the group by the token in its name.
func logGroupARN(a security.Account, g *security.LogGroup) *string {
	return jsii.String("arn:aws:logs:" + a.Region + ":" + a.ID + ":log-group:" + *g.Name())
}
