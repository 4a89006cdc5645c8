package security

import (
	"encoding/json"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatcheventrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatcheventtarget"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// Alerts is a topic whose messages reach people at once.
type Alerts interface {
	ARN() *string
	// GrantPublish lets role publish, and encrypt what it publishes.
	GrantPublish(role *Role)
}

// edgeRegion is where AWS's global services live. The console and older tools
// assume roles there, and CloudTrail tells it there alone.
const edgeRegion = "us-east-1"

// alarmAssumption tells p.Alerts whenever the role is assumed. It needs a
// CloudTrail trail in the account.
//
// EventBridge publishes in a role: by itself it tells encrypted topics and
// their keys no source, so that neither could let it in for this rule alone
// (EventBridge's and SNS's guides, on resource policies and on keys).
//
//	break_glass
//	├── alarm        aws_cloudwatch_event_rule and its target, the topic
//	├── edge         in us-east-1: aws_cloudwatch_event_rule and its target, the region's event bus
//	└── alarm_role   Role: of both targets
func alarmAssumption(scope constructs.Construct, p PeopleProps, roleARN string) error {
	name := p.Prefix + "break-glass"
	pattern, err := json.Marshal(map[string]any{
		"source":      []string{"aws.sts"},
		"detail-type": []string{"AWS API Call via CloudTrail"},
		"detail": map[string]any{
			"eventName":         []string{"AssumeRole"},
			"requestParameters": map[string]any{"roleArn": []string{roleARN}},
		},
	})
	if err != nil {
		return err
	}
	role, err := NewRole(scope, "alarm_role", RoleProps{Name: name + "-alarm", AssumedBy: "events.amazonaws.com"})
	if err != nil {
		return err
	}
	rule := func(id string, provider cdktf.TerraformProvider, target *string) {
		rule := cloudwatcheventrule.NewCloudwatchEventRule(scope, jsii.String(id), &cloudwatcheventrule.CloudwatchEventRuleConfig{
			Name:         &name,
			Description:  jsii.String("Break-glass was assumed, or somebody tried."),
			EventPattern: jsii.String(string(pattern)),
			Provider:     provider,
		})
		cloudwatcheventtarget.NewCloudwatchEventTarget(scope, jsii.String(id+"_target"), &cloudwatcheventtarget.CloudwatchEventTargetConfig{
			Rule: rule.Name(), Arn: target, RoleArn: role.ARN(), Provider: provider,
		})
	}
	p.Alerts.GrantPublish(role)
	rule("alarm", nil, p.Alerts.ARN())
	if p.Account.Region == edgeRegion {
		return nil
	}
	bus := jsii.String("arn:aws:events:" + p.Account.Region + ":" + p.Account.ID + ":event-bus/default")
	role.Allow(bus, "events:PutEvents")
	rule("edge", p.Edge, bus)
	return nil
}
