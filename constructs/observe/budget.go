package observe

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/budgetsbudget"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/budgetsbudgetaction"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iampolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicy"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// BudgetProps configures a Budget.
type BudgetProps struct {
	Name        string           // required; unique in the account, at most 90 characters
	Account     security.Account // required
	MonthlyUSD  int              // required; 1 to 100000000
	Environment string           // value of the cost allocation tag environment; default "": all costs of the account
	Topic       *Topic           // required; told at 80 and 100 % spent, at 100 % forecast, and on a day of a surge

	// DenyRoles are the names of roles that may start nothing that costs, once
	// the month's amount is spent, until somebody takes the policy off them.
	// Default none: the budget tells and does nothing.
	DenyRoles []string
}

// MaxMonthlyUSD is the most that a BudgetProps may let a month cost.
const MaxMonthlyUSD = 100_000_000

func (p BudgetProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 90),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Between("MonthlyUSD", p.MonthlyUSD, 1, MaxMonthlyUSD),
		check.Required("Topic", p.Topic != nil),
		check.Between("number of DenyRoles", len(p.DenyRoles), 0, 100),
	)
}

// surge is how many times the average day's share a single day is told at.
const surge = 3

// launches are the actions that start what costs by the hour, or that make it
// larger. What runs goes on: events are not lost for a budget's sake.
var launches = []string{
	"athena:StartQueryExecution",
	"ec2:CreateNatGateway", "ec2:CreateVpcEndpoint", "ec2:RunInstances",
	"ecs:CreateService", "ecs:RunTask", "ecs:StartTask",
	"elasticloadbalancing:CreateLoadBalancer",
	"firehose:CreateDeliveryStream",
	"glue:StartCrawler", "glue:StartJobRun",
	"kinesis:CreateStream", "kinesis:IncreaseStreamRetentionPeriod", "kinesis:UpdateShardCount", "kinesis:UpdateStreamMode",
	"kinesisanalytics:StartApplication", "kinesisanalytics:UpdateApplication",
	"redshift-serverless:CreateWorkgroup", "redshift-serverless:UpdateWorkgroup",
	"sagemaker:CreateEndpoint", "sagemaker:CreateNotebookInstance", "sagemaker:CreateProcessingJob",
	"sagemaker:CreateTrainingJob", "sagemaker:CreateTransformJob", "sagemaker:StartPipelineExecution",
}

// NewBudget watches what is spent: over the month, and for a surge on one day.
//
//	Budget
//	├── monthly   aws_budgets_budget
//	├── daily     aws_budgets_budget: a surge
//	├── deny      aws_iam_policy, with DenyRoles
//	├── actor     aws_iam_role, unbounded, and its policy: puts deny on the roles, with DenyRoles
//	└── act       aws_budgets_budget_action, with DenyRoles
func NewBudget(scope constructs.Construct, id string, p BudgetProps) error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("budget %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	p.Topic.AllowPublish("budgets.amazonaws.com", "arn:aws:budgets::"+p.Account.ID+":*")
	monthly := p.newBudget(scope, "monthly", "MONTHLY", float64(p.MonthlyUSD),
		p.notification("ACTUAL", 80), p.notification("ACTUAL", 100), p.notification("FORECASTED", 100))
	p.newBudget(scope, "daily", "DAILY", float64(p.MonthlyUSD*surge)/30, p.notification("ACTUAL", 100)) // AWS forecasts no days
	if len(p.DenyRoles) > 0 {
		p.act(scope, monthly)
	}
	return nil
}

func (p BudgetProps) newBudget(scope constructs.Construct, id, unit string, usd float64, notifications ...*budgetsbudget.BudgetsBudgetNotification) budgetsbudget.BudgetsBudget {
	config := &budgetsbudget.BudgetsBudgetConfig{
		Name:         jsii.String(p.Name + "-" + id),
		BudgetType:   jsii.String("COST"),
		TimeUnit:     &unit,
		LimitAmount:  jsii.String(strconv.FormatFloat(usd, 'f', 1, 64)), // as AWS tells it
		LimitUnit:    jsii.String("USD"),
		Notification: notifications,
	}
	if p.Environment != "" {
		config.CostFilter = []*budgetsbudget.BudgetsBudgetCostFilter{{
			Name: jsii.String("TagKeyValue"), Values: jsii.Strings("user:environment$" + p.Environment),
		}}
	}
	return budgetsbudget.NewBudgetsBudget(scope, &id, config)
}

func (p BudgetProps) notification(kind string, percent float64) *budgetsbudget.BudgetsBudgetNotification {
	return &budgetsbudget.BudgetsBudgetNotification{
		ComparisonOperator: jsii.String("GREATER_THAN"), NotificationType: &kind,
		Threshold: &percent, ThresholdType: jsii.String("PERCENTAGE"),
		SubscriberSnsTopicArns: &[]*string{p.Topic.ARN()},
	}
}

// act has AWS put a policy on the roles. What does so needs IAM, which no
// bounded role may use: it is bounded by its policy, to one policy and these roles.
func (p BudgetProps) act(scope constructs.Construct, budget budgetsbudget.BudgetsBudget) {
	name := p.Name + "-deny"
	deny := iampolicy.NewIamPolicy(scope, jsii.String("deny"), &iampolicy.IamPolicyConfig{
		Name:        &name,
		Description: jsii.String("Denies to start what costs. A budget puts it on roles; take it off to go on."),
		Policy:      security.Policy(security.Statement{Sid: "Spent", Effect: "Deny", Action: launches, Resource: "*"}),
	})
	actor := iamrole.NewIamRole(scope, jsii.String("actor"), &iamrole.IamRoleConfig{
		Name: jsii.String(p.Name + "-actor"),
		AssumeRolePolicy: security.Policy(security.Statement{
			Effect: "Allow", Principal: security.Service("budgets.amazonaws.com"), Action: "sts:AssumeRole",
			Condition: map[string]any{
				"ArnLike":      map[string]string{"aws:SourceArn": "arn:aws:budgets::" + p.Account.ID + ":budget/" + p.Name + "-monthly"},
				"StringEquals": map[string]string{"aws:SourceAccount": p.Account.ID},
			},
		}),
	})
	var roles []string
	for _, role := range p.DenyRoles {
		roles = append(roles, "arn:aws:iam::"+p.Account.ID+":role/"+role)
	}
	granted := iamrolepolicy.NewIamRolePolicy(scope, jsii.String("actor_policy"), &iamrolepolicy.IamRolePolicyConfig{
		Role: actor.Id(),
		Policy: security.Policy(security.Statement{
			Effect: "Allow", Action: []string{"iam:AttachRolePolicy", "iam:DetachRolePolicy"}, Resource: roles,
			Condition: map[string]any{"ArnEquals": map[string]string{"iam:PolicyARN": "arn:aws:iam::" + p.Account.ID + ":policy/" + name}},
		}),
	})
	budgetsbudgetaction.NewBudgetsBudgetAction(scope, jsii.String("act"), &budgetsbudgetaction.BudgetsBudgetActionConfig{
		BudgetName:       budget.Name(),
		ActionType:       jsii.String("APPLY_IAM_POLICY"),
		ApprovalModel:    jsii.String("AUTOMATIC"),
		NotificationType: jsii.String("ACTUAL"),
		ExecutionRoleArn: actor.Arn(),
		ActionThreshold: &budgetsbudgetaction.BudgetsBudgetActionActionThreshold{
			ActionThresholdType: jsii.String("PERCENTAGE"), ActionThresholdValue: jsii.Number(100),
		},
		Definition: &budgetsbudgetaction.BudgetsBudgetActionDefinition{
			IamActionDefinition: &budgetsbudgetaction.BudgetsBudgetActionDefinitionIamActionDefinition{
				PolicyArn: deny.Arn(), Roles: jsii.Strings(p.DenyRoles...),
			},
		},
		Subscriber: []*budgetsbudgetaction.BudgetsBudgetActionSubscriber{{Address: p.Topic.ARN(), SubscriptionType: jsii.String("SNS")}},
		DependsOn:  &[]cdktf.ITerraformDependable{granted},
	})
}
