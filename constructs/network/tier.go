package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/eip"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/internetgateway"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/natgateway"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/networkacl"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/route"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/routetable"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/routetableassociation"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/subnet"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// zonesPerTier is how many subnets a tier's block is cut into, used or not:
// a zone more never moves the others.
const zonesPerTier = 4

// tier is the subnets of one kind, one a zone. Their blocks adjoin, so that
// one rule of a network ACL covers a tier.
type tier struct {
	scope   constructs.Construct
	block   netip.Prefix
	subnets []subnet.Subnet
	acl     networkacl.NetworkAcl
	tables  []routetable.RouteTable // one, or one a zone
}

func (t *tier) ids() []*string {
	ids := make([]*string, len(t.subnets))
	for i, s := range t.subnets {
		ids[i] = s.Id()
	}
	return ids
}

// defineTiers cuts the VPC's block: half of it for private subnets, a quarter
// each for public and isolated ones.
func (n *Network) defineTiers(scope constructs.Construct, p Props) {
	n.private = n.newTier(scope, p, "private", part(n.block, 1, 0))
	n.public = n.newTier(scope, p, "public", part(n.block, 2, 2))
	n.isolated = n.newTier(scope, p, "isolated", part(n.block, 2, 3))
	n.private.defineRules(n.private.scope, n.privateRules())
	n.public.defineRules(n.public.scope, n.publicRules())
	n.isolated.defineRules(n.isolated.scope, n.isolatedRules())
}

func (n *Network) newTier(scope constructs.Construct, p Props, name string, block netip.Prefix) *tier {
	t := &tier{scope: constructs.NewConstruct(scope, &name), block: block}
	ids := []*string{}
	for i, zone := range p.Zones {
		s := subnet.NewSubnet(t.scope, jsii.String("subnet_"+zone), &subnet.SubnetConfig{
			VpcId:            n.ID(),
			AvailabilityZone: jsii.String(p.Account.Region + zone),
			CidrBlock:        jsii.String(part(block, 2, i).String()),
			Tags:             named(p.Name + "-" + name + "-" + zone),
		})
		t.subnets = append(t.subnets, s)
		ids = append(ids, s.Id())
	}
	t.acl = networkacl.NewNetworkAcl(t.scope, jsii.String("acl"), &networkacl.NetworkAclConfig{
		VpcId: n.ID(), SubnetIds: &ids, Tags: named(p.Name + "-" + name),
	})
	return t
}

// defineRoutes sends public subnets to the internet, private ones there
// through NAT in their zone where it has one, isolated ones nowhere.
func (n *Network) defineRoutes(scope constructs.Construct, p Props, internet internetgateway.InternetGateway) {
	public := n.newTable(n.public, "routes", p.Name+"-public")
	newRoute(n.public, "internet", public, &route.RouteConfig{GatewayId: internet.Id()})
	isolated := n.newTable(n.isolated, "routes", p.Name+"-isolated")
	gateways := n.newNATGateways(scope, p, internet)
	for i, zone := range p.Zones {
		private := n.newTable(n.private, "routes_"+zone, p.Name+"-private-"+zone)
		newRoute(n.private, "internet_"+zone, private, &route.RouteConfig{NatGatewayId: gateways[i%len(gateways)].Id()})
		for _, a := range []struct {
			tier  *tier
			table routetable.RouteTable
		}{{n.public, public}, {n.private, private}, {n.isolated, isolated}} {
			routetableassociation.NewRouteTableAssociation(a.tier.scope, jsii.String("association_"+zone), &routetableassociation.RouteTableAssociationConfig{
				SubnetId: a.tier.subnets[i].Id(), RouteTableId: a.table.Id(),
			})
		}
	}
}

func (n *Network) newTable(t *tier, id, name string) routetable.RouteTable {
	table := routetable.NewRouteTable(t.scope, &id, &routetable.RouteTableConfig{VpcId: n.ID(), Tags: named(name)})
	t.tables = append(t.tables, table)
	return table
}

func newRoute(t *tier, id string, table routetable.RouteTable, config *route.RouteConfig) {
	config.RouteTableId, config.DestinationCidrBlock = table.Id(), jsii.String(World)
	route.NewRoute(t.scope, &id, config)
}

func (n *Network) newNATGateways(scope constructs.Construct, p Props, internet internetgateway.InternetGateway) []natgateway.NatGateway {
	scope = constructs.NewConstruct(scope, jsii.String("nat"))
	gateways := make([]natgateway.NatGateway, p.NATGateways)
	for i, zone := range p.Zones[:p.NATGateways] {
		address := eip.NewEip(scope, jsii.String("address_"+zone), &eip.EipConfig{
			Domain: jsii.String("vpc"), Tags: named(p.Name + "-nat-" + zone),
		})
		gateways[i] = natgateway.NewNatGateway(scope, jsii.String("gateway_"+zone), &natgateway.NatGatewayConfig{
			SubnetId: n.public.subnets[i].Id(), AllocationId: address.Id(), Tags: named(p.Name + "-" + zone),
			DependsOn: &[]cdktf.ITerraformDependable{internet}, // it fails in a VPC that has no way out yet
		})
	}
	return gateways
}

// part is the i-th of the 2^bits equal parts of block.
func part(block netip.Prefix, bits, i int) netip.Prefix {
	length := block.Bits() + bits
	address := block.Addr().As4()
	binary.BigEndian.PutUint32(address[:], binary.BigEndian.Uint32(address[:])+uint32(i)<<(32-length))
	return netip.PrefixFrom(netip.AddrFrom4(address), length)
}

// checkBlock reports what is not an IPv4 block of lo to hi bits.
func checkBlock(field, cidr string, lo, hi int) error {
	block, err := netip.ParsePrefix(cidr)
	if err != nil || !block.Addr().Is4() {
		return fmt.Errorf("%s must be an IPv4 block such as 10.0.0.0/16, got %q", field, cidr)
	}
	return errors.Join(
		check.That(block == block.Masked(), "%s must start its block, got %s: %s would", field, cidr, block.Masked()),
		check.Between("bits of "+field, block.Bits(), lo, hi),
	)
}

// isPrivate is whether a block's addresses are nobody's on the internet, which
// the VPC could not reach if they were.
func isPrivate(cidr string) bool {
	block, err := netip.ParsePrefix(cidr)
	return err != nil || block.Addr().IsPrivate()
}
