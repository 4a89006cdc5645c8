package network

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupegressrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupingressrule"

	"github.com/shopstream/shopstream/internal/check"
)

// World is every address, for AllowFromCIDR and AllowToCIDR.
const World = "0.0.0.0/0"

// SecurityGroupProps configures a SecurityGroup. Changing any of it replaces
// the group, which AWS refuses while something is in it.
type SecurityGroupProps struct {
	Name        string   // required; unique in the network
	Description string   // required; who is in it, in the letters that EC2 takes
	Network     *Network // required
}

func (p SecurityGroupProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 255),
		check.That(!strings.HasPrefix(p.Name, "sg-"), "Name must not start with sg-, got %q", p.Name),
		check.That(descriptionFormat.MatchString(p.Description), "Description must be %s, got %q", descriptionWords, p.Description),
		check.Required("Network", p.Network != nil),
	)
}

// EC2 refuses other letters, the apostrophe among them.
var descriptionFormat = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

const descriptionWords = "1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"

// SecurityGroup is a set of network interfaces. They may talk to nobody until
// something is allowed: each rule is a resource and says why it is there.
//
//	SecurityGroup
//	├── this                      aws_security_group
//	├── from_PEER_PORT, …         aws_vpc_security_group_ingress_rule
//	└── to_PEER_PORT, …           aws_vpc_security_group_egress_rule
type SecurityGroup struct {
	scope constructs.Construct
	group securitygroup.SecurityGroup
	name  string
}

// NewSecurityGroup defines a SecurityGroup in scope.
func NewSecurityGroup(scope constructs.Construct, id string, p SecurityGroupProps) (*SecurityGroup, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("security group %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	group := securitygroup.NewSecurityGroup(scope, jsii.String("this"), &securitygroup.SecurityGroupConfig{
		Name: &p.Name, Description: &p.Description, VpcId: p.Network.ID(),
		RevokeRulesOnDelete: true, // groups that name each other could not be deleted
		Tags:                named(p.Name),
	})
	return &SecurityGroup{scope, group, p.Name}, nil
}

// ID is a token.
func (g *SecurityGroup) ID() *string { return g.group.Id() }

// AllowFrom lets peer connect to port: a rule here and its mirror at peer.
func (g *SecurityGroup) AllowFrom(peer *SecurityGroup, port int, why string) {
	g.allowIn(peer.word(), endpoint{group: peer.ID()}, onePort(port), why)
	peer.allowOut(g.word(), endpoint{group: g.ID()}, onePort(port), why)
}

// AllowAmongMembers lets the group's members connect to each other on every
// TCP port, which Glue demands of a connection's group.
func (g *SecurityGroup) AllowAmongMembers(why string) {
	g.allowIn("members", endpoint{group: g.ID()}, everyPort, why)
	g.allowOut("members", endpoint{group: g.ID()}, everyPort, why)
}

// AllowFromCIDR lets addresses connect to port.
func (g *SecurityGroup) AllowFromCIDR(cidr string, port int, why string) {
	g.allowIn(blockWord(cidr), endpoint{cidr: &cidr}, onePort(port), why)
}

// AllowToCIDR lets the group's members connect to port of addresses.
func (g *SecurityGroup) AllowToCIDR(cidr string, port int, why string) {
	g.allowOut(blockWord(cidr), endpoint{cidr: &cidr}, onePort(port), why)
}

// AllowToPrefixList lets the group's members connect to port of the list's
// addresses, such as Network.S3PrefixList. name is the rule's id.
func (g *SecurityGroup) AllowToPrefixList(name string, list *string, port int, why string) {
	g.allowOut(name, endpoint{list: list}, onePort(port), why)
}

// endpoint is the other side of a rule: one of them is set.
type endpoint struct{ group, cidr, list *string }

type ports struct{ from, to int }

var everyPort = ports{0, 65535}

func onePort(port int) ports { return ports{port, port} }

func (p ports) String() string {
	if p == everyPort {
		return "all"
	}
	return fmt.Sprint(p.from)
}

func (g *SecurityGroup) allowIn(from string, e endpoint, p ports, why string) {
	g.mustBeValid(e, p, why)
	vpcsecuritygroupingressrule.NewVpcSecurityGroupIngressRule(g.scope, jsii.String("from_"+from+"_"+p.String()), &vpcsecuritygroupingressrule.VpcSecurityGroupIngressRuleConfig{
		SecurityGroupId: g.ID(), Description: &why, IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(p.from), ToPort: jsii.Number(p.to),
		ReferencedSecurityGroupId: e.group, CidrIpv4: e.cidr, PrefixListId: e.list,
	})
}

func (g *SecurityGroup) allowOut(to string, e endpoint, p ports, why string) {
	g.mustBeValid(e, p, why)
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(g.scope, jsii.String("to_"+to+"_"+p.String()), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId: g.ID(), Description: &why, IpProtocol: jsii.String("tcp"), FromPort: jsii.Number(p.from), ToPort: jsii.Number(p.to),
		ReferencedSecurityGroupId: e.group, CidrIpv4: e.cidr, PrefixListId: e.list,
	})
}

// mustBeValid panics: a wrong rule is a mistake in the program, not in a value.
func (g *SecurityGroup) mustBeValid(e endpoint, p ports, why string) {
	errs := []error{
		check.Between("port", p.from, 0, 65535),
		check.That(descriptionFormat.MatchString(why), "why must be %s, got %q", descriptionWords, why),
	}
	if e.cidr != nil {
		errs = append(errs, checkBlock("cidr", *e.cidr, 0, 32))
	}
	if err := errors.Join(errs...); err != nil {
		panic(fmt.Errorf("security group %q: %w", g.name, err))
	}
}

// word names the group in other groups' rules: its path below the stack.
func (g *SecurityGroup) word() string {
	_, path, _ := strings.Cut(*g.scope.Node().Path(), "/")
	return strings.ReplaceAll(path, "/", "_")
}

// blockWord names addresses in a rule's id.
func blockWord(cidr string) string {
	if cidr == World {
		return "world"
	}
	return strings.NewReplacer(".", "_", "/", "_").Replace(cidr)
}
