// Command wide writes the stacks local-wide and prod as Terraform JSON to
// CDKTF_OUTDIR: what a test applies on the emulators, and what it has to cover.
package main

import (
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/stacks"
)

func main() {
	if err := synth(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func synth() error {
	defer jsii.Close()
	app := cdktf.NewApp(nil)
	for _, env := range []stacks.Environment{stacks.LocalWide, stacks.Prod} {
		workloads, err := stacks.FindWorkloads(env)
		if err != nil {
			return err
		}
		if _, err := stacks.New(app, env, workloads); err != nil {
			return err
		}
	}
	app.Synth()
	return nil
}
