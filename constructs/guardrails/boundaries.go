package guardrails

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// governing are the services that decide who may do what and who sees it.
var governing = []string{"account", "cloudtrail", "iam", "identitystore", "organizations", "sso"}

// destruction are the actions that destroy data, unlock it or let others in.
// A boundary denies them to what runs; Terraform alone takes them.
var destruction = []string{
	"backup:Delete*", "backup:PutBackupVaultAccessPolicy",
	"dynamodb:DeleteBackup", "dynamodb:DeleteTable", "dynamodb:PutResourcePolicy",
	"glue:DeleteDatabase", "glue:PutResourcePolicy",
	"kinesis:DecreaseStreamRetentionPeriod", "kinesis:DeleteStream", "kinesis:PutResourcePolicy", "kinesis:StopStreamEncryption",
	"kms:DisableKey", "kms:DisableKeyRotation", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion",
	"logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:PutResourcePolicy", "logs:PutRetentionPolicy",
	"s3:DeleteBucket*", "s3:PutAccountPublicAccessBlock", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
	"s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
	"s3:PutLifecycleConfiguration", "s3:PutObjectAcl", "s3:PutReplicationConfiguration",
	"secretsmanager:DeleteSecret", "secretsmanager:PutResourcePolicy",
	"sqs:DeleteQueue",
}

// unbounded finds roles of services and people that no boundary holds, and
// boundaries that hold too little. A boundary of other roles, such as the
// deploy's, must let through what this one denies.
func unbounded(s *stack) (found []finding) {
	var boundaries []*resource
	for _, role := range s.of("aws_iam_role") {
		if !serves(role, "Service:") && !serves(role, "AWS:") {
			continue
		}
		named := s.refs(role, "permissions_boundary")
		if len(named) == 0 {
			found = append(found, finding{role, "no permissions boundary of this stack holds it", "set permissions_boundary, as security.NewRole does"})
		}
		boundaries = append(boundaries, named...)
	}
	documents, _ := s.documents()
	for _, d := range documents {
		if d.kind == boundaryPolicy && slices.Contains(boundaries, d.r) {
			found = append(found, looseBoundary(d)...)
		}
	}
	return found
}

// serves reports whether principals of a kind assume a role: services, or AWS's
// users and roles, which a deploy by GitHub is none of.
func serves(role *resource, kind string) bool {
	statements, _ := parsePolicy(role.text("assume_role_policy")) // one that can't be read is reported by policy-readable
	return slices.ContainsFunc(statements, func(st statement) bool {
		return slices.ContainsFunc(st.principals(), func(p string) bool { return strings.HasPrefix(p, kind) })
	})
}

// singleFactor finds roles that a user takes with a password or a key alone.
func singleFactor(s *stack) (found []finding) {
	s.eachAllowed(func(d document, name string, st statement) {
		for _, p := range st.principals() {
			if strings.Contains(p, ":user/") && !slices.Contains(st.Condition["Bool"]["aws:MultiFactorAuthPresent"], "true") {
				found = append(found, finding{d.r, fmt.Sprintf("%s lets %s in with one factor", name, strings.TrimPrefix(p, "AWS:")), "add a condition that aws:MultiFactorAuthPresent is true, by Bool"})
			}
		}
	}, trustPolicy)
	return found
}

func looseBoundary(d document) (found []finding) {
	report := func(problem, mend string) { found = append(found, finding{d.r, problem, mend}) }
	var denied []string
	regional := false
	for _, st := range d.statements {
		switch {
		case st.allows():
			for _, problem := range st.overreach() {
				report(problem, "name the services, and of those that govern the account the action and its resources")
			}
		case len(st.NotAction) > 0 || !slices.Contains(st.Resource, "*"):
		case len(st.Condition) == 0:
			denied = append(denied, st.Action...)
		default:
			regional = regional || slices.Contains(st.Action, "*") && st.onlyWhere("StringNotEquals", "aws:RequestedRegion")
		}
	}
	var open []string
	for _, action := range destruction {
		if !slices.ContainsFunc(denied, func(pattern string) bool { return covers(pattern, action) }) {
			open = append(open, action)
		}
	}
	if len(open) > 0 {
		report("it doesn't deny "+strings.Join(open, ", "), "deny it on * under no condition")
	}
	if !regional {
		report("it doesn't deny other regions", "deny * on * where aws:RequestedRegion is, by StringNotEquals alone, none of the stack's")
	}
	return found
}

// overreach says how a boundary's statement lets a role govern the account.
func (st statement) overreach() (problems []string) {
	if len(st.NotAction) > 0 || len(st.NotResource) > 0 {
		problems = append(problems, "it lets through all but some")
	}
	for _, action := range st.Action {
		service, name, _ := strings.Cut(strings.ToLower(action), ":")
		switch {
		case strings.ContainsAny(service, "*?"):
			problems = append(problems, "it lets through "+action)
		case slices.Contains(governing, service) && (strings.ContainsAny(name, "*?") || slices.ContainsFunc(st.Resource, wholeType)):
			problems = append(problems, "it lets through "+action+" on "+strings.Join(st.Resource, ", "))
		}
	}
	return problems
}

// onlyWhere reports whether a statement's only condition is one on key.
func (st statement) onlyWhere(operator, key string) bool {
	return len(st.Condition) == 1 && len(st.Condition[operator]) == 1 && len(st.Condition[operator][key]) > 0
}

// covers reports whether a pattern of actions holds an action, or a narrower pattern.
func covers(pattern, action string) bool {
	matched, err := path.Match(strings.ToLower(pattern), strings.ToLower(action))
	return err == nil && matched
}
