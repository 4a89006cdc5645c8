package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"

	"github.com/shopstream/shopstream/internal/asset"
)

// need is something that this machine must have.
type need struct {
	name    string
	command []string // prints a version
	version string   // the range that works
	path    string   // a file, for what has no version
	mend    string
}

func needs(root string) []need {
	return []need{
		{name: "Go", command: []string{"go", "version"}, version: ">=1.26.0", mend: "install it from https://go.dev/dl"},
		{name: "Node.js", command: []string{"node", "--version"}, version: ">=18.0.0", mend: "install Node.js 20 or 22 from https://nodejs.org"},
		{name: "Python", command: []string{"python3", "--version"}, version: ">=3.10.0", mend: "install Python 3.10 or newer from https://python.org"},
		{name: "Terraform", command: []string{"terraform", "version"}, version: ">=1.10.0", mend: "install it from https://developer.hashicorp.com/terraform/install"},
		{name: "emulated AWS", path: filepath.Join(root, ".venv", "bin", "ministack"), mend: "run make setup"},
		{name: "DuckDB", path: filepath.Join(root, ".venv", "bin", "duckdb"), mend: "run make setup"},
		{name: "the program", path: filepath.Join(root, "build", "infrastructure"), mend: "run make build"},
		{name: "the collector", path: filepath.Join(root, "build", "collector"), mend: "run make build"},
		{name: "the functions", path: filepath.Join(root, "build", "functions", string(asset.Host), "preprocess.zip"), mend: "run make build"},
	}
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)

// check returns what was found, or what is missing with its mend.
func (n need) check(ctx context.Context) (string, error) {
	if n.path != "" {
		if _, err := os.Stat(n.path); err != nil {
			return "", fmt.Errorf("%s: not there; %s", n.name, n.mend)
		}
		return "there", nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.command[0], n.command[1:]...)
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %q fails (%w); %s", n.name, strings.Join(n.command, " "), err, n.mend)
	}
	found := versionNumber.FindString(string(out))
	version, err := semver.NewVersion(found)
	if err != nil {
		return "", fmt.Errorf("%s: %q prints no version; %s", n.name, strings.Join(n.command, " "), n.mend)
	}
	allowed, err := semver.NewConstraint(n.version)
	if err != nil {
		panic(err) // the ranges are ours
	}
	if !allowed.Check(version) {
		return "", fmt.Errorf("%s: got %s, need %s; %s", n.name, found, n.version, n.mend)
	}
	return found, nil
}

// missing are the needs that this machine does not meet.
func missing(ctx context.Context, root string) (errs []error) {
	for _, n := range needs(root) {
		if _, err := n.check(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lacks, and how to get it",
		Long: `Doctor looks for what the demo needs. With --env it also looks for the settings of
that environment's stack, which Terraform takes as TF_VAR_… from the environment, as
"doppler run -- make deploy ENV=prod" hands them over.`,
		Args: cobra.NoArgs,
	}
	environment := cmd.Flags().String("env", "", "environment whose settings to look for, such as prod; synthesized before")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		root, err := asset.Root()
		if err != nil {
			return err
		}
		if *environment != "" {
			return missingSettings(filepath.Join(root, "cdktf.out", "stacks", *environment, "cdk.tf.json"), *environment)
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		defer table.Flush()
		lacking := 0
		for _, n := range needs(root) {
			found, err := n.check(cmd.Context())
			if err != nil {
				lacking++
				fmt.Fprintf(table, "✗\t%s\t%s\n", n.name, strings.TrimPrefix(err.Error(), n.name+": "))
				continue
			}
			fmt.Fprintf(table, "✓\t%s\t%s\n", n.name, found)
		}
		if lacking > 0 {
			return fmt.Errorf("%d of %d needs are not met", lacking, len(needs(root)))
		}
		return nil
	}
	return cmd
}

// missingSettings reports the variables of a stack that nothing sets, all at once.
func missingSettings(stackFile, environment string) error {
	b, err := os.ReadFile(stackFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("environment %q is not synthesized; run make synth, or take one of those in cdktf.out/stacks", environment)
	} else if err != nil {
		return err
	}
	var stack struct {
		Variable map[string]struct {
			Description string
			Default     json.RawMessage
		}
	}
	if err := json.Unmarshal(b, &stack); err != nil {
		return fmt.Errorf("decode %s: %w", stackFile, err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(stack.Variable)) {
		if variable := stack.Variable[name]; variable.Default == nil && os.Getenv("TF_VAR_"+name) == "" {
			errs = append(errs, fmt.Errorf("TF_VAR_%s is required: %s", name, variable.Description))
		}
	}
	return errors.Join(errs...)
}
