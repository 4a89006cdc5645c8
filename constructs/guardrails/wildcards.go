package guardrails

import (
	"fmt"
	"slices"
)

// This file lists every wildcard that policies may hold, each with its reason.

// resourceless are actions that IAM knows no resources for, or that ask for all
// of a type, so that they can be allowed in no narrower way.
var resourceless = map[string]string{
	"kinesis:UpdateShardCount":                          "AWS lists no resources for it; the boundary keeps it to the stack's regions",
	"xray:PutTraceSegments":                             "X-Ray knows no resources",
	"xray:PutTelemetryRecords":                          "X-Ray knows no resources",
	"cloudwatch:GetMetricData":                          "metrics are no resources",
	"cloudwatch:GetMetricStatistics":                    "metrics are no resources",
	"cloudwatch:ListMetrics":                            "metrics are no resources",
	"ecr:GetAuthorizationToken":                         "the token is the account's; pulling is allowed by repository",
	"logs:StopQuery":                                    "queries are no resources",
	"logs:GetQueryResults":                              "queries are no resources; starting one is allowed by log group",
	"xray:GetTraceSummaries":                            "X-Ray knows no resources",
	"xray:GetServiceGraph":                              "X-Ray knows no resources",
	"xray:BatchGetTraces":                               "X-Ray knows no resources",
	"cloudwatch:DescribeAlarms":                         "it asks for all alarms",
	"cloudwatch:DescribeAlarmHistory":                   "it is asked for all alarms, and holds figures alone",
	"ecs:ListTasks":                                     "its only resource is a container instance, which Fargate has none of; tasks are described by cluster",
	"backup:ListBackupJobs":                             "a list of the account's",
	"backup:ListCopyJobs":                               "a list of the account's",
	"scheduler:ListSchedules":                           "a list of the account's",
	"lambda:GetAccountSettings":                         "the account's limits",
	"application-autoscaling:DescribeScalingActivities": "Application Auto Scaling's descriptions know no resources",
	"cloudwatch:ListDashboards":                         "a list of the account's",
	"cloudwatch:GetDashboard":                           "dashboards hold figures, which cloudwatch:GetMetricData shows too",
	"elasticloadbalancing:DescribeTargetHealth":         "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeTargetGroups":         "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeRules":                "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeListeners":            "Elastic Load Balancing's descriptions know no resources",
	"backup:CopyFromBackupVault":                        "copying out names no vault; copying in is allowed by vault",
	"athena:ListWorkGroups":                             "a list of the account's",
	"athena:ListDataCatalogs":                           "a list of the account's",
	"athena:ListEngineVersions":                         "a list of the account's",
}

// typewide are actions that ask for all of a type, which an ARN such as
// arn:aws:logs:REGION:ACCOUNT:log-group:* still bounds.
var typewide = map[string]string{
	"logs:DescribeLogGroups": "it asks for all log groups of a region",
}

// actionPatterns are patterns of actions that AWS documents as one.
var actionPatterns = map[string]string{
	"kms:GenerateDataKey*": "with and without the plain key, for services that take both",
	"kms:ReEncrypt*":       "from and to, which only work together",
}

// managedPolicies are AWS's own that may be attached.
var managedPolicies = map[string]string{
	"arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs": "API Gateway takes no log role that may do less",
	"arn:aws:iam::aws:policy/service-role/AWS_ConfigRole":                       "Config reads every type that it records",
}

// UnusedWildcards returns what is listed above and stands in no policy of the
// stacks, which are given as cdk.tf.json.
func UnusedWildcards(stacksJSON ...[]byte) (unused []string, err error) {
	used := map[string]bool{}
	for _, stackJSON := range stacksJSON {
		s, err := decode(stackJSON)
		if err != nil {
			return nil, err
		}
		s.eachAllowed(func(d document, _ string, st statement) {
			whole := d.kind == identityPolicy && slices.ContainsFunc(st.Resource, wholeType)
			for _, action := range st.Action {
				_, pattern := actionPatterns[action]
				used[action] = used[action] || whole || pattern
			}
		}, identityPolicy, resourcePolicy, keyPolicy, trustPolicy)
		for _, r := range s.resources {
			for _, path := range []string{"policy_arn?", "managed_policy_arns?"} {
				for _, v := range values(r.body, path) {
					used[fmt.Sprint(v)] = true
				}
			}
		}
	}
	for _, listed := range []map[string]string{resourceless, typewide, actionPatterns, managedPolicies} {
		for wildcard := range listed {
			if !used[wildcard] {
				unused = append(unused, wildcard)
			}
		}
	}
	slices.Sort(unused)
	return unused, nil
}
