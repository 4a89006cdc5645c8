package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// planned is a synthesized stack: what it says of itself is what it needs.
type planned struct {
	name     string
	Variable map[string]struct {
		Description string
		Default     json.RawMessage
	}
	Provider struct {
		AWS []struct {
			Alias, Region string
			Accounts      []string `json:"allowed_account_ids"`
			Endpoints     []any
		}
	}
	Terraform struct {
		Backend struct {
			S3 struct{ Bucket, Region string }
		}
	}
	Resource map[string]map[string]json.RawMessage // by type and name
}

func readPlanned(stackFile, name string) (p planned, err error) {
	b, err := os.ReadFile(stackFile)
	if errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("environment %q is not synthesized; run make synth, or take one of those in cdktf.out/stacks", name)
	} else if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("decode %s: %w", stackFile, err)
	}
	p.name = name
	return p, nil
}

// resources are those of a type by their names. What doesn't decode is zero.
func resources[T any](p planned, kind string) map[string]T {
	all := map[string]T{}
	for name, raw := range p.Resource[kind] {
		var r T
		if json.Unmarshal(raw, &r) == nil {
			all[name] = r
		}
	}
	return all
}

// home is where the stack lives; its account is empty on emulated AWS.
func (p planned) home() (account, region string) {
	for _, aws := range p.Provider.AWS {
		if aws.Alias == "" && len(aws.Endpoints) == 0 && len(aws.Accounts) == 1 {
			return aws.Accounts[0], aws.Region
		}
	}
	return "", ""
}

// ready is what the stack needs before a plan.
func (p planned) ready() []check {
	checks := p.settings()
	account, region := p.home()
	if account == "" {
		return checks
	}
	h := &home{stack: p.name, account: account, region: region}
	checks = append(checks, check{"credentials", h.identify, fmt.Sprintf("sign in to account %s, such as by aws sso login, and set AWS_PROFILE", account)})
	rest := p.stateChecks(h)
	if _, uses := p.Variable[imageSetting]; uses {
		rest = append(rest, imageChecks(h)...)
	}
	for _, stage := range resources[struct {
		AccessLog any `json:"access_log_settings"`
	}](p, "aws_api_gateway_stage") {
		if stage.AccessLog != nil {
			rest = append(rest, check{"API Gateway's log role", h.logRole, "set Manage.GatewayLogs in stacks/accounts.go and deploy the account's stack (docs/first-deploy.md, step 2)"})
			break
		}
	}
	rest = append(rest, p.quotaChecks(h)...)
	for _, c := range rest {
		checks = append(checks, h.only(c))
	}
	return checks
}

// settings are the variables of the stack.
func (p planned) settings() (checks []check) {
	for _, name := range slices.Sorted(maps.Keys(p.Variable)) {
		variable := p.Variable[name]
		if variable.Default != nil {
			continue
		}
		checks = append(checks, check{"TF_VAR_" + name, func(context.Context) (string, error) {
			if os.Getenv("TF_VAR_"+name) == "" {
				return "", errors.New("not set")
			}
			return "set", nil
		}, "set it (docs/settings.md): " + variable.Description})
	}
	return checks
}

// home asks the account that a stack lives in.
type home struct {
	stack, account, region string

	aws        aws.Config
	identified bool
}

// identify checks that the credentials are the account's.
func (h *home) identify(ctx context.Context) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(h.region), config.WithLogger(logging.Nop{}))
	if err != nil {
		return "", err
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return "", fmt.Errorf("none can be used (%w)", err)
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	var refused *smithyhttp.ResponseError
	if errors.As(err, &refused) && refused.HTTPStatusCode() == http.StatusForbidden {
		return "", fmt.Errorf("%s refuses them (%s)", h.region, reason(err))
	} else if err != nil {
		return "", answer(err, nil)
	}
	if got := aws.ToString(identity.Account); got != h.account {
		return "", fmt.Errorf("they are of account %s, %s lives in %s", got, h.stack, h.account)
	}
	h.aws, h.identified = cfg, true
	return aws.ToString(identity.Arn) + " in " + h.region, nil
}

// only runs a check in the right account alone.
func (h *home) only(c check) check {
	run := c.run
	c.run = func(ctx context.Context) (string, error) {
		if !h.identified {
			return "", notChecked{"needs credentials of account " + h.account}
		}
		return run(ctx)
	}
	return c
}

// answer tells what AWS's error means: one of the codes says that something is
// lacking; by any other, nothing is known.
func answer(err error, lacking map[string]string) error {
	var refused smithy.APIError
	if errors.As(err, &refused) && lacking[refused.ErrorCode()] != "" {
		return errors.New(lacking[refused.ErrorCode()])
	}
	return notChecked{reason(err)}
}

// reason is what AWS says, without what the SDK says around it.
func reason(err error) string {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return err.Error()
	}
	return strings.TrimSuffix(refused.ErrorCode()+": "+refused.ErrorMessage(), ": ")
}

// stateChecks look at the bucket of Terraform's states, but not for the stack
// that makes it.
func (p planned) stateChecks(h *home) []check {
	state := p.Terraform.Backend.S3
	for _, made := range resources[struct{ Bucket string }](p, "aws_s3_bucket") {
		if made.Bucket == state.Bucket {
			return nil
		}
	}
	client := func() *s3.Client {
		return s3.NewFromConfig(h.aws, func(o *s3.Options) { o.Region = state.Region })
	}
	const mend = "deploy the account's bootstrap stack (docs/first-deploy.md, step 1)"
	return []check{
		{"state bucket", func(ctx context.Context) (string, error) {
			if _, err := client().HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &state.Bucket}); err != nil {
				return "", answer(err, map[string]string{"NotFound": state.Bucket + " is not there"})
			}
			return state.Bucket, nil
		}, mend},
		{"state bucket's versions", func(ctx context.Context) (string, error) {
			found, err := client().GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &state.Bucket})
			if err != nil {
				return "", answer(err, nil)
			}
			if found.Status != s3types.BucketVersioningStatusEnabled {
				return "", errors.New("they are not kept, so a broken state is lost")
			}
			return "kept", nil
		}, mend},
		{"state bucket's encryption", func(ctx context.Context) (string, error) {
			found, err := client().GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &state.Bucket})
			const lacks = "it is not by a KMS key, and states hold secrets"
			if err != nil {
				return "", answer(err, map[string]string{"ServerSideEncryptionConfigurationNotFoundError": lacks})
			}
			for _, rule := range found.ServerSideEncryptionConfiguration.Rules {
				if by := rule.ApplyServerSideEncryptionByDefault; by != nil && strings.HasPrefix(string(by.SSEAlgorithm), "aws:kms") {
					return string(by.SSEAlgorithm), nil
				}
			}
			return "", errors.New(lacks)
		}, mend},
	}
}

const imageSetting = "collector_image"

var imageFormat = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^@:]+)@(sha256:[0-9a-f]{64})$`)

// imageChecks look for the image that the setting names.
func imageChecks(h *home) []check {
	image := os.Getenv("TF_VAR_" + imageSetting)
	named := func() (repository, digest string, err error) {
		if image == "" {
			return "", "", notChecked{"TF_VAR_" + imageSetting + " is not set"}
		}
		parts := imageFormat.FindStringSubmatch(image)
		if parts == nil {
			return "", "", fmt.Errorf("TF_VAR_%s is no image in ECR by digest, got %q", imageSetting, image)
		}
		if parts[1] != h.account || parts[2] != h.region {
			return "", "", fmt.Errorf("it is in account %s and %s, and tasks may pull from %s and %s alone", parts[1], parts[2], h.account, h.region)
		}
		return parts[3], parts[4], nil
	}
	return []check{
		{"images' repository", func(ctx context.Context) (string, error) {
			repository, _, err := named()
			if err != nil {
				return "", notChecked{"the image is not known"}
			}
			if _, err := ecr.NewFromConfig(h.aws).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{repository}}); err != nil {
				return "", answer(err, map[string]string{"RepositoryNotFoundException": repository + " is not there"})
			}
			return repository, nil
		}, "deploy the account's bootstrap stack (docs/first-deploy.md, step 1)"},
		{"collector's image", func(ctx context.Context) (string, error) {
			repository, digest, err := named()
			if err != nil {
				return "", err
			}
			_, err = ecr.NewFromConfig(h.aws).DescribeImages(ctx, &ecr.DescribeImagesInput{
				RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &digest}},
			})
			if err != nil {
				return "", answer(err, map[string]string{"ImageNotFoundException": digest + " is not there"})
			}
			return digest, nil
		}, "run make image ENV=" + h.stack + " and set what it prints"},
	}
}

func (h *home) logRole(ctx context.Context) (string, error) {
	found, err := apigateway.NewFromConfig(h.aws).GetAccount(ctx, &apigateway.GetAccountInput{})
	if err != nil {
		return "", answer(err, nil)
	}
	if aws.ToString(found.CloudwatchRoleArn) == "" {
		return "", errors.New("there is none, and the API's stage logs")
	}
	return *found.CloudwatchRoleArn, nil
}
