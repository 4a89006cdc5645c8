package security

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchloggroup"

	"github.com/shopstream/shopstream/internal/check"
)

// LogGroupProps configures a LogGroup.
type LogGroupProps struct {
	Name          string // required; unique in the account and region
	Key           *Key   // required; its policy allows CloudWatch Logs
	RetentionDays int    // required; 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365
}

func (p LogGroupProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Key", p.Key != nil),
		ValidateRetention("RetentionDays", p.RetentionDays),
	)
}

// ValidateRetention holds days to those that CloudWatch takes, up to a year.
func ValidateRetention(field string, days int) error {
	return check.OneOf(field, days, 1, 3, 5, 7, 14, 30, 60, 90, 180, 365)
}

// LogGroup is an encrypted CloudWatch log group that forgets.
type LogGroup struct {
	group cloudwatchloggroup.CloudwatchLogGroup
}

// NewLogGroup defines a LogGroup in scope.
func NewLogGroup(scope constructs.Construct, id string, p LogGroupProps) (*LogGroup, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("log group %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	return &LogGroup{cloudwatchloggroup.NewCloudwatchLogGroup(scope, jsii.String("this"), &cloudwatchloggroup.CloudwatchLogGroupConfig{
		Name:            &p.Name,
		KmsKeyId:        p.Key.ARN(),
		RetentionInDays: jsii.Number(p.RetentionDays),
	})}, nil
}

// Name is a token: whoever uses it waits for the group.
func (g *LogGroup) Name() *string { return g.group.Name() }

// GrantWrite lets role write log streams.
func (g *LogGroup) GrantWrite(role *Role) {
	role.Allow(jsii.String(*g.group.Arn()+":*"), "logs:CreateLogStream", "logs:PutLogEvents")
}

// GrantRead lets role search log events.
func (g *LogGroup) GrantRead(role *Role) {
	role.Allow(jsii.String(*g.group.Arn()+":*"), "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery")
}
