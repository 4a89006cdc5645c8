"""The test function: a custom runtime in one file, which does what MODE says.

It appends what it saw to the file CALLS, one JSON line a call.
"""

import base64
import http.client
import json
import os
import time

MODE = os.environ.get("MODE", "")
CALLS = os.environ.get("CALLS")
POISON = "poison"


class Failure(Exception):
    pass


def handle(event):
    if MODE == "environment":
        return {"pid": os.getpid(), "variables": dict(os.environ)}
    if MODE == "exit":
        print("about to exit", flush=True)
        os._exit(3)
    if MODE == "sleep":
        time.sleep(float(event["seconds"]))
        return {"pid": os.getpid()}
    if MODE == "log":
        print(event["line"], flush=True)
        return None
    if MODE == "process":
        return {"records": [process(record) for record in event["records"]]}
    return handle_records(event["Records"])


def process(record):
    """What a Firehose processor answers for one record."""
    text = base64.b64decode(record["data"]).decode()
    result = {"drop": "Dropped", POISON: "ProcessingFailed"}.get(text, "Ok")
    data = base64.b64encode(text.upper().encode()).decode()
    return {"recordId": record["recordId"], "result": result, "data": data}


def handle_records(records):
    data = [base64.b64decode(record["kinesis"]["data"]).decode() for record in records]
    if CALLS:
        shard = records[0]["eventID"].partition(":")[0]
        with open(CALLS, "a") as calls:
            calls.write(json.dumps({"time": time.time(), "shard": shard, "data": data}) + "\n")
    poisoned = [record["kinesis"]["sequenceNumber"] for record, text in zip(records, data) if POISON in text]
    if MODE == "fail" and poisoned:
        raise Failure("a record is poison")
    if MODE == "report":
        return {"batchItemFailures": [{"itemIdentifier": number} for number in reversed(poisoned)]}
    if MODE == "report-empty" and poisoned:
        return {"batchItemFailures": [{"itemIdentifier": ""}]}
    return None


def main():
    if MODE == "exit-at-start":
        raise SystemExit(2)
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        runtime.request("GET", "/2018-06-01/runtime/invocation/next")
        response = runtime.getresponse()
        request_id, event = response.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(response.read())
        try:
            outcome, body = "response", handle(event)
        except Failure as failure:
            outcome, body = "error", {"errorType": "Failure", "errorMessage": str(failure)}
        runtime.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/{outcome}", json.dumps(body))
        runtime.getresponse().read()


main()
