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
	LogGroup  *security.LogGroup // required
	CPU       int                // units of 1/1024 vCPU: 256, 512, 1024, 2048 or 4096; default 512
	MemoryMiB int                // 512 to 30720, as Fargate pairs it with CPU; default 1024
}

func (p CollectorProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Image", p.Image != nil),
		check.Required("Account", p.Account.Region != ""),
		check.Required("Gateway", p.Gateway != nil),
		check.Required("Registry", p.Registry != nil),
		check.Required("LogGroup", p.LogGroup != nil),
		check.Between("CPU", p.CPU, 256, 4096),
		check.Between("MemoryMiB", p.MemoryMiB, 512, 30720),
	)
}

// CollectorPort is the port that the collector's container listens on.
const CollectorPort = 8080

// Collector is the container that answers POST /v1/events.
//
//	Collector
//	├── cluster          aws_ecs_cluster
//	├── execution_role   aws_iam_role and its policy: what ECS needs to start it
//	├── role             aws_iam_role and its policy: what the collector may do
//	└── task             aws_ecs_task_definition
type Collector struct {
	task ecstaskdefinition.EcsTaskDefinition
}

// NewCollector defines a Collector in scope.
func NewCollector(scope constructs.Construct, id string, p CollectorProps) (*Collector, error) {
	p.CPU = cmp.Or(p.CPU, 512)
	p.MemoryMiB = cmp.Or(p.MemoryMiB, 1024)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("collector %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	ecscluster.NewEcsCluster(scope, jsii.String("cluster"), &ecscluster.EcsClusterConfig{
		Name:    &p.Name,
		Setting: []*ecscluster.EcsClusterSetting{{Name: jsii.String("containerInsights"), Value: jsii.String("enabled")}},
	})
	execution, err := security.NewRole(scope, "execution_role", security.RoleProps{Name: p.Name + "-execution", AssumedBy: "ecs-tasks.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("collector %q: %w", id, err)
	}
	p.LogGroup.GrantWrite(execution)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "ecs-tasks.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("collector %q: %w", id, err)
	}
	p.Gateway.GrantWrite(role)
	p.Registry.GrantRead(role)

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
	return &Collector{task}, nil
}

// containers renders ECS's container definitions, in its own words.
func (p CollectorProps) containers() *string {
	type pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	b, err := json.Marshal([]any{map[string]any{
		"name":                   "collector",
		"image":                  *p.Image,
		"essential":              true,
		"readonlyRootFilesystem": true,
		"user":                   "65532",
		"stopTimeout":            60, // seconds, in which the collector drains
		"portMappings":           []any{map[string]any{"containerPort": CollectorPort, "hostPort": CollectorPort, "protocol": "tcp"}},
		"environment": []pair{
			{"AWS_REGION", p.Account.Region},
			{"GATEWAY_STREAM", *p.Gateway.Name()},
			{"LISTEN", fmt.Sprintf(":%d", CollectorPort)},
			{"REGISTRY_TABLE", *p.Registry.Name()},
		},
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
