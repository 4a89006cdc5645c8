package ingest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecscluster"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecstaskdefinition"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Gateway is the stream that a Collector writes.
type Gateway interface {
	Name() *string
	GrantWrite(*security.Role)
}

// CollectorProps configures a Collector.
type CollectorProps struct {
	Name      string             // required; unique in the account and region
	Image     *string            // required; the image by digest, a token or text
	Account   security.Account   // required
	Gateway   Gateway            // required; takes the frames
	Registry  *Registry          // required; says which shops there are
	Secret    *security.Secret   // required; what visitor ids are made with, at least 32 characters; with another one everybody is somebody else
	LogGroup  *security.LogGroup // required
	CPU       int                // units of 1/1024 vCPU: 256, 512, 1024, 2048 or 4096; default 512
	MemoryMiB int                // 512 to 30720, as Fargate pairs it with CPU; default 1024

	Repository string    // name of the ECR repository in Account that holds Image; default none: anybody may pull it
	Front      FrontKind // "api": ClientHeader says which client sends; "loadbalancer": the token does, and ClientHeader is the caller's own; default none: no client is believed
	Identity   *Identity // whose tokens are believed; required with Front
}

func (p CollectorProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Required("Image", p.Image != nil),
		check.Required("Account", p.Account.Region != ""),
		check.Required("Gateway", p.Gateway != nil),
		check.Required("Registry", p.Registry != nil),
		check.Required("Secret", p.Secret != nil),
		check.Required("LogGroup", p.LogGroup != nil),
		check.Between("CPU", p.CPU, 256, 4096),
		check.Between("MemoryMiB", p.MemoryMiB, 512, 30720),
		check.That((p.Front == "") == (p.Identity == nil), "Front and Identity go together"),
	}
	if p.Front != "" {
		errs = append(errs, p.Front.Validate("Front"))
	}
	return errors.Join(errs...)
}

// CollectorPort is the port that the collector's container listens on.
const CollectorPort = 8080

// metricsPort is the port of GET /metrics, for Prometheus. The service's
// security group lets no front reach it.
const metricsPort = 9090

// Collector is the container that answers POST /v1/events.
//
//	Collector
//	├── cluster          aws_ecs_cluster
//	├── execution_role   aws_iam_role and its policy: what ECS needs to start it
//	├── role             aws_iam_role and its policy: what the collector may do
//	└── task             aws_ecs_task_definition
type Collector struct {
	cluster         ecscluster.EcsCluster
	execution, role *security.Role
	task            ecstaskdefinition.EcsTaskDefinition
}

// NewCollector defines a Collector in scope.
func NewCollector(scope constructs.Construct, id string, p CollectorProps) (*Collector, error) {
	p.CPU = cmp.Or(p.CPU, 512)
	p.MemoryMiB = cmp.Or(p.MemoryMiB, 1024)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("collector %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	cluster := ecscluster.NewEcsCluster(scope, jsii.String("cluster"), &ecscluster.EcsClusterConfig{
		Name:    &p.Name,
		Setting: []*ecscluster.EcsClusterSetting{{Name: jsii.String("containerInsights"), Value: jsii.String("enabled")}},
	})
	execution, err := security.NewRole(scope, "execution_role", security.RoleProps{Name: p.Name + "-execution", AssumedBy: "ecs-tasks.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("collector %q: %w", id, err)
	}
	p.LogGroup.GrantWrite(execution)
	p.grantPull(execution)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "ecs-tasks.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("collector %q: %w", id, err)
	}
	p.Gateway.GrantWrite(role)
	p.Registry.GrantRead(role)
	p.Secret.GrantRead(role)
	role.Allow(cluster.Arn(), "ecs:DescribeClusters") // how many tasks share a shop's rate

	task := ecstaskdefinition.NewEcsTaskDefinition(scope, jsii.String("task"), &ecstaskdefinition.EcsTaskDefinitionConfig{
		Family:                  &p.Name,
		RequiresCompatibilities: jsii.Strings("FARGATE"),
		NetworkMode:             jsii.String("awsvpc"),
		Cpu:                     jsii.String(fmt.Sprint(p.CPU)),
		Memory:                  jsii.String(fmt.Sprint(p.MemoryMiB)),
		ExecutionRoleArn:        execution.ARN(),
		TaskRoleArn:             role.ARN(),
		RuntimePlatform: &ecstaskdefinition.EcsTaskDefinitionRuntimePlatform{
			CpuArchitecture: jsii.String("ARM64"), OperatingSystemFamily: jsii.String("LINUX"),
		},
		ContainerDefinitions: p.containers(),
	})
	return &Collector{cluster, execution, role, task}, nil
}

// grantPull lets role pull the image.
func (p CollectorProps) grantPull(role *security.Role) {
	if p.Repository == "" {
		return
	}
	role.Allow(jsii.String("*"), "ecr:GetAuthorizationToken") // ECR gives it for all repositories
	role.Allow(jsii.String("arn:aws:ecr:"+p.Account.Region+":"+p.Account.ID+":repository/"+p.Repository),
		"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
}

// containerName is what services and deployments call the container.
const containerName = "collector"

// variable is one of the container's environment, in ECS's words.
type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p CollectorProps) environment() []variable {
	variables := []variable{
		{"AWS_REGION", p.Account.Region},
		{"CLUSTER", p.Name},
		{"GATEWAY_STREAM", *p.Gateway.Name()},
		{"GOMEMLIMIT", fmt.Sprintf("%dMiB", p.MemoryMiB*8/10)}, // at which it collects garbage more often
		{"LISTEN", fmt.Sprintf(":%d", CollectorPort)},
		{"METRICS_LISTEN", fmt.Sprintf(":%d", metricsPort)},
		{"REGISTRY_TABLE", *p.Registry.Name()},
		{"VISITOR_SECRET", *p.Secret.ARN()},
	}
	if p.Front != "" {
		variables = append(variables, variable{"FRONT", string(p.Front)},
			variable{"TOKEN_ISSUER", *p.Identity.Issuer()}, variable{"TOKEN_SCOPE", SendScope})
	}
	return variables
}

// containers renders ECS's container definitions, in its own words.
func (p CollectorProps) containers() *string {
	b, err := json.Marshal([]any{map[string]any{
		"name":                   containerName,
		"image":                  *p.Image,
		"essential":              true,
		"readonlyRootFilesystem": true,
		"user":                   "65532",
		"stopTimeout":            60, // seconds, in which the collector drains
		"portMappings":           []any{map[string]any{"containerPort": CollectorPort, "hostPort": CollectorPort, "protocol": "tcp"}},
		"environment":            p.environment(),
		"logConfiguration": map[string]any{
			"logDriver": "awslogs",
			"options": map[string]string{
				"awslogs-group":         *p.LogGroup.Name(),
				"awslogs-region":        p.Account.Region,
				"awslogs-stream-prefix": "collector",
				"mode":                  "non-blocking", // a slow log must not slow answers
				"max-buffer-size":       "16m",
			},
		},
	}})
	if err != nil {
		panic(err) // texts, numbers and maps always marshal
	}
	return jsii.String(string(b))
}

// TaskDefinition is a token: the ARN of the task definition's latest revision.
func (c *Collector) TaskDefinition() *string { return c.task.Arn() }

// ClusterName is a token: the ClusterName dimension of its metrics.
func (c *Collector) ClusterName() *string { return c.cluster.Name() }
