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
	// AllowPublish lets an AWS service publish on behalf of the resource with
	// sourceARN, which is known at synth.
	AllowPublish(service, sourceARN string)
}

// edgeRegion is where AWS's global services live. The console and older tools
// assume roles there, and CloudTrail tells it there alone.
const edgeRegion = "us-east-1"

// alarmAssumption tells p.Alerts whenever the role is assumed. It needs a
// CloudTrail trail in the account.
//
//	break_glass
//	├── alarm       aws_cloudwatch_event_rule and its target, the topic
//	└── edge        in us-east-1: aws_cloudwatch_event_rule and its target, the region's event bus
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
	rule := func(id string, provider cdktf.TerraformProvider, target *string, role *Role) {
		rule := cloudwatcheventrule.NewCloudwatchEventRule(scope, jsii.String(id), &cloudwatcheventrule.CloudwatchEventRuleConfig{
			Name:         &name,
			Description:  jsii.String("Break-glass was assumed, or somebody tried."),
			EventPattern: jsii.String(string(pattern)),
			Provider:     provider,
		})
		config := &cloudwatcheventtarget.CloudwatchEventTargetConfig{Rule: rule.Name(), Arn: target, Provider: provider}
		if role != nil {
			config.RoleArn = role.ARN()
		}
		cloudwatcheventtarget.NewCloudwatchEventTarget(scope, jsii.String(id+"_target"), config)
	}
	region := "arn:aws:events:" + p.Account.Region + ":" + p.Account.ID + ":"
	p.Alerts.AllowPublish("events.amazonaws.com", region+"rule/"+name)
	rule("alarm", nil, p.Alerts.ARN(), nil)
	if p.Account.Region == edgeRegion {
		return nil
	}
	bus := jsii.String(region + "event-bus/default")
	forwarder, err := NewRole(scope, "edge_role", RoleProps{Name: name + "-alarm", AssumedBy: "events.amazonaws.com"})
	if err != nil {
		return err
	}
	forwarder.Allow(bus, "events:PutEvents")
	rule("edge", p.Edge, bus, forwarder)
	return nil
}
