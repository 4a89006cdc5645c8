package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/guardrails"
)

// Definition is a stack that a program can write.
type Definition struct {
	Name     string
	Validate func() error                         // all that can be wrong before jsii starts
	Define   func(app constructs.Construct) error // holds the stack to the guardrails too
}

// Definition is the environment's stack.
func (e Environment) Definition() Definition {
	return Definition{
		Name: e.Name,
		Validate: func() error {
			_, missing := FindWorkloads(e)
			return errors.Join(e.Validate(), missing)
		},
		Define: func(app constructs.Construct) error {
			workloads, err := FindWorkloads(e)
			if err != nil {
				return err
			}
			pipeline, err := New(app, e, workloads)
			if err != nil {
				return err
			}
			return pipeline.Check()
		},
	}
}

// Definitions are the account's stacks: bootstrap-NAME, which comes before all
// else, and account-NAME.
func (a AccountSettings) Definitions() []Definition {
	definition := func(name string, define func(constructs.Construct, AccountSettings) (cdktf.TerraformStack, error)) Definition {
		return Definition{Name: name + "-" + a.Name, Validate: a.Validate, Define: func(app constructs.Construct) error {
			stack, err := define(app, a)
			if err != nil {
				return err
			}
			return checkGuardrails(stack, name+"-"+a.Name, a.Protect)
		}}
	}
	return []Definition{definition("bootstrap", NewBootstrap), definition("account", NewAccount)}
}

func checkGuardrails(stack cdktf.TerraformStack, name string, protect bool) error {
	b, err := json.Marshal(stack.ToTerraform())
	if err != nil {
		return fmt.Errorf("stack %q: %w", name, err)
	}
	if err := guardrails.Check(b, guardrails.Options{Protect: protect, Exceptions: guardrails.Exceptions}); err != nil {
		return fmt.Errorf("stack %q breaks guardrails:\n%w", name, err)
	}
	return nil
}

// Select returns the stacks that SHOPSTREAM_STACKS names, all without it, each
// valid. lookup is os.LookupEnv.
func Select(all []Definition, lookup func(string) (string, bool)) ([]Definition, error) {
	names, given := lookup("SHOPSTREAM_STACKS")
	byName := map[string]Definition{}
	var known []string
	for _, d := range all {
		byName[d.Name] = d
		known = append(known, d.Name)
	}
	selected := all
	var errs []error
	if given {
		selected = nil
		for name := range strings.FieldsFuncSeq(names, func(r rune) bool { return r == ',' || r == ' ' }) {
			d, ok := byName[name]
			if !ok {
				errs = append(errs, fmt.Errorf("SHOPSTREAM_STACKS names the unknown stack %q; known are %s", name, strings.Join(known, ", ")))
				continue
			}
			selected = append(selected, d)
		}
	}
	for _, d := range selected {
		errs = append(errs, d.Validate())
	}
	return selected, errors.Join(errs...)
}
