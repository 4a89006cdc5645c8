"""Restores the on-failure destination of a Kinesis event source mapping.

What AWS does: for a discarded batch an SQS queue or an SNS topic gets the
batch's metadata; an S3 bucket gets the same with the whole event as an escaped
JSON string in `payload`, under the key
aws/lambda/<mapping UUID>/<shard id>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<UUID>.

Stock MiniStack 1.5.33 stores the destination of a Kinesis mapping and never
uses it.

Doc: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import datetime
import json
import time

from ministack.core.arn import parse_arn
from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sns, sqs

import object_store
import patching


def install():
    patching.expect(sqs, "_queue_by_arn", ["arn"])
    patching.expect(sqs, "_ensure_msg_fields", ["m"])
    patching.expect(sqs, "queue_delay", ["q"])
    patching.expect(sns, "_fanout", [
        "topic_arn", "msg_id", "message", "subject", "message_structure", "message_attributes",
        "message_group_id", "message_dedup_id"])


def send(mapping, function, shard_id, batch, condition, event):
    """Send the record of a discarded batch to the mapping's destination, if it has one."""
    destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if not destination:
        return
    record = invocation_record(mapping, function, shard_id, batch, condition)
    arn = parse_arn(destination)
    match arn.service:
        case "sqs":
            _send_to_queue(destination, json.dumps(record))
        case "sns":
            sns._fanout(destination, new_uuid(), json.dumps(record), "")
        case "s3":
            record["payload"] = json.dumps(event)
            object_store.put(arn.resource, object_key(mapping["UUID"], shard_id), json.dumps(record).encode(),
                             {"content-type": "application/json"})
        case other:
            raise ValueError(f"on-failure destination {destination}: {other} is not one of sqs, sns, s3")


def invocation_record(mapping, function, shard_id, batch, condition):
    config = function.get("config") or function
    first, last = batch.records[0], batch.records[-1]
    return {
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": mapping["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": batch.invocations,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": config.get("Version", "$LATEST"),
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": _timestamp(time.time()),
        "KinesisBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _timestamp(first["ApproximateArrivalTimestamp"]),
            "approximateArrivalOfLastRecord": _timestamp(last["ApproximateArrivalTimestamp"]),
            "batchSize": len(batch.records),
            "streamArn": mapping["EventSourceArn"],
        },
    }


def object_key(mapping_id, shard_id):
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"aws/lambda/{mapping_id}/{shard_id}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{new_uuid()}"


def _send_to_queue(queue_arn, body):
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        raise ValueError(f"on-failure destination {queue_arn} does not exist")
    message = {"id": new_uuid(), "body": body, "visible_at": time.time() + sqs.queue_delay(queue)}
    sqs._ensure_msg_fields(message)
    queue["messages"].append(message)
    esm_wake.set()


def _timestamp(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
