"""Restores what AWS describes, so that a second Terraform plan finds no change.

What AWS does: it describes a resource as it was requested, with its own
defaults for the rest. Stock MiniStack 1.5.33 leaves out, and Terraform would
set again with every apply:

- of a Kinesis stream: tags given at its creation, and shard-level metrics. A
  stream of mode ON_DEMAND has one shard instead of four;
- of a Firehose destination: CustomTimeZone and FileExtension;
- of a CloudWatch alarm, in the Query protocol that Terraform speaks: most
  settings, and those of metric math altogether.

It puts an empty list into CloudFront's policy of response headers where the
request had none: of headers to add, and of headers to remove; and an empty
quota into a usage plan. Of a REST API it leaves out:

- of a stage: whether its cache is there, for which Terraform waits. It names
  settings of methods by plain paths, AWS by paths with ~1 for each slash;
- of an integration: the VPC link that it goes through.

A replica of a DynamoDB table has the key of its table instead of its own.

Docs: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html,
https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationDescription.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html,
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ResponseHeadersPolicyConfig.html,
https://docs.aws.amazon.com/apigateway/latest/api/API_Stage.html
"""

import datetime
import json
from xml.sax.saxutils import escape

from ministack.services import apigateway_v1, cloudfront, cloudwatch, dynamodb, firehose, kinesis

import patching

ON_DEMAND_SHARDS = 4
ALARM_PARAMETERS = ["params", "cbor_data", "is_cbor", "is_json"]
FORGOTTEN_OF_AN_ALARM = (
    "Metrics", "ThresholdMetricId", "InsufficientDataActions", "EvaluateLowSampleCountPercentile")


def install():
    global _stock_create_stream, _stock_describe_summary, _stock_describe_stream
    _stock_create_stream = patching.replace(kinesis, "_create_stream", create_stream, ["data"])
    _stock_describe_summary = patching.replace(kinesis, "_describe_stream_summary", describe_stream_summary, ["data"])
    _stock_describe_stream = patching.replace(kinesis, "_stream_desc", describe_stream, ["stream", "shard_ids"])
    patching.expect(kinesis, "_resolve_stream", ["data"])
    global _stock_describe_destination
    _stock_describe_destination = patching.replace(firehose, "_dest_description", describe_destination, ["dest"])
    global _stock_put_alarm, _stock_describe_alarms
    _stock_put_alarm = patching.replace(cloudwatch, "_put_metric_alarm", put_alarm, ALARM_PARAMETERS)
    _stock_describe_alarms = patching.replace(cloudwatch, "_describe_alarms", describe_alarms, ALARM_PARAMETERS)
    patching.expect(cloudwatch, "_xml", ["status", "root_tag", "inner"])
    patching.expect(apigateway_v1, "_v1_response", ["data", "status"])
    for name, parameters, described in (
        ("_create_stage", ["api_id", "data"], _stage), ("_get_stage", ["api_id", "stage_name"], _stage),
        ("_update_stage", ["api_id", "stage_name", "data"], _stage),
        ("_create_usage_plan", ["data"], _usage_plan), ("_get_usage_plan", ["plan_id"], _usage_plan),
        ("_update_usage_plan", ["plan_id", "data"], _usage_plan),
    ):
        stock = patching.expect(apigateway_v1, name, parameters)
        patching.replace(apigateway_v1, name, _answering(stock, described), parameters)
    global _stock_put_integration
    _stock_put_integration = patching.replace(
        apigateway_v1, "_put_integration", put_integration, ["api_id", "resource_id", "http_method", "data"])
    global _stock_update_replicas
    _stock_update_replicas = patching.replace(
        dynamodb, "_apply_replica_updates", update_replicas, ["name", "table", "updates"])
    global _stock_headers_policy
    _stock_headers_policy = patching.replace(cloudfront, "_build_rhp_config_xml", headers_policy, ["parent", "cfg"])
    patching.replace_entry(cloudfront, "_RHP_SPEC", "build_config", headers_policy)


def create_stream(data):
    if (data.get("StreamModeDetails") or {}).get("StreamMode") == "ON_DEMAND":
        data = {"ShardCount": ON_DEMAND_SHARDS, **data}
    response = _stock_create_stream(data)
    if response[0] == 200:
        kinesis._streams[data["StreamName"]]["tags"].update(data.get("Tags") or {})
    return response


def describe_stream_summary(data):
    status, headers, body = _stock_describe_summary(data)
    if status == 200:
        _, stream = kinesis._resolve_stream(data)
        answer = json.loads(body)
        answer["StreamDescriptionSummary"]["EnhancedMonitoring"] = _monitoring(stream)
        body = json.dumps(answer).encode()
    return status, headers, body


def describe_stream(stream, shard_ids=None):
    return _stock_describe_stream(stream, shard_ids) | {"EnhancedMonitoring": _monitoring(stream)}


def _monitoring(stream):
    return [{"ShardLevelMetrics": sorted(stream.get("ShardLevelMetrics", []))}]


def describe_destination(dest):
    described = _stock_describe_destination(dest)
    if dest["type"] == "ExtendedS3":
        described["ExtendedS3DestinationDescription"].update({
            "CustomTimeZone": dest["config"].get("CustomTimeZone") or "UTC",
            "FileExtension": dest["config"].get("FileExtension") or "",
        })
    return described


def put_alarm(params, cbor_data, is_cbor, is_json=False):
    response = _stock_put_alarm(params, cbor_data, is_cbor, is_json)
    if response[0] == 200:
        request = cbor_data if is_cbor or is_json else _from_query(params)
        alarm = cloudwatch._alarms[request["AlarmName"]]
        alarm.update({key: request[key] for key in FORGOTTEN_OF_AN_ALARM if key in request})
    return response


def describe_alarms(params, cbor_data, is_cbor, is_json=False):
    if is_cbor or is_json:
        return _stock_describe_alarms(params, cbor_data, is_cbor, is_json)
    status, _, body = _stock_describe_alarms({}, _from_query(params), False, True)
    if status != 200:
        return _stock_describe_alarms(params, cbor_data, is_cbor, is_json)
    answer = json.loads(body)
    answer["MetricAlarms"] = [_as_requested(alarm) for alarm in answer["MetricAlarms"]]
    answer["CompositeAlarms"] = [_as_requested(alarm) for alarm in answer["CompositeAlarms"]]
    return cloudwatch._xml(
        200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{_to_xml(answer)}</DescribeAlarmsResult>")


def _as_requested(alarm):
    """The alarm without what MiniStack fills in for settings that were not given."""
    filled_in = set()
    if alarm.get("ExtendedStatistic"):
        filled_in = {"Statistic"}
    if alarm.get("Metrics"):
        filled_in = {"MetricName", "Namespace", "Statistic", "Period", "Dimensions"}
    described = {key: value for key, value in alarm.items() if key not in filled_in and value not in (None, "", [])}
    for key in [key for key in described if key.endswith("Timestamp")]:
        described[key] = datetime.datetime.fromtimestamp(described[key], datetime.timezone.utc).isoformat()
    return described


def _answering(stock, described):
    """A function of the REST API whose answer is as described() tells."""
    def answer(*request):
        response = status, _, body = stock(*request)
        return response if status >= 300 else apigateway_v1._v1_response(described(json.loads(body)), status)
    return answer


def _stage(stage):
    cache = "AVAILABLE" if stage["cacheClusterEnabled"] else "NOT_AVAILABLE"
    settings = {_escaped(path): settings for path, settings in stage["methodSettings"].items()}
    return stage | {"cacheClusterStatus": cache, "methodSettings": settings}


def _escaped(method_path):
    path, _, method = method_path.rpartition("/")
    return f"{path.replace('/', '~1')}/{method}" if path.startswith("/") else method_path


def _usage_plan(plan):
    return {key: value for key, value in plan.items() if value or key not in ("quota", "throttle")}


def put_integration(api_id, resource_id, http_method, data):
    response = _stock_put_integration(api_id, resource_id, http_method, data)
    if response[0] >= 300 or not data.get("connectionId"):
        return response
    method = apigateway_v1._resources[api_id][resource_id]["resourceMethods"][http_method]
    method["methodIntegration"]["connectionId"] = data["connectionId"]
    return apigateway_v1._v1_response(method["methodIntegration"], response[0])


def update_replicas(name, table, updates):
    refused = _stock_update_replicas(name, table, updates)
    if refused:
        return refused
    for request in (settings for update in updates for settings in update.values()):
        if request.get("KMSMasterKeyId"):
            replica = dynamodb._tables.get_scoped(dynamodb.get_account_id(), request["RegionName"], name)
            replica["SSEDescription"] = (replica.get("SSEDescription") or {}) | {"KMSMasterKeyArn": request["KMSMasterKeyId"]}
    return None


def headers_policy(parent, cfg):
    _stock_headers_policy(parent, cfg)
    for setting in "CustomHeaders", "RemoveHeaders":
        if not cfg[setting]:
            parent.remove(parent.find(setting + "Config"))


def _from_query(params):
    """A request of the Query protocol as nested values: A.member.1.B=x becomes {"A": [{"B": "x"}]}."""
    tree = {}
    for name, value in params.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value[0] if isinstance(value, list) else value
    return _lists(tree)


def _lists(node):
    if not isinstance(node, dict):
        return node
    if node.keys() == {"member"}:
        return [_lists(node["member"][index]) for index in sorted(node["member"], key=int)]
    return {key: _lists(value) for key, value in node.items()}


def _to_xml(value):
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "".join(f"<{key}>{_to_xml(member)}</{key}>" for key, member in value.items())
        case list():
            return "".join(f"<member>{_to_xml(member)}</member>" for member in value)
    return escape(str(value))
