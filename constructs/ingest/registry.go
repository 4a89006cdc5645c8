// Package ingest is the tier at the edge: its collector takes batches of
// events from trackers and servers and writes them to the gateway stream. Its
// registry says which shops there are.
package ingest

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dynamodbtable"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// RegistryProps configures a Registry.
type RegistryProps struct {
	Name    string        // required; unique in the account and region
	Key     *security.Key // required; encrypts the table
	Protect bool          // whether AWS and Terraform refuse to destroy it; default false
}

func (p RegistryProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Key", p.Key != nil),
	)
}

// Registry is the table of shops, one item a publishable key: onboarding a
// shop is writing an item, never a deploy.
type Registry struct {
	key   *security.Key
	table dynamodbtable.DynamodbTable
}

// NewRegistry defines a Registry in scope.
func NewRegistry(scope constructs.Construct, id string, p RegistryProps) (*Registry, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("registry %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	return &Registry{p.Key, dynamodbtable.NewDynamodbTable(scope, jsii.String("this"), &dynamodbtable.DynamodbTableConfig{
		Name:                      &p.Name,
		BillingMode:               jsii.String("PAY_PER_REQUEST"),
		HashKey:                   jsii.String("shop_key"),
		Attribute:                 []*dynamodbtable.DynamodbTableAttribute{{Name: jsii.String("shop_key"), Type: jsii.String("S")}},
		DeletionProtectionEnabled: &p.Protect,
		PointInTimeRecovery:       &dynamodbtable.DynamodbTablePointInTimeRecovery{Enabled: true},
		ServerSideEncryption:      &dynamodbtable.DynamodbTableServerSideEncryption{Enabled: true, KmsKeyArn: p.Key.ARN()},
		Lifecycle:                 &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	})}, nil
}

// ARN is a token.
func (r *Registry) ARN() *string { return r.table.Arn() }

// Name is a token: whoever uses it waits for the table.
func (r *Registry) Name() *string { return r.table.Name() }

// GrantRead lets role look shops up.
func (r *Registry) GrantRead(role *security.Role) {
	role.Allow(r.table.Arn(), "dynamodb:GetItem")
	r.key.GrantDecrypt(role)
}

// GrantList lets role see all shops.
func (r *Registry) GrantList(role *security.Role) {
	role.Allow(r.table.Arn(), "dynamodb:Scan")
	r.key.GrantDecrypt(role)
}

// GrantManage lets role onboard shops and change them.
func (r *Registry) GrantManage(role *security.Role) {
	role.Allow(r.table.Arn(), "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem")
	r.key.GrantEncrypt(role)
	r.key.GrantDecrypt(role) // DynamoDB opens an item's key to write it
}
