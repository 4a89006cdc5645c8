package network

import (
	"cmp"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/networkaclrule"
)

// aclRule is a rule of a network ACL. These know no connections: answers need
// rules too. DNS, metadata and time of AWS pass without any.
type aclRule struct {
	id       string
	number   int // the lowest that matches decides; what none matches is denied
	out      bool
	deny     bool   // default allow
	protocol string // default tcp
	ports    ports  // of TCP
	block    string
}

var (
	https   = ports{443, 443}
	http    = ports{80, 80}
	answers = ports{1024, 65535} // NAT gateways and load balancers call from these
)

// publicRules let shoppers in, and out what NAT gateways translate. Public
// subnets and isolated ones don't know each other.
func (n *Network) publicRules() []aclRule {
	isolated := n.isolated.block.String()
	return []aclRule{
		{id: "in_isolated", number: 90, deny: true, protocol: "-1", block: isolated},
		{id: "in_https", number: 100, ports: https, block: World},
		{id: "in_http", number: 110, ports: http, block: World}, // to be redirected
		{id: "in_answers", number: 120, ports: answers, block: World},
		{id: "in_fragmentation", number: 130, protocol: "icmp", block: World},
		{id: "out_isolated", number: 90, out: true, deny: true, protocol: "-1", block: isolated},
		{id: "out_https", number: 100, out: true, ports: https, block: World},
		{id: "out_answers", number: 110, out: true, ports: answers, block: World}, // and load balancers to their targets
		{id: "out_fragmentation", number: 130, out: true, protocol: "icmp", block: World},
	}
}

// privateRules let the VPC in, and out to HTTPS anywhere.
func (n *Network) privateRules() []aclRule {
	private, all := n.private.block.String(), n.CIDR()
	return []aclRule{
		{id: "in_private", number: 100, ports: everyPort, block: private},
		{id: "in_https", number: 110, ports: https, block: all},
		{id: "in_answers", number: 120, ports: answers, block: World}, // NAT keeps the sender's address
		{id: "in_fragmentation", number: 130, protocol: "icmp", block: World},
		{id: "out_private", number: 100, out: true, ports: everyPort, block: private},
		{id: "out_https", number: 110, out: true, ports: https, block: World},
		{id: "out_answers", number: 120, out: true, ports: answers, block: all}, // and calls of the warehouse
		{id: "out_fragmentation", number: 130, out: true, protocol: "icmp", block: World},
	}
}

// isolatedRules let private subnets in. S3 and DynamoDB have public addresses
// also behind a gateway endpoint; no other route leads from or to those.
func (n *Network) isolatedRules() []aclRule {
	isolated, private, public := n.isolated.block.String(), n.private.block.String(), n.public.block.String()
	return []aclRule{
		{id: "in_public", number: 90, deny: true, protocol: "-1", block: public},
		{id: "in_isolated", number: 100, ports: everyPort, block: isolated},
		{id: "in_answers", number: 120, ports: answers, block: World}, // and calls of private subnets
		{id: "in_fragmentation", number: 130, protocol: "icmp", block: private},
		{id: "out_public", number: 90, out: true, deny: true, protocol: "-1", block: public},
		{id: "out_isolated", number: 100, out: true, ports: everyPort, block: isolated},
		{id: "out_https", number: 110, out: true, ports: https, block: World}, // and endpoints in private subnets
		{id: "out_answers", number: 120, out: true, ports: answers, block: private},
		{id: "out_fragmentation", number: 130, out: true, protocol: "icmp", block: private},
	}
}

func (t *tier) defineRules(scope constructs.Construct, rules []aclRule) {
	for _, r := range rules {
		config := &networkaclrule.NetworkAclRuleConfig{
			NetworkAclId: t.acl.Id(),
			RuleNumber:   jsii.Number(r.number),
			Egress:       r.out,
			Protocol:     jsii.String(cmp.Or(r.protocol, "tcp")),
			RuleAction:   jsii.String("allow"),
			CidrBlock:    &r.block,
		}
		if r.deny {
			config.RuleAction = jsii.String("deny")
		}
		switch r.protocol {
		case "":
			config.FromPort, config.ToPort = jsii.Number(r.ports.from), jsii.Number(r.ports.to)
		case "icmp":
			// "Fragmentation needed": without it large packets vanish on
			// their way through NAT or to a peer.
			config.IcmpType, config.IcmpCode = jsii.Number(3), jsii.Number(4)
		}
		networkaclrule.NewNetworkAclRule(scope, jsii.String("acl_"+r.id), config)
	}
}
