import json
import os
import re
import time
import unittest

from emulator import ACCOUNT, REGION, Emulator, create_function, eventually, unique

ROLE = f"arn:aws:iam::{ACCOUNT}:role/function"
REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
FIRST_SHARD, SECOND_SHARD = "0", str(2**127)  # hash keys that choose a shard of two


def setUpModule():
    global ministack, kinesis, functions, sqs, s3
    ministack = Emulator("ministack")
    unittest.addModuleCleanup(ministack.remove)
    kinesis, functions, sqs, s3 = map(ministack.client, ("kinesis", "lambda", "sqs", "s3"))


class Pipeline:
    """A stream of two shards, a function, and a mapping between them."""

    def __init__(self, mode="record", timeout=5, start="TRIM_HORIZON", before=(), **mapping):
        self.stream = unique("stream")
        kinesis.create_stream(StreamName=self.stream, ShardCount=2)
        self.arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.stream}"
        self.put(*before)
        self.calls_file = os.path.join(ministack.folder, self.stream)
        self.function = create_function(functions, mode, timeout, variables={"CALLS": self.calls_file})
        settings = {"BatchSize": 10, "MaximumRetryAttempts": 1, **mapping}
        self.mapping = functions.create_event_source_mapping(
            FunctionName=self.function, EventSourceArn=self.arn, StartingPosition=start, **settings)["UUID"]

    def put(self, *texts, shard=FIRST_SHARD):
        if texts:
            kinesis.put_records(StreamName=self.stream, Records=[
                {"Data": text, "PartitionKey": text, "ExplicitHashKey": shard} for text in texts])

    def calls(self, shard=None):
        """The data of every call so far."""
        if not os.path.exists(self.calls_file):
            return []
        with open(self.calls_file) as lines:
            calls = map(json.loads, lines.read().splitlines())
            return [call["data"] for call in calls if shard is None or call["shard"].endswith(shard)]

    def wait_for(self, text):
        """All calls, once one of them has text."""
        eventually(lambda: any(text in call for call in self.calls()))
        return self.calls()


class Batches(unittest.TestCase):
    def test_trim_horizon_starts_with_what_the_stream_holds(self):
        pipeline = Pipeline(before=["old"], start="TRIM_HORIZON")
        self.assertEqual(pipeline.wait_for("old"), [["old"]])

    def test_latest_starts_with_the_first_record_after_the_mapping(self):
        pipeline = Pipeline(before=["old"], start="LATEST")
        pipeline.put("new")
        self.assertEqual(pipeline.wait_for("new"), [["new"]])

    def test_a_batch_has_at_most_batch_size_records_in_order(self):
        names = [f"r{index}" for index in range(25)]
        pipeline = Pipeline(before=names, BatchSize=10)
        self.assertEqual(pipeline.wait_for("r24"), [names[:10], names[10:20], names[20:]])

    def test_a_batching_window_collects_records_that_come_one_by_one(self):
        pipeline = Pipeline(MaximumBatchingWindowInSeconds=1)
        for name in ("a", "b", "c"):
            pipeline.put(name)
            time.sleep(0.1)
        self.assertEqual(pipeline.wait_for("c"), [["a", "b", "c"]])

    def test_a_full_batch_does_not_wait_for_the_window(self):
        pipeline = Pipeline(before=["a", "b"], BatchSize=2, MaximumBatchingWindowInSeconds=60)
        self.assertEqual(pipeline.wait_for("b"), [["a", "b"]])

    def test_a_record_is_delivered_within_a_fraction_of_a_second(self):
        pipeline = Pipeline()
        pipeline.put("warm up")
        pipeline.wait_for("warm up")
        started = time.monotonic()
        pipeline.put("quick")
        pipeline.wait_for("quick")
        self.assertLess(time.monotonic() - started, 0.5)

    def test_a_shard_that_fails_does_not_hold_up_another(self):
        pipeline = Pipeline("fail", MaximumRetryAttempts=-1)
        pipeline.put("poison", shard=FIRST_SHARD)
        pipeline.put("good", shard=SECOND_SHARD)
        self.assertIn(["good"], pipeline.wait_for("good"))

    def test_a_disabled_mapping_goes_on_where_it_stopped(self):
        pipeline = Pipeline(before=["a"])
        pipeline.wait_for("a")
        functions.update_event_source_mapping(UUID=pipeline.mapping, Enabled=False)
        pipeline.put("b")
        time.sleep(1.2)
        self.assertEqual(pipeline.calls(), [["a"]])
        functions.update_event_source_mapping(UUID=pipeline.mapping, Enabled=True)
        self.assertEqual(pipeline.wait_for("b"), [["a"], ["b"]])

    def test_the_records_of_a_split_shard_come_before_and_after_the_split(self):
        pipeline = Pipeline()
        pipeline.put("before")
        kinesis.split_shard(
            StreamName=pipeline.stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
        pipeline.put("after")
        pipeline.wait_for("after")
        self.assertEqual(pipeline.wait_for("before"), [["before"], ["after"]])


class PartialFailures(unittest.TestCase):
    def test_the_lowest_reported_record_is_where_the_retry_starts(self):
        pipeline = Pipeline("report", before=["a", "b", "poison 1", "c", "poison 2"], BatchSize=5, **REPORT)
        pipeline.put("next")
        calls = pipeline.wait_for("next")
        self.assertEqual(calls[:2], [["a", "b", "poison 1", "c", "poison 2"], ["poison 1", "c", "poison 2"]])
        self.assertEqual(sum("a" in call for call in calls), 1)

    def test_an_empty_identifier_fails_the_whole_batch(self):
        pipeline = Pipeline("report-empty", before=["a", "poison"], **REPORT)
        eventually(lambda: len(pipeline.calls()) == 2)
        self.assertEqual(pipeline.calls(), [["a", "poison"]] * 2)

    def test_a_null_response_is_a_success(self):
        pipeline = Pipeline("record", before=["poison"], **REPORT)
        pipeline.wait_for("poison")
        pipeline.put("next")
        self.assertEqual(pipeline.wait_for("next"), [["poison"], ["next"]])

    def test_without_the_response_type_a_report_is_ignored(self):
        pipeline = Pipeline("report", before=["poison"])
        pipeline.wait_for("poison")
        pipeline.put("next")
        self.assertEqual(pipeline.wait_for("next"), [["poison"], ["next"]])


class Retries(unittest.TestCase):
    def test_a_batch_is_tried_once_and_then_maximum_retry_attempts_times(self):
        pipeline = Pipeline("fail", before=["poison"], MaximumRetryAttempts=2)
        pipeline.wait_for("poison")
        pipeline.put("next")
        self.assertEqual(pipeline.wait_for("next"), [["poison"]] * 3 + [["next"]])

    def test_the_pauses_between_retries_grow(self):
        pipeline = Pipeline("fail", before=["poison"], MaximumRetryAttempts=3)
        eventually(lambda: len(pipeline.calls()) == 4)
        with open(pipeline.calls_file) as lines:
            times = [json.loads(line)["time"] for line in lines]
        pauses = [later - earlier for earlier, later in zip(times, times[1:])]
        self.assertEqual(pauses, sorted(pauses))
        self.assertGreater(pauses[-1], 2 * pauses[0])

    def test_bisecting_isolates_the_poison_and_does_not_use_up_attempts(self):
        pipeline = Pipeline(
            "fail", before=["a", "b", "c", "poison", "d", "e"], BatchSize=6, BisectBatchOnFunctionError=True)
        pipeline.put("next")
        calls = pipeline.wait_for("next")
        self.assertEqual(calls.count(["poison"]), 2)
        self.assertTrue(all(calls.count(call) == 1 for call in calls if call != ["poison"]), calls)
        succeeded = [name for call in calls if "poison" not in call for name in call]
        self.assertEqual(succeeded, ["a", "b", "c", "d", "e", "next"])

    def test_a_report_with_bisecting_splits_at_the_reported_record(self):
        pipeline = Pipeline(
            "report", before=["a", "b", "poison", "c"], BatchSize=4, BisectBatchOnFunctionError=True, **REPORT)
        pipeline.put("next")
        calls = pipeline.wait_for("next")
        self.assertEqual(calls[:2], [["a", "b", "poison", "c"], ["poison", "c"]])
        self.assertEqual(calls.count(["poison"]), 2)
        self.assertIn(["c"], calls)

    def test_records_older_than_the_maximum_age_are_discarded(self):
        pipeline = Pipeline("fail", before=["poison"], MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=60)
        functions.update_event_source_mapping(UUID=pipeline.mapping, MaximumRecordAgeInSeconds=2)
        pipeline.put("next")
        self.assertEqual(pipeline.wait_for("next")[-1], ["next"])


class FailureDestinations(unittest.TestCase):
    def test_a_queue_gets_the_metadata_of_a_discarded_batch(self):
        url, arn = create_queue()
        pipeline = Pipeline("fail", before=["a", "poison"], DestinationConfig={"OnFailure": {"Destination": arn}})
        record = json.loads(receive(url))
        self.check_record(record, pipeline)
        self.assertNotIn("payload", record)

    def test_a_topic_gets_the_metadata_of_a_discarded_batch(self):
        sns = ministack.client("sns")
        topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
        url, arn = create_queue()
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        pipeline = Pipeline("fail", before=["a", "poison"], DestinationConfig={"OnFailure": {"Destination": topic}})
        self.check_record(json.loads(receive(url)), pipeline)

    def test_a_bucket_gets_the_whole_event_and_notifies_its_queue(self):
        bucket = unique("bucket")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        url, arn = create_queue()
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
        receive(url)  # the test event
        pipeline = Pipeline("fail", before=["a", "poison"],
                            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}})
        key = json.loads(receive(url))["Records"][0]["s3"]["object"]["key"]
        self.assertRegex(key, re.compile(
            rf"^aws/lambda/{pipeline.mapping}/shardId-000000000000/\d{{4}}/\d\d/\d\d/"
            r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))
        record = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
        self.check_record(record, pipeline)
        events = json.loads(record["payload"])["Records"]
        self.assertEqual([event["kinesis"]["partitionKey"] for event in events], ["a", "poison"])
        self.assertEqual(events[0]["eventSourceARN"], pipeline.arn)
        self.assertEqual(events[0]["invokeIdentityArn"], ROLE)

    def check_record(self, record, pipeline):
        self.assertEqual(record["requestContext"]["condition"], "RetryAttemptsExhausted")
        self.assertEqual(record["requestContext"]["approximateInvokeCount"], 2)
        self.assertTrue(record["requestContext"]["functionArn"].endswith(pipeline.function))
        batch = record["KinesisBatchInfo"]
        self.assertEqual((batch["shardId"], batch["batchSize"]), ("shardId-000000000000", 2))
        self.assertEqual(batch["streamArn"], pipeline.arn)
        self.assertLess(batch["startSequenceNumber"], batch["endSequenceNumber"])


def create_queue():
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(url):
    """The body of the queue's next message."""
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message["Body"]


if __name__ == "__main__":
    unittest.main()
