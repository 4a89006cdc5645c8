// Package security is the tier of keys and roles: every other tier encrypts
// with its keys and acts in its roles. Role.Allow is the only writer of what a
// role may do.
package security

import (
	"encoding/json"

	"github.com/aws/jsii-runtime-go"
)

// Account names the AWS account and region that a stack lives in, for
// policies and names that must be known when a plan is made.
type Account struct {
	ID     string // 12 digits
	Region string // such as eu-west-1
}

// Statement is one statement of an IAM policy. Tokens in it stay tokens.
type Statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal any `json:",omitempty"`
	Action    any
	Resource  any `json:",omitempty"`
	Condition any `json:",omitempty"`
}

// Service is the principal of an AWS service, such as "lambda.amazonaws.com".
func Service(name string) map[string]string { return map[string]string{"Service": name} }

// Policy renders statements as a policy document. It is plain JSON, so that a
// plan shows it: a data source would be unknown until apply.
func Policy(statements ...Statement) *string {
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // statements are texts, lists and maps, which always marshal
	}
	return jsii.String(string(b))
}
