package ingest

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayapikey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayusageplan"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewayusageplankey"
)

// definePlan gives each integrator a key, by which API Gateway counts and
// bounds its requests. A key opens nothing: a token does.
func (a *API) definePlan() {
	p := a.props
	config := &apigatewayusageplan.ApiGatewayUsagePlanConfig{
		Name:        jsii.String(p.Name + "-integrators"),
		Description: jsii.String("What each integrator's servers may ask."),
		ApiStages:   []*apigatewayusageplan.ApiGatewayUsagePlanApiStages{{ApiId: a.api.Id(), Stage: a.stage.StageName()}},
		ThrottleSettings: &apigatewayusageplan.ApiGatewayUsagePlanThrottleSettings{
			RateLimit: jsii.Number(p.Integrator.RequestsPerSecond), BurstLimit: jsii.Number(p.Integrator.Burst),
		},
	}
	if p.DailyRequests > 0 {
		config.QuotaSettings = &apigatewayusageplan.ApiGatewayUsagePlanQuotaSettings{Limit: jsii.Number(p.DailyRequests), Period: jsii.String("DAY")}
	}
	plan := apigatewayusageplan.NewApiGatewayUsagePlan(a.scope, jsii.String("plan"), config)
	for _, name := range p.Identity.integrators {
		key := apigatewayapikey.NewApiGatewayApiKey(a.scope, jsii.String("key_"+name), &apigatewayapikey.ApiGatewayApiKeyConfig{
			Name: jsii.String(p.Name + "-" + name), Description: jsii.String("Counts the requests of " + name + "."),
		})
		apigatewayusageplankey.NewApiGatewayUsagePlanKey(a.scope, jsii.String("member_"+name), &apigatewayusageplankey.ApiGatewayUsagePlanKeyConfig{
			UsagePlanId: plan.Id(), KeyId: key.Id(), KeyType: jsii.String("API_KEY"),
		})
	}
}
