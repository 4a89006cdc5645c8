package delivery

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamopenidconnectprovider"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// GitHubProps configures a GitHub.
type GitHubProps struct {
	Account security.Account // required
	Manage  bool             // whether to define the provider, of which an account has one; default false: it is there already
}

func (p GitHubProps) validate() error {
	return errors.Join(check.Required("Account.ID", p.Account.ID != ""))
}

const (
	issuer   = "token.actions.githubusercontent.com"
	audience = "sts.amazonaws.com"
)

// GitHub lets the account believe the tokens of GitHub's jobs, so that no key
// of AWS is kept there.
//
//	GitHub
//	└── this   aws_iam_openid_connect_provider
type GitHub struct {
	arn *string
}

// NewGitHub defines a GitHub in scope.
func NewGitHub(scope constructs.Construct, id string, p GitHubProps) (*GitHub, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("github %q: %w", id, err)
	}
	if !p.Manage {
		return &GitHub{jsii.String("arn:aws:iam::" + p.Account.ID + ":oidc-provider/" + issuer)}, nil
	}
	scope = constructs.NewConstruct(scope, &id)
	provider := iamopenidconnectprovider.NewIamOpenidConnectProvider(scope, jsii.String("this"), &iamopenidconnectprovider.IamOpenidConnectProviderConfig{
		Url:          jsii.String("https://" + issuer),
		ClientIdList: jsii.Strings(audience),
	})
	return &GitHub{provider.Arn()}, nil
}

// trust lets the jobs of a GitHub environment become a role. GitHub puts the
// environment into a token's subject when the job names one, once its
// protection rules have let the job pass.
func (g *GitHub) trust(repository, environment string) *string {
	return security.Policy(security.Statement{
		Effect:    "Allow",
		Principal: map[string]string{"Federated": *g.arn},
		Action:    "sts:AssumeRoleWithWebIdentity",
		Condition: map[string]any{"StringEquals": map[string]string{
			issuer + ":aud": audience,
			issuer + ":sub": "repo:" + repository + ":environment:" + environment,
		}},
	})
}
