package ingest

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaybasepathmapping"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaydeployment"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaydomainname"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaymethodsettings"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayrestapi"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaystage"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// Domain is a name of one's own and its certificate.
type Domain struct {
	Name           string // such as collect.example.com
	CertificateARN string // of ACM, for Name, in the region of what serves it
}

// CloudFrontRegion is where CloudFront takes certificates from.
const CloudFrontRegion = "us-east-1"

// Validate reports a domain that nothing in region can serve.
func (d Domain) Validate(field, region string) error {
	if d == (Domain{}) {
		return nil
	}
	return errors.Join(
		check.That(d.Name != "" && d.CertificateARN != "", "%s needs both Name and CertificateARN, or neither", field),
		check.That(d.CertificateARN == "" || region == "" || strings.HasPrefix(d.CertificateARN, "arn:aws:acm:"+region+":"),
			"CertificateARN of %s must be of ACM in %s, got %q", field, region, d.CertificateARN),
	)
}

// Throttle is what is let through; API Gateway answers 429 to the rest.
type Throttle struct {
	RequestsPerSecond int // 1 to 100000
	Burst             int // requests at once, 1 to 100000
}

func (t Throttle) validate(field string) error {
	return errors.Join(
		check.Between(field+".RequestsPerSecond", t.RequestsPerSecond, 1, 100_000),
		check.Between(field+".Burst", t.Burst, 1, 100_000),
	)
}

// APIProps configures an API.
type APIProps struct {
	Name     string             // required; unique in the account and region, at most 64 characters
	Account  security.Account   // required; has a role for API Gateway's logs
	Link     *Link              // required; leads to the collector
	Identity *Identity          // required; its tokens open the servers' route
	LogGroup *security.LogGroup // required; takes access logs without personal data
	Domain   Domain             // default the name that AWS gives; its certificate also serves the Link's load balancer

	Browsers      Throttle // of all browsers together; default 5000 a second, 10000 at once; the account has 10000 or 2500
	Servers       Throttle // of all servers together; default 500 a second, 1000 at once
	Integrator    Throttle // of each integrator; default 100 a second, 200 at once
	DailyRequests int      // of each integrator, 1 to 1000000000; default no limit
	CacheGB       string   // memory for configurations: 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237 or none; costs by the hour; default 0.5
}

func (p *APIProps) setDefaults() {
	p.Browsers = cmp.Or(p.Browsers, Throttle{5000, 10_000})
	p.Servers = cmp.Or(p.Servers, Throttle{500, 1000})
	p.Integrator = cmp.Or(p.Integrator, Throttle{100, 200})
	p.CacheGB = cmp.Or(p.CacheGB, "0.5")
}

func (p APIProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 64),
		check.Required("Account", p.Account.ID != "" && p.Account.Region != ""),
		check.Required("Link", p.Link != nil),
		check.Required("Identity", p.Identity != nil),
		check.Required("LogGroup", p.LogGroup != nil),
		p.Domain.Validate("Domain", p.Account.Region),
		p.Browsers.validate("Browsers"),
		p.Servers.validate("Servers"),
		p.Integrator.validate("Integrator"),
		check.Between("DailyRequests", p.DailyRequests, 0, 1_000_000_000),
		check.OneOf("CacheGB", p.CacheGB, "0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237", noCache),
	}
	if p.Link != nil {
		errs = append(errs, check.That((p.Domain.Name != "") == (p.Link.to.protocol == "HTTPS"),
			"Domain and the load balancer's certificate go together: the API calls the load balancer by the Domain's name"))
	}
	return errors.Join(errs...)
}

const noCache = "none"

// stageName is the first part of a path where there is no Domain.
const stageName = "live"

// API is the REST API before the collector: browsers send without a token,
// servers with one and with their key. It sends AWS's word on a caller to the
// collector in headers of which it lets none through from outside.
//
//	API
//	├── this                   aws_api_gateway_rest_api
//	├── v1, events, …          aws_api_gateway_resource
//	├── collect, …             aws_api_gateway_method, aws_api_gateway_integration, aws_api_gateway_method_settings: a route
//	├── batch                  aws_api_gateway_model
//	├── body, parameters       aws_api_gateway_request_validator
//	├── servers                aws_api_gateway_authorizer
//	├── throttled, …           aws_api_gateway_gateway_response: what the API answers by itself
//	├── deployment             aws_api_gateway_deployment
//	├── live                   aws_api_gateway_stage
//	├── every_route            aws_api_gateway_method_settings
//	├── plan                   aws_api_gateway_usage_plan
//	├── key_NAME, …            aws_api_gateway_api_key, aws_api_gateway_usage_plan_key: one an integrator
//	└── domain, mapping        aws_api_gateway_domain_name, aws_api_gateway_base_path_mapping, with Domain
type API struct {
	scope  constructs.Construct
	props  APIProps
	api    apigatewayrestapi.ApiGatewayRestApi
	stage  apigatewaystage.ApiGatewayStage
	domain apigatewaydomainname.ApiGatewayDomainName // nil without Domain
	parts  []cdktf.ITerraformDependable              // what a deployment takes a picture of
}

// NewAPI defines an API in scope.
func NewAPI(scope constructs.Construct, id string, p APIProps) (*API, error) {
	p.setDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("api %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	a := &API{scope: scope, props: p}
	a.api = apigatewayrestapi.NewApiGatewayRestApi(scope, jsii.String("this"), &apigatewayrestapi.ApiGatewayRestApiConfig{
		Name:                      &p.Name,
		Description:               jsii.String("Takes events from browsers and servers."),
		EndpointConfiguration:     &apigatewayrestapi.ApiGatewayRestApiEndpointConfiguration{Types: jsii.Strings("REGIONAL")},
		DisableExecuteApiEndpoint: p.Domain.Name != "",
		Lifecycle:                 &cdktf.TerraformResourceLifecycle{CreateBeforeDestroy: jsii.Bool(true)}, // collection goes on
	})
	routes := a.routes()
	a.defineRoutes(routes)
	a.defineAnswers()
	a.defineStage(routes)
	a.definePlan()
	a.defineDomain()
	return a, nil
}

// accessLog tells of a request what is nobody's: no address, no user agent, no
// query, no path that a caller chose.
var accessLog = map[string]string{
	"request_id":          "$context.requestId",
	"time":                "$context.requestTimeEpoch",
	"method":              "$context.httpMethod",
	"route":               "$context.resourcePath",
	"status":              "$context.status",
	"length":              "$context.responseLength",
	"latency":             "$context.responseLatency",
	"integration_latency": "$context.integrationLatency",
	"integration_status":  "$context.integrationStatus",
	"error":               "$context.error.responseType",
	"waf":                 "$context.wafResponseCode",
	"client_id":           "$context.authorizer.claims.client_id",
}

func (a *API) defineStage(routes []route) {
	p := a.props
	deployment := apigatewaydeployment.NewApiGatewayDeployment(a.scope, jsii.String("deployment"), &apigatewaydeployment.ApiGatewayDeploymentConfig{
		RestApiId: a.api.Id(),
		Triggers:  &map[string]*string{"definition": definition(routes, answers, batchSchema, p.Domain)},
		DependsOn: &a.parts,
		Lifecycle: &cdktf.TerraformResourceLifecycle{CreateBeforeDestroy: jsii.Bool(true)}, // the stage moves to the new one
	})
	config := &apigatewaystage.ApiGatewayStageConfig{
		RestApiId:          a.api.Id(),
		DeploymentId:       deployment.Id(),
		StageName:          jsii.String(stageName),
		XrayTracingEnabled: true,
		AccessLogSettings: &apigatewaystage.ApiGatewayStageAccessLogSettings{
			DestinationArn: logGroupARN(p.Account, p.LogGroup), Format: text(accessLog),
		},
	}
	if p.CacheGB != noCache {
		config.CacheClusterEnabled, config.CacheClusterSize = true, &p.CacheGB
	}
	a.stage = apigatewaystage.NewApiGatewayStage(a.scope, jsii.String("live"), config)
	apigatewaymethodsettings.NewApiGatewayMethodSettings(a.scope, jsii.String("every_route"), &apigatewaymethodsettings.ApiGatewayMethodSettingsConfig{
		RestApiId: a.api.Id(), StageName: a.stage.StageName(), MethodPath: jsii.String("*/*"),
		Settings: throttled(p.Browsers),
	})
	for _, r := range routes {
		settings := throttled(r.throttle)
		if r.cacheSeconds > 0 && p.CacheGB != noCache {
			settings.CachingEnabled, settings.CacheTtlInSeconds, settings.CacheDataEncrypted = true, jsii.Number(r.cacheSeconds), true
			settings.RequireAuthorizationForCacheControl = true // else any page's reload empties the cache
			settings.UnauthorizedCacheControlHeaderStrategy = jsii.String("SUCCEED_WITHOUT_RESPONSE_HEADER")
		}
		apigatewaymethodsettings.NewApiGatewayMethodSettings(a.scope, jsii.String(r.id+"_settings"), &apigatewaymethodsettings.ApiGatewayMethodSettingsConfig{
			RestApiId: a.api.Id(), StageName: a.stage.StageName(), MethodPath: r.settingsPath(), Settings: settings,
		})
	}
}

// throttled turns execution logs off: they hold headers and addresses, and
// their group is API Gateway's own, not encrypted and kept for ever.
func throttled(t Throttle) *apigatewaymethodsettings.ApiGatewayMethodSettingsSettings {
	return &apigatewaymethodsettings.ApiGatewayMethodSettingsSettings{
		MetricsEnabled: true, LoggingLevel: jsii.String("OFF"), DataTraceEnabled: false, CachingEnabled: false,
		ThrottlingRateLimit: jsii.Number(t.RequestsPerSecond), ThrottlingBurstLimit: jsii.Number(t.Burst),
	}
}

// definition is another text for another API: Terraform deploys it then.
func definition(parts ...any) *string {
	return jsii.String(fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprintf("%+v", parts)))))
}

func text(v any) *string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, lists and maps always marshal
	}
	return jsii.String(string(b))
}

func (a *API) defineDomain() {
	d := a.props.Domain
	if d.Name == "" {
		return
	}
	a.domain = apigatewaydomainname.NewApiGatewayDomainName(a.scope, jsii.String("domain"), &apigatewaydomainname.ApiGatewayDomainNameConfig{
		DomainName: &d.Name, RegionalCertificateArn: &d.CertificateARN, SecurityPolicy: jsii.String("TLS_1_2"),
		EndpointConfiguration: &apigatewaydomainname.ApiGatewayDomainNameEndpointConfiguration{Types: jsii.Strings("REGIONAL")},
	})
	apigatewaybasepathmapping.NewApiGatewayBasePathMapping(a.scope, jsii.String("mapping"), &apigatewaybasepathmapping.ApiGatewayBasePathMappingConfig{
		ApiId: a.api.Id(), StageName: a.stage.StageName(), DomainName: a.domain.DomainName(),
	})
}

// ARN is a token: the stage's.
func (a *API) ARN() *string { return a.stage.Arn() }

// APIName is a token: the ApiName dimension of its metrics.
func (a *API) APIName() *string { return a.api.Name() }

// StageName is a token: the Stage dimension of its metrics.
func (a *API) StageName() *string { return a.stage.StageName() }

// URL is a token: what EventsPath and the others are appended to.
func (a *API) URL() *string {
	if a.domain == nil {
		return a.stage.InvokeUrl()
	}
	return jsii.String("https://" + *a.domain.DomainName())
}

// DNSName is a token: what the record of the Domain points to; nil without one.
func (a *API) DNSName() *string {
	if a.domain == nil {
		return nil
	}
	return a.domain.RegionalDomainName()
}
