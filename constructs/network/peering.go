package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/route"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcpeeringconnection"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcpeeringconnectionaccepter"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// PeeringProps configures a Peering.
type PeeringProps struct {
	Name        string           // required; what the console calls it
	Network     *Network         // required; asks for the connection
	PeerVPC     *string          // required; the other VPC's id, a token or text
	PeerAccount security.Account // required; where the other VPC is
	PeerCIDR    string           // required; the other VPC's block, which must not overlap the network's or another peer's
	RuleNumber  int              // required; of the private subnets' ACL rules for the peer, 500 to 599, unique in the network
}

func (p PeeringProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("PeerVPC", p.PeerVPC != nil),
		check.Required("PeerAccount", p.PeerAccount.ID != "" && p.PeerAccount.Region != ""),
		checkPeer(p.Network, p.PeerCIDR, p.RuleNumber),
	)
}

// Peering connects a network to another VPC that accepts it with an
// AcceptedPeering. Private subnets reach the peer and it reaches them, where
// security groups say so; public and isolated ones don't.
//
//	Peering
//	├── this                 aws_vpc_peering_connection
//	├── route_a, …           aws_route of each private subnet
//	└── acl_in, acl_out      aws_network_acl_rule
type Peering struct {
	connection vpcpeeringconnection.VpcPeeringConnection
}

// NewPeering defines a Peering in scope.
func NewPeering(scope constructs.Construct, id string, p PeeringProps) (*Peering, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("peering %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	connection := vpcpeeringconnection.NewVpcPeeringConnection(scope, jsii.String("this"), &vpcpeeringconnection.VpcPeeringConnectionConfig{
		VpcId:       p.Network.ID(),
		PeerVpcId:   p.PeerVPC,
		PeerOwnerId: &p.PeerAccount.ID,
		PeerRegion:  &p.PeerAccount.Region,
		Tags:        named(p.Name),
	})
	p.Network.connect(scope, connection.Id(), p.PeerCIDR, p.RuleNumber) // routes lead nowhere until the peer accepts
	return &Peering{connection}, nil
}

// ID is a token: the connection's id, for the AcceptedPeering of the peer.
func (p *Peering) ID() *string { return p.connection.Id() }

// AcceptedPeeringProps configures an AcceptedPeering.
type AcceptedPeeringProps struct {
	Name       string   // required; what the console calls it
	Network    *Network // required; accepts the connection
	Connection *string  // required; the id of the peer's Peering, a token or text
	PeerCIDR   string   // required; the asking VPC's block, which must not overlap the network's or another peer's
	RuleNumber int      // required; of the private subnets' ACL rules for the peer, 500 to 599, unique in the network
}

func (p AcceptedPeeringProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Connection", p.Connection != nil),
		checkPeer(p.Network, p.PeerCIDR, p.RuleNumber),
	)
}

// AcceptedPeering accepts a Peering from another VPC, with the routes back.
//
//	AcceptedPeering
//	├── this                 aws_vpc_peering_connection_accepter
//	├── route_a, …           aws_route of each private subnet
//	└── acl_in, acl_out      aws_network_acl_rule
type AcceptedPeering struct{}

// NewAcceptedPeering defines an AcceptedPeering in scope.
func NewAcceptedPeering(scope constructs.Construct, id string, p AcceptedPeeringProps) (*AcceptedPeering, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("accepted peering %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	accepter := vpcpeeringconnectionaccepter.NewVpcPeeringConnectionAccepterA(scope, jsii.String("this"), &vpcpeeringconnectionaccepter.VpcPeeringConnectionAccepterAConfig{
		VpcPeeringConnectionId: p.Connection,
		AutoAccept:             true,
		Tags:                   named(p.Name),
	})
	p.Network.connect(scope, accepter.Id(), p.PeerCIDR, p.RuleNumber)
	return &AcceptedPeering{}, nil
}

// peer is what a network knows of a VPC at the other end of a peering.
type peer struct {
	block  netip.Prefix
	number int
}

// checkPeer reports a peer that n can't be connected to.
func checkPeer(n *Network, cidr string, number int) error {
	errs := []error{
		check.Required("Network", n != nil),
		checkBlock("PeerCIDR", cidr, 16, 28),
		check.Between("RuleNumber", number, 500, 599),
	}
	block, err := netip.ParsePrefix(cidr)
	if n == nil || err != nil {
		return errors.Join(errs...)
	}
	errs = append(errs, check.That(!block.Overlaps(n.block), "PeerCIDR must not overlap the network's %s, got %s", n.block, cidr))
	for _, other := range n.peers {
		errs = append(errs,
			check.That(!block.Overlaps(other.block), "PeerCIDR must not overlap another peer's %s, got %s", other.block, cidr),
			check.That(number != other.number, "RuleNumber %d is another peer's", number))
	}
	return errors.Join(errs...)
}

// connect sends what is meant for cidr from private subnets to connection, and
// lets it and the peer's calls pass.
func (n *Network) connect(scope constructs.Construct, connection *string, cidr string, number int) {
	n.peers = append(n.peers, peer{netip.MustParsePrefix(cidr), number})
	for i, table := range n.private.tables {
		route.NewRoute(scope, jsii.String("route_"+n.zones[i]), &route.RouteConfig{
			RouteTableId: table.Id(), DestinationCidrBlock: &cidr, VpcPeeringConnectionId: connection,
		})
	}
	n.private.defineRules(scope, []aclRule{
		{id: "in", number: number, ports: https, block: cidr},
		{id: "out", number: number, out: true, ports: answers, block: cidr},
	})
}
