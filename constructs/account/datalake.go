package account

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lakeformationdatalakesettings"

	"github.com/shopstream/shopstream/internal/check"
)

// DataLakeProps configures a DataLake.
type DataLakeProps struct {
	Admins []string // required; ARNs of roles or users who may grant
}

func (p DataLakeProps) validate() error {
	errs := []error{check.Required("Admins", len(p.Admins) > 0)}
	for _, arn := range p.Admins {
		errs = append(errs, check.That(PrincipalFormat.MatchString(arn), "Admins must hold ARNs of IAM roles or users, got %q", arn))
	}
	return errors.Join(errs...)
}

// PrincipalFormat is that of a role's or user's ARN.
var PrincipalFormat = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(role|user)/[^*?]+$`)

// DataLake is Lake Formation's settings in the account and region. IAM's
// policies open new databases and tables, as they do those of the lake.
//
//	DataLake
//	└── this   aws_lakeformation_data_lake_settings
type DataLake struct{}

// NewDataLake defines a DataLake in scope.
func NewDataLake(scope constructs.Construct, id string, p DataLakeProps) (*DataLake, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("data lake %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	all, everybody := jsii.Strings("ALL"), jsii.String("IAM_ALLOWED_PRINCIPALS") // Lake Formation's word for whom IAM allows
	lakeformationdatalakesettings.NewLakeformationDataLakeSettings(scope, jsii.String("this"), &lakeformationdatalakesettings.LakeformationDataLakeSettingsConfig{
		Admins:                           jsii.Strings(p.Admins...),
		CreateDatabaseDefaultPermissions: []*lakeformationdatalakesettings.LakeformationDataLakeSettingsCreateDatabaseDefaultPermissions{{Permissions: all, Principal: everybody}},
		CreateTableDefaultPermissions:    []*lakeformationdatalakesettings.LakeformationDataLakeSettingsCreateTableDefaultPermissions{{Permissions: all, Principal: everybody}},
	})
	return &DataLake{}, nil
}
