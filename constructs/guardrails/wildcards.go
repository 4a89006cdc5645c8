package guardrails

// This file lists every wildcard that policies may hold, each with its reason.

// resourceless are actions that IAM knows no resources for, or that ask for all
// of a type, so that they can be allowed in no narrower way.
var resourceless = map[string]string{
	"xray:PutTraceSegments":                             "X-Ray knows no resources",
	"xray:PutTelemetryRecords":                          "X-Ray knows no resources",
	"cloudwatch:PutMetricData":                          "metrics are no resources; a condition on cloudwatch:namespace narrows it",
	"cloudwatch:GetMetricData":                          "metrics are no resources",
	"cloudwatch:GetMetricStatistics":                    "metrics are no resources",
	"cloudwatch:ListMetrics":                            "metrics are no resources",
	"ecr:GetAuthorizationToken":                         "the token is the account's; pulling is allowed by repository",
	"ssmmessages:CreateControlChannel":                  "channels of ECS Exec are no resources",
	"ssmmessages:CreateDataChannel":                     "channels of ECS Exec are no resources",
	"ssmmessages:OpenControlChannel":                    "channels of ECS Exec are no resources",
	"ssmmessages:OpenDataChannel":                       "channels of ECS Exec are no resources",
	"logs:CreateLogDelivery":                            "deliveries of vended logs are no resources",
	"logs:GetLogDelivery":                               "deliveries of vended logs are no resources",
	"logs:UpdateLogDelivery":                            "deliveries of vended logs are no resources",
	"logs:DeleteLogDelivery":                            "deliveries of vended logs are no resources",
	"logs:ListLogDeliveries":                            "deliveries of vended logs are no resources",
	"logs:PutResourcePolicy":                            "the resource policies of CloudWatch Logs are the account's",
	"logs:DescribeResourcePolicies":                     "the resource policies of CloudWatch Logs are the account's",
	"logs:StopQuery":                                    "queries are no resources",
	"logs:GetQueryResults":                              "queries are no resources; starting one is allowed by log group",
	"xray:GetTraceSummaries":                            "X-Ray knows no resources",
	"xray:GetServiceGraph":                              "X-Ray knows no resources",
	"xray:BatchGetTraces":                               "X-Ray knows no resources",
	"cloudwatch:DescribeAlarms":                         "it asks for all alarms",
	"cloudwatch:ListDashboards":                         "a list of the account's",
	"cloudwatch:GetDashboard":                           "dashboards hold figures, which cloudwatch:GetMetricData shows too",
	"elasticloadbalancing:DescribeTargetHealth":         "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeTargetGroups":         "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeRules":                "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeListeners":            "Elastic Load Balancing's descriptions know no resources",
	"elasticloadbalancing:DescribeLoadBalancers":        "Elastic Load Balancing's descriptions know no resources",
	"backup:CopyFromBackupVault":                        "copying out names no vault; copying in is allowed by vault",
	"athena:ListWorkGroups":                             "a list of the account's",
	"athena:ListDataCatalogs":                           "a list of the account's",
	"kinesis:ListStreams":                               "a list of the account's",
	"s3:ListAllMyBuckets":                               "a list of the account's",
	"tag:GetResources":                                  "a list of the account's",
	"sts:GetCallerIdentity":                             "tells the caller who it is",
	"ec2:DescribeAvailabilityZones":                     "EC2's descriptions know no resources",
	"ec2:DescribeNetworkInterfaces":                     "EC2's descriptions know no resources",
	"ec2:DescribeSecurityGroups":                        "EC2's descriptions know no resources",
	"ec2:DescribeSubnets":                               "EC2's descriptions know no resources",
	"ec2:DescribeVpcs":                                  "EC2's descriptions know no resources",
	"ec2:DescribeDhcpOptions":                           "EC2's descriptions know no resources",
	"ec2:DescribeVpcEndpoints":                          "EC2's descriptions know no resources",
	"ec2:DescribeRouteTables":                           "EC2's descriptions know no resources",
	"ce:GetCostAndUsage":                                "the account's costs",
	"lakeformation:GetDataAccess":                       "Lake Formation decides by its own grants",
	"athena:ListEngineVersions":                         "a list of the account's",
	"application-autoscaling:DescribeScalableTargets":   "a list of the account's",
	"application-autoscaling:DescribeScalingActivities": "a list of the account's",
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
	"arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs":  "API Gateway takes no log role that may do less",
	"arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup":   "one role saves every type of resource that is tagged for it",
	"arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores": "one role restores every type of resource that was saved",
	"arn:aws:iam::aws:policy/service-role/AWS_ConfigRole":                        "Config reads every type that it records",
}
