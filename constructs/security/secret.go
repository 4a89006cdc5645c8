package security

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecret"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecretversion"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// SecretProps configures a Secret.
type SecretProps struct {
	Name         string // required; unique in the account and region
	Description  string // required; what it opens
	Key          *Key   // required; encrypts it
	DeleteAtOnce bool   // whether a deletion is final, which needs Protect to be false; default false: it can be undone for 30 days
	Protect      bool   // whether Terraform refuses to destroy it; default false

	Value        *string // of an ephemeral variable, which neither plan nor state hold; default none: whoever knows it puts it there
	ValueVersion int     // at least 1; another one has Terraform write Value again; default 1
}

func (p SecretProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Description", p.Description != ""),
		check.Required("Key", p.Key != nil),
		check.That(!p.Protect || !p.DeleteAtOnce, "DeleteAtOnce must be false where Protect is true"),
		check.That(p.ValueVersion > 0, "ValueVersion must be at least 1, got %d", p.ValueVersion),
	)
}

// Secret is a secret of Secrets Manager. Terraform's state never holds its
// value.
//
//	Secret
//	├── this    aws_secretsmanager_secret
//	└── value   aws_secretsmanager_secret_version, with Value
type Secret struct {
	key    *Key
	secret secretsmanagersecret.SecretsmanagerSecret
}

// NewSecret defines a Secret in scope.
func NewSecret(scope constructs.Construct, id string, p SecretProps) (*Secret, error) {
	p.ValueVersion = cmp.Or(p.ValueVersion, 1)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("secret %q: %w", id, err)
	}
	recoveryDays := 30
	if p.DeleteAtOnce {
		recoveryDays = 0
	}
	scope = constructs.NewConstruct(scope, &id)
	secret := secretsmanagersecret.NewSecretsmanagerSecret(scope, jsii.String("this"), &secretsmanagersecret.SecretsmanagerSecretConfig{
		Name:                 &p.Name,
		Description:          &p.Description,
		KmsKeyId:             p.Key.ARN(),
		RecoveryWindowInDays: jsii.Number(recoveryDays),
		Lifecycle:            &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})
	if p.Value != nil {
		secretsmanagersecretversion.NewSecretsmanagerSecretVersion(scope, jsii.String("value"), &secretsmanagersecretversion.SecretsmanagerSecretVersionConfig{
			SecretId: secret.Id(), SecretStringWo: p.Value, SecretStringWoVersion: jsii.Number(p.ValueVersion),
		})
	}
	return &Secret{p.Key, secret}, nil
}

// ARN is a token.
func (s *Secret) ARN() *string { return s.secret.Arn() }

// GrantRead lets role read the secret's value.
func (s *Secret) GrantRead(role *Role) {
	role.Allow(s.ARN(), "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret")
	s.key.GrantDecrypt(role)
}
