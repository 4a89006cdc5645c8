// Package guardrails holds every stack to what keeps its data safe. Each rule
// is a function over the stack's Terraform JSON, so it judges others'
// constructs like our own. The program runs them before it writes a stack, the
// tests run them again, and plan-guard runs those on exposure over a plan.
package guardrails

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Options configures Check.
type Options struct {
	Protect    bool        // whether the environment refuses to destroy what holds data; default false
	Exceptions []Exception // what is excused; a stale one is a violation; default none
}

// Violation is one resource that breaks one rule.
type Violation struct {
	Path    string // the construct's, such as prod/failures/queue
	Address string // Terraform's, such as aws_sqs_queue.failures_queue_3DB484D9
	Rule    string // the broken rule's name
	Problem string // what is wrong
	Mend    string // what to do
}

func (v Violation) Error() string {
	return fmt.Sprintf("%s breaks %s: %s; %s", v.Path, v.Rule, v.Problem, v.Mend)
}

// Rule is one guardrail.
type Rule struct {
	Name string
	Says string // what it asks, in a sentence
	find func(*stack) []finding
}

// finding is a Violation before the rule has put its name to it.
type finding struct {
	r             *resource
	problem, mend string
}

// The rules' names.
const (
	Encrypted         = "encrypted"
	Private           = "private"
	Closed            = "closed"
	TLSOnly           = "tls-only"
	ActionsNamed      = "actions-named"
	ResourcesNamed    = "resources-named"
	PolicyReadable    = "policy-readable"
	SourceNamed       = "source-named"
	NoSecret          = "no-secret"
	Tagged            = "tagged"
	LogRetention      = "log-retention"
	DeletionProtected = "deletion-protected"
	Recoverable       = "recoverable"
	DeadLetters       = "dead-letters"
	Alarmed           = "alarmed"
	KeyNamesService   = "key-names-service"
	RoleGranted       = "role-granted"
	RoleBounded       = "role-bounded"
	SecondFactor      = "second-factor"
	WrittenOnce       = "written-once"
	TypeKnown         = "type-known"
	ExceptionFresh    = "exception-fresh" // judged by Find itself
)

// Rules are all rules, in the order in which they are reported.
func Rules() []Rule {
	return []Rule{
		{Encrypted, "What holds data is encrypted with a customer's key.", wrongKeys},
		{Private, "Nobody outside the account gets in.", public},
		{Closed, "No security group is open to the world, but for the ports of a public load balancer.", open},
		{TLSOnly, "Data travels under TLS alone.", plainText},
		{ActionsNamed, "A policy names the actions that it allows.", wildActions},
		{ResourcesNamed, "A policy names the resources that it allows, but for actions that know none.", wildResources},
		{PolicyReadable, "A policy is text that can be read before the deploy.", unreadablePolicies},
		{SourceNamed, "A service that is let in is let in for one source.", confusedDeputies},
		{NoSecret, "No secret stands in the stack.", secrets},
		{Tagged, "Every resource is tagged with project and environment.", untagged},
		{LogRetention, "Logs are kept for a time that is set.", unboundLogs},
		{DeletionProtected, "What holds data can't be destroyed by accident.", nil},
		{Recoverable, "What is deleted by accident can be restored.", nil},
		{DeadLetters, "What can't be processed is kept aside.", lostMessages},
		{Alarmed, "Every function has an alarm that tells somebody.", unwatched},
		{KeyNamesService, "A service that writes to an encrypted target is named in its key's policy.", lockedOut},
		{RoleGranted, "Every role has grants.", idleRoles},
		{RoleBounded, "Every role of a service or a person has a boundary: no government, no destruction, no other regions.", unbounded},
		{SecondFactor, "A user takes a role with a second factor.", singleFactor},
		{WrittenOnce, "What CloudFront serves from a bucket is written once.", rewritable},
		{TypeKnown, "Every type that can hold data is known to the rules.", unknownTypes},
	}
}

// Check returns all violations of a stack, given as cdk.tf.json, joined.
func Check(stackJSON []byte, o Options) error {
	violations, err := Find(stackJSON, o)
	if err != nil {
		return err
	}
	errs := make([]error, len(violations))
	for i, v := range violations {
		errs[i] = v
	}
	return errors.Join(errs...)
}

// Find returns all violations of a stack, given as cdk.tf.json. Its error is
// that the stack can't be read.
func Find(stackJSON []byte, o Options) ([]Violation, error) {
	s, err := decode(stackJSON)
	if err != nil {
		return nil, err
	}
	return excuse(s, s.violations(o.Protect), o), nil
}

func (s *stack) violations(protect bool, only ...string) []Violation {
	var violations []Violation
	for _, rule := range Rules() {
		if rule.Name == DeletionProtected && !protect || len(only) > 0 && !slices.Contains(only, rule.Name) {
			continue
		}
		findings := s.unmet(rule.Name)
		if rule.find != nil {
			findings = append(findings, rule.find(s)...)
		}
		slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Compare(a.r.path, b.r.path) })
		for _, f := range findings {
			violations = append(violations, Violation{f.r.path, f.r.address(), rule.Name, f.problem, f.mend})
		}
	}
	return violations
}
