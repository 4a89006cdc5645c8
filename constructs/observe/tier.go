package observe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchdashboard"

	"github.com/shopstream/shopstream/internal/check"
)

// TierProps configures a Tier.
type TierProps struct {
	Name   string  // required; ends the dashboard's name, such as stream
	Topics *Topics // required; their Prefix begins the names of alarms and dashboard
}

func (p TierProps) validate() error {
	return errors.Join(
		check.That(idFormat.MatchString(p.Name), "Name must be 1 to 40 lower case letters, digits and underscores, starting with a letter, got %q", p.Name),
		check.Required("Topics", p.Topics != nil),
	)
}

// Tier watches one tier of the pipeline. Its Watch… methods take what they
// watch by name and an id that begins the names of its alarms.
//
//	Tier
//	├── dashboard   aws_cloudwatch_dashboard: a graph for each alarm
//	└── ID_KIND     aws_cloudwatch_metric_alarm or aws_cloudwatch_composite_alarm
type Tier struct {
	Topics *Topics

	scope     constructs.Construct
	name      string
	region    string
	alarmARNs []string
	graphs    []any
	dashboard cloudwatchdashboard.CloudwatchDashboard
}

// NewTier defines a Tier in scope.
func NewTier(scope constructs.Construct, id string, p TierProps) (*Tier, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("watched tier %q: %w", id, err)
	}
	return &Tier{
		Topics: p.Topics, scope: constructs.NewConstruct(scope, &id),
		name: p.Topics.prefix + hyphened(p.Name), region: p.Topics.account.Region,
	}, nil
}

func hyphened(id string) string { return strings.ReplaceAll(id, "_", "-") }

// Alarm adds an alarm and its graph. Its whole name is the Topics' Prefix, id
// and p.Name, which is the runbook's section by default.
func (t *Tier) Alarm(id string, p AlarmProps) (*Alarm, error) {
	construct, err := t.register(id, p.Runbook, &p.Name)
	if err != nil {
		return nil, err
	}
	alarm, err := NewAlarm(t.scope, construct, p)
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", id, err)
	}
	t.graphs = append(t.graphs, alarm.widget(t.region))
	return alarm, t.draw(p.Name)
}

// Composite adds an alarm that rings while all of p.All do; Name as in Alarm.
func (t *Tier) Composite(id string, p CompositeProps) (*Composite, error) {
	construct, err := t.register(id, p.Runbook, &p.Name)
	if err != nil {
		return nil, err
	}
	composite, err := NewComposite(t.scope, construct, p)
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", id, err)
	}
	return composite, t.draw(p.Name)
}

var kindFormat = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// register completes an alarm's name and returns its construct's id.
func (t *Tier) register(id, runbook string, name *string) (construct string, err error) {
	_, section, _ := strings.Cut(runbook, "#")
	kind := cmp.Or(*name, section)
	err = errors.Join(checkID(id),
		check.That(runbookFormat.MatchString(runbook), "Runbook must be docs/runbooks/PAGE.md#SECTION, got %q", runbook),
		check.That(kindFormat.MatchString(kind), "Name must be 1 to 40 lower case letters, digits and hyphens, got %q", kind))
	if err != nil {
		return "", fmt.Errorf("watch %q: %w", id, err)
	}
	*name = t.Topics.prefix + hyphened(id) + "-" + kind
	return id + "_" + strings.ReplaceAll(kind, "-", "_"), nil
}

// alarms adds several, the ids of which are one.
func (t *Tier) alarms(id string, problem error, alarms ...AlarmProps) error {
	if err := errors.Join(checkID(id), problem); err != nil {
		return fmt.Errorf("watch %q: %w", id, err)
	}
	var errs []error
	for _, p := range alarms {
		_, err := t.Alarm(id, p)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// draw writes the dashboard anew: the alarms' states, then a graph for each.
func (t *Tier) draw(name string) error {
	account := t.Topics.account
	t.alarmARNs = append(t.alarmARNs, "arn:aws:cloudwatch:"+account.Region+":"+account.ID+":alarm:"+name)
	states := map[string]any{"type": "alarm", "width": 24, "height": 4, "properties": map[string]any{
		"title": "Alarms", "alarms": t.alarmARNs,
	}}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // metric math compares with > and <
	if err := encoder.Encode(map[string]any{"widgets": append([]any{states}, t.graphs...)}); err != nil {
		return err
	}
	text := jsii.String(strings.TrimSpace(body.String()))
	if t.dashboard != nil {
		t.dashboard.SetDashboardBody(text)
		return nil
	}
	t.dashboard = cloudwatchdashboard.NewCloudwatchDashboard(t.scope, jsii.String("dashboard"), &cloudwatchdashboard.CloudwatchDashboardConfig{
		DashboardName: &t.name, DashboardBody: text,
	})
	return nil
}

// graph is a widget. CloudWatch puts those without a place next to each other.
func graph(region, title string, rows [][]any) map[string]any {
	return map[string]any{"type": "metric", "width": 8, "height": 6, "properties": map[string]any{
		"title": title, "region": region, "view": "timeSeries", "metrics": rows,
		"yAxis": map[string]any{"left": map[string]any{"min": 0}},
	}}
}

// dimension is a set of one.
func dimension(name string, value *string) map[string]*string { return map[string]*string{name: value} }

func required(field string, value *string) error {
	return check.Required(field, value != nil && *value != "")
}
