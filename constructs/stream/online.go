package stream

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

// OnlineTableProps configures an OnlineTable.
type OnlineTableProps struct {
	Name          string        // required; unique in the account and region
	Key           *security.Key // required; encrypts the table
	ReplicaRegion string        // another region in which the table is kept too; default none
	ReplicaKey    *security.Key // required with ReplicaRegion; of that region
	Protect       bool          // whether AWS and Terraform refuse to destroy it; default false
}

func (p OnlineTableProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Key", p.Key != nil),
		check.That((p.ReplicaRegion == "") == (p.ReplicaKey == nil), "ReplicaKey is required with ReplicaRegion, and only then"),
	)
}

// Names of the OnlineTable's attributes.
const (
	OnlineVisitor = "shop_visitor" // SHOP#VISITOR
	OnlineFeature = "feature"      // what the item holds, such as session
	OnlineExpiry  = "expires_at"   // seconds since 1970, at which DynamoDB forgets the item
)

// OnlineTable holds what is known of a visitor now: the session so far, and
// rolling features. Stream processing writes it, predictions read it; items
// expire, so that what a visitor did is gone when it is of no more use.
type OnlineTable struct {
	key   *security.Key
	table dynamodbtable.DynamodbTable
}

// NewOnlineTable defines an OnlineTable in scope.
func NewOnlineTable(scope constructs.Construct, id string, p OnlineTableProps) (*OnlineTable, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("online table %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	config := &dynamodbtable.DynamodbTableConfig{
		Name:        &p.Name,
		BillingMode: jsii.String("PAY_PER_REQUEST"),
		HashKey:     jsii.String(OnlineVisitor),
		RangeKey:    jsii.String(OnlineFeature),
		Attribute: []*dynamodbtable.DynamodbTableAttribute{
			{Name: jsii.String(OnlineVisitor), Type: jsii.String("S")},
			{Name: jsii.String(OnlineFeature), Type: jsii.String("S")},
		},
		Ttl:                       &dynamodbtable.DynamodbTableTtl{Enabled: true, AttributeName: jsii.String(OnlineExpiry)},
		DeletionProtectionEnabled: &p.Protect,
		PointInTimeRecovery:       &dynamodbtable.DynamodbTablePointInTimeRecovery{Enabled: true},
		ServerSideEncryption:      &dynamodbtable.DynamodbTableServerSideEncryption{Enabled: true, KmsKeyArn: p.Key.ARN()},
		Lifecycle:                 &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	}
	if p.ReplicaRegion != "" {
		config.StreamEnabled, config.StreamViewType = true, jsii.String("NEW_AND_OLD_IMAGES") // global tables copy by it
		config.Replica = []*dynamodbtable.DynamodbTableReplica{{
			RegionName: &p.ReplicaRegion, KmsKeyArn: p.ReplicaKey.ARN(), PointInTimeRecovery: true, PropagateTags: true,
		}}
	}
	return &OnlineTable{p.Key, dynamodbtable.NewDynamodbTable(scope, jsii.String("this"), config)}, nil
}

// Name is a token: whoever uses it waits for the table.
func (t *OnlineTable) Name() *string { return t.table.Name() }

// GrantWrite lets role write items; it reads none.
func (t *OnlineTable) GrantWrite(role *security.Role) {
	role.Allow(t.table.Arn(), "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem")
	t.key.GrantEncrypt(role)
	t.key.GrantDecrypt(role) // DynamoDB opens an item's key to write it
}

// GrantRead lets role read items.
func (t *OnlineTable) GrantRead(role *security.Role) {
	role.Allow(t.table.Arn(), "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
	t.key.GrantDecrypt(role)
}

// GrantErase lets role find and delete a visitor's items, and see until when
// backups hold them.
func (t *OnlineTable) GrantErase(role *security.Role) {
	role.Allow(t.table.Arn(), "dynamodb:DeleteItem", "dynamodb:DescribeContinuousBackups", "dynamodb:Query")
	t.key.GrantDecrypt(role)
}
