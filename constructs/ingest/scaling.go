package ingest

import (
	"errors"
	"regexp"
	"slices"
	"strconv"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingscheduledaction"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/appautoscalingtarget"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecsservice"

	"github.com/shopstream/shopstream/internal/check"
)

// Schedule sets bounds from a time on, until the next one does.
type Schedule struct {
	Name     string // required; unique in the service: lower case letters, digits and underscores
	When     string // required; cron(minute hour day month weekday year) or at(2026-11-27T00:00:00)
	TimeZone string // required; such as Europe/Berlin
	MinTasks int    // 1 to 1000
	MaxTasks int    // MinTasks to 1000
}

var (
	scheduleFormat = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	whenFormat     = regexp.MustCompile(`^(cron|at)\(.+\)$`)
)

// ValidateSchedules reports every problem of a service's schedules.
func ValidateSchedules(schedules []Schedule) error {
	var errs []error
	for i, s := range schedules {
		errs = append(errs,
			check.That(scheduleFormat.MatchString(s.Name), "Schedules must be named by 1 to 32 lower case letters, digits and underscores, starting with a letter, got %q", s.Name),
			check.That(!slices.ContainsFunc(schedules[:i], func(other Schedule) bool { return other.Name == s.Name }), "Schedules holds %q twice", s.Name),
			check.That(whenFormat.MatchString(s.When), "When of schedule %q must be cron(…) or at(…), got %q", s.Name, s.When),
			check.Required("TimeZone of schedule "+s.Name, s.TimeZone != ""),
			check.Between("MinTasks of schedule "+s.Name, s.MinTasks, 1, 1000),
			check.Between("MaxTasks of schedule "+s.Name, s.MaxTasks, s.MinTasks, 1000))
	}
	return errors.Join(errs...)
}

// cpuPercent is what scaling aims at.
const cpuPercent = 50

// scale adds tasks fast and takes them away slowly.
func (p ServiceProps) scale(scope constructs.Construct, service ecsservice.EcsService) {
	target := appautoscalingtarget.NewAppautoscalingTarget(scope, jsii.String("capacity"), &appautoscalingtarget.AppautoscalingTargetConfig{
		ServiceNamespace:  jsii.String("ecs"),
		ResourceId:        jsii.String("service/" + *p.Collector.cluster.Name() + "/" + *service.Name()),
		ScalableDimension: jsii.String("ecs:service:DesiredCount"),
		MinCapacity:       jsii.Number(p.MinTasks),
		MaxCapacity:       jsii.Number(p.MaxTasks),
	})
	track := func(id, metric string, label *string, value int) {
		appautoscalingpolicy.NewAppautoscalingPolicy(scope, &id, &appautoscalingpolicy.AppautoscalingPolicyConfig{
			Name:              jsii.String(p.Name + "-" + id),
			PolicyType:        jsii.String("TargetTrackingScaling"),
			ServiceNamespace:  target.ServiceNamespace(),
			ResourceId:        target.ResourceId(),
			ScalableDimension: target.ScalableDimension(),
			TargetTrackingScalingPolicyConfiguration: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration{
				TargetValue: jsii.Number(value), ScaleOutCooldown: jsii.Number(30), ScaleInCooldown: jsii.Number(300),
				PredefinedMetricSpecification: &appautoscalingpolicy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification{
					PredefinedMetricType: &metric, ResourceLabel: label,
				},
			},
		})
	}
	track("cpu", "ECSServiceAverageCPUUtilization", nil, cpuPercent)
	if p.RequestsPerTask > 0 {
		label := *p.LoadBalancer.lb.ArnSuffix() + "/" + *p.LoadBalancer.targets[0].ArnSuffix()
		track("requests", "ALBRequestCountPerTarget", &label, p.RequestsPerTask)
	}
	for _, s := range p.Schedules {
		appautoscalingscheduledaction.NewAppautoscalingScheduledAction(scope, jsii.String("schedule_"+s.Name), &appautoscalingscheduledaction.AppautoscalingScheduledActionConfig{
			Name:              jsii.String(p.Name + "-" + s.Name),
			ServiceNamespace:  target.ServiceNamespace(),
			ResourceId:        target.ResourceId(),
			ScalableDimension: target.ScalableDimension(),
			Schedule:          &s.When,
			Timezone:          &s.TimeZone,
			ScalableTargetAction: &appautoscalingscheduledaction.AppautoscalingScheduledActionScalableTargetAction{
				MinCapacity: jsii.String(strconv.Itoa(s.MinTasks)), MaxCapacity: jsii.String(strconv.Itoa(s.MaxTasks)),
			},
		})
	}
}
