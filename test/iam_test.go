package test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/stacks"
)

// Principals beside roles, which are named less "shopstream-prod-", and services.
const (
	administrator = "an administrator" // may do everything, so that only resources' policies can deny it
	bounded       = "a role granted everything"
	outsider      = "another account's administrator"
	anybody       = "anybody, unsigned"
)

type verdict bool

const (
	may    verdict = true
	mayNot verdict = false
)

func (v verdict) String() string {
	if v {
		return "may"
	}
	return "may not"
}

// given is what AWS tells about a request.
type given = map[string]string

// line is a sentence: who may or may not do what to which resources.
type line struct {
	who     string
	verdict verdict
	does    string // actions, separated by spaces
	on      []string
	given   given  // beyond what AWS tells about every request
	via     string // a VPC endpoint's service
}

func to(arns ...string) []string { return arns }

// bucket is one of the region's buckets; copyOf one of the replica's.
func bucket(name string) string {
	return "arn:aws:s3:::shopstream-prod-" + name + "-" + ownAccount + "-eu-west-1"
}
func copyOf(name string) string { return strings.Replace(bucket(name), "eu-west-1", "eu-central-1", 1) }

func object(name, key string) string { return bucket(name) + "/" + key }

// objects is one object in each bucket but some.
func objects(but ...string) (arns []string) {
	for _, name := range []string{"raw", "quarantine", "ledger", "failed", "landing", "transformed", "athena-results", "artifacts", "access-logs"} {
		arns = append(arns, object(name, "events/x"))
	}
	for _, name := range []string{"raw", "transformed", "access-logs"} {
		arns = append(arns, copyOf(name)+"/events/x")
	}
	return slices.DeleteFunc(arns, func(arn string) bool {
		return slices.ContainsFunc(but, func(bucket string) bool { return strings.HasPrefix(arn, bucket+"/") })
	})
}

func regional(service, rest string) string {
	return "arn:aws:" + service + ":eu-west-1:" + ownAccount + ":" + rest
}

func roleARN(name string) string {
	return "arn:aws:iam::" + ownAccount + ":role/shopstream-prod-" + name
}
func logARN(name string) string     { return regional("logs", "log-group:"+name) }
func logGroup(name string) string   { return regional("logs", "log-group:"+name) + ":log-stream:" } // so Logs itself names groups
func logStream(group string) string { return logGroup(group) + "one" }
func function(name string) string   { return regional("lambda", "function:shopstream-prod-"+name) }
func table(name string) string      { return regional("glue", "table/shopstream_prod_lake/"+name) }

var (
	gateway = regional("kinesis", "stream/shopstream-prod-gateway")
	events  = regional("kinesis", "stream/shopstream-prod-events")
	shops   = regional("dynamodb", "table/shopstream-prod-shops")
	queue   = regional("sqs", "shopstream-prod-failures")
	letters = regional("sqs", "shopstream-prod-failures-dlq")
	image   = regional("ecr", "repository/shopstream/collector")

	visitors = regional("secretsmanager", "secret:shopstream-prod-visitors-AbCdEf")

	transitKey = regional("kms", "key/transit_key")
	eventsKey  = regional("kms", "key/events_key")
	alertsKey  = regional("kms", "key/alerts_key")
	backupsKey = regional("kms", "key/backups_key")
	logsKey    = regional("kms", "key/logs_key")
	replicaKey = "arn:aws:kms:eu-central-1:" + ownAccount + ":key/replica_key"

	pages    = regional("sns", "shopstream-prod-page")
	tickets  = regional("sns", "shopstream-prod-ticket")
	vault    = regional("backup", "backup-vault:shopstream-prod-backup")
	tracker  = "arn:aws:cloudfront::" + ownAccount + ":distribution/tracker"
	catalog  = regional("glue", "catalog")
	database = regional("glue", "database/shopstream_prod_lake")
)

const (
	rolePrefix = "shopstream-prod-"
	putLogs    = "logs:CreateLogStream logs:PutLogEvents"
	readStream = "kinesis:DescribeStreamSummary kinesis:ListShards kinesis:GetShardIterator kinesis:GetRecords"
)

// matrix says what every role must be able to do, which is what its program or
// service calls, and what it must not.
var matrix = []line{
	{"collector", may, "kinesis:PutRecords", to(gateway), nil, "kinesis-streams"},
	{"collector", may, "kms:GenerateDataKey", to(transitKey), nil, ""},
	{"collector", may, "dynamodb:GetItem", to(shops), nil, "dynamodb"},
	{"collector", may, "kms:Decrypt", to(eventsKey), nil, ""},
	{"collector", may, "secretsmanager:GetSecretValue secretsmanager:DescribeSecret", to(visitors), nil, ""},
	{"collector", mayNot, "secretsmanager:PutSecretValue secretsmanager:DeleteSecret", to(visitors), nil, ""},
	{"preprocess", mayNot, "secretsmanager:GetSecretValue", to(visitors), nil, ""},
	{"collector", may, "ecs:DescribeClusters", to(regional("ecs", "cluster/shopstream-prod-collector")), nil, ""},
	{"collector", mayNot, "ecs:UpdateCluster ecs:DeleteCluster ecs:PutClusterCapacityProviders", to(regional("ecs", "cluster/shopstream-prod-collector")), nil, ""},
	{"collector", mayNot, readStream, to(gateway), nil, ""},
	{"collector", mayNot, "kinesis:PutRecord kinesis:PutRecords kinesis:GetRecords", to(events), nil, ""},
	{"collector", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},
	{"collector", mayNot, "kms:GenerateDataKey kms:Encrypt", to(eventsKey), nil, ""},
	{"collector", mayNot, "dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:Scan dynamodb:Query", to(shops), nil, ""},
	{"collector", mayNot, "s3:GetObject s3:PutObject s3:DeleteObject", objects(), nil, ""},
	{"collector", mayNot, "sqs:SendMessage sqs:ReceiveMessage", to(queue, letters), nil, ""},

	{"collector-execution", may, "ecr:GetAuthorizationToken", to("*"), nil, "ecr.api"},
	{"collector-execution", may, "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer", to(image), nil, "ecr.dkr"},
	{"collector-execution", may, putLogs, to(logStream("/shopstream/prod/collector")), nil, "logs"},
	{"collector-execution", mayNot, "ecr:PutImage ecr:BatchDeleteImage", to(image), nil, ""},
	{"collector-execution", mayNot, "ecr:BatchGetImage", to(image + "-other"), nil, ""},
	{"collector-execution", mayNot, putLogs, to(logStream("/aws/lambda/shopstream-prod-preprocess")), nil, ""},
	{"collector-execution", mayNot, "kinesis:PutRecords kinesis:GetRecords", to(gateway, events), nil, ""},
	{"collector-execution", mayNot, "dynamodb:GetItem", to(shops), nil, ""},
	{"collector-execution", mayNot, "s3:GetObject s3:PutObject", objects(), nil, ""},
	{"collector-execution", mayNot, "kms:Decrypt kms:GenerateDataKey", to(transitKey, eventsKey, logsKey), nil, ""},

	{"preprocess", may, readStream + " kinesis:DescribeStream", to(gateway), nil, ""},
	{"preprocess", may, "kms:Decrypt kms:GenerateDataKey", to(transitKey, eventsKey), nil, ""},
	{"preprocess", may, "kinesis:PutRecords", to(events), nil, ""},
	{"preprocess", may, "s3:PutObject", to(object("quarantine", "events/x"), object("ledger", "receipts/x"), object("failed", "x")), nil, ""},
	{"preprocess", may, "s3:ListBucket", to(bucket("failed")), nil, ""},
	{"preprocess", may, putLogs, to(logStream("/aws/lambda/shopstream-prod-preprocess")), nil, ""},
	{"preprocess", may, "xray:PutTraceSegments xray:PutTelemetryRecords", to("*"), nil, ""},
	{"preprocess", mayNot, "kinesis:PutRecord kinesis:PutRecords", to(gateway), nil, ""},
	{"preprocess", mayNot, "kinesis:GetRecords kinesis:GetShardIterator", to(events), nil, ""},
	{"preprocess", mayNot, "s3:GetObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"preprocess", mayNot, "s3:PutObject", objects(bucket("quarantine"), bucket("failed")), nil, ""}, // of the ledger, receipts/ alone
	{"preprocess", mayNot, "dynamodb:GetItem dynamodb:PutItem", to(shops), nil, ""},
	{"preprocess", mayNot, "sqs:SendMessage sqs:ReceiveMessage", to(queue, letters), nil, ""},
	{"preprocess", mayNot, "kms:Decrypt", to(logsKey, replicaKey), nil, ""},

	{"raw", may, readStream + " kinesis:DescribeStream", to(events), nil, ""},
	{"raw", may, "kms:Decrypt kms:GenerateDataKey", to(eventsKey), nil, ""},
	{"raw", may, "s3:PutObject s3:AbortMultipartUpload", to(object("raw", "events/x")), nil, ""},
	{"raw", may, "s3:GetBucketLocation s3:ListBucket s3:ListBucketMultipartUploads", to(bucket("raw")), nil, ""},
	{"raw", may, putLogs, to(logStream("/aws/kinesisfirehose/shopstream-prod-raw")), nil, ""},
	{"raw", mayNot, "s3:PutObject", objects(bucket("raw")), nil, ""},
	{"raw", mayNot, "s3:GetObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"raw", mayNot, "kinesis:PutRecords", to(gateway, events), nil, ""},
	{"raw", mayNot, "kinesis:GetRecords", to(gateway), nil, ""},
	{"raw", mayNot, "kms:Decrypt kms:GenerateDataKey", to(transitKey, logsKey, replicaKey), nil, ""},

	{"raw-replica", may, "s3:GetReplicationConfiguration s3:ListBucket", to(bucket("raw")), nil, ""},
	{"raw-replica", may, "s3:GetObjectVersionForReplication s3:GetObjectVersionAcl s3:GetObjectVersionTagging", to(object("raw", "events/x")), nil, ""},
	{"raw-replica", may, "s3:ReplicateObject s3:ReplicateDelete s3:ReplicateTags", to(copyOf("raw") + "/events/x"), nil, ""},
	{"raw-replica", may, "kms:Decrypt", to(eventsKey), nil, ""},
	{"raw-replica", may, "kms:Encrypt kms:GenerateDataKey", to(replicaKey), nil, ""},
	{"raw-replica", mayNot, "s3:ReplicateObject s3:ReplicateDelete", objects(copyOf("raw")), nil, ""},
	{"raw-replica", mayNot, "s3:GetObjectVersionForReplication", objects(bucket("raw")), nil, ""},
	{"raw-replica", mayNot, "s3:GetObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"raw-replica", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},

	{"transformed-replica", may, "s3:GetReplicationConfiguration s3:ListBucket", to(bucket("transformed")), nil, ""},
	{"transformed-replica", may, "s3:GetObjectVersionForReplication s3:GetObjectVersionAcl s3:GetObjectVersionTagging", to(object("transformed", "events/x")), nil, ""},
	{"transformed-replica", may, "s3:ReplicateObject s3:ReplicateDelete s3:ReplicateTags", to(copyOf("transformed") + "/events/x"), nil, ""},
	{"transformed-replica", may, "kms:Decrypt", to(eventsKey), nil, ""},
	{"transformed-replica", may, "kms:Encrypt kms:GenerateDataKey", to(replicaKey), nil, ""},
	{"transformed-replica", mayNot, "s3:ReplicateObject s3:ReplicateDelete", objects(copyOf("transformed")), nil, ""},
	{"transformed-replica", mayNot, "s3:GetObjectVersionForReplication", objects(bucket("transformed")), nil, ""},
	{"transformed-replica", mayNot, "s3:GetObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"transformed-replica", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},

	{"optimizer", may, "glue:GetTable glue:UpdateTable", to(catalog, database, table("events")), nil, ""},
	{"optimizer", may, "s3:GetObject s3:PutObject s3:DeleteObject", to(object("transformed", "events/x")), nil, ""},
	{"optimizer", may, "s3:GetBucketLocation s3:ListBucket", to(bucket("transformed")), nil, ""},
	{"optimizer", may, "kms:Decrypt kms:GenerateDataKey", to(eventsKey), nil, ""},
	{"optimizer", may, "logs:CreateLogGroup", to(logGroup("/aws-glue/iceberg-compaction/logs")), nil, ""},
	{"optimizer", may, putLogs, to(logStream("/aws-glue/iceberg-compaction/logs")), nil, ""},
	{"optimizer", mayNot, "s3:GetObject s3:PutObject s3:DeleteObject", append(objects(bucket("transformed")), object("transformed", "other/x")), nil, ""},
	{"optimizer", mayNot, "s3:DeleteObjectVersion", objects(), nil, ""},
	{"optimizer", mayNot, "glue:UpdateTable", to(table("packs"), table("quarantined")), nil, ""},
	{"optimizer", mayNot, "glue:DeleteTable", to(table("events")), nil, ""},
	{"optimizer", mayNot, "kinesis:GetRecords kinesis:PutRecords", to(gateway, events), nil, ""},
	{"optimizer", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},

	{"crawler", may, "s3:GetObject", to(object("quarantine", "events/x")), nil, ""},
	{"crawler", may, "s3:GetBucketLocation s3:ListBucket", to(bucket("quarantine")), nil, ""},
	{"crawler", may, "kms:Decrypt", to(eventsKey), nil, ""},
	{"crawler", may, "glue:GetTable glue:CreateTable glue:UpdateTable glue:GetPartitions glue:BatchCreatePartition", to(catalog, database, table("discovered_events")), nil, ""},
	{"crawler", may, "logs:CreateLogGroup logs:AssociateKmsKey", to(logGroup("/aws-glue/crawlers-role/x")), nil, ""},
	{"crawler", may, putLogs, to(logStream("/aws-glue/crawlers-role/x")), nil, ""},
	{"crawler", mayNot, "s3:GetObject", append(objects(bucket("quarantine")), object("quarantine", "other/x")), nil, ""},
	{"crawler", mayNot, "s3:PutObject s3:DeleteObject", objects(), nil, ""},
	{"crawler", mayNot, "glue:CreateTable glue:UpdateTable glue:DeleteTable", to(table("events"), table("packs")), nil, ""},
	{"crawler", mayNot, "kms:GenerateDataKey", to(eventsKey), nil, ""},
	{"crawler", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},

	{"network-flow-log", may, putLogs, to(logStream("/shopstream/prod/network")), nil, ""},
	{"network-flow-log", may, "logs:DescribeLogStreams", to(logGroup("/shopstream/prod/network")), nil, ""},
	{"network-flow-log", mayNot, putLogs, to(logStream("/shopstream/prod/collector"), logStream("/aws/lambda/shopstream-prod-preprocess")), nil, ""},
	{"network-flow-log", mayNot, "logs:GetLogEvents", to(logStream("/shopstream/prod/network")), nil, ""},
	{"network-flow-log", mayNot, "logs:DeleteLogGroup logs:PutRetentionPolicy", to(logGroup("/shopstream/prod/network")), nil, ""},
	{"network-flow-log", mayNot, "s3:GetObject s3:PutObject", objects(), nil, ""},

	{"backup-save", may, "dynamodb:StartAwsBackupJob dynamodb:DescribeTable", to(shops), nil, ""},
	{"backup-save", may, "s3:GetObjectVersion s3:GetObject", to(object("ledger", "receipts/x")), nil, ""},
	{"backup-save", may, "kms:Decrypt", to(eventsKey), nil, ""},
	{"backup-save", may, "kms:GenerateDataKey kms:CreateGrant", to(backupsKey, replicaKey), nil, ""},
	{"backup-save", may, "backup:CopyIntoBackupVault", to(strings.Replace(vault, "eu-west-1", "eu-central-1", 1)), nil, ""},
	{"backup-save", mayNot, "backup:CopyIntoBackupVault", to(strings.Replace(vault, ownAccount, otherAccount, 1)), nil, ""},
	{"backup-save", mayNot, "dynamodb:PutItem dynamodb:DeleteItem dynamodb:DeleteTable", to(shops), nil, ""},
	{"backup-save", mayNot, "s3:GetObject", objects(bucket("ledger")), nil, ""},
	{"backup-save", mayNot, "s3:PutObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"backup-save", mayNot, "kms:Decrypt", to(transitKey, logsKey, alertsKey), nil, ""},

	// What is restored goes beside the table, and over the ledger.
	{"backup-restore", may, "dynamodb:RestoreTableFromAwsBackup dynamodb:BatchWriteItem", to(shops + "-restored"), nil, ""},
	{"backup-restore", may, "s3:ListBucket s3:GetBucketVersioning", to(bucket("ledger")), nil, ""},
	{"backup-restore", may, "s3:GetObject s3:PutObject s3:PutObjectTagging", to(object("ledger", "receipts/x")), nil, ""},
	{"backup-restore", may, "kms:Decrypt kms:GenerateDataKey", to(backupsKey, eventsKey), nil, ""},
	{"backup-restore", mayNot, "dynamodb:PutItem dynamodb:DeleteItem dynamodb:BatchWriteItem dynamodb:Scan", to(shops), nil, ""},
	{"backup-restore", mayNot, "s3:GetObject s3:PutObject", objects(bucket("ledger")), nil, ""},
	{"backup-restore", mayNot, "s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"backup-restore", mayNot, "kms:Decrypt", to(transitKey, logsKey, alertsKey), nil, ""},

	// The scaler changes shards and sees no record.
	{"scaler", may, "kinesis:DescribeStreamSummary", to(gateway, events), nil, ""},
	{"scaler", may, "cloudwatch:GetMetricData kinesis:UpdateShardCount", to("*"), nil, ""}, // AWS's reference has no resources for them
	{"scaler", may, "sns:Publish", to(tickets), nil, ""},
	{"scaler", may, "kms:GenerateDataKey kms:Decrypt", to(alertsKey), nil, ""},
	{"scaler", may, putLogs, to(logStream("/aws/lambda/shopstream-prod-scaler")), nil, ""},
	{"scaler", mayNot, "kinesis:GetRecords kinesis:GetShardIterator kinesis:PutRecords kinesis:DeleteStream", to(gateway, events), nil, ""},
	{"scaler", mayNot, "sns:Publish", to(pages), nil, ""},
	{"scaler", mayNot, "s3:GetObject s3:PutObject", objects(), nil, ""},
	{"scaler", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},
	{"scaler-schedule", may, "lambda:InvokeFunction", to(function("scaler") + ":live"), nil, ""},
	{"scaler-schedule", mayNot, "lambda:InvokeFunction", to(function("preprocess"), function("preprocess")+":live", function("heartbeat-sender")+":live"), nil, ""},
	{"scaler-schedule", mayNot, "lambda:UpdateFunctionCode", to(function("scaler")), nil, ""},

	{"lambda.alarms.cloudwatch.amazonaws.com", may, "lambda:InvokeFunction", to(function("scaler") + ":live"), from(regional("cloudwatch", "alarm:shopstream-prod-gateway-filling-up")), ""},
	{"lambda.alarms.cloudwatch.amazonaws.com", mayNot, "lambda:InvokeFunction", to(function("scaler") + ":live"), from(strings.Replace(regional("cloudwatch", "alarm:shopstream-prod-gateway-filling-up"), ownAccount, otherAccount, 1)), ""},
	{"lambda.alarms.cloudwatch.amazonaws.com", mayNot, "lambda:InvokeFunction", to(function("preprocess") + ":live"), from(regional("cloudwatch", "alarm:shopstream-prod-gateway-filling-up")), ""},

	// The ledger counts what lies in three buckets, and changes nothing.
	{"ledger", may, "athena:StartQueryExecution athena:GetQueryExecution athena:GetQueryResults athena:StopQueryExecution", to(workgroup), nil, ""},
	{"ledger", may, "glue:GetTable glue:GetPartitions", to(catalog, database, table("packs"), table("quarantined"), table("receipts")), nil, ""},
	{"ledger", may, "s3:GetObject", to(object("raw", "events/x"), object("quarantine", "events/x"), object("ledger", "receipts/x"), object("athena-results", "queries/x")), nil, ""},
	{"ledger", may, "s3:GetBucketLocation s3:ListBucket", to(bucket("raw"), bucket("quarantine"), bucket("ledger"), bucket("athena-results")), nil, ""},
	{"ledger", may, "s3:PutObject", to(object("athena-results", "queries/x")), nil, ""},
	{"ledger", may, "kms:Decrypt kms:GenerateDataKey", to(eventsKey), nil, ""},
	{"ledger", may, putLogs, to(logStream("/aws/lambda/shopstream-prod-ledger")), nil, ""},
	{"ledger", mayNot, "s3:GetObject", objects(bucket("raw"), bucket("quarantine")), nil, ""}, // of the ledger, receipts/ alone
	{"ledger", mayNot, "s3:PutObject s3:DeleteObject s3:DeleteObjectVersion", objects(), nil, ""},
	{"ledger", mayNot, "glue:GetTable", to(table("events")), nil, ""},
	{"ledger", mayNot, "glue:UpdateTable glue:DeleteTable", to(table("packs"), table("quarantined"), table("receipts")), nil, ""},
	{"ledger", mayNot, "athena:UpdateWorkGroup athena:CreateNamedQuery", to(workgroup), nil, ""},
	{"ledger", mayNot, "kinesis:GetRecords kinesis:PutRecords", to(gateway, events), nil, ""},
	{"ledger", mayNot, "kms:Decrypt", to(transitKey, logsKey, replicaKey), nil, ""},
	{"ledger-schedule", may, "lambda:InvokeFunction", to(function("ledger") + ":live"), nil, ""},
	{"ledger-schedule", mayNot, "lambda:InvokeFunction", to(function("preprocess"), function("preprocess")+":live", function("heartbeat-sender")+":live"), nil, ""},
	{"ledger-schedule", mayNot, "lambda:UpdateFunctionCode", to(function("ledger")), nil, ""},

	// The heartbeat knocks at the front like any shop.
	{"heartbeat-sender", may, putLogs, to(logStream("/aws/lambda/shopstream-prod-heartbeat-sender")), nil, ""},
	{"heartbeat-sender", mayNot, "kinesis:PutRecords kinesis:GetRecords", to(gateway, events), nil, ""},
	{"heartbeat-sender", mayNot, "dynamodb:GetItem dynamodb:PutItem", to(shops), nil, ""},
	{"heartbeat-sender", mayNot, "s3:GetObject s3:PutObject", objects(), nil, ""},
	{"heartbeat", may, "lambda:InvokeFunction", to(function("heartbeat-sender") + ":live"), nil, ""},
	{"heartbeat", mayNot, "lambda:InvokeFunction", to(function("preprocess"), function("preprocess")+":live"), nil, ""},
	{"heartbeat", mayNot, "lambda:UpdateFunctionCode", to(function("heartbeat-sender")), nil, ""},

	// Topics take the platform's own alarms, and budgets and backups what can wait.
	{"cloudwatch.amazonaws.com", may, "sns:Publish", to(pages, tickets), from(regional("cloudwatch", "alarm:shopstream-prod-x")), ""},
	{"cloudwatch.amazonaws.com", may, "kms:GenerateDataKey kms:Decrypt", to(alertsKey), from(regional("cloudwatch", "alarm:shopstream-prod-x")), ""},
	{"cloudwatch.amazonaws.com", mayNot, "kms:Decrypt", to(transitKey, eventsKey, logsKey), from(regional("cloudwatch", "alarm:shopstream-prod-x")), ""},
	{"cloudwatch.amazonaws.com", mayNot, "sns:Publish", to(pages, tickets), from(regional("cloudwatch", "alarm:x")), ""},
	{"cloudwatch.amazonaws.com", mayNot, "sns:Subscribe", to(pages, tickets), from(regional("cloudwatch", "alarm:shopstream-prod-x")), ""},
	{"budgets.amazonaws.com", may, "sns:Publish", to(tickets), from("arn:aws:budgets::" + ownAccount + ":budget/x"), ""},
	{"budgets.amazonaws.com", mayNot, "sns:Publish", to(tickets), from("arn:aws:budgets::" + otherAccount + ":budget/x"), ""},
	{"budgets.amazonaws.com", mayNot, "sns:Publish", to(pages), from("arn:aws:budgets::" + ownAccount + ":budget/x"), ""},
	{"backup.amazonaws.com", may, "sns:Publish", to(tickets), from(vault), ""},
	{"backup.amazonaws.com", mayNot, "sns:Publish", to(tickets), from(vault + "-other"), ""},
	{administrator, mayNot, "sns:Publish", to(pages, tickets), given{"aws:SecureTransport": "false"}, ""},

	// The failure queue takes what S3 says of the failed bucket.
	{"s3.amazonaws.com", may, "sqs:SendMessage", to(queue), from(bucket("failed")), ""},
	{"s3.amazonaws.com", may, "kms:GenerateDataKey kms:Decrypt", to(transitKey), from(bucket("failed")), ""},
	{"s3.amazonaws.com", mayNot, "sqs:SendMessage", to(queue), from(bucket("raw")), ""},
	{"s3.amazonaws.com", mayNot, "sqs:SendMessage", to(queue), from("arn:aws:s3:::another-bucket"), ""},
	{"s3.amazonaws.com", mayNot, "sqs:ReceiveMessage", to(queue), from(bucket("failed")), ""},
	{"s3.amazonaws.com", mayNot, "sqs:SendMessage", to(letters), from(bucket("failed")), ""},
	{"s3.amazonaws.com", mayNot, "kms:GenerateDataKey kms:Decrypt", to(transitKey), from(bucket("raw")), ""},
	{"s3.amazonaws.com", mayNot, "kms:GenerateDataKey kms:Decrypt", to(eventsKey, logsKey, replicaKey), from(bucket("failed")), ""},
	{"sns.amazonaws.com", mayNot, "sqs:SendMessage", to(queue), from(bucket("failed")), ""},

	// CloudFront serves the tracker's releases, and nothing else of the bucket.
	{"cloudfront.amazonaws.com", may, "s3:GetObject", to(object("artifacts", "t/1.0.0/shopstream.js")), from(tracker), ""},
	{"cloudfront.amazonaws.com", may, "kms:Decrypt", to(eventsKey), from(tracker), ""},
	{"cloudfront.amazonaws.com", mayNot, "s3:GetObject", to(object("artifacts", "t/1.0.0/shopstream.js")), from(tracker + "-other"), ""},
	{"cloudfront.amazonaws.com", mayNot, "s3:GetObject", to(object("artifacts", "jobs/x"), object("raw", "t/x")), from(tracker), ""},
	{"cloudfront.amazonaws.com", mayNot, "s3:PutObject s3:DeleteObject", to(object("artifacts", "t/x")), from(tracker), ""},
	{"cloudfront.amazonaws.com", mayNot, "kms:Decrypt", to(eventsKey), from(strings.Replace(tracker, ownAccount, otherAccount, 1)), ""},
	{"cloudfront.amazonaws.com", mayNot, "kms:Decrypt", to(transitKey, logsKey), from(tracker), ""},
	{administrator, may, "s3:PutObject", to(object("artifacts", "t/1.0.0/shopstream.js")), given{"s3:if-none-match": "*"}, ""},
	{administrator, mayNot, "s3:PutObject", to(object("artifacts", "t/1.0.0/shopstream.js")), nil, ""},

	// Logs are encrypted for the account's own groups alone.
	{"logs.eu-west-1.amazonaws.com", may, "kms:Encrypt kms:Decrypt kms:GenerateDataKey", to(logsKey), encrypting(logARN("/shopstream/prod/collector")), ""},
	{"logs.eu-west-1.amazonaws.com", mayNot, "kms:Encrypt kms:Decrypt kms:GenerateDataKey", to(logsKey), encrypting(strings.Replace(logARN("/x"), ownAccount, otherAccount, 1)), ""},
	{"logs.eu-west-1.amazonaws.com", mayNot, "kms:Decrypt", to(logsKey), nil, ""},
	{"logs.eu-west-1.amazonaws.com", mayNot, "kms:Decrypt", to(transitKey, eventsKey), encrypting(logARN("/shopstream/prod/collector")), ""},
	{"logs.us-east-1.amazonaws.com", mayNot, "kms:Decrypt", to(logsKey), encrypting(logARN("/shopstream/prod/collector")), ""},
	{"delivery.logs.amazonaws.com", may, putLogs, to(logStream("aws-waf-logs-shopstream-prod-edge")), of(ownAccount), ""},
	{"delivery.logs.amazonaws.com", mayNot, putLogs, to(logStream("aws-waf-logs-shopstream-prod-edge")), of(otherAccount), ""},
	{"delivery.logs.amazonaws.com", mayNot, putLogs, to(logStream("/shopstream/prod/collector")), of(ownAccount), ""},
	{"logging.s3.amazonaws.com", may, "s3:PutObject", to(object("access-logs", "x"), copyOf("access-logs")+"/x"), given{"aws:SourceAccount": ownAccount}, ""},
	{"logging.s3.amazonaws.com", mayNot, "s3:PutObject", to(object("access-logs", "x"), copyOf("access-logs")+"/x"), given{"aws:SourceAccount": otherAccount}, ""},
	{"logging.s3.amazonaws.com", mayNot, "s3:PutObject", objects(bucket("access-logs"), copyOf("access-logs")), given{"aws:SourceAccount": ownAccount}, ""},
	{"logging.s3.amazonaws.com", mayNot, "s3:GetObject", objects(), given{"aws:SourceAccount": ownAccount}, ""},

	// Whatever a role is granted, its boundary holds.
	{bounded, may, "s3:GetObject", to(object("raw", "x")), nil, ""},
	{bounded, may, "iam:PassRole", to(roleARN("collector")), nil, ""},
	{bounded, mayNot, "iam:PassRole", to("arn:aws:iam::" + ownAccount + ":role/administrator"), nil, ""},
	{bounded, mayNot, "iam:CreateUser", to("arn:aws:iam::" + ownAccount + ":user/x"), nil, ""},
	{bounded, mayNot, "iam:PutRolePolicy iam:DeleteRolePermissionsBoundary", to(roleARN("collector")), nil, ""},
	{bounded, mayNot, "cloudtrail:StopLogging", to(regional("cloudtrail", "trail/x")), nil, ""},
	{bounded, mayNot, "s3:DeleteBucket s3:DeleteBucketPolicy s3:PutBucketPolicy s3:PutBucketPublicAccessBlock", to(bucket("raw")), nil, ""},
	{bounded, mayNot, "kms:ScheduleKeyDeletion kms:DisableKey kms:PutKeyPolicy", to(eventsKey), nil, ""},
	{bounded, mayNot, "kinesis:DeleteStream kinesis:DecreaseStreamRetentionPeriod", to(gateway, events), nil, ""},
	{bounded, mayNot, "dynamodb:DeleteTable", to(shops), nil, ""},
	{bounded, mayNot, "sqs:DeleteQueue", to(queue), nil, ""},
	{bounded, mayNot, "kinesis:PutRecords", to("arn:aws:kinesis:ap-south-1:" + ownAccount + ":stream/x"), nil, ""},

	// Endpoints let the account's own principals reach the account's own resources.
	{administrator, may, "s3:PutObject", to(object("raw", "x")), nil, "s3"},
	{administrator, mayNot, "s3:PutObject", to("arn:aws:s3:::another-bucket/x"), given{"aws:ResourceAccount": otherAccount}, "s3"},
	{administrator, may, "s3:GetObject", to("arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/x"), given{"aws:ResourceAccount": otherAccount}, "s3"},
	{administrator, mayNot, "s3:PutObject", to("arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/x"), given{"aws:ResourceAccount": otherAccount}, "s3"},
	{administrator, mayNot, "dynamodb:PutItem", to(strings.Replace(shops, ownAccount, otherAccount, 1)), given{"aws:ResourceAccount": otherAccount}, "dynamodb"},
	{administrator, mayNot, "kinesis:PutRecords", to(strings.Replace(events, ownAccount, otherAccount, 1)), given{"aws:ResourceAccount": otherAccount}, "kinesis-streams"},
	{administrator, mayNot, "ecr:BatchGetImage", to(strings.Replace(image, ownAccount, otherAccount, 1)), given{"aws:ResourceAccount": otherAccount}, "ecr.api"},
	{administrator, mayNot, "ecr:PutImage", to(strings.Replace(image, ownAccount, otherAccount, 1)), given{"aws:ResourceAccount": otherAccount}, "ecr.dkr"},
	{administrator, mayNot, putLogs, to(strings.Replace(logStream("/x"), ownAccount, otherAccount, 1)), given{"aws:ResourceAccount": otherAccount}, "logs"},
}

// assumedBy is the one service that assumes each role.
var assumedBy = map[string]string{
	"collector": "ecs-tasks", "collector-execution": "ecs-tasks", "preprocess": "lambda", "raw": "firehose",
	"raw-replica": "s3", "transformed-replica": "s3", "optimizer": "glue", "crawler": "glue", "network-flow-log": "vpc-flow-logs",
	"backup-save": "backup", "backup-restore": "backup",
	"ledger": "lambda", "ledger-schedule": "scheduler", "scaler": "lambda", "scaler-schedule": "scheduler", "heartbeat-sender": "lambda", "heartbeat": "scheduler",
	"collector-deployment": "codedeploy", "break-glass-alarm": "events", "budget-actor": "budgets",
}

// sourced is what a service tells when it takes a role for an account; Backup
// and CodeDeploy tell nothing.
func sourced(service, account string) given {
	switch service {
	case "backup", "codedeploy":
		return nil
	case "budgets":
		return given{"aws:SourceAccount": account, "aws:SourceArn": "arn:aws:budgets::" + account + ":budget/shopstream-prod-budget-monthly"}
	case "firehose":
		return given{"sts:ExternalId": account}
	}
	return given{"aws:SourceAccount": account}
}

func from(arn string) given {
	return given{"aws:SourceArn": arn, "aws:SourceAccount": ownAccount}
}

func of(account string) given {
	return given{"aws:SourceArn": "arn:aws:logs:eu-west-1:" + account + ":x", "aws:SourceAccount": account}
}

func encrypting(logGroup string) given {
	return given{"kms:EncryptionContext:aws:logs:arn": logGroup}
}

// onEveryResource are the lines that hold for every resource of a service: a user
// with all rights may, and neither another account nor plain HTTP.
func onEveryResource(p policies) (lines []line) {
	data := []struct {
		prefix, does, suffix string
	}{
		{"arn:aws:dynamodb:", "dynamodb:GetItem dynamodb:PutItem dynamodb:Scan", ""},
		{"arn:aws:glue:eu-west-1:" + ownAccount + ":table/", "glue:GetTable glue:UpdateTable", ""},
		{"arn:aws:iam::" + ownAccount + ":role/", "sts:AssumeRole", ""},
		{"arn:aws:kinesis:", "kinesis:GetRecords kinesis:PutRecords", ""},
		{"arn:aws:kms:", "kms:Decrypt kms:GenerateDataKey kms:PutKeyPolicy kms:CreateGrant", ""},
		{"arn:aws:lambda:", "lambda:InvokeFunction lambda:UpdateFunctionCode", ""},
		{"arn:aws:logs:", putLogs + " logs:GetLogEvents", ":log-stream:one"},
		{"arn:aws:s3:", "s3:GetObject s3:PutObject s3:DeleteObject", "/x"},
		{"arn:aws:s3:", "s3:ListBucket s3:PutBucketPolicy", ""},
		{"arn:aws:sns:", "sns:Publish sns:Subscribe", ""},
		{"arn:aws:sqs:", "sqs:SendMessage sqs:ReceiveMessage sqs:DeleteMessage", ""},
	}
	for _, arn := range slices.Sorted(maps.Keys(p.arns)) {
		for _, d := range data {
			if !strings.HasPrefix(arn, d.prefix) {
				continue
			}
			on := to(arn + d.suffix)
			lines = append(lines, line{outsider, mayNot, d.does, on, nil, ""})
			if !strings.HasPrefix(d.does, "sts:") && !strings.HasPrefix(d.does, "logs:CreateLogStream") {
				lines = append(lines, line{administrator, may, d.does, on, nil, ""})
			}
			if d.prefix == "arn:aws:s3:" {
				lines = append(lines,
					line{anybody, mayNot, d.does, on, nil, ""},
					line{administrator, mayNot, d.does, on, given{"aws:SecureTransport": "false"}, ""})
			}
		}
	}
	return lines
}

// trust are the lines about which services may act as a role, and for whom.
func trust(p policies) (lines []line) {
	services := slices.Compact(slices.Sorted(maps.Values(assumedBy)))
	for _, name := range slices.Sorted(maps.Keys(p.role)) {
		name = strings.TrimPrefix(name, rolePrefix)
		for _, service := range services {
			own, others := sourced(service, ownAccount), sourced(service, otherAccount)
			lines = append(lines, line{service + ".amazonaws.com", verdict(service == assumedBy[name]), "sts:AssumeRole", to(roleARN(name)), own, ""})
			if service == assumedBy[name] && others != nil {
				lines = append(lines, line{service + ".amazonaws.com", mayNot, "sts:AssumeRole", to(roleARN(name)), others, ""})
			}
		}
	}
	return lines
}

// takenByPeople are the roles that no service takes.
var takenByPeople = []string{"operator", "analyst", "privacy-officer", "redrive", "break-glass"}

// everyRoleIsIn fails where a role of the stack has no line of either kind, or
// a line speaks of a resource of the account that the stack doesn't have.
func everyRoleIsIn(t *testing.T, matrix []line, p policies) {
	t.Helper()
	for name := range p.template.Resource["aws_iam_role"] {
		name := strings.TrimPrefix(p.attribute(t, "aws_iam_role", name, "name"), rolePrefix)
		for _, want := range []verdict{may, mayNot} {
			if !slices.ContainsFunc(matrix, func(l line) bool { return l.who == name && l.verdict == want }) {
				t.Errorf("no line says what %s %s do", name, want)
			}
		}
		if assumedBy[name] == "" && !slices.Contains(takenByPeople, name) {
			t.Errorf("assumedBy does not say who assumes %s", name)
		}
	}
	for arn := range p.resource {
		if !slices.ContainsFunc(matrix, func(l line) bool {
			return l.verdict == may && slices.ContainsFunc(l.on, func(on string) bool { return p.protected(on) == arn })
		}) && !strings.Contains(arn, ":s3:::") && !strings.Contains(arn, ":role/") && arn != everyLogGroup { // which have lines of their own
			t.Errorf("no line says who may use %s", arn)
		}
	}
	for service := range p.endpoint {
		for _, want := range []verdict{may, mayNot} {
			if !slices.ContainsFunc(matrix, func(l line) bool { return l.via == service && l.verdict == want }) {
				t.Errorf("no line says what %s pass the endpoint of %s", want, service)
			}
		}
	}
	for _, l := range matrix {
		for _, arn := range l.on {
			if l.verdict == mayNot && ours.MatchString(arn) && p.protected(arn) == "" {
				t.Errorf("%s %s %s: there is no %s", l.who, l.verdict, l.does, arn)
			}
		}
	}
}

// ours are the resources that matrix may name only if prod has them.
var ours = regexp.MustCompile(`^arn:aws:(s3:::shopstream-|(dynamodb|kinesis|kms|lambda|sns|sqs):eu-[a-z]+-1:` + ownAccount + `:|iam::` + ownAccount + `:role/shopstream-|logs:eu-west-1:` + ownAccount + `:log-group:(/shopstream|/aws/|aws-waf))`)

func TestIAMAllowsWhatTheMatrixSaysAndNoMore(t *testing.T) {
	t.Run("prod", func(t *testing.T) { judgeRequests(t, matrix, stacks.Prod) })
	t.Run("everything", func(t *testing.T) {
		env := everything
		env.Name = stacks.Prod.Name // so that both are named alike
		both := slices.DeleteFunc(slices.Concat(matrix, matrixOfEverything), func(l line) bool {
			return strings.HasPrefix(l.who, "scaler") || slices.ContainsFunc(l.on, func(arn string) bool { return strings.HasPrefix(arn, function("scaler")) }) // which OnDemand does without
		})
		judgeRequests(t, both, env)
	})
}

func judgeRequests(t *testing.T, matrix []line, env stacks.Environment) {
	t.Helper()
	p := readPolicies(t, env)
	everyRoleIsIn(t, matrix, p)
	var simulations []simulation
	var asked []line
	for _, l := range slices.Concat(matrix, trust(p), onEveryResource(p)) {
		for _, action := range strings.Fields(l.does) {
			for _, arn := range l.on {
				simulations = append(simulations, l.simulation(t, p, action, arn))
				asked = append(asked, line{l.who, l.verdict, action, to(arn), l.given, l.via})
			}
		}
	}
	for i, d := range simulate(t, simulations) {
		l := asked[i]
		says := l.who + " " + l.verdict.String() + " " + l.does + " on " + l.on[0]
		if l.via != "" {
			says += " through the endpoint of " + l.via
		}
		if d.Error != "" {
			t.Errorf("%s, %v: %s", says, l.given, d.Error)
		} else if got := verdict(d.Result == "Allowed"); got != l.verdict {
			t.Errorf("%s, %v: got %s", says, l.given, d.Result)
		}
		for key := range l.given {
			if slices.Contains(d.Ignored, key) {
				t.Errorf("%s: %s says nothing about it", says, key)
			}
		}
	}
	t.Logf("%d requests", len(simulations))
}
