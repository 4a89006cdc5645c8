package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shopstream/shopstream/constructs/guardrails"
	"github.com/shopstream/shopstream/stacks"
)

// leastMutants is what the stacks of prod and everything give at least. It only grows.
const leastMutants = 1000

// block is a block of Terraform JSON.
type block = map[string]any

// change takes one safety property from a resource's body; nil takes the
// resource itself.
type change struct {
	says string
	do   func(body block)
}

var gone = change{says: "is gone"}

func without(path string) change {
	return change{"without " + path, func(body block) { edit(body, path, func(b block, name string) { delete(b, name) }) }}
}

func with(path string, value any) change {
	return change{fmt.Sprintf("with %s %v", path, value), func(body block) {
		edit(body, path, func(b block, name string) {
			if _, there := b[name]; there {
				b[name] = value
			}
		})
	}}
}

// added sets what may be missing.
func added(path string, value any) change {
	return change{fmt.Sprintf("with %s %v added", path, value), func(body block) {
		edit(body, path, func(b block, name string) { b[name] = value })
	}}
}

// edit calls do with every block that a path leads to, and the path's last part.
func edit(v any, path string, do func(b block, name string)) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			edit(element, path, do)
		}
	case block:
		if first, rest, more := strings.Cut(path, "."); more {
			edit(v[first], rest, do)
		} else {
			do(v, path)
		}
	}
}

// changes are the safety properties by type. What every type may have, keys,
// policies and protection, is changed wherever it stands: see everywhere.
var changes = map[string][]change{
	"aws_api_gateway_domain_name": {without("security_policy"), with("security_policy", "TLS_1_0")},
	"aws_athena_workgroup":        {without("configuration.result_configuration.encryption_configuration"), with("configuration.enforce_workgroup_configuration", false), added("force_destroy", true)},
	"aws_backup_vault":            {added("force_destroy", true)},
	"aws_cloudfront_distribution": {with("default_cache_behavior.viewer_protocol_policy", "allow-all"), with("ordered_cache_behavior.viewer_protocol_policy", "allow-all")},
	"aws_cloudtrail":              {without("enable_log_file_validation"), with("enable_log_file_validation", false)},
	"aws_cloudwatch_log_group":    {without("retention_in_days"), with("retention_in_days", 0)},
	"aws_cognito_user_pool":       {without("deletion_protection"), with("deletion_protection", "INACTIVE")},
	"aws_db_instance":             {added("publicly_accessible", true), with("storage_encrypted", false)},
	"aws_dynamodb_table": {
		without("point_in_time_recovery"), with("point_in_time_recovery.enabled", false), without("server_side_encryption"),
		with("server_side_encryption.enabled", false), without("deletion_protection_enabled"), with("deletion_protection_enabled", false),
	},
	"aws_ecr_repository":                   {without("encryption_configuration"), added("force_delete", true)},
	"aws_ecs_service":                      {without("propagate_tags"), with("network_configuration.assign_public_ip", true)},
	"aws_ecs_task_definition":              {without("container_definitions"), with("container_definitions", `[{"name":"collector","environment":[{"name":"SALT_SECRET","value":"abc"}]}]`)},
	"aws_glue_crawler":                     {without("security_configuration")},
	"aws_glue_job":                         {without("security_configuration")},
	"aws_iam_role":                         {without("permissions_boundary"), with("assume_role_policy", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`), with("assume_role_policy", `{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)},
	"aws_iam_role_policy":                  {gone, with("policy", `{"Statement":[]}`)},
	"aws_kinesis_firehose_delivery_stream": {without("extended_s3_configuration.kms_key_arn")},
	"aws_kinesis_stream":                   {without("encryption_type"), with("encryption_type", "NONE"), without("retention_period")},
	"aws_kms_key":                          {without("enable_key_rotation"), with("enable_key_rotation", false), without("policy"), with("deletion_window_in_days", 1)},
	"aws_lambda_event_source_mapping":      {without("destination_config"), without("maximum_retry_attempts"), with("maximum_retry_attempts", -1), without("maximum_record_age_in_seconds"), with("maximum_record_age_in_seconds", -1)},
	"aws_lambda_function":                  {without("logging_config"), with("logging_config.log_group", "/aws/lambda/other"), added("environment", block{"variables": block{"API_TOKEN": "abc"}})},
	"aws_lambda_permission":                {without("source_arn"), with("principal", "*")},
	"aws_redshiftserverless_workgroup":     {with("publicly_accessible", true), without("publicly_accessible"), with("enhanced_vpc_routing", false)},
	"aws_s3_bucket":                        {added("force_destroy", true), added("acl", "public-read")},
	"aws_s3_bucket_ownership_controls":     {gone, without("rule"), with("rule.object_ownership", "ObjectWriter")},
	"aws_s3_bucket_policy":                 {gone, with("bucket", "another")},
	"aws_s3_bucket_public_access_block": {
		gone, with("bucket", "another"),
		without("block_public_acls"), without("block_public_policy"), without("ignore_public_acls"), without("restrict_public_buckets"),
		with("block_public_acls", false), with("block_public_policy", false), with("ignore_public_acls", false), with("restrict_public_buckets", false),
	},
	"aws_s3_bucket_server_side_encryption_configuration": {
		gone, without("rule.bucket_key_enabled"), without("rule.apply_server_side_encryption_by_default.sse_algorithm"),
		with("rule.apply_server_side_encryption_by_default.sse_algorithm", "AES256"),
	},
	"aws_s3_bucket_versioning":            {gone, without("versioning_configuration"), with("versioning_configuration.status", "Suspended")},
	"aws_secretsmanager_secret":           {added("recovery_window_in_days", 0)},
	"aws_sqs_queue":                       {without("redrive_policy"), with("redrive_policy", `{"maxReceiveCount":5}`)},
	"aws_subnet":                          {added("map_public_ip_on_launch", true)},
	"aws_vpc_endpoint":                    {without("policy")},
	"aws_vpc_security_group_ingress_rule": {with("referenced_security_group_id", nil), added("cidr_ipv4", "0.0.0.0/0"), added("cidr_ipv6", "::/0")},
	"aws_lb":                              {without("enable_deletion_protection")},
	"aws_lb_listener":                     {with("protocol", "HTTP"), with("ssl_policy", "ELBSecurityPolicy-2016-08")},
}

var (
	keyName    = regexp.MustCompile(`^(kms_key|kms_key_id|kms_key_arn|kms_master_key_id|kms_key_identifier|replica_kms_key_id|sse_aws_kms_key_id)$`)
	policyName = regexp.MustCompile(`^(policy|assume_role_policy|access_policy|policy_document)$`)
)

// everywhere are the changes of what any type may have.
func everywhere(body block) (found []change) {
	var visit func(v any, path string)
	visit = func(v any, path string) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				visit(element, path)
			}
		case block:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				at := strings.TrimPrefix(path+"."+name, ".")
				text, isText := v[name].(string)
				switch {
				case keyName.MatchString(name):
					found = append(found, without(at), with(at, "alias/aws/service"), with(at, "${data.aws_kms_key.other.arn}"))
				case policyName.MatchString(name) && isText:
					found = append(found, with(at, "${data.aws_iam_policy_document.x.json}"))
					found = append(found, policyChanges(at, text)...)
				case name == "prevent_destroy" && v[name] == true:
					found = append(found, without(at), with(at, false))
				}
				visit(v[name], at)
			}
		}
	}
	visit(body, "")
	return found
}

// policyChanges widens each statement of a policy in turn.
func policyChanges(path, text string) (found []change) {
	read := func() (policy block) {
		if json.Unmarshal([]byte(text), &policy) != nil {
			return nil // no JSON, so no IAM policy
		}
		return policy
	}
	original := read()
	if original["Statement"] == nil {
		return nil
	}
	for i, v := range list(original["Statement"]) {
		s, is := v.(block)
		if !is {
			continue
		}
		widen := func(says string, do func(statement block)) {
			policy := read()
			do(list(policy["Statement"])[i].(block))
			if reflect.DeepEqual(policy, original) {
				return
			}
			b, err := json.Marshal(policy)
			if err != nil {
				panic(err) // texts, lists and maps always marshal
			}
			found = append(found, change{fmt.Sprintf("with statement %d of %s %s", i+1, path, says), with(path, string(b)).do})
		}
		if s["Effect"] == "Deny" {
			weaken(s, widen)
		} else {
			open(s, widen)
		}
	}
	return found
}

// weaken lets through what a statement denies.
func weaken(s block, widen func(says string, do func(statement block))) {
	widen("allowed", func(s block) { s["Effect"] = "Allow" })
	widen("under one more condition", func(s block) {
		conditions, _ := s["Condition"].(block)
		conditions = maps.Clone(conditions)
		if conditions == nil {
			conditions = block{}
		}
		conditions["StringNotLike"] = block{"aws:PrincipalTag/exempt": "yes"}
		s["Condition"] = conditions
	})
	if s["Condition"] != nil {
		widen("under no condition", func(s block) { delete(s, "Condition") })
	}
	if s["Principal"] != nil { // an identity's policy has none: IAM refuses it
		widen("for one principal", func(s block) { s["Principal"] = block{"AWS": "arn:aws:iam::123456789012:root"} })
	}
	if resources := list(s["Resource"]); len(resources) > 1 {
		for _, resource := range resources {
			widen(fmt.Sprintf("on %v alone", resource), func(s block) { s["Resource"] = resource })
		}
	}
	if actions := list(s["Action"]); len(actions) > 1 {
		for _, action := range actions {
			widen(fmt.Sprintf("without %v", action), func(s block) {
				s["Action"] = slices.DeleteFunc(list(s["Action"]), func(a any) bool { return a == action })
			})
		}
	}
}

// open allows more than a statement does.
func open(s block, widen func(says string, do func(statement block))) {
	if s["Action"] != "kms:*" { // the account's own, which a key needs
		widen("of every action", func(s block) { s["Action"] = "*" })
		widen("of the services' every action", func(s block) {
			if actions, is := s["Action"].([]any); is {
				for i := range actions {
					actions[i] = wholeService(actions[i])
				}
			} else {
				s["Action"] = wholeService(s["Action"])
			}
		})
	}
	switch {
	case s["Principal"] == nil && s["Resource"] != "*":
		widen("on everything", func(s block) { s["Resource"] = "*" })
	case s["Principal"] != nil && (s["Principal"] != "*" || s["Condition"] != nil):
		widen("for everybody", func(s block) { s["Principal"] = "*"; delete(s, "Condition") })
		widen("for every account", func(s block) { s["Principal"] = block{"AWS": "*"}; delete(s, "Condition") })
	}
	if s["Principal"] != nil && s["Resource"] != nil && s["Resource"] != "*" && s["Condition"] == nil {
		widen("on everything", func(s block) { s["Resource"] = "*" })
	}
	conditions, _ := s["Condition"].(block)
	for _, operator := range slices.Sorted(maps.Keys(conditions)) {
		keys, _ := conditions[operator].(block)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			widen("without the condition on "+key, func(s block) { delete(s["Condition"].(block)[operator].(block), key) })
		}
	}
	if s["Condition"] != nil {
		widen("under no condition", func(s block) { delete(s, "Condition") })
	}
}

// wholeService is every action of an action's service.
func wholeService(action any) any {
	service, _, named := strings.Cut(fmt.Sprint(action), ":")
	if !named {
		return action // every service's already
	}
	return service + ":*"
}

func list(v any) []any {
	if l, is := v.([]any); is {
		return l
	}
	return []any{v}
}

// intruders are resources that must not slip in, for what prod holds too few
// of to take something from.
var intruders = map[string]block{
	"aws_vpc_security_group_ingress_rule": {"security_group_id": "${aws_security_group.x.id}", "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0"},
	"aws_kendra_index":                    {"name": "search"},
	"aws_lambda_function":                 {"function_name": "unwatched"},
	"aws_iam_role":                        {"name": "idle"},
	"aws_sqs_queue":                       {"name": "alone"},
	"aws_iam_role_policy_attachment":      {"role": "x", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"},
	"aws_secretsmanager_secret_version":   {"secret_string": "hunter22"},
	"aws_lb_listener":                     {"protocol": "HTTP", "port": 80},
	"aws_lambda_permission":               {"principal": "s3.amazonaws.com", "function_name": "x"},
	"aws_s3_bucket_website_configuration": {"bucket": "x"},
	"aws_cloudwatch_log_group":            {"name": "/for/ever"},
}

// mutant is a stack that lacks one safety property.
type mutant struct {
	says  string
	stack func() ([]byte, error) // written when it is judged: all of them are large
}

// genome is a stack that is taken apart, so that a mutant marshals one piece.
type genome struct {
	whole     map[string]json.RawMessage
	resources map[string]map[string]json.RawMessage
}

// mutate returns the stack with a resource that is changed, or gone.
func (g genome) mutate(kind, name string, body json.RawMessage) func() ([]byte, error) {
	return func() ([]byte, error) {
		resources := maps.Clone(g.resources)
		resources[kind] = maps.Clone(resources[kind])
		if body == nil {
			delete(resources[kind], name)
		} else {
			if resources[kind] == nil {
				resources[kind] = map[string]json.RawMessage{}
			}
			resources[kind][name] = body
		}
		b, err := json.Marshal(resources)
		if err != nil {
			return nil, err
		}
		return g.with("resource", b)()
	}
}

func (g genome) with(part string, body json.RawMessage) func() ([]byte, error) {
	return func() ([]byte, error) {
		whole := maps.Clone(g.whole)
		whole[part] = body
		return json.Marshal(whole)
	}
}

func mutants(t *testing.T, stackJSON []byte) (all []mutant) {
	t.Helper()
	var g genome
	unmarshal(t, stackJSON, &g.whole)
	unmarshal(t, g.whole["resource"], &g.resources)
	// breed returns what c makes of a piece, nil where it changes nothing new.
	seen := map[string]bool{}
	breed := func(address string, piece json.RawMessage, do func(body any)) json.RawMessage {
		var body any
		unmarshal(t, piece, &body)
		seen[address+string(marshal(t, body))] = true
		do(body)
		b := marshal(t, body)
		if seen[address+string(b)] {
			return nil
		}
		seen[address+string(b)] = true
		return b
	}
	for _, kind := range slices.Sorted(maps.Keys(g.resources)) {
		for _, name := range slices.Sorted(maps.Keys(g.resources[kind])) {
			piece, address := g.resources[kind][name], kind+"."+name
			var body block
			unmarshal(t, piece, &body)
			for _, c := range slices.Concat(changes[kind], everywhere(body)) {
				if c.do == nil {
					all = append(all, mutant{address + " " + c.says, g.mutate(kind, name, nil)})
				} else if b := breed(address, piece, func(body any) { c.do(body.(block)) }); b != nil {
					all = append(all, mutant{address + " " + c.says, g.mutate(kind, name, b)})
				}
			}
		}
	}
	var providers map[string]any
	unmarshal(t, g.whole["provider"], &providers)
	for i := range list(providers["aws"]) {
		for _, c := range []change{without("default_tags"), without("default_tags.tags.project"), without("default_tags.tags.environment"), added("secret_key", "abc")} {
			b := breed("provider", g.whole["provider"], func(all any) { c.do(list(all.(block)["aws"])[i].(block)) })
			if b != nil {
				all = append(all, mutant{fmt.Sprintf("provider %d %s", i, c.says), g.with("provider", b)})
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(intruders)) {
		all = append(all, mutant{kind + ".intruder is added", g.mutate(kind, "intruder", marshal(t, intruders[kind]))})
	}
	return all
}

func unmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// harmless are the changes that take no safety property, each with its reason.
var harmless = []struct {
	mutant *regexp.Regexp
	reason string
}{
	{
		regexp.MustCompile(`^aws_vpc_endpoint\.network_endpoints_(s3|dynamodb)_\S+ with statement 1 of policy of every action$`),
		"through an endpoint of one service only that service's actions pass, so s3:* and * are the same; the accounts in its condition bound it",
	},
	{
		regexp.MustCompile(`^aws_(cloudwatch_log_resource|sns_topic)_policy\.\S+ with statement \d of policy(_document)? without the condition on aws:Source(Arn|Account)$`),
		"each of the two keeps others' resources out by itself; without both it is caught",
	},
	{
		regexp.MustCompile(`^aws_iam_role\.budget_actor_\S+ with statement 1 of assume_role_policy without the condition on aws:Source(Arn|Account)$`),
		"each of the two keeps others' budgets out by itself; without both it is caught",
	},
	{
		regexp.MustCompile(`^aws_iam_policy\.budget_deny_\S+ with statement 1 of policy (without \S+|under one more condition)$`),
		"what a spent budget stops is a matter of money, not of safety",
	},
	{
		regexp.MustCompile(`^aws_iam_role_policy\.budget_actor_policy_\S+ with statement 1 of policy (without the condition on iam:PolicyARN|under no condition)$`),
		"no rule knows which policy is meant; the IAM matrix does, and tries another one",
	},
	{
		regexp.MustCompile(`^aws_iam_role_policy\.(people_operator_policy_\S+ with statement [12]|service_deployment_role_policy_\S+ with statement 7) of policy on everything$`),
		"alarms and dashboards show figures alone, which other actions show without a resource",
	},
	{
		regexp.MustCompile(`^aws_vpc_security_group_ingress_rule\.front_load_balancer_group_from_world_443_\S+ with cidr_ipv6 ::/0 added$`),
		"it is the port of a public load balancer",
	},
}

// judge returns the rules that catch each mutant.
func judge(t *testing.T, all []mutant, options guardrails.Options) []map[string]bool {
	t.Helper()
	caught, errs := make([]map[string]bool, len(all)), make([]error, len(all))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := range next {
				caught[i], errs[i] = all[i].judge(options)
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", all[i].says, err)
		}
	}
	return caught
}

func (m mutant) judge(options guardrails.Options) (map[string]bool, error) {
	stackJSON, err := m.stack()
	if err != nil {
		return nil, err
	}
	violations, err := guardrails.Find(stackJSON, options)
	rules := map[string]bool{}
	for _, v := range violations {
		rules[v.Rule] = true
	}
	return rules, err
}

func TestTheGuardrailsCatchEveryMutant(t *testing.T) {
	all := mutantsOfAll(t)
	options := guardrails.Options{Protect: true, Exceptions: guardrails.Exceptions}
	total, used := map[string]int{}, map[*regexp.Regexp]bool{}
	for i, rules := range judge(t, all, options) {
		says, excused := all[i].says, false
		for _, h := range harmless {
			excused = excused || h.mutant.MatchString(says)
			used[h.mutant] = used[h.mutant] || h.mutant.MatchString(says)
		}
		switch {
		case len(rules) == 0 && !excused:
			t.Errorf("%s: no rule catches it", says)
		case len(rules) > 0 && excused:
			t.Errorf("%s: %v catches it: take it out of the harmless", says, slices.Sorted(maps.Keys(rules)))
		}
		for rule := range rules {
			total[rule]++
		}
	}
	for _, h := range harmless {
		if !used[h.mutant] {
			t.Errorf("%s is no mutant: take it out of the harmless", h.mutant)
		}
	}
	if len(all) < leastMutants {
		t.Errorf("got %d mutants, want at least %d", len(all), leastMutants)
	}
	for _, rule := range guardrails.Rules() {
		if total[rule.Name] == 0 {
			t.Errorf("%s catches no mutant", rule.Name)
		}
	}
	t.Logf("%d mutants, caught by %v", len(all), total)
}

// mutantsOfAll are those of prod, and those of everything that prod doesn't
// give: each is judged in one stack.
func mutantsOfAll(t *testing.T) (all []mutant) {
	t.Helper()
	seen := map[string]bool{}
	for _, env := range []stacks.Environment{stacks.Prod, everything} {
		original := synthesized(t, env)
		if err := guardrails.Check(original, guardrails.Options{Protect: true, Exceptions: guardrails.Exceptions}); err != nil {
			t.Fatalf("%s itself doesn't pass: %v", env.Name, err)
		}
		for _, m := range mutants(t, original) {
			if !seen[m.says] {
				all = append(all, m)
			}
			seen[m.says] = true
		}
	}
	return all
}

// A type that holds data and has no line above is changed only where any type
// is, which may be nowhere.
func TestEveryStatefulTypeHasMutants(t *testing.T) {
	for _, env := range []stacks.Environment{stacks.Prod, everything} {
		original := synthesized(t, env)
		addresses, err := guardrails.Stateful(original)
		if err != nil {
			t.Fatal(err)
		}
		all := mutants(t, original)
		for _, address := range addresses {
			if !slices.ContainsFunc(all, func(m mutant) bool { return strings.HasPrefix(m.says, address+" ") }) {
				t.Errorf("%s: %s has no mutant: add its type to the changes", env.Name, address)
			}
		}
	}
}
