package guardrails

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The rules on plans, beside those on exposure.
const (
	DataKept = "data-kept" // what holds data is not destroyed
	NotAnew  = "not-anew"  // nothing is made anew that loses something by it
	Fresh    = "fresh"     // an option names something in the plan
)

// PlanOptions configures CheckPlan.
type PlanOptions struct {
	DestroyData []string // addresses that the plan may destroy or make anew; one that it doesn't is a violation
	DestroyAll  bool     // the plan may destroy all data; what would refuse to go, halfway through, is a violation
	Public      []string // addresses that may be public; one that isn't is a violation
	StackJSON   []byte   // cdk.tf.json of the plan, in which policies are read that a plan doesn't know yet; default: such policies are violations
}

// trap is a type that loses something when it is made anew.
type trap struct {
	kind, attribute string // without an attribute: whatever forces it
	why             string
}

var traps = []trap{
	{"aws_sagemaker_feature_group", "feature_definition", "a changed feature makes the group anew and its records are gone; make a new group beside it"},
	{"aws_kinesis_firehose_delivery_stream", "iceberg_configuration", "a changed destination table makes the stream anew; make a new stream beside it"},
	{"aws_kinesis_firehose_delivery_stream", "", "a new stream starts at the latest record, so what arrives in between is never delivered; make a new stream beside it"},
	{"aws_lambda_event_source_mapping", "", "a new mapping starts anew, so records are read twice or never; change it in place"},
	{"aws_cognito_user_pool_client", "", "a new client has another id and secret, so its integrator is locked out; make a new client beside it"},
	{"aws_lb", "", "a new load balancer has another name in DNS; make it beside the old one"},
}

type plan struct {
	FormatVersion string `json:"format_version"`
	Errored       bool
	Changes       []planChange `json:"resource_changes"`
	Configuration struct {
		Root planModule `json:"root_module"`
	}
}

type planChange struct {
	Address, Mode, Type string
	Change              struct {
		Actions       []string
		Before, After map[string]any
		Unknown       map[string]any `json:"after_unknown"`
		ReplacePaths  [][]any        `json:"replace_paths"`
	}
}

type planModule struct {
	Resources []struct {
		Address     string
		Expressions map[string]any
	}
	Calls map[string]struct{ Module planModule } `json:"module_calls"`
}

// CheckPlan returns all that a plan, as "terraform show -json" prints it, would
// destroy or open to the public, joined.
func CheckPlan(planJSON []byte, o PlanOptions) error {
	violations, err := FindInPlan(planJSON, o)
	if err != nil {
		return err
	}
	errs := make([]error, len(violations))
	for i, v := range violations {
		errs[i] = v
	}
	return errors.Join(errs...)
}

// FindInPlan returns all violations of a plan. Its error is that the plan or
// the stack can't be read.
func FindInPlan(planJSON []byte, o PlanOptions) ([]Violation, error) {
	var p plan
	if err := json.Unmarshal(planJSON, &p); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	switch {
	case !strings.HasPrefix(p.FormatVersion, "1."):
		return nil, fmt.Errorf("decode plan: got format version %q, want 1.x as terraform show -json prints it", p.FormatVersion)
	case p.Errored:
		return nil, errors.New("the plan ended with an error, so it doesn't hold everything; mend that first")
	}
	s := p.stack()
	if o.StackJSON != nil {
		written, err := decode(o.StackJSON)
		if err != nil {
			return nil, err
		}
		s.fill(written)
	}
	destroyed, unusedDestroy := permit(p.destroyed(o.DestroyAll), o.DestroyData)
	exposed, unusedPublic := permit(s.violations(true, exposureRules...), o.Public, Private, Closed)
	found := slices.Concat(destroyed, exposed)
	for _, address := range unusedDestroy {
		found = append(found, Violation{address, address, Fresh, "the plan doesn't destroy it", "take --destroy-data out, or mend the address"})
	}
	for _, address := range unusedPublic {
		found = append(found, Violation{address, address, Fresh, "the plan doesn't make it public", "take --public out, or mend the address"})
	}
	return found, nil
}

// permit takes out the violations of addresses, of some rules if any are
// given, and returns the addresses that have none.
func permit(found []Violation, addresses []string, rules ...string) (left []Violation, unused []string) {
	used := map[string]bool{}
	for _, v := range found {
		if slices.Contains(addresses, v.Address) && (len(rules) == 0 || slices.Contains(rules, v.Rule)) {
			used[v.Address] = true
			continue
		}
		left = append(left, v)
	}
	for _, address := range addresses {
		if !used[address] {
			unused = append(unused, address)
		}
	}
	return left, unused
}

// destroyed finds what the plan destroys that holds data, and what it makes
// anew that loses something by it. With all, what is destroyed for good may go,
// if AWS lets it.
func (p plan) destroyed(all bool) (found []Violation) {
	for _, c := range p.Changes {
		if c.Mode != "managed" || !slices.Contains(c.Change.Actions, "delete") {
			continue
		}
		anew := slices.Contains(c.Change.Actions, "create")
		if all && !anew {
			if lock := c.locked(); lock != "" {
				found = append(found, Violation{c.Address, c.Address, DataKept, "it refuses to be destroyed: it was applied with " + lock, "set Protect to false and DeleteData to true, deploy, and destroy then"})
			}
			continue
		}
		verb := "destroys"
		if anew {
			verb = "makes anew"
		}
		if because := c.forcedBy(); because != "" {
			verb += ", because of " + because + ","
		}
		i := slices.IndexFunc(traps, func(t trap) bool { return anew && t.kind == c.Type && c.forces(t.attribute) })
		switch {
		case i >= 0:
			problem, mend, _ := strings.Cut(traps[i].why, "; ")
			found = append(found, Violation{c.Address, c.Address, NotAnew, fmt.Sprintf("the plan %s it: %s", verb, problem), mend + ", or name it with --destroy-data"})
		case stateful(&resource{kind: c.Type, body: c.Change.Before}):
			found = append(found, Violation{c.Address, c.Address, DataKept, fmt.Sprintf("the plan %s what holds data", verb), "move it with a moved block, or name it with --destroy-data"})
		}
	}
	return found
}

// locks are attributes by which AWS or the provider refuses to destroy a
// resource that has been applied with them.
var locks = []struct {
	attribute string
	value     any
}{
	{"force_destroy", false}, {"force_delete", false},
	{"deletion_protection", true}, {"deletion_protection", "ACTIVE"},
	{"deletion_protection_enabled", true}, {"enable_deletion_protection", true}, {"termination_protection_enabled", true},
}

func (c planChange) locked() string {
	for _, l := range locks {
		if c.Change.Before[l.attribute] == l.value {
			return fmt.Sprintf("%s = %v", l.attribute, l.value)
		}
	}
	return ""
}

func (c planChange) forces(attribute string) bool {
	return attribute == "" || slices.ContainsFunc(c.Change.ReplacePaths, func(path []any) bool { return len(path) > 0 && path[0] == attribute })
}

func (c planChange) forcedBy() string {
	var names []string
	for _, path := range c.Change.ReplacePaths {
		var parts []string
		for _, part := range path {
			parts = append(parts, fmt.Sprint(part))
		}
		names = append(names, strings.Join(parts, "."))
	}
	return strings.Join(names, " and ")
}

// stack returns what a plan leaves behind as rules look at it.
func (p plan) stack() *stack {
	written := map[string]map[string]any{}
	p.Configuration.Root.collect("", written)
	s := &stack{}
	for _, c := range p.Changes {
		if c.Mode != "managed" || c.Change.After == nil {
			continue
		}
		expressions, known := written[indexless(c.Address)]
		r := &resource{kind: c.Type, name: c.Address, path: c.Address, referred: map[string][]string{}}
		module, _, _ := strings.Cut(indexless(c.Address), c.Type+".")
		refer(expressions, "", func(path, address string) { r.referred[path] = append(r.referred[path], module+address) })
		if !known {
			expressions = c.Change.Unknown // then everything counts as written
		}
		r.body, _ = join(c.Change.After, c.Change.Unknown, expressions).(map[string]any)
		s.resources = append(s.resources, r)
	}
	s.index()
	for _, r := range s.resources {
		s.byAddress[indexless(r.name)] = r
	}
	return s
}

func (m planModule) collect(prefix string, expressions map[string]map[string]any) {
	for _, r := range m.Resources {
		expressions[prefix+r.Address] = r.Expressions
	}
	for name, call := range m.Calls {
		call.Module.collect(prefix+"module."+name+".", expressions)
	}
}

var (
	instance        = regexp.MustCompile(`\[[^\]]*\]`)
	resourceAddress = regexp.MustCompile(`^aws_[a-z0-9_]+\.[A-Za-z0-9_-]+`)
)

func indexless(address string) string { return instance.ReplaceAllString(address, "") }

// refer calls visit with the resources that the expressions of a resource name.
func refer(expressions any, path string, visit func(path, address string)) {
	switch e := expressions.(type) {
	case map[string]any:
		if names, is := e["references"].([]any); is {
			var seen []string
			for _, name := range names {
				if address := resourceAddress.FindString(fmt.Sprint(name)); address != "" && !slices.Contains(seen, address) {
					seen = append(seen, address)
					visit(path, address)
				}
			}
			return
		}
		for key, child := range e {
			refer(child, strings.TrimPrefix(path+"."+key, "."), visit)
		}
	case []any:
		for _, child := range e {
			refer(child, path, visit)
		}
	}
}

// unknown stands for a value that is written and not known before the apply.
// No rule takes it for one that is in order.
const unknown = "${unknown until apply}"

// join joins what a plan knows with a mark where it knows nothing yet.
// What isn't written is the provider's own and stays out.
func join(after, unknowns, written any) any {
	switch u := unknowns.(type) {
	case bool:
		if u && written != nil {
			return unknown
		}
	case map[string]any:
		body, _ := after.(map[string]any)
		body = maps.Clone(body)
		if body == nil {
			body = map[string]any{}
		}
		for name, child := range u {
			expression := written
			if w, is := written.(map[string]any); is && w["references"] == nil {
				expression = w[name]
			}
			if v := join(body[name], child, expression); v != nil {
				body[name] = v
			}
		}
		return body
	case []any:
		list, _ := after.([]any)
		list = slices.Clone(list)
		for i, child := range u {
			expression := written
			if w, is := written.([]any); is && i < len(w) {
				expression = w[i]
			}
			if i < len(list) {
				list[i] = join(list[i], child, expression)
			}
		}
		return list
	}
	return after
}

// fill puts the policies that a plan doesn't know yet in as the stack writes
// them, where both name the same resources.
func (s *stack) fill(written *stack) {
	for _, r := range s.resources {
		source := written.byAddress[indexless(r.name)]
		if source == nil {
			continue
		}
		for name, v := range r.body {
			text := source.text(name)
			if v != unknown || !policyAttribute.MatchString(name) || text == "" {
				continue
			}
			named := slices.Sorted(slices.Values(references(text)))
			if slices.Equal(slices.Compact(named), slices.Sorted(slices.Values(r.referred[name]))) {
				r.body[name] = text
			}
		}
	}
}
