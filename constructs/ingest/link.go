package ingest

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayvpclink"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lb"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lblistener"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroupattachment"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/internal/check"
)

// LinkProps configures a Link.
type LinkProps struct {
	Name         string           // required; unique in the account and region, at most 26 characters; another one replaces it
	Network      *network.Network // required
	LoadBalancer *LoadBalancer    // required; internal
	Protect      bool             // whether AWS and Terraform refuse to destroy it; default false
}

func (p LinkProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 26), // AWS takes 32, of which -link needs 5
		check.Required("Network", p.Network != nil),
		check.Required("LoadBalancer", p.LoadBalancer != nil),
	}
	if p.LoadBalancer != nil {
		errs = append(errs, check.That(p.LoadBalancer.internal, "LoadBalancer must be internal: the internet would go round the API"))
	}
	return errors.Join(errs...)
}

// Link leads a REST API into the network. API Gateway's links end at network
// load balancers alone, so one stands before the application load balancer.
//
//	Link
//	├── group           aws_security_group and its rules
//	├── load_balancer   aws_lb
//	├── targets         aws_lb_target_group
//	├── target          aws_lb_target_group_attachment: the LoadBalancer
//	├── listener        aws_lb_listener
//	└── this            aws_api_gateway_vpc_link
type Link struct {
	lb   lb.Lb
	link apigatewayvpclink.ApiGatewayVpcLink
	to   *LoadBalancer
}

// NewLink defines a Link in scope.
func NewLink(scope constructs.Construct, id string, p LinkProps) (*Link, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("link %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	group, err := network.NewSecurityGroup(scope, "group", network.SecurityGroupProps{
		Name: p.Name + "-link", Description: "Link of the API to the load balancer.", Network: p.Network,
	})
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", id, err)
	}
	p.LoadBalancer.group.AllowFrom(group, p.LoadBalancer.port, "The API, and health checks of its link.")
	subnets := p.Network.PrivateSubnetIDs()
	balancer := lb.NewLb(scope, jsii.String("load_balancer"), &lb.LbConfig{
		Name:                         jsii.String(p.Name + "-link"),
		LoadBalancerType:             jsii.String("network"),
		Internal:                     true,
		Subnets:                      &subnets,
		SecurityGroups:               &[]*string{group.ID()},
		EnableCrossZoneLoadBalancing: true,
		EnableDeletionProtection:     &p.Protect,
		// The group lets nobody of the network in. What comes by the link has no
		// address that a rule could name.
		EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: jsii.String("off"),
		Lifecycle: &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})
	p.newListener(scope, balancer)
	return &Link{balancer, apigatewayvpclink.NewApiGatewayVpcLink(scope, jsii.String("this"), &apigatewayvpclink.ApiGatewayVpcLinkConfig{
		Name: &p.Name, TargetArns: &[]*string{balancer.Arn()},
	}), p.LoadBalancer}, nil
}

func (p LinkProps) newListener(scope constructs.Construct, balancer lb.Lb) {
	to := p.LoadBalancer
	targets := lbtargetgroup.NewLbTargetGroup(scope, jsii.String("targets"), &lbtargetgroup.LbTargetGroupConfig{
		Name:       jsii.String(p.Name + "-link"),
		VpcId:      p.Network.ID(),
		TargetType: jsii.String("alb"),
		Port:       jsii.Number(to.port),
		Protocol:   jsii.String("TCP"),
		HealthCheck: &lbtargetgroup.LbTargetGroupHealthCheck{
			Path: jsii.String(readyPath), Matcher: jsii.String("200"), Protocol: &to.protocol,
		},
	})
	lbtargetgroupattachment.NewLbTargetGroupAttachment(scope, jsii.String("target"), &lbtargetgroupattachment.LbTargetGroupAttachmentConfig{
		TargetGroupArn: targets.Arn(), TargetId: to.ARN(), Port: jsii.Number(to.port),
		DependsOn: &[]cdktf.ITerraformDependable{to.listener}, // AWS wants it to be there
	})
	lblistener.NewLbListener(scope, jsii.String("listener"), &lblistener.LbListenerConfig{
		LoadBalancerArn: balancer.Arn(),
		Port:            jsii.Number(to.port),
		Protocol:        jsii.String("TCP"),
		DefaultAction:   []*lblistener.LbListenerDefaultAction{{Type: jsii.String("forward"), TargetGroupArn: targets.Arn()}},
	})
}
