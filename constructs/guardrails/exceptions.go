package guardrails

import (
	"fmt"
	"path"
	"strings"
)

// Exception excuses one construct from one rule.
type Exception struct {
	Rule   string
	Path   string // the construct's; * stands for any text in a part of it, such as any stack's name: */preprocess/this
	Reason string // why it is safe; required
}

const (
	planReads  = "a plan reads every type there is; the role's own policy denies it all data"
	applyMakes = "an apply makes every type there is; the role's boundary says which services, and keeps it from what guards it"
)

const plainLink = "the API ends the senders' TLS; this listener is internal, and only the API's private link reaches it; " +
	"with a Domain it serves HTTPS, and needs no exception"

// Exceptions are those of this repository's stacks.
var Exceptions = []Exception{
	{TLSOnly, "*/front/load_balancer/plain_listener", plainLink},
	{PolicyReadable, "*/ci_*/plan/managed", planReads},
	{PolicyReadable, "*/ci_*/apply/managed", applyMakes},
	{PolicyReadable, "*/people/break_glass/admin", "break-glass may do everything, for an hour, with MFA, and pages whoever is on call"},
	{RoleBounded, "*/budget/actor", "it puts a policy on roles, which a boundary keeps every role from; its own policy names that one policy and those roles"},
	{RoleBounded, "*/people/break_glass/this", "it is for the day on which nothing else helps: an hour, with a second factor, and it pages whoever is on call"},
	{RoleBounded, "*/recorder/role/this", "Config reads every type there is; a boundary for the platform's services would blind it"},
	{Alarmed, "local/preprocess/this", "nobody is on call for this machine, and the ledger balances at the end of each demo"},
}

func (e Exception) covers(construct string) bool {
	matched, err := path.Match(e.Path, construct)
	return err == nil && matched
}

// stale reports whether e excuses, in s alone, what is in order or not there.
// A stack may not need what is excused in any; Unused finds what none needs.
func (e Exception) stale(s *stack) bool {
	stackName, _, _ := strings.Cut(e.Path, "/")
	return stackName == s.name
}

// excuse takes out what exceptions cover and adds those that are stale.
func excuse(s *stack, found []Violation, o Options) []Violation {
	var left []Violation
	used := make([]bool, len(o.Exceptions))
	for _, v := range found {
		excused := false
		for i, e := range o.Exceptions {
			if e.Rule == v.Rule && e.covers(v.Path) && e.Reason != "" {
				used[i], excused = true, true
			}
		}
		if !excused {
			left = append(left, v)
		}
	}
	for i, e := range o.Exceptions {
		switch {
		case e.Reason == "":
			left = append(left, Violation{e.Path, "", ExceptionFresh, fmt.Sprintf("its exception from %s has no reason", e.Rule), "write why it is safe"})
		case !used[i] && e.stale(s) && (o.Protect || e.Rule != DeletionProtected):
			left = append(left, Violation{e.Path, "", ExceptionFresh, fmt.Sprintf("it doesn't break %s", e.Rule), "take the exception out"})
		}
	}
	return left
}

// Unused returns the exceptions that cover no violation in any of the stacks,
// which are given as cdk.tf.json and judged as protected ones.
func Unused(exceptions []Exception, stacksJSON ...[]byte) (unused []Exception, err error) {
	used := make([]bool, len(exceptions))
	for _, stackJSON := range stacksJSON {
		s, err := decode(stackJSON)
		if err != nil {
			return nil, err
		}
		for _, v := range s.violations(true) {
			for i, e := range exceptions {
				used[i] = used[i] || e.Rule == v.Rule && e.covers(v.Path)
			}
		}
	}
	for i, e := range exceptions {
		if !used[i] {
			unused = append(unused, e)
		}
	}
	return unused, nil
}
