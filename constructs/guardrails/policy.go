package guardrails

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// list is what IAM writes as one text or as a list.
type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	walk(v, "", func(_ string, leaf any) { *l = append(*l, fmt.Sprint(leaf)) })
	return nil
}

// statements are one or several.
type statements []statement

func (s *statements) UnmarshalJSON(b []byte) error {
	if strings.HasPrefix(strings.TrimSpace(string(b)), "{") {
		*s = make(statements, 1)
		return json.Unmarshal(b, &(*s)[0])
	}
	return json.Unmarshal(b, (*[]statement)(s))
}

type statement struct {
	Sid, Effect             string
	Principal, NotPrincipal any
	Action, NotAction       list
	Resource, NotResource   list
	Condition               map[string]map[string]list
}

func (st statement) allows() bool { return strings.EqualFold(st.Effect, "Allow") }

// principals returns a statement's as KIND:VALUE; whoever it may be is AWS:*.
func (st statement) principals() (found []string) {
	if st.Principal == "*" {
		return []string{"AWS:*"}
	}
	walk(st.Principal, "", func(kind string, leaf any) { found = append(found, kind+":"+fmt.Sprint(leaf)) })
	return found
}

// The kinds of policies.
const (
	identityPolicy = "identity" // what a role may do
	trustPolicy    = "trust"    // who becomes a role
	resourcePolicy = "resource" // who may do what with a resource
	keyPolicy      = "key"
	endpointPolicy = "endpoint" // what passes a VPC endpoint
	boundaryPolicy = "boundary" // the most that roles may ever do; grants nothing
)

// document is a policy in an attribute.
type document struct {
	r          *resource
	attribute  string
	kind       string
	statements []statement
}

// notIAM are attributes that are named like policies and aren't IAM's.
var notIAM = map[string]bool{
	"aws_ecr_lifecycle_policy.policy":                           true,
	"aws_cloudwatch_log_data_protection_policy.policy_document": true,
	"aws_appautoscaling_policy.policy":                          true,
	"aws_organizations_policy.content":                          true,
}

var policyAttribute = regexp.MustCompile(`^(policy|assume_role_policy|access_policy|policy_document|resource_policy|policy_json)$`)

// documents returns the policies of a stack, wherever they stand, and the
// attributes that should hold one and hold nothing that can be read.
func (s *stack) documents() ([]document, []finding) {
	if s.policies == nil {
		s.policies, s.unreadable = s.readPolicies()
	}
	return s.policies, s.unreadable
}

func (s *stack) readPolicies() (found []document, unreadable []finding) {
	for _, r := range s.resources {
		r.walk(func(path string, leaf any) {
			text, ok := leaf.(string)
			if !ok || notIAM[r.kind+"."+path] {
				return
			}
			statements, err := parsePolicy(text)
			switch {
			case err == nil && statements != nil:
				found = append(found, document{r, path, s.policyKind(r, path), statements})
			case text == unknown && policyAttribute.MatchString(lastPart(path)):
				unreadable = append(unreadable, finding{r, path + " is unknown until apply, so nobody has looked at it", "hand over the stack that was planned with --stack: it is read in there"})
			case policyAttribute.MatchString(lastPart(path)) && text != "":
				unreadable = append(unreadable, finding{r, path + " can't be read: " + shown(text), "write it as JSON at synth, not as a data source or an expression"})
			}
		})
	}
	return found, unreadable
}

func unreadablePolicies(s *stack) []finding {
	_, found := s.documents()
	unreadable := slices.Clone(found)
	for _, r := range s.of("aws_iam_role_policy_attachment", "aws_iam_user_policy_attachment", "aws_iam_group_policy_attachment", "aws_iam_policy_attachment") {
		unreadable = append(unreadable, s.unreadableAttachment(r, "policy_arn")...)
	}
	for _, r := range s.of("aws_iam_role") {
		unreadable = append(unreadable, s.unreadableAttachment(r, "managed_policy_arns?")...)
	}
	return unreadable
}

// unreadableAttachment finds policies that are attached from elsewhere.
func (s *stack) unreadableAttachment(r *resource, path string) (found []finding) {
	for _, v := range values(r.body, path) {
		text := fmt.Sprint(v)
		if _, listed := managedPolicies[text]; !listed && !refersTo("aws_iam_policy").holds(s, v) {
			found = append(found, finding{r, shown(v) + " stands in no stack, so nobody looks at it", "grant what is needed, or add it with its reason to the managed policies in wildcards.go"})
		}
	}
	return found
}

var statementKey = regexp.MustCompile(`(?i)"Statement"\s*:`)

// parsePolicy reads a policy; nil statements are a text that is none.
func parsePolicy(text string) ([]statement, error) {
	text = quoteless(text)
	if !strings.HasPrefix(strings.TrimSpace(text), "{") || !statementKey.MatchString(text) {
		return nil, nil
	}
	var policy struct{ Statement statements }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, err
	}
	if policy.Statement == nil {
		return []statement{}, nil
	}
	return policy.Statement, nil
}

// quoteless takes the quotes out of tokens: Terraform evaluates those before
// anybody reads the JSON around them.
func quoteless(text string) string {
	for _, expression := range tokens(text) {
		if strings.ContainsAny(expression, `"\`) {
			text = strings.Replace(text, "${"+expression+"}", "${"+strings.NewReplacer(`"`, "'", `\`, "").Replace(expression)+"}", 1)
		}
	}
	return text
}

func (s *stack) policyKind(r *resource, path string) string {
	switch {
	case path == "assume_role_policy":
		return trustPolicy
	case r.kind == "aws_kms_key" || r.kind == "aws_kms_replica_key" || r.kind == "aws_kms_external_key" || r.kind == "aws_kms_key_policy":
		return keyPolicy
	case r.kind == "aws_vpc_endpoint" || r.kind == "aws_vpc_endpoint_policy":
		return endpointPolicy
	case r.kind == "aws_iam_policy" && s.isBoundary(r):
		return boundaryPolicy
	case strings.HasPrefix(r.kind, "aws_iam_") || r.kind == "aws_ssoadmin_permission_set_inline_policy":
		return identityPolicy
	}
	return resourcePolicy
}

// isBoundary reports whether a policy bounds roles and is attached to none.
func (s *stack) isBoundary(policy *resource) bool {
	bounds := false
	for _, r := range s.resources {
		bounds = bounds || slices.Contains(s.refs(r, "permissions_boundary?"), policy)
		if slices.Contains(s.refs(r, "policy_arn?"), policy) || slices.Contains(s.refs(r, "managed_policy_arns?"), policy) {
			return false
		}
	}
	return bounds
}

// eachAllowed calls visit with every statement that allows something, in
// policies of some kinds.
func (s *stack) eachAllowed(visit func(d document, name string, st statement), kinds ...string) {
	documents, _ := s.documents()
	for _, d := range documents {
		for i, st := range d.statements {
			if st.allows() && slices.Contains(kinds, d.kind) {
				visit(d, fmt.Sprintf("statement %d of %s", i+1, d.attribute), st)
			}
		}
	}
}

func wildActions(s *stack) (found []finding) {
	s.eachAllowed(func(d document, name string, st statement) {
		if len(st.NotAction) > 0 {
			found = append(found, finding{d.r, name + " allows all but some actions", "name what it allows"})
		}
		for _, action := range st.Action {
			if !strings.ContainsAny(action, "*?") || d.kind == keyPolicy && s.ownAccount(st) {
				continue
			}
			if _, listed := actionPatterns[action]; !listed {
				found = append(found, finding{d.r, fmt.Sprintf("%s allows %s", name, action), "name the actions"})
			}
		}
	}, identityPolicy, resourcePolicy, keyPolicy, trustPolicy)
	return found
}

// ownAccount reports whether a statement leaves the decision to the account's
// own policies: without one in a key's policy nobody could change it again.
func (s *stack) ownAccount(st statement) bool {
	principals := st.principals()
	return len(principals) == 1 && accountRoot.MatchString(principals[0]) &&
		(s.account == "" || strings.Contains(principals[0], ":"+s.account+":"))
}

var accountRoot = regexp.MustCompile(`^AWS:arn:aws[a-z-]*:iam::[0-9]{12}:root$`)

func wildResources(s *stack) (found []finding) {
	s.eachAllowed(func(d document, name string, st statement) {
		if len(st.NotResource) > 0 {
			found = append(found, finding{d.r, name + " allows all but some resources", "name what it allows"})
		}
		for _, resource := range st.Resource {
			if !wholeType(resource) {
				continue
			}
			for _, action := range st.Action {
				_, wide := typewide[action]
				if _, listed := resourceless[action]; !listed && (!wide || strings.Trim(resource, "*?") == "") {
					found = append(found, finding{d.r, fmt.Sprintf("%s allows %s on %s", name, action, resource), "name the resource; an action that knows none is listed in wildcards.go"})
				}
			}
		}
	}, identityPolicy)
	return found
}

// wholeType reports whether an ARN means everything, or all of one type.
func wholeType(arn string) bool {
	if strings.Trim(arn, "*?") == "" {
		return true
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return strings.HasPrefix(arn, "*") || strings.HasPrefix(arn, "arn:*")
	}
	kind, rest, typed := strings.Cut(strings.ReplaceAll(parts[5], ":", "/"), "/")
	if strings.ContainsAny(parts[2], "*?") || strings.Trim(kind, "*?") == "" {
		return true
	}
	ownNames := parts[2] == "s3" || parts[2] == "execute-api" // here the first part is a name, not a type
	return typed && !ownNames && strings.Trim(rest, "*?/") == ""
}
