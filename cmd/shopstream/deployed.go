package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"
)

// deployed is an environment in the account of the credentials at hand. Its
// resources are found by their names, which stacks.Environment gives.
type deployed struct {
	env, account string
	aws          aws.Config
}

const atWork = `It works with the credentials and the region of AWS's own settings (AWS_PROFILE, AWS_REGION);
"--env local" is the demo that was kept (make demo KEEP=1). AWS_ENDPOINT_URL leads elsewhere.`

var environmentFormat = regexp.MustCompile(`^[a-z][a-z0-9-]{0,9}$`)

// deployedFlag adds --env and returns what opens it.
func deployedFlag(cmd *cobra.Command) func(context.Context) (deployed, error) {
	env := cmd.PersistentFlags().String("env", "", "the environment, such as prod")
	return func(ctx context.Context) (deployed, error) {
		if *env == "" {
			return deployed{}, errors.New("--env is required: the environment's name, such as prod")
		}
		return openDeployed(ctx, *env)
	}
}

func openDeployed(ctx context.Context, env string) (d deployed, err error) {
	if !environmentFormat.MatchString(env) {
		return d, fmt.Errorf("--env must be an environment's name, 1 to 10 lower case letters, digits and hyphens, got %q", env)
	}
	d.env = env
	if env == "local" && os.Getenv("AWS_ENDPOINT_URL") == "" {
		at, _, err := demoDir(filepath.Join("build", "demo"))
		if err != nil {
			return d, err
		}
		e, err := readEndpoints(at)
		if err != nil {
			return d, fmt.Errorf("%w, or set AWS_ENDPOINT_URL", err)
		}
		d.account = localAccount
		d.aws = aws.Config{
			Region: e.Region, BaseEndpoint: &e.MiniStack, Credentials: credentials.NewStaticCredentialsProvider("emulated", "emulated", ""),
		}
		return d, nil
	}
	if d.aws, err = config.LoadDefaultConfig(ctx); err != nil {
		return d, err
	}
	if d.aws.Region == "" {
		return d, errors.New("no region is set; set AWS_REGION to the environment's, such as eu-west-1")
	}
	identity, err := sts.NewFromConfig(d.aws).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return d, fmt.Errorf("the credentials cannot be used; sign in to the account of %s, such as by aws sso login, and set AWS_PROFILE: %s", env, reason(err))
	}
	d.account = aws.ToString(identity.Account)
	return d, nil
}

// name is that of a resource.
func (d deployed) name(what string) string { return "shopstream-" + d.env + "-" + what }

// bucket is a zone's.
func (d deployed) bucket(zone string) string {
	return d.name(zone) + "-" + d.account + "-" + d.aws.Region
}
