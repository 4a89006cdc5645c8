"""Restores how Firehose reads a Kinesis stream and delivers to S3.

What AWS does: a delivery stream with a Kinesis source reads every shard from
the moment it was created. Records are buffered until BufferingHints' size or
interval is reached, joined as they are (a delimiter only if a processor of
type AppendDelimiterToRecord asks for it), compressed, and written as one object
<evaluated prefix><stream>-<version>-<yyyy-MM-dd-HH-mm-ss>-<UUID><extension>.
Times are those of the oldest record in the object, in CustomTimeZone. A
delivery that fails is tried again. Records that a Lambda processor rejects go
to the error prefix (firehose_processing).

Stock MiniStack 1.5.33 writes one object for every record while PutRecord
waits, never compresses, uses the time of delivery, drops a record when the
bucket is missing, and keeps every record in memory for ever. It evaluates
prefixes as AWS does, so its functions for that are used here.

Not restored: a destination with dynamic partitioning or with conversion to
Parquet is still delivered by stock MiniStack, one object a record. So are
destinations other than S3. What is buffered is lost when the emulator stops.

Docs: https://docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html,
https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html,
https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

import base64
import datetime
import gzip
import logging
import threading
import time
import zoneinfo

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import firehose

import firehose_processing
import object_store
import patching
import stream_reader

RECORDS_PER_READ = 10_000
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
DEFAULT_HINTS = {"SizeInMBs": 5, "IntervalInSeconds": 300}
EXTENSIONS = {"GZIP": ".gz"}

logger = logging.getLogger("firehose-delivery")
_deliveries = {}  # ARN of a delivery stream -> its Delivery
_starting = threading.Lock()


def install():
    patching.expect(firehose, "_evaluate_prefix", ["template", "t", "query_keys", "lambda_keys", "error_type"])
    patching.expect(firehose, "_java_time", ["pattern", "t"])
    patching.expect(firehose, "_s3_bucket_from_arn", ["bucket_arn"])
    global _stock_create, _stock_deliver
    _stock_create = patching.replace(firehose, "_create_delivery_stream", create, ["data"])
    patching.replace_entry(firehose, "_HANDLERS", "CreateDeliveryStream", create)
    _stock_deliver = patching.replace(firehose, "_deliver_records_to_s3", accept, ["stream", "dest", "records"])


def create(data):
    response = _stock_create(data)
    if response[0] < 300:
        _delivery_of(firehose._streams[data["DeliveryStreamName"]])
    return response


def accept(stream, dest, records):
    """Take records of PutRecord and PutRecordBatch."""
    dest["records"].clear()  # stock keeps them for ever
    _delivery_of(stream).add([(time.time(), data) for _, data in records])


def _delivery_of(stream):
    with _starting:
        delivery = _deliveries.get(stream["arn"])
        if delivery is None or delivery.stream is not stream:
            delivery = _deliveries[stream["arn"]] = Delivery(stream)
            delivery.start()
        return delivery


class Delivery(threading.Thread):
    """Collects the records of one delivery stream and writes its objects."""

    def __init__(self, stream):
        super().__init__(name=f"firehose-{stream['name']}", daemon=True)
        self.stream = stream
        self.scope = get_account_id(), get_region()
        self.source_arn = (stream.get("kinesis_source") or {}).get("KinesisStreamARN")
        self.known_shards = self.shards()
        self.positions = {shard_id: stream_reader.latest(shard) for shard_id, shard in self.known_shards.items()}
        self.changed = threading.Condition()
        self.buffer = Buffer()

    def add(self, records):
        with self.changed:
            self.buffer.extend(records)
            self.changed.notify()

    def run(self):
        with request_scope(*self.scope):
            while self.exists():
                try:
                    self.step()
                except Exception:
                    logger.exception("delivery stream %s", self.stream["name"])
                    time.sleep(1)
            while self.buffer.records and self.destination():
                self.deliver()

    def exists(self):
        return firehose._streams.get(self.stream["name"]) is self.stream

    def step(self):
        seen = stream_reader.arrivals.seen(self.source_arn)
        self.read_source()
        due_in = self.due_in()
        if due_in <= 0:
            self.deliver()
        elif self.source_arn:
            stream_reader.arrivals.wait(self.source_arn, seen, timeout=min(due_in, 1))
        else:
            with self.changed:
                self.changed.wait_for(lambda: self.due_in() <= 0, timeout=min(due_in, 1))

    def shards(self):
        source = stream_reader.find_stream(self.source_arn) if self.source_arn else None
        return dict(source["shards"]) if source else {}

    def read_source(self):
        if self.destination() is None:
            return  # not one that is delivered here
        open_shards = self.shards()
        for shard_id, shard in (self.known_shards | open_shards).items():
            # A shard that appears later is the child of one that was split or merged.
            position = self.positions.setdefault(shard_id, stream_reader.horizon(shard))
            records = stream_reader.read_after(shard, position, RECORDS_PER_READ)
            if records:
                self.add([(record["ApproximateArrivalTimestamp"], _bytes(record["Data"])) for record in records])
                self.positions[shard_id] = records[-1]["SequenceNumber"]
                self.known_shards[shard_id] = shard
            elif shard_id not in open_shards:
                del self.known_shards[shard_id]  # closed, and read to its end

    def destination(self):
        return next((dest for dest in self.stream["destinations"] if dest["type"] in ("ExtendedS3", "S3")), None)

    def due_in(self):
        """Seconds until the buffer is to be delivered."""
        destination = self.destination()
        if not self.buffer.records or destination is None:
            return 1
        if self.buffer.size >= _hint(destination, "SizeInMBs") * 1024 * 1024:
            return 0
        return self.buffer.opened + _hint(destination, "IntervalInSeconds") - time.monotonic()

    def deliver(self):
        """Write one buffer's worth of what is buffered."""
        destination = self.destination()
        with self.changed:
            records = self.buffer.take(_hint(destination, "SizeInMBs") * 1024 * 1024)
        if _left_to_stock(destination["config"]):
            _stock_deliver(self.stream, destination, [(firehose._record_id(), data) for _, data in records])
            return
        try:
            objects = self.objects(destination["config"], records)
        except Exception:
            with self.changed:
                self.buffer.put_back(records)
            raise
        for written in objects:
            self.write(*written)

    def write(self, bucket, key, body):
        """Write one object; as long as the delivery stream exists, until it succeeds."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            try:
                object_store.put(bucket, key, body)
                return
            except Exception as failure:
                logger.warning("delivery stream %s: %s", self.stream["name"], failure)
            if not self.exists():
                return
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def objects(self, config, records):
        """The objects to write for these records, as arguments of object_store.put."""
        oldest = min(arrived for arrived, _ in records)
        processed, rejected = firehose_processing.process(self.stream, config, records)
        delimiter = _delimiter(config)
        body = b"".join(data + delimiter for data in processed)
        objects = []
        if body:
            compression = config.get("CompressionFormat", "UNCOMPRESSED")
            if compression == "GZIP":
                body = gzip.compress(body, compresslevel=1, mtime=0)
            extension = config.get("FileExtension") or EXTENSIONS.get(compression, "")
            objects.append(self.object(config, config.get("Prefix"), oldest, body, extension=extension))
        if rejected:
            template = config.get("ErrorOutputPrefix") or f"{config.get('Prefix') or ''}processing-failed/"
            objects.append(self.object(config, template, oldest, rejected, error_type="processing-failed"))
        return objects

    def object(self, config, template, oldest, body, extension="", error_type=None):
        moment = _local_time(config, oldest)
        prefix = firehose._evaluate_prefix(template or "", moment, error_type=error_type)
        created = firehose._java_time("yyyy-MM-dd-HH-mm-ss", moment)
        key = f"{prefix}{self.stream['name']}-{self.stream['version']}-{created}-{new_uuid()}{extension}"
        return firehose._s3_bucket_from_arn(config["BucketARN"]), key, body


class Buffer:
    def __init__(self):
        self.records = []  # pairs of arrival time and data
        self.size = 0
        self.opened = None

    def extend(self, records):
        if not self.records:
            self.opened = time.monotonic()
        self.records += records
        self.size += sum(len(data) for _, data in records)

    def put_back(self, records):
        newer, self.records, self.size = self.records, [], 0
        self.extend(records)
        self.extend(newer)

    def take(self, size):
        """Remove and return the oldest records, up to the first one that reaches size."""
        taken = 0
        for count, (_, data) in enumerate(self.records, start=1):
            taken += len(data)
            if taken >= size:
                break
        records, self.records = self.records[:count], self.records[count:]
        self.size -= taken
        self.opened = time.monotonic()
        return records


def _hint(destination, name):
    return (destination["config"].get("BufferingHints") or {}).get(name, DEFAULT_HINTS[name])


def _left_to_stock(config):
    return any((config.get(feature) or {}).get("Enabled", feature in config) for feature in (
        "DynamicPartitioningConfiguration", "DataFormatConversionConfiguration"))


def _delimiter(config):
    processing = config.get("ProcessingConfiguration") or {}
    for processor in processing.get("Processors") or []:
        if processing.get("Enabled") and processor.get("Type") == "AppendDelimiterToRecord":
            given = {entry["ParameterName"]: entry["ParameterValue"] for entry in processor.get("Parameters") or []}
            return given.get("Delimiter", "\\n").replace("\\n", "\n").encode()
    return b""


def _local_time(config, seconds):
    zone = zoneinfo.ZoneInfo(config.get("CustomTimeZone") or "UTC")
    return datetime.datetime.fromtimestamp(seconds, zone).timetuple()


def _bytes(data):
    return base64.b64decode(data) if isinstance(data, str) else data
