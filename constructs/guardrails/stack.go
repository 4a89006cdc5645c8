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

// stack is what a rule looks at.
type stack struct {
	name      string
	account   string // empty where it is not text
	region    string
	providers []*resource // of AWS
	variables map[string]variable
	resources []*resource
	moved     map[string]string // by the address that it was
	byAddress map[string]*resource
	byKind    map[string][]*resource

	policies   []document // read once
	unreadable []finding
	named      map[reference][]*resource // looked up once
}

// reference is an attribute that may name resources.
type reference struct {
	r    *resource
	path string
}

type variable struct {
	Sensitive bool
	Default   any
}

type resource struct {
	kind, name string
	path       string // the construct's
	body       map[string]any
	referred   map[string][]string // in a plan: addresses by the attribute that names them
	leaves     []leaf              // of body; walked once
}

type leaf struct {
	path  string
	value any
}

func (r *resource) address() string {
	if strings.Contains(r.name, ".") {
		return r.name // whole, in a plan
	}
	return r.kind + "." + r.name
}

// decode reads cdk.tf.json.
func decode(stackJSON []byte) (*stack, error) {
	var raw struct {
		Comment struct {
			Metadata struct{ StackName string }
		} `json:"//"`
		Provider map[string]any
		Resource map[string]map[string]map[string]any
		Variable map[string]variable
		Moved    any
	}
	if err := json.Unmarshal(stackJSON, &raw); err != nil {
		return nil, fmt.Errorf("decode stack: %w", err)
	}
	if len(raw.Resource) == 0 && len(raw.Provider) == 0 {
		return nil, errors.New("decode stack: it has neither resources nor providers, so it isn't a stack's cdk.tf.json")
	}
	s := &stack{name: raw.Comment.Metadata.StackName, variables: raw.Variable, moved: map[string]string{}}
	for i, body := range blocks(raw.Provider["aws"]) {
		path := s.name + "/provider/aws"
		if alias, ok := body["alias"].(string); ok {
			path += "." + alias
		} else {
			s.region, _ = body["region"].(string)
			s.account, _ = first(body, "allowed_account_ids").(string)
		}
		s.providers = append(s.providers, &resource{kind: "provider.aws", name: fmt.Sprint(i), path: path, body: body})
	}
	for kind, byName := range raw.Resource {
		for name, body := range byName {
			path, ok := first(body, "//.metadata.path").(string)
			if !ok {
				path = kind + "." + name
			}
			s.resources = append(s.resources, &resource{kind: kind, name: name, path: path, body: undynamic(body)})
		}
	}
	for _, block := range blocks(raw.Moved) {
		s.moved[fmt.Sprint(block["from"])] = fmt.Sprint(block["to"])
	}
	s.index()
	return s, nil
}

func (s *stack) index() {
	slices.SortFunc(s.resources, func(a, b *resource) int { return strings.Compare(a.address(), b.address()) })
	s.byAddress, s.byKind = make(map[string]*resource, len(s.resources)), map[string][]*resource{}
	s.named = map[reference][]*resource{}
	for _, r := range s.resources {
		s.byKind[r.kind] = append(s.byKind[r.kind], r)
		s.byAddress[r.address()] = r
	}
}

// of returns the resources of some types.
func (s *stack) of(kinds ...string) (found []*resource) {
	for _, kind := range kinds {
		found = append(found, s.byKind[kind]...)
	}
	return found
}

// undynamic turns dynamic blocks into the blocks that they make.
func undynamic(body map[string]any) map[string]any {
	dynamic, ok := body["dynamic"].(map[string]any)
	if !ok {
		return body
	}
	whole := maps.Clone(body)
	for name, block := range dynamic {
		for _, b := range blocks(block) {
			whole[name] = append(blocksAny(whole[name]), b["content"])
		}
	}
	return whole
}

func blocksAny(v any) (all []any) {
	for _, block := range blocks(v) {
		all = append(all, block)
	}
	return all
}

// blocks returns what Terraform JSON writes as one block or as a list of them.
func blocks(v any) (found []map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		return []map[string]any{v}
	case []any:
		for _, element := range v {
			found = append(found, blocks(element)...)
		}
	}
	return found
}

// values returns what lies at a path of attributes, through every list on the
// way. What is missing is a nil, unless its part of the path ends with "?".
func values(v any, path string) []any {
	if list, ok := v.([]any); ok {
		var found []any
		for _, element := range list {
			found = append(found, values(element, path)...)
		}
		return found
	}
	if path == "" {
		return []any{v}
	}
	part, rest, _ := strings.Cut(path, ".")
	part, optional := strings.CutSuffix(part, "?")
	body, _ := v.(map[string]any)
	child, there := body[part]
	if list, ok := child.([]any); ok && len(list) == 0 || child == nil {
		there = false
	}
	switch {
	case there:
		return values(child, rest)
	case optional:
		return nil
	}
	return []any{nil}
}

// first returns the first value at path, or nil.
func first(v any, path string) any {
	if found := values(v, path); len(found) > 0 {
		return found[0]
	}
	return nil
}

// text returns the first value at path if it is text.
func (r *resource) text(path string) string {
	s, _ := first(r.body, path).(string)
	return s
}

func truth(v any) bool { return v == true || v == "true" }

// token is a reference of Terraform's to a resource.
var token = regexp.MustCompile(`(data\.)?\b(aws_[a-z0-9_]+\.[A-Za-z_][A-Za-z0-9_-]*)`)

// references returns the addresses of resources that v names in tokens.
func references(v any) (addresses []string) {
	walk(v, "", func(_ string, leaf any) {
		s, _ := leaf.(string)
		for _, expression := range tokens(s) {
			for _, match := range token.FindAllStringSubmatch(expression, -1) {
				if match[1] == "" {
					addresses = append(addresses, match[2])
				}
			}
		}
	})
	return addresses
}

// refs returns the resources of the stack that the attribute at path names.
func (s *stack) refs(r *resource, path string) []*resource {
	found, known := s.named[reference{r, path}]
	if known {
		return found
	}
	addresses := slices.Clone(r.referred[strings.ReplaceAll(path, "?", "")])
	for _, v := range values(r.body, path) {
		addresses = append(addresses, references(v)...)
	}
	for _, address := range addresses {
		if target := s.byAddress[address]; target != nil && !slices.Contains(found, target) {
			found = append(found, target)
		}
	}
	s.named[reference{r, path}] = found
	return found
}

// lastPart is the name of the attribute at path.
func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// tokens returns the expressions in ${…} of a text.
func tokens(s string) (found []string) {
	for {
		_, rest, there := strings.Cut(s, "${")
		if !there {
			return found
		}
		depth, end := 1, len(rest)
		for i := 0; i < len(rest); i++ {
			if rest[i] == '{' {
				depth++
			} else if rest[i] == '}' {
				depth--
			}
			if depth == 0 {
				end = i
				break
			}
		}
		found = append(found, rest[:end])
		s = rest[min(end+1, len(rest)):]
	}
}

// isToken reports whether a text is one token and nothing else.
func isToken(s string) bool {
	found := tokens(s)
	return len(found) == 1 && s == "${"+found[0]+"}"
}

// walk visits every leaf of a resource's body, which no rule changes.
func (r *resource) walk(visit func(path string, leaf any)) {
	if r.leaves == nil {
		r.leaves = []leaf{}
		walk(r.body, "", func(path string, value any) { r.leaves = append(r.leaves, leaf{path, value}) })
	}
	for _, l := range r.leaves {
		visit(l.path, l.value)
	}
}

// walk visits every leaf of a value with its path, keys sorted.
func walk(v any, path string, visit func(path string, leaf any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key != "//" {
				walk(v[key], strings.TrimPrefix(path+"."+key, "."), visit)
			}
		}
	case []any:
		for _, element := range v {
			walk(element, path, visit)
		}
	default:
		visit(path, v)
	}
}
