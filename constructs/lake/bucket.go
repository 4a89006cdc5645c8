// Package lake is the tier of stored data: the events stream delivers packs to
// its raw zone, preprocess writes what it rejects to the quarantine and its
// receipts to the ledger, and batch jobs read all of them.
package lake

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucket"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketlifecycleconfiguration"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketownershipcontrols"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketpublicaccessblock"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketserversideencryptionconfiguration"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketversioning"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// BucketProps configures a Bucket.
type BucketProps struct {
	Name             string        // required; unique in the world
	Key              *security.Key // required; encrypts every object
	AccessLogs       *AccessLogs   // takes a line for each request; default none
	GlacierAfterDays int           // age at which objects move to Glacier Instant Retrieval, 30 to 3650; default never
	ExpireAfterDays  int           // age at which objects are deleted, 1 to 3650; their bytes go 30 days later, at 7 or under a day later; default never
	ExpirePrefixes   []string      // under which they are, each ending with "/"; needs ExpireAfterDays; default everywhere
	Protect          bool          // whether Terraform refuses to destroy it; default false
	DeleteObjects    bool          // whether destroying it deletes its objects, which needs Protect to be false; default false

	Provider cdktf.TerraformProvider // of the bucket's region, which is the Key's; default the stack's own
}

func (p BucketProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 3, 63),
		check.Required("Key", p.Key != nil),
		check.That(!p.Protect || !p.DeleteObjects, "DeleteObjects must be false where Protect is true"),
	}
	if p.GlacierAfterDays != 0 {
		errs = append(errs, ValidateGlacierAfter("GlacierAfterDays", p.GlacierAfterDays))
	}
	if p.ExpireAfterDays != 0 {
		errs = append(errs, check.Between("ExpireAfterDays", p.ExpireAfterDays, 1, 3650))
	}
	errs = append(errs, check.That(len(p.ExpirePrefixes) == 0 || p.ExpireAfterDays != 0, "ExpirePrefixes needs ExpireAfterDays"))
	for _, prefix := range p.ExpirePrefixes {
		errs = append(errs, check.That(len(prefix) > 1 && strings.HasSuffix(prefix, "/"), `ExpirePrefixes must end with "/", got %q`, prefix))
	}
	return errors.Join(errs...)
}

// ValidateGlacierAfter holds days to what BucketProps.GlacierAfterDays takes.
func ValidateGlacierAfter(field string, days int) error { return check.Between(field, days, 30, 3650) }

// Bucket is a private, encrypted, versioned S3 bucket that answers TLS only.
//
//	Bucket
//	├── this            aws_s3_bucket
//	├── versioning      aws_s3_bucket_versioning
//	├── encryption      aws_s3_bucket_server_side_encryption_configuration, with bucket keys
//	├── public_access   aws_s3_bucket_public_access_block
//	├── ownership       aws_s3_bucket_ownership_controls
//	├── policy          aws_s3_bucket_policy: TLS only, grown by Allow
//	├── lifecycle       aws_s3_bucket_lifecycle_configuration
//	└── access_log      aws_s3_bucket_logging
type Bucket struct {
	name       string
	key        *security.Key
	bucket     s3bucket.S3Bucket
	versioning s3bucketversioning.S3BucketVersioningA
	policy     s3bucketpolicy.S3BucketPolicy
	statements []security.Statement
}

// NewBucket defines a Bucket in scope.
func NewBucket(scope constructs.Construct, id string, p BucketProps) (*Bucket, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("bucket %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	bucket := newBucket(scope, p)
	if p.AccessLogs != nil {
		p.AccessLogs.take(scope, bucket, p.Provider)
	}
	return bucket, nil
}

// newBucket defines a bucket that S3's own keys encrypt where p has none.
func newBucket(scope constructs.Construct, p BucketProps) *Bucket {
	bucket := s3bucket.NewS3Bucket(scope, jsii.String("this"), &s3bucket.S3BucketConfig{
		Bucket:       &p.Name,
		ForceDestroy: &p.DeleteObjects,
		Lifecycle:    &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
		Provider:     p.Provider,
	})
	versioning := s3bucketversioning.NewS3BucketVersioningA(scope, jsii.String("versioning"), &s3bucketversioning.S3BucketVersioningAConfig{
		Bucket:                  bucket.Id(),
		VersioningConfiguration: &s3bucketversioning.S3BucketVersioningVersioningConfiguration{Status: jsii.String("Enabled")},
		Provider:                p.Provider,
	})
	encrypt(scope, bucket, p)
	access := s3bucketpublicaccessblock.NewS3BucketPublicAccessBlock(scope, jsii.String("public_access"), &s3bucketpublicaccessblock.S3BucketPublicAccessBlockConfig{
		Bucket:          bucket.Id(),
		BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true,
		Provider: p.Provider,
	})
	s3bucketownershipcontrols.NewS3BucketOwnershipControls(scope, jsii.String("ownership"), &s3bucketownershipcontrols.S3BucketOwnershipControlsConfig{
		Bucket:   bucket.Id(),
		Rule:     &s3bucketownershipcontrols.S3BucketOwnershipControlsRule{ObjectOwnership: jsii.String("BucketOwnerEnforced")},
		Provider: p.Provider,
	})
	statements := []security.Statement{{
		Sid:       "TLSOnly",
		Effect:    "Deny",
		Principal: "*",
		Action:    "s3:*",
		Resource:  []string{"arn:aws:s3:::" + p.Name, "arn:aws:s3:::" + p.Name + "/*"},
		Condition: map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}},
	}}
	policy := s3bucketpolicy.NewS3BucketPolicy(scope, jsii.String("policy"), &s3bucketpolicy.S3BucketPolicyConfig{
		Bucket:    bucket.Id(),
		Policy:    security.Policy(statements...),
		DependsOn: &[]cdktf.ITerraformDependable{access}, // S3 refuses two of these writes at once
		Provider:  p.Provider,
	})
	s3bucketlifecycleconfiguration.NewS3BucketLifecycleConfiguration(scope, jsii.String("lifecycle"), &s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationConfig{
		Bucket:    bucket.Id(),
		Rule:      lifecycleRules(p),
		DependsOn: &[]cdktf.ITerraformDependable{versioning}, // rules on old versions need versions
		Provider:  p.Provider,
	})
	return &Bucket{p.Name, p.Key, bucket, versioning, policy, statements}
}

func encrypt(scope constructs.Construct, bucket s3bucket.S3Bucket, p BucketProps) {
	encryption := &s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA{
		SseAlgorithm: jsii.String("AES256"),
	}
	rule := &s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationRuleA{ApplyServerSideEncryptionByDefault: encryption}
	if p.Key != nil {
		encryption.SseAlgorithm, encryption.KmsMasterKeyId = jsii.String("aws:kms"), p.Key.ARN()
		rule.BucketKeyEnabled = true // else KMS requests cost more than the storage
	}
	s3bucketserversideencryptionconfiguration.NewS3BucketServerSideEncryptionConfigurationA(scope, jsii.String("encryption"),
		&s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationAConfig{
			Bucket:   bucket.Id(),
			Rule:     []*s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationRuleA{rule},
			Provider: p.Provider,
		})
}

func lifecycleRules(p BucketProps) []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRule {
	noncurrentDays := 30 // how long a deletion by accident can be undone
	if 0 < p.ExpireAfterDays && p.ExpireAfterDays <= 7 {
		noncurrentDays = 1 // what must be gone soon is gone
	}
	rule := func(id, prefix string) *s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRule {
		return &s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRule{
			Id: &id, Status: jsii.String("Enabled"),
			Filter: []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleFilter{{Prefix: &prefix}},
		}
	}
	cleanup := rule("cleanup", "")
	cleanup.AbortIncompleteMultipartUpload = []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload{{
		DaysAfterInitiation: jsii.Number(7),
	}}
	cleanup.NoncurrentVersionExpiration = []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration{{
		NoncurrentDays: jsii.Number(noncurrentDays),
	}}
	rules := []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRule{cleanup}
	if p.GlacierAfterDays > 0 {
		archive := rule("archive", "")
		archive.Transition = []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleTransition{{
			Days: jsii.Number(p.GlacierAfterDays), StorageClass: jsii.String("GLACIER_IR"),
		}}
		rules = append(rules, archive)
	}
	if p.ExpireAfterDays == 0 {
		return rules
	}
	prefixes := p.ExpirePrefixes
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	for _, prefix := range prefixes {
		expire := rule(strings.TrimRight("expire-"+prefix, "-/"), prefix)
		expire.Expiration = []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleExpiration{{
			Days: jsii.Number(p.ExpireAfterDays),
		}}
		rules = append(rules, expire)
	}
	return rules
}

// ARN is a token.
func (b *Bucket) ARN() *string { return b.bucket.Arn() }

// ID is a token: the bucket's name, for resources that must come after it.
func (b *Bucket) ID() *string { return b.bucket.Id() }

// Name is the bucket's name as text.
func (b *Bucket) Name() string { return b.name }

// Key encrypts the bucket's objects.
func (b *Bucket) Key() *security.Key { return b.key }

// Allow adds a statement to the bucket's policy, for AWS services that act in
// no role: a distribution that reads, a trail that writes. The bucket's ARN is
// arn:aws:s3::: and its Name.
func (b *Bucket) Allow(statement security.Statement) {
	b.statements = append(b.statements, statement)
	b.policy.SetPolicy(security.Policy(b.statements...))
}

// GrantWrite lets role put objects under prefix, which is "" or ends with "/".
func (b *Bucket) GrantWrite(role *security.Role, prefix string) {
	role.Allow(b.objects(prefix), "s3:PutObject", "s3:AbortMultipartUpload")
	b.key.GrantEncrypt(role)
	b.key.GrantDecrypt(role) // a multipart upload reads its parts back
}

// GrantRead lets role list the bucket and read objects under prefix.
func (b *Bucket) GrantRead(role *security.Role, prefix string) {
	role.Allow(b.objects(prefix), "s3:GetObject")
	role.Allow(b.ARN(), "s3:GetBucketLocation", "s3:ListBucket")
	b.key.GrantDecrypt(role)
}

// GrantDelete lets role delete objects under prefix, which their versions
// survive until they expire.
func (b *Bucket) GrantDelete(role *security.Role, prefix string) {
	role.Allow(b.objects(prefix), "s3:DeleteObject")
}

// GrantErase lets role read all versions of objects, put others in their place
// and delete them: for ever.
func (b *Bucket) GrantErase(role *security.Role) {
	role.Allow(b.objects(""), "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:PutObject")
	role.Allow(b.ARN(), "s3:ListBucketVersions")
	b.key.GrantEncrypt(role)
	b.key.GrantDecrypt(role)
}

// GrantDescribe lets role see when objects end, and where their copies are.
func (b *Bucket) GrantDescribe(role *security.Role) {
	role.Allow(b.ARN(), "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration")
}

func (b *Bucket) objects(prefix string) *string { return jsii.String(*b.ARN() + "/" + prefix + "*") }
