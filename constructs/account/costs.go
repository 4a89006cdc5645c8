package account

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ceanomalymonitor"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ceanomalysubscription"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cecostallocationtag"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cecostcategory"

	"github.com/shopstream/shopstream/internal/check"
)

// CostsProps configures Costs.
type CostsProps struct {
	Name         string   // required; unique in the payer's account
	Environments []string // required; values of the tag environment, each a line of the bill
	Email        *string  // required; who is told of anomalies, a token or text
	AnomalyUSD   int      // smallest anomaly that is told, 1 to 1000000; default 100
	Tags         bool     // whether to make the tags project and environment known to the bill, which AWS refuses for a day after the first resource carries them; default false
}

func (p CostsProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Environments", len(p.Environments) > 0),
		check.Required("Email", p.Email != nil),
		check.Between("AnomalyUSD", p.AnomalyUSD, 1, 1_000_000),
	)
}

// Costs sort the bill by environment and tell when it grows unlike before. Only
// the account that pays, the organization's or a lone one, can hold them.
//
//	Costs
//	├── project_tag, environment_tag   aws_ce_cost_allocation_tag
//	├── category                       aws_ce_cost_category
//	├── monitor                        aws_ce_anomaly_monitor
//	└── subscription                   aws_ce_anomaly_subscription
type Costs struct{}

// NewCosts defines Costs in scope.
func NewCosts(scope constructs.Construct, id string, p CostsProps) (*Costs, error) {
	p.AnomalyUSD = cmp.Or(p.AnomalyUSD, 100)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("costs %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	if p.Tags {
		for _, tag := range []string{"project", "environment"} {
			cecostallocationtag.NewCeCostAllocationTag(scope, jsii.String(tag+"_tag"), &cecostallocationtag.CeCostAllocationTagConfig{
				TagKey: &tag, Status: jsii.String("Active"),
			})
		}
	}
	p.category(scope)
	monitor := ceanomalymonitor.NewCeAnomalyMonitor(scope, jsii.String("monitor"), &ceanomalymonitor.CeAnomalyMonitorConfig{
		Name: &p.Name, MonitorType: jsii.String("DIMENSIONAL"), MonitorDimension: jsii.String("SERVICE"),
	})
	ceanomalysubscription.NewCeAnomalySubscription(scope, jsii.String("subscription"), &ceanomalysubscription.CeAnomalySubscriptionConfig{
		Name:           &p.Name,
		Frequency:      jsii.String("DAILY"), // mail can't come sooner
		MonitorArnList: &[]*string{monitor.Arn()},
		Subscriber:     []*ceanomalysubscription.CeAnomalySubscriptionSubscriber{{Type: jsii.String("EMAIL"), Address: p.Email}},
		ThresholdExpression: &ceanomalysubscription.CeAnomalySubscriptionThresholdExpression{
			Dimension: &ceanomalysubscription.CeAnomalySubscriptionThresholdExpressionDimension{
				Key:          jsii.String("ANOMALY_TOTAL_IMPACT_ABSOLUTE"),
				MatchOptions: jsii.Strings("GREATER_THAN_OR_EQUAL"),
				Values:       jsii.Strings(fmt.Sprint(p.AnomalyUSD)),
			},
		},
	})
	return &Costs{}, nil
}

// category makes each environment a line; the rest is shared.
func (p CostsProps) category(scope constructs.Construct) {
	rules := make([]*cecostcategory.CeCostCategoryRule, len(p.Environments))
	for i, environment := range p.Environments {
		rules[i] = &cecostcategory.CeCostCategoryRule{
			Value: &environment,
			Rule: &cecostcategory.CeCostCategoryRuleRule{Tags: &cecostcategory.CeCostCategoryRuleRuleTags{
				Key: jsii.String("environment"), Values: &[]*string{&environment}, MatchOptions: jsii.Strings("EQUALS"),
			}},
		}
	}
	cecostcategory.NewCeCostCategory(scope, jsii.String("category"), &cecostcategory.CeCostCategoryConfig{
		Name: &p.Name, RuleVersion: jsii.String("CostCategoryExpression.v1"), Rule: rules, DefaultValue: jsii.String("shared"),
	})
}
