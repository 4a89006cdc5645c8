import base64
import datetime
import gzip
import json
import time
import unittest
import zoneinfo

from emulator import ACCOUNT, REGION, Emulator, create_function, eventually, unique

ROLE = f"arn:aws:iam::{ACCOUNT}:role/firehose"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def setUpModule():
    global ministack, kinesis, firehose, s3
    ministack = Emulator("ministack")
    unittest.addModuleCleanup(ministack.remove)
    kinesis, firehose, s3 = map(ministack.client, ("kinesis", "firehose", "s3"))


class Delivery:
    """A Kinesis stream, a delivery stream that reads it, and its bucket."""

    def __init__(self, before=(), seconds=0, megabytes=1, bucket=True, source=True, **destination):
        self.stream, self.name, self.bucket = unique("stream"), unique("delivery"), unique("bucket")
        kinesis.create_stream(StreamName=self.stream, ShardCount=2)
        self.put(*before)
        if bucket:
            self.create_bucket()
        from_stream = {
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.stream}", "RoleARN": ROLE},
        }
        firehose.create_delivery_stream(
            DeliveryStreamName=self.name,
            **(from_stream if source else {}),
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "BufferingHints": {"SizeInMBs": megabytes, "IntervalInSeconds": seconds}, **destination})

    def create_bucket(self):
        s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, *texts):
        for start in range(0, len(texts), 500):
            kinesis.put_records(StreamName=self.stream, Records=[
                {"Data": text, "PartitionKey": str(index)} for index, text in enumerate(texts[start:start + 500])])

    def objects(self):
        """The body of every object by its key."""
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        return {key: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def wait_for_objects(self, count=1):
        eventually(lambda: len(self.objects()) >= count)
        return self.objects()


class Buffering(unittest.TestCase):
    def test_records_are_joined_as_they_come_into_one_object(self):
        delivery = Delivery(seconds=1)
        for text in ('{"n":1}\n', '{"n":2}\n', '{"n":3}\n'):
            kinesis.put_record(StreamName=delivery.stream, Data=text, PartitionKey="same")
        self.assertEqual(list(delivery.wait_for_objects().values()), [b'{"n":1}\n{"n":2}\n{"n":3}\n'])

    def test_an_interval_of_zero_delivers_within_a_fraction_of_a_second(self):
        delivery = Delivery(seconds=0)
        started = time.monotonic()
        delivery.put("quick")
        delivery.wait_for_objects()
        self.assertLess(time.monotonic() - started, 0.5)

    def test_an_interval_is_waited_for(self):
        delivery = Delivery(seconds=1)
        started = time.monotonic()
        delivery.put("patient")
        delivery.wait_for_objects()
        self.assertGreater(time.monotonic() - started, 0.9)

    def test_a_full_buffer_does_not_wait_for_the_interval(self):
        delivery = Delivery(seconds=900, megabytes=1)
        delivery.put(*["x" * 10_000] * 130)
        bodies = list(delivery.wait_for_objects().values())
        self.assertEqual([len(body) for body in bodies], [1_050_000])

    def test_delivery_starts_with_the_first_record_after_creation(self):
        delivery = Delivery(before=["old"])
        delivery.put("new")
        self.assertEqual(list(delivery.wait_for_objects().values()), [b"new"])

    def test_no_record_is_lost_or_doubled(self):
        delivery = Delivery(seconds=0, CompressionFormat="GZIP")
        sent = [f"{index:05d}\n" for index in range(10_000)]
        delivery.put(*sent)
        lines = eventually(lambda: received(delivery, len(sent)))
        self.assertEqual(sorted(lines), [line.encode() for line in sent])

    def test_records_wait_for_a_bucket_that_does_not_exist_yet(self):
        delivery = Delivery(bucket=False)
        delivery.put("early")
        time.sleep(0.5)
        delivery.create_bucket()
        self.assertEqual(list(delivery.wait_for_objects().values()), [b"early"])

    def test_an_object_that_is_delivered_notifies_the_queue_of_its_bucket(self):
        sqs = ministack.client("sqs")
        delivery = Delivery()
        url = sqs.create_queue(QueueName=delivery.name)["QueueUrl"]
        s3.put_bucket_notification_configuration(Bucket=delivery.bucket, NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{delivery.name}",
                                     "Events": ["s3:ObjectCreated:*"]}]})
        sqs.purge_queue(QueueUrl=url)  # of the test event
        delivery.put("announced")
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        (key,) = delivery.objects()
        self.assertEqual(json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"], key)

    def test_records_put_directly_are_buffered_too(self):
        delivery = Delivery(seconds=1, source=False)
        firehose.put_record(DeliveryStreamName=delivery.name, Record={"Data": b"one\n"})
        firehose.put_record_batch(DeliveryStreamName=delivery.name, Records=[{"Data": b"two\n"}, {"Data": b"three\n"}])
        self.assertEqual(list(delivery.wait_for_objects().values()), [b"one\ntwo\nthree\n"])

    def test_a_delimiter_is_appended_if_a_processor_asks_for_it(self):
        delivery = Delivery(seconds=1, ProcessingConfiguration={
            "Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": [
                {"ParameterName": "Delimiter", "ParameterValue": "\\n"}]}]})
        for text in ("a", "b"):
            kinesis.put_record(StreamName=delivery.stream, Data=text, PartitionKey="same")
        self.assertEqual(list(delivery.wait_for_objects().values()), [b"a\nb\n"])


class Names(unittest.TestCase):
    def test_the_default_name_has_the_hour_and_ends_with_a_uuid(self):
        delivery = Delivery()
        delivery.put("x")
        (key,) = delivery.wait_for_objects()
        self.assertRegex(key, rf"^\d{{4}}/\d\d/\d\d/\d\d/{delivery.name}-1-\d{{4}}(-\d\d){{5}}-{UUID}$")

    def test_a_prefix_is_evaluated_in_the_custom_time_zone(self):
        delivery = Delivery(Prefix="raw/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/!{firehose:random-string}/",
                            ErrorOutputPrefix="errors/!{firehose:error-output-type}/", CustomTimeZone="Asia/Tokyo")
        before = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Tokyo"))
        delivery.put("x")
        (key,) = delivery.wait_for_objects()
        after = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Tokyo"))
        hours = "|".join(f"dt={moment:%Y-%m-%d}/hour={moment:%H}" for moment in (before, after))
        self.assertRegex(key, rf"^raw/({hours})/[0-9a-zA-Z]{{11}}/{delivery.name}-1-.*-{UUID}$")

    def test_gzip_compresses_and_names_the_object_so(self):
        delivery = Delivery(CompressionFormat="GZIP")
        delivery.put("compressed")
        ((key, body),) = delivery.wait_for_objects().items()
        self.assertTrue(key.endswith(".gz"), key)
        self.assertEqual(gzip.decompress(body), b"compressed")

    def test_a_file_extension_takes_the_place_of_the_usual_one(self):
        delivery = Delivery(CompressionFormat="GZIP", FileExtension=".json.gz")
        delivery.put("compressed")
        (key,) = delivery.wait_for_objects()
        self.assertRegex(key, rf"-{UUID}\.json\.gz$")

    def test_a_changed_delivery_stream_has_the_next_version_in_the_name(self):
        delivery = Delivery()
        description = firehose.describe_delivery_stream(DeliveryStreamName=delivery.name)["DeliveryStreamDescription"]
        firehose.update_destination(
            DeliveryStreamName=delivery.name, CurrentDeliveryStreamVersionId=description["VersionId"],
            DestinationId=description["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate={"Prefix": "v2/"})
        delivery.put("x")
        (key,) = delivery.wait_for_objects()
        self.assertRegex(key, rf"^v2/\d{{4}}/\d\d/\d\d/\d\d/{delivery.name}-2-")


class Processing(unittest.TestCase):
    def test_a_processor_changes_drops_and_rejects_records_of_a_batch(self):
        function = create_function(ministack.client("lambda"), "process")
        function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        delivery = Delivery(
            seconds=1, Prefix="raw/", ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
            ProcessingConfiguration={"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": [
                {"ParameterName": "LambdaArn", "ParameterValue": function_arn}]}]})
        for text in ("keep 1", "drop", "poison", "keep 2"):
            kinesis.put_record(StreamName=delivery.stream, Data=text, PartitionKey="same")
        objects = delivery.wait_for_objects(2)
        (error_key, error), (_, body) = sorted(objects.items())
        self.assertEqual(body, b"KEEP 1KEEP 2")
        self.assertRegex(error_key, r"^errors/processing-failed/\d{4}/\d\d/\d\d/\d\d/")
        error = json.loads(error)
        self.assertEqual(base64.b64decode(error["rawData"]), b"poison")
        self.assertEqual(error["errorCode"], "Lambda.ProcessingFailedStatus")


def received(delivery, count):
    """The lines of all objects, once there are enough."""
    lines = b"".join(map(gzip.decompress, delivery.objects().values())).splitlines(keepends=True)
    return lines if len(lines) >= count else []


if __name__ == "__main__":
    unittest.main()
