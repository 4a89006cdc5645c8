package security

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/shieldprotection"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/shieldsubscription"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// Shieldable is what Shield Advanced can protect: a distribution or a load
// balancer. An API of API Gateway is not.
type Shieldable interface{ ARN() *string }

// ShieldProps configures a Shield. At least one of what it protects is required.
type ShieldProps struct {
	Name         string     // required; begins the protections' names
	Distribution Shieldable // the tracker's; default none
	LoadBalancer Shieldable // the public one; default none
	Subscribe    bool       // whether to subscribe the account too, for a year at 3,000 USD a month; default false: it is subscribed
}

func (p ShieldProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Distribution or LoadBalancer", p.Distribution != nil || p.LoadBalancer != nil),
	)
}

// NewShield protects what p names against floods, with AWS's response team
// and without the bill for the traffic.
//
//	Shield
//	├── subscription    aws_shield_subscription
//	├── distribution    aws_shield_protection
//	└── load_balancer   aws_shield_protection
func NewShield(scope constructs.Construct, id string, p ShieldProps) error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("shield %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	var subscribed []cdktf.ITerraformDependable
	if p.Subscribe {
		subscribed = append(subscribed, shieldsubscription.NewShieldSubscription(scope, jsii.String("subscription"), &shieldsubscription.ShieldSubscriptionConfig{
			AutoRenew:   jsii.String("ENABLED"),
			SkipDestroy: true, // AWS takes no subscription back before its year is over
		}))
	}
	protect := func(id, name string, resource Shieldable) {
		if resource == nil {
			return
		}
		shieldprotection.NewShieldProtection(scope, &id, &shieldprotection.ShieldProtectionConfig{
			Name: jsii.String(p.Name + "-" + name), ResourceArn: resource.ARN(), DependsOn: &subscribed,
		})
	}
	protect("distribution", "distribution", p.Distribution)
	protect("load_balancer", "load-balancer", p.LoadBalancer)
	return nil
}
