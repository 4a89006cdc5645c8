package test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/test/synth"
)

// newNetwork fills what p leaves out of the required props.
func newNetwork(t *testing.T, scope cdktf.TerraformStack, id string, p network.Props) *network.Network {
	t.Helper()
	key, err := security.NewKey(scope, id+"_key", security.KeyProps{Alias: id, Description: "logs", Account: testAccount})
	if err != nil {
		t.Fatal(err)
	}
	log, err := security.NewLogGroup(scope, id+"_log", security.LogGroupProps{Name: "/" + id, Key: key, RetentionDays: 7})
	if err != nil {
		t.Fatal(err)
	}
	p.Name, p.Account, p.LogGroup = id, testAccount, log
	n, err := network.New(scope, id, p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var reference = regexp.MustCompile(`^\$\{(.*)_[0-9A-F]{8}\.[a-z0-9_]+\}$`)

// resources decodes every resource of kind by its name, references as the address
// that they point at.
func resources[T any](t *testing.T, template synth.Template, kind string) map[string]T {
	t.Helper()
	found := map[string]T{}
	for name, raw := range template.Resource[kind] {
		var fields any
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(pointAt(fields))
		if err != nil {
			t.Fatal(err)
		}
		var v T
		if err := json.Unmarshal(plain, &v); err != nil {
			t.Fatalf("decode %s.%s: %v", kind, name, err)
		}
		found[name[:len(name)-len("_01234567")]] = v
	}
	return found
}

func pointAt(v any) any {
	switch v := v.(type) {
	case string:
		return reference.ReplaceAllString(v, "$1")
	case []any:
		for i := range v {
			v[i] = pointAt(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = pointAt(v[k])
		}
	}
	return v
}

func wantEqual[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

type subnetResource struct {
	VPC    string `json:"vpc_id"`
	Zone   string `json:"availability_zone"`
	Block  string `json:"cidr_block"`
	Public bool   `json:"map_public_ip_on_launch"`
}

type routeResource struct {
	Table    string `json:"route_table_id"`
	Block    string `json:"destination_cidr_block"`
	Internet string `json:"gateway_id"`
	NAT      string `json:"nat_gateway_id"`
	Peering  string `json:"vpc_peering_connection_id"`
}

func TestNetworkHasThreeTiersInThreeZones(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newNetwork(t, scope, "net", network.Props{})
		return nil
	})
	t.Run("with a subnet each, which gives nobody a public address", func(t *testing.T) {
		vpc := "aws_vpc.net_this"
		wantEqual(t, resources[subnetResource](t, template, "aws_subnet"), map[string]subnetResource{
			"net_private_subnet_a":  {vpc, "eu-west-1a", "10.0.0.0/19", false},
			"net_private_subnet_b":  {vpc, "eu-west-1b", "10.0.32.0/19", false},
			"net_private_subnet_c":  {vpc, "eu-west-1c", "10.0.64.0/19", false},
			"net_public_subnet_a":   {vpc, "eu-west-1a", "10.0.128.0/20", false},
			"net_public_subnet_b":   {vpc, "eu-west-1b", "10.0.144.0/20", false},
			"net_public_subnet_c":   {vpc, "eu-west-1c", "10.0.160.0/20", false},
			"net_isolated_subnet_a": {vpc, "eu-west-1a", "10.0.192.0/20", false},
			"net_isolated_subnet_b": {vpc, "eu-west-1b", "10.0.208.0/20", false},
			"net_isolated_subnet_c": {vpc, "eu-west-1c", "10.0.224.0/20", false},
		})
	})
	t.Run("that resolve private names of endpoints", func(t *testing.T) {
		type vpc struct {
			Block     string `json:"cidr_block"`
			Support   bool   `json:"enable_dns_support"`
			Hostnames bool   `json:"enable_dns_hostnames"`
		}
		wantEqual(t, resources[vpc](t, template, "aws_vpc"), map[string]vpc{"net_this": {"10.0.0.0/16", true, true}})
	})
	t.Run("with routes to the internet, through NAT in the own zone, and nowhere", func(t *testing.T) {
		private := func(zone string) routeResource {
			return routeResource{Table: "aws_route_table.net_private_routes_" + zone, Block: "0.0.0.0/0", NAT: "aws_nat_gateway.net_nat_gateway_" + zone}
		}
		wantEqual(t, resources[routeResource](t, template, "aws_route"), map[string]routeResource{
			"net_public_internet":    {Table: "aws_route_table.net_public_routes", Block: "0.0.0.0/0", Internet: "aws_internet_gateway.net_internet"},
			"net_private_internet_a": private("a"),
			"net_private_internet_b": private("b"),
			"net_private_internet_c": private("c"),
		})
	})
	t.Run("whose subnets use these routes", func(t *testing.T) {
		type association struct {
			Subnet string `json:"subnet_id"`
			Table  string `json:"route_table_id"`
		}
		wanted := map[string]association{}
		for _, zone := range []string{"a", "b", "c"} {
			wanted["net_public_association_"+zone] = association{"aws_subnet.net_public_subnet_" + zone, "aws_route_table.net_public_routes"}
			wanted["net_private_association_"+zone] = association{"aws_subnet.net_private_subnet_" + zone, "aws_route_table.net_private_routes_" + zone}
			wanted["net_isolated_association_"+zone] = association{"aws_subnet.net_isolated_subnet_" + zone, "aws_route_table.net_isolated_routes"}
		}
		wantEqual(t, resources[association](t, template, "aws_route_table_association"), wanted)
	})
	t.Run("with NAT gateways in public subnets, after the internet gateway", func(t *testing.T) {
		type gateway struct {
			Subnet    string   `json:"subnet_id"`
			Address   string   `json:"allocation_id"`
			DependsOn []string `json:"depends_on"`
		}
		got := resources[gateway](t, template, "aws_nat_gateway")
		if len(got) != 3 {
			t.Fatalf("got %v, want one a zone", got)
		}
		for _, zone := range []string{"a", "b", "c"} {
			g := got["net_nat_gateway_"+zone]
			if g.Subnet != "aws_subnet.net_public_subnet_"+zone || g.Address != "aws_eip.net_nat_address_"+zone ||
				len(g.DependsOn) != 1 || !strings.HasPrefix(g.DependsOn[0], "aws_internet_gateway.net_internet") {
				t.Errorf("zone %s: got %+v", zone, g)
			}
		}
	})
	t.Run("and a default security group that lets nothing through", func(t *testing.T) {
		type group struct {
			VPC             string `json:"vpc_id"`
			Ingress, Egress any
		}
		wantEqual(t, resources[group](t, template, "aws_default_security_group"), map[string]group{"net_default_security_group": {VPC: "aws_vpc.net_this"}})
	})
}

func TestNetworkSharesOneNATGateway(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newNetwork(t, scope, "net", network.Props{NATGateways: 1})
		return nil
	})
	if n := len(template.Resource["aws_nat_gateway"]); n != 1 {
		t.Errorf("got %d NAT gateways, want 1", n)
	}
	routes := resources[routeResource](t, template, "aws_route")
	for _, zone := range []string{"a", "b", "c"} {
		if got := routes["net_private_internet_"+zone].NAT; got != "aws_nat_gateway.net_nat_gateway_a" {
			t.Errorf("zone %s: got %q, want that of zone a", zone, got)
		}
	}
}

func TestNetworkKeepsItsSubnetsWhenAZoneIsAppended(t *testing.T) {
	subnets := func(zones ...string) map[string]subnetResource {
		return resources[subnetResource](t, synth.Stack(t, func(scope cdktf.TerraformStack) error {
			newNetwork(t, scope, "net", network.Props{CIDR: "172.16.8.0/22", Zones: zones})
			return nil
		}), "aws_subnet")
	}
	two, four := subnets("a", "c"), subnets("a", "c", "b", "d")
	if len(two) != 6 || len(four) != 12 {
		t.Fatalf("got %d and %d subnets, want 6 and 12", len(two), len(four))
	}
	for name, s := range two {
		if four[name] != s {
			t.Errorf("%s: got %v, want %v", name, four[name], s)
		}
	}
	whole := netip.MustParsePrefix("172.16.8.0/22")
	for name, s := range four {
		block := netip.MustParsePrefix(s.Block)
		if !whole.Overlaps(block) || block.Bits() < 24 {
			t.Errorf("%s: %s is not in the VPC", name, block)
		}
		for other, o := range four {
			if other != name && block.Overlaps(netip.MustParsePrefix(o.Block)) {
				t.Errorf("%s and %s overlap", name, other)
			}
		}
	}
}

type aclRule struct {
	ACL      string `json:"network_acl_id"`
	Number   int    `json:"rule_number"`
	Egress   bool
	Protocol string
	Action   string `json:"rule_action"`
	Block    string `json:"cidr_block"`
	From     int    `json:"from_port"`
	To       int    `json:"to_port"`
	Type     int    `json:"icmp_type"`
	Code     int    `json:"icmp_code"`
}

// decides is what the ACL of a tier answers to a TCP packet: the rule with the
// lowest number that matches it, else no.
func decides(rules map[string]aclRule, tier string, egress bool, address string, port int) bool {
	best, allowed := 1<<15, false
	for _, r := range rules {
		if r.ACL == "aws_network_acl.net_"+tier+"_acl" && r.Egress == egress && r.Number < best &&
			netip.MustParsePrefix(r.Block).Contains(netip.MustParseAddr(address)) &&
			(r.Protocol == "-1" || r.Protocol == "tcp" && r.From <= port && port <= r.To) {
			best, allowed = r.Number, r.Action == "allow"
		}
	}
	return allowed
}

func TestNetworkACLs(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newNetwork(t, scope, "net", network.Props{})
		return nil
	})
	rules := resources[aclRule](t, template, "aws_network_acl_rule")

	// Where an address is; the internet, and S3, have no ACL of ours.
	const shopper, aws, public, public2, private, private2, isolated, isolated2 = "203.0.113.7", "52.218.0.1",
		"10.0.128.9", "10.0.144.9", "10.0.0.9", "10.0.32.9", "10.0.192.9", "10.0.208.9"
	tiers := map[string]string{public: "public", public2: "public", private: "private", private2: "private", isolated: "isolated", isolated2: "isolated"}
	passes := func(from, to string, port int) bool {
		for _, sender := range []int{1024, 32768, 60999, 65535} { // ports from which clients call
			for _, packet := range []struct {
				tier    string
				out     bool
				address string
				port    int
			}{
				{tiers[from], true, to, port}, {tiers[to], false, from, port},
				{tiers[to], true, from, sender}, {tiers[from], false, to, sender},
			} {
				if packet.tier != "" && !decides(rules, packet.tier, packet.out, packet.address, packet.port) {
					return false
				}
			}
		}
		return true
	}
	for _, c := range []struct {
		name     string
		from, to string
		port     int
		want     bool
	}{
		{"let shoppers reach the load balancer", shopper, public, 443, true},
		{"let shoppers be redirected to HTTPS", shopper, public, 80, true},
		{"keep shoppers from SSH", shopper, public, 22, false},
		{"let the load balancer reach the collector", public, private2, 8080, true},
		{"keep public subnets from SSH in private ones", public, private, 22, false},
		{"let private subnets reach the internet", private, shopper, 443, true},
		{"keep private subnets from mail", private, shopper, 25, false},
		{"let private subnets reach each other", private, private2, 80, true},
		{"let private subnets reach the warehouse", private, isolated, 5439, true},
		{"keep the internet from private subnets", shopper, private, 443, false},
		{"let isolated subnets reach endpoints in private ones", isolated, private2, 443, true},
		{"let isolated subnets reach S3", isolated, aws, 443, true},
		{"let isolated subnets reach each other", isolated, isolated2, 5439, true},
		{"keep isolated subnets from private SSH", isolated, private, 22, false},
		{"keep isolated subnets from public ones", isolated, public2, 443, false},
		{"keep public subnets from isolated ones", public, isolated, 5439, false},
		{"keep the internet from the warehouse", shopper, isolated, 5439, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := passes(c.from, c.to, c.port); got != c.want {
				t.Errorf("%s to %s port %d: got %v, want %v", c.from, c.to, c.port, got, c.want)
			}
		})
	}
	t.Run("let through what NAT gateways translate", func(t *testing.T) {
		for _, packet := range []struct {
			out     bool
			address string
			port    int
		}{{false, private, 443}, {true, shopper, 443}, {false, shopper, 1024}, {false, shopper, 65535}, {true, private, 1024}, {true, private, 65535}} {
			if !decides(rules, "public", packet.out, packet.address, packet.port) {
				t.Errorf("%+v is denied", packet)
			}
		}
	})
	t.Run("deny on their own what the other side would deny too", func(t *testing.T) {
		for _, packet := range []struct {
			tier    string
			out     bool
			address string
			port    int
		}{
			{"public", false, isolated, 1024}, {"public", true, isolated, 5439}, {"isolated", false, public, 5439}, {"isolated", true, public, 443},
			{"private", false, shopper, 443}, {"private", true, shopper, 1024}, {"isolated", true, shopper, 1024},
		} {
			if decides(rules, packet.tier, packet.out, packet.address, packet.port) {
				t.Errorf("%+v passes", packet)
			}
		}
	})
	t.Run("let every tier know that a packet was too large", func(t *testing.T) {
		found := map[string]bool{}
		for _, r := range rules {
			if r.Protocol == "icmp" && r.Action == "allow" && r.Type == 3 && r.Code == 4 {
				found[r.ACL+strconv.FormatBool(r.Egress)] = true
			}
		}
		if len(found) != 6 {
			t.Errorf("got %v, want three tiers, both ways", found)
		}
	})
	t.Run("leave room between rules", func(t *testing.T) {
		for name, r := range rules {
			if r.Number%10 != 0 {
				t.Errorf("%s has number %d", name, r.Number)
			}
		}
	})
	t.Run("cover every subnet", func(t *testing.T) {
		type acl struct {
			Subnets []string `json:"subnet_ids"`
		}
		var got []string
		for _, a := range resources[acl](t, template, "aws_network_acl") {
			got = append(got, a.Subnets...)
		}
		if slices.Sort(got); len(slices.Compact(got)) != len(template.Resource["aws_subnet"]) {
			t.Errorf("got %v, want all subnets", got)
		}
	})
}

func TestFlowLog(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newNetwork(t, scope, "net", network.Props{FlowLogSeconds: 60})
		return nil
	})
	got := synth.Get[struct {
		VPC         string   `json:"vpc_id"`
		Traffic     string   `json:"traffic_type"`
		Destination string   `json:"log_destination"`
		Type        string   `json:"log_destination_type"`
		Role        string   `json:"iam_role_arn"`
		Seconds     int      `json:"max_aggregation_interval"`
		DependsOn   []string `json:"depends_on"`
	}](t, template.Resource, "aws_flow_log", "net_flow_log_this")

	t.Run("takes what was let through and what was not to its log group", func(t *testing.T) {
		if !strings.HasPrefix(got.VPC, "${aws_vpc.net_this") || got.Traffic != "ALL" || got.Type != "cloud-watch-logs" || got.Seconds != 60 ||
			!strings.HasPrefix(got.Destination, "arn:aws:logs:eu-west-1:123456789012:log-group:${aws_cloudwatch_log_group.net_log_this") ||
			!strings.HasPrefix(got.Role, "${aws_iam_role.net_flow_log_role_this") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("starts with its grants", func(t *testing.T) {
		if len(got.DependsOn) != 1 || !strings.HasPrefix(got.DependsOn[0], "aws_iam_role_policy.net_flow_log_role_policy") {
			t.Errorf("got %v", got.DependsOn)
		}
	})
	t.Run("may write to this group alone", func(t *testing.T) {
		wantEqual(t, synth.Grants(t, template.Resource, "net_flow_log_role_policy"), []synth.Grant{
			{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: "${aws_cloudwatch_log_group.net_log_this.arn}:*"},
			{Actions: []string{"logs:DescribeLogStreams"}, Resource: "arn:aws:logs:eu-west-1:123456789012:log-group:${aws_cloudwatch_log_group.net_log_this.name}:*"},
			{Actions: []string{"logs:DescribeLogGroups"}, Resource: "arn:aws:logs:eu-west-1:123456789012:log-group:*"},
		})
	})
}

type endpointResource struct {
	Service string   `json:"service_name"`
	Type    string   `json:"vpc_endpoint_type"`
	Tables  []string `json:"route_table_ids"`
	Subnets []string `json:"subnet_ids"`
	Groups  []string `json:"security_group_ids"`
	DNS     bool     `json:"private_dns_enabled"`
	Policy  string
}

func TestEndpoints(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newNetwork(t, scope, "net", network.Props{Zones: []string{"a", "b"}, InterfaceEndpoints: []string{"kinesis-streams", "ecr.api"}})
		return nil
	})
	endpoints := resources[endpointResource](t, template, "aws_vpc_endpoint")
	if len(endpoints) != 4 {
		t.Fatalf("got %v, want 4", endpoints)
	}

	t.Run("route private and isolated subnets to S3 and DynamoDB", func(t *testing.T) {
		for _, service := range []string{"s3", "dynamodb"} {
			e := endpoints["net_endpoints_"+service]
			if e.Type != "Gateway" || e.Service != "com.amazonaws.eu-west-1."+service {
				t.Errorf("got %+v", e)
			}
			wantEqual(t, e.Tables, []string{"aws_route_table.net_private_routes_a", "aws_route_table.net_private_routes_b", "aws_route_table.net_isolated_routes"})
		}
	})
	t.Run("give services private names in private subnets", func(t *testing.T) {
		for id, service := range map[string]string{"kinesis-streams": "kinesis-streams", "ecr_api": "ecr.api"} {
			e := endpoints["net_endpoints_"+id]
			if e.Type != "Interface" || e.Service != "com.amazonaws.eu-west-1."+service || !e.DNS {
				t.Errorf("%s: got %+v", service, e)
			}
			wantEqual(t, e.Subnets, []string{"aws_subnet.net_private_subnet_a", "aws_subnet.net_private_subnet_b"})
			wantEqual(t, e.Groups, []string{"aws_security_group.net_endpoints_security_group_this"})
		}
	})
	t.Run("let private and isolated subnets in by HTTPS alone", func(t *testing.T) {
		group := "aws_security_group.net_endpoints_security_group_this"
		wantEqual(t, resources[groupRule](t, template, "aws_vpc_security_group_ingress_rule"), map[string]groupRule{
			"net_endpoints_security_group_from_10_0_0_0_17_443":   {Group: group, Block: "10.0.0.0/17", Protocol: "tcp", From: 443, To: 443, Why: "Private subnets call AWS."},
			"net_endpoints_security_group_from_10_0_192_0_18_443": {Group: group, Block: "10.0.192.0/18", Protocol: "tcp", From: 443, To: 443, Why: "Isolated subnets call AWS."},
		})
		if n := len(template.Resource["aws_vpc_security_group_egress_rule"]); n != 0 {
			t.Errorf("got %d ways out, want none", n)
		}
	})
	t.Run("let nothing through to another account", func(t *testing.T) {
		for id, action := range map[string]string{"s3": "s3:*", "dynamodb": "dynamodb:*", "kinesis-streams": "*", "ecr_api": "*"} {
			s := decodePolicy(t, endpoints["net_endpoints_"+id].Policy).Statement
			if s[0].Effect != "Allow" || s[0].Action != action {
				t.Errorf("%s: got %+v", id, s[0])
			}
			wantEqual(t, s[0].Condition, map[string]map[string]string{"StringEquals": {"aws:PrincipalAccount": "123456789012", "aws:ResourceAccount": "123456789012"}})
			if id != "s3" && len(s) != 1 {
				t.Errorf("%s: got %+v, want nothing else", id, s)
			}
		}
	})
	t.Run("let images' layers and packages be read", func(t *testing.T) {
		s := decodePolicy(t, endpoints["net_endpoints_s3"].Policy).Statement
		if len(s) != 2 || s[1].Effect != "Allow" || s[1].Action != "s3:GetObject" {
			t.Fatalf("got %+v", s)
		}
		wantEqual(t, s[1].Resource, any([]any{
			"arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*",
			"arn:aws:s3:::al2023-repos-eu-west-1-de612dc2/*",
			"arn:aws:s3:::amazonlinux-2-repos-eu-west-1/*",
		}))
	})
}

func TestNetworkHasNoInterfaceEndpointByDefault(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		newNetwork(t, scope, "net", network.Props{})
		return nil
	})
	if e, g := len(template.Resource["aws_vpc_endpoint"]), len(template.Resource["aws_security_group"]); e != 2 || g != 0 {
		t.Errorf("got %d endpoints and %d security groups, want the gateways alone", e, g)
	}
}

func TestNetworkReportsEveryBadProp(t *testing.T) {
	for _, c := range []struct {
		name  string
		props network.Props
		want  []string
	}{
		{"what is required", network.Props{}, []string{"Name is required", "Account is required", "LogGroup is required"}},
		{"numbers out of their limits", network.Props{Name: strings.Repeat("n", 56), Zones: []string{"a"}, NATGateways: 2, FlowLogSeconds: 30}, []string{
			"length of Name must be 1 to 55, got 56", "number of Zones must be 2 to 4, got 1", "NATGateways must be 1 to 1, got 2", "FlowLogSeconds must be 60 or 600, got 30"}},
		{"zones that are none", network.Props{Zones: []string{"eu-west-1a", "b", "b"}}, []string{`Zones must hold letters such as "a", got "eu-west-1a"`, `Zones holds "b" twice`}},
		{"a block that is none", network.Props{CIDR: "10.0.0.0"}, []string{`CIDR must be an IPv4 block such as 10.0.0.0/16, got "10.0.0.0"`}},
		{"a block that starts elsewhere", network.Props{CIDR: "10.0.1.0/16"}, []string{"CIDR must start its block, got 10.0.1.0/16: 10.0.0.0/16 would"}},
		{"a block that is too small", network.Props{CIDR: "10.0.0.0/24"}, []string{"bits of CIDR must be 16 to 22, got 24"}},
		{"a block of the internet", network.Props{CIDR: "52.218.0.0/16"}, []string{`CIDR must be private addresses, got "52.218.0.0/16"`}},
		{"services that have no such endpoint", network.Props{InterfaceEndpoints: []string{"s3", "com amazon", "logs", "logs"}}, []string{
			`InterfaceEndpoints must not hold "s3", which has a gateway endpoint`, `InterfaceEndpoints must hold services such as "ecr.api", got "com amazon"`, `InterfaceEndpoints holds "logs" twice`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := network.New(nil, "net", c.props)
			wantProblems(t, err, c.want)
		})
	}
}

func wantProblems(t *testing.T, err error, problems []string) {
	t.Helper()
	for _, problem := range problems {
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("got %v, want %q in it", err, problem)
		}
	}
}

type groupRule struct {
	Group    string `json:"security_group_id"`
	Peer     string `json:"referenced_security_group_id"`
	Block    string `json:"cidr_ipv4"`
	List     string `json:"prefix_list_id"`
	Protocol string `json:"ip_protocol"`
	From     int    `json:"from_port"`
	To       int    `json:"to_port"`
	Why      string `json:"description"`
}

func newGroup(t *testing.T, scope cdktf.TerraformStack, id string, n *network.Network) *network.SecurityGroup {
	t.Helper()
	group, err := network.NewSecurityGroup(scope, id, network.SecurityGroupProps{Name: id, Description: "Tests.", Network: n})
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func TestSecurityGroup(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		n := newNetwork(t, scope, "net", network.Props{})
		balancer, collector := newGroup(t, scope, "balancer", n), newGroup(t, scope, "collector", n)
		balancer.AllowFromCIDR(network.World, 443, "Shoppers send events.")
		collector.AllowFrom(balancer, 8080, "The load balancer hands on events.")
		collector.AllowToPrefixList("dynamodb", n.DynamoDBPrefixList(), 443, "Looks shops up.")
		collector.AllowToCIDR(network.World, 443, "Calls AWS.")
		newGroup(t, scope, "glue", n).AllowAmongMembers("Workers of a job.")
		return nil
	})
	const balancer, collector, glue = "aws_security_group.balancer_this", "aws_security_group.collector_this", "aws_security_group.glue_this"

	t.Run("has no rule but those that are resources", func(t *testing.T) {
		type group struct {
			VPC             string `json:"vpc_id"`
			Description     string
			Revoke          bool `json:"revoke_rules_on_delete"`
			Ingress, Egress any
		}
		g := group{VPC: "aws_vpc.net_this", Description: "Tests.", Revoke: true}
		wantEqual(t, resources[group](t, template, "aws_security_group"), map[string]group{"balancer_this": g, "collector_this": g, "glue_this": g})
	})
	t.Run("lets in by reference, or by address where it must", func(t *testing.T) {
		wantEqual(t, resources[groupRule](t, template, "aws_vpc_security_group_ingress_rule"), map[string]groupRule{
			"balancer_from_world_443":      {Group: balancer, Block: "0.0.0.0/0", Protocol: "tcp", From: 443, To: 443, Why: "Shoppers send events."},
			"collector_from_balancer_8080": {Group: collector, Peer: balancer, Protocol: "tcp", From: 8080, To: 8080, Why: "The load balancer hands on events."},
			"glue_from_members_all":        {Group: glue, Peer: glue, Protocol: "tcp", From: 0, To: 65535, Why: "Workers of a job."},
		})
	})
	t.Run("lets out what it lets in elsewhere, and no more than is said", func(t *testing.T) {
		wantEqual(t, resources[groupRule](t, template, "aws_vpc_security_group_egress_rule"), map[string]groupRule{
			"balancer_to_collector_8080": {Group: balancer, Peer: collector, Protocol: "tcp", From: 8080, To: 8080, Why: "The load balancer hands on events."},
			"collector_to_dynamodb_443":  {Group: collector, List: "aws_vpc_endpoint.net_endpoints_dynamodb", Protocol: "tcp", From: 443, To: 443, Why: "Looks shops up."},
			"collector_to_world_443":     {Group: collector, Block: "0.0.0.0/0", Protocol: "tcp", From: 443, To: 443, Why: "Calls AWS."},
			"glue_to_members_all":        {Group: glue, Peer: glue, Protocol: "tcp", From: 0, To: 65535, Why: "Workers of a job."},
		})
	})
}

func TestSecurityGroupReportsEveryBadProp(t *testing.T) {
	_, err := network.NewSecurityGroup(nil, "group", network.SecurityGroupProps{Description: "the shop's"})
	wantProblems(t, err, []string{"Name is required", "Description must be 1 to 255 letters", "Network is required"})
}

func TestSecurityGroupRefusesARuleThatEC2WouldRefuse(t *testing.T) {
	synth.Stack(t, func(scope cdktf.TerraformStack) error {
		group := newGroup(t, scope, "group", newNetwork(t, scope, "net", network.Props{}))
		for problem, rule := range map[string]func(){
			"port must be 0 to 65535":      func() { group.AllowFromCIDR(network.World, 65536, "Calls.") },
			"why must be 1 to 255 letters": func() { group.AllowToCIDR(network.World, 443, "the shop's") },
			"cidr must start its block":    func() { group.AllowFromCIDR("10.0.0.1/8", 443, "Calls.") },
		} {
			func() {
				defer func() {
					err, _ := recover().(error)
					wantProblems(t, err, []string{problem})
				}()
				rule()
			}()
		}
		return nil
	})
}

func TestPeeringRoutesBothWays(t *testing.T) {
	template := synth.Stack(t, func(scope cdktf.TerraformStack) error {
		asking := newNetwork(t, scope, "net", network.Props{Zones: []string{"a", "b"}})
		accepting := newNetwork(t, scope, "peer", network.Props{CIDR: "10.1.0.0/16", Zones: []string{"a", "b"}})
		peering, err := network.NewPeering(scope, "peering", network.PeeringProps{
			Name: "peering", Network: asking, PeerVPC: accepting.ID(), PeerAccount: testAccount, PeerCIDR: accepting.CIDR(), RuleNumber: 500,
		})
		if err != nil {
			return err
		}
		_, err = network.NewAcceptedPeering(scope, "accepted", network.AcceptedPeeringProps{
			Name: "peering", Network: accepting, Connection: peering.ID(), PeerCIDR: asking.CIDR(), RuleNumber: 510,
		})
		return err
	})
	t.Run("asks for a connection and accepts it", func(t *testing.T) {
		type connection struct {
			VPC        string `json:"vpc_id"`
			Peer       string `json:"peer_vpc_id"`
			Account    string `json:"peer_owner_id"`
			Region     string `json:"peer_region"`
			Connection string `json:"vpc_peering_connection_id"`
			Accept     bool   `json:"auto_accept"`
		}
		wantEqual(t, resources[connection](t, template, "aws_vpc_peering_connection"), map[string]connection{
			"peering_this": {VPC: "aws_vpc.net_this", Peer: "aws_vpc.peer_this", Account: "123456789012", Region: "eu-west-1"},
		})
		wantEqual(t, resources[connection](t, template, "aws_vpc_peering_connection_accepter"), map[string]connection{
			"accepted_this": {Connection: "aws_vpc_peering_connection.peering_this", Accept: true},
		})
	})
	t.Run("routes every private subnet to the other side, and none else", func(t *testing.T) {
		got := resources[routeResource](t, template, "aws_route")
		for name, r := range got {
			if r.Peering == "" {
				delete(got, name)
			}
		}
		const there, back = "aws_vpc_peering_connection.peering_this", "aws_vpc_peering_connection_accepter.accepted_this"
		wantEqual(t, got, map[string]routeResource{
			"peering_route_a":  {Table: "aws_route_table.net_private_routes_a", Block: "10.1.0.0/16", Peering: there},
			"peering_route_b":  {Table: "aws_route_table.net_private_routes_b", Block: "10.1.0.0/16", Peering: there},
			"accepted_route_a": {Table: "aws_route_table.peer_private_routes_a", Block: "10.0.0.0/16", Peering: back},
			"accepted_route_b": {Table: "aws_route_table.peer_private_routes_b", Block: "10.0.0.0/16", Peering: back},
		})
	})
	t.Run("lets the peer's calls and answers through", func(t *testing.T) {
		rules := resources[aclRule](t, template, "aws_network_acl_rule")
		in, out := rules["peering_acl_in"], rules["peering_acl_out"]
		wantEqual(t, in, aclRule{ACL: "aws_network_acl.net_private_acl", Number: 500, Protocol: "tcp", Action: "allow", Block: "10.1.0.0/16", From: 443, To: 443})
		wantEqual(t, out, aclRule{ACL: "aws_network_acl.net_private_acl", Number: 500, Egress: true, Protocol: "tcp", Action: "allow", Block: "10.1.0.0/16", From: 1024, To: 65535})
		if back := rules["accepted_acl_out"]; back.ACL != "aws_network_acl.peer_private_acl" || back.Number != 510 || back.Block != "10.0.0.0/16" {
			t.Errorf("got %+v", back)
		}
	})
}

func TestPeeringReportsEveryBadProp(t *testing.T) {
	_, err := network.NewPeering(nil, "peering", network.PeeringProps{})
	wantProblems(t, err, []string{"Name is required", "PeerVPC is required", "PeerAccount is required", "Network is required", "PeerCIDR must be an IPv4 block", "RuleNumber must be 500 to 599, got 0"})
	_, err = network.NewAcceptedPeering(nil, "accepted", network.AcceptedPeeringProps{})
	wantProblems(t, err, []string{"Name is required", "Connection is required", "Network is required"})

	synth.Stack(t, func(scope cdktf.TerraformStack) error {
		n := newNetwork(t, scope, "net", network.Props{})
		props := network.PeeringProps{Name: "first", Network: n, PeerVPC: jsii.String("vpc-1"), PeerAccount: testAccount, PeerCIDR: "10.0.128.0/20", RuleNumber: 500}
		_, err := network.NewPeering(scope, "inside", props)
		wantProblems(t, err, []string{"PeerCIDR must not overlap the network's 10.0.0.0/16, got 10.0.128.0/20"})
		props.PeerCIDR = "10.1.0.0/16"
		if _, err := network.NewPeering(scope, "first", props); err != nil {
			return err
		}
		props.PeerCIDR = "10.1.16.0/20"
		_, err = network.NewPeering(scope, "second", props)
		wantProblems(t, err, []string{"PeerCIDR must not overlap another peer's 10.1.0.0/16, got 10.1.16.0/20", "RuleNumber 500 is another peer's"})
		return nil
	})
}
