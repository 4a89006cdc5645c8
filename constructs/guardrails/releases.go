package guardrails

import (
	"slices"
	"strings"
)

// rewritable finds buckets from which CloudFront serves and whose objects can
// be overwritten: others' pages run what lies there. What is current by
// intention may be, beside releases that are not.
func rewritable(s *stack) (found []finding) {
	documents, _ := s.documents()
	for _, d := range documents {
		if d.r.kind != "aws_s3_bucket_policy" {
			continue
		}
		for _, arn := range servedByCloudFront(d) {
			if !slices.ContainsFunc(d.statements, func(st statement) bool { return st.writtenOnce(strings.TrimSuffix(arn, "*")) }) {
				found = append(found, finding{d.r, "what CloudFront serves from " + arn + " can be overwritten",
					`deny s3:PutObject on the releases in it to everybody where, as the only condition, Null has s3:if-none-match "true"`})
			}
		}
	}
	return found
}

func servedByCloudFront(d document) (arns []string) {
	for _, st := range d.statements {
		if st.allows() && slices.Contains(st.principals(), "Service:cloudfront.amazonaws.com") {
			arns = append(arns, st.Resource...)
		}
	}
	return arns
}

// writtenOnce reports whether a statement denies to overwrite objects below prefix.
func (st statement) writtenOnce(prefix string) bool {
	return strings.EqualFold(st.Effect, "Deny") && slices.Contains(st.principals(), "AWS:*") && slices.Contains(st.Action, "s3:PutObject") &&
		st.onlyWhere("Null", "s3:if-none-match") && slices.Equal(st.Condition["Null"]["s3:if-none-match"], list{"true"}) &&
		slices.ContainsFunc(st.Resource, func(arn string) bool { return strings.HasPrefix(arn, prefix) })
}
