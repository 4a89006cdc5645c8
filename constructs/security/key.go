package security

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmsalias"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/internal/check"
)

// KeyProps configures a Key.
type KeyProps struct {
	Alias       string  // required; unique in the account and region, without "alias/"
	Description string  // required; the class of data that it encrypts
	Account     Account // required; its administrators decide who uses the key
	Protect     bool    // whether Terraform refuses to destroy it; default false

	Provider cdktf.TerraformProvider // of the Account's region; default the stack's own
}

func (p KeyProps) validate() error {
	return errors.Join(
		check.Required("Alias", p.Alias != ""),
		check.Required("Description", p.Description != ""),
		check.Required("Account", p.Account.ID != ""),
	)
}

// Key is a customer-managed KMS key of one data class, rotated yearly.
//
//	Key
//	├── this    aws_kms_key, its policy grown by AllowService
//	└── alias   aws_kms_alias
type Key struct {
	kms        kmskey.KmsKey
	statements []Statement
}

// NewKey defines a Key in scope.
func NewKey(scope constructs.Construct, id string, p KeyProps) (*Key, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("key %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	statements := []Statement{{
		Sid:       "Account",
		Effect:    "Allow",
		Principal: map[string]string{"AWS": "arn:aws:iam::" + p.Account.ID + ":root"},
		Action:    "kms:*", // without it nobody could ever change the policy again
		Resource:  "*",     // in a key's policy: this key
	}}
	kms := kmskey.NewKmsKey(scope, jsii.String("this"), &kmskey.KmsKeyConfig{
		Description:          &p.Description,
		EnableKeyRotation:    true,
		DeletionWindowInDays: jsii.Number(30),
		Policy:               Policy(statements...),
		Lifecycle:            &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
		Provider:             p.Provider,
	})
	kmsalias.NewKmsAlias(scope, jsii.String("alias"), &kmsalias.KmsAliasConfig{
		Name:        jsii.String("alias/" + p.Alias),
		TargetKeyId: kms.KeyId(),
		Provider:    p.Provider,
	})
	return &Key{kms, statements}, nil
}

// ARN is a token.
func (k *Key) ARN() *string { return k.kms.Arn() }

// GrantDecrypt lets role decrypt.
func (k *Key) GrantDecrypt(role *Role) { role.Allow(k.ARN(), "kms:Decrypt") }

// GrantDescribe lets role see whether the key is in use, or about to be deleted.
func (k *Key) GrantDescribe(role *Role) { role.Allow(k.ARN(), "kms:DescribeKey") }

// GrantEncrypt lets role encrypt.
func (k *Key) GrantEncrypt(role *Role) { role.Allow(k.ARN(), "kms:GenerateDataKey") }

// AllowService lets an AWS service use the key on behalf of the resource with
// sourceARN, which must be known at synth: the key is created before it.
func (k *Key) AllowService(service, sourceARN string, actions ...string) {
	k.statements = append(k.statements, Statement{
		Effect:    "Allow",
		Principal: Service(service),
		Action:    actions,
		Resource:  "*",
		Condition: map[string]any{"ArnLike": map[string]string{"aws:SourceArn": sourceARN}},
	})
	k.kms.SetPolicy(Policy(k.statements...))
}

// AllowLogs lets CloudWatch Logs encrypt the account's log groups, which it
// names in the encryption context, not as a source.
func (k *Key) AllowLogs(account Account) {
	k.statements = append(k.statements, Statement{
		Effect:    "Allow",
		Principal: Service("logs." + account.Region + ".amazonaws.com"),
		Action:    []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"},
		Resource:  "*",
		Condition: map[string]any{"ArnLike": map[string]string{
			"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:" + account.Region + ":" + account.ID + ":log-group:*",
		}},
	})
	k.kms.SetPolicy(Policy(k.statements...))
}
