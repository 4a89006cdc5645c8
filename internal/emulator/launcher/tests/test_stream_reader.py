import sys
import time
import unittest

from emulator import LAUNCHERS

sys.path.insert(0, str(LAUNCHERS))
import stream_reader  # noqa: E402


class StreamReader(unittest.TestCase):
    def setUp(self):
        """A shard with a record of every hour of the last four, kept for two and a half."""
        now = time.time()
        self.shard = {"records": [
            {"SequenceNumber": str(4 - age), "ApproximateArrivalTimestamp": now - age * 3600} for age in (4, 3, 2, 1)]}
        self.stream = {"RetentionPeriodHours": 2.5, "shards": {"shardId-000000000000": self.shard}}

    def read(self, after):
        return [record["SequenceNumber"] for record in stream_reader.read_after(self.shard, after, 10)]

    def test_a_reader_keeps_its_place_when_older_records_expire(self):
        self.assertEqual(self.read("1"), ["2", "3"])
        stream_reader.drop_expired_records(self.stream)
        self.assertEqual(self.read(stream_reader.horizon(self.shard)), ["2", "3"])
        self.assertEqual(self.read("1"), ["2", "3"])
        self.assertEqual(self.read(stream_reader.latest(self.shard)), [])

    def test_a_time_stands_for_the_last_record_before_it(self):
        self.assertEqual(stream_reader.at_timestamp(self.shard, time.time() - 2.5 * 3600), "1")
        self.assertEqual(stream_reader.at_timestamp(self.shard, 0), "")

    def test_a_put_without_expired_records_leaves_the_list_alone(self):
        stream_reader.drop_expired_records(self.stream)
        records = self.shard["records"]
        stream_reader.drop_expired_records(self.stream)
        self.assertIs(self.shard["records"], records)


if __name__ == "__main__":
    unittest.main()
