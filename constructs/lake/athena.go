package lake

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/athenanamedquery"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/athenaworkgroup"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// WorkgroupProps configures a Workgroup.
type WorkgroupProps struct {
	Name         string   // required; unique in the account and region
	Catalog      *Catalog // required; holds the tables packs, quarantined, receipts and events
	Results      *Bucket  // required; takes what queries answer
	ScanLimitGiB int      // what one query may read before Athena cancels it, at 5 USD a TiB, 1 to 102400; default 100
	DeleteAll    bool     // whether destroying it deletes the queries that people saved; default false
}

// MaxScanLimitGiB is the most that a WorkgroupProps may let a query read.
const MaxScanLimitGiB = 102_400

func (p WorkgroupProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Catalog", p.Catalog != nil),
		check.Required("Results", p.Results != nil),
		check.Between("ScanLimitGiB", p.ScanLimitGiB, 1, MaxScanLimitGiB),
	)
}

// The first line of a query is a comment that describes it.
//
//go:embed queries/*.sql
var queries embed.FS

// resultsPrefix is where queries' answers lie in the results bucket.
const resultsPrefix = "queries/"

// Workgroup is how people query the lake: with Athena, encrypted, each query
// with a limit, none with settings of its own.
//
//	Workgroup
//	├── this              aws_athena_workgroup
//	└── queries/*.sql     aws_athena_named_query, one for each file
type Workgroup struct {
	workgroup athenaworkgroup.AthenaWorkgroup
	account   security.Account
	results   *Bucket
}

// NewWorkgroup defines a Workgroup in scope.
func NewWorkgroup(scope constructs.Construct, id string, p WorkgroupProps) (*Workgroup, error) {
	p.ScanLimitGiB = cmp.Or(p.ScanLimitGiB, 100)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("workgroup %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	workgroup := athenaworkgroup.NewAthenaWorkgroup(scope, jsii.String("this"), &athenaworkgroup.AthenaWorkgroupConfig{
		Name:         &p.Name,
		Description:  jsii.String("Queries over " + p.Catalog.name + "."),
		State:        jsii.String("ENABLED"),
		ForceDestroy: &p.DeleteAll,
		Configuration: &athenaworkgroup.AthenaWorkgroupConfiguration{
			EnforceWorkgroupConfiguration:   true,
			PublishCloudwatchMetricsEnabled: true,
			BytesScannedCutoffPerQuery:      jsii.Number(float64(p.ScanLimitGiB) * (1 << 30)),
			EngineVersion:                   &athenaworkgroup.AthenaWorkgroupConfigurationEngineVersion{SelectedEngineVersion: jsii.String("Athena engine version 3")},
			ResultConfiguration: &athenaworkgroup.AthenaWorkgroupConfigurationResultConfiguration{
				OutputLocation:      jsii.String("s3://" + *p.Results.ID() + "/" + resultsPrefix),
				ExpectedBucketOwner: &p.Catalog.account.ID,
				EncryptionConfiguration: &athenaworkgroup.AthenaWorkgroupConfigurationResultConfigurationEncryptionConfiguration{
					EncryptionOption: jsii.String("SSE_KMS"), KmsKeyArn: p.Results.Key().ARN(),
				},
			},
		},
	})
	files, err := queries.ReadDir("queries")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		query, err := queries.ReadFile("queries/" + file.Name())
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(file.Name(), path.Ext(file.Name()))
		comment, _, _ := strings.Cut(string(query), "\n")
		athenanamedquery.NewAthenaNamedQuery(scope, &name, &athenanamedquery.AthenaNamedQueryConfig{
			Name:        &name,
			Description: jsii.String(strings.TrimPrefix(comment, "-- ")),
			Database:    p.Catalog.Name(),
			Workgroup:   workgroup.Name(),
			Query:       jsii.String(string(query)),
		})
	}
	return &Workgroup{workgroup, p.Catalog.account, p.Results}, nil
}

// Name is a token: whoever uses it waits for the workgroup.
func (w *Workgroup) Name() *string { return w.workgroup.Name() }

// GrantRun lets a program run queries and read their answers. What they may
// read is granted by the tables.
func (w *Workgroup) GrantRun(role *security.Role) {
	role.Allow(w.workgroup.Arn(), "athena:GetQueryExecution", "athena:GetQueryResults", "athena:StartQueryExecution", "athena:StopQueryExecution")
	w.results.GrantRead(role, resultsPrefix)
	w.results.GrantWrite(role, resultsPrefix)
}

// GrantQuery lets role run queries and read their answers, in the console too.
// What they may read is granted by the tables.
func (w *Workgroup) GrantQuery(role *security.Role) {
	role.Allow(w.workgroup.Arn(), "athena:BatchGetNamedQuery", "athena:BatchGetQueryExecution", "athena:GetNamedQuery",
		"athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetQueryRuntimeStatistics",
		"athena:GetWorkGroup", "athena:ListNamedQueries", "athena:ListQueryExecutions", "athena:StartQueryExecution",
		"athena:StopQueryExecution")
	role.Allow(jsii.String("arn:aws:athena:"+w.account.Region+":"+w.account.ID+":datacatalog/AwsDataCatalog"),
		"athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata", "athena:ListDatabases", "athena:ListTableMetadata")
	role.Allow(jsii.String("*"), "athena:ListDataCatalogs", "athena:ListEngineVersions", "athena:ListWorkGroups") // these know no resources
	w.results.GrantRead(role, resultsPrefix)
	w.results.GrantWrite(role, resultsPrefix)
}
