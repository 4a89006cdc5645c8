package lake

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecrawler"
	configuration "github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluesecurityconfiguration"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// SecurityConfigurationProps configures a SecurityConfiguration.
type SecurityConfigurationProps struct {
	Name    string        // required; unique in the account and region
	Key     *security.Key // required; encrypts what jobs write, and their bookmarks
	LogsKey *security.Key // required; encrypts logs; its policy allows CloudWatch Logs
}

func (p SecurityConfigurationProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Required("Key", p.Key != nil),
		check.Required("LogsKey", p.LogsKey != nil),
	)
}

// SecurityConfiguration is how Glue's jobs and crawlers encrypt.
type SecurityConfiguration struct {
	configuration configuration.GlueSecurityConfiguration
}

// NewSecurityConfiguration defines a SecurityConfiguration in scope.
func NewSecurityConfiguration(scope constructs.Construct, id string, p SecurityConfigurationProps) (*SecurityConfiguration, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("security configuration %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	return &SecurityConfiguration{configuration.NewGlueSecurityConfiguration(scope, jsii.String("this"), &configuration.GlueSecurityConfigurationConfig{
		Name: &p.Name,
		EncryptionConfiguration: &configuration.GlueSecurityConfigurationEncryptionConfiguration{
			S3Encryption: &configuration.GlueSecurityConfigurationEncryptionConfigurationS3Encryption{
				S3EncryptionMode: jsii.String("SSE-KMS"), KmsKeyArn: p.Key.ARN(),
			},
			JobBookmarksEncryption: &configuration.GlueSecurityConfigurationEncryptionConfigurationJobBookmarksEncryption{
				JobBookmarksEncryptionMode: jsii.String("CSE-KMS"), KmsKeyArn: p.Key.ARN(),
			},
			CloudwatchEncryption: &configuration.GlueSecurityConfigurationEncryptionConfigurationCloudwatchEncryption{
				CloudwatchEncryptionMode: jsii.String("SSE-KMS"), KmsKeyArn: p.LogsKey.ARN(),
			},
		},
	})}, nil
}

// Name is a token: whoever uses it waits for the configuration.
func (c *SecurityConfiguration) Name() *string { return c.configuration.Name() }

// CrawlerProps configures a Crawler.
type CrawlerProps struct {
	Name     string                 // required; unique in the account and region, at most 64 characters
	Catalog  *Catalog               // required
	Bucket   *Bucket                // required
	Prefix   string                 // required; of the objects, ends with "/"
	Security *SecurityConfiguration // required
}

func (p CrawlerProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Catalog", p.Catalog != nil),
		check.Required("Bucket", p.Bucket != nil),
		check.That(strings.HasSuffix(p.Prefix, "/"), "Prefix must end with \"/\", got %q", p.Prefix),
		check.Required("Security", p.Security != nil),
	)
}

// discovered begins the names of the tables that a crawler makes.
const discovered = "discovered_"

// NewCrawler defines a Glue crawler that looks into objects for what no
// contract says: of the quarantine, which fields shops send that it does not
// know. It writes tables named discovered_ and the last part of their path.
//
//	Crawler
//	├── role   aws_iam_role and its policy
//	└── this   aws_glue_crawler
func NewCrawler(scope constructs.Construct, id string, p CrawlerProps) error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("crawler %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name, AssumedBy: "glue.amazonaws.com"})
	if err != nil {
		return fmt.Errorf("crawler %q: %w", id, err)
	}
	p.Bucket.GrantRead(role, p.Prefix)
	p.Catalog.allow(role, discovered+"*", "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable",
		"glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition", "glue:BatchCreatePartition", "glue:UpdatePartition")
	account := p.Catalog.account
	role.Allow(jsii.String("arn:aws:logs:"+account.Region+":"+account.ID+":log-group:/aws-glue/crawlers*"),
		"logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")

	gluecrawler.NewGlueCrawler(scope, jsii.String("this"), &gluecrawler.GlueCrawlerConfig{
		Name:                  &p.Name,
		Description:           jsii.String("Finds out what " + p.Prefix + " holds that no contract says."),
		Role:                  role.ARN(),
		DatabaseName:          p.Catalog.Name(),
		TablePrefix:           jsii.String(discovered),
		Schedule:              jsii.String("cron(0 3 * * ? *)"), // UTC
		SecurityConfiguration: p.Security.Name(),
		S3Target: []*gluecrawler.GlueCrawlerS3Target{{
			Path:       jsii.String("s3://" + p.Bucket.Name() + "/" + p.Prefix),
			SampleSize: jsii.Number(10), // objects an hour: the shape shows in a few
		}},
		// One table, whatever the shapes of its objects.
		Configuration:      jsii.String(`{"Version":1,"Grouping":{"TableGroupingPolicy":"CombineCompatibleSchemas"}}`),
		SchemaChangePolicy: &gluecrawler.GlueCrawlerSchemaChangePolicy{UpdateBehavior: jsii.String("UPDATE_IN_DATABASE"), DeleteBehavior: jsii.String("LOG")},
		RecrawlPolicy:      &gluecrawler.GlueCrawlerRecrawlPolicy{RecrawlBehavior: jsii.String("CRAWL_EVERYTHING")},
		DependsOn:          role.Grants(),
	})
	return nil
}
