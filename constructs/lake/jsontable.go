package lake

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogtable"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// JSONTableProps configures a JSONTable.
type JSONTableProps struct {
	Name        string   // required; unique in the catalog
	Description string   // required
	Catalog     *Catalog // required
	Bucket      *Bucket  // required; holds the objects
	Prefix      string   // required; of the objects, ends with "/"
	Row         any      // required; a value of the contract's type whose JSON a line holds
	DateKey     string   // name of the day in the objects' names; default date
	HourKey     string   // name of the hour in the objects' names; default hour
	Days        int      // how far back a query without a date looks, 1 to 3650; default 400
}

func (p JSONTableProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Description", p.Description != ""),
		check.Required("Catalog", p.Catalog != nil),
		check.Required("Bucket", p.Bucket != nil),
		check.That(strings.HasSuffix(p.Prefix, "/"), "Prefix must end with \"/\", got %q", p.Prefix),
		check.That(reflect.ValueOf(p.Row).Kind() == reflect.Struct, "Row must be a value of a struct, got %T", p.Row),
		check.Between("Days", p.Days, 1, 3650),
	)
}

// JSONTable is a table over gzip objects of JSON lines, by day and hour. Its
// partitions are computed from a query's days, not registered: an object can be
// queried as soon as it is there.
type JSONTable struct {
	name    string
	prefix  string
	catalog *Catalog
	bucket  *Bucket
}

// NewJSONTable defines a JSONTable in scope.
func NewJSONTable(scope constructs.Construct, id string, p JSONTableProps) (*JSONTable, error) {
	p.DateKey, p.HourKey = cmp.Or(p.DateKey, "date"), cmp.Or(p.HourKey, "hour")
	p.Days = cmp.Or(p.Days, 400)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("table %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	location := "s3://" + p.Bucket.Name() + "/" + p.Prefix
	gluecatalogtable.NewGlueCatalogTable(scope, jsii.String("this"), &gluecatalogtable.GlueCatalogTableConfig{
		Name:         &p.Name,
		Description:  &p.Description,
		DatabaseName: p.Catalog.Name(),
		CatalogId:    &p.Catalog.account.ID,
		TableType:    jsii.String("EXTERNAL_TABLE"),
		PartitionKeys: []*gluecatalogtable.GlueCatalogTablePartitionKeys{
			{Name: &p.DateKey, Type: jsii.String("string")}, {Name: &p.HourKey, Type: jsii.String("string")},
		},
		Parameters: &map[string]*string{
			"EXTERNAL":                            jsii.String("TRUE"),
			"classification":                      jsii.String("json"),
			"compressionType":                     jsii.String("gzip"),
			"projection.enabled":                  jsii.String("true"),
			"projection." + p.DateKey + ".type":   jsii.String("date"),
			"projection." + p.DateKey + ".format": jsii.String("yyyy-MM-dd"),
			"projection." + p.DateKey + ".range":  jsii.String(fmt.Sprintf("NOW-%dDAYS,NOW", p.Days)),
			"projection." + p.HourKey + ".type":   jsii.String("integer"),
			"projection." + p.HourKey + ".range":  jsii.String("0,23"),
			"projection." + p.HourKey + ".digits": jsii.String("2"),
			"storage.location.template":           jsii.String(fmt.Sprintf("%s%s=$${%[2]s}/%s=$${%[3]s}/", location, p.DateKey, p.HourKey)), // $$ is Terraform's $
		},
		StorageDescriptor: &gluecatalogtable.GlueCatalogTableStorageDescriptor{
			Location:     &location,
			Columns:      columns(p.Row, jsonFormat),
			InputFormat:  jsii.String("org.apache.hadoop.mapred.TextInputFormat"),
			OutputFormat: jsii.String("org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"),
			SerDeInfo: &gluecatalogtable.GlueCatalogTableStorageDescriptorSerDeInfo{
				SerializationLibrary: jsii.String("org.openx.data.jsonserde.JsonSerDe"),
			},
		},
	})
	return &JSONTable{p.Name, p.Prefix, p.Catalog, p.Bucket}, nil
}

// GrantRead lets role query the table.
func (t *JSONTable) GrantRead(role *security.Role) {
	t.catalog.allow(role, t.name, readsTable...)
	t.bucket.GrantRead(role, t.prefix)
}
