package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/constructs/guardrails"
)

// refused is the exit status for a plan that must not be applied; 1 is for one
// that can't be judged.
const refused = 2

// planGuard is what to judge and what is let through.
type planGuard struct {
	stackFile           string
	destroyData, public []string
	destroyAll          bool
}

func planGuardCommand() *cobra.Command {
	var g planGuard
	cmd := &cobra.Command{
		Use:   "plan-guard PLAN.json",
		Short: "Refuse a plan that destroys data or opens something to the public",
		Long: `Plan-guard reads a plan as JSON, from a file or, for -, from its input:

  terraform plan -out=plan && terraform show -json plan | shopstream plan-guard --stack cdk.tf.json -

It refuses a plan that destroys what holds data or makes it anew, that makes
anew what loses something by it, that opens something to the public, or that
holds a policy which nobody can read yet. It tells all of them at once.

The exit status is 0 for a plan that may be applied, 2 for one that is refused
and 1 for one that can't be judged.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			findings, err := g.judge(args[0], cmd.InOrStdin(), cmd.ErrOrStderr())
			if err == nil && findings > 0 {
				os.Exit(refused)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&g.stackFile, "stack", "", "the stack that was planned, cdktf.out/stacks/NAME/cdk.tf.json: policies that the plan doesn't know yet are read in it")
	cmd.Flags().StringArrayVar(&g.destroyData, "destroy-data", nil, "`ADDRESS` of what the plan may destroy or make anew; repeatable")
	cmd.Flags().BoolVar(&g.destroyAll, "destroy-all", false, "let the plan destroy all data, but for what would refuse halfway through; make destroy sets it once the environment was named")
	cmd.Flags().StringArrayVar(&g.public, "public", nil, "`ADDRESS` of what the plan may open to the public; repeatable")
	return cmd
}

// judge writes what is refused and returns how much that is.
func (g planGuard) judge(planFile string, in io.Reader, out io.Writer) (int, error) {
	plan, err := readPlan(planFile, in)
	if err != nil {
		return 0, err
	}
	options := guardrails.PlanOptions{DestroyData: g.destroyData, DestroyAll: g.destroyAll, Public: g.public}
	if g.stackFile != "" {
		if options.StackJSON, err = os.ReadFile(g.stackFile); err != nil {
			return 0, err
		}
	}
	violations, err := guardrails.FindInPlan(plan, options)
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(violations, func(a, b guardrails.Violation) int { return cmp.Compare(a.Address, b.Address) })
	for _, v := range violations {
		fmt.Fprintf(out, "✗ %s: %s (%s)\n    %s\n", v.Address, v.Problem, v.Rule, v.Mend)
	}
	if len(violations) > 0 {
		fmt.Fprintf(out, "the plan is refused: %d findings\n", len(violations))
	}
	return len(violations), nil
}

func readPlan(file string, in io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(file)
}
