package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cognitoresourceserver"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cognitouserpool"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cognitouserpoolclient"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cognitouserpooldomain"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// IdentityProps configures an Identity.
type IdentityProps struct {
	Name        string           // required; unique in the account and region; lower case letters, digits and hyphens, at most 50, without aws, amazon or cognito
	Account     security.Account // required
	Integrators []string         // names of those whose servers send events, each unique: lower case letters, digits and hyphens, at most 32; default none
	Protect     bool             // whether AWS and Terraform refuse to destroy it; default false
}

func (p IdentityProps) validate() error {
	errs := []error{
		check.That(identityFormat.MatchString(p.Name), "Name must be 1 to 50 lower case letters, digits and hyphens, starting with a letter, got %q", p.Name),
		check.That(!reservedFormat.MatchString(p.Name), "Name must not hold aws, amazon or cognito, got %q", p.Name),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
	}
	return errors.Join(append(errs, ValidateIntegrators(p.Integrators))...)
}

// ValidateIntegrators reports what Integrators may not hold.
func ValidateIntegrators(names []string) error {
	var errs []error
	for i, name := range names {
		errs = append(errs,
			check.That(integratorFormat.MatchString(name), "Integrators must hold 1 to 32 lower case letters, digits and hyphens, starting with a letter, got %q", name),
			check.That(!slices.Contains(names[:i], name), "Integrators holds %q twice", name))
	}
	return errors.Join(errs...)
}

var (
	identityFormat   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,49}$`)
	reservedFormat   = regexp.MustCompile(`aws|amazon|cognito`)
	integratorFormat = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

// SendScope is what a server's token must hold to send events.
const SendScope = "shopstream/events.send"

// Identity gives tokens to the servers of integrators, by client credentials.
// It holds no users: nobody can sign up. The registry says which shops a
// client may write for.
//
//	Identity
//	├── this             aws_cognito_user_pool
//	├── domain           aws_cognito_user_pool_domain: where tokens are asked for
//	├── scopes           aws_cognito_resource_server
//	└── client_NAME, …   aws_cognito_user_pool_client, one an integrator
type Identity struct {
	pool        cognitouserpool.CognitoUserPool
	domain      string
	region      string
	integrators []string
	clients     map[string]cognitouserpoolclient.CognitoUserPoolClient
}

// NewIdentity defines an Identity in scope.
func NewIdentity(scope constructs.Construct, id string, p IdentityProps) (*Identity, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("identity %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	protection := "INACTIVE"
	if p.Protect {
		protection = "ACTIVE"
	}
	i := &Identity{region: p.Account.Region, integrators: slices.Clone(p.Integrators), domain: p.Name + "-" + p.Account.ID} // unique among all accounts
	i.pool = cognitouserpool.NewCognitoUserPool(scope, jsii.String("this"), &cognitouserpool.CognitoUserPoolConfig{
		Name:                  &p.Name,
		DeletionProtection:    &protection,
		AdminCreateUserConfig: &cognitouserpool.CognitoUserPoolAdminCreateUserConfig{AllowAdminCreateUserOnly: true},
		Lifecycle:             &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})
	cognitouserpooldomain.NewCognitoUserPoolDomain(scope, jsii.String("domain"), &cognitouserpooldomain.CognitoUserPoolDomainConfig{
		Domain: &i.domain, UserPoolId: i.pool.Id(),
	})
	scopes := cognitoresourceserver.NewCognitoResourceServer(scope, jsii.String("scopes"), &cognitoresourceserver.CognitoResourceServerConfig{
		Identifier: jsii.String("shopstream"), Name: jsii.String("Shopstream"), UserPoolId: i.pool.Id(),
		Scope: []*cognitoresourceserver.CognitoResourceServerScope{{
			ScopeName: jsii.String("events.send"), ScopeDescription: jsii.String("Send events of the shops that the registry binds to the client."),
		}},
	})
	i.clients = map[string]cognitouserpoolclient.CognitoUserPoolClient{}
	for _, name := range p.Integrators {
		i.newClient(scope, name, scopes)
	}
	return i, nil
}

func (i *Identity) newClient(scope constructs.Construct, name string, scopes cognitoresourceserver.CognitoResourceServer) {
	i.clients[name] = cognitouserpoolclient.NewCognitoUserPoolClient(scope, jsii.String("client_"+name), &cognitouserpoolclient.CognitoUserPoolClientConfig{
		Name:                            &name,
		UserPoolId:                      i.pool.Id(),
		GenerateSecret:                  true,
		AllowedOauthFlowsUserPoolClient: true,
		AllowedOauthFlows:               jsii.Strings("client_credentials"),
		AllowedOauthScopes:              jsii.Strings(SendScope),
		AccessTokenValidity:             jsii.Number(60),
		TokenValidityUnits:              []*cognitouserpoolclient.CognitoUserPoolClientTokenValidityUnits{{AccessToken: jsii.String("minutes")}},
		EnableTokenRevocation:           true,
		PreventUserExistenceErrors:      jsii.String("ENABLED"),
		DependsOn:                       &[]cdktf.ITerraformDependable{scopes}, // Cognito refuses a scope that it does not know
	})
}

// ARN is a token.
func (i *Identity) ARN() *string { return i.pool.Arn() }

// Issuer is a token: the iss of every token.
func (i *Identity) Issuer() *string {
	return jsii.String("https://cognito-idp." + i.region + ".amazonaws.com/" + *i.pool.Id())
}

// ClientID is a token: the id of the client of one of the Integrators.
func (i *Identity) ClientID(integrator string) *string { return i.clients[integrator].Id() }

// TokenURL is where a server asks for a token with its client's credentials.
func (i *Identity) TokenURL() string {
	return "https://" + i.domain + ".auth." + i.region + ".amazoncognito.com/oauth2/token"
}
