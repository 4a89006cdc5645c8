"""Restores the Lambda processor of a Firehose delivery stream.

What AWS does: the processor gets the buffered records together and answers Ok,
Dropped or ProcessingFailed for each. A call that fails is tried again three
times; records without a result, and those that failed, are written to the error
prefix as one JSON line each, with the original data and the reason.

Stock MiniStack 1.5.33 calls the processor once for every record while
PutRecord waits, and drops a record that failed processing or passes it on
unprocessed.

Doc: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

import base64
import json
import time

from ministack.core.responses import get_region, new_uuid
from ministack.services import firehose, lambda_svc

RECORDS_PER_CALL = 500
CALLS = 4
PAUSE_SECONDS = 0.3


def process(stream, config, records):
    """Return the data to deliver, in order, and the body of an error object (empty if nothing failed)."""
    function_arn = _processor(config)
    if function_arn is None:
        return [data for _, data in records], b""
    delivered, errors = [], []
    for start in range(0, len(records), RECORDS_PER_CALL):
        batch = [(firehose._record_id(), arrived, data) for arrived, data in records[start:start + RECORDS_PER_CALL]]
        answers, problem = _call(stream, function_arn, batch)
        for record_id, arrived, data in batch:
            answer = answers.get(record_id)
            if answer is None:
                errors.append(_error(function_arn, arrived, data, *(problem or (
                    "Lambda.MissingRecordId", "One or more record Ids were not returned."))))
            elif answer.get("result") == "Ok":
                delivered.append(base64.b64decode(answer.get("data") or ""))
            elif answer.get("result") != "Dropped":
                errors.append(_error(function_arn, arrived, data, "Lambda.ProcessingFailedStatus",
                                     "ProcessingFailed status set for record."))
    return delivered, b"".join(errors)


def _processor(config):
    processing = config.get("ProcessingConfiguration") or {}
    for processor in processing.get("Processors") or []:
        if processing.get("Enabled") and processor.get("Type") == "Lambda":
            for parameter in processor.get("Parameters") or []:
                if parameter["ParameterName"] == "LambdaArn":
                    return parameter["ParameterValue"]
    return None


def _call(stream, function_arn, batch):
    """Return the answers by record id, or none and what went wrong."""
    name, qualifier = lambda_svc._resolve_name_and_qualifier(function_arn)
    function, _ = lambda_svc._get_func_record_for_qualifier(name, qualifier)
    if function is None:
        return {}, ("Lambda.FunctionNotFound", f"The function {function_arn} does not exist.")
    event = {
        "invocationId": new_uuid(),
        "deliveryStreamArn": stream["arn"],
        "sourceKinesisStreamArn": (stream.get("kinesis_source") or {}).get("KinesisStreamARN", ""),
        "region": get_region(),
        "records": [{
            "recordId": record_id,
            "approximateArrivalTimestamp": int(arrived * 1000),
            "data": base64.b64encode(data).decode(),
        } for record_id, arrived, data in batch],
    }
    for _ in range(CALLS):
        result = lambda_svc._execute_function(function, event)
        body = result.get("body")
        if not result.get("error") and isinstance(body, dict) and "records" in body:
            return {answer.get("recordId"): answer for answer in body["records"]}, None
        time.sleep(PAUSE_SECONDS)
    problem = f"The Lambda function was invoked but returned an error: {json.dumps(body)[:500]}"
    return {}, ("Lambda.FunctionError", problem)


def _error(function_arn, arrived, data, code, message):
    return json.dumps({
        "attemptsMade": CALLS,
        "arrivalTimestamp": int(arrived * 1000),
        "errorCode": code,
        "errorMessage": message,
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(data).decode(),
        "lambdaArn": function_arn,
    }).encode() + b"\n"
