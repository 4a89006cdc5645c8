package observe

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchmetricalarm"

	"github.com/shopstream/shopstream/internal/check"
)

// Metric is one of CloudWatch's.
type Metric struct {
	Namespace  string             // required; such as AWS/Kinesis
	Name       string             // required; such as IncomingRecords
	Dimensions map[string]*string // all that the metric is published with; values may be tokens; default none
	Stat       string             // required; Sum, Average, Minimum, Maximum, SampleCount, or a percentile such as p99
}

var statFormat = regexp.MustCompile(`^(Sum|Average|Minimum|Maximum|SampleCount|p[0-9]{1,2}(\.[0-9]+)?)$`)

func (m Metric) validate() error {
	errs := []error{
		check.Required("Namespace", m.Namespace != ""),
		check.Required("Name of a metric", m.Name != ""),
		check.That(statFormat.MatchString(m.Stat), "Stat must be Sum, Average, Minimum, Maximum, SampleCount or a percentile, got %q", m.Stat),
	}
	for name, value := range m.Dimensions {
		errs = append(errs, check.Required("value of dimension "+name, value != nil && *value != ""))
	}
	return errors.Join(errs...)
}

func (m Metric) percentile() bool { return m.Stat != "" && m.Stat[0] == 'p' }

// Signal is a number over time. An alarm watches it and a dashboard draws it.
type Signal struct {
	Label      string   // required; what it is, with its unit
	Seconds    int      // of one number, 60 to 86400, a multiple of 60; default 60
	Metrics    []Metric // required; one, or those of Expression in the order m1, m2, …
	Expression string   // metric math; required where there are several Metrics
}

func (s Signal) validate() error {
	errs := []error{
		check.Required("Label", s.Label != ""),
		check.Between("Seconds", s.Seconds, 60, 86400),
		check.That(s.Seconds%60 == 0, "Seconds must be a multiple of 60, got %d", s.Seconds),
		check.Between("number of Metrics", len(s.Metrics), 1, 9),
		check.That(len(s.Metrics) < 2 || s.Expression != "", "Expression is required where there are several Metrics"),
	}
	for _, m := range s.Metrics {
		errs = append(errs, m.validate())
	}
	return errors.Join(errs...)
}

func metricID(i int) string { return fmt.Sprintf("m%d", i+1) }

// watch makes an alarm look at the signal, or at how far it leaves its band.
func (s Signal) watch(config *cloudwatchmetricalarm.CloudwatchMetricAlarmConfig, band string) {
	if m := s.Metrics[0]; s.Expression == "" && band == "" {
		config.Namespace, config.MetricName, config.Period = &m.Namespace, &m.Name, jsii.Number(s.Seconds)
		if len(m.Dimensions) > 0 {
			config.Dimensions = &m.Dimensions
		}
		if m.percentile() {
			config.ExtendedStatistic = &m.Stat
			config.EvaluateLowSampleCountPercentiles = jsii.String("ignore") // few samples have no percentile
		} else {
			config.Statistic = &m.Stat
		}
		return
	}
	var queries []*cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery
	for i, m := range s.Metrics {
		query := &cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery{
			Id:         jsii.String(metricID(i)),
			ReturnData: s.Expression == "",
			Metric: &cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQueryMetric{
				Namespace: &m.Namespace, MetricName: &m.Name, Stat: &m.Stat, Period: jsii.Number(s.Seconds),
			},
		}
		if len(m.Dimensions) > 0 {
			query.Metric.Dimensions = &m.Dimensions
		}
		queries = append(queries, query)
	}
	expression := func(id, text, label string) {
		queries = append(queries, &cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery{
			Id: &id, Expression: &text, Label: &label, ReturnData: true,
		})
	}
	if s.Expression != "" {
		expression("signal", s.Expression, s.Label)
	}
	if band != "" {
		expression("band", band, "expected")
		config.ThresholdMetricId = jsii.String("band")
	}
	config.MetricQuery = queries
}

// rows are the signal in a dashboard's words.
func (s Signal) rows(band string) (rows [][]any) {
	for i, m := range s.Metrics {
		row := []any{m.Namespace, m.Name}
		for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
			row = append(row, name, *m.Dimensions[name])
		}
		options := map[string]any{"id": metricID(i), "stat": m.Stat, "period": s.Seconds}
		if s.Expression != "" {
			options["visible"] = false
		} else {
			options["label"] = s.Label
		}
		rows = append(rows, append(row, options))
	}
	if s.Expression != "" {
		rows = append(rows, []any{map[string]any{"id": "signal", "expression": s.Expression, "label": s.Label, "period": s.Seconds}})
	}
	if band != "" {
		rows = append(rows, []any{map[string]any{"id": "band", "expression": band, "label": "expected", "period": s.Seconds}})
	}
	return rows
}
