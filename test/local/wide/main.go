// Command wide writes a set of stacks as Terraform JSON to CDKTF_OUTDIR, in a
// process of its own:
//
//	local       the demo's stack
//	local-wide  the stack that tests apply on the emulators, and prod, which it has to cover
//	accounts    those of an account that has everything on, on the emulators too
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/stacks"
)

// account has all that an account can have, on this machine.
var account = stacks.AccountSettings{
	Name:          "local-wide",
	Account:       stacks.LocalWide.Account,
	Region:        stacks.LocalWide.Region,
	ReplicaRegion: stacks.LocalWide.ReplicaRegion,
	Environments:  []string{stacks.LocalWide.Name},
	Repository:    stacks.ProdAccount.Repository,
	Emulated:      true,

	DeleteData: true,

	GrantAdmins: []string{"arn:aws:iam::" + stacks.LocalWide.Account + ":role/admin"},
	Manage:      stacks.Singletons{GitHub: true, Trail: true, GatewayLogs: true, Detector: true, Recorder: true, DataLake: true},
	Payer:       true,
	BillTags:    true,
}

var sets = map[string]func(app cdktf.App) error{
	"local":      func(app cdktf.App) error { return environments(app, stacks.Local) },
	"local-wide": func(app cdktf.App) error { return environments(app, stacks.LocalWide, stacks.Prod) },
	"accounts":   accounts,
}

func main() {
	if err := synth(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func synth(args []string) error {
	if len(args) != 1 || sets[args[0]] == nil {
		return fmt.Errorf("the argument must be local, local-wide or accounts, got %q", args)
	}
	defer jsii.Close()
	app := cdktf.NewApp(nil)
	if err := sets[args[0]](app); err != nil {
		return err
	}
	app.Synth()
	return nil
}

func environments(app cdktf.App, environments ...stacks.Environment) error {
	for _, env := range environments {
		workloads, err := stacks.FindWorkloads(env)
		if err != nil {
			return err
		}
		if _, err := stacks.New(app, env, workloads); err != nil {
			return err
		}
	}
	return nil
}

func accounts(app cdktf.App) error {
	_, bootstrap := stacks.NewBootstrap(app, account)
	_, singletons := stacks.NewAccount(app, account)
	return errors.Join(bootstrap, singletons)
}
