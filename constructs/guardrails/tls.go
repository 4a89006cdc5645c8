package guardrails

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var modernPolicy = regexp.MustCompile(`^ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)`)

func plainText(s *stack) (found []finding) {
	for _, bucket := range s.of("aws_s3_bucket") {
		for _, policy := range s.companionsOf(bucket, companion{companion: "aws_s3_bucket_policy", attribute: "bucket", named: "bucket"}) {
			if !s.deniesPlainText(bucket, policy) {
				found = append(found, finding{policy, "it lets requests without TLS through", `deny s3:* on the bucket and its objects to everybody where aws:SecureTransport is "false"`})
			}
		}
	}
	for _, policy := range s.of("aws_sns_topic_policy") {
		statements, _ := parsePolicy(policy.text("policy"))
		if !slices.ContainsFunc(statements, func(st statement) bool { return st.deniesPlainText("sns:Publish") }) {
			found = append(found, finding{policy, "it lets requests without TLS through", `deny sns:Publish to everybody where, as the only condition, aws:SecureTransport is "false"`})
		}
	}
	for _, listener := range s.of("aws_lb_listener", "aws_alb_listener") {
		if problem := s.plainListener(listener); problem != "" {
			found = append(found, finding{listener, problem, "listen with HTTPS or TLS under a policy of TLS 1.2 or newer, or redirect to HTTPS"})
		}
	}
	for _, r := range s.of("aws_sns_topic_subscription") {
		if r.text("protocol") == "http" {
			found = append(found, finding{r, "it sends over http", "subscribe an https endpoint"})
		}
	}
	for _, r := range s.of("aws_api_gateway_integration", "aws_apigatewayv2_integration") {
		uri := r.text("uri") + r.text("integration_uri")
		if strings.HasPrefix(uri, "http:") && r.text("connection_type") != "VPC_LINK" {
			found = append(found, finding{r, "it calls " + uri, "call it over https"})
		}
	}
	return found
}

func (s *stack) deniesPlainText(bucket, policy *resource) bool {
	statements, _ := parsePolicy(policy.text("policy")) // one that can't be read denies nothing
	whole, objects := false, false
	for _, st := range statements {
		if !st.deniesPlainText("s3:*") {
			continue
		}
		for _, arn := range st.Resource {
			rest, is := s.cutBucket(arn, bucket)
			whole = whole || is && (rest == "" || rest == "*")
			objects = objects || is && (rest == "/*" || rest == "*")
		}
	}
	return whole && objects
}

// deniesPlainText reports whether a statement denies an action to everybody
// who comes without TLS.
func (st statement) deniesPlainText(action string) bool {
	return strings.EqualFold(st.Effect, "Deny") && slices.Contains(st.principals(), "AWS:*") && slices.Equal(st.Action, list{action}) &&
		st.onlyWhere("Bool", "aws:SecureTransport") && slices.Equal(st.Condition["Bool"]["aws:SecureTransport"], list{"false"})
}

// cutBucket returns what follows a bucket's ARN.
func (s *stack) cutBucket(arn string, bucket *resource) (rest string, is bool) {
	if name := bucket.text("bucket"); name != "" && !isToken(name) {
		if rest, is = strings.CutPrefix(arn, "arn:aws:s3:::"+name); is {
			return rest, true
		}
	}
	return strings.CutPrefix(arn, "${"+bucket.address()+".arn}")
}

// plainListener says how a listener lets plain text through.
func (s *stack) plainListener(listener *resource) string {
	switch protocol := listener.text("protocol"); protocol {
	case "HTTPS", "TLS":
		if policy := listener.text("ssl_policy"); !modernPolicy.MatchString(policy) {
			return fmt.Sprintf("its ssl_policy is %q", policy)
		}
	case "HTTP":
		for _, protocol := range values(listener.body, "default_action.redirect.protocol") {
			if protocol != "HTTPS" {
				return "it serves HTTP"
			}
		}
	default: // a load balancer behind it may end TLS
		for _, group := range s.refs(listener, "default_action.target_group_arn") {
			if group.text("target_type") == "alb" {
				return ""
			}
		}
		return "it passes " + protocol + " through"
	}
	return ""
}
