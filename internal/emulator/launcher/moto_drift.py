"""Describes resources of moto as AWS describes them, so that a second Terraform plan finds no change.

What AWS does: it describes a resource as it was requested. Stock moto 5.2.5
leaves out:

- the description of a security group's rule that names a group or a prefix
  list instead of addresses;
- of an ECS service that was created and not yet updated: its grace period for
  health checks, whether ECS tags its tasks, and whether it balances them over
  zones;
- of a network load balancer: whether its groups' rules hold for private links;
- the tags of a scalable target. It has no operation that lists them.

A rule of a network ACL that is not there, as when a delete is sent again
because its answer was lost, cannot be deleted: AWS says that it is not found,
stock moto has an internal error.

Docs: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html,
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html,
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
"""

import inspect
import json

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as ScalingResponse
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.network_acls import NetworkAclBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.responses import EC2ContainerServiceResponse as ContainerResponse
from moto.elbv2.responses import ELBV2Response as BalancerResponse

import patching

SELF = ["self"]
RULE_PARAMETERS = ["self", "ec2_backend", "ip_protocol", "group_id", "from_port", "to_port", "ip_range",
                   "source_group", "prefix_list_id", "is_egress", "tags"]
FORGOTTEN_OF_A_SERVICE = {
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
}


def install():
    global _stock_rule, _rule_signature
    _stock_rule = patching.replace(SecurityGroupRule, "__init__", rule, RULE_PARAMETERS)
    _rule_signature = inspect.signature(_stock_rule)
    SecurityGroupRule.description = property(rule_description)
    global _stock_delete_entry
    _stock_delete_entry = patching.replace(
        NetworkAclBackend, "delete_network_acl_entry", delete_entry, ["self", "network_acl_id", "rule_number", "egress"])
    global _stock_create_service
    _stock_create_service = patching.replace(ContainerResponse, "create_service", create_service, SELF)
    global _stock_set_security_groups
    _stock_set_security_groups = patching.replace(BalancerResponse, "set_security_groups", set_security_groups, SELF)
    global _stock_register_target
    _stock_register_target = patching.replace(ScalingResponse, "register_scalable_target", register_target, SELF)
    ScalingResponse.list_tags_for_resource = list_tags_of_target
    ScalingResponse.tag_resource = tag_target
    ScalingResponse.untag_resource = untag_target


def delete_entry(self, network_acl_id, rule_number, egress):
    try:
        return _stock_delete_entry(self, network_acl_id, rule_number, egress)
    except StopIteration:
        raise EC2ClientError("InvalidNetworkAclEntry.NotFound", f"The network ACL entry {rule_number} does not exist") from None


def rule(self, *arguments, **named):
    _stock_rule(self, *arguments, **named)
    request = _rule_signature.bind(self, *arguments, **named).arguments
    self.prefix_list_description = (request.get("prefix_list_id") or {}).get("Description")


def rule_description(self):
    return (self.ip_range.get("Description") or self.source_group.get("Description")
            or self.prefix_list_description)


def create_service(self):
    response = _stock_create_service(self)
    for setting, attribute in FORGOTTEN_OF_A_SERVICE.items():
        if self._get_param(setting) is not None:
            setattr(response.result["service"], attribute, self._get_param(setting))
    return response


def set_security_groups(self):
    response = _stock_set_security_groups(self)
    enforced = self._get_param("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic")
    if enforced:
        balancer = self.elbv2_backend.load_balancers[self._get_param("LoadBalancerArn")]
        balancer.enforce_security_group_inbound_rules_on_private_link_traffic = enforced
    return response


def register_target(self):
    response = _stock_register_target(self)
    _tags(self, json.loads(response)["ScalableTargetARN"]).update(self._get_param("Tags") or {})
    return response


def list_tags_of_target(self):
    return json.dumps({"Tags": _tags(self, self._get_param("ResourceARN"))})


def tag_target(self):
    _tags(self, self._get_param("ResourceARN")).update(self._get_param("Tags"))
    return "{}"


def untag_target(self):
    for key in self._get_param("TagKeys"):
        _tags(self, self._get_param("ResourceARN")).pop(key, None)
    return "{}"


def _tags(self, arn):
    """The tags of a scalable target: kept on it, so that they go with it."""
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return vars(target).setdefault("tags", {})
    return {}
