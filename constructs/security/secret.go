package security

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecret"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// SecretProps configures a Secret.
type SecretProps struct {
	Name         string // required; unique in the account and region
	Description  string // required; what it opens
	Key          *Key   // required; encrypts it
	RecoveryDays int    // how long a deletion can be undone, 7 to 30; default 30
	DeleteAtOnce bool   // whether a deletion is final, which needs Protect to be false; default false
	Protect      bool   // whether Terraform refuses to destroy it; default false
}

func (p SecretProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Description", p.Description != ""),
		check.Required("Key", p.Key != nil),
		check.Between("RecoveryDays", p.RecoveryDays, 7, 30),
		check.That(!p.Protect || !p.DeleteAtOnce, "DeleteAtOnce must be false where Protect is true"),
	)
}

// Secret is a secret of Secrets Manager. Its value is put there by whoever
// knows it and never passes through Terraform, whose state would keep it.
type Secret struct {
	key    *Key
	secret secretsmanagersecret.SecretsmanagerSecret
}

// NewSecret defines a Secret in scope.
func NewSecret(scope constructs.Construct, id string, p SecretProps) (*Secret, error) {
	p.RecoveryDays = cmp.Or(p.RecoveryDays, 30)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("secret %q: %w", id, err)
	}
	if p.DeleteAtOnce {
		p.RecoveryDays = 0
	}
	scope = constructs.NewConstruct(scope, &id)
	return &Secret{p.Key, secretsmanagersecret.NewSecretsmanagerSecret(scope, jsii.String("this"), &secretsmanagersecret.SecretsmanagerSecretConfig{
		Name:                 &p.Name,
		Description:          &p.Description,
		KmsKeyId:             p.Key.ARN(),
		RecoveryWindowInDays: jsii.Number(p.RecoveryDays),
		Lifecycle:            &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})}, nil
}

// ARN is a token.
func (s *Secret) ARN() *string { return s.secret.Arn() }

// GrantRead lets role read the secret's value.
func (s *Secret) GrantRead(role *Role) {
	role.Allow(s.ARN(), "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret")
	s.key.GrantDecrypt(role)
}
