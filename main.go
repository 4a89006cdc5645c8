// Command shopstream-infrastructure writes each stack as Terraform JSON to cdktf.out/.
//
// SHOPSTREAM_STACKS names the stacks to write, separated by commas; without it
// all are written. Set and empty, the program only starts: it loads what every
// stack needs and writes none, which measures the start.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	_ "github.com/shopstream/shopstream/internal/kernel" // a fast start
	"github.com/shopstream/shopstream/stacks"
)

func definitions() (all []stacks.Definition) {
	for _, env := range []stacks.Environment{stacks.Local, stacks.Dev, stacks.Staging, stacks.Prod} {
		all = append(all, env.Definition())
	}
	for _, account := range []stacks.AccountSettings{stacks.DevAccount, stacks.StagingAccount, stacks.ProdAccount} {
		all = append(all, account.Definitions()...)
	}
	return all
}

func main() {
	stderr := os.Stderr
	if err := synth(); err != nil {
		fmt.Fprintln(stderr, err)
		os.Exit(1)
	}
}

// synth validates all before it starts Node, and ends Node also on failure.
func synth() (err error) {
	selected, err := stacks.Select(definitions(), os.LookupEnv)
	if err != nil {
		return err
	}
	defer closeKernel()
	defer func() { // jsii panics at a programmer's mistake: tell it without the stack
		if r := recover(); r != nil {
			err = fmt.Errorf("synth: %v", r)
		}
	}()
	app := cdktf.NewApp(nil)
	provider.AwsProvider_TfResourceType() // loads the AWS package
	var errs []error
	for _, d := range selected {
		errs = append(errs, d.Define(app))
	}
	if err := errors.Join(errs...); err != nil {
		return err // before anything is written
	}
	app.Synth()
	return nil
}

// closeKernel ends Node and removes its files. jsii waits for Node in two
// places at once, and the loser prints an error that means nothing.
func closeKernel() {
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = null
	}
	jsii.Close()
}
