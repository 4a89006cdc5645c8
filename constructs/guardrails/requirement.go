package guardrails

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// requirement is what a rule asks of an attribute of a type.
type requirement struct {
	rule string
	path string // through blocks by dots; a part that ends with "?" may be missing
	want want
}

// want is what an attribute must be.
type want struct {
	says  string
	holds func(s *stack, v any) bool // v is nil where it is missing
}

var (
	on  = want{"true", func(_ *stack, v any) bool { return truth(v) }}
	off = want{"false", func(_ *stack, v any) bool { return v == false || v == "false" }}

	customerKey = want{"an aws_kms_key of this stack", func(s *stack, v any) bool { return s.key(v) != nil }}
	present     = want{"a value", func(_ *stack, v any) bool { return v != nil && v != "" }}
)

func is(allowed ...string) want {
	return want{strings.Join(allowed, " or "), func(_ *stack, v any) bool {
		text, ok := v.(string)
		return ok && slices.Contains(allowed, text)
	}}
}

func atLeast(least float64) want {
	return want{fmt.Sprintf("at least %v", least), func(_ *stack, v any) bool {
		n, ok := v.(float64)
		return ok && n >= least
	}}
}

func like(says, pattern string) want {
	expression := regexp.MustCompile(pattern)
	return want{says, func(_ *stack, v any) bool {
		text, ok := v.(string)
		return ok && expression.MatchString(text)
	}}
}

// refersTo asks for a reference to a resource of this stack.
func refersTo(kind string) want {
	return want{"an " + kind + " of this stack", func(s *stack, v any) bool {
		return slices.ContainsFunc(references(v), func(address string) bool {
			return strings.HasPrefix(address, kind+".") && s.byAddress[address] != nil
		})
	}}
}

var keyToken = regexp.MustCompile(`^\$\{(aws_kms_(?:key|replica_key|external_key|alias)\.[A-Za-z0-9_-]+)(?:\[[^\]]*\])?\.(?:arn|id|key_id|target_key_arn|name)\}$`)

// key returns the KMS key of this stack that a value names. AWS's own keys,
// such as alias/aws/sqs, are none: nobody can take them away from a reader.
func (s *stack) key(v any) *resource {
	text, _ := v.(string)
	match := keyToken.FindStringSubmatch(text)
	if match == nil {
		return nil
	}
	key := s.byAddress[match[1]]
	if key != nil && key.kind == "aws_kms_alias" {
		return s.key(key.body["target_key_id"])
	}
	return key
}

// requirementsOf returns what the table asks of a resource, and whether the
// table knows its type.
func requirementsOf(r *resource) (found []requirement, known bool) {
	for _, t := range byKind[r.kind] {
		known = true
		if t.condition == "" || t.applies(r) {
			found = append(found, t.requirements...)
		}
	}
	return found, known
}

// typeLine is a line of the table: a type, perhaps only where a condition
// holds, such as aws_ssm_parameter[type=SecureString].
type typeLine struct {
	condition    string
	requirements []requirement
}

func (t typeLine) applies(r *resource) bool {
	path, value, equals := strings.Cut(t.condition, "=")
	path, absent := strings.CutPrefix(path, "!")
	got := first(r.body, path)
	if equals {
		return fmt.Sprint(got) == value
	}
	return (got == nil) == absent
}

var byKind = func() map[string][]typeLine {
	index := map[string][]typeLine{}
	for head, requirements := range types {
		kind, condition, _ := strings.Cut(strings.TrimSuffix(head, "]"), "[")
		index[kind] = append(index[kind], typeLine{condition, requirements})
	}
	return index
}()

// unmet finds the resources that lack what the tables ask in rule's name.
func (s *stack) unmet(rule string) (found []finding) {
	for _, r := range s.resources {
		requirements, _ := requirementsOf(r)
		for _, q := range requirements {
			if q.rule != rule || rule == Encrypted && s.takesAccessLogs(r) {
				continue
			}
			for _, v := range values(r.body, q.path) {
				if !q.want.holds(s, v) {
					name := strings.ReplaceAll(q.path, "?", "")
					found = append(found, finding{r, name + " is " + shown(v), "set it to " + q.want.says})
				}
			}
		}
		for _, c := range companions {
			if c.rule == rule && c.kind == r.kind && len(s.companionsOf(r, c)) == 0 {
				found = append(found, finding{r, "it has no " + c.companion, "add one whose " + c.attribute + " is it"})
			}
		}
	}
	return found
}

// companionsOf returns the resources that c asks for beside r.
func (s *stack) companionsOf(r *resource, c companion) (found []*resource) {
	for _, other := range s.of(c.companion) {
		if slices.Contains(s.refs(other, c.attribute), r) || r.text(c.named) != "" && other.text(c.attribute) == r.text(c.named) {
			found = append(found, other)
		}
	}
	return found
}

func shown(v any) string {
	if v == nil {
		return "missing"
	}
	text := fmt.Sprint(v)
	if len(text) > 80 {
		text = text[:77] + "..."
	}
	return text
}

// encryptable are the types of provider 5.99 that have an attribute whose name
// holds kms, cmk, encrypt or sse: those that can hold data. A test holds the
// list to the provider's schema.
//
//go:embed encryptable.txt
var encryptableList string

var encryptable = func() map[string]bool {
	set := map[string]bool{}
	for kind := range strings.FieldsSeq(encryptableList) {
		set[kind] = true
	}
	return set
}()

var keyAttribute = regexp.MustCompile(`(^|_)(kms|cmk|sse)(_|$)|encrypt`)

// unknownTypes finds what could hold data and would pass unlooked-at.
func unknownTypes(s *stack) (found []finding) {
	for _, r := range s.resources {
		if _, known := requirementsOf(r); known {
			continue
		}
		attribute := ""
		r.walk(func(path string, _ any) {
			if attribute == "" && keyAttribute.MatchString(path) {
				attribute = path
			}
		})
		if encryptable[r.kind] || attribute != "" {
			found = append(found, finding{r, "the rules don't know the type " + r.kind, "add it to the types of the guardrails"})
		}
	}
	return found
}

// keyNames are the names of attributes that hold a KMS key.
var keyNames = regexp.MustCompile(`^(kms_key|kms_key_id|kms_key_arn|kms_key_identifier|kms_master_key_id|replica_kms_key_id|kms_arn|aws_kms_key_id|encryption_key_arn|customer_encryption_key_arn|[a-z_]*_kms_key_id|s3_kms_key_arn)$`)

// takesAccessLogs reports whether r encrypts a bucket to which S3 or a load
// balancer writes access logs, which they do under S3's own key alone.
func (s *stack) takesAccessLogs(r *resource) bool {
	if r.kind != "aws_s3_bucket_server_side_encryption_configuration" {
		return false
	}
	for _, bucket := range s.of("aws_s3_bucket") {
		if !slices.Contains(s.companionsOf(bucket, companions[0]), r) {
			continue
		}
		for _, logging := range s.of("aws_s3_bucket_logging", "aws_lb", "aws_alb") {
			name := cmp.Or(logging.text("target_bucket"), logging.text("access_logs.bucket"))
			named := slices.Concat(s.refs(logging, "target_bucket?"), s.refs(logging, "access_logs?.bucket"))
			if name != "" && name == bucket.text("bucket") || slices.Contains(named, bucket) {
				return true
			}
		}
	}
	return false
}

// wrongKeys finds keys that aren't the customer's, in attributes of any type.
func wrongKeys(s *stack) (found []finding) {
	for _, r := range s.resources {
		requirements, _ := requirementsOf(r)
		asked := map[string]bool{}
		for _, q := range requirements {
			asked[strings.ReplaceAll(q.path, "?", "")] = true
		}
		if algorithm := "rule.apply_server_side_encryption_by_default.sse_algorithm"; s.takesAccessLogs(r) && r.text(algorithm) != "AES256" {
			found = append(found, finding{r, algorithm + " is " + shown(first(r.body, algorithm)) + ", under which access logs never arrive", "set it to AES256"})
		}
		r.walk(func(path string, leaf any) {
			if keyNames.MatchString(lastPart(path)) && !asked[path] && leaf != nil && leaf != "" && s.key(leaf) == nil {
				found = append(found, finding{r, path + " is " + shown(leaf), "set it to " + customerKey.says})
			}
		})
	}
	return found
}
