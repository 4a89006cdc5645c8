package guardrails

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// edge is a way on which a service, not a role, writes to what a customer's
// key may encrypt: the key's policy must name the service.
type edge struct {
	kind    string
	target  string // attribute that names the target
	service string // {region} is the stack's
	source  string // ARN of what the service acts for; {a.b} is attribute b of what a names
}

// eventTarget is the type that writes in a role, where it names one.
const eventTarget = "aws_cloudwatch_event_target"

var edges = []edge{
	{"aws_s3_bucket_notification", "queue?.queue_arn", "s3.amazonaws.com", "arn:aws:s3:::{bucket.bucket}"},
	{"aws_s3_bucket_notification", "topic?.topic_arn", "s3.amazonaws.com", "arn:aws:s3:::{bucket.bucket}"},
	{"aws_s3_bucket_inventory", "destination.bucket.bucket_arn", "s3.amazonaws.com", "arn:aws:s3:::{bucket.bucket}"},
	{"aws_cloudwatch_metric_alarm", "alarm_actions?", "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}"},
	{"aws_cloudwatch_metric_alarm", "ok_actions?", "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}"},
	{"aws_cloudwatch_metric_alarm", "insufficient_data_actions?", "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}"},
	{"aws_cloudwatch_composite_alarm", "alarm_actions?", "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}"},
	{"aws_cloudwatch_composite_alarm", "ok_actions?", "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}"},
	{eventTarget, "arn", "events.amazonaws.com", "arn:aws:events:{region}:{account}:rule/{rule.name}"},
	{eventTarget, "dead_letter_config?.arn", "events.amazonaws.com", "arn:aws:events:{region}:{account}:rule/{rule.name}"},
	{"aws_cloudwatch_event_bus", "kms_key_identifier", "events.amazonaws.com", ""},
	{"aws_sns_topic_subscription", "endpoint", "sns.amazonaws.com", "arn:aws:sns:{region}:{account}:{topic_arn.name}"},
	{"aws_sns_topic_subscription", "redrive_policy?", "sns.amazonaws.com", "arn:aws:sns:{region}:{account}:{topic_arn.name}"},
	{"aws_budgets_budget", "notification?.subscriber_sns_topic_arns?", "budgets.amazonaws.com", ""},
	{"aws_ce_anomaly_subscription", "subscriber?.address", "costalerts.amazonaws.com", ""},
	{"aws_backup_vault_notifications", "sns_topic_arn", "backup.amazonaws.com", ""},
	{"aws_cloudwatch_log_group", "kms_key_id", "logs.{region}.amazonaws.com", ""},
	{"aws_cloudtrail", "kms_key_id", "cloudtrail.amazonaws.com", "arn:aws:cloudtrail:{region}:{account}:trail/{name}"},
	{"aws_cloudtrail", "sns_topic_name?", "cloudtrail.amazonaws.com", "arn:aws:cloudtrail:{region}:{account}:trail/{name}"},
	{"aws_cloudfront_distribution", "origin.domain_name", "cloudfront.amazonaws.com", ""},
	{"aws_flow_log", "log_destination?", "delivery.logs.amazonaws.com", ""},
	{"aws_wafv2_web_acl_logging_configuration", "log_destination_configs", "delivery.logs.amazonaws.com", ""},
	{"aws_codestarnotifications_notification_rule", "target.address", "codestar-notifications.amazonaws.com", ""},
	{"aws_guardduty_publishing_destination", "kms_key_arn", "guardduty.amazonaws.com", ""},
	{"aws_config_delivery_channel", "sns_topic_arn?", "config.amazonaws.com", ""},
	{"aws_autoscaling_notification", "topic_arn", "autoscaling.amazonaws.com", ""},
	{"aws_db_event_subscription", "sns_topic", "events.rds.amazonaws.com", ""},
	{"aws_redshift_event_subscription", "sns_topic_arn", "redshift.amazonaws.com", ""},
	{"aws_dms_event_subscription", "sns_topic_arn", "dms.amazonaws.com", ""},
	{"aws_iot_topic_rule", "sqs?.queue_url", "iot.amazonaws.com", ""},
	{"aws_ses_receipt_rule", "sns_action?.topic_arn", "ses.amazonaws.com", ""},
}

// targets are where types that services write to name their key. A log
// group's key names CloudWatch Logs, which takes what is delivered.
var targets = map[string]string{
	"aws_sqs_queue":       "kms_master_key_id",
	"aws_sns_topic":       "kms_master_key_id",
	"aws_kms_key":         "",
	"aws_kms_replica_key": "",
	"aws_s3_bucket":       "",
}

// lockedOut finds edges whose target's key doesn't name the service: nothing
// fails at the deploy, and nothing ever arrives.
func lockedOut(s *stack) (found []finding) {
	for _, e := range edges {
		for _, r := range s.of(e.kind) {
			if r.kind == eventTarget && e.target == "arn" && r.body["role_arn"] != nil {
				continue // the role writes, and its grants decide
			}
			service := strings.ReplaceAll(e.service, "{region}", s.regionOf(r))
			for _, target := range s.refs(r, e.target) {
				for _, key := range s.keysOf(target) {
					problem, mend := s.refuses(key, service, s.sourceOf(e, r)), "name it in the key's policy, as Key.AllowService does"
					if r.kind == eventTarget && target.kind == "aws_sns_topic" {
						problem, mend = "can't tell this rule from anybody's: EventBridge names no source to it", "set role_arn to a role that may publish"
					}
					if problem != "" {
						found = append(found, finding{r, fmt.Sprintf("the key of %s %s", target.path, problem), mend})
					}
				}
			}
		}
	}
	return found
}

// keysOf returns the keys that encrypt what a service writes to.
func (s *stack) keysOf(target *resource) (keys []*resource) {
	switch attribute, writable := targets[target.kind]; {
	case !writable:
		return nil
	case attribute != "":
		return s.keys(target, attribute)
	case target.kind != "aws_s3_bucket":
		return []*resource{target}
	}
	for _, encryption := range s.companionsOf(target, companions[0]) {
		keys = append(keys, s.keys(encryption, "rule.apply_server_side_encryption_by_default.kms_master_key_id")...)
	}
	return keys
}

func (s *stack) keys(r *resource, attribute string) (keys []*resource) {
	for _, v := range values(r.body, attribute) {
		if key := s.key(v); key != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// refuses says how a key's policy keeps a service out.
func (s *stack) refuses(key *resource, service, source string) string {
	policy := key.text("policy")
	for _, other := range s.of("aws_kms_key_policy") {
		if slices.Contains(s.refs(other, "key_id"), key) {
			policy = other.text("policy")
		}
	}
	statements, err := parsePolicy(policy)
	if err != nil {
		return "has a policy that can't be read"
	}
	named := false
	for _, st := range statements {
		if !st.allows() || !slices.Contains(st.principals(), "Service:"+service) || !st.takes("kms:decrypt") && !st.takes("kms:generatedatakey") {
			continue
		}
		named = true
		if st.from(source, s.account) {
			return ""
		}
	}
	if named {
		return fmt.Sprintf("lets %s in for other sources than %s", service, source)
	}
	return "doesn't name " + service
}

func (st statement) takes(action string) bool {
	return slices.ContainsFunc(st.Action, func(pattern string) bool {
		matched, err := path.Match(strings.ToLower(pattern), action)
		return err == nil && matched
	})
}

// from reports whether a statement's conditions on the source hold for one.
// What isn't known at synth is taken to fit.
func (st statement) from(source, account string) bool {
	for _, keys := range st.Condition {
		for key, allowed := range keys {
			var got string
			switch strings.ToLower(key) {
			case "aws:sourcearn":
				got = source
			case "aws:sourceaccount":
				got = account
			}
			if got != "" && !slices.ContainsFunc(allowed, func(pattern string) bool { return len(tokens(pattern)) > 0 || glob(pattern, got) }) {
				return false
			}
		}
	}
	return true
}

func glob(pattern, text string) bool {
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^(?:" + quoted + ")$").MatchString(text)
}

var placeholder = regexp.MustCompile(`\{([a-z_.]+)\}`)

// sourceOf renders the ARN that a service acts for; empty where it isn't text.
func (s *stack) sourceOf(e edge, r *resource) string {
	complete := true
	arn := placeholder.ReplaceAllStringFunc(e.source, func(match string) string {
		name := strings.Trim(match, "{}")
		text := ""
		attribute, of, indirect := strings.Cut(name, ".")
		switch {
		case name == "region":
			text = s.regionOf(r)
		case name == "account":
			text = s.account
		case !indirect:
			text = r.text(name)
		default:
			if named := s.refs(r, attribute); len(named) == 1 {
				text = named[0].text(of)
			}
		}
		complete = complete && text != "" && len(tokens(text)) == 0
		return text
	})
	if !complete {
		return ""
	}
	return arn
}

// regionOf returns the region of a resource's provider.
func (s *stack) regionOf(r *resource) string {
	alias, _ := r.body["provider"].(string)
	alias = strings.TrimPrefix(alias, "aws.")
	for _, p := range s.providers {
		if p.text("alias") == alias {
			return p.text("region")
		}
	}
	return s.region
}
