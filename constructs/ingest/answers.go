package ingest

import (
	"fmt"
	"strings"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/apigatewaygatewayresponse"

	"github.com/shopstream/shopstream/constructs/event"
)

// answer is what the API says by itself, in the collector's form. A tracker
// drops a batch only for a 400 or 413 with a code of ours.
type answer struct {
	kind          string // in API Gateway's words
	status        string // "" leaves API Gateway's
	code, message string
	retryAfter    string // seconds; "" says nothing
}

var answers = []answer{
	{kind: "DEFAULT_4XX", code: "refused", message: "the request was refused"},
	{kind: "DEFAULT_5XX", code: "unavailable", message: "events are not taken at the moment; send the batch again", retryAfter: "5"},
	{kind: "THROTTLED", status: "429", code: "rate_exceeded", message: "more requests than the API takes; send the batch again", retryAfter: "1"},
	{kind: "QUOTA_EXCEEDED", status: "429", code: "quota_exceeded", message: "the integrator's requests of this day are spent", retryAfter: "3600"},
	{kind: "INTEGRATION_TIMEOUT", status: "503", code: "unavailable", message: "events are not taken at the moment; send the batch again", retryAfter: "5"},
	{kind: "INTEGRATION_FAILURE", status: "503", code: "unavailable", message: "events are not taken at the moment; send the batch again", retryAfter: "5"},
	{kind: "BAD_REQUEST_BODY", status: "400", code: "malformed_envelope", message: "the body is no batch of the contract"},
	{kind: "BAD_REQUEST_PARAMETERS", status: "400", code: "malformed_query", message: "the query lacks a parameter"},
	{kind: "REQUEST_TOO_LARGE", status: "413", code: "batch_too_large", message: fmt.Sprintf("a batch has at most %d bytes", event.MaxBatchBytes)},
	{kind: "UNAUTHORIZED", status: "401", code: "token_missing", message: "the token is missing or not valid"},
	{kind: "INVALID_API_KEY", status: "403", code: "key_missing", message: "the integrator's x-api-key is missing or not valid"},
	{kind: "WAF_FILTERED", status: "403", code: "blocked", message: "the firewall blocked the request"},
}

func (a *API) defineAnswers() {
	for _, answer := range answers {
		headers := map[string]*string{}
		for _, header := range pageHeaders(answer.retryAfter) {
			headers["gatewayresponse.header."+header[0]] = jsii.String("'" + header[1] + "'")
		}
		config := &apigatewaygatewayresponse.ApiGatewayGatewayResponseConfig{
			RestApiId: a.api.Id(), ResponseType: jsii.String(answer.kind), ResponseParameters: &headers,
			ResponseTemplates: &map[string]*string{"application/json": text(map[string]any{
				"error": map[string]string{"code": answer.code, "message": answer.message},
			})},
		}
		if answer.status != "" {
			config.StatusCode = jsii.String(answer.status)
		}
		a.parts = append(a.parts, apigatewaygatewayresponse.NewApiGatewayGatewayResponse(a.scope, jsii.String(strings.ToLower(answer.kind)), config))
	}
}
