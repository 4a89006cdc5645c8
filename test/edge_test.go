package test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/test/synth"
)

// edge is the ingest tier's front and service, as a pipeline composes them.
type edge struct {
	front    ingest.FrontProps
	service  ingest.ServiceProps
	identity ingest.IdentityProps
	tracker  ingest.TrackerProps
}

// newEdge is whole: a test changes what it looks at.
func newEdge(kind ingest.FrontKind) edge {
	e := edge{
		front:    ingest.FrontProps{Kind: kind, Name: "edge", Account: testAccount, Protect: true, Firewall: ingest.FirewallProps{RequestsPerAddress: 3000}},
		service:  ingest.ServiceProps{Name: "collector", Account: testAccount, RollbackAlarms: *jsii.Strings("errors")},
		identity: ingest.IdentityProps{Name: "servers", Account: testAccount, Integrators: []string{"erp", "feed"}, Protect: true},
		tracker:  ingest.TrackerProps{Name: "tracker", Account: testAccount, Protect: true},
	}
	if kind == ingest.FrontLoadBalancer {
		e.front.Domain = collectDomain
	}
	return e
}

var collectDomain = ingest.Domain{Name: "collect.example.com", CertificateARN: "arn:aws:acm:eu-west-1:123456789012:certificate/a"}

func (e edge) synth(t *testing.T) synth.Template {
	t.Helper()
	return synth.Stack(t, func(scope cdktf.TerraformStack) error { return e.define(t, scope) })
}

func (e edge) define(t *testing.T, scope cdktf.TerraformStack) error {
	t.Helper()
	key := newKey(t, scope)
	logs := map[string]*security.LogGroup{}
	for id, name := range map[string]string{"access_log": "/edge/access", "firewall_log": "aws-waf-logs-edge", "collector_log": "/collector"} {
		var err error
		if logs[id], err = security.NewLogGroup(scope, id, security.LogGroupProps{Name: name, Key: key, RetentionDays: 7}); err != nil {
			return err
		}
	}
	identity, err := ingest.NewIdentity(scope, "identity", e.identity)
	if err != nil {
		return err
	}
	e.front.Network = newNetwork(t, scope, "network", network.Props{})
	e.front.Identity, e.front.FirewallLog, e.front.API.LogGroup = identity, logs["firewall_log"], logs["access_log"]
	front, err := ingest.NewFront(scope, "front", e.front)
	if err != nil {
		return err
	}
	gateway, err := stream.New(scope, "gateway", stream.Props{Name: "gateway", Key: key})
	if err != nil {
		return err
	}
	registry, err := ingest.NewRegistry(scope, "registry", ingest.RegistryProps{Name: "shops", Key: key})
	if err != nil {
		return err
	}
	secret, err := security.NewSecret(scope, "secret", security.SecretProps{Name: "visitors", Description: "makes ids", Key: key})
	if err != nil {
		return err
	}
	e.service.Collector, err = ingest.NewCollector(scope, "collector", ingest.CollectorProps{
		Name: "collector", Image: jsii.String("collector@sha256:0"), Account: testAccount, Gateway: gateway, Registry: registry, Secret: secret, LogGroup: logs["collector_log"],
		Repository: "shopstream/collector", Front: e.front.Kind, Identity: identity,
	})
	if err != nil {
		return err
	}
	e.service.Network, e.service.LoadBalancer = e.front.Network, front.LoadBalancer()
	if _, err := ingest.NewService(scope, "service", e.service); err != nil {
		return err
	}
	if e.tracker.Files, err = lake.NewBucket(scope, "files", lake.BucketProps{Name: "files", Key: key}); err != nil {
		return err
	}
	tracker, err := ingest.NewTracker(scope, "tracker", e.tracker)
	if err != nil {
		return err
	}
	tracker.GrantPublish(newRole(t, scope, "publisher"))
	return nil
}

type lifecycle struct {
	PreventDestroy bool     `json:"prevent_destroy"`
	IgnoreChanges  []string `json:"ignore_changes"`
}

type ingressRule struct {
	Group string `json:"security_group_id"`
	From  string `json:"referenced_security_group_id"`
	CIDR  string `json:"cidr_ipv4"`
	Port  int    `json:"from_port"`
}

// ways are who reaches which port of which group of the edge.
func ways(t *testing.T, template synth.Template) []string {
	t.Helper()
	var got []string
	for _, rule := range resources[ingressRule](t, template, "aws_vpc_security_group_ingress_rule") {
		if group := strings.TrimSuffix(strings.TrimPrefix(rule.Group, "aws_security_group."), "_group_this"); !strings.HasPrefix(group, "aws_security_group.") {
			from := strings.TrimSuffix(strings.TrimPrefix(rule.From, "aws_security_group."), "_group_this")
			got = append(got, fmt.Sprintf("%s%s -> %s:%d", from, rule.CIDR, group, rule.Port))
		}
	}
	slices.Sort(got)
	return got
}

func TestFrontAPI(t *testing.T) {
	template := newEdge(ingest.FrontAPI).synth(t)

	t.Run("lets traffic in by the API's link alone", func(t *testing.T) {
		want := []string{"front_link -> front_load_balancer:80", "front_load_balancer -> service:8080"}
		if got := ways(t, template); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	type balancer struct {
		Type      string `json:"load_balancer_type"`
		Internal  bool
		Enforce   string `json:"enforce_security_group_inbound_rules_on_private_link_traffic"`
		Forwarded string `json:"xff_header_processing_mode"`
		Drops     bool   `json:"drop_invalid_header_fields"`
		Protected bool   `json:"enable_deletion_protection"`
		Lifecycle lifecycle
	}
	t.Run("has internal load balancers, protected", func(t *testing.T) {
		balancers := resources[balancer](t, template, "aws_lb")
		if len(balancers) != 2 {
			t.Fatalf("got %v, want two", balancers)
		}
		for name, got := range balancers {
			if !got.Internal || !got.Protected || !got.Lifecycle.PreventDestroy {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		if link := balancers["front_link_load_balancer"]; link.Type != "network" || link.Enforce != "off" {
			t.Errorf("got %+v, want a network load balancer that the link reaches", link)
		}
		if to := balancers["front_load_balancer_this"]; to.Type != "application" || to.Forwarded != "preserve" || !to.Drops {
			t.Errorf("got %+v, want the API's word on the caller's address kept", to)
		}
	})
	t.Run("leads from the link to the load balancer and on to ready tasks", func(t *testing.T) {
		link := resources[struct {
			Targets []string `json:"target_arns"`
		}](t, template, "aws_api_gateway_vpc_link")["front_link_this"]
		if !reflect.DeepEqual(link.Targets, []string{"aws_lb.front_link_load_balancer"}) {
			t.Errorf("got %+v", link)
		}
		target := resources[struct {
			Group     string   `json:"target_group_arn"`
			Target    string   `json:"target_id"`
			DependsOn []string `json:"depends_on"`
		}](t, template, "aws_lb_target_group_attachment")["front_link_target"]
		if target.Group != "aws_lb_target_group.front_link_targets" || target.Target != "aws_lb.front_load_balancer_this" || len(target.DependsOn) != 1 {
			t.Errorf("got %+v", target)
		}
		groups := resources[struct {
			Type   string `json:"target_type"`
			Port   int
			Health struct{ Path, Matcher string } `json:"health_check"`
		}](t, template, "aws_lb_target_group")
		for name, want := range map[string]string{"front_link_targets": "alb 80 /readyz 200", "front_load_balancer_targets": "ip 8080 /readyz 200"} {
			if g := groups[name]; fmt.Sprint(g.Type, " ", g.Port, " ", g.Health.Path, " ", g.Health.Matcher) != want {
				t.Errorf("%s: got %+v, want %s", name, g, want)
			}
		}
		listeners := resources[struct {
			Balancer string `json:"load_balancer_arn"`
			Protocol string
			Action   []struct {
				Targets string `json:"target_group_arn"`
			} `json:"default_action"`
		}](t, template, "aws_lb_listener")
		if l := listeners["front_link_listener"]; l.Protocol != "TCP" || l.Balancer != "aws_lb.front_link_load_balancer" || l.Action[0].Targets != "aws_lb_target_group.front_link_targets" {
			t.Errorf("got %+v", l)
		}
		if l := listeners["front_load_balancer_plain_listener"]; l.Protocol != "HTTP" || l.Action[0].Targets != "aws_lb_target_group.front_load_balancer_targets" {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("has its firewall before the API's stage", func(t *testing.T) {
		got := resources[struct {
			Resource string `json:"resource_arn"`
			ACL      string `json:"web_acl_arn"`
		}](t, template, "aws_wafv2_web_acl_association")["front_firewall_association"]
		if got.Resource != "aws_api_gateway_stage.front_api_live" || got.ACL != "aws_wafv2_web_acl.front_firewall_this" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFrontAPIWithADomainEncryptsAllTheWay(t *testing.T) {
	e := newEdge(ingest.FrontAPI)
	e.front.Domain = collectDomain
	template := e.synth(t)
	listener := resources[struct {
		Protocol, Certificate string
		ARN                   string `json:"certificate_arn"`
		Policy                string `json:"ssl_policy"`
		Port                  int
	}](t, template, "aws_lb_listener")["front_load_balancer_listener"]
	if listener.Protocol != "HTTPS" || listener.Port != 443 || listener.ARN != collectDomain.CertificateARN || !strings.Contains(listener.Policy, "TLS13-1-2") {
		t.Errorf("got %+v", listener)
	}
	for name, got := range resources[struct{ URI string }](t, template, "aws_api_gateway_integration") {
		if !strings.HasPrefix(got.URI, "https://collect.example.com/v1/") {
			t.Errorf("%s: got %s", name, got.URI)
		}
	}
	domain := resources[struct {
		Name        string `json:"domain_name"`
		Certificate string `json:"regional_certificate_arn"`
		Policy      string `json:"security_policy"`
	}](t, template, "aws_api_gateway_domain_name")["front_api_domain"]
	if domain.Name != collectDomain.Name || domain.Certificate != collectDomain.CertificateARN || domain.Policy != "TLS_1_2" {
		t.Errorf("got %+v", domain)
	}
	api := resources[struct {
		Disabled bool                     `json:"disable_execute_api_endpoint"`
		Endpoint struct{ Types []string } `json:"endpoint_configuration"`
	}](t, template, "aws_api_gateway_rest_api")["front_api_this"]
	if !api.Disabled {
		t.Error("AWS's own name still answers")
	}
	if !reflect.DeepEqual(api.Endpoint.Types, []string{"REGIONAL"}) {
		t.Errorf("got %v, want an API of the region", api.Endpoint.Types)
	}
	mapping := resources[struct {
		API   string `json:"api_id"`
		Stage string `json:"stage_name"`
		Name  string `json:"domain_name"`
	}](t, template, "aws_api_gateway_base_path_mapping")["front_api_mapping"]
	if mapping.API != "aws_api_gateway_rest_api.front_api_this" || mapping.Stage != "aws_api_gateway_stage.front_api_live" || mapping.Name != "aws_api_gateway_domain_name.front_api_domain" {
		t.Errorf("got %+v, want the domain before the stage", mapping)
	}
}

func TestFrontAPIBoundsIntegratorsAndCachesAsItIsTold(t *testing.T) {
	e := newEdge(ingest.FrontAPI)
	e.front.API.DailyRequests, e.front.API.CacheGB = 1_000_000, "1.6"
	template := e.synth(t)
	plan := resources[struct {
		Quota struct {
			Limit  int
			Period string
		} `json:"quota_settings"`
	}](t, template, "aws_api_gateway_usage_plan")["front_api_plan"]
	if plan.Quota.Limit != 1_000_000 || plan.Quota.Period != "DAY" {
		t.Errorf("got %+v", plan)
	}
	stage := resources[struct {
		Size string `json:"cache_cluster_size"`
	}](t, template, "aws_api_gateway_stage")["front_api_live"]
	if stage.Size != "1.6" {
		t.Errorf("got %+v", stage)
	}
}

func TestFrontLoadBalancer(t *testing.T) {
	template := newEdge(ingest.FrontLoadBalancer).synth(t)

	t.Run("lets the internet reach HTTPS and nothing else", func(t *testing.T) {
		want := []string{"0.0.0.0/0 -> front_load_balancer:443", "front_load_balancer -> service:8080"}
		if got := ways(t, template); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		listeners := resources[struct {
			Protocol    string
			Certificate string `json:"certificate_arn"`
		}](t, template, "aws_lb_listener")
		if len(listeners) != 1 || listeners["front_load_balancer_listener"].Protocol != "HTTPS" || listeners["front_load_balancer_listener"].Certificate != collectDomain.CertificateARN {
			t.Errorf("got %v", listeners)
		}
	})
	t.Run("adds what it sees to X-Forwarded-For", func(t *testing.T) {
		got := resources[struct {
			Internal  bool
			Forwarded string `json:"xff_header_processing_mode"`
		}](t, template, "aws_lb")["front_load_balancer_this"]
		if got.Internal || got.Forwarded != "append" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("has no API, and its firewall before the load balancer", func(t *testing.T) {
		if n := len(template.Resource["aws_api_gateway_rest_api"]); n != 0 {
			t.Errorf("got %d APIs", n)
		}
		got := resources[struct {
			Resource string `json:"resource_arn"`
		}](t, template, "aws_wafv2_web_acl_association")["front_firewall_association"]
		if got.Resource != "aws_lb.front_load_balancer_this" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("tells the collector to believe tokens, not the header", func(t *testing.T) {
		got := collectorEnvironment(t, template)
		if got["FRONT"] != "loadbalancer" || got["TOKEN_SCOPE"] != ingest.SendScope || !strings.HasPrefix(got["TOKEN_ISSUER"], "https://cognito-idp.eu-west-1.amazonaws.com/${aws_cognito_user_pool.identity_this") {
			t.Errorf("got %v", got)
		}
	})
}

func collectorEnvironment(t *testing.T, template synth.Template) map[string]string {
	t.Helper()
	task := synth.Get[struct {
		Containers string `json:"container_definitions"`
	}](t, template.Resource, "aws_ecs_task_definition", "collector_task")
	var containers []struct {
		Environment []struct{ Name, Value string }
	}
	if err := json.Unmarshal([]byte(task.Containers), &containers); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{}
	for _, variable := range containers[0].Environment {
		environment[variable.Name] = variable.Value
	}
	return environment
}

func TestAPI(t *testing.T) {
	template := newEdge(ingest.FrontAPI).synth(t)

	type method struct {
		Method        string `json:"http_method"`
		Authorization string
		Authorizer    string            `json:"authorizer_id"`
		Scopes        []string          `json:"authorization_scopes"`
		Key           bool              `json:"api_key_required"`
		Models        map[string]string `json:"request_models"`
		Validator     string            `json:"request_validator_id"`
		Parameters    map[string]bool   `json:"request_parameters"`
	}
	methods := resources[method](t, template, "aws_api_gateway_method")
	type integration struct {
		Type       string
		URI        string
		Method     string            `json:"integration_http_method"`
		Connection string            `json:"connection_id"`
		Parameters map[string]string `json:"request_parameters"`
		CacheKey   []string          `json:"cache_key_parameters"`
	}
	integrations := resources[integration](t, template, "aws_api_gateway_integration")
	type settings struct {
		Path     string `json:"method_path"`
		Settings struct {
			Metrics   bool    `json:"metrics_enabled"`
			Trace     bool    `json:"data_trace_enabled"`
			Level     string  `json:"logging_level"`
			Rate      float64 `json:"throttling_rate_limit"`
			Burst     int     `json:"throttling_burst_limit"`
			Cached    bool    `json:"caching_enabled"`
			Seconds   int     `json:"cache_ttl_in_seconds"`
			Encrypted bool    `json:"cache_data_encrypted"`
			Guarded   bool    `json:"require_authorization_for_cache_control"`
		}
	}
	routes := resources[settings](t, template, "aws_api_gateway_method_settings")

	t.Run("asks servers for a token of the pool, its scope and a key, and browsers for nothing", func(t *testing.T) {
		server := methods["front_api_server_collect"]
		if server.Authorization != "COGNITO_USER_POOLS" || server.Authorizer != "aws_api_gateway_authorizer.front_api_servers" ||
			!reflect.DeepEqual(server.Scopes, []string{ingest.SendScope}) || !server.Key {
			t.Errorf("got %+v", server)
		}
		authorizer := resources[struct {
			Type  string
			Pools []string `json:"provider_arns"`
		}](t, template, "aws_api_gateway_authorizer")["front_api_servers"]
		if authorizer.Type != "COGNITO_USER_POOLS" || !reflect.DeepEqual(authorizer.Pools, []string{"aws_cognito_user_pool.identity_this"}) {
			t.Errorf("got %+v", authorizer)
		}
		for _, name := range []string{"front_api_collect", "front_api_preflight", "front_api_config"} {
			if got := methods[name]; got.Authorization != "NONE" || got.Key {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	})
	t.Run("writes the client's header on every route, whatever the caller wrote there", func(t *testing.T) {
		if len(integrations) != 4 {
			t.Fatalf("got %d routes, want 4", len(integrations))
		}
		for name, got := range integrations {
			want := "'anonymous'"
			if name == "front_api_server_collect_integration" {
				want = "context.authorizer.claims.client_id"
			}
			if client := got.Parameters["integration.request.header."+ingest.ClientHeader]; client != want {
				t.Errorf("%s: got %q, want %q", name, client, want)
			}
		}
	})
	t.Run("leads every route by the link to the same path of the collector", func(t *testing.T) {
		for name, path := range map[string]string{"collect": "/v1/events", "preflight": "/v1/events", "server_collect": "/v1/server/events", "config": "/v1/config"} {
			got := integrations["front_api_"+name+"_integration"]
			if got.Type != "HTTP_PROXY" || got.Connection != "aws_api_gateway_vpc_link.front_link_this" ||
				!strings.HasPrefix(got.URI, "http://${aws_lb.front_link_load_balancer") || !strings.HasSuffix(got.URI, "}"+path) {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	})
	t.Run("leads to nothing that the collector does not serve", func(t *testing.T) {
		served := collectorRoutes(t)
		for name, got := range integrations {
			_, path, _ := strings.Cut(got.URI, "}")
			if pattern := got.Method + " " + path; !slices.Contains(served, pattern) {
				t.Errorf("%s: got %q, want one of %q", name, pattern, served)
			}
		}
	})
	t.Run("checks a body of JSON by a model, and leaves text/plain to the collector", func(t *testing.T) {
		for _, name := range []string{"front_api_collect", "front_api_server_collect"} {
			got := methods[name]
			if !strings.HasPrefix(got.Models["application/json"], "aws_api_gateway_model.front_api_batch") || len(got.Models) != 1 || got.Validator != "aws_api_gateway_request_validator.front_api_body" {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		if validators := resources[struct {
			Body       bool `json:"validate_request_body"`
			Parameters bool `json:"validate_request_parameters"`
		}](t, template, "aws_api_gateway_request_validator"); !validators["front_api_body"].Body || !validators["front_api_parameters"].Parameters {
			t.Errorf("got %+v", validators)
		}
		var schema struct{ Required []string }
		model := resources[struct{ Schema string }](t, template, "aws_api_gateway_model")["front_api_batch"]
		if err := json.Unmarshal([]byte(model.Schema), &schema); err != nil || !slices.Contains(schema.Required, "shop") {
			t.Errorf("got %s, %v", model.Schema, err)
		}
	})
	t.Run("keeps a shop's configuration five minutes, one for each origin, encrypted", func(t *testing.T) {
		got := routes["front_api_config_settings"].Settings
		if !got.Cached || got.Seconds != 300 || !got.Encrypted || !got.Guarded {
			t.Errorf("got %+v", got)
		}
		want := []string{"method.request.querystring.shop", "method.request.header.Origin"}
		if got := integrations["front_api_config_integration"].CacheKey; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		config := methods["front_api_config"]
		if !config.Parameters["method.request.querystring.shop"] || config.Validator != "aws_api_gateway_request_validator.front_api_parameters" {
			t.Errorf("got %+v, want the shop required", config)
		}
		if _, known := config.Parameters["method.request.header.Origin"]; !known {
			t.Error("the method does not know the header that its cache goes by")
		}
		stage := resources[struct {
			Enabled bool   `json:"cache_cluster_enabled"`
			Size    string `json:"cache_cluster_size"`
		}](t, template, "aws_api_gateway_stage")["front_api_live"]
		if !stage.Enabled || stage.Size != "0.5" {
			t.Errorf("got %+v", stage)
		}
	})
	t.Run("throttles every route, and logs no request whole", func(t *testing.T) {
		want := map[string]string{
			"every_route": "*/* 5000 10000", "collect_settings": "~1v1~1events/POST 5000 10000", "preflight_settings": "~1v1~1events/OPTIONS 5000 10000",
			"server_collect_settings": "~1v1~1server~1events/POST 500 1000", "config_settings": "~1v1~1config/GET 5000 10000",
		}
		if len(routes) != len(want) {
			t.Errorf("got %d, want %d", len(routes), len(want))
		}
		for name, want := range want {
			got := routes["front_api_"+name]
			if text := fmt.Sprint(got.Path, " ", got.Settings.Rate, " ", got.Settings.Burst); text != want || got.Settings.Level != "OFF" || got.Settings.Trace || !got.Settings.Metrics {
				t.Errorf("%s: got %+v, want %s", name, got, want)
			}
		}
	})
	t.Run("writes an access log without address, user agent, query or chosen path", func(t *testing.T) {
		stage := resources[struct {
			Log struct {
				ARN    string `json:"destination_arn"`
				Format string
			} `json:"access_log_settings"`
		}](t, template, "aws_api_gateway_stage")["front_api_live"]
		if !strings.HasPrefix(stage.Log.ARN, "arn:aws:logs:eu-west-1:123456789012:log-group:${aws_cloudwatch_log_group.access_log_this") {
			t.Errorf("got %s", stage.Log.ARN)
		}
		for _, personal := range []string{"identity", "sourceIp", "userAgent", "querystring", "$context.path", "header", "authorizer.principalId"} {
			if strings.Contains(stage.Log.Format, personal) {
				t.Errorf("got %s in %s", personal, stage.Log.Format)
			}
		}
		var fields map[string]string
		if err := json.Unmarshal([]byte(stage.Log.Format), &fields); err != nil || fields["status"] != "$context.status" {
			t.Errorf("got %s, %v", stage.Log.Format, err)
		}
	})
	t.Run("gives each integrator a key that is bounded by the plan", func(t *testing.T) {
		members := resources[struct {
			Key  string `json:"key_id"`
			Plan string `json:"usage_plan_id"`
		}](t, template, "aws_api_gateway_usage_plan_key")
		for _, name := range []string{"erp", "feed"} {
			if got := members["front_api_member_"+name]; got.Key != "aws_api_gateway_api_key.front_api_key_"+name || got.Plan != "aws_api_gateway_usage_plan.front_api_plan" {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		plan := resources[struct {
			Stages   []struct{ Stage string } `json:"api_stages"`
			Throttle struct {
				Rate float64 `json:"rate_limit"`
			} `json:"throttle_settings"`
		}](t, template, "aws_api_gateway_usage_plan")["front_api_plan"]
		if plan.Throttle.Rate != 100 || len(plan.Stages) != 1 {
			t.Errorf("got %+v", plan)
		}
	})
	t.Run("is deployed when all its parts are there", func(t *testing.T) {
		got := resources[struct {
			DependsOn []string `json:"depends_on"`
			Triggers  map[string]string
			Lifecycle struct {
				First bool `json:"create_before_destroy"`
			}
		}](t, template, "aws_api_gateway_deployment")["front_api_deployment"]
		parts := len(integrations) + len(template.Resource["aws_api_gateway_gateway_response"])
		if len(got.DependsOn) != parts || len(got.Triggers["definition"]) != 64 || !got.Lifecycle.First {
			t.Errorf("got %+v, want %d parts", got, parts)
		}
	})
}

// collectorRoutes are the patterns of the collector's routes, such as
// "POST /v1/events": it is a program, so that they are read from its source.
func collectorRoutes(t *testing.T) (patterns []string) {
	t.Helper()
	source, err := os.ReadFile("../constructs/ingest/collector/server.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`mux\.HandleFunc\("([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		patterns = append(patterns, found[1])
	}
	return patterns
}

func TestAPIAnswersAPageInTheCollectorsForm(t *testing.T) {
	answers := resources[struct {
		Kind      string            `json:"response_type"`
		Status    string            `json:"status_code"`
		Headers   map[string]string `json:"response_parameters"`
		Templates map[string]string `json:"response_templates"`
	}](t, newEdge(ingest.FrontAPI).synth(t), "aws_api_gateway_gateway_response")
	for _, answer := range answers {
		if answer.Headers["gatewayresponse.header.Access-Control-Allow-Origin"] != "'*'" || answer.Headers["gatewayresponse.header.Access-Control-Expose-Headers"] != "'Date, Retry-After'" {
			t.Errorf("%s: got %v, want that a page can read it", answer.Kind, answer.Headers)
		}
		var body struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(answer.Templates["application/json"]), &body); err != nil || body.Error.Code == "" || body.Error.Message == "" {
			t.Errorf("%s: got %v, %v", answer.Kind, answer.Templates, err)
		}
		final := strings.HasPrefix(answer.Status, "400") || answer.Status == "413"
		if wants := answer.Headers["gatewayresponse.header.Retry-After"]; final && wants != "" {
			t.Errorf("%s: got Retry-After %s with %s", answer.Kind, wants, answer.Status)
		}
	}
	for kind, want := range map[string]string{
		"default_5xx": "'5'", "throttled": "'1'", "quota_exceeded": "'3600'", "integration_timeout": "'5'", "integration_failure": "'5'",
	} {
		if got := answers["front_api_"+kind].Headers["gatewayresponse.header.Retry-After"]; got != want {
			t.Errorf("%s: got Retry-After %q, want %q", kind, got, want)
		}
	}
	for _, kind := range []string{"default_4xx", "waf_filtered", "unauthorized", "bad_request_body", "request_too_large"} {
		if _, ok := answers["front_api_"+kind]; !ok {
			t.Errorf("no answer of kind %s", kind)
		}
	}
}

func TestAPIIsDeployedAgainWhenItChanges(t *testing.T) {
	trigger := func(throttle ingest.Throttle) string {
		e := newEdge(ingest.FrontAPI)
		e.front.API.Browsers = throttle
		return resources[struct{ Triggers map[string]string }](t, e.synth(t), "aws_api_gateway_deployment")["front_api_deployment"].Triggers["definition"]
	}
	if a, b := trigger(ingest.Throttle{RequestsPerSecond: 1, Burst: 1}), trigger(ingest.Throttle{RequestsPerSecond: 1, Burst: 1}); a != b {
		t.Errorf("got %s and %s for the same API", a, b)
	}
	if a, b := trigger(ingest.Throttle{RequestsPerSecond: 1, Burst: 1}), trigger(ingest.Throttle{RequestsPerSecond: 2, Burst: 1}); a == b {
		t.Errorf("got %s for both APIs", a)
	}
}

func TestFirewall(t *testing.T) {
	e := newEdge(ingest.FrontAPI)
	e.front.Firewall = ingest.FirewallProps{RequestsPerAddress: 700, ServerRequestsPerAddress: 9000}
	template := e.synth(t)
	type response struct {
		Code    int                            `json:"response_code"`
		Headers []struct{ Name, Value string } `json:"response_header"`
	}
	type block struct {
		Response response `json:"custom_response"`
	}
	type rule struct {
		Name      string
		Priority  int
		Action    struct{ Block *block }
		Override  struct{ None *struct{} } `json:"override_action"`
		Statement struct {
			Rate struct {
				Limit int
				Scope json.RawMessage `json:"scope_down_statement"`
			} `json:"rate_based_statement"`
			Group struct {
				Name      string
				Overrides []struct {
					Name   string
					Action struct {
						Block *block
						Count *struct{}
					} `json:"action_to_use"`
				} `json:"rule_action_override"`
			} `json:"managed_rule_group_statement"`
			And json.RawMessage `json:"and_statement"`
		}
	}
	acl := synth.Get[struct {
		Scope   string
		Default map[string]any `json:"default_action"`
		Rules   []rule         `json:"rule"`
	}](t, template.Resource, "aws_wafv2_web_acl", "front_firewall_this")

	readable := func(t *testing.T, name string, b *block, status int) {
		t.Helper()
		if b == nil {
			t.Errorf("%s: does not block", name)
			return
		}
		headers := map[string]string{}
		for _, h := range b.Response.Headers {
			headers[h.Name] = h.Value
		}
		if b.Response.Code != status || headers["Access-Control-Allow-Origin"] != "*" || headers["Access-Control-Expose-Headers"] != "Date, Retry-After" {
			t.Errorf("%s: got %+v, want %d that a page can read", name, b.Response, status)
		}
	}
	t.Run("tries its rules in this order and lets the rest through", func(t *testing.T) {
		var names []string
		for i, r := range acl.Rules {
			if names = append(names, r.Name); r.Priority != i {
				t.Errorf("%s: got priority %d, want %d", r.Name, r.Priority, i)
			}
		}
		if want := words("rate server_rate reputation common bad_inputs bodies_elsewhere"); !reflect.DeepEqual(names, want) || acl.Default["allow"] == nil || acl.Scope != "REGIONAL" {
			t.Errorf("got %v, %v, %s", names, acl.Default, acl.Scope)
		}
	})
	t.Run("counts rules on bodies and blocks by all others, so that a page can read it", func(t *testing.T) {
		var counted []string
		for _, r := range acl.Rules {
			for _, o := range r.Statement.Group.Overrides {
				if strings.HasSuffix(o.Name, "_BODY") {
					if counted = append(counted, o.Name); o.Action.Count == nil || o.Action.Block != nil {
						t.Errorf("%s: does not count", o.Name)
					}
				} else {
					readable(t, o.Name, o.Action.Block, 403)
				}
			}
			if r.Statement.Group.Name != "" && r.Override.None == nil {
				t.Errorf("%s: its own actions do not stand", r.Name)
			}
		}
		want := words(`SizeRestrictions_BODY EC2MetaDataSSRF_BODY GenericLFI_BODY GenericRFI_BODY CrossSiteScripting_BODY
			JavaDeserializationRCE_BODY Log4JRCE_BODY ReactJSRCE_BODY`)
		if !reflect.DeepEqual(counted, want) {
			t.Errorf("got %v, want %v", counted, want)
		}
	})
	t.Run("blocks what was counted where no batch is awaited", func(t *testing.T) {
		last := acl.Rules[len(acl.Rules)-1]
		readable(t, last.Name, last.Action.Block, 403)
		for _, want := range []string{`"not_statement"`, `"search_string":"/events"`, `"ENDS_WITH"`, `"awswaf:managed:aws:core-rule-set:"`, `"awswaf:managed:aws:known-bad-inputs:"`} {
			if !strings.Contains(compact(t, last.Statement.And), want) {
				t.Errorf("got %s, want %s in it", last.Statement.And, want)
			}
		}
	})
	t.Run("bounds browsers and servers apart, and says when to come again", func(t *testing.T) {
		for i, limit := range []int{700, 9000} {
			r := acl.Rules[i]
			readable(t, r.Name, r.Action.Block, 429)
			if headers := r.Action.Block.Response.Headers; r.Statement.Rate.Limit != limit || headers[len(headers)-1].Name != "Retry-After" {
				t.Errorf("got %+v", r)
			}
			scope := compact(t, r.Statement.Rate.Scope)
			if !strings.Contains(scope, `"search_string":"/v1/server/events"`) || strings.Contains(scope, "not_statement") != (i == 0) {
				t.Errorf("%s: got %s", r.Name, scope)
			}
		}
	})
	t.Run("logs what it blocks, without queries and secrets", func(t *testing.T) {
		got := synth.Get[struct {
			Destinations []string `json:"log_destination_configs"`
			Filter       struct {
				Default string `json:"default_behavior"`
				Filter  []struct {
					Behavior  string
					Condition []struct {
						Action struct{ Action string } `json:"action_condition"`
					}
				}
			} `json:"logging_filter"`
			Redacted []struct {
				Header struct{ Name string } `json:"single_header"`
				Query  *struct{}             `json:"query_string"`
			} `json:"redacted_fields"`
		}](t, template.Resource, "aws_wafv2_web_acl_logging_configuration", "front_firewall_log")
		if got.Filter.Default != "DROP" || got.Filter.Filter[0].Behavior != "KEEP" || got.Filter.Filter[0].Condition[0].Action.Action != "BLOCK" {
			t.Errorf("got %+v", got.Filter)
		}
		if len(got.Destinations) != 1 || !strings.Contains(got.Destinations[0], ":log-group:${aws_cloudwatch_log_group.firewall_log_this") {
			t.Errorf("got %v", got.Destinations)
		}
		var redacted []string
		query := false
		for _, field := range got.Redacted {
			redacted, query = append(redacted, field.Header.Name), query || field.Query != nil
		}
		if !query || !slices.Contains(redacted, "authorization") || !slices.Contains(redacted, "x-api-key") || !slices.Contains(redacted, "cookie") {
			t.Errorf("got %v, query %v", redacted, query)
		}
	})
	t.Run("log takes from AWS's log delivery of this account alone", func(t *testing.T) {
		got := synth.Get[struct {
			Document string `json:"policy_document"`
		}](t, template.Resource, "aws_cloudwatch_log_resource_policy", "front_firewall_log_policy")
		s := decodePolicy(t, got.Document).Statement[0]
		if !reflect.DeepEqual(s.Principal, map[string]any{"Service": "delivery.logs.amazonaws.com"}) || s.Condition["StringEquals"]["aws:SourceAccount"] != testAccount.ID ||
			!reflect.DeepEqual(s.Action, []any{"logs:CreateLogStream", "logs:PutLogEvents"}) || !strings.HasSuffix(s.Resource.(string), ":log-stream:*") {
			t.Errorf("got %+v", s)
		}
	})
}

func words(list string) []string { return strings.Fields(list) }

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIdentity(t *testing.T) {
	template := newEdge(ingest.FrontAPI).synth(t)
	t.Run("gives tokens under a name of its own", func(t *testing.T) {
		got := resources[struct {
			Domain string
			Pool   string `json:"user_pool_id"`
		}](t, template, "aws_cognito_user_pool_domain")["identity_domain"]
		if got.Domain != "servers-123456789012" || got.Pool != "aws_cognito_user_pool.identity_this" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("holds no users who sign themselves up, and is protected", func(t *testing.T) {
		got := resources[struct {
			Protection string `json:"deletion_protection"`
			Admin      struct {
				Only bool `json:"allow_admin_create_user_only"`
			} `json:"admin_create_user_config"`
			Lifecycle lifecycle
		}](t, template, "aws_cognito_user_pool")["identity_this"]
		if got.Protection != "ACTIVE" || !got.Admin.Only || !got.Lifecycle.PreventDestroy {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("gives each integrator a client with a secret for the one scope", func(t *testing.T) {
		clients := resources[struct {
			Secret bool     `json:"generate_secret"`
			Flows  []string `json:"allowed_oauth_flows"`
			Scopes []string `json:"allowed_oauth_scopes"`
		}](t, template, "aws_cognito_user_pool_client")
		for _, name := range []string{"erp", "feed"} {
			got := clients["identity_client_"+name]
			if !got.Secret || !reflect.DeepEqual(got.Flows, []string{"client_credentials"}) || !reflect.DeepEqual(got.Scopes, []string{"shopstream/events.send"}) {
				t.Errorf("%s: got %+v", name, got)
			}
		}
		server := resources[struct {
			Identifier string
			Scope      []struct {
				Name string `json:"scope_name"`
			}
		}](t, template, "aws_cognito_resource_server")["identity_scopes"]
		if server.Identifier+"/"+server.Scope[0].Name != ingest.SendScope {
			t.Errorf("got %+v, want %s", server, ingest.SendScope)
		}
	})
}

func TestTracker(t *testing.T) {
	e := newEdge(ingest.FrontAPI)
	e.tracker.Domain = ingest.Domain{Name: "t.example.com", CertificateARN: "arn:aws:acm:us-east-1:123456789012:certificate/t"}
	template := e.synth(t)
	type behavior struct {
		Path    string `json:"path_pattern"`
		Viewer  string `json:"viewer_protocol_policy"`
		Cache   string `json:"cache_policy_id"`
		Headers string `json:"response_headers_policy_id"`
	}
	got := resources[struct {
		Aliases []string
		Default behavior   `json:"default_cache_behavior"`
		Ordered []behavior `json:"ordered_cache_behavior"`
		Origin  []struct {
			Domain string `json:"domain_name"`
			Access string `json:"origin_access_control_id"`
		}
		Certificate struct {
			ARN     string `json:"acm_certificate_arn"`
			Minimum string `json:"minimum_protocol_version"`
		} `json:"viewer_certificate"`
		Logging   *struct{} `json:"logging_config"`
		Lifecycle lifecycle
	}](t, template, "aws_cloudfront_distribution")["tracker_this"]

	t.Run("reads the private bucket as itself, the only distribution that may", func(t *testing.T) {
		if got.Origin[0].Access != "aws_cloudfront_origin_access_control.tracker_access" || !strings.HasPrefix(got.Origin[0].Domain, "${aws_s3_bucket.files_this") {
			t.Errorf("got %+v", got.Origin)
		}
		access := resources[struct {
			Behavior string `json:"signing_behavior"`
			Type     string `json:"origin_access_control_origin_type"`
		}](t, template, "aws_cloudfront_origin_access_control")["tracker_access"]
		if access.Behavior != "always" || access.Type != "s3" {
			t.Errorf("got %+v", access)
		}
		s := trackerStatement(t, template, "Tracker")
		if s.Action != "s3:GetObject" || s.Resource != "arn:aws:s3:::files/t/*" || !strings.HasPrefix(s.Condition["StringEquals"]["aws:SourceArn"], "${aws_cloudfront_distribution.tracker_this") {
			t.Errorf("got %+v", s)
		}
		key := synth.Get[struct{ Policy string }](t, template.Resource, "aws_kms_key", "key_this")
		last := decodePolicy(t, key.Policy).Statement
		if s := last[len(last)-1]; !reflect.DeepEqual(s.Principal, map[string]any{"Service": "cloudfront.amazonaws.com"}) || !reflect.DeepEqual(s.Action, []any{"kms:Decrypt"}) ||
			s.Condition["ArnLike"]["aws:SourceArn"] != "arn:aws:cloudfront::123456789012:distribution/*" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("serves the current release for five minutes and others for as long as they say", func(t *testing.T) {
		if len(got.Ordered) != 1 || got.Ordered[0].Path != "/t/1/*" || got.Ordered[0].Cache != "aws_cloudfront_cache_policy.tracker_five_minutes" || got.Ordered[0].Headers != "aws_cloudfront_response_headers_policy.tracker_current" {
			t.Errorf("got %+v", got.Ordered)
		}
		if got.Default.Cache != "658327ea-f89d-4fab-a63d-7e88639e58f6" || got.Default.Headers != "aws_cloudfront_response_headers_policy.tracker_releases" {
			t.Errorf("got %+v", got.Default)
		}
		policy := resources[struct {
			Max int `json:"max_ttl"`
		}](t, template, "aws_cloudfront_cache_policy")["tracker_five_minutes"]
		if policy.Max != 300 {
			t.Errorf("got %+v", policy)
		}
		type headers struct {
			CORS struct {
				Origins struct{ Items []string } `json:"access_control_allow_origins"`
			} `json:"cors_config"`
			Custom struct {
				Items []struct{ Header, Value string }
			} `json:"custom_headers_config"`
		}
		for name, want := range map[string]string{"tracker_current": "public, max-age=300", "tracker_releases": ""} {
			h := resources[headers](t, template, "aws_cloudfront_response_headers_policy")[name]
			cached := ""
			for _, item := range h.Custom.Items {
				if item.Header == "Cache-Control" {
					cached = item.Value
				}
			}
			if cached != want || !reflect.DeepEqual(h.CORS.Origins.Items, []string{"*"}) {
				t.Errorf("%s: got %+v, want Cache-Control %q and every origin", name, h, want)
			}
		}
	})
	t.Run("lets nobody put a release in another's place", func(t *testing.T) {
		s := trackerStatement(t, template, "ReleasesAreFinal")
		if s.Effect != "Deny" || s.Principal != "*" || s.Action != "s3:PutObject" || s.Resource != "arn:aws:s3:::files/t/*.*/*" || s.Condition["Null"]["s3:if-none-match"] != "true" {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("speaks TLS 1.2 under its own name, keeps no addresses and is protected", func(t *testing.T) {
		if got.Certificate.Minimum != "TLSv1.2_2021" || got.Certificate.ARN != e.tracker.Domain.CertificateARN || !reflect.DeepEqual(got.Aliases, []string{"t.example.com"}) ||
			got.Default.Viewer != "redirect-to-https" || got.Ordered[0].Viewer != "redirect-to-https" || got.Logging != nil || !got.Lifecycle.PreventDestroy {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("lets a publisher put releases and no more", func(t *testing.T) {
		want := []synth.Grant{
			{Actions: []string{"s3:GetObject", "s3:PutObject"}, Resource: "arn:aws:s3:::files/t/*"},
			{Actions: []string{"kms:GenerateDataKey"}, Resource: "${aws_kms_key.key_this.arn}"},
			{Actions: []string{"kms:Decrypt"}, Resource: "${aws_kms_key.key_this.arn}"},
		}
		if got := synth.Grants(t, template.Resource, "publisher_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func trackerStatement(t *testing.T, template synth.Template, sid string) (found struct {
	Sid, Effect                 string
	Principal, Action, Resource any
	Condition                   map[string]map[string]string
}) {
	t.Helper()
	bucket := synth.Get[struct{ Policy string }](t, template.Resource, "aws_s3_bucket_policy", "files_policy")
	for _, s := range decodePolicy(t, bucket.Policy).Statement {
		if s.Sid == sid {
			found.Sid, found.Effect, found.Principal, found.Action, found.Resource, found.Condition = s.Sid, s.Effect, s.Principal, s.Action, s.Resource, s.Condition
		}
	}
	return found
}

func TestService(t *testing.T) {
	e := newEdge(ingest.FrontAPI)
	e.service.RequestsPerTask = 60_000
	e.service.Schedules = []ingest.Schedule{{Name: "black_friday", When: "at(2026-11-27T00:00:00)", TimeZone: "Europe/Berlin", MinTasks: 40, MaxTasks: 200}}
	template := e.synth(t)
	service := resources[ecsService](t, template, "aws_ecs_service")["service_this"]

	t.Run("runs in private subnets without public addresses, behind the load balancer's targets", func(t *testing.T) {
		n := service.Network
		if n.Public || len(n.Subnets) != 3 || !strings.Contains(n.Subnets[0], "private") || !reflect.DeepEqual(n.Groups, []string{"aws_security_group.service_group_this"}) {
			t.Errorf("got %+v", n)
		}
		if b := service.Balancer[0]; b.Targets != "aws_lb_target_group.front_load_balancer_targets" || b.Container != "collector" || b.Port != 8080 {
			t.Errorf("got %+v", b)
		}
		if !slices.ContainsFunc(service.DependsOn, func(on string) bool {
			return strings.HasPrefix(on, "aws_lb_listener.front_load_balancer_plain_listener")
		}) {
			t.Errorf("got %v, want it to come after the listener", service.DependsOn)
		}
	})
	t.Run("calls HTTPS alone", func(t *testing.T) {
		var got []string
		for _, rule := range resources[ingressRule](t, template, "aws_vpc_security_group_egress_rule") {
			if rule.Group == "aws_security_group.service_group_this" {
				got = append(got, fmt.Sprint(rule.CIDR, ":", rule.Port))
			}
		}
		if !reflect.DeepEqual(got, []string{"0.0.0.0/0:443"}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("rolls out without losing a task, and back where tasks fail or an alarm sounds", func(t *testing.T) {
		if service.Healthy != 100 || service.Maximum != 200 || !service.Breaker.Enable || !service.Breaker.Rollback ||
			!service.Alarms.Rollback || !reflect.DeepEqual(service.Alarms.Names, []string{"errors"}) || service.Controller.Type != "" {
			t.Errorf("got %+v", service)
		}
	})
	t.Run("spreads its tasks over the zones again after one was away", func(t *testing.T) {
		if service.Zones != "ENABLED" {
			t.Errorf("got %q", service.Zones)
		}
	})
	t.Run("leaves the number of tasks to scaling alone", func(t *testing.T) {
		if want := []string{"desired_count"}; !reflect.DeepEqual(service.Lifecycle.IgnoreChanges, want) {
			t.Errorf("got %v, want %v", service.Lifecycle.IgnoreChanges, want)
		}
	})
	t.Run("scales by CPU, requests and schedule, up fast and down slowly", func(t *testing.T) {
		policies := resources[struct {
			Track struct {
				Target float64 `json:"target_value"`
				Out    int     `json:"scale_out_cooldown"`
				In     int     `json:"scale_in_cooldown"`
				Metric struct {
					Type  string `json:"predefined_metric_type"`
					Label string `json:"resource_label"`
				} `json:"predefined_metric_specification"`
			} `json:"target_tracking_scaling_policy_configuration"`
		}](t, template, "aws_appautoscaling_policy")
		cpu, requests := policies["service_cpu"].Track, policies["service_requests"].Track
		if cpu.Target != 50 || cpu.Metric.Type != "ECSServiceAverageCPUUtilization" || cpu.Out >= cpu.In {
			t.Errorf("got %+v", cpu)
		}
		if requests.Target != 60_000 || requests.Metric.Type != "ALBRequestCountPerTarget" || requests.Out >= requests.In ||
			!strings.Contains(requests.Metric.Label, "aws_lb.front_load_balancer_this") || !strings.Contains(requests.Metric.Label, "}/${aws_lb_target_group.front_load_balancer_targets") {
			t.Errorf("got %+v", requests)
		}
		type bounds struct {
			Min json.Number `json:"min_capacity"`
			Max json.Number `json:"max_capacity"`
		}
		schedule := resources[struct {
			Schedule, TimeZone string
			Action             bounds `json:"scalable_target_action"`
		}](t, template, "aws_appautoscaling_scheduled_action")["service_schedule_black_friday"]
		if schedule.Schedule != "at(2026-11-27T00:00:00)" || schedule.TimeZone != "Europe/Berlin" || schedule.Action != (bounds{"40", "200"}) {
			t.Errorf("got %+v", schedule)
		}
		if got := resources[bounds](t, template, "aws_appautoscaling_target")["service_capacity"]; got != (bounds{"3", "30"}) {
			t.Errorf("got %+v", got)
		}
	})
}

type ecsService struct {
	Network struct {
		Public  bool     `json:"assign_public_ip"`
		Groups  []string `json:"security_groups"`
		Subnets []string
	} `json:"network_configuration"`
	Balancer []struct {
		Targets   string `json:"target_group_arn"`
		Container string `json:"container_name"`
		Port      int    `json:"container_port"`
	} `json:"load_balancer"`
	Healthy int                             `json:"deployment_minimum_healthy_percent"`
	Maximum int                             `json:"deployment_maximum_percent"`
	Breaker struct{ Enable, Rollback bool } `json:"deployment_circuit_breaker"`
	Alarms  struct {
		Rollback bool
		Names    []string `json:"alarm_names"`
	}
	Controller struct{ Type string } `json:"deployment_controller"`
	Zones      string                `json:"availability_zone_rebalancing"`
	DependsOn  []string              `json:"depends_on"`
	Lifecycle  lifecycle
}

func TestServiceBlueGreen(t *testing.T) {
	e := newEdge(ingest.FrontAPI)
	e.front.BlueGreen, e.service.Deployment = true, ingest.BlueGreen
	template := e.synth(t)

	t.Run("leaves to CodeDeploy what it owns", func(t *testing.T) {
		service := resources[ecsService](t, template, "aws_ecs_service")["service_this"]
		want := words("desired_count task_definition load_balancer network_configuration")
		if service.Controller.Type != "CODE_DEPLOY" || service.Breaker.Enable || service.Alarms.Names != nil || !reflect.DeepEqual(service.Lifecycle.IgnoreChanges, want) {
			t.Errorf("got %+v", service)
		}
		listener := resources[struct{ Lifecycle lifecycle }](t, template, "aws_lb_listener")["front_load_balancer_plain_listener"]
		if !reflect.DeepEqual(listener.Lifecycle.IgnoreChanges, []string{"default_action"}) {
			t.Errorf("got %+v", listener)
		}
	})
	t.Run("shifts traffic between two groups of targets, and back at a failure or an alarm", func(t *testing.T) {
		group := resources[struct {
			Config string `json:"deployment_config_name"`
			Pair   struct {
				Info struct {
					Targets []struct{ Name string } `json:"target_group"`
					Route   struct {
						Listeners []string `json:"listener_arns"`
					} `json:"prod_traffic_route"`
				} `json:"target_group_pair_info"`
			} `json:"load_balancer_info"`
			Rollback struct {
				Enabled bool
				Events  []string
			} `json:"auto_rollback_configuration"`
			Alarms struct{ Alarms []string } `json:"alarm_configuration"`
		}](t, template, "aws_codedeploy_deployment_group")["service_deployments_group"]
		if p := group.Pair.Info; len(p.Targets) != 2 || p.Targets[0].Name != "aws_lb_target_group.front_load_balancer_targets" ||
			p.Targets[1].Name != "aws_lb_target_group.front_load_balancer_green_targets" || p.Route.Listeners[0] != "aws_lb_listener.front_load_balancer_plain_listener" {
			t.Errorf("got %+v", p)
		}
		if !group.Rollback.Enabled || !reflect.DeepEqual(group.Rollback.Events, words("DEPLOYMENT_FAILURE DEPLOYMENT_STOP_ON_ALARM")) || !reflect.DeepEqual(group.Alarms.Alarms, []string{"errors"}) {
			t.Errorf("got %+v, %+v", group.Rollback, group.Alarms)
		}
	})
	t.Run("lets CodeDeploy replace tasks and shift traffic, and no more", func(t *testing.T) {
		const path = "${aws_ecs_cluster.collector_cluster.name}/${aws_ecs_service.service_this.name}"
		want := []synth.Grant{
			{Actions: words("ecs:DescribeServices ecs:CreateTaskSet ecs:UpdateServicePrimaryTaskSet ecs:DeleteTaskSet"), Resource: "arn:aws:ecs:eu-west-1:123456789012:service/" + path},
			{Actions: words("ecs:CreateTaskSet ecs:UpdateServicePrimaryTaskSet ecs:DeleteTaskSet"), Resource: "arn:aws:ecs:eu-west-1:123456789012:task-set/" + path + "/*"},
			{Actions: words("iam:PassRole"), Resource: "${aws_iam_role.collector_execution_role_this.arn}"},
			{Actions: words("iam:PassRole"), Resource: "${aws_iam_role.collector_role_this.arn}"},
			{Actions: words("elasticloadbalancing:ModifyListener"), Resource: "${aws_lb_listener.front_load_balancer_plain_listener.arn}"},
			{Actions: words(`elasticloadbalancing:DescribeListeners elasticloadbalancing:DescribeRules
				elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:DescribeTargetHealth`), Resource: "*"},
			{Actions: words("cloudwatch:DescribeAlarms"), Resource: "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*"},
		}
		if got := synth.Grants(t, template.Resource, "service_deployment_role_policy"); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestEdgeReportsEveryBadProp(t *testing.T) {
	_, loadBalancer := ingest.NewLoadBalancer(nil, "l", ingest.LoadBalancerProps{Name: strings.Repeat("n", 27)})
	_, link := ingest.NewLink(nil, "l", ingest.LinkProps{LoadBalancer: &ingest.LoadBalancer{}})
	_, front := ingest.NewFront(nil, "f", ingest.FrontProps{Kind: "cdn", Domain: ingest.Domain{Name: "collect.example.com"}})
	_, named := ingest.NewFront(nil, "f", ingest.FrontProps{Kind: ingest.FrontLoadBalancer})
	_, api := ingest.NewAPI(nil, "a", ingest.APIProps{Name: "a", Browsers: ingest.Throttle{RequestsPerSecond: -1, Burst: 5}, DailyRequests: -1, CacheGB: "7"})
	_, firewall := ingest.NewFirewall(nil, "f", ingest.FirewallProps{RequestsPerAddress: 9, ServerRequestsPerAddress: -1})
	_, identity := ingest.NewIdentity(nil, "i", ingest.IdentityProps{Name: "my-aws-pool", Integrators: []string{"erp", "erp", "ERP!"}})
	_, tracker := ingest.NewTracker(nil, "t", ingest.TrackerProps{Domain: ingest.Domain{CertificateARN: "c"}})
	_, service := ingest.NewService(nil, "s", ingest.ServiceProps{
		Deployment: ingest.BlueGreen, LoadBalancer: &ingest.LoadBalancer{}, MinTasks: 5, MaxTasks: 4, RequestsPerTask: 10,
		Schedules: []ingest.Schedule{{Name: "Black Friday", When: "tomorrow", MinTasks: 3, MaxTasks: 2}},
	})
	_, collector := ingest.NewCollector(nil, "c", ingest.CollectorProps{Front: "cdn"})
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"load balancer", loadBalancer, []string{`load balancer "l"`, "length of Name must be 1 to 26, got 27", "Network is required", "CertificateARN is required where the internet reaches the load balancer"}},
		{"link", link, []string{"Name is required", "Network is required", "LoadBalancer must be internal"}},
		{"front", front, []string{`Kind must be one of api, loadbalancer, got "cdn"`, "Name is required", "Network is required", "Identity is required", "FirewallLog is required", "Domain needs both Name and CertificateARN"}},
		{"front by its own name", named, []string{"Domain is required"}},
		{"api", api, []string{"Account is required", "Link is required", "Identity is required", "LogGroup is required", "Browsers.RequestsPerSecond must be 1 to 100000, got -1",
			"DailyRequests must be 0 to 1000000000, got -1", `CacheGB must be one of 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237, none, got "7"`}},
		{"firewall", firewall, []string{"Name is required", "Guards is required", "LogGroup is required", "RequestsPerAddress must be 10 to 2000000000, got 9", "ServerRequestsPerAddress must be 10 to 2000000000, got -1"}},
		{"identity", identity, []string{`Name must not hold aws, amazon or cognito, got "my-aws-pool"`, "Account is required", `Integrators holds "erp" twice`, `got "ERP!"`}},
		{"tracker", tracker, []string{"Name is required", "Account is required", "Files is required", "Domain needs both Name and CertificateARN"}},
		{"service", service, []string{"Name is required", "Collector is required", "Network is required", "MaxTasks must be 5 to 1000, got 4",
			"RequestsPerTask must be 0 where Deployment is bluegreen", "Deployment bluegreen and the load balancer's BlueGreen go together", `lower case letters, digits and underscores, starting with a letter, got "Black Friday"`,
			`When of schedule "Black Friday" must be cron(…) or at(…), got "tomorrow"`, "TimeZone of schedule Black Friday is required", "MaxTasks of schedule Black Friday must be 3 to 1000, got 2"}},
		{"collector", collector, []string{"Front and Identity go together", `Front must be one of api, loadbalancer, got "cdn"`}},
	} {
		t.Run(c.name, func(t *testing.T) { wantProblems(t, c.err, c.want) })
	}
}
