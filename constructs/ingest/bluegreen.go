package ingest

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/codedeployapp"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/codedeploydeploymentgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsservice"

	"github.com/shopstream/shopstream/constructs/security"
)

// deployByCodeDeploy shifts a tenth of the traffic first, and all of it five
// minutes later; the old tasks stay for ten more, to go back to.
func (p ServiceProps) deployByCodeDeploy(scope constructs.Construct, service ecsservice.EcsService) error {
	role, err := security.NewRole(scope, "deployment_role", security.RoleProps{Name: p.Name + "-deployment", AssumedBy: "codedeploy.amazonaws.com"})
	if err != nil {
		return err
	}
	p.grantDeploy(role, service)
	scope = constructs.NewConstruct(scope, jsii.String("deployments"))
	app := codedeployapp.NewCodedeployApp(scope, jsii.String("app"), &codedeployapp.CodedeployAppConfig{
		Name: &p.Name, ComputePlatform: jsii.String("ECS"),
	})
	rollback := jsii.Strings("DEPLOYMENT_FAILURE")
	config := &codedeploydeploymentgroup.CodedeployDeploymentGroupConfig{
		AppName:              app.Name(),
		DeploymentGroupName:  &p.Name,
		ServiceRoleArn:       role.ARN(),
		DeploymentConfigName: jsii.String("CodeDeployDefault.ECSCanary10Percent5Minutes"),
		EcsService: &codedeploydeploymentgroup.CodedeployDeploymentGroupEcsService{
			ClusterName: p.Collector.cluster.Name(), ServiceName: service.Name(),
		},
		DeploymentStyle: &codedeploydeploymentgroup.CodedeployDeploymentGroupDeploymentStyle{
			DeploymentOption: jsii.String("WITH_TRAFFIC_CONTROL"), DeploymentType: jsii.String("BLUE_GREEN"),
		},
		BlueGreenDeploymentConfig: blueGreenSteps(),
		LoadBalancerInfo:          p.targetPair(),
		DependsOn:                 role.Grants(),
	}
	if len(p.RollbackAlarms) > 0 {
		rollback = jsii.Strings("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM")
		config.AlarmConfiguration = &codedeploydeploymentgroup.CodedeployDeploymentGroupAlarmConfiguration{Alarms: &p.RollbackAlarms, Enabled: true}
	}
	config.AutoRollbackConfiguration = &codedeploydeploymentgroup.CodedeployDeploymentGroupAutoRollbackConfiguration{Enabled: true, Events: rollback}
	codedeploydeploymentgroup.NewCodedeployDeploymentGroup(scope, jsii.String("group"), config)
	return nil
}

func blueGreenSteps() *codedeploydeploymentgroup.CodedeployDeploymentGroupBlueGreenDeploymentConfig {
	return &codedeploydeploymentgroup.CodedeployDeploymentGroupBlueGreenDeploymentConfig{
		DeploymentReadyOption: &codedeploydeploymentgroup.CodedeployDeploymentGroupBlueGreenDeploymentConfigDeploymentReadyOption{
			ActionOnTimeout: jsii.String("CONTINUE_DEPLOYMENT"),
		},
		TerminateBlueInstancesOnDeploymentSuccess: &codedeploydeploymentgroup.CodedeployDeploymentGroupBlueGreenDeploymentConfigTerminateBlueInstancesOnDeploymentSuccess{
			Action: jsii.String("TERMINATE"), TerminationWaitTimeInMinutes: jsii.Number(10),
		},
	}
}

func (p ServiceProps) targetPair() *codedeploydeploymentgroup.CodedeployDeploymentGroupLoadBalancerInfo {
	var targets []*codedeploydeploymentgroup.CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoTargetGroup
	for _, t := range p.LoadBalancer.targets {
		targets = append(targets, &codedeploydeploymentgroup.CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoTargetGroup{Name: t.Name()})
	}
	return &codedeploydeploymentgroup.CodedeployDeploymentGroupLoadBalancerInfo{
		TargetGroupPairInfo: &codedeploydeploymentgroup.CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfo{
			TargetGroup: targets,
			ProdTrafficRoute: &codedeploydeploymentgroup.CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoProdTrafficRoute{
				ListenerArns: &[]*string{p.LoadBalancer.listener.Arn()},
			},
		},
	}
}

// grantDeploy lets CodeDeploy start tasks of the service and shift traffic.
func (p ServiceProps) grantDeploy(role *security.Role, service ecsservice.EcsService) {
	arn := func(service, resource string) *string {
		return jsii.String("arn:aws:" + service + ":" + p.Account.Region + ":" + p.Account.ID + ":" + resource)
	}
	path := *p.Collector.cluster.Name() + "/" + *service.Name()
	role.Allow(arn("ecs", "service/"+path), "ecs:DescribeServices", "ecs:CreateTaskSet", "ecs:UpdateServicePrimaryTaskSet", "ecs:DeleteTaskSet")
	role.Allow(arn("ecs", "task-set/"+path+"/*"), "ecs:CreateTaskSet", "ecs:UpdateServicePrimaryTaskSet", "ecs:DeleteTaskSet")
	role.Allow(p.Collector.execution.ARN(), "iam:PassRole")
	role.Allow(p.Collector.role.ARN(), "iam:PassRole")
	role.Allow(p.LoadBalancer.listener.Arn(), "elasticloadbalancing:ModifyListener")
	// Elastic Load Balancing describes all or nothing.
	role.Allow(jsii.String("*"), "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules",
		"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth")
	if len(p.RollbackAlarms) > 0 {
		role.Allow(arn("cloudwatch", "alarm:*"), "cloudwatch:DescribeAlarms")
	}
}
