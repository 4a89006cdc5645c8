"""Operations that Terraform needs and MiniStack lacks.

What AWS does, and stock MiniStack 1.5.33 does not:

- a REST API has VPC links, through which it reaches a load balancer;
- an API key that is created with an empty value gets one of AWS's;
- a web ACL has a logging configuration, which goes with it;
- a backup vault tells a topic what happens, until it is deleted;
- a bucket has metrics configurations. Stock MiniStack takes them for the
  creation of a bucket, and refuses;
- a schedule that is created again with the same token, because the answer was
  lost, is created. Stock MiniStack calls it a conflict.

They are kept and described: no request goes through a link, no firewall writes
a log, no vault tells anything, and no bucket counts requests.

Docs: https://docs.aws.amazon.com/apigateway/latest/api/API_CreateVpcLink.html,
https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html,
https://docs.aws.amazon.com/waf/latest/APIReference/API_PutLoggingConfiguration.html,
https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultNotifications.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html,
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

import json

from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict, error_response_json, json_response
from ministack.services import apigateway, apigateway_v1, backup, s3, scheduler, waf

import patching

REQUEST = ["method", "path", "headers", "body", "query_params"]

_vpc_links = AccountRegionScopedDict()  # id -> link
_logging_configurations = AccountRegionScopedDict()  # ARN of a web ACL -> configuration
_vault_notifications = AccountRegionScopedDict()  # name of a vault -> topic and events
_schedule_tokens = AccountRegionScopedDict()  # ARN of a schedule -> token that it was created with
_bucket_metrics = AccountScopedDict()  # name of a bucket -> configurations as XML, by id


def install():
    global _stock_api_request, _stock_create_api_key
    _stock_api_request = patching.replace(apigateway, "handle_request", api_request, REQUEST)
    _stock_create_api_key = patching.replace(apigateway_v1, "_create_api_key", create_api_key, ["data"])
    patching.expect(apigateway_v1, "_v1_response", ["data", "status"])
    patching.expect(apigateway_v1, "_v1_error", ["code", "message", "status"])
    patching.expect(apigateway_v1, "_new_id", [])
    global _stock_firewall_request, _stock_delete_web_acl
    _stock_firewall_request = patching.replace(waf, "handle_request", firewall_request, REQUEST)
    _stock_delete_web_acl = patching.replace(waf, "delete_web_acl_record", delete_web_acl, ["uid", "scope"])
    patching.expect(waf, "_resolve_local_web_acl", ["web_acl_arn"])
    patching.expect(waf, "_resource_from_scope", ["store", "uid", "scope"])
    global _stock_backup_request, _stock_delete_vault
    _stock_backup_request = patching.replace(
        backup, "handle_request", backup_request, ["method", "path", "headers", "body_bytes", "query_params"])
    _stock_delete_vault = patching.replace(backup, "_delete_vault", delete_vault, ["name"])
    patching.expect(backup, "_not_found", ["msg"])
    patching.expect(backup, "_ok", ["body"])
    global _stock_bucket_request, _stock_delete_bucket
    _stock_bucket_request = patching.replace(s3, "handle_request", bucket_request, [
        *REQUEST, "signed_path", "enforce_bucket_region", "internal", "access_point_region", "access_point"])
    _stock_delete_bucket = patching.replace(s3, "_delete_bucket", delete_bucket, ["name"])
    patching.expect(s3, "_error", ["code", "message", "status", "resource", "extra", "headers"])
    patching.expect(s3, "_no_such_bucket", ["name"])
    global _stock_create_schedule
    _stock_create_schedule = patching.replace(scheduler, "_create_schedule", create_schedule, ["name", "body"])
    patching.expect(scheduler, "_schedule_arn", ["group", "name"])
    patching.expect(scheduler, "_json_resp", ["status", "body"])


def create_schedule(name, body):
    arn, token = scheduler._schedule_arn(body.get("GroupName", "default"), name), body.get("ClientToken")
    answer = _stock_create_schedule(name, body)
    if answer[0] == 409 and token and _schedule_tokens.get(arn) == token:
        return scheduler._json_resp(200, {"ScheduleArn": arn})
    if answer[0] == 200:
        _schedule_tokens[arn] = token
    return answer


async def api_request(method, path, headers, body, query_params):
    kind, _, link = path.strip("/").partition("/")
    if kind != "vpclinks":
        return await _stock_api_request(method, path, headers, body, query_params)
    if method == "POST" and not link:
        return _create_vpc_link(json.loads(body))
    if method == "GET" and not link:
        return apigateway_v1._v1_response({"item": list(_vpc_links.values())})
    if link not in _vpc_links:
        return apigateway_v1._v1_error("NotFoundException", "Invalid Vpc Link identifier specified", 404)
    if method == "GET":
        return apigateway_v1._v1_response(_vpc_links[link])
    if method == "DELETE":
        del _vpc_links[link]
        return 202, {}, b""
    return apigateway_v1._v1_error("BadRequestException", f"Method not allowed: {method} {path}", 400)


def _create_vpc_link(request):
    link = {
        "id": apigateway_v1._new_id()[:6], "name": request["name"], "targetArns": request["targetArns"],
        "status": "AVAILABLE", "tags": request.get("tags") or {},
    }
    if request.get("description"):
        link["description"] = request["description"]
    _vpc_links[link["id"]] = link
    return apigateway_v1._v1_response(link, 202)


def create_api_key(data):
    return _stock_create_api_key({key: value for key, value in data.items() if key != "value" or value})


async def firewall_request(method, path, headers, body, query_params):
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if operation not in LOGGING_OPERATIONS:
        return await _stock_firewall_request(method, path, headers, body, query_params)
    return LOGGING_OPERATIONS[operation](json.loads(body))


def _put_logging(request):
    configuration = request["LoggingConfiguration"]
    _, error = waf._resolve_local_web_acl(configuration["ResourceArn"])
    if error:
        return error
    _logging_configurations[configuration["ResourceArn"]] = configuration
    return json_response(request)


def _get_logging(request):
    configuration = _logging_configurations.get(request["ResourceArn"])
    if configuration is None:
        return error_response_json("WAFNonexistentItemException", "There is no logging configuration.", 400)
    return json_response({"LoggingConfiguration": configuration})


def _delete_logging(request):
    if _logging_configurations.pop(request["ResourceArn"], None) is None:
        return error_response_json("WAFNonexistentItemException", "There is no logging configuration.", 400)
    return json_response({})


LOGGING_OPERATIONS = {
    "PutLoggingConfiguration": _put_logging,
    "GetLoggingConfiguration": _get_logging,
    "DeleteLoggingConfiguration": _delete_logging,
}


def delete_web_acl(uid, scope):
    acl = waf._resource_from_scope(waf._web_acls, uid, scope)
    if acl:
        _logging_configurations.pop(acl["ARN"], None)
    return _stock_delete_web_acl(uid, scope)


async def backup_request(method, path, headers, body_bytes, query_params):
    kind, _, rest = path.strip("/").partition("/")
    name, _, setting = rest.partition("/")
    if kind != "backup-vaults" or setting != "notification-configuration":
        return await _stock_backup_request(method, path, headers, body_bytes, query_params)
    if name not in backup._vaults:
        return backup._not_found(f"Backup vault {name} does not exist.")
    if method == "PUT":
        request = json.loads(body_bytes)
        _vault_notifications[name] = {
            "BackupVaultName": name, "BackupVaultArn": backup._vaults[name]["BackupVaultArn"],
            "SNSTopicArn": request["SNSTopicArn"], "BackupVaultEvents": request["BackupVaultEvents"],
        }
        return backup._ok({})
    if method == "DELETE":
        _vault_notifications.pop(name, None)
        return backup._ok({})
    if name not in _vault_notifications:
        return backup._not_found(f"No notifications are associated with backup vault {name}.")
    return backup._ok(_vault_notifications[name])


def delete_vault(name):
    _vault_notifications.pop(name, None)
    return _stock_delete_vault(name)


async def bucket_request(method, path, headers, body, query_params, **more):
    bucket = path.strip("/")
    if "metrics" not in query_params or "id" not in query_params or "/" in bucket:
        return await _stock_bucket_request(method, path, headers, body, query_params, **more)
    if bucket not in s3._buckets:
        return s3._no_such_bucket(bucket)
    metrics = _bucket_metrics.setdefault(bucket, {})
    name = query_params["id"]
    name = name[0] if isinstance(name, list) else name
    if method == "PUT":
        metrics[name] = body
        return 200, {}, b""
    if name not in metrics:
        return s3._error("NoSuchConfiguration", "The specified configuration does not exist.", 404, f"/{bucket}")
    if method == "DELETE":
        del metrics[name]
        return 204, {}, b""
    return 200, {"Content-Type": "application/xml"}, metrics[name]


def delete_bucket(name):
    response = _stock_delete_bucket(name)
    if response[0] < 300:
        _bucket_metrics.pop(name, None)
    return response
