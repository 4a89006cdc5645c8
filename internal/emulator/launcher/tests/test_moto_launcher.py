import json
import unittest

from emulator import ACCOUNT, Emulator


class MotoLauncher(unittest.TestCase):
    def test_a_role_can_have_a_managed_policy_of_aws(self):
        moto = Emulator("moto")
        self.addCleanup(moto.remove)
        self.assertEqual(moto.client("sts").get_caller_identity()["Account"], ACCOUNT)
        iam, policy = moto.client("iam"), "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)
        iam.attach_role_policy(RoleName="function", PolicyArn=policy)
        attached = iam.list_attached_role_policies(RoleName="function")["AttachedPolicies"]
        self.assertEqual([entry["PolicyArn"] for entry in attached], [policy])


if __name__ == "__main__":
    unittest.main()
