package observe

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopic"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopicpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopicsubscription"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Subscribers are whom a topic tells. A value may be a token, such as that of
// a setting.
type Subscribers struct {
	Email *string // must be confirmed in the message that AWS sends; default nobody
	HTTPS *string // URL of a pager; it confirms by itself; default none
}

// TopicsProps configures Topics.
type TopicsProps struct {
	Prefix  string           // required; begins the topics' names and those of all alarms, such as shopstream-prod-
	Account security.Account // required
	Key     *security.Key    // required; encrypts messages
	Page    Subscribers      // who is woken
	Ticket  Subscribers      // who looks on the next working day
}

func (p TopicsProps) validate() error {
	return errors.Join(
		check.Required("Prefix", p.Prefix != ""),
		check.Between("length of Prefix", len(p.Prefix), 1, 60),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
		check.Required("Key", p.Key != nil),
	)
}

// Topics are where alarms go, by severity.
//
//	Topics
//	├── page     aws_sns_topic, its policy and subscriptions
//	└── ticket   aws_sns_topic, its policy and subscriptions
type Topics struct {
	Page, Ticket *Topic

	prefix  string
	account security.Account
}

// NewTopics defines Topics in scope. The account's alarms may publish to them.
func NewTopics(scope constructs.Construct, id string, p TopicsProps) (*Topics, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("topics %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	topics := &Topics{prefix: p.Prefix, account: p.Account}
	topics.Page = p.newTopic(scope, "page", p.Page)
	topics.Ticket = p.newTopic(scope, "ticket", p.Ticket)
	alarms := "arn:aws:cloudwatch:" + p.Account.Region + ":" + p.Account.ID + ":alarm:" + p.Prefix + "*"
	p.Key.AllowService("cloudwatch.amazonaws.com", alarms, "kms:GenerateDataKey", "kms:Decrypt")
	topics.Page.allow("cloudwatch.amazonaws.com", alarms)
	topics.Ticket.allow("cloudwatch.amazonaws.com", alarms)
	return topics, nil
}

// Topic is an encrypted topic that takes messages from named services alone.
// It is a security.Alerts.
type Topic struct {
	account    security.Account
	key        *security.Key
	topic      snstopic.SnsTopic
	policy     snstopicpolicy.SnsTopicPolicy
	statements []security.Statement
}

func (p TopicsProps) newTopic(scope constructs.Construct, id string, to Subscribers) *Topic {
	scope = constructs.NewConstruct(scope, &id)
	topic := snstopic.NewSnsTopic(scope, jsii.String("this"), &snstopic.SnsTopicConfig{
		Name: jsii.String(p.Prefix + id), KmsMasterKeyId: p.Key.ARN(),
	})
	statements := []security.Statement{{
		Sid: "TLSOnly", Effect: "Deny", Principal: "*", Action: "sns:Publish", Resource: *topic.Arn(),
		Condition: map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}},
	}}
	policy := snstopicpolicy.NewSnsTopicPolicy(scope, jsii.String("policy"), &snstopicpolicy.SnsTopicPolicyConfig{
		Arn: topic.Arn(), Policy: security.Policy(statements...),
	})
	subscribe := func(protocol string, endpoint *string) {
		if endpoint == nil {
			return
		}
		snstopicsubscription.NewSnsTopicSubscription(scope, &protocol, &snstopicsubscription.SnsTopicSubscriptionConfig{
			TopicArn: topic.Arn(), Protocol: &protocol, Endpoint: endpoint, EndpointAutoConfirms: protocol == "https",
		})
	}
	subscribe("email", to.Email)
	subscribe("https", to.HTTPS)
	return &Topic{p.Account, p.Key, topic, policy, statements}
}

// ARN is a token.
func (t *Topic) ARN() *string { return t.topic.Arn() }

// GrantPublish lets role publish, and encrypt what it publishes.
func (t *Topic) GrantPublish(role *security.Role) {
	role.Allow(t.ARN(), "sns:Publish")
	t.key.GrantEncrypt(role)
	t.key.GrantDecrypt(role) // SNS opens a data key to use it again
}

// AllowPublish lets an AWS service publish, and encrypt what it publishes, on
// behalf of the resource with sourceARN, which must be known at synth. Not
// EventBridge, which tells no source: it publishes in a role.
func (t *Topic) AllowPublish(service, sourceARN string) {
	t.key.AllowService(service, sourceARN, "kms:GenerateDataKey", "kms:Decrypt")
	t.allow(service, sourceARN)
}

func (t *Topic) allow(service, sourceARN string) {
	t.statements = append(t.statements, security.Statement{
		Effect: "Allow", Principal: security.Service(service), Action: "sns:Publish", Resource: *t.ARN(),
		Condition: map[string]any{
			"ArnLike":      map[string]string{"aws:SourceArn": sourceARN},
			"StringEquals": map[string]string{"aws:SourceAccount": t.account.ID},
		},
	})
	t.policy.SetPolicy(security.Policy(t.statements...))
}
