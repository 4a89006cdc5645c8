package ingest

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lb"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lblistener"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroup"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/internal/check"
)

// LoadBalancerProps configures a LoadBalancer.
type LoadBalancerProps struct {
	Name           string           // required; unique in the account and region, at most 26 characters; another one replaces it
	Network        *network.Network // required
	Internal       bool             // whether only a Link reaches it; default false: the internet does
	CertificateARN string           // of ACM in the load balancer's region; required unless Internal, where the default is HTTP
	BlueGreen      bool             // whether there are two groups of targets, for CodeDeploy; default false
	Protect        bool             // whether AWS and Terraform refuse to destroy it; default false
}

func (p LoadBalancerProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 26), // AWS takes 32, of which -green needs 6
		check.Required("Network", p.Network != nil),
		check.That(p.Internal || p.CertificateARN != "", "CertificateARN is required where the internet reaches the load balancer"),
	)
}

// LoadBalancer is the application load balancer in front of the collector.
//
//	LoadBalancer
//	├── group           aws_security_group and its rules
//	├── this            aws_lb
//	├── targets         aws_lb_target_group
//	├── green_targets   aws_lb_target_group, with BlueGreen
//	└── listener        aws_lb_listener: HTTPS; plain_listener, HTTP inside of the network, where there is no certificate
type LoadBalancer struct {
	group    *network.SecurityGroup
	lb       lb.Lb
	targets  []lbtargetgroup.LbTargetGroup
	listener lblistener.LbListener
	internal bool
	protocol string
	port     int
}

// NewLoadBalancer defines a LoadBalancer in scope.
func NewLoadBalancer(scope constructs.Construct, id string, p LoadBalancerProps) (*LoadBalancer, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("load balancer %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	group, err := network.NewSecurityGroup(scope, "group", network.SecurityGroupProps{
		Name: p.Name, Description: "Load balancer of the collector.", Network: p.Network,
	})
	if err != nil {
		return nil, fmt.Errorf("load balancer %q: %w", id, err)
	}
	l := &LoadBalancer{group: group, internal: p.Internal, protocol: "HTTPS", port: 443}
	if p.CertificateARN == "" {
		l.protocol, l.port = "HTTP", 80
	}
	// What the last hop of X-Forwarded-For says, the collector believes: behind
	// the API that is the API's word, which the load balancer must not follow
	// with the address of the Link.
	subnets, forwardedFor := p.Network.PublicSubnetIDs(), "append"
	if p.Internal {
		subnets, forwardedFor = p.Network.PrivateSubnetIDs(), "preserve"
	} else {
		group.AllowFromCIDR(network.World, l.port, "Shoppers and servers of shops.")
	}
	l.lb = lb.NewLb(scope, jsii.String("this"), &lb.LbConfig{
		Name:                     &p.Name,
		LoadBalancerType:         jsii.String("application"),
		Internal:                 &p.Internal,
		Subnets:                  &subnets,
		SecurityGroups:           &[]*string{group.ID()},
		XffHeaderProcessingMode:  &forwardedFor,
		DropInvalidHeaderFields:  true,
		EnableDeletionProtection: &p.Protect,
		Lifecycle:                &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})
	l.targets = append(l.targets, newTargets(scope, "targets", p.Name, p.Network))
	if p.BlueGreen {
		l.targets = append(l.targets, newTargets(scope, "green_targets", p.Name+"-green", p.Network))
	}
	l.listener = p.newListener(scope, l)
	return l, nil
}

func (p LoadBalancerProps) newListener(scope constructs.Construct, l *LoadBalancer) lblistener.LbListener {
	config := &lblistener.LbListenerConfig{
		LoadBalancerArn: l.lb.Arn(),
		Port:            jsii.Number(l.port),
		Protocol:        &l.protocol,
		DefaultAction:   []*lblistener.LbListenerDefaultAction{{Type: jsii.String("forward"), TargetGroupArn: l.targets[0].Arn()}},
	}
	if p.CertificateARN != "" {
		config.CertificateArn = &p.CertificateARN
		config.SslPolicy = jsii.String("ELBSecurityPolicy-TLS13-1-2-2021-06") // TLS 1.2 and 1.3
	}
	if p.BlueGreen {
		config.Lifecycle = &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("default_action")} // CodeDeploy owns it from then on
	}
	id := "listener"
	if p.CertificateARN == "" {
		id = "plain_listener" // so that what excuses it excuses no other
	}
	return lblistener.NewLbListener(scope, &id, config)
}

func newTargets(scope constructs.Construct, id, name string, n *network.Network) lbtargetgroup.LbTargetGroup {
	return lbtargetgroup.NewLbTargetGroup(scope, &id, &lbtargetgroup.LbTargetGroupConfig{
		Name:                       &name,
		VpcId:                      n.ID(),
		TargetType:                 jsii.String("ip"),
		Port:                       jsii.Number(CollectorPort),
		Protocol:                   jsii.String("HTTP"),
		DeregistrationDelay:        jsii.String("30"), // seconds; an answer takes 3
		LoadBalancingAlgorithmType: jsii.String("least_outstanding_requests"),
		HealthCheck: &lbtargetgroup.LbTargetGroupHealthCheck{
			Path: jsii.String(readyPath), Matcher: jsii.String("200"), Protocol: jsii.String("HTTP"),
			Interval: jsii.Number(10), Timeout: jsii.Number(5), HealthyThreshold: jsii.Number(2), UnhealthyThreshold: jsii.Number(3),
		},
	})
}

// readyPath is where the collector says whether it takes batches.
const readyPath = "/readyz"

// ARN is a token.
func (l *LoadBalancer) ARN() *string { return l.lb.Arn() }

// DNSName is a token: what the record of the shop's domain points to.
func (l *LoadBalancer) DNSName() *string { return l.lb.DnsName() }

// LoadBalancerDimension is a token: the LoadBalancer dimension of its metrics.
func (l *LoadBalancer) LoadBalancerDimension() *string { return l.lb.ArnSuffix() }
