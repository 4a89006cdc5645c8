package test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

const (
	ownAccount   = "777788889999"
	otherAccount = "111122223333"
)

// policies are a stack's, with every token filled in as AWS would.
type policies struct {
	template synth.Template
	regions  map[string]string // by alias of provider, "" for the stack's own

	role     map[string][]json.RawMessage // what a role is granted, by its name
	boundary map[string]json.RawMessage   // the most that it may do, by its name
	resource map[string]json.RawMessage   // by ARN of what they protect, or everyLogGroup
	endpoint map[string]json.RawMessage   // by service, such as "s3"
	spent    json.RawMessage              // what a spent budget puts on roles; nil where it puts nothing
	arns     map[string]bool              // of resources
}

// everyLogGroup stands for all, as CloudWatch Logs' policies do.
const everyLogGroup = "log groups"

// arnOf is how AWS names a resource by its settings. What AWS draws, {id} stands for.
var arnOf = map[string]string{
	"aws_athena_workgroup":        "arn:aws:athena:{region}:{account}:workgroup/{name}",
	"aws_backup_vault":            "arn:aws:backup:{region}:{account}:backup-vault:{name}",
	"aws_cloudfront_distribution": "arn:aws:cloudfront::{account}:distribution/{id}",
	"aws_cloudwatch_log_group":    "arn:aws:logs:{region}:{account}:log-group:{name}",
	"aws_dynamodb_table":          "arn:aws:dynamodb:{region}:{account}:table/{name}",
	"aws_ecs_cluster":             "arn:aws:ecs:{region}:{account}:cluster/{name}",
	"aws_glue_catalog_database":   "arn:aws:glue:{region}:{account}:database/{name}",
	"aws_glue_catalog_table":      "arn:aws:glue:{region}:{account}:table/{database_name}/{name}",
	"aws_iam_policy":              "arn:aws:iam::{account}:policy/{name}",
	"aws_iam_role":                "arn:aws:iam::{account}:role/{name}",
	"aws_kinesis_stream":          "arn:aws:kinesis:{region}:{account}:stream/{name}",
	"aws_kms_key":                 "arn:aws:kms:{region}:{account}:key/{id}",
	"aws_lambda_alias":            "arn:aws:lambda:{region}:{account}:function:{function_name}:{name}",
	"aws_lambda_function":         "arn:aws:lambda:{region}:{account}:function:{function_name}",
	"aws_lb_listener":             "arn:aws:elasticloadbalancing:{region}:{account}:listener/app/x/{id}",
	"aws_s3_bucket":               "arn:aws:s3:::{bucket}",
	"aws_secretsmanager_secret":   "arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
	"aws_sns_topic":               "arn:aws:sns:{region}:{account}:{name}",
	"aws_sqs_queue":               "arn:aws:sqs:{region}:{account}:{name}",
}

// idOf is what the provider calls a resource's id.
var idOf = map[string]string{"aws_iam_role": "{name}", "aws_kms_key": "{id}", "aws_s3_bucket": "{bucket}"}

var (
	token       = regexp.MustCompile(`\$?\$\{[^}]*\}`)
	attributeOf = regexp.MustCompile(`^\$\{(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+)\.([a-z_]+)\}$`)
	placeholder = regexp.MustCompile(`\{[a-z_]+\}`)
	// grants are kinds that grant without a policy.
	grants = regexp.MustCompile(`_(permission|permissions|policy_attachment|managed_policies_exclusive|grant|access_point|iam_user|iam_group)$`)
)

func readPolicies(t *testing.T, env stacks.Environment) policies {
	t.Helper()
	p := policies{
		template: synth.Decode(t, newStack(t, env)), regions: map[string]string{},
		role: map[string][]json.RawMessage{}, boundary: map[string]json.RawMessage{}, resource: map[string]json.RawMessage{},
		endpoint: map[string]json.RawMessage{}, arns: map[string]bool{},
	}
	for _, raw := range p.template.Provider["aws"] {
		var provider struct{ Alias, Region string }
		decode(t, raw, &provider)
		p.regions[provider.Alias] = provider.Region
	}
	for _, raw := range p.template.Resource["aws_iam_role_policy_attachment"] {
		var attached struct {
			Policy string `json:"policy_arn"`
		}
		if decode(t, raw, &attached); attached.Policy != "arn:aws:iam::aws:policy/AdministratorAccess" {
			t.Fatalf("the matrix does not know %s: let readPolicies read it", attached.Policy)
		}
		p.role[rolePrefix+"break-glass"] = append(p.role[rolePrefix+"break-glass"], allowAll)
	}
	for name := range p.template.Resource["aws_lambda_permission"] {
		p.readPermission(t, name)
	}
	for kind, named := range p.template.Resource {
		if kind != "aws_iam_role_policy_attachment" && kind != "aws_lambda_permission" && grants.MatchString(kind) {
			t.Fatalf("%s grants what the matrix does not see: let readPolicies read it", kind)
		}
		for name := range named {
			if arnOf[kind] != "" && kind != "aws_lambda_alias" { // which is its function's
				p.arns[p.arn(t, kind, name)] = true
			}
			for attribute, value := range p.config(t, kind, name) {
				if text, is := value.(string); is && strings.Contains(text, `"Statement"`) {
					p.read(t, kind, name, attribute, json.RawMessage(p.fill(t, text)))
				} else if nested, _ := json.Marshal(value); !is && bytes.Contains(nested, []byte(`\"Statement\"`)) {
					t.Fatalf("%s.%s.%s holds a policy that the matrix does not see: let read read it", kind, name, attribute)
				}
			}
		}
	}
	return p
}

// read keeps a policy by what it is about.
func (p *policies) read(t *testing.T, kind, name, attribute string, policy json.RawMessage) {
	t.Helper()
	setting := func(attribute string) string { return p.attribute(t, kind, name, attribute) }
	switch kind + "." + attribute {
	case "aws_iam_role_policy.policy":
		p.role[setting("role")] = append(p.role[setting("role")], policy)
	case "aws_iam_policy.policy": // as a boundary, or a budget's, below
		if strings.HasPrefix(name, "budget_deny") {
			p.spent = policy
			return
		}
		before := len(p.boundary)
		for role, raw := range p.template.Resource["aws_iam_role"] {
			if bytes.Contains(raw, []byte("aws_iam_policy."+name+".arn")) {
				p.boundary[p.attribute(t, "aws_iam_role", role, "name")] = policy
			}
		}
		if len(p.boundary) == before {
			t.Fatalf("%s bounds no role", name)
		}
	case "aws_iam_role.assume_role_policy", "aws_kms_key.policy", "aws_sqs_queue.policy", "aws_sns_topic.policy":
		p.resource[p.arn(t, kind, name)] = policy
	case "aws_s3_bucket_policy.policy":
		p.resource["arn:aws:s3:::"+setting("bucket")] = policy
	case "aws_sns_topic_policy.policy":
		p.resource[setting("arn")] = policy
	case "aws_cloudwatch_log_resource_policy.policy_document":
		if p.resource[everyLogGroup] != nil {
			t.Fatal("a second policy of log groups: let read join them")
		}
		p.resource[everyLogGroup] = policy
	case "aws_vpc_endpoint.policy":
		p.endpoint[strings.TrimPrefix(setting("service_name"), "com.amazonaws."+p.regions[""]+".")] = policy
	default:
		t.Fatalf("%s.%s.%s is a policy that the matrix does not see: let read read it", kind, name, attribute)
	}
}

// readPermission adds a statement to the policy of a function.
func (p *policies) readPermission(t *testing.T, name string) {
	t.Helper()
	setting := func(attribute string) string { return p.attribute(t, "aws_lambda_permission", name, attribute) }
	function := "arn:aws:lambda:" + p.regions[""] + ":" + ownAccount + ":function:" + setting("function_name")
	policy := policyDocument{Version: "2012-10-17"}
	if had := p.resource[function]; had != nil {
		decode(t, had, &policy)
	}
	policy.Statement = append(policy.Statement, statement{
		Effect: "Allow", Principal: security.Service(setting("principal")), Action: setting("action"), Resource: function + ":" + setting("qualifier"),
		Condition: map[string]map[string]string{"ArnLike": {"aws:SourceArn": setting("source_arn")}},
	})
	joined, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	p.resource[function] = joined
}

func (p policies) config(t *testing.T, kind, name string) (config map[string]any) {
	t.Helper()
	raw, has := p.template.Resource[kind][name]
	if !has {
		t.Fatalf("no %s.%s", kind, name)
	}
	decode(t, raw, &config)
	return config
}

// fill replaces every token in text, and fails on one that it does not know.
func (p policies) fill(t *testing.T, text string) string {
	t.Helper()
	return token.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "$$") { // Terraform's way to write a policy's own variable
			return found[1:]
		}
		match := attributeOf.FindStringSubmatch(found)
		if match == nil {
			t.Fatalf("unknown token %s", found)
		}
		return p.attribute(t, match[1], match[2], match[3])
	})
}

// attribute is what AWS or the settings say about a resource.
func (p policies) attribute(t *testing.T, kind, name, attribute string) string {
	t.Helper()
	if value, is := p.config(t, kind, name)[attribute].(string); is {
		return p.fill(t, value)
	}
	switch {
	case attribute == "arn":
		return p.arn(t, kind, name)
	case attribute == "id" && idOf[kind] != "":
		return p.expand(t, kind, name, idOf[kind])
	}
	t.Fatalf("unknown token ${%s.%s.%s}: let arnOf or idOf say it", kind, name, attribute)
	panic("unreachable")
}

func (p policies) arn(t *testing.T, kind, name string) string {
	t.Helper()
	if arnOf[kind] == "" {
		t.Fatalf("arnOf does not say how AWS names %s.%s", kind, name)
	}
	return p.expand(t, kind, name, arnOf[kind])
}

func (p policies) expand(t *testing.T, kind, name, pattern string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(pattern, func(found string) string {
		switch found {
		case "{account}":
			return ownAccount
		case "{id}":
			return strings.TrimSuffix(ownHash.ReplaceAllString(name, ""), "_this")
		case "{region}":
			alias, _ := p.config(t, kind, name)["provider"].(string)
			return p.regions[strings.TrimPrefix(alias, "aws.")]
		}
		return p.attribute(t, kind, name, strings.Trim(found, "{}"))
	})
}

// simulation is a request and what decides on it, in the simulator's words.
type simulation struct {
	Request struct {
		Principal any    `json:"principal"` // an ARN, a service or {"type":"Anonymous"}
		Action    string `json:"action"`
		Resource  struct {
			ARN     string `json:"resource"`
			Account string `json:"accountId"`
		} `json:"resource"`
		Context map[string]string `json:"contextVariables"`
	} `json:"request"`
	Identity     []namedPolicy   `json:"identityPolicies"`
	Boundary     []namedPolicy   `json:"permissionBoundaryPolicies,omitempty"`
	Endpoint     []namedPolicy   `json:"vpcEndpointPolicies,omitempty"`
	Resource     json.RawMessage `json:"resourcePolicy,omitempty"`
	Organization []namedPolicy   `json:"serviceControlPolicies"`
	Resources    []namedPolicy   `json:"resourceControlPolicies"`
}

type namedPolicy struct {
	Name   string          `json:"name"`
	Policy json.RawMessage `json:"policy"`
}

var allowAll = json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)

// unbound are the roles that no boundary holds.
var unbound = []string{"break-glass", "budget-actor"}

// simulation is one action of a line on one resource, with all that decides.
func (l line) simulation(t *testing.T, p policies, action, arn string) (s simulation) {
	t.Helper()
	all := []namedPolicy{{"all", allowAll}}
	s.Identity, s.Organization, s.Resources = []namedPolicy{}, []namedPolicy{}, []namedPolicy{}
	s.Request.Action, s.Request.Resource.ARN, s.Request.Resource.Account = action, arn, ownAccount
	region := strings.Split(arn+":::", ":")[3]
	s.Request.Context = given{
		"aws:SecureTransport": "true", "aws:RequestedRegion": cmp.Or(region, "eu-west-1"),
		"aws:PrincipalAccount": ownAccount, "aws:ResourceAccount": ownAccount,
	}
	principal := func(account string) { s.Request.Principal = "arn:aws:iam::" + account + ":role/administrator" }
	name := rolePrefix + l.who
	switch {
	case strings.HasSuffix(l.who, ".amazonaws.com"):
		s.Request.Principal = l.who
		delete(s.Request.Context, "aws:PrincipalAccount")
	case l.who == administrator:
		principal(ownAccount)
		s.Identity = all
	case l.who == outsider:
		principal(otherAccount)
		s.Identity, s.Request.Context["aws:PrincipalAccount"] = all, otherAccount
	case l.who == anybody:
		s.Request.Principal = map[string]string{"type": "Anonymous"}
		delete(s.Request.Context, "aws:PrincipalAccount")
	case l.who == bounded:
		principal(ownAccount)
		s.Identity, s.Boundary = all, []namedPolicy{{"boundary", p.boundary[rolePrefix+"collector"]}}
	case l.who == spender:
		principal(ownAccount)
		s.Identity = append(all, namedPolicy{"spent", p.spent})
	case strings.HasPrefix(l.who, "arn:aws:iam::"):
		s.Request.Principal, s.Identity = l.who, all
	case p.role[name] != nil && (p.boundary[name] != nil || slices.Contains(unbound, l.who)):
		s.Request.Principal = roleARN(l.who)
		if p.boundary[name] != nil {
			s.Boundary = []namedPolicy{{"boundary", p.boundary[name]}}
		}
		for _, policy := range p.role[name] {
			s.Identity = append(s.Identity, namedPolicy{"policy", policy})
		}
	default:
		t.Fatalf("no role %s with grants and a boundary", name)
	}
	maps.Copy(s.Request.Context, l.given)
	if s.Resource = p.resource[p.protected(arn)]; strings.HasPrefix(arn, "arn:aws:logs:") && l.who != administrator {
		s.Resource = p.resource[everyLogGroup]
	}
	if s.Request.Context["aws:ResourceAccount"] != ownAccount { // lets us in: only our side can deny
		s.Request.Resource.Account = otherAccount
		s.Resource = json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`)
	}
	if l.via != "" {
		if p.endpoint[l.via] == nil {
			t.Fatalf("no endpoint of %s", l.via)
		}
		s.Endpoint = []namedPolicy{{l.via, p.endpoint[l.via]}}
	}
	return s
}

// protected is the resource that arn is of or in, "" if it is not the stack's.
func (p policies) protected(arn string) string {
	for own := range p.arns {
		if rest, in := strings.CutPrefix(arn, own); in && (rest == "" || rest[0] == '/' || rest[0] == ':') {
			return own
		}
	}
	return ""
}

// decision is Allowed, ExplicitlyDenied or ImplicitlyDenied.
type decision struct {
	Result  string
	Ignored []string // context that says nothing about the action
	Error   string
}

// simulate asks tools/iam, a third party's simulator, in one process.
func simulate(t *testing.T, simulations []simulation) []decision {
	t.Helper()
	tool := filepath.Join("..", "tools", "iam")
	if _, err := os.Stat(filepath.Join(tool, "node_modules")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the simulator of IAM is not installed; run make setup-test")
	}
	in, err := json.Marshal(simulations)
	if err != nil {
		t.Fatal(err)
	}
	var errors bytes.Buffer
	cmd := exec.Command("node", "simulate.mjs")
	cmd.Dir, cmd.Stdin, cmd.Stderr = tool, bytes.NewReader(in), &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("simulate: %v\n%s", err, &errors)
	}
	var decisions []decision
	decode(t, out, &decisions)
	if len(decisions) != len(simulations) {
		t.Fatalf("got %d decisions on %d requests", len(decisions), len(simulations))
	}
	return decisions
}

func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}
