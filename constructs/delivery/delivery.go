// Package delivery is the tier by which changes reach an account: where
// Terraform's state lies, where images lie, and what GitHub's jobs may do.
// People deploy it by hand, before anything else.
package delivery

import (
	"encoding/json"

	"github.com/aws/jsii-runtime-go"
)

// statement is one of a CI role's: unlike security's, they also deny all but
// some.
type statement struct {
	Sid         string
	Effect      string
	Action      []string `json:",omitempty"`
	NotAction   []string `json:",omitempty"`
	Resource    any      `json:",omitempty"`
	NotResource []string `json:",omitempty"`
	Condition   any      `json:",omitempty"`
}

func allow(sid string, resource any, actions ...string) statement {
	return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resource}
}

func deny(sid string, resource any, actions ...string) statement {
	return statement{Sid: sid, Effect: "Deny", Action: actions, Resource: resource}
}

// policy renders statements as security.Policy does.
func policy(statements ...statement) *string {
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // statements are texts, lists and maps, which always marshal
	}
	return jsii.String(string(b))
}
