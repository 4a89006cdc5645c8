package guardrails

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// exposureRules are those that plan-guard runs over a plan.
var exposureRules = []string{Private, Closed, PolicyReadable}

func public(s *stack) (found []finding) {
	s.eachAllowed(func(d document, name string, st statement) {
		narrow := s.narrowed(st)
		if d.kind == endpointPolicy {
			if problem := st.carriesOut(); problem != "" {
				found = append(found, finding{d.r, name + " " + problem, "add conditions on aws:PrincipalAccount and aws:ResourceAccount, or name the actions and resources"})
			}
		}
		if st.NotPrincipal != nil {
			found = append(found, finding{d.r, name + " lets in all but some", "name who is let in"})
		}
		for _, principal := range st.principals() {
			kind, who, _ := strings.Cut(principal, ":")
			switch {
			case d.kind == endpointPolicy: // it bounds what roles may do, whoever they are
			case kind == "Federated" && !strings.Contains(who, "*"):
				if !narrowsSubject(st) {
					found = append(found, finding{d.r, name + " lets in everybody whom " + who + " knows", "add a condition on its sub"})
				}
			case strings.ContainsAny(who, "*?") && !narrow:
				found = append(found, finding{d.r, name + " lets in everybody", "name the principal, or add a condition on the source"})
			}
		}
	}, trustPolicy, resourcePolicy, keyPolicy, endpointPolicy)

	for _, r := range s.of("aws_lambda_permission", "aws_sns_topic_permission", "aws_ecr_registry_policy") {
		if r.text("principal") == "*" && r.text("principal_org_id") == "" {
			found = append(found, finding{r, "it lets in everybody", "name the principal and its source"})
		}
	}
	for _, r := range s.of("aws_s3_bucket_acl", "aws_s3_bucket", "aws_s3_object") {
		if acl := r.text("acl"); strings.HasPrefix(acl, "public") || acl == "authenticated-read" {
			found = append(found, finding{r, "its ACL is " + acl, "take the ACL out; a bucket policy decides"})
		}
		for _, uri := range values(r.body, "access_control_policy?.grant?.grantee?.uri?") {
			found = append(found, finding{r, "its ACL grants to " + shown(uri), "take the grant out"})
		}
	}
	for _, r := range s.of("aws_s3_bucket_website_configuration") {
		found = append(found, finding{r, "it serves a bucket to everybody", "serve it through CloudFront with an origin access control"})
	}
	for _, r := range s.resources {
		r.walk(func(path string, leaf any) {
			if truth(leaf) && publicAttribute.MatchString(lastPart(path)) && !s.asked(r, path) {
				found = append(found, finding{r, path + " is true", "set it to false"})
			}
		})
	}
	return found
}

// publicAttribute are those that open a resource of any type.
var publicAttribute = regexp.MustCompile(`^(publicly_accessible|assign_public_ip|associate_public_ip_address|map_public_ip_on_launch|is_publicly_accessible|public_connectivity|endpoint_public_access)$`)

// asked reports whether the table looks at an attribute already.
func (s *stack) asked(r *resource, path string) bool {
	requirements, _ := requirementsOf(r)
	return slices.ContainsFunc(requirements, func(q requirement) bool { return strings.ReplaceAll(q.path, "?", "") == path })
}

// narrowing are the condition keys that say for whom a service or a principal acts.
var narrowing = regexp.MustCompile(`(?i)^(aws:(source(arn|account|owner|orgid|orgpaths|vpc|vpce)|principal(arn|account|orgid|orgpaths)|resource(account|orgid))|kms:encryptioncontext:.+|kms:calleraccount|sns:endpoint)$`)

// narrowed reports whether a condition leaves in some alone. Operators that
// hold where the key is missing narrow nothing.
func (s *stack) narrowed(st statement) bool {
	return st.conditioned(func(key string, values list) bool {
		return narrowing.MatchString(key) && !slices.ContainsFunc(values, func(v string) bool { return strings.Trim(v, "*?:") == "" || strings.HasPrefix(v, "arn:*") })
	})
}

var (
	ownPrincipal = regexp.MustCompile(`(?i)^aws:principal(account|orgid|orgpaths)$`)
	ownResource  = regexp.MustCompile(`(?i)^aws:resource(account|orgid|orgpaths)$`)
)

// carriesOut says how a statement of an endpoint's policy lets what runs in
// the VPC carry data to another account, with this one's credentials or others.
func (st statement) carriesOut() string {
	bound := func(keys *regexp.Regexp) bool {
		return st.conditioned(func(key string, values list) bool {
			return keys.MatchString(key) && !slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "*?") && !strings.HasPrefix(v, "o-") })
		})
	}
	switch {
	case bound(ownPrincipal) && bound(ownResource):
		return ""
	case len(st.NotResource) > 0 || slices.ContainsFunc(st.Resource, wholeType):
		return "lets data through to other accounts"
	case len(st.NotAction) > 0 || slices.ContainsFunc(st.Action, func(action string) bool { return strings.ContainsAny(action, "*?") }):
		return "lets any action through on what others own"
	}
	return ""
}

func narrowsSubject(st statement) bool {
	return st.conditioned(func(key string, values list) bool {
		return (strings.HasSuffix(key, ":sub") || strings.HasSuffix(key, ":amr") || strings.HasSuffix(key, "SAML:aud")) &&
			!slices.ContainsFunc(values, func(v string) bool { return wildOwner(v) })
	})
}

// wildOwner reports whether a subject such as repo:shop/stream:ref:refs/heads/main
// leaves open whose it is.
func wildOwner(subject string) bool {
	_, owner, _ := strings.Cut(subject, ":")
	return strings.Trim(subject, "*?") == "" || strings.HasPrefix(subject, "*") || strings.HasPrefix(owner, "*")
}

// positive are operators that hold only where the key is there and fits.
var positive = regexp.MustCompile(`(?i)^(forAnyValue:)?(string(equals|like|equalsignorecase)|arn(equals|like))$`)

func (st statement) conditioned(holds func(key string, values list) bool) bool {
	for operator, keys := range st.Condition {
		for key, values := range keys {
			if positive.MatchString(operator) && len(values) > 0 && holds(key, values) {
				return true
			}
		}
	}
	return false
}

// tellers are services that tell for whose account they assume a role. Others
// tell nothing, and a condition would keep them out.
var tellers = []string{
	"budgets.amazonaws.com", "ecs-tasks.amazonaws.com", "events.amazonaws.com", "firehose.amazonaws.com", "glue.amazonaws.com",
	"lambda.amazonaws.com", "s3.amazonaws.com", "scheduler.amazonaws.com", "vpc-flow-logs.amazonaws.com",
}

// confusedDeputies finds services that would act for anybody's resources.
func confusedDeputies(s *stack) (found []finding) {
	s.eachAllowed(func(d document, name string, st statement) {
		external := st.conditioned(func(key string, values list) bool { return strings.EqualFold(key, "sts:ExternalId") })
		for _, principal := range st.principals() {
			if service, _ := strings.CutPrefix(principal, "Service:"); slices.Contains(tellers, service) && !external && !s.narrowed(st) {
				found = append(found, finding{d.r, fmt.Sprintf("%s lets %s take the role for anybody's resources", name, service), "add a condition on aws:SourceAccount, as security.NewRole does"})
			}
		}
	}, trustPolicy)
	s.eachAllowed(func(d document, name string, st statement) {
		for _, principal := range st.principals() {
			if service, is := strings.CutPrefix(principal, "Service:"); is && !s.narrowed(st) {
				found = append(found, finding{d.r, fmt.Sprintf("%s lets %s in for anybody's resources", name, service), "add a condition on aws:SourceArn or aws:SourceAccount"})
			}
		}
	}, resourcePolicy, keyPolicy)
	for _, r := range s.of("aws_lambda_permission") {
		if strings.HasSuffix(r.text("principal"), ".amazonaws.com") && r.text("source_arn") == "" && r.text("source_account") == "" {
			found = append(found, finding{r, "it lets " + r.text("principal") + " in for anybody's resources", "set source_arn"})
		}
	}
	return found
}

// open finds what the world gets through to.
func open(s *stack) (found []finding) {
	world := func(r, group *resource, rule map[string]any, direction string) {
		for _, path := range []string{"cidr_ipv4?", "cidr_ipv6?", "cidr_blocks?", "ipv6_cidr_blocks?", "cidr_block?", "ipv6_cidr_block?"} {
			for _, v := range values(rule, path) {
				wide, seen := s.wide(r, strings.TrimSuffix(path, "?"), v)
				switch {
				case !seen:
					found = append(found, finding{r, fmt.Sprintf("its range %s can't be seen", shown(v)), "write it as text, or take it from an aws_vpc or aws_subnet"})
				case !wide, direction == "ingress" && s.isPublicListener(group, rule):
				case direction == "ingress" || allProtocols(rule):
					found = append(found, finding{r, fmt.Sprintf("its %s is open to %s", direction, shown(v)), "name a security group, or the range that needs it"})
				}
			}
		}
	}
	for _, r := range s.of("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule", "aws_security_group_rule") {
		if !slices.ContainsFunc(peers, func(name string) bool { return first(r.body, name) != nil && first(r.body, name) != false }) {
			found = append(found, finding{r, "it names nobody on its other end", "name a security group, a prefix list or a range"})
		}
	}
	for _, r := range s.of("aws_vpc_security_group_ingress_rule") {
		world(r, s.groupOf(r), r.body, "ingress")
	}
	for _, r := range s.of("aws_vpc_security_group_egress_rule") {
		world(r, s.groupOf(r), r.body, "egress")
	}
	for _, r := range s.of("aws_security_group_rule") {
		world(r, s.groupOf(r), r.body, r.text("type"))
	}
	for _, r := range s.of("aws_security_group", "aws_default_security_group") {
		for _, direction := range []string{"ingress", "egress"} {
			for _, rule := range blocks(r.body[direction]) {
				world(r, r, rule, direction)
				if r.kind == "aws_default_security_group" {
					found = append(found, finding{r, "the default group has a rule", "leave it empty, so that what names no group reaches nothing"})
				}
			}
		}
	}
	for _, r := range s.of("aws_network_acl", "aws_default_network_acl", "aws_network_acl_rule") {
		rules := blocks(r.body["ingress"])
		if r.kind == "aws_network_acl_rule" && !truth(r.body["egress"]) {
			rules = []map[string]any{r.body}
		}
		for _, rule := range rules {
			allow := first(rule, "action") == "allow" || first(rule, "rule_action") == "allow"
			if allow && allProtocols(rule) {
				world(r, nil, rule, "ingress")
			}
		}
	}
	return found
}

// peers are the attributes that name the other end of a security group's rule.
var peers = []string{
	"cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id", // of a rule of its own type
	"cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "source_security_group_id", "self", // of aws_security_group_rule
}

func (s *stack) groupOf(r *resource) *resource {
	if groups := s.refs(r, "security_group_id"); len(groups) == 1 {
		return groups[0]
	}
	return nil
}

func allProtocols(rule map[string]any) bool {
	for _, name := range []string{"ip_protocol", "protocol"} {
		if p := fmt.Sprint(rule[name]); p == "-1" || p == "all" {
			return true
		}
	}
	return false
}

// wide reports whether a range is more than an eighth of the Internet, and
// whether it could be seen at all.
func (s *stack) wide(r *resource, path string, v any) (wide, seen bool) {
	text, _ := v.(string)
	if text == "" || v == nil {
		return false, true
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Bits() < 8, true
	}
	for _, target := range s.refs(r, path) {
		seen = seen || target.kind == "aws_vpc" || target.kind == "aws_subnet" || target.kind == "aws_vpc_ipv4_cidr_block_association"
	}
	for _, address := range references(v) {
		seen = seen || strings.HasPrefix(address, "aws_vpc.") || strings.HasPrefix(address, "aws_subnet.")
	}
	return false, seen
}

// isPublicListener reports whether a rule opens just a port on which a public
// load balancer with that group listens.
func (s *stack) isPublicListener(group *resource, rule map[string]any) bool {
	from, to := fmt.Sprint(rule["from_port"]), fmt.Sprint(rule["to_port"])
	if group == nil || from != to || allProtocols(rule) {
		return false
	}
	for _, balancer := range s.of("aws_lb", "aws_alb") {
		if truth(balancer.body["internal"]) || !slices.Contains(s.refs(balancer, "security_groups"), group) {
			continue
		}
		for _, listener := range s.of("aws_lb_listener", "aws_alb_listener") {
			if fmt.Sprint(listener.body["port"]) == from && slices.Contains(s.refs(listener, "load_balancer_arn"), balancer) {
				return true
			}
		}
	}
	return false
}
