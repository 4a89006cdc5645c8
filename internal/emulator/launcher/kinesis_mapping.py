"""Restores how a Lambda event source mapping reads a Kinesis stream.

What AWS does: every shard is read in order and on its own, one batch at a
time. A batch is ready when it has BatchSize records, when
MaximumBatchingWindowInSeconds is over, or at 6 MB. A failed batch is tried
again, with growing pauses, until it succeeds, MaximumRetryAttempts is used up
or its records are older than MaximumRecordAgeInSeconds; then it is discarded
and a record of it goes to the on-failure destination (failure_destination).
With ReportBatchItemFailures the lowest reported sequence number becomes the
checkpoint. BisectBatchOnFunctionError splits a failed batch, which does not
use up an attempt.

Stock MiniStack 1.5.33 reads the shards one after the other and at most once a
second after a failure, retries for ever, ignores ReportBatchItemFailures (a
record that is reported as failed is lost), bisecting, the batching window, both
limits and the destination, and starts LATEST at its first look instead of at
the mapping's creation.

Where AWS's documentation leaves room: an identifier that is not in the batch
fails the whole batch; a partial failure counts as an attempt unless
BisectBatchOnFunctionError is set; a throttled call does not. Pauses are short
here, 0.1 to 2 seconds. ParallelizationFactor counts as 1.

Docs: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html,
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import base64
import dataclasses
import json
import logging
import threading
import time

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.concurrency import esm_wake
from ministack.core.responses import get_account_id, get_region, json_response, request_scope
from ministack.services import lambda_svc

import failure_destination
import patching
import stream_reader

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
LARGEST_EVENT_BYTES = 6 * 1024 * 1024
RECORD_OVERHEAD_BYTES = 512  # of a record's event, beside its data and partition key

# What AWS fills in, and what stock MiniStack forgets of a request.
DEFAULTS = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "BisectBatchOnFunctionError": False,
    "TumblingWindowInSeconds": 0,
    "DestinationConfig": {"OnFailure": {}},
}
FORGOTTEN = ("TumblingWindowInSeconds", "StartingPositionTimestamp", "KMSKeyArn", "MetricsConfig")

logger = logging.getLogger("kinesis-mapping")
_checkpoints = {}  # (mapping id, shard id) -> sequence number of the last record that is done with
_consumers = {}  # (mapping id, shard id) -> its running thread
_starting = threading.Lock()  # a mapping's consumers start after its checkpoints are set


def install():
    patching.expect(lambda_svc, "_execute_function", ["func", "event"])
    patching.expect(lambda_svc, "_get_func_record_for_qualifier", ["name", "qualifier"])
    patching.expect(lambda_svc, "_apply_filter_criteria", ["records", "esm"])
    patching.expect(lambda_svc, "_iter_all_esms", [])
    patching.replace(lambda_svc, "_poll_kinesis", start_consumers, [])
    global _stock_create, _stock_update
    _stock_create = patching.replace(lambda_svc, "_create_esm", create, ["data"])
    _stock_update = patching.replace(lambda_svc, "_update_esm", update, ["esm_id", "data"])


def create(data):
    with _starting:
        response = _stock_create(data)
        mapping = _stored(response)
        if mapping is None or not _reads_kinesis(mapping):
            return response
        for key, default in DEFAULTS.items():
            mapping[key] = data[key] if data.get(key) is not None else default
        mapping.update({key: data[key] for key in FORGOTTEN if data.get(key) is not None})
        stream = stream_reader.find_stream(mapping["EventSourceArn"])
        for shard_id, shard in (stream["shards"] if stream else {}).items():
            _checkpoints[mapping["UUID"], shard_id] = _start(mapping, shard)
    esm_wake.set()
    return json_response(lambda_svc._esm_response(mapping), response[0])


def update(esm_id, data):
    response = _stock_update(esm_id, data)
    mapping = _stored(response)
    if mapping is None or not _reads_kinesis(mapping):
        return response
    mapping.update({key: data[key] for key in FORGOTTEN if data.get(key) is not None})
    esm_wake.set()
    return json_response(lambda_svc._esm_response(mapping), response[0])


def _stored(response):
    status, _, body = response
    return lambda_svc._esms.get(json.loads(body)["UUID"]) if status < 300 else None


def _reads_kinesis(mapping):
    try:
        return parse_arn(mapping.get("EventSourceArn", "")).service == "kinesis"
    except ArnParseError:
        return False


def _start(mapping, shard):
    match mapping.get("StartingPosition"):
        case "TRIM_HORIZON":
            return stream_reader.horizon(shard)
        case "AT_TIMESTAMP":
            return stream_reader.at_timestamp(shard, float(mapping["StartingPositionTimestamp"]))
        case _:
            return stream_reader.latest(shard)


def start_consumers():
    """Give every shard of every enabled mapping a consumer. MiniStack's poll loop calls this."""
    with _starting:
        for account, region, mapping in lambda_svc._iter_all_esms():
            if not mapping.get("Enabled", True) or not _reads_kinesis(mapping):
                continue
            stream = stream_reader.find_stream(mapping["EventSourceArn"])
            for shard_id, shard in list(stream["shards"].items() if stream else ()):
                key = mapping["UUID"], shard_id
                if key not in _consumers:
                    _consumers[key] = ShardConsumer(account, region, mapping, shard_id, shard)
                    _consumers[key].start()
    return False  # nothing for the poll loop to do at once


@dataclasses.dataclass
class Batch:
    """Records of one shard that are invoked together."""

    records: list
    attempts: int = 0  # failed ones that count against MaximumRetryAttempts
    invocations: int = 0


class ShardConsumer(threading.Thread):
    """Feeds one shard to one mapping's function, in order."""

    def __init__(self, account, region, mapping, shard_id, shard):
        super().__init__(name=f"mapping-{mapping['UUID'][:8]}-{shard_id}", daemon=True)
        self.account, self.region = account, region
        self.mapping, self.shard_id, self.shard = mapping, shard_id, shard
        self.key = mapping["UUID"], shard_id
        self.pending = []  # what is left of a batch that failed, in order
        self.collecting_since = None
        # A shard that appears later is the child of one that was split or merged: AWS reads it whole.
        _checkpoints.setdefault(self.key, stream_reader.horizon(shard))

    def run(self):
        with request_scope(self.account, self.region):
            try:
                while self.is_wanted():
                    try:
                        self.step()
                    except Exception:
                        logger.exception("mapping %s: %s", *self.key)
                        time.sleep(1)
            finally:
                _consumers.pop(self.key, None)

    def is_wanted(self):
        stored = lambda_svc._esms.get(self.mapping["UUID"])
        if stored is not self.mapping:
            _checkpoints.pop(self.key, None)
            return False
        if not self.mapping.get("Enabled", True):
            return False  # the checkpoint stays for when it is enabled again
        stream = stream_reader.find_stream(self.mapping["EventSourceArn"])
        still_open = stream is not None and stream["shards"].get(self.shard_id) is self.shard
        return still_open or bool(self.pending or self.read(1))

    def step(self):
        batch = self.pending.pop(0) if self.pending else self.collect()
        if batch is not None:
            self.process(batch)

    def read(self, limit):
        return stream_reader.read_after(self.shard, _checkpoints[self.key], limit)

    def collect(self):
        """The next batch, or None after waiting a while for it."""
        stream_arn = self.mapping["EventSourceArn"]
        seen = stream_reader.arrivals.seen(stream_arn)
        size = int(self.mapping["BatchSize"])
        records = self.read(size)
        if not records:
            stream_reader.arrivals.wait(stream_arn, seen, timeout=1)
            return None
        fitting = _fitting(records)
        self.collecting_since = self.collecting_since or time.monotonic()
        window = float(self.mapping.get("MaximumBatchingWindowInSeconds") or 0)
        left = self.collecting_since + window - time.monotonic()
        if fitting == size or fitting < len(records) or left <= 0:
            self.collecting_since = None
            return Batch(records[:fitting])
        stream_reader.arrivals.wait(stream_arn, seen, timeout=min(left, 1))
        return None

    def process(self, batch):
        function, _ = lambda_svc._get_func_record_for_qualifier(
            self.mapping["FunctionName"], self.mapping.get("Qualifier"))
        if function is None:
            self.pending.insert(0, batch)
            time.sleep(1)
            return
        batch = self.without_expired(batch, function)
        if not batch.records:
            return
        event = self.event(batch.records, function)
        if not event["Records"]:
            self.checkpoint(batch.records)
            return
        result = lambda_svc._execute_function(function, event)
        if result.get("throttle"):
            self.retry(batch, batch.attempts)
            return
        batch.invocations += 1
        failed = first_failure(result, [record["SequenceNumber"] for record in batch.records], self.mapping)
        if failed is None:
            self.mapping["LastProcessingResult"] = "OK"
            self.checkpoint(batch.records)
        else:
            self.mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
            logger.warning("mapping %s: batch of %d failed at %d: %s", self.mapping["UUID"], len(batch.records), failed,
                           json.dumps(result.get("body"))[:500])
            self.handle_failure(batch, failed, function)

    def handle_failure(self, batch, failed, function):
        if failed:
            self.checkpoint(batch.records[:failed])
            batch.records = batch.records[failed:]
        bisect = bool(self.mapping.get("BisectBatchOnFunctionError"))
        limit = int(self.mapping.get("MaximumRetryAttempts", -1))
        if bisect and failed:
            self.pending.insert(0, batch)
        elif bisect and len(batch.records) > 1:
            middle = (len(batch.records) + 1) // 2
            halves = batch.records[:middle], batch.records[middle:]
            self.pending[:0] = [dataclasses.replace(batch, records=half) for half in halves]
        elif 0 <= limit <= batch.attempts:
            self.discard(batch, "RetryAttemptsExhausted", function)
        else:
            self.retry(batch, batch.attempts + 1)

    def retry(self, batch, attempts):
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(batch.attempts, 10), LONGEST_PAUSE_SECONDS)
        batch.attempts = attempts
        self.pending.insert(0, batch)
        time.sleep(pause)

    def without_expired(self, batch, function):
        """Discard the records at the head that are too old."""
        limit = int(self.mapping.get("MaximumRecordAgeInSeconds", -1))
        if limit < 0:
            return batch
        oldest = time.time() - limit
        alive = next((index for index, record in enumerate(batch.records)
                      if record["ApproximateArrivalTimestamp"] > oldest), len(batch.records))
        if alive:
            self.discard(dataclasses.replace(batch, records=batch.records[:alive]), "RecordAgeExceeded", function)
        return dataclasses.replace(batch, records=batch.records[alive:])

    def discard(self, batch, condition, function):
        logger.warning("mapping %s: %d records discarded: %s", self.mapping["UUID"], len(batch.records), condition)
        try:
            failure_destination.send(
                self.mapping, function, self.shard_id, batch, condition, self.event(batch.records, function))
        except Exception:
            logger.exception("mapping %s: on-failure destination", self.mapping["UUID"])
        self.checkpoint(batch.records)

    def checkpoint(self, records):
        _checkpoints[self.key] = records[-1]["SequenceNumber"]

    def event(self, records, function):
        config = function.get("config") or function
        events = [{
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": _base64(record["Data"]),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self.shard_id}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": config.get("Role", ""),
            "awsRegion": get_region(),
            "eventSourceARN": self.mapping["EventSourceArn"],
        } for record in records]
        return {"Records": lambda_svc._apply_filter_criteria(events, self.mapping)}


def first_failure(result, sequence_numbers, mapping):
    """The index of the record to go on with, or None when the batch is done."""
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return None
    response = result.get("body")
    failures = response.get("batchItemFailures") if isinstance(response, dict) else None
    if not failures:
        return None
    positions = {number: index for index, number in enumerate(sequence_numbers)}
    identifiers = [str(failure.get("itemIdentifier")) if isinstance(failure, dict) else "" for failure in failures]
    return min(positions.get(identifier, 0) for identifier in identifiers)


def _fitting(records):
    """How many of the records, at least one, make an event that Lambda accepts."""
    size = 0
    for index, record in enumerate(records):
        size += len(record["Data"]) + len(record["PartitionKey"]) + RECORD_OVERHEAD_BYTES
        if size > LARGEST_EVENT_BYTES and index:
            return index
    return len(records)


def _base64(data):
    return data if isinstance(data, str) else base64.b64encode(data).decode()
