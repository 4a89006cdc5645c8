// Package synth synthesizes constructs for tests and decodes the Terraform
// JSON into the caller's own structs.
package synth

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// Section is one block of a synthesized stack, by type and then by name.
type Section map[string]map[string]json.RawMessage

// Template is a synthesized stack.
type Template struct {
	Resource  Section
	Provider  map[string][]json.RawMessage
	Terraform json.RawMessage
	Variable  map[string]json.RawMessage
	Output    map[string]json.RawMessage
}

// Stack synthesizes what build adds to an empty stack. Every synth in a test
// binary shares one Node process: such tests must not run in parallel.
func Stack(t *testing.T, build func(cdktf.TerraformStack) error) Template {
	t.Helper()
	stack := cdktf.NewTerraformStack(cdktf.Testing_App(nil), jsii.String("test"))
	provider.NewAwsProvider(stack, jsii.String("aws"), &provider.AwsProviderConfig{Region: jsii.String("eu-west-1")})
	if err := build(stack); err != nil {
		t.Fatal(err)
	}
	return Decode(t, stack)
}

// Decode synthesizes a stack.
func Decode(t *testing.T, stack cdktf.TerraformStack) Template {
	t.Helper()
	var template Template
	if err := json.Unmarshal([]byte(*cdktf.Testing_Synth(stack, jsii.Bool(true))), &template); err != nil {
		t.Fatalf("decode synthesized stack: %v", err)
	}
	return template
}

var hash = regexp.MustCompile(`_[0-9A-F]{8}$`)

// Get decodes the block of kind whose name, less cdktf's hash, is name.
func Get[T any](t *testing.T, s Section, kind, name string) T {
	t.Helper()
	for full, raw := range s[kind] {
		if hash.ReplaceAllString(full, "") != name {
			continue
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("decode %s.%s: %v", kind, name, err)
		}
		return v
	}
	t.Fatalf("no %s.%s among %v", kind, name, s[kind])
	panic("unreachable")
}

// Grant is what a policy allows on one resource.
type Grant struct {
	Actions  []string
	Resource string // less cdktf's hashes
}

// Grants decodes the policy of the role whose policy is named name.
func Grants(t *testing.T, s Section, name string) []Grant {
	t.Helper()
	role := Get[struct{ Policy string }](t, s, "aws_iam_role_policy", name)
	var policy struct {
		Statement []struct {
			Effect   string
			Action   []string
			Resource string
		}
	}
	if err := json.Unmarshal([]byte(role.Policy), &policy); err != nil {
		t.Fatalf("decode policy %s: %v", name, err)
	}
	grants := make([]Grant, len(policy.Statement))
	for i, statement := range policy.Statement {
		if statement.Effect != "Allow" {
			t.Fatalf("policy %s: got effect %q, want Allow: grants are its only writer", name, statement.Effect)
		}
		grants[i] = Grant{statement.Action, hashes.ReplaceAllString(statement.Resource, "$1")}
	}
	return grants
}

var hashes = regexp.MustCompile(`_[0-9A-F]{8}(\.)`)
