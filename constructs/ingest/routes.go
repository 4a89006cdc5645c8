package ingest

import (
	"strings"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayauthorizer"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayintegration"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaymethod"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaymodel"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayrequestvalidator"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayresource"
)

// The collector's paths, behind either front.
const (
	EventsPath       = "/v1/events"        // POST from browsers
	ServerEventsPath = "/v1/server/events" // POST from servers, with a token
	ConfigPath       = "/v1/config"        // GET of a shop's configuration: ?shop=KEY
)

// ClientHeader carries the client's id from the API to the collector, and
// nobody else may set it: the API writes it on every route, anonymousClient
// where there is no token.
const ClientHeader = "x-shopstream-client-id"

// anonymousClient is no id that Cognito gives; API Gateway takes no empty text.
const anonymousClient = "anonymous"

// route is a method of the API, served by the collector under the same path.
type route struct {
	id, method, path string
	throttle         Throttle
	batch            bool     // whether a body of JSON must look like a batch
	server           bool     // whether it needs a token and a key
	cacheSeconds     int      // how long its answer is kept; 0 is not at all
	required         []string // of the query
	varies           []string // headers that its answer depends on
}

func (a *API) routes() []route {
	p := a.props
	return []route{
		{id: "collect", method: "POST", path: EventsPath, throttle: p.Browsers, batch: true},
		{id: "preflight", method: "OPTIONS", path: EventsPath, throttle: p.Browsers},
		{id: "server_collect", method: "POST", path: ServerEventsPath, throttle: p.Servers, batch: true, server: true},
		{id: "config", method: "GET", path: ConfigPath, throttle: p.Browsers, cacheSeconds: 300, required: []string{"shop"},
			varies: []string{"Origin"}}, // which the answer names, for the page to read it
	}
}

// settingsPath is the route in method settings, which want / written as ~1.
func (r route) settingsPath() *string {
	return jsii.String(strings.ReplaceAll(r.path, "/", "~1") + "/" + r.method)
}

// batchSchema is what the API asks of a body of JSON. It is looser than the
// contract: the collector's decoder decides.
var batchSchema = map[string]any{
	"$schema":  "http://json-schema.org/draft-04/schema#", // the one that API Gateway knows
	"title":    "Batch",
	"type":     "object",
	"required": []string{"v", "shop", "sent_at", "batch_id", "events"},
	"properties": map[string]any{
		"v":        map[string]any{"type": "integer"},
		"shop":     map[string]any{"type": "string"},
		"sent_at":  map[string]any{"type": "string"},
		"batch_id": map[string]any{"type": "string"},
		"events":   map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"type": "object"}},
	},
}

// shared is what several routes use.
type shared struct {
	model            apigatewaymodel.ApiGatewayModel
	body, parameters apigatewayrequestvalidator.ApiGatewayRequestValidator
	servers          apigatewayauthorizer.ApiGatewayAuthorizer
	resources        map[string]apigatewayresource.ApiGatewayResource // by path
}

func (a *API) defineRoutes(routes []route) {
	validator := func(id string, body bool) apigatewayrequestvalidator.ApiGatewayRequestValidator {
		return apigatewayrequestvalidator.NewApiGatewayRequestValidator(a.scope, &id, &apigatewayrequestvalidator.ApiGatewayRequestValidatorConfig{
			Name: &id, RestApiId: a.api.Id(), ValidateRequestBody: body, ValidateRequestParameters: !body,
		})
	}
	s := shared{
		model: apigatewaymodel.NewApiGatewayModel(a.scope, jsii.String("batch"), &apigatewaymodel.ApiGatewayModelConfig{
			Name: jsii.String("Batch"), RestApiId: a.api.Id(), ContentType: jsii.String("application/json"), Schema: text(batchSchema),
		}),
		body:       validator("body", true),
		parameters: validator("parameters", false),
		servers: apigatewayauthorizer.NewApiGatewayAuthorizer(a.scope, jsii.String("servers"), &apigatewayauthorizer.ApiGatewayAuthorizerConfig{
			Name: jsii.String("servers"), RestApiId: a.api.Id(), Type: jsii.String("COGNITO_USER_POOLS"),
			ProviderArns: &[]*string{a.props.Identity.ARN()}, IdentitySource: jsii.String("method.request.header.Authorization"),
		}),
		resources: map[string]apigatewayresource.ApiGatewayResource{},
	}
	for _, r := range routes {
		method := a.newMethod(r, s)
		a.newIntegration(r, method)
	}
}

// resource defines path's resource and those above it.
func (a *API) resource(path string, s shared) apigatewayresource.ApiGatewayResource {
	if r, ok := s.resources[path]; ok {
		return r
	}
	end := strings.LastIndex(path, "/")
	parent := a.api.RootResourceId()
	if end > 0 {
		parent = a.resource(path[:end], s).Id()
	}
	id := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(path, "/v1"), "/"), "/", "_")
	if id == "" {
		id = "v1"
	}
	s.resources[path] = apigatewayresource.NewApiGatewayResource(a.scope, jsii.String("path_"+id), &apigatewayresource.ApiGatewayResourceConfig{
		RestApiId: a.api.Id(), ParentId: parent, PathPart: jsii.String(path[end+1:]),
	})
	return s.resources[path]
}

func (a *API) newMethod(r route, s shared) apigatewaymethod.ApiGatewayMethod {
	config := &apigatewaymethod.ApiGatewayMethodConfig{
		RestApiId: a.api.Id(), ResourceId: a.resource(r.path, s).Id(), HttpMethod: &r.method,
		Authorization:      jsii.String("NONE"), // who a browser is, the shop's key in the body says
		RequestValidatorId: s.parameters.Id(),
	}
	if r.server {
		config.Authorization, config.AuthorizerId = jsii.String("COGNITO_USER_POOLS"), s.servers.Id()
		config.AuthorizationScopes = jsii.Strings(SendScope)
		config.ApiKeyRequired = true
	}
	if r.batch {
		// Bodies of other types go to the collector unseen: sendBeacon's is
		// text/plain, for JSON would cost a preflight.
		config.RequestModels = &map[string]*string{"application/json": s.model.Name()}
		config.RequestValidatorId = s.body.Id()
	}
	if len(r.required) > 0 {
		parameters := map[string]any{}
		for _, name := range r.required {
			parameters["method.request.querystring."+name] = true
		}
		for _, name := range r.varies {
			parameters["method.request.header."+name] = false
		}
		config.RequestParameters = &parameters
	}
	return apigatewaymethod.NewApiGatewayMethod(a.scope, &r.id, config)
}

func (a *API) newIntegration(r route, method apigatewaymethod.ApiGatewayMethod) {
	client := "'" + anonymousClient + "'"
	if r.server {
		client = "context.authorizer.claims.client_id"
	}
	parameters := map[string]*string{"integration.request.header." + ClientHeader: &client}
	var cacheKey []*string
	if r.cacheSeconds > 0 {
		for _, name := range r.required {
			parameters["integration.request.querystring."+name] = jsii.String("method.request.querystring." + name)
			cacheKey = append(cacheKey, jsii.String("method.request.querystring."+name))
		}
		for _, name := range r.varies {
			cacheKey = append(cacheKey, jsii.String("method.request.header."+name))
		}
	}
	config := &apigatewayintegration.ApiGatewayIntegrationConfig{
		RestApiId: a.api.Id(), ResourceId: method.ResourceId(), HttpMethod: method.HttpMethod(),
		Type: jsii.String("HTTP_PROXY"), IntegrationHttpMethod: &r.method, Uri: a.uri(r.path),
		ConnectionType: jsii.String("VPC_LINK"), ConnectionId: a.props.Link.link.Id(),
		RequestParameters:   &parameters,
		TimeoutMilliseconds: jsii.Number(10_000), // the collector answers within 3 s
	}
	if len(cacheKey) > 0 {
		config.CacheKeyParameters = &cacheKey
	}
	a.parts = append(a.parts, apigatewayintegration.NewApiGatewayIntegration(a.scope, jsii.String(r.id+"_integration"), config))
}

// uri is path at the load balancer; its certificate is the Domain's.
func (a *API) uri(path string) *string {
	if name := a.props.Domain.Name; name != "" {
		return jsii.String("https://" + name + path)
	}
	return jsii.String("http://" + *a.props.Link.lb.DnsName() + path)
}
