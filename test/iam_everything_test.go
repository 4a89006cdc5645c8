package test

import "strings"

// Principals that everything adds.
const (
	spender = "a role granted everything, with the budget spent"
	ops     = "arn:aws:iam::" + ownAccount + ":user/ops"
	ana     = "arn:aws:iam::" + ownAccount + ":user/ana"
	dpo     = "arn:aws:iam::" + ownAccount + ":user/dpo"
	red     = "arn:aws:iam::" + ownAccount + ":user/red"
	root2   = "arn:aws:iam::" + ownAccount + ":user/root2"
)

var (
	workgroup = regional("athena", "workgroup/shopstream-prod-analysts")
	service   = regional("ecs", "service/shopstream-prod-collector/shopstream-prod-collector")
	online    = regional("dynamodb", "table/shopstream-prod-online")
	denial    = given{"iam:PolicyARN": "arn:aws:iam::" + ownAccount + ":policy/shopstream-prod-budget-deny"}
	mfa       = given{"aws:MultiFactorAuthPresent": "true"}
)

const (
	readLogs = "logs:FilterLogEvents logs:StartQuery"
	query    = "athena:StartQueryExecution athena:GetQueryExecution athena:GetQueryResults athena:StopQueryExecution"
)

// matrixOfEverything says what people, and roles that only options bring, must
// be able to do, and what they must not.
var matrixOfEverything = []line{
	// Operators watch, keep the shops, and move what redrive gave up. They see no
	// event.
	{"operator", may, readLogs, to(logGroup("/shopstream/prod/collector"), logGroup("/aws/lambda/shopstream-prod-preprocess")), nil, ""},
	{"operator", may, "logs:GetLogEvents", to(logStream("/shopstream/prod/collector")), nil, ""},
	{"operator", mayNot, "logs:GetLogEvents", to(logStream("/shopstream/prod/network"), logStream("aws-waf-logs-shopstream-prod-edge")), nil, ""},
	{"operator", may, "cloudwatch:GetMetricData logs:GetQueryResults xray:GetTraceSummaries", to("*"), nil, ""},
	{"operator", may, "cloudwatch:DescribeAlarms cloudwatch:DescribeAlarmHistory", to(regional("cloudwatch", "alarm:shopstream-prod-x")), nil, ""},
	{"operator", may, "application-autoscaling:DescribeScalingActivities backup:ListBackupJobs backup:ListCopyJobs ecs:ListTasks lambda:GetAccountSettings scheduler:ListSchedules", to("*"), nil, ""},
	{"operator", may, "ecs:DescribeServices", to(service), nil, ""},
	{"operator", may, "ecs:DescribeTasks", to(regional("ecs", "task/shopstream-prod-collector/x")), nil, ""},
	{"operator", may, "kinesis:DescribeStreamSummary", to(gateway, events), nil, ""},
	{"operator", may, "firehose:DescribeDeliveryStream", to(regional("firehose", "deliverystream/shopstream-prod-raw")), nil, ""},
	{"operator", may, "scheduler:GetSchedule", to(regional("scheduler", "schedule/default/shopstream-prod-scaler"), regional("scheduler", "schedule/shopstream-prod-heartbeat/shopstream-prod-heartbeat")), nil, ""},
	{"operator", may, "kms:DescribeKey", to(transitKey, eventsKey, logsKey, alertsKey, backupsKey), nil, ""},
	{"operator", may, "dynamodb:Scan dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem", to(shops), nil, ""},
	{"operator", may, "kms:Decrypt kms:GenerateDataKey", to(eventsKey), nil, ""}, // the registry's
	{"operator", mayNot, "ecs:UpdateService ecs:DescribeServices", to(regional("ecs", "service/other/other")), nil, ""},
	{"operator", mayNot, "kinesis:DeleteStream kinesis:GetShardIterator", to(gateway, events), nil, ""},
	{"operator", mayNot, "dynamodb:Query dynamodb:GetItem dynamodb:Scan dynamodb:PutItem dynamodb:DeleteItem", to(online), nil, ""},
	{"operator", mayNot, "dynamodb:UpdateTable dynamodb:DeleteTable", to(shops), nil, ""},
	{"operator", mayNot, "secretsmanager:GetSecretValue", to(visitors), nil, ""},
	{"operator", may, "sqs:StartMessageMoveTask sqs:ListMessageMoveTasks sqs:ReceiveMessage sqs:DeleteMessage", to(letters), nil, ""},
	{"operator", may, "sqs:SendMessage sqs:GetQueueAttributes", to(queue), nil, ""},
	{"operator", may, "kms:Decrypt kms:GenerateDataKey", to(transitKey), nil, ""},
	{"operator", mayNot, "sqs:ReceiveMessage sqs:DeleteMessage sqs:PurgeQueue", to(queue), nil, ""},
	{"operator", mayNot, "sqs:PurgeQueue sqs:SetQueueAttributes", to(letters), nil, ""},
	{"operator", mayNot, readLogs, to(logGroup("/shopstream/prod/network"), logGroup("aws-waf-logs-shopstream-prod-edge")), nil, ""}, // which hold addresses
	{"operator", mayNot, "s3:GetObject s3:PutObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"operator", mayNot, "kinesis:GetRecords kinesis:PutRecords", to(gateway, events), nil, ""},
	{"operator", mayNot, query, to(workgroup), nil, ""},
	{"operator", mayNot, "kms:Decrypt", to(logsKey, alertsKey, backupsKey, replicaKey), nil, ""},

	// Analysts query the tables: neither what arrived nor what was rejected.
	{"analyst", may, query, to(workgroup), nil, ""},
	{"analyst", may, "glue:GetTable glue:GetPartitions", to(catalog, database, table("events")), nil, ""},
	{"analyst", may, "s3:GetObject", to(object("transformed", "events/x"), object("athena-results", "queries/x")), nil, ""},
	{"analyst", may, "s3:PutObject", to(object("athena-results", "queries/x")), nil, ""},
	{"analyst", may, "kms:Decrypt kms:GenerateDataKey", to(eventsKey), nil, ""},
	{"analyst", mayNot, "s3:GetObject", objects(bucket("transformed")), nil, ""},
	{"analyst", mayNot, "s3:PutObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"analyst", mayNot, "glue:GetTable", to(table("packs"), table("quarantined"), table("receipts")), nil, ""},
	{"analyst", mayNot, "glue:UpdateTable glue:DeleteTable", to(table("events")), nil, ""},
	{"analyst", mayNot, "kinesis:GetRecords kinesis:PutRecords", to(gateway, events), nil, ""},
	{"analyst", mayNot, "dynamodb:GetItem dynamodb:Scan", to(shops), nil, ""},
	{"analyst", mayNot, readLogs, to(logGroup("/shopstream/prod/collector")), nil, ""},
	{"analyst", mayNot, "sqs:ReceiveMessage", to(queue, letters), nil, ""},
	{"analyst", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},

	// Privacy officers look into the quarantine and erase there and in the tables,
	// after a tombstone was written. They see when copies end.
	{"privacy-officer", may, query, to(workgroup), nil, ""},
	{"privacy-officer", may, "s3:GetObject", to(object("quarantine", "events/x"), object("transformed", "events/x"), object("athena-results", "queries/x")), nil, ""},
	{"privacy-officer", may, "s3:DeleteObject s3:DeleteObjectVersion s3:GetObjectVersion s3:PutObject", to(object("quarantine", "events/x")), nil, ""},
	{"privacy-officer", may, "s3:PutObject", to(object("raw", "erasures/shoes/v/x.json")), nil, ""},
	{"privacy-officer", may, "s3:GetLifecycleConfiguration s3:GetReplicationConfiguration", to(bucket("raw"), bucket("failed"), bucket("landing"), bucket("transformed"), bucket("athena-results")), nil, ""},
	{"privacy-officer", may, "s3:GetLifecycleConfiguration", to(copyOf("raw"), copyOf("transformed")), nil, ""},
	{"privacy-officer", may, "dynamodb:Query dynamodb:DeleteItem dynamodb:DescribeContinuousBackups", to(online), nil, ""},
	{"privacy-officer", may, "dynamodb:Scan", to(shops), nil, ""},
	{"privacy-officer", may, "kinesis:DescribeStreamSummary", to(gateway, events), nil, ""},
	{"privacy-officer", may, "secretsmanager:GetSecretValue", to(visitors), nil, ""},
	{"privacy-officer", mayNot, "secretsmanager:PutSecretValue secretsmanager:DeleteSecret", to(visitors), nil, ""},
	{"privacy-officer", mayNot, "dynamodb:PutItem dynamodb:UpdateItem", to(shops, online), nil, ""},
	{"privacy-officer", mayNot, "s3:GetObjectVersion", objects(bucket("quarantine")), nil, ""},
	{"privacy-officer", mayNot, "s3:GetObject s3:DeleteObject s3:DeleteObjectVersion", to(object("raw", "erasures/shoes/v/x.json")), nil, ""},
	{"privacy-officer", may, "s3:ListBucketVersions", to(bucket("quarantine")), nil, ""},
	{"privacy-officer", may, "s3:PutObject s3:DeleteObject", to(object("transformed", "events/x")), nil, ""},
	{"privacy-officer", may, "glue:GetTable", to(catalog, database, table("events"), table("quarantined")), nil, ""},
	{"privacy-officer", may, "glue:UpdateTable", to(catalog, database, table("events")), nil, ""},
	{"privacy-officer", may, "kms:Decrypt kms:GenerateDataKey", to(eventsKey), nil, ""},
	{"privacy-officer", mayNot, "s3:GetObject", objects(bucket("quarantine"), bucket("transformed")), nil, ""},
	{"privacy-officer", mayNot, "s3:PutObject", objects(bucket("quarantine"), bucket("transformed")), nil, ""}, // of raw, erasures/ alone
	{"privacy-officer", mayNot, "s3:DeleteObject", objects(bucket("quarantine"), bucket("transformed")), nil, ""},
	{"privacy-officer", mayNot, "s3:DeleteObjectVersion", objects(bucket("quarantine")), nil, ""},
	{"privacy-officer", mayNot, "kinesis:GetRecords kinesis:PutRecords", to(gateway, events), nil, ""},
	{"privacy-officer", mayNot, "dynamodb:GetItem dynamodb:DeleteItem", to(shops), nil, ""},
	{"privacy-officer", mayNot, readLogs, to(logGroup("/shopstream/prod/collector")), nil, ""},
	{"privacy-officer", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},

	// Redrive alone reads what failed: people who let it, and what else is stored,
	// enter again. It deletes messages, and nothing else.
	{"redrive", may, "s3:GetObject", to(object("raw", "events/x"), object("quarantine", "events/x"), object("failed", "x")), nil, ""},
	{"redrive", may, "s3:ListBucket", to(bucket("raw"), bucket("quarantine")), nil, ""},
	{"redrive", may, "sqs:GetQueueUrl sqs:GetQueueAttributes sqs:ReceiveMessage sqs:DeleteMessage", to(queue), nil, ""},
	{"redrive", may, "kinesis:DescribeStreamSummary kinesis:PutRecords", to(gateway, events), nil, ""},
	{"redrive", may, "kms:Decrypt kms:GenerateDataKey", to(transitKey, eventsKey), nil, ""},
	{"redrive", mayNot, "s3:GetObject", append(objects(bucket("raw"), bucket("quarantine"), bucket("failed")), object("raw", "erasures/shoes/v/x.json")), nil, ""},
	{"redrive", mayNot, "s3:PutObject s3:DeleteObject s3:DeleteObjectVersion s3:GetObjectVersion", objects(), nil, ""},
	{"redrive", mayNot, "sqs:SendMessage sqs:PurgeQueue", to(queue), nil, ""},
	{"redrive", mayNot, "sqs:ReceiveMessage sqs:DeleteMessage", to(letters), nil, ""},
	{"redrive", mayNot, "kinesis:GetRecords kinesis:GetShardIterator kinesis:DeleteStream", to(gateway, events), nil, ""},
	{"redrive", mayNot, "dynamodb:GetItem dynamodb:Scan dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem", to(shops, online), nil, ""},
	{"redrive", mayNot, "glue:GetTable glue:UpdateTable", to(table("events"), table("packs"), table("quarantined")), nil, ""},
	{"redrive", mayNot, query, to(workgroup), nil, ""},
	{"redrive", mayNot, "secretsmanager:GetSecretValue", to(visitors), nil, ""},
	{"redrive", mayNot, "kms:Decrypt", to(logsKey, alertsKey, backupsKey, replicaKey), nil, ""},

	// Break-glass may do everything that resources themselves don't refuse to all.
	{"break-glass", may, "s3:GetObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"break-glass", may, "s3:PutBucketPolicy", to(bucket("raw")), nil, ""},
	{"break-glass", may, "kms:Decrypt kms:PutKeyPolicy", to(transitKey, eventsKey, logsKey, alertsKey, backupsKey, replicaKey), nil, ""},
	{"break-glass", may, "iam:CreateUser", to("arn:aws:iam::" + ownAccount + ":user/x"), nil, ""},
	{"break-glass", mayNot, "s3:GetObject", objects(), given{"aws:SecureTransport": "false"}, ""},
	{"break-glass", mayNot, "s3:PutObject", to(object("artifacts", "t/1.0.0/shopstream.js")), nil, ""},

	// EventBridge tells of break-glass in a role, and of nothing else.
	{"break-glass-alarm", may, "sns:Publish", to(pages), nil, ""},
	{"break-glass-alarm", may, "kms:GenerateDataKey kms:Decrypt", to(alertsKey), nil, ""},
	{"break-glass-alarm", may, "events:PutEvents", to(regional("events", "event-bus/default")), nil, ""},
	{"break-glass-alarm", mayNot, "sns:Publish", to(tickets), nil, ""},
	{"break-glass-alarm", mayNot, "kms:Decrypt", to(transitKey, eventsKey, logsKey), nil, ""},
	{"break-glass-alarm", mayNot, "s3:GetObject", objects(), nil, ""},
	{"events.amazonaws.com", mayNot, "sns:Publish", to(pages, tickets), from(regional("events", "rule/shopstream-prod-break-glass")), ""},
	{"events.amazonaws.com", mayNot, "kms:GenerateDataKey kms:Decrypt", to(alertsKey), from(regional("events", "rule/shopstream-prod-break-glass")), ""},

	// A spent budget puts one policy on the roles that launch, and that stops them.
	{"budget-actor", may, "iam:AttachRolePolicy iam:DetachRolePolicy", to(roleARN("ci-apply"), roleARN("analyst")), denial, ""},
	{"budget-actor", mayNot, "iam:AttachRolePolicy", to(roleARN("collector"), roleARN("preprocess"), roleARN("break-glass")), denial, ""},
	{"budget-actor", mayNot, "iam:AttachRolePolicy", to(roleARN("analyst")), given{"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}, ""},
	{"budget-actor", mayNot, "iam:PutRolePolicy iam:UpdateAssumeRolePolicy iam:DeleteRolePermissionsBoundary", to(roleARN("analyst")), nil, ""},
	{"budget-actor", mayNot, "s3:GetObject", objects(), nil, ""},
	{spender, mayNot, "ecs:RunTask", to(regional("ecs", "task-definition/x:1")), nil, ""},
	{spender, mayNot, "kinesis:UpdateShardCount", to("*"), nil, ""},
	{spender, mayNot, "athena:StartQueryExecution", to(workgroup), nil, ""},
	{spender, may, "kinesis:PutRecords", to(gateway, events), nil, ""},
	{spender, may, "s3:PutObject", to(object("raw", "x")), nil, ""},

	// CodeDeploy shifts traffic between the collector's tasks.
	{"collector-deployment", may, "ecs:DescribeServices ecs:UpdateServicePrimaryTaskSet", to(service), nil, ""},
	{"collector-deployment", may, "iam:PassRole", to(roleARN("collector"), roleARN("collector-execution")), nil, ""},
	{"collector-deployment", may, "cloudwatch:DescribeAlarms", to(regional("cloudwatch", "alarm:shopstream-prod-x")), nil, ""},
	{"collector-deployment", mayNot, "iam:PassRole", to(roleARN("preprocess"), roleARN("break-glass")), nil, ""},
	{"collector-deployment", mayNot, "ecs:UpdateService ecs:DeleteService", to(service), nil, ""},
	{"collector-deployment", mayNot, "s3:GetObject", objects(), nil, ""},
	{"collector-deployment", mayNot, "kinesis:GetRecords kinesis:PutRecords", to(gateway, events), nil, ""},

	// People take their own role alone, with a second factor.
	{ops, may, "sts:AssumeRole", to(roleARN("operator")), mfa, ""},
	{ops, mayNot, "sts:AssumeRole", to(roleARN("analyst"), roleARN("privacy-officer"), roleARN("redrive"), roleARN("break-glass"), roleARN("collector")), mfa, ""},
	{ana, may, "sts:AssumeRole", to(roleARN("analyst")), mfa, ""},
	{ana, mayNot, "sts:AssumeRole", to(roleARN("operator"), roleARN("privacy-officer"), roleARN("break-glass")), mfa, ""},
	{dpo, may, "sts:AssumeRole", to(roleARN("privacy-officer")), mfa, ""},
	{dpo, mayNot, "sts:AssumeRole", to(roleARN("operator"), roleARN("analyst"), roleARN("break-glass")), mfa, ""},
	{red, may, "sts:AssumeRole", to(roleARN("redrive")), mfa, ""},
	{red, mayNot, "sts:AssumeRole", to(roleARN("operator"), roleARN("analyst"), roleARN("privacy-officer"), roleARN("break-glass")), mfa, ""},
	{red, mayNot, "sts:AssumeRole", to(roleARN("redrive")), given{"aws:MultiFactorAuthPresent": "false"}, ""},
	{root2, may, "sts:AssumeRole", to(roleARN("break-glass")), mfa, ""},
	{root2, mayNot, "sts:AssumeRole", to(roleARN("break-glass")), given{"aws:MultiFactorAuthPresent": "false"}, ""},
	{ops, mayNot, "sts:AssumeRole", to(roleARN("operator")), nil, ""},
	{administrator, mayNot, "sts:AssumeRole", to(roleARN("operator"), roleARN("analyst"), roleARN("privacy-officer"), roleARN("redrive"), roleARN("break-glass")), mfa, ""},

	// Every further endpoint holds the account's principals to its resources.
	{administrator, may, "glue:GetTable", to(table("events")), nil, "glue"},
	{administrator, mayNot, "glue:GetTable", others(table("events")), theirs, "glue"},
	{administrator, may, "kms:Decrypt", to(eventsKey), nil, "kms"},
	{administrator, mayNot, "kms:Decrypt", others(eventsKey), theirs, "kms"},
	{administrator, may, "cloudwatch:PutMetricData", to("*"), nil, "monitoring"},
	{administrator, mayNot, "cloudwatch:PutMetricData", to("*"), theirs, "monitoring"},
	{administrator, may, "secretsmanager:GetSecretValue", to(regional("secretsmanager", "secret:x")), nil, "secretsmanager"},
	{administrator, mayNot, "secretsmanager:GetSecretValue", others(regional("secretsmanager", "secret:x")), theirs, "secretsmanager"},
	{administrator, may, "sts:GetCallerIdentity", to("*"), nil, "sts"},
	{administrator, mayNot, "sts:AssumeRole", others(roleARN("x")), theirs, "sts"},
	{administrator, may, "xray:PutTraceSegments", to("*"), nil, "xray"},
	{administrator, mayNot, "xray:PutTraceSegments", to("*"), theirs, "xray"},
}

var theirs = given{"aws:ResourceAccount": otherAccount}

// others is another account's resource of the same name.
func others(arn string) []string { return to(strings.Replace(arn, ownAccount, otherAccount, 1)) }
