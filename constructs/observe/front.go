package observe

import (
	"errors"
	"fmt"

	"github.com/shopstream/shopstream/internal/check"
)

// An error budget is what the objective lets fail in 30 days. An alarm rings
// while it burns so many times too fast, over a long window and, so that it
// ends soon after the trouble does, over a short one.
var burns = []struct {
	name, says  string
	factor      float64
	short, long int // minutes
}{
	{"fast", "Requests fail so fast that two days would use up the month's error budget.", 14.4, 5, 60},
	{"slow", "Requests fail so steadily that five days would use up the month's error budget.", 6, 30, 360},
}

// fewest are the requests below which a share of them says nothing; silence
// has an alarm of its own.
const fewest = 100

// share is metric math for the percentage that some requests are of all.
func share(some, all string) string {
	return fmt.Sprintf("IF(%s >= %d, 100 * (%s) / (%s), 0)", all, fewest, some, all)
}

// answers watches the objective on good answers. It returns the names of the
// alarms at which a deployment should go back.
func (t *Tier) answers(id string, bad Signal) (rollback []*string, err error) {
	for _, burn := range burns {
		topic := t.Topics.Page
		if burn.name == "slow" {
			topic = t.Topics.Ticket
		}
		var windows []*Alarm
		for _, minutes := range []int{burn.short, burn.long} {
			bad.Seconds = minutes * 60
			alarm, err := t.Alarm(id, AlarmProps{
				Name:    fmt.Sprintf("bad-answers-%dm", minutes),
				Says:    fmt.Sprintf("Part of bad-answers-%s: %d minutes.", burn.name, minutes),
				Runbook: "docs/runbooks/collector.md#bad-answers", Signal: bad,
				Comparison: Above, Threshold: burn.factor * BadAnswersPercent, Missing: MissingIsGood,
			})
			if err != nil {
				return nil, err
			}
			windows = append(windows, alarm)
		}
		if rollback == nil {
			rollback = []*string{windows[0].Name()}
		}
		_, err := t.Composite(id, CompositeProps{
			Name: "bad-answers-" + burn.name, Says: burn.says, Runbook: "docs/runbooks/collector.md#bad-answers", Topic: topic, All: windows,
		})
		if err != nil {
			return nil, err
		}
	}
	return rollback, nil
}

// refusals watches requests that the other side is to blame for.
func (t *Tier) refusals(id string, refused Signal) error {
	refused.Seconds = 300
	_, err := t.Alarm(id, AlarmProps{
		Says:    "More than one request in twenty is refused: throttled, malformed or not allowed.",
		Runbook: "docs/runbooks/collector.md#refused", Topic: t.Topics.Ticket, Signal: refused,
		Comparison: Above, Threshold: 5, Periods: 3, Missing: MissingIsGood,
	})
	return err
}

func (t *Tier) latency(id string, metric Metric, threshold float64, unit string) error {
	_, err := t.Alarm(id, AlarmProps{
		Says:    fmt.Sprintf("One answer in a hundred takes longer than %v.", AnswerWithin),
		Runbook: "docs/runbooks/collector.md#slow", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "99th percentile, " + unit, Seconds: 300, Metrics: []Metric{metric}},
		Comparison: Above, Threshold: threshold, Periods: 3, Missing: MissingIsGood,
	})
	return err
}

// LoadBalancerProps is an application load balancer before the collector.
type LoadBalancerProps struct {
	Dimension *string // required; its LoadBalancer dimension, the end of its ARN; may be a token
}

// WatchLoadBalancer watches the collector's answers: good ones, in time. It
// returns the names of the alarms at which a deployment should go back.
func (t *Tier) WatchLoadBalancer(id string, p LoadBalancerProps) (rollback []*string, err error) {
	if err := errors.Join(checkID(id), required("Dimension", p.Dimension)); err != nil {
		return nil, fmt.Errorf("watch %q: %w", id, err)
	}
	metric := func(name, stat string) Metric {
		return Metric{"AWS/ApplicationELB", name, dimension("LoadBalancer", p.Dimension), stat}
	}
	// RequestCount leaves out what found no target.
	bad, all := "FILL(m1, 0) + FILL(m2, 0)", "(FILL(m3, 0) + FILL(m2, 0))"
	rollback, err = t.answers(id, Signal{
		Label: "bad answers, percent", Expression: share(bad, all),
		Metrics: []Metric{metric("HTTPCode_Target_5XX_Count", "Sum"), metric("HTTPCode_ELB_5XX_Count", "Sum"), metric("RequestCount", "Sum")},
	})
	return rollback, errors.Join(err,
		t.refusals(id, Signal{
			Label: "refused requests, percent", Expression: share("FILL(m1, 0) + FILL(m2, 0)", "(FILL(m3, 0) + FILL(m2, 0))"),
			Metrics: []Metric{metric("HTTPCode_Target_4XX_Count", "Sum"), metric("HTTPCode_ELB_4XX_Count", "Sum"), metric("RequestCount", "Sum")},
		}),
		t.latency(id, metric("TargetResponseTime", "p99"), AnswerWithin.Seconds(), "seconds"))
}

// APIProps is a stage of a REST API before the collector.
type APIProps struct {
	Name  *string // required; its ApiName dimension
	Stage *string // required; its Stage dimension
}

// WatchAPI watches what callers of an API get.
func (t *Tier) WatchAPI(id string, p APIProps) error {
	if err := errors.Join(checkID(id), required("Name", p.Name), required("Stage", p.Stage)); err != nil {
		return fmt.Errorf("watch %q: %w", id, err)
	}
	metric := func(name, stat string) Metric {
		return Metric{"AWS/ApiGateway", name, map[string]*string{"ApiName": p.Name, "Stage": p.Stage}, stat}
	}
	shareOf := func(label, name string) Signal {
		return Signal{Label: label, Expression: share("FILL(m1, 0)", "FILL(m2, 0)"), Metrics: []Metric{metric(name, "Sum"), metric("Count", "Sum")}}
	}
	_, err := t.answers(id, shareOf("bad answers, percent", "5XXError"))
	return errors.Join(err,
		t.refusals(id, shareOf("refused requests, percent", "4XXError")),
		t.latency(id, metric("IntegrationLatency", "p99"), float64(AnswerWithin.Milliseconds()), "milliseconds"))
}

// ServiceProps is an ECS service with Container Insights.
type ServiceProps struct {
	Cluster  *string // required; the cluster's name
	Name     *string // required
	MinTasks int     // required; fewer are too few, 1 to 1000
	MaxTasks int     // required; at which nothing scales further, MinTasks to 1000
}

// WatchService watches a service: tasks that run, and room for more.
func (t *Tier) WatchService(id string, p ServiceProps) error {
	dimensions := map[string]*string{"ClusterName": p.Cluster, "ServiceName": p.Name}
	running := []Metric{{"ECS/ContainerInsights", "RunningTaskCount", dimensions, "Minimum"}}
	problem := errors.Join(
		required("Cluster", p.Cluster), required("Name", p.Name),
		check.Between("MinTasks", p.MinTasks, 1, 1000), check.Between("MaxTasks", p.MaxTasks, p.MinTasks, 1000),
	)
	return t.alarms(id, problem, AlarmProps{
		Says:    "Fewer tasks run than must.",
		Runbook: "docs/runbooks/collector.md#too-few-tasks", Topic: t.Topics.Page,
		Signal:     Signal{Label: "running tasks", Metrics: running},
		Comparison: Below, Threshold: float64(p.MinTasks), Periods: 5, Missing: MissingIsBad,
	}, AlarmProps{
		Says:    "As many tasks run as may: more traffic finds no more room.",
		Runbook: "docs/runbooks/collector.md#no-more-tasks", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "running tasks", Metrics: running},
		Comparison: Above, Threshold: float64(p.MaxTasks) - 0.5, Periods: 10, Missing: MissingIsGood,
	}, AlarmProps{
		Says:    "Tasks are busy, and scaling does not help.",
		Runbook: "docs/runbooks/collector.md#busy", Topic: t.Topics.Ticket,
		Signal:     Signal{Label: "CPU, percent", Metrics: []Metric{{"AWS/ECS", "CPUUtilization", dimensions, "Average"}}},
		Comparison: Above, Threshold: 85, Periods: 15, Missing: MissingIsGood,
	})
}

// FirewallProps is a regional web ACL.
type FirewallProps struct {
	WebACL *string // required; its WebACL dimension
}

// WatchFirewall watches how much a firewall blocks: an attack, or a rule that
// is wrong.
func (t *Tier) WatchFirewall(id string, p FirewallProps) error {
	metric := func(name string) Metric {
		return Metric{"AWS/WAFV2", name, map[string]*string{"WebACL": p.WebACL, "Region": &t.region, "Rule": &allRules}, "Sum"}
	}
	return t.alarms(id, required("WebACL", p.WebACL), AlarmProps{
		Says:    "The firewall blocks more than one request in ten.",
		Runbook: "docs/runbooks/collector.md#blocked", Topic: t.Topics.Ticket,
		Signal: Signal{
			Label: "blocked requests, percent", Seconds: 300, Expression: share("FILL(m1, 0)", "(FILL(m1, 0) + FILL(m2, 0))"),
			Metrics: []Metric{metric("BlockedRequests"), metric("AllowedRequests")},
		},
		Comparison: Above, Threshold: 10, Periods: 3, Missing: MissingIsGood,
	})
}

var allRules = "ALL"
