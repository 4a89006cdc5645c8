package ingest

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsservice"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Deployment is how a new image takes over.
type Deployment string

// The ways to deploy.
const (
	Rolling   Deployment = "rolling"   // Terraform replaces task by task; ECS goes back where they fail
	BlueGreen Deployment = "bluegreen" // CodeDeploy shifts traffic to a second set of tasks; Terraform leaves the image to it
)

// Validate reports a way that there is not.
func (d Deployment) Validate(field string) error { return check.OneOf(field, d, Rolling, BlueGreen) }

// ServiceProps configures a Service.
type ServiceProps struct {
	Name         string           // required; unique in the cluster, at most 64 characters
	Account      security.Account // required
	Collector    *Collector       // required
	Network      *network.Network // required
	LoadBalancer *LoadBalancer    // required; with BlueGreen where Deployment is "bluegreen"

	Deployment     Deployment // default "rolling"; another one replaces the service
	RollbackAlarms []*string  // names of alarms, tokens or text, at which a deployment goes back; default none

	MinTasks        int        // 1 to 1000; default 3, one a zone
	MaxTasks        int        // MinTasks to 1000; default 30
	RequestsPerTask int        // a minute, that scaling aims at, 1 to 10000000; not with "bluegreen"; default CPU alone
	Schedules       []Schedule // of MinTasks and MaxTasks, for days that are known before; default none
}

func (p *ServiceProps) setDefaults() {
	p.Deployment = cmp.Or(p.Deployment, Rolling)
	p.MinTasks = cmp.Or(p.MinTasks, 3)
	p.MaxTasks = cmp.Or(p.MaxTasks, 30)
}

func (p ServiceProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
		check.Required("Collector", p.Collector != nil),
		check.Required("Network", p.Network != nil),
		check.Required("LoadBalancer", p.LoadBalancer != nil),
		p.Deployment.Validate("Deployment"),
		check.Between("MinTasks", p.MinTasks, 1, 1000),
		check.Between("MaxTasks", p.MaxTasks, p.MinTasks, 1000),
		check.Between("RequestsPerTask", p.RequestsPerTask, 0, 10_000_000),
		check.That(p.RequestsPerTask == 0 || p.Deployment != BlueGreen,
			"RequestsPerTask must be 0 where Deployment is bluegreen: AWS counts requests of one group of targets, got %d", p.RequestsPerTask),
	}
	if p.LoadBalancer != nil {
		errs = append(errs, check.That((p.Deployment == BlueGreen) == (len(p.LoadBalancer.targets) == 2),
			"Deployment bluegreen and the load balancer's BlueGreen go together"))
	}
	return errors.Join(append(errs, ValidateSchedules(p.Schedules))...)
}

// Service keeps tasks of the collector running behind a load balancer.
//
//	Service
//	├── group             aws_security_group and its rules
//	├── this              aws_ecs_service
//	├── capacity          aws_appautoscaling_target
//	├── cpu, requests     aws_appautoscaling_policy
//	├── schedule_NAME     aws_appautoscaling_scheduled_action
//	├── deployment_role   aws_iam_role and its policy, with "bluegreen"
//	└── deployments       aws_codedeploy_app, aws_codedeploy_deployment_group, with "bluegreen"
type Service struct {
	service ecsservice.EcsService
}

// NewService defines a Service in scope.
func NewService(scope constructs.Construct, id string, p ServiceProps) (*Service, error) {
	p.setDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("service %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	group, err := network.NewSecurityGroup(scope, "group", network.SecurityGroupProps{
		Name: p.Name, Description: "Tasks of the collector.", Network: p.Network,
	})
	if err != nil {
		return nil, fmt.Errorf("service %q: %w", id, err)
	}
	group.AllowFrom(p.LoadBalancer.group, CollectorPort, "Batches, and health checks.")
	group.AllowToCIDR(network.World, 443, "AWS: Kinesis, DynamoDB, the image, logs, and keys of tokens.")

	service := ecsservice.NewEcsService(scope, jsii.String("this"), p.config(group))
	p.scale(scope, service)
	if p.Deployment == BlueGreen {
		if err := p.deployByCodeDeploy(scope, service); err != nil {
			return nil, fmt.Errorf("service %q: %w", id, err)
		}
	}
	return &Service{service}, nil
}

func (p ServiceProps) config(group *network.SecurityGroup) *ecsservice.EcsServiceConfig {
	subnets := p.Network.PrivateSubnetIDs()
	config := &ecsservice.EcsServiceConfig{
		Name:           &p.Name,
		Cluster:        p.Collector.cluster.Arn(),
		TaskDefinition: p.Collector.TaskDefinition(),
		LaunchType:     jsii.String("FARGATE"),
		DesiredCount:   jsii.Number(p.MinTasks),
		NetworkConfiguration: &ecsservice.EcsServiceNetworkConfiguration{
			Subnets: &subnets, SecurityGroups: &[]*string{group.ID()}, AssignPublicIp: false,
		},
		LoadBalancer: []*ecsservice.EcsServiceLoadBalancer{{
			TargetGroupArn: p.LoadBalancer.targets[0].Arn(), ContainerName: jsii.String(containerName), ContainerPort: jsii.Number(CollectorPort),
		}},
		HealthCheckGracePeriodSeconds: jsii.Number(60),
		EnableExecuteCommand:          false,
		EnableEcsManagedTags:          true,
		PropagateTags:                 jsii.String("SERVICE"),
		DependsOn: &[]cdktf.ITerraformDependable{
			p.LoadBalancer.listener, // ECS wants the targets to be in use
			(*p.Collector.role.Grants())[0], (*p.Collector.execution.Grants())[0],
		},
		Lifecycle: &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("desired_count")}, // scaling owns it
	}
	if p.Deployment == BlueGreen {
		config.DeploymentController = &ecsservice.EcsServiceDeploymentController{Type: jsii.String("CODE_DEPLOY")}
		// What CodeDeploy owns, and what ECS lets nobody else change then.
		config.Lifecycle.IgnoreChanges = jsii.Strings("desired_count", "task_definition", "load_balancer", "network_configuration")
		return config
	}
	config.AvailabilityZoneRebalancing = jsii.String("ENABLED")
	config.DeploymentMinimumHealthyPercent, config.DeploymentMaximumPercent = jsii.Number(100), jsii.Number(200)
	config.DeploymentCircuitBreaker = &ecsservice.EcsServiceDeploymentCircuitBreaker{Enable: true, Rollback: true}
	if len(p.RollbackAlarms) > 0 {
		config.Alarms = &ecsservice.EcsServiceAlarms{AlarmNames: &p.RollbackAlarms, Enable: true, Rollback: true}
	}
	return config
}

// ServiceName is a token: the ServiceName dimension of its metrics; ClusterName
// is the Collector's.
func (s *Service) ServiceName() *string { return s.service.Name() }
