"""Reads Kinesis shards in order, for the event source mapping and for Firehose.

Both need the same three things: the records of a shard after a sequence
number, the place where "latest" is now, and to wait until a stream has new
records. Stock MiniStack 1.5.33 keeps an index into the shard's list instead,
which is wrong as soon as old records expire, and each PutRecord copies the
whole list to see whether any has (so the cost of a put grows with the stream).

Doc: https://docs.aws.amazon.com/streams/latest/dev/kinesis-record-processor-additional-considerations.html
"""

import bisect
import collections
import operator
import threading
import time

from ministack.core.arn import parse_arn
from ministack.services import firehose, kinesis

import patching

_sequence_number = operator.itemgetter("SequenceNumber")
_arrival_time = operator.itemgetter("ApproximateArrivalTimestamp")


def install():
    patching.replace(kinesis, "_expire_records", drop_expired_records, ["stream"])
    patching.replace(firehose, "ingest_from_kinesis_source", _records_arrived, ["stream_arn", "records"])


def find_stream(stream_arn):
    """The stream's record in MiniStack, or None."""
    arn = parse_arn(stream_arn)
    stream = kinesis._streams.get_scoped(arn.account_id, arn.region, arn.resource.partition("/")[2])
    return stream if stream and stream["StreamStatus"] == "ACTIVE" else None


def read_after(shard, sequence_number, limit):
    """Up to limit records of a shard that follow a sequence number ("" is before all)."""
    records = shard["records"]
    start = bisect.bisect_right(records, sequence_number, key=_sequence_number)
    return records[start:start + limit]


def horizon(shard):
    return ""


def latest(shard):
    records = shard["records"]
    return records[-1]["SequenceNumber"] if records else ""


def at_timestamp(shard, timestamp):
    """The sequence number of the last record that arrived before timestamp."""
    records = shard["records"]
    index = bisect.bisect_left(records, timestamp, key=_arrival_time)
    return records[index - 1]["SequenceNumber"] if index else ""


def drop_expired_records(stream):
    oldest = time.time() - stream["RetentionPeriodHours"] * 3600
    for shard in stream["shards"].values():
        records = shard["records"]
        if records and records[0]["ApproximateArrivalTimestamp"] < oldest:
            shard["records"] = records[bisect.bisect_left(records, oldest, key=_arrival_time):]


class Arrivals:
    """Wakes readers when a stream gets records."""

    def __init__(self):
        self._changed = threading.Condition()
        self._puts = collections.Counter()

    def announce(self, stream_arn):
        with self._changed:
            self._puts[stream_arn] += 1
            self._changed.notify_all()

    def seen(self, stream_arn):
        """A mark to take before reading, so that no put between reading and waiting is missed."""
        return self._puts[stream_arn]

    def wait(self, stream_arn, seen, timeout):
        with self._changed:
            self._changed.wait_for(lambda: self._puts[stream_arn] != seen, timeout)


arrivals = Arrivals()


def _records_arrived(stream_arn, records):
    """Stands where PutRecord and PutRecords called Firehose, which now reads the stream itself."""
    arrivals.announce(stream_arn)
