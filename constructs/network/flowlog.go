package network

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/flowlog"

	"github.com/shopstream/shopstream/constructs/security"
)

// defineFlowLog logs who talked to whom, let through or not.
func (n *Network) defineFlowLog(scope constructs.Construct, p Props) error {
	scope = constructs.NewConstruct(scope, jsii.String("flow_log"))
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name + "-flow-log", AssumedBy: "vpc-flow-logs.amazonaws.com"})
	if err != nil {
		return err
	}
	logs := "arn:aws:logs:" + p.Account.Region + ":" + p.Account.ID + ":log-group:"
	group := jsii.String(logs + *p.LogGroup.Name())
	p.LogGroup.GrantWrite(role)
	role.Allow(jsii.String(*group+":*"), "logs:DescribeLogStreams")
	role.Allow(jsii.String(logs+"*"), "logs:DescribeLogGroups") // which knows no single group

	flowlog.NewFlowLog(scope, jsii.String("this"), &flowlog.FlowLogConfig{
		VpcId:                  n.ID(),
		TrafficType:            jsii.String("ALL"),
		LogDestinationType:     jsii.String("cloud-watch-logs"),
		LogDestination:         group,
		IamRoleArn:             role.ARN(),
		MaxAggregationInterval: jsii.Number(p.FlowLogSeconds),
		Tags:                   named(p.Name),
		DependsOn:              role.Grants(), // without them it starts in error
	})
	return nil
}
