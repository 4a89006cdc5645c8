package lake

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogtable"
	optimizer "github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogtableoptimizer"

	"github.com/shopstream/shopstream/constructs/security"
)

const (
	snapshotDays = 7 // how long the table can be read as it was, and how long deleted rows stay
	orphanDays   = 3 // age at which files of no snapshot are deleted, longer than any write takes
)

// optimize lets Glue join the table's small files, forget its old snapshots
// and delete what no snapshot holds.
func (t *IcebergTable) optimize(scope constructs.Construct, table gluecatalogtable.GlueCatalogTable, p IcebergTableProps) error {
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Optimizer, AssumedBy: "glue.amazonaws.com"})
	if err != nil {
		return fmt.Errorf("table %q: %w", t.name, err)
	}
	t.catalog.allow(role, t.name, "glue:GetTable", "glue:UpdateTable")
	t.bucket.GrantRead(role, t.prefix())
	t.bucket.GrantWrite(role, t.prefix())
	t.bucket.GrantDelete(role, t.prefix())
	account := t.catalog.account
	role.Allow(jsii.String("arn:aws:logs:"+account.Region+":"+account.ID+":log-group:/aws-glue/iceberg-*"),
		"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")

	optimize := func(kind string, configuration optimizer.GlueCatalogTableOptimizerConfiguration) {
		configuration.Enabled, configuration.RoleArn = true, role.ARN()
		optimizer.NewGlueCatalogTableOptimizer(scope, &kind, &optimizer.GlueCatalogTableOptimizerConfig{
			CatalogId:     &account.ID,
			DatabaseName:  t.catalog.Name(),
			TableName:     table.Name(),
			Type:          &kind,
			Configuration: []*optimizer.GlueCatalogTableOptimizerConfiguration{&configuration},
			DependsOn:     role.Grants(), // Glue checks them when it is created
		})
	}
	optimize("compaction", optimizer.GlueCatalogTableOptimizerConfiguration{})
	optimize("retention", optimizer.GlueCatalogTableOptimizerConfiguration{
		RetentionConfiguration: []*optimizer.GlueCatalogTableOptimizerConfigurationRetentionConfiguration{{
			IcebergConfiguration: []*optimizer.GlueCatalogTableOptimizerConfigurationRetentionConfigurationIcebergConfiguration{{
				SnapshotRetentionPeriodInDays: jsii.Number(snapshotDays),
				NumberOfSnapshotsToRetain:     jsii.Number(1), // more would keep deleted rows of a quiet table
				CleanExpiredFiles:             true,
			}},
		}},
	})
	optimize("orphan_file_deletion", optimizer.GlueCatalogTableOptimizerConfiguration{
		OrphanFileDeletionConfiguration: []*optimizer.GlueCatalogTableOptimizerConfigurationOrphanFileDeletionConfiguration{{
			IcebergConfiguration: []*optimizer.GlueCatalogTableOptimizerConfigurationOrphanFileDeletionConfigurationIcebergConfiguration{{
				OrphanFileRetentionPeriodInDays: jsii.Number(orphanDays),
				Location:                        jsii.String(t.location()),
			}},
		}},
	})
	return nil
}
