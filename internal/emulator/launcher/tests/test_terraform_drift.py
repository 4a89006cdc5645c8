import unittest
import urllib.parse
import urllib.request
import xml.etree.ElementTree

from emulator import ACCOUNT, REGION, Emulator, create_function, unique

ROLE = f"arn:aws:iam::{ACCOUNT}:role/service"


def setUpModule():
    global ministack, kinesis
    ministack = Emulator("ministack")
    unittest.addModuleCleanup(ministack.remove)
    kinesis = ministack.client("kinesis")


class Streams(unittest.TestCase):
    def test_a_stream_has_the_tags_that_it_was_created_with(self):
        name = unique("stream")
        kinesis.create_stream(StreamName=name, ShardCount=1, Tags={"Project": "shopstream"})
        tags = kinesis.list_tags_for_stream(StreamName=name)["Tags"]
        self.assertEqual(tags, [{"Key": "Project", "Value": "shopstream"}])

    def test_a_stream_has_the_shard_level_metrics_that_were_enabled(self):
        name = unique("stream")
        kinesis.create_stream(StreamName=name, ShardCount=1)
        kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes", "IncomingRecords"])
        expected = [{"ShardLevelMetrics": ["IncomingBytes", "IncomingRecords"]}]
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        self.assertEqual(summary["EnhancedMonitoring"], expected)
        self.assertEqual(kinesis.describe_stream(StreamName=name)["StreamDescription"]["EnhancedMonitoring"], expected)

    def test_a_stream_on_demand_starts_with_four_shards(self):
        name = unique("stream")
        kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        self.assertEqual(summary["OpenShardCount"], 4)


class Mappings(unittest.TestCase):
    def test_a_mapping_is_described_with_every_setting_of_its_request(self):
        functions = ministack.client("lambda")
        settings = {
            "BatchSize": 200, "MaximumBatchingWindowInSeconds": 1, "MaximumRetryAttempts": 3,
            "MaximumRecordAgeInSeconds": 3600, "BisectBatchOnFunctionError": True, "ParallelizationFactor": 2,
            "TumblingWindowInSeconds": 0, "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
            "MetricsConfig": {"Metrics": ["EventCount"]}, "StartingPosition": "TRIM_HORIZON",
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failures"}},
        }
        mapping = self.described(functions, settings)
        self.assertEqual({key: mapping.get(key) for key in settings}, settings)

    def test_a_mapping_without_settings_has_the_defaults_of_aws(self):
        mapping = self.described(ministack.client("lambda"), {"StartingPosition": "LATEST"})
        self.assertEqual(mapping["BatchSize"], 100)
        self.assertEqual(mapping["MaximumRetryAttempts"], -1)
        self.assertEqual(mapping["MaximumRecordAgeInSeconds"], -1)
        self.assertEqual(mapping["ParallelizationFactor"], 1)
        self.assertIs(mapping["BisectBatchOnFunctionError"], False)

    def described(self, functions, settings):
        stream = unique("stream")
        kinesis.create_stream(StreamName=stream, ShardCount=1)
        stream_arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"
        mapping = functions.create_event_source_mapping(
            FunctionName=create_function(functions), EventSourceArn=stream_arn, **settings)
        return functions.get_event_source_mapping(UUID=mapping["UUID"])


class DeliveryStreams(unittest.TestCase):
    def test_a_destination_has_its_time_zone_and_file_extension(self):
        described = self.described(CustomTimeZone="Europe/Berlin", FileExtension=".json.gz")
        self.assertEqual((described["CustomTimeZone"], described["FileExtension"]), ("Europe/Berlin", ".json.gz"))

    def test_the_time_zone_of_a_destination_is_utc_unless_it_is_set(self):
        self.assertEqual(self.described()["CustomTimeZone"], "UTC")

    def described(self, **destination):
        firehose, name = ministack.client("firehose"), unique("delivery")
        firehose.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket", **destination})
        description = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        return description["Destinations"][0]["ExtendedS3DestinationDescription"]


class HeadersPolicies(unittest.TestCase):
    def test_a_policy_has_no_lists_that_its_request_had_not(self):
        distributions = ministack.client("cloudfront")
        request = {"Name": unique("policy"), "SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}}}
        created = distributions.create_response_headers_policy(ResponseHeadersPolicyConfig=request)["ResponseHeadersPolicy"]
        described = distributions.get_response_headers_policy(Id=created["Id"])["ResponseHeadersPolicy"]
        config = distributions.get_response_headers_policy_config(Id=created["Id"])
        for answer in created, described, config:
            self.assertFalse(answer["ResponseHeadersPolicyConfig"].keys() & {"CustomHeadersConfig", "RemoveHeadersConfig"})


class Tables(unittest.TestCase):
    def test_a_replica_has_its_own_key(self):
        keys = {region: f"arn:aws:kms:{region}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
                for region in (REGION, "eu-central-1")}
        tables, name = ministack.client("dynamodb"), unique("table")
        tables.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": keys[REGION]})
        tables.update_table(TableName=name, ReplicaUpdates=[
            {"Create": {"RegionName": "eu-central-1", "KMSMasterKeyId": keys["eu-central-1"]}}])
        for region, key in keys.items():
            client = ministack.client("dynamodb", region)
            self.assertEqual(client.describe_table(TableName=name)["Table"]["SSEDescription"]["KMSMasterKeyArn"], key)


class RestApis(unittest.TestCase):
    def setUp(self):
        self.apis = ministack.client("apigateway")
        api = self.apis.create_rest_api(name=unique("api"))
        self.api = {"restApiId": api["id"]}
        self.method = self.api | {"resourceId": api["rootResourceId"], "httpMethod": "GET"}
        self.apis.put_method(**self.method, authorizationType="NONE")

    def test_a_stage_tells_whether_its_cache_is_there(self):
        for stage, cache in {"cached": "AVAILABLE", "plain": "NOT_AVAILABLE"}.items():
            created = self.stage(stage, cacheClusterEnabled=stage == "cached")
            described = self.apis.get_stage(**self.api, stageName=stage)
            self.assertEqual((created.get("cacheClusterStatus"), described.get("cacheClusterStatus")), (cache, cache))

    def test_a_stage_names_settings_of_methods_by_escaped_paths(self):
        self.stage("live")
        self.apis.update_stage(**self.api, stageName="live", patchOperations=[
            {"op": "replace", "path": f"/{path}/metrics/enabled", "value": "true"} for path in ("~1v1~1events/POST", "*/*")])
        settings = self.apis.get_stage(**self.api, stageName="live")["methodSettings"]
        self.assertEqual({path: setting["metricsEnabled"] for path, setting in settings.items()},
                         {"~1v1~1events/POST": True, "*/*": True})

    def test_an_integration_has_its_vpc_link(self):
        self.apis.put_integration(
            **self.method, type="HTTP_PROXY", integrationHttpMethod="GET", uri="http://link/", connectionType="VPC_LINK",
            connectionId="abc123")
        self.assertEqual(self.apis.get_integration(**self.method).get("connectionId"), "abc123")

    def test_a_usage_plan_has_no_quota_that_its_request_had_not(self):
        created = self.apis.create_usage_plan(name=unique("plan"), throttle={"rateLimit": 5, "burstLimit": 10})
        for plan in created, self.apis.get_usage_plan(usagePlanId=created["id"]):
            self.assertNotIn("quota", plan)
            self.assertEqual(plan["throttle"], {"rateLimit": 5, "burstLimit": 10})

    def stage(self, name, **settings):
        self.apis.put_integration(**self.method, type="MOCK")
        deployment = self.apis.create_deployment(**self.api)["id"]
        return self.apis.create_stage(**self.api, stageName=name, deploymentId=deployment, **settings)


class Alarms(unittest.TestCase):
    """In the Query protocol, which Terraform's provider speaks and boto3 no longer does."""

    def test_an_alarm_has_every_setting_of_its_request(self):
        request = {
            "AlarmDescription": "late & <behind>", "MetricName": "IteratorAge", "Namespace": "AWS/Lambda",
            "Statistic": "Maximum", "Period": "60", "EvaluationPeriods": "5", "Threshold": "1000.0",
            "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", "ActionsEnabled": "true",
            "AlarmActions.member.1": "arn:aws:sns:eu-west-1:123456789012:alarms",
            "Dimensions.member.1.Name": "FunctionName", "Dimensions.member.1.Value": "enrich",
        }
        alarm = self.described(request)
        self.assertEqual({key: alarm.get(key) for key in request}, request)

    def test_an_alarm_on_a_percentile_has_no_statistic(self):
        alarm = self.described({"MetricName": "Duration", "Namespace": "AWS/Lambda", "ExtendedStatistic": "p99",
                                "Period": "60", "EvaluationPeriods": "1", "Threshold": "1"})
        self.assertEqual(alarm["ExtendedStatistic"], "p99")
        self.assertNotIn("Statistic", alarm)

    def test_an_alarm_on_metric_math_has_its_queries_and_no_metric(self):
        request = {
            "EvaluationPeriods": "1", "Threshold": "0.01",
            "Metrics.member.1.Id": "rate", "Metrics.member.1.Expression": "errors / calls",
            "Metrics.member.1.ReturnData": "true",
            "Metrics.member.2.Id": "errors", "Metrics.member.2.MetricStat.Metric.MetricName": "Errors",
            "Metrics.member.2.MetricStat.Period": "60",
        }
        alarm = self.described(request)
        self.assertEqual({key: alarm.get(key) for key in request}, request)
        self.assertFalse(alarm.keys() & {"MetricName", "Statistic", "Period"})

    def test_the_times_of_a_composite_alarm_are_no_numbers(self):
        child, name = unique("alarm"), unique("composite")
        self.query(Action="PutMetricAlarm", AlarmName=child, MetricName="Errors", Namespace="AWS/Lambda", Statistic="Sum",
                   Period="60", EvaluationPeriods="1", Threshold="1", ComparisonOperator="GreaterThanThreshold")
        self.query(Action="PutCompositeAlarm", AlarmName=name, AlarmRule=f'ALARM("{child}")')
        self.query(Action="SetAlarmState", AlarmName=child, StateValue="ALARM", StateReason="a test")
        answer = self.query(**{
            "Action": "DescribeAlarms", "AlarmNames.member.1": name, "AlarmTypes.member.1": "CompositeAlarm"})
        alarm = dict(leaves(answer.find(".//CompositeAlarms/member")))
        times = {key: value for key, value in alarm.items() if key.endswith("Timestamp")}
        self.assertIn("StateTransitionedTimestamp", times)
        for key, value in times.items():
            self.assertRegex(value, r"^\d{4}-\d\d-\d\dT", key)

    def described(self, settings):
        name = unique("alarm")
        self.query(Action="PutMetricAlarm", AlarmName=name, **settings)
        answer = self.query(**{"Action": "DescribeAlarms", "AlarmNames.member.1": name})
        return dict(leaves(answer.find(".//MetricAlarms/member")))

    def query(self, **params):
        body = urllib.parse.urlencode(params | {"Version": "2010-08-01"}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/monitoring/aws4_request",
        }
        with urllib.request.urlopen(urllib.request.Request(ministack.url, body, headers)) as answer:
            return xml.etree.ElementTree.fromstring(answer.read().replace(b' xmlns="', b' was="'))


def leaves(element, path=()):
    """The texts of an XML tree, by names like those of the Query protocol."""
    for index, child in enumerate(element, start=1):
        name = ("member", str(index)) if child.tag == "member" else (child.tag,)
        if len(child):
            yield from leaves(child, path + name)
        else:
            yield ".".join(path + name), child.text


if __name__ == "__main__":
    unittest.main()
