package lake

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogtable"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// IcebergTableProps configures an IcebergTable.
type IcebergTableProps struct {
	Name      string   // required; unique in the catalog
	Catalog   *Catalog // required
	Bucket    *Bucket  // required; holds the table under its name
	Row       any      // required; a value of the contract's type that a row holds
	Optimizer string   // required; name of the optimizers' role, unique in the account, at most 64 characters
	Protect   bool     // whether Terraform refuses to destroy it; default false
}

func (p IcebergTableProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Catalog", p.Catalog != nil),
		check.Required("Bucket", p.Bucket != nil),
		check.That(reflect.ValueOf(p.Row).Kind() == reflect.Struct, "Row must be a value of a struct, got %T", p.Row),
		check.Required("Optimizer", p.Optimizer != ""),
		check.Between("length of Optimizer", len(p.Optimizer), 1, 64),
	)
}

// IcebergTable is a table that jobs merge into and Glue keeps in shape.
// Terraform creates it once, unpartitioned, which is all that this provider
// can; from then on the jobs' migrations own its schema and partitions.
//
//	IcebergTable
//	├── this                   aws_glue_catalog_table
//	├── role                   aws_iam_role and its policy, of the optimizers
//	├── compaction             aws_glue_catalog_table_optimizer: joins small files
//	├── retention              aws_glue_catalog_table_optimizer: forgets snapshots
//	└── orphan_file_deletion   aws_glue_catalog_table_optimizer: sweeps up after failed writes
type IcebergTable struct {
	name    string
	catalog *Catalog
	bucket  *Bucket
}

// NewIcebergTable defines an IcebergTable in scope.
func NewIcebergTable(scope constructs.Construct, id string, p IcebergTableProps) (*IcebergTable, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("table %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	t := &IcebergTable{p.Name, p.Catalog, p.Bucket}
	table := gluecatalogtable.NewGlueCatalogTable(scope, jsii.String("this"), &gluecatalogtable.GlueCatalogTableConfig{
		Name:         &p.Name,
		DatabaseName: p.Catalog.Name(),
		CatalogId:    &p.Catalog.account.ID,
		TableType:    jsii.String("EXTERNAL_TABLE"),
		OpenTableFormatInput: &gluecatalogtable.GlueCatalogTableOpenTableFormatInput{
			IcebergInput: &gluecatalogtable.GlueCatalogTableOpenTableFormatInputIcebergInput{
				MetadataOperation: jsii.String("CREATE"), Version: jsii.String("2"),
			},
		},
		StorageDescriptor: &gluecatalogtable.GlueCatalogTableStorageDescriptor{
			Location: jsii.String(t.location()),
			Columns:  columns(p.Row, icebergFormat),
		},
		Lifecycle: &cdktf.TerraformResourceLifecycle{
			PreventDestroy: &p.Protect,
			// Every commit writes these: Terraform would take the table back
			// to its first metadata.
			IgnoreChanges: jsii.Strings("parameters", "partition_keys", "storage_descriptor"),
		},
	})
	return t, t.optimize(scope, table, p)
}

func (t *IcebergTable) location() string { return "s3://" + t.bucket.Name() + "/" + t.prefix() }

func (t *IcebergTable) prefix() string { return t.name + "/" }

// GrantRead lets role query the table.
func (t *IcebergTable) GrantRead(role *security.Role) {
	t.catalog.allow(role, t.name, readsTable...)
	t.bucket.GrantRead(role, t.prefix())
}

// GrantWrite lets role query the table, and insert, merge and delete rows.
func (t *IcebergTable) GrantWrite(role *security.Role) {
	t.GrantRead(role)
	t.catalog.allow(role, t.name, "glue:UpdateTable")
	t.bucket.GrantWrite(role, t.prefix())
	t.bucket.GrantDelete(role, t.prefix())
}
