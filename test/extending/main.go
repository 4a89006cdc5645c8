// Command platform is what a team deploys that adds to Shopstream's prod: the
// same pipeline, sized for its shops, and a tier of its own. It writes
// Terraform JSON to cdktf.out/, as Shopstream's own program does.
package main

import (
	"fmt"
	"os"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"example.test/platform/churn"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/stacks"
)

// production is Shopstream's prod with our name, account, region and traffic.
func production() stacks.Environment {
	env := stacks.Prod
	env.Name = "live"
	env.Account = "210987654321"
	env.Region, env.ReplicaRegion = "eu-north-1", "eu-west-3"
	env.Traffic.EventsPerSecond *= 2
	return env
}

// define adds our tier to the pipeline.
func define(app constructs.Construct, env stacks.Environment, workloads stacks.Workloads) (*stacks.Pipeline, error) {
	pipeline, err := stacks.New(app, env, workloads)
	if err != nil {
		return nil, err
	}
	_, err = churn.New(pipeline.Stack, "churn", churn.Props{
		Name:    "shopstream-" + env.Name + "-churn",
		Account: security.Account{ID: env.Account, Region: env.Region},
		Events:  pipeline.Events, Logs: pipeline.Keys.Logs, LogRetentionDays: env.LogRetentionDays,
		Protect: env.Protect,
	})
	return pipeline, err
}

func synth() error {
	env := production()
	workloads, err := stacks.FindWorkloads(env)
	if err != nil {
		return err
	}
	defer jsii.Close()
	app := cdktf.NewApp(nil)
	pipeline, err := define(app, env, workloads)
	if err != nil {
		return err
	}
	if err := pipeline.Check(); err != nil {
		return err // before anything is written
	}
	app.Synth()
	return nil
}

func main() {
	if err := synth(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
