package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
)

// quota is a limit of AWS on an account and region, and what a stack takes of
// it. Other stacks in the account take theirs besides.
type quota struct {
	name          string
	service, code string
	need          func(planned) float64
}

var quotas = []quota{
	{"Lambda executions at once", "lambda", "L-B99A9384", reservedExecutions},
	{"Kinesis shards", "kinesis", "L-0918CF54", shards},
	{"elastic IP addresses", "ec2", "L-0263D0A3", func(p planned) float64 { return float64(len(p.Resource["aws_eip"])) }},
	{"Fargate vCPUs", "fargate", "L-3032A538", vCPUs},
	{"API Gateway requests a second", "apigateway", "L-8A5B8E43", requests},
}

// quotaChecks compare the quotas that a stack takes of with AWS's.
func (p planned) quotaChecks(h *home) (checks []check) {
	for _, q := range quotas {
		need := q.need(p)
		if need == 0 {
			continue
		}
		checks = append(checks, check{q.name, func(ctx context.Context) (string, error) {
			got, err := h.quota(ctx, q)
			if err != nil {
				return "", err
			}
			if got < need {
				return "", fmt.Errorf("the quota is %v, need %v", got, need)
			}
			return fmt.Sprintf("%v of %v", need, got), nil
		}, fmt.Sprintf("run aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %v", h.region, q.service, q.code, need)})
	}
	return checks
}

// quota is what AWS allows: what was raised, else the default.
func (h *home) quota(ctx context.Context, q quota) (float64, error) {
	client := servicequotas.NewFromConfig(h.aws)
	var found *types.ServiceQuota
	raised, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
	var none *types.NoSuchResourceException
	if errors.As(err, &none) {
		normal, err := client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
		if err != nil {
			return 0, answer(err, nil)
		}
		found = normal.Quota
	} else if err != nil {
		return 0, answer(err, nil)
	} else {
		found = raised.Quota
	}
	if found == nil || found.Value == nil {
		return 0, notChecked{"Service Quotas tells no value"}
	}
	return aws.ToFloat64(found.Value), nil
}

// unreserved is what AWS keeps for functions that reserve nothing.
const unreserved = 100

func reservedExecutions(p planned) (sum float64) {
	for _, function := range resources[struct {
		Reserved float64 `json:"reserved_concurrent_executions"`
	}](p, "aws_lambda_function") {
		sum += max(0, function.Reserved) // -1 is none
	}
	if sum == 0 {
		return 0
	}
	return sum + unreserved
}

func shards(p planned) (sum float64) {
	for _, stream := range resources[struct {
		Shards float64 `json:"shard_count"`
	}](p, "aws_kinesis_stream") {
		sum += stream.Shards
	}
	return sum
}

// vCPUs are those of all tasks when services are scaled out to the most.
func vCPUs(p planned) (sum float64) {
	tasks := resources[struct{ CPU string }](p, "aws_ecs_task_definition")
	targets := resources[struct {
		ID  string  `json:"resource_id"`
		Max float64 `json:"max_capacity"`
	}](p, "aws_appautoscaling_target")
	for name, service := range resources[struct {
		Task  string  `json:"task_definition"`
		Count float64 `json:"desired_count"`
	}](p, "aws_ecs_service") {
		count := service.Count
		for _, target := range targets {
			if referred(target.ID, "aws_ecs_service") == name {
				count = target.Max
			}
		}
		units, err := strconv.ParseFloat(tasks[referred(service.Task, "aws_ecs_task_definition")].CPU, 64)
		if err != nil {
			continue // not a number before the apply
		}
		sum += count * units / 1024
	}
	return sum
}

// requests are what the API's stages let through a second: the most of their
// routes, which share it.
func requests(p planned) (most float64) {
	for _, settings := range resources[struct {
		Settings struct {
			Rate float64 `json:"throttling_rate_limit"`
		}
	}](p, "aws_api_gateway_method_settings") {
		most = max(most, settings.Settings.Rate)
	}
	return most
}

// referred is the name of the resource of a type that a token names.
func referred(token, kind string) string {
	match := regexp.MustCompile(`\$\{` + kind + `\.([A-Za-z0-9_-]+)\.`).FindStringSubmatch(token)
	if match == nil {
		return ""
	}
	return match[1]
}
