package ingest

import (
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontcachepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontdistribution"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontoriginaccesscontrol"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontresponseheaderspolicy"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// TrackerProps configures a Tracker.
type TrackerProps struct {
	Name    string           // required; unique in the account, at most 64 characters
	Account security.Account // required; Region is the bucket's
	Files   *lake.Bucket     // required; holds the releases under t/
	Domain  Domain           // its certificate is of us-east-1; default the name that AWS gives, which also takes TLS 1.0
	Protect bool             // whether Terraform refuses to destroy it; default false
}

func (p TrackerProps) validate() error {
	return errors.Join(
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
		check.Required("Files", p.Files != nil),
		p.Domain.Validate("Domain", CloudFrontRegion),
	)
}

// Tracker brings the script to shoppers' browsers. A release is t/VERSION/s.js:
// whoever puts it says how long it may be kept (Cache-Control), and nobody
// puts another in its place. t/1/s.js is the current one, for five minutes.
// There are no access logs: they would hold every shopper's address.
//
//	Tracker
//	├── access             aws_cloudfront_origin_access_control
//	├── five_minutes       aws_cloudfront_cache_policy
//	├── releases, current  aws_cloudfront_response_headers_policy
//	└── this               aws_cloudfront_distribution
type Tracker struct {
	files        *lake.Bucket
	domain       Domain
	distribution cloudfrontdistribution.CloudfrontDistribution
}

const (
	trackerPrefix  = "t/"
	currentSeconds = 300
	// A version has a dot, which tells it from the current release, t/1/.
	releasePattern = "t/*.*/*"
	currentPattern = "/t/1/*"
	// cachingOptimized is AWS's own policy: by path alone, for as long as
	// Cache-Control says.
	cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
)

// NewTracker defines a Tracker in scope.
func NewTracker(scope constructs.Construct, id string, p TrackerProps) (*Tracker, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("tracker %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	t := &Tracker{files: p.Files, domain: p.Domain}
	t.distribution = cloudfrontdistribution.NewCloudfrontDistribution(scope, jsii.String("this"), p.distribution(scope))
	p.admit(t.distribution)
	return t, nil
}

func (p TrackerProps) distribution(scope constructs.Construct) *cloudfrontdistribution.CloudfrontDistributionConfig {
	const origin = "files"
	access := cloudfrontoriginaccesscontrol.NewCloudfrontOriginAccessControl(scope, jsii.String("access"), &cloudfrontoriginaccesscontrol.CloudfrontOriginAccessControlConfig{
		Name: &p.Name, OriginAccessControlOriginType: jsii.String("s3"), SigningBehavior: jsii.String("always"), SigningProtocol: jsii.String("sigv4"),
	})
	releases, current := p.newHeaders(scope, "releases", 0), p.newHeaders(scope, "current", currentSeconds)
	fiveMinutes := p.newFiveMinutes(scope)
	config := &cloudfrontdistribution.CloudfrontDistributionConfig{
		Comment:       jsii.String(p.Name),
		Enabled:       true,
		IsIpv6Enabled: true,
		HttpVersion:   jsii.String("http2and3"),
		PriceClass:    jsii.String("PriceClass_100"),
		Origin: []*cloudfrontdistribution.CloudfrontDistributionOrigin{{
			OriginId: jsii.String(origin), DomainName: jsii.String(*p.Files.ID() + ".s3." + p.Account.Region + ".amazonaws.com"),
			OriginAccessControlId: access.Id(),
		}},
		DefaultCacheBehavior: &cloudfrontdistribution.CloudfrontDistributionDefaultCacheBehavior{
			TargetOriginId: jsii.String(origin), ViewerProtocolPolicy: jsii.String("redirect-to-https"), Compress: true,
			AllowedMethods: jsii.Strings("GET", "HEAD"), CachedMethods: jsii.Strings("GET", "HEAD"),
			CachePolicyId: jsii.String(cachingOptimized), ResponseHeadersPolicyId: releases.Id(),
		},
		OrderedCacheBehavior: []*cloudfrontdistribution.CloudfrontDistributionOrderedCacheBehavior{{
			PathPattern:    jsii.String(currentPattern),
			TargetOriginId: jsii.String(origin), ViewerProtocolPolicy: jsii.String("redirect-to-https"), Compress: true,
			AllowedMethods: jsii.Strings("GET", "HEAD"), CachedMethods: jsii.Strings("GET", "HEAD"),
			CachePolicyId: fiveMinutes.Id(), ResponseHeadersPolicyId: current.Id(),
		}},
		Restrictions: &cloudfrontdistribution.CloudfrontDistributionRestrictions{
			GeoRestriction: &cloudfrontdistribution.CloudfrontDistributionRestrictionsGeoRestriction{RestrictionType: jsii.String("none")},
		},
		ViewerCertificate: &cloudfrontdistribution.CloudfrontDistributionViewerCertificate{CloudfrontDefaultCertificate: true},
		Lifecycle:         &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
	}
	if p.Domain.Name != "" {
		config.Aliases = jsii.Strings(p.Domain.Name)
		config.ViewerCertificate = &cloudfrontdistribution.CloudfrontDistributionViewerCertificate{
			AcmCertificateArn: &p.Domain.CertificateARN, MinimumProtocolVersion: jsii.String("TLSv1.2_2021"), SslSupportMethod: jsii.String("sni-only"),
		}
	}
	return config
}

// newFiveMinutes bounds what an edge keeps, whatever Cache-Control says.
func (p TrackerProps) newFiveMinutes(scope constructs.Construct) cloudfrontcachepolicy.CloudfrontCachePolicy {
	none := jsii.String("none")
	return cloudfrontcachepolicy.NewCloudfrontCachePolicy(scope, jsii.String("five_minutes"), &cloudfrontcachepolicy.CloudfrontCachePolicyConfig{
		Name: jsii.String(p.Name + "-five-minutes"), MinTtl: jsii.Number(0), DefaultTtl: jsii.Number(currentSeconds), MaxTtl: jsii.Number(currentSeconds),
		ParametersInCacheKeyAndForwardedToOrigin: &cloudfrontcachepolicy.CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOrigin{
			EnableAcceptEncodingBrotli: true, EnableAcceptEncodingGzip: true,
			CookiesConfig:      &cloudfrontcachepolicy.CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginCookiesConfig{CookieBehavior: none},
			HeadersConfig:      &cloudfrontcachepolicy.CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfig{HeaderBehavior: none},
			QueryStringsConfig: &cloudfrontcachepolicy.CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfig{QueryStringBehavior: none},
		},
	})
}

// newHeaders lets every page load the script with an integrity hash, which
// browsers check only of what is shared by CORS. It sets no time for releases:
// CloudFront would also set it on the error for one that is not there yet.
func (p TrackerProps) newHeaders(scope constructs.Construct, id string, maxAge int) cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicy {
	items := []*cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCustomHeadersConfigItems{
		{Header: jsii.String("Cross-Origin-Resource-Policy"), Value: jsii.String("cross-origin"), Override: true},
		{Header: jsii.String("Timing-Allow-Origin"), Value: jsii.String("*"), Override: true},
	}
	if maxAge > 0 {
		items = append(items, &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCustomHeadersConfigItems{
			Header: jsii.String("Cache-Control"), Value: jsii.String(fmt.Sprintf("public, max-age=%d", maxAge)), Override: true,
		})
	}
	return cloudfrontresponseheaderspolicy.NewCloudfrontResponseHeadersPolicy(scope, &id, &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyConfig{
		Name: jsii.String(p.Name + "-" + id),
		CorsConfig: &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCorsConfig{
			AccessControlAllowCredentials: false,
			AccessControlAllowOrigins:     &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowOrigins{Items: jsii.Strings("*")},
			AccessControlAllowMethods:     &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowMethods{Items: jsii.Strings("GET", "HEAD")},
			AccessControlAllowHeaders:     &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCorsConfigAccessControlAllowHeaders{Items: jsii.Strings("*")},
			OriginOverride:                true,
		},
		SecurityHeadersConfig: &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfig{
			ContentTypeOptions: &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigContentTypeOptions{Override: true},
			StrictTransportSecurity: &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurity{
				AccessControlMaxAgeSec: jsii.Number(31_536_000), Override: true,
			},
		},
		CustomHeadersConfig: &cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCustomHeadersConfig{Items: items},
	})
}

// admit lets this distribution read the files, and nobody put a release twice.
func (p TrackerProps) admit(d cloudfrontdistribution.CloudfrontDistribution) {
	bucket := "arn:aws:s3:::" + p.Files.Name() + "/"
	p.Files.Allow(security.Statement{
		Sid: "Tracker", Effect: "Allow", Principal: security.Service("cloudfront.amazonaws.com"),
		Action: "s3:GetObject", Resource: bucket + trackerPrefix + "*",
		Condition: map[string]any{"StringEquals": map[string]string{"aws:SourceArn": *d.Arn()}},
	})
	// Without If-None-Match nothing is put, and with it nothing over an object.
	p.Files.Allow(security.Statement{
		Sid: "ReleasesAreFinal", Effect: "Deny", Principal: "*",
		Action: "s3:PutObject", Resource: bucket + releasePattern,
		Condition: map[string]any{"Null": map[string]string{"s3:if-none-match": "true"}},
	})
	p.Files.Key().AllowService("cloudfront.amazonaws.com", "arn:aws:cloudfront::"+p.Account.ID+":distribution/*", "kms:Decrypt")
}

// GrantPublish lets role put releases and make one the current.
func (t *Tracker) GrantPublish(role *security.Role) {
	role.Allow(jsii.String("arn:aws:s3:::"+t.files.Name()+"/"+trackerPrefix+"*"), "s3:GetObject", "s3:PutObject")
	t.files.Key().GrantEncrypt(role)
	t.files.Key().GrantDecrypt(role)
}

// ARN is a token.
func (t *Tracker) ARN() *string { return t.distribution.Arn() }

// DNSName is a token: what the record of the Domain points to.
func (t *Tracker) DNSName() *string { return t.distribution.DomainName() }

// URL is a token: what t/1/s.js is appended to.
func (t *Tracker) URL() *string {
	if t.domain.Name != "" {
		return jsii.String("https://" + t.domain.Name + "/")
	}
	return jsii.String("https://" + *t.DNSName() + "/")
}
