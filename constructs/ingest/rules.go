package ingest

import (
	"strings"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/wafv2webacl"
)

// managedGroup is a group of rules that AWS keeps. Each rule is named, since
// only a named rule can be told how to answer; one that AWS adds later blocks
// without a word to the page until it is named here.
type managedGroup struct {
	id, name string
	labels   string   // namespace of its labels; "" where no rule looks at bodies
	blocks   []string // rules that look at addresses, headers, paths and queries
	counts   []string // rules that look at bodies: a search term may look like an attack, and a full batch has more than 8 KB
}

var managedGroups = []managedGroup{
	{
		id: "reputation", name: "AWSManagedRulesAmazonIpReputationList",
		blocks: words("AWSManagedIPReputationList AWSManagedReconnaissanceList"),
	},
	{
		id: "common", name: "AWSManagedRulesCommonRuleSet", labels: "awswaf:managed:aws:core-rule-set:",
		blocks: words(`NoUserAgent_HEADER UserAgent_BadBots_HEADER
			SizeRestrictions_QUERYSTRING SizeRestrictions_Cookie_HEADER SizeRestrictions_URIPATH
			EC2MetaDataSSRF_COOKIE EC2MetaDataSSRF_URIPATH EC2MetaDataSSRF_QUERYARGUMENTS
			GenericLFI_QUERYARGUMENTS GenericLFI_URIPATH GenericRFI_QUERYARGUMENTS GenericRFI_URIPATH
			RestrictedExtensions_URIPATH RestrictedExtensions_QUERYARGUMENTS
			CrossSiteScripting_COOKIE CrossSiteScripting_QUERYARGUMENTS CrossSiteScripting_URIPATH`),
		counts: words("SizeRestrictions_BODY EC2MetaDataSSRF_BODY GenericLFI_BODY GenericRFI_BODY CrossSiteScripting_BODY"),
	},
	{
		id: "bad_inputs", name: "AWSManagedRulesKnownBadInputsRuleSet", labels: "awswaf:managed:aws:known-bad-inputs:",
		blocks: words(`JavaDeserializationRCE_HEADER JavaDeserializationRCE_URIPATH JavaDeserializationRCE_QUERYSTRING
			Host_localhost_HEADER PROPFIND_METHOD ExploitablePaths_URIPATH
			Log4JRCE_HEADER Log4JRCE_URIPATH Log4JRCE_QUERYSTRING`),
		counts: words("JavaDeserializationRCE_BODY Log4JRCE_BODY ReactJSRCE_BODY"),
	},
}

func words(list string) []string { return strings.Fields(list) }

// rules are in the order in which WAF tries them.
func (p FirewallProps) rules() []*wafv2webacl.Wafv2WebAclRule {
	onServerPath := pathEndsWith(ServerEventsPath)
	rules := []*wafv2webacl.Wafv2WebAclRule{
		rateRule("rate", p.RequestsPerAddress, not(onServerPath)),
		rateRule("server_rate", p.ServerRequestsPerAddress, onServerPath),
	}
	var labels []any
	for _, group := range managedGroups {
		rules = append(rules, group.rule())
		if group.labels != "" {
			labels = append(labels, object{"label_match_statement": object{"scope": "NAMESPACE", "key": group.labels}})
		}
	}
	// Behind the groups a label says: a rule on bodies has counted, for what
	// the others find is blocked. Where no batch is awaited, that is enough.
	rules = append(rules, &wafv2webacl.Wafv2WebAclRule{
		Name: jsii.String("bodies_elsewhere"),
		Action: &wafv2webacl.Wafv2WebAclRuleAction{Block: &wafv2webacl.Wafv2WebAclRuleActionBlock{
			CustomResponse: customResponse(403, ""),
		}},
		Statement: object{"and_statement": object{"statement": []any{
			not(pathEndsWith("/events")),
			object{"or_statement": object{"statement": labels}},
		}}},
	})
	for i, rule := range rules {
		rule.Priority = jsii.Number(i)
		rule.VisibilityConfig = &wafv2webacl.Wafv2WebAclRuleVisibilityConfig{
			CloudwatchMetricsEnabled: true, MetricName: rule.Name, SampledRequestsEnabled: false,
		}
	}
	return rules
}

// object is a block that the bindings do not type: statements hold statements.
type object = map[string]any

func not(statement object) object {
	return object{"not_statement": object{"statement": []any{statement}}}
}

// pathEndsWith, because before an API's paths stands its stage.
func pathEndsWith(path string) object {
	return object{"byte_match_statement": object{
		"field_to_match":        object{"uri_path": object{}},
		"positional_constraint": "ENDS_WITH",
		"search_string":         path,
		"text_transformation":   []any{object{"priority": 0, "type": "NONE"}},
	}}
}

func rateRule(name string, limit int, scope object) *wafv2webacl.Wafv2WebAclRule {
	return &wafv2webacl.Wafv2WebAclRule{
		Name: &name,
		Action: &wafv2webacl.Wafv2WebAclRuleAction{Block: &wafv2webacl.Wafv2WebAclRuleActionBlock{
			CustomResponse: customResponse(429, "60"),
		}},
		Statement: object{"rate_based_statement": object{
			"aggregate_key_type":    "IP",
			"evaluation_window_sec": 300,
			"limit":                 limit,
			"scope_down_statement":  scope,
		}},
	}
}

func (g managedGroup) rule() *wafv2webacl.Wafv2WebAclRule {
	var overrides []any
	override := func(name string, action object) {
		overrides = append(overrides, object{"name": name, "action_to_use": action})
	}
	for _, name := range g.blocks {
		override(name, object{"block": object{"custom_response": object{"response_code": 403, "response_header": headerObjects("")}}})
	}
	for _, name := range g.counts {
		override(name, object{"count": object{}})
	}
	return &wafv2webacl.Wafv2WebAclRule{
		Name:           &g.id,
		OverrideAction: &wafv2webacl.Wafv2WebAclRuleOverrideAction{None: &wafv2webacl.Wafv2WebAclRuleOverrideActionNone{}},
		Statement: object{"managed_rule_group_statement": object{
			"vendor_name": "AWS", "name": g.name, "rule_action_override": overrides,
		}},
	}
}

// pageHeaders let a page read an answer that the collector did not give.
func pageHeaders(retryAfter string) [][2]string {
	headers := [][2]string{
		{"Access-Control-Allow-Origin", "*"},
		{"Access-Control-Expose-Headers", "Date, Retry-After"},
	}
	if retryAfter != "" {
		headers = append(headers, [2]string{"Retry-After", retryAfter})
	}
	return headers
}

func headerObjects(retryAfter string) (objects []any) {
	for _, header := range pageHeaders(retryAfter) {
		objects = append(objects, object{"name": header[0], "value": header[1]})
	}
	return objects
}

func customResponse(status int, retryAfter string) *wafv2webacl.Wafv2WebAclRuleActionBlockCustomResponse {
	var headers []*wafv2webacl.Wafv2WebAclRuleActionBlockCustomResponseResponseHeader
	for _, header := range pageHeaders(retryAfter) {
		headers = append(headers, &wafv2webacl.Wafv2WebAclRuleActionBlockCustomResponseResponseHeader{Name: &header[0], Value: &header[1]})
	}
	return &wafv2webacl.Wafv2WebAclRuleActionBlockCustomResponse{ResponseCode: jsii.Number(status), ResponseHeader: headers}
}
