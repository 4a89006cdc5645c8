import unittest

from botocore.exceptions import ClientError
from emulator import REGION, Emulator, unique


def setUpModule():
    global ministack
    ministack = Emulator("ministack")
    unittest.addModuleCleanup(ministack.remove)


class Apis(unittest.TestCase):
    def setUp(self):
        self.apis = ministack.client("apigateway")

    def test_a_vpc_link_is_described_as_it_was_created(self):
        settings = {
            "name": unique("link"), "description": "to the collector", "tags": {"project": "shopstream"},
            "targetArns": ["arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/link/0123456789abcdef"],
        }
        link = self.apis.create_vpc_link(**settings)["id"]
        described = self.apis.get_vpc_link(vpcLinkId=link)
        self.assertEqual({key: described.get(key) for key in settings}, settings)
        self.assertEqual(described["status"], "AVAILABLE")
        self.assertIn(link, [entry["id"] for entry in self.apis.get_vpc_links()["items"]])

    def test_a_vpc_link_that_was_deleted_is_not_found(self):
        link = self.apis.create_vpc_link(name=unique("link"), targetArns=["arn:aws:balancer"])["id"]
        self.apis.delete_vpc_link(vpcLinkId=link)
        with self.assertRaises(self.apis.exceptions.NotFoundException):
            self.apis.get_vpc_link(vpcLinkId=link)

    def test_an_api_key_with_an_empty_value_gets_one(self):
        key = self.apis.create_api_key(name=unique("key"), value="")
        self.assertGreaterEqual(len(key["value"]), 20)


class Schedules(unittest.TestCase):
    def test_a_schedule_is_created_once_for_a_token_and_conflicts_with_another(self):
        schedules, name = ministack.client("scheduler"), unique("schedule")
        target = {"Arn": "arn:aws:lambda:eu-west-1:123456789012:function:beat", "RoleArn": "arn:aws:iam::123456789012:role/beat"}

        def create(token):
            return schedules.create_schedule(
                Name=name, ClientToken=token, ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target)

        self.assertEqual(create("first")["ScheduleArn"], create("first")["ScheduleArn"])
        with self.assertRaises(schedules.exceptions.ConflictException):
            create("second")


class Firewalls(unittest.TestCase):
    def setUp(self):
        self.firewalls = ministack.client("wafv2")
        metrics = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "front"}
        self.acl = self.firewalls.create_web_acl(
            Name=unique("acl"), Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=metrics)["Summary"]
        self.configuration = {
            "ResourceArn": self.acl["ARN"], "RedactedFields": [{"SingleHeader": {"Name": "cookie"}}],
            "LogDestinationConfigs": ["arn:aws:logs:eu-west-1:123456789012:log-group:aws-waf-logs-front"],
        }

    def test_a_logging_configuration_is_described_as_it_was_put(self):
        self.firewalls.put_logging_configuration(LoggingConfiguration=self.configuration)
        self.assertEqual(self.described(), self.configuration)

    def test_a_logging_configuration_that_was_deleted_is_not_found(self):
        self.firewalls.put_logging_configuration(LoggingConfiguration=self.configuration)
        self.firewalls.delete_logging_configuration(ResourceArn=self.acl["ARN"])
        self.assertRaises(self.firewalls.exceptions.WAFNonexistentItemException, self.described)

    def test_a_logging_configuration_goes_with_its_web_acl(self):
        self.firewalls.put_logging_configuration(LoggingConfiguration=self.configuration)
        self.firewalls.delete_web_acl(
            Name=self.acl["Name"], Id=self.acl["Id"], Scope="REGIONAL", LockToken=self.acl["LockToken"])
        self.assertRaises(self.firewalls.exceptions.WAFNonexistentItemException, self.described)

    def test_an_unknown_web_acl_has_no_logging_configuration(self):
        unknown = self.acl["ARN"][:-12] + "000000000000"
        with self.assertRaises(self.firewalls.exceptions.WAFNonexistentItemException):
            self.firewalls.put_logging_configuration(
                LoggingConfiguration=self.configuration | {"ResourceArn": unknown})

    def described(self):
        return self.firewalls.get_logging_configuration(ResourceArn=self.acl["ARN"])["LoggingConfiguration"]


class BackupVaults(unittest.TestCase):
    def setUp(self):
        self.backups, self.name = ministack.client("backup"), unique("vault")
        self.backups.create_backup_vault(BackupVaultName=self.name)
        self.settings = {
            "BackupVaultName": self.name, "SNSTopicArn": "arn:aws:sns:eu-west-1:123456789012:tickets",
            "BackupVaultEvents": ["BACKUP_JOB_FAILED"],
        }

    def test_the_notifications_of_a_vault_are_described_as_they_were_put(self):
        self.backups.put_backup_vault_notifications(**self.settings)
        self.assertEqual({key: self.described().get(key) for key in self.settings}, self.settings)

    def test_a_vault_whose_notifications_were_deleted_has_none(self):
        self.backups.put_backup_vault_notifications(**self.settings)
        self.backups.delete_backup_vault_notifications(BackupVaultName=self.name)
        self.assertRaises(self.backups.exceptions.ResourceNotFoundException, self.described)

    def test_a_new_vault_of_an_old_name_has_no_notifications(self):
        self.backups.put_backup_vault_notifications(**self.settings)
        self.backups.delete_backup_vault(BackupVaultName=self.name)
        self.backups.create_backup_vault(BackupVaultName=self.name)
        self.assertRaises(self.backups.exceptions.ResourceNotFoundException, self.described)

    def described(self):
        return self.backups.get_backup_vault_notifications(BackupVaultName=self.name)


class BucketMetrics(unittest.TestCase):
    CONFIGURATION = {"Id": "all", "Filter": {"Prefix": "events/"}}

    def setUp(self):
        self.s3, self.bucket = ministack.client("s3"), unique("bucket")
        self.create()
        self.s3.put_bucket_metrics_configuration(Bucket=self.bucket, Id="all", MetricsConfiguration=self.CONFIGURATION)

    def test_a_metrics_configuration_is_described_as_it_was_put(self):
        self.assertEqual(self.described(), self.CONFIGURATION)

    def test_a_metrics_configuration_that_was_deleted_is_not_found(self):
        self.s3.delete_bucket_metrics_configuration(Bucket=self.bucket, Id="all")
        self.assertRaisesRegex(ClientError, "NoSuchConfiguration", self.described)

    def test_a_metrics_configuration_goes_with_its_bucket(self):
        self.s3.delete_bucket(Bucket=self.bucket)
        self.assertRaisesRegex(ClientError, "NoSuchBucket", self.described)
        self.create()
        self.assertRaisesRegex(ClientError, "NoSuchConfiguration", self.described)

    def create(self):
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def described(self):
        return self.s3.get_bucket_metrics_configuration(Bucket=self.bucket, Id="all")["MetricsConfiguration"]


if __name__ == "__main__":
    unittest.main()
