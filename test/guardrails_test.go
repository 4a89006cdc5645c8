package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/guardrails"
	"github.com/shopstream/shopstream/stacks"
)

// synthesized is env's stack as the program writes it, with the constructs' paths.
func synthesized(t *testing.T, env stacks.Environment) []byte {
	t.Helper()
	b, err := json.Marshal(newStack(t, env).ToTerraform())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryStackPassesTheGuardrails(t *testing.T) {
	for _, env := range append(slices.Clone(environments), everything, stacks.LocalWide) {
		t.Run(env.Name, func(t *testing.T) {
			if err := guardrails.Check(synthesized(t, env), guardrails.Options{Protect: env.Protect, Exceptions: guardrails.Exceptions}); err != nil {
				t.Error(err)
			}
		})
	}
}

// everyStack are the stacks of all environments and kinds of accounts.
func everyStack(t *testing.T) (all [][]byte) {
	t.Helper()
	for _, env := range append(slices.Clone(environments), everything) {
		all = append(all, synthesized(t, env))
	}
	for _, account := range []stacks.AccountSettings{wholeAccount, stacks.ProdAccount} {
		_, bootstrap := bootstrapStack(t, account)
		all = append(all, bootstrap)
	}
	_, singletons := singletonStack(t, wholeAccount)
	return append(all, singletons)
}

func TestTheGuardrailsExcuseNothingThatNoStackNeeds(t *testing.T) {
	all := everyStack(t)
	unused, err := guardrails.Unused(guardrails.Exceptions, all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range unused {
		t.Errorf("no stack has %s break %s: take the exception out", e.Path, e.Rule)
	}
	wildcards, err := guardrails.UnusedWildcards(all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, wildcard := range wildcards {
		t.Errorf("no policy of any stack needs %s: take it out of wildcards.go", wildcard)
	}
}

// schemaBlock is a block in the schema of a provider.
type schemaBlock struct {
	Attributes map[string]struct {
		Type   json.RawMessage
		Nested *schemaBlock `json:"nested_type"`
	}
	Blocks map[string]struct{ Block schemaBlock } `json:"block_types"`
}

// has reports whether a path of attributes leads to something.
func (b schemaBlock) has(path string) bool {
	name, rest, more := strings.Cut(path, ".")
	if block, is := b.Blocks[name]; is {
		return !more || block.Block.has(rest)
	}
	attribute, is := b.Attributes[name]
	if !is || !more {
		return is
	}
	return attribute.Nested != nil && attribute.Nested.has(rest) || strings.Contains(string(attribute.Type), `"`+rest+`"`) // of an object
}

// encrypts reports whether an attribute in a block is about encryption.
func (b schemaBlock) encrypts() bool {
	for name, attribute := range b.Attributes {
		if encryption.MatchString(name) || attribute.Nested != nil && attribute.Nested.encrypts() {
			return true
		}
	}
	for name, block := range b.Blocks {
		if encryption.MatchString(name) || block.Block.encrypts() {
			return true
		}
	}
	return false
}

var encryption = regexp.MustCompile(`kms|encrypt|cmk|(^|_)sse(_|$)`)

func TestTheGuardrailsKnowTheProvider(t *testing.T) {
	needTerraform(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf.json"),
		[]byte(`{"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": "~> 5.99"}}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	terraform(t, dir, "init", "-input=false", "-no-color")
	var schemas struct {
		Providers map[string]struct {
			Resources map[string]struct{ Block schemaBlock } `json:"resource_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal([]byte(terraform(t, dir, "providers", "schema", "-json")), &schemas); err != nil {
		t.Fatal(err)
	}
	resources := schemas.Providers["registry.terraform.io/hashicorp/aws"].Resources
	if len(resources) < 1000 {
		t.Fatalf("got %d types of the provider, want more than 1000", len(resources))
	}
	known := guardrails.Attributes()
	t.Run("and look at attributes that it has", func(t *testing.T) {
		for kind, paths := range known {
			resource, is := resources[kind]
			if !is {
				t.Errorf("the provider has no %s", kind)
			}
			for _, path := range paths {
				if !resource.Block.has(path) {
					t.Errorf("%s has no %s", kind, path)
				}
			}
		}
	})
	t.Run("and let no type that it can encrypt pass unlooked-at", func(t *testing.T) {
		for kind, resource := range resources {
			if _, is := known[kind]; is || !resource.Block.encrypts() {
				continue
			}
			violations, err := guardrails.Find([]byte(`{"resource": {"`+kind+`": {"x": {}}}}`), guardrails.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(violations, func(v guardrails.Violation) bool { return v.Rule == guardrails.TypeKnown }) {
				t.Errorf("%s passes: add it to encryptable.txt", kind)
			}
		}
	})
}
