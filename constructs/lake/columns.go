package lake

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogtable"

	"github.com/shopstream/shopstream/constructs/event"
)

// columns are those of a table whose rows are of row's type, with their types
// in Glue as the table's format has them.
func columns(row any, format func(event.Column) string) []*gluecatalogtable.GlueCatalogTableStorageDescriptorColumns {
	var columns []*gluecatalogtable.GlueCatalogTableStorageDescriptorColumns
	for _, c := range event.Columns(row) {
		columns = append(columns, &gluecatalogtable.GlueCatalogTableStorageDescriptorColumns{
			Name: jsii.String(c.Name), Type: jsii.String(format(c)),
		})
	}
	return columns
}

func jsonFormat(c event.Column) string    { return c.GlueJSON }
func icebergFormat(c event.Column) string { return c.Glue }
