package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/internal/asset"
)

// check looks for something that must be there, and changes nothing.
type check struct {
	name string
	run  func(ctx context.Context) (found string, err error)
	mend string
}

// notChecked is the error of a check that could not look.
type notChecked struct{ reason string }

func (e notChecked) Error() string { return "not checked: " + e.reason }

// machine is what this machine must have.
func machine(root string) []check {
	return []check{
		program("Go", ">=1.26.0", "install it from https://go.dev/dl", "go", "version"),
		program("Node.js", ">=18.0.0", "install Node.js 20 or 22 from https://nodejs.org", "node", "--version"),
		program("Python", ">=3.10.0", "install Python 3.10 or newer from https://python.org", "python3", "--version"),
		program("Terraform", ">=1.11.0", "install it from https://developer.hashicorp.com/terraform/install", "terraform", "version"),
		file("emulated AWS", "run make setup", root, ".venv", "bin", "ministack"),
		file("DuckDB", "run make setup", root, ".venv", "bin", "duckdb"),
		file("the program", "run make build", root, "build", "infrastructure"),
		file("the collector", "run make build", root, "build", "collector"),
		file("the functions", "run make build", root, "build", "functions", string(asset.Host), "preprocess.zip"),
	}
}

// browser is what tests need besides, and nothing else does.
func browser() check {
	return check{"Chromium, for tests", func(context.Context) (string, error) {
		for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
			if path, err := exec.LookPath(name); err == nil {
				return path, nil
			}
		}
		return "", notChecked{"none is installed; on Debian: apt-get install chromium"}
	}, ""}
}

func file(name, mend string, path ...string) check {
	return check{name, func(context.Context) (string, error) {
		if _, err := os.Stat(filepath.Join(path...)); err != nil {
			return "", errors.New("not there")
		}
		return "there", nil
	}, mend}
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// program must print a version that is in a range.
func program(name, versions, mend string, command ...string) check {
	return check{name, func(ctx context.Context) (string, error) {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "GOTOOLCHAIN=local")
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%q fails (%w)", strings.Join(command, " "), err)
		}
		found := versionNumber.FindString(string(out))
		version, err := semver.NewVersion(found)
		if err != nil {
			return "", fmt.Errorf("%q prints no version", strings.Join(command, " "))
		}
		allowed, err := semver.NewConstraint(versions)
		if err != nil {
			panic(err) // the ranges are ours
		}
		if !allowed.Check(version) {
			return "", fmt.Errorf("got %s, need %s", found, versions)
		}
		return found, nil
	}, mend}
}

// try runs a check, but not for ever.
func (c check) try(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return c.run(ctx)
}

// missing are the checks that fail, each with its mend.
func missing(ctx context.Context, checks []check) (errs []error) {
	for _, c := range checks {
		if _, err := c.try(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w; %s", c.name, err, c.mend))
		}
	}
	return errs
}

// examine prints what each check finds. Its error is that some fail; one that
// could not look doesn't.
func examine(ctx context.Context, out io.Writer, checks []check) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	lacking := 0
	for _, c := range checks {
		found, err := c.try(ctx)
		var unknown notChecked
		switch {
		case err == nil:
			fmt.Fprintf(table, "✓\t%s\t%s\n", c.name, found)
		case errors.As(err, &unknown):
			fmt.Fprintf(table, "?\t%s\t%s\n", c.name, unknown)
		default:
			lacking++
			fmt.Fprintf(table, "✗\t%s\t%s; %s\n", c.name, err, c.mend)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if lacking > 0 {
		return fmt.Errorf("%d of %d needs are not met", lacking, len(checks))
	}
	return nil
}

func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine or an environment lacks, and how to get it",
		Long: `Doctor looks for what the demo needs on this machine. With --env it looks for what
an environment needs before a deploy, or an account's stack: its settings, which
Terraform takes as TF_VAR_… from the environment (docs/settings.md); credentials of its
account; and in that account the state's bucket, the collector's image, what an
account has one of, and AWS's quotas. It changes nothing.

The exit status is 1 when something is lacking. What can't be looked at is told,
and isn't taken for lacking.`,
		Args: cobra.NoArgs,
	}
	environment := cmd.Flags().String("env", "", "environment or stack to look at, such as prod; synthesized before")
	destroy := cmd.Flags().String("destroy-data", "", "ask instead whether --env may be destroyed with its data, which has to be named here again")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		root, err := asset.Root()
		if err != nil {
			return err
		}
		destroying := cmd.Flags().Changed("destroy-data")
		if *environment == "" {
			if destroying {
				return errors.New("--destroy-data needs --env")
			}
			return examine(cmd.Context(), cmd.OutOrStdout(), append(machine(root), browser()))
		}
		stack, err := readPlanned(filepath.Join(root, "cdktf.out", "stacks", *environment, "cdk.tf.json"), *environment)
		if err != nil {
			return err
		}
		checks := stack.ready()
		if destroying {
			checks = stack.destroyable(*destroy)
		}
		return examine(cmd.Context(), cmd.OutOrStdout(), checks)
	}
	return cmd
}
