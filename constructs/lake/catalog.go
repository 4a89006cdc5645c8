package lake

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogdatabase"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// CatalogProps configures a Catalog.
type CatalogProps struct {
	Name        string           // required; lower case letters, digits and underscores, at most 255
	Description string           // required
	Account     security.Account // required
}

var catalogFormat = regexp.MustCompile(`^[a-z0-9_]{1,255}$`)

func (p CatalogProps) validate() error {
	return errors.Join(
		check.That(catalogFormat.MatchString(p.Name), "Name must be 1 to 255 lower case letters, digits and underscores, got %q", p.Name),
		check.Required("Description", p.Description != ""),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
	)
}

// Catalog is a Glue database: it says which tables lie in the buckets.
type Catalog struct {
	name     string
	account  security.Account
	database gluecatalogdatabase.GlueCatalogDatabase
}

// NewCatalog defines a Catalog in scope.
func NewCatalog(scope constructs.Construct, id string, p CatalogProps) (*Catalog, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("catalog %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	return &Catalog{p.Name, p.Account, gluecatalogdatabase.NewGlueCatalogDatabase(scope, jsii.String("this"), &gluecatalogdatabase.GlueCatalogDatabaseConfig{
		Name: &p.Name, Description: &p.Description, CatalogId: &p.Account.ID,
	})}, nil
}

// Name is a token: whoever uses it waits for the database.
func (c *Catalog) Name() *string { return c.database.Name() }

// allow lets role act on the tables whose names match pattern. Glue asks for
// an action on a table to be allowed on the catalog and the database too.
func (c *Catalog) allow(role *security.Role, pattern string, actions ...string) {
	arn := "arn:aws:glue:" + c.account.Region + ":" + c.account.ID + ":"
	for _, resource := range []string{"catalog", "database/" + c.name, "table/" + c.name + "/" + pattern} {
		role.Allow(jsii.String(arn+resource), actions...)
	}
}

// readsTable is what a table's readers do in the catalog.
var readsTable = []string{"glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions"}
