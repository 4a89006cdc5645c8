import unittest

from emulator import Emulator, unique


def setUpModule():
    global moto
    moto = Emulator("moto")
    unittest.addModuleCleanup(moto.remove)


class SecurityGroupRules(unittest.TestCase):
    def setUp(self):
        self.ec2 = moto.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def test_a_rule_keeps_its_description_whatever_it_names(self):
        prefixes = self.ec2.describe_managed_prefix_lists()["PrefixLists"][0]["PrefixListId"]
        for kind, source in {
            "IpRanges": {"CidrIp": "10.0.0.0/16"}, "UserIdGroupPairs": {"GroupId": self.group()},
            "PrefixListIds": {"PrefixListId": prefixes},
        }.items():
            with self.subTest(kind):
                group = self.group()
                self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{
                    "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, kind: [source | {"Description": "batches"}]}])
                rules = self.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
                ingress = [rule for rule in rules["SecurityGroupRules"] if not rule["IsEgress"]]
                self.assertEqual([rule.get("Description") for rule in ingress], ["batches"])

    def group(self):
        return self.ec2.create_security_group(GroupName=unique("group"), Description="a group", VpcId=self.vpc)["GroupId"]


class NetworkAcls(unittest.TestCase):
    def test_a_rule_that_is_not_there_is_not_found_when_it_is_deleted(self):
        ec2 = moto.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        with self.assertRaisesRegex(ec2.exceptions.ClientError, "InvalidNetworkAclEntry.NotFound"):
            ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)


class Balancers(unittest.TestCase):
    def test_a_load_balancer_tells_whether_its_groups_hold_for_private_links(self):
        ec2, balancers = moto.client("ec2"), moto.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName=unique("group"), Description="a group", VpcId=vpc)["GroupId"]
        arn = balancers.create_load_balancer(
            Name=unique("link"), Type="network", Subnets=[subnet], SecurityGroups=[group])["LoadBalancers"][0]["LoadBalancerArn"]
        balancers.set_security_groups(
            LoadBalancerArn=arn, SecurityGroups=[group], EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic="off")
        balancer = balancers.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        self.assertEqual(balancer.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"), "off")


class Services(unittest.TestCase):
    SETTINGS = {"healthCheckGracePeriodSeconds": 60, "enableECSManagedTags": True, "availabilityZoneRebalancing": "ENABLED"}

    def setUp(self):
        self.ecs, self.names = moto.client("ecs"), {"cluster": unique("cluster"), "service": unique("service")}
        self.ecs.create_cluster(clusterName=self.names["cluster"])
        self.ecs.register_task_definition(
            family="collector", containerDefinitions=[{"name": "collector", "image": "collector", "memory": 64}])

    def test_a_service_is_described_with_every_setting_of_its_request(self):
        self.create(**self.SETTINGS)
        self.assertEqual(self.described(), self.SETTINGS)

    def test_a_service_is_described_with_every_setting_of_its_update(self):
        self.create(healthCheckGracePeriodSeconds=5)
        self.ecs.update_service(**self.names, **self.SETTINGS)
        self.assertEqual(self.described(), self.SETTINGS)

    def create(self, **settings):
        self.ecs.create_service(
            cluster=self.names["cluster"], serviceName=self.names["service"], taskDefinition="collector", desiredCount=1,
            **settings)

    def described(self):
        services = self.ecs.describe_services(cluster=self.names["cluster"], services=[self.names["service"]])["services"]
        return {key: services[0].get(key) for key in self.SETTINGS}


class Scaling(unittest.TestCase):
    def test_a_scalable_target_has_its_tags(self):
        scaling = moto.client("application-autoscaling")
        arn = scaling.register_scalable_target(
            ServiceNamespace="dynamodb", ResourceId="table/shops", ScalableDimension="dynamodb:table:ReadCapacityUnits",
            MinCapacity=1, MaxCapacity=2, Tags={"project": "shopstream"})["ScalableTargetARN"]
        scaling.tag_resource(ResourceARN=arn, Tags={"environment": "local", "old": "yes"})
        scaling.untag_resource(ResourceARN=arn, TagKeys=["old"])
        tags = scaling.list_tags_for_resource(ResourceARN=arn)["Tags"]
        self.assertEqual(tags, {"project": "shopstream", "environment": "local"})


if __name__ == "__main__":
    unittest.main()
