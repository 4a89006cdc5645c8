// Package network is the tier of places: what is called privately (the
// collector, the warehouse, the connections of Glue) lives in its subnets and
// reaches AWS through its endpoints. Functions that call AWS alone run outside.
package network

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/defaultsecuritygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/internetgateway"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpc"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Props configures a Network.
type Props struct {
	Name     string             // required; unique in the account and region, at most 55 characters
	Account  security.Account   // required; endpoints let nothing through to another account
	LogGroup *security.LogGroup // required; takes the flow logs, which hold shoppers' addresses

	CIDR        string   // the VPC's private addresses, a block of 16 to 22 bits; default 10.0.0.0/16; another one replaces the VPC
	Zones       []string // letters of the region's zones, 2 to 4; appending one moves no other; default a, b, c
	NATGateways int      // 1 to the number of zones; with fewer, a zone's failure cuts others off; default one a zone

	// Services of AWS to reach inside the VPC, such as "kinesis-streams" or
	// "ecr.api"; all others go through NAT, at a price per GB; default none.
	// Each costs by the hour and zone.
	InterfaceEndpoints []string

	FlowLogSeconds int // aggregation interval, 60 or 600; default 600
}

func (p *Props) setDefaults() {
	p.CIDR = cmp.Or(p.CIDR, "10.0.0.0/16")
	if len(p.Zones) == 0 {
		p.Zones = []string{"a", "b", "c"}
	}
	p.NATGateways = cmp.Or(p.NATGateways, len(p.Zones))
	p.FlowLogSeconds = cmp.Or(p.FlowLogSeconds, 600)
}

var (
	zoneFormat    = regexp.MustCompile(`^[a-z]$`)
	serviceFormat = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*$`)
)

func (p Props) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 55),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
		check.Required("LogGroup", p.LogGroup != nil),
		checkBlock("CIDR", p.CIDR, 16, 22),
		check.That(isPrivate(p.CIDR), "CIDR must be private addresses, got %q", p.CIDR),
		check.Between("number of Zones", len(p.Zones), 2, zonesPerTier),
		check.Between("NATGateways", p.NATGateways, 1, len(p.Zones)),
		check.That(p.FlowLogSeconds == 60 || p.FlowLogSeconds == 600, "FlowLogSeconds must be 60 or 600, got %d", p.FlowLogSeconds),
	}
	for i, zone := range p.Zones {
		errs = append(errs,
			check.That(zoneFormat.MatchString(zone), `Zones must hold letters such as "a", got %q`, zone),
			check.That(!slices.Contains(p.Zones[:i], zone), "Zones holds %q twice", zone))
	}
	return errors.Join(append(errs, ValidateInterfaceEndpoints(p.InterfaceEndpoints))...)
}

// ValidateInterfaceEndpoints reports what Props.InterfaceEndpoints may not hold.
func ValidateInterfaceEndpoints(services []string) error {
	var errs []error
	for i, service := range services {
		errs = append(errs,
			check.That(serviceFormat.MatchString(service), `InterfaceEndpoints must hold services such as "ecr.api", got %q`, service),
			check.That(service != "s3" && service != "dynamodb", "InterfaceEndpoints must not hold %q, which has a gateway endpoint", service),
			check.That(!slices.Contains(services[:i], service), "InterfaceEndpoints holds %q twice", service))
	}
	return errors.Join(errs...)
}

// Network is a VPC with three tiers of subnets over several zones. Public
// subnets hold load balancers and NAT gateways; private ones reach the
// internet through NAT; isolated ones reach the VPC, S3 and DynamoDB alone.
//
//	Network
//	├── this                     aws_vpc
//	├── default_security_group   aws_default_security_group, emptied
//	├── internet                 aws_internet_gateway
//	├── public, private, isolated
//	│   ├── subnet_a, …          aws_subnet, aws_route_table_association
//	│   ├── routes, routes_a, …  aws_route_table, aws_route
//	│   └── acl, acl_in_…        aws_network_acl, aws_network_acl_rule
//	├── nat
//	│   └── gateway_a, …         aws_nat_gateway, aws_eip
//	├── flow_log                 aws_flow_log, its role and policy
//	└── endpoints                aws_vpc_endpoint: S3, DynamoDB, InterfaceEndpoints; their policies and security group
type Network struct {
	vpc   vpc.Vpc
	block netip.Prefix
	zones []string

	public, private, isolated *tier

	s3, dynamoDB *string // prefix lists
	peers        []peer
}

// New defines a Network in scope.
func New(scope constructs.Construct, id string, p Props) (*Network, error) {
	p.setDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("network %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	n := &Network{block: netip.MustParsePrefix(p.CIDR), zones: p.Zones}
	n.vpc = vpc.NewVpc(scope, jsii.String("this"), &vpc.VpcConfig{
		CidrBlock:          &p.CIDR,
		EnableDnsSupport:   true,
		EnableDnsHostnames: true, // else private names of endpoints don't resolve
		Tags:               named(p.Name),
	})
	// Whatever names no security group gets this one: it lets nothing through.
	defaultsecuritygroup.NewDefaultSecurityGroup(scope, jsii.String("default_security_group"), &defaultsecuritygroup.DefaultSecurityGroupConfig{
		VpcId: n.ID(), Tags: named(p.Name + "-default-empty"),
	})
	internet := internetgateway.NewInternetGateway(scope, jsii.String("internet"), &internetgateway.InternetGatewayConfig{
		VpcId: n.ID(), Tags: named(p.Name),
	})
	n.defineTiers(scope, p)
	n.defineRoutes(scope, p, internet)
	if err := n.defineFlowLog(scope, p); err != nil {
		return nil, fmt.Errorf("network %q: %w", id, err)
	}
	if err := n.defineEndpoints(scope, p); err != nil {
		return nil, fmt.Errorf("network %q: %w", id, err)
	}
	return n, nil
}

// named is what the console and cost reports call a resource.
func named(name string) *map[string]*string { return &map[string]*string{"Name": &name} }

// ID is a token: the VPC's id.
func (n *Network) ID() *string { return n.vpc.Id() }

// CIDR is the VPC's block of addresses as text.
func (n *Network) CIDR() string { return n.block.String() }

// PublicSubnetIDs are tokens, one a zone: for load balancers that face the internet.
func (n *Network) PublicSubnetIDs() []*string { return n.public.ids() }

// PrivateSubnetIDs are tokens, one a zone: for what calls AWS and the internet.
func (n *Network) PrivateSubnetIDs() []*string { return n.private.ids() }

// PrivateCIDR is the block of all private subnets as text.
func (n *Network) PrivateCIDR() string { return n.private.block.String() }

// IsolatedCIDR is the block of all isolated subnets as text.
func (n *Network) IsolatedCIDR() string { return n.isolated.block.String() }

// S3PrefixList is a token: S3's addresses, for SecurityGroup.AllowToPrefixList.
func (n *Network) S3PrefixList() *string { return n.s3 }

// DynamoDBPrefixList is a token: DynamoDB's addresses, for SecurityGroup.AllowToPrefixList.
func (n *Network) DynamoDBPrefixList() *string { return n.dynamoDB }
