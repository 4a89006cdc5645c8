"""Prints what an emulated account holds, as a JSON list: one line for each thing that AWS lists.

    python inventory.py MINISTACK_URL MOTO_URL REGION...

It asks as a stranger would, who has no state of Terraform's: what a service lists
is there. Parts that go with their owner, such as a bucket's policy, are not asked for.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
import jmespath
from botocore.config import Config

# By service: what is listed, and the JMESPath of its names.
MINISTACK = {
    "apigateway": {"get_rest_apis": "items[].id", "get_api_keys": "items[].id", "get_usage_plans": "items[].id", "get_vpc_links": "items[].id"},
    "athena": {"list_work_groups": "WorkGroups[].Name", "list_named_queries": "NamedQueryIds"},
    "backup": {"list_backup_vaults": "BackupVaultList[].BackupVaultName", "list_backup_plans": "BackupPlansList[].BackupPlanId"},
    "cloudwatch": {"describe_alarms": "[MetricAlarms, CompositeAlarms][][].AlarmName", "list_dashboards": "DashboardEntries[].DashboardName"},
    "cognito-idp": {"list_user_pools": "UserPools[].Id"},
    "dynamodb": {"list_tables": "TableNames"},
    "events": {"list_rules": "Rules[].Name", "list_event_buses": "EventBuses[].Name"},
    "firehose": {"list_delivery_streams": "DeliveryStreamNames"},
    "kinesis": {"list_streams": "StreamNames"},
    "kms": {"list_keys": "Keys[].KeyId", "list_aliases": "Aliases[].AliasName"},
    "lambda": {"list_functions": "Functions[].FunctionName", "list_event_source_mappings": "EventSourceMappings[].UUID"},
    "logs": {"describe_log_groups": "logGroups[].logGroupName", "describe_resource_policies": "resourcePolicies[].policyName"},
    "scheduler": {"list_schedules": "Schedules[].Name", "list_schedule_groups": "ScheduleGroups[].Name"},
    "secretsmanager": {"list_secrets": "SecretList[].Name"},
    "sns": {"list_topics": "Topics[].TopicArn", "list_subscriptions": "Subscriptions[].SubscriptionArn"},
    "sqs": {"list_queues": "QueueUrls"},
    "wafv2": {"list_web_acls": "WebACLs[].ARN"},
}
MINISTACK_GLOBAL = {
    "budgets": {"describe_budgets": "Budgets[].BudgetName"},
    "cloudfront": {
        "list_cache_policies": "CachePolicyList.Items[].CachePolicy.Id",
        "list_distributions": "DistributionList.Items[].Id",
        "list_origin_access_controls": "OriginAccessControlList.Items[].Id",
        "list_response_headers_policies": "ResponseHeadersPolicyList.Items[].ResponseHeadersPolicy.Id",
    },
    "s3": {"list_buckets": "Buckets[].Name"},
}
MOTO = {
    "application-autoscaling": {"describe_scalable_targets": "ScalableTargets[].ResourceId", "describe_scaling_policies": "ScalingPolicies[].PolicyName"},
    "cloudtrail": {"describe_trails": "trailList[].Name"},
    "config": {
        "describe_configuration_recorders": "ConfigurationRecorders[].name",
        "describe_delivery_channels": "DeliveryChannels[].name",
    },
    "ec2": {
        "describe_addresses": "Addresses[].AllocationId",
        "describe_flow_logs": "FlowLogs[].FlowLogId",
        "describe_internet_gateways": "InternetGateways[].InternetGatewayId",
        "describe_nat_gateways": "NatGateways[?State!='deleted'].NatGatewayId",
        "describe_network_acls": "NetworkAcls[].NetworkAclId",
        "describe_network_interfaces": "NetworkInterfaces[].NetworkInterfaceId",
        "describe_route_tables": "RouteTables[].RouteTableId",
        "describe_security_group_rules": "SecurityGroupRules[].SecurityGroupRuleId",
        "describe_security_groups": "SecurityGroups[].GroupId",
        "describe_subnets": "Subnets[].SubnetId",
        "describe_vpc_endpoints": "VpcEndpoints[?State!='deleted'].VpcEndpointId",
        "describe_vpc_peering_connections": "VpcPeeringConnections[?Status.Code!='deleted'].VpcPeeringConnectionId",
        "describe_vpcs": "Vpcs[].VpcId",
    },
    "ecr": {"describe_repositories": "repositories[].repositoryName"},
    "ecs": {"list_clusters": "clusterArns", "list_task_definitions": "taskDefinitionArns"},
    "elbv2": {"describe_load_balancers": "LoadBalancers[].LoadBalancerArn", "describe_target_groups": "TargetGroups[].TargetGroupArn"},
    "glue": {"get_crawlers": "Crawlers[].Name", "get_databases": "DatabaseList[].Name", "get_security_configurations": "SecurityConfigurations[].Name"},
    "guardduty": {"list_detectors": "DetectorIds"},
}
MOTO_GLOBAL = {
    "iam": {
        "list_instance_profiles": "InstanceProfiles[].InstanceProfileName",
        "list_open_id_connect_providers": "OpenIDConnectProviderList[].Arn",
        "list_policies": "Policies[].PolicyName",
        "list_roles": "Roles[].RoleName",
    },
}
ARGUMENTS = {
    "describe_alarms": {"AlarmTypes": ["CompositeAlarm", "MetricAlarm"]},
    "describe_budgets": {"AccountId": "123456789012"},
    "describe_scalable_targets": {"ServiceNamespace": "ecs"},
    "describe_scaling_policies": {"ServiceNamespace": "ecs"},
    "list_policies": {"Scope": "Local"},
    "list_user_pools": {"MaxResults": 60},
    "list_web_acls": {"Scope": "REGIONAL"},
}
# What is listed for a while after it was deleted, as in AWS, and says so when it is described.
DELETED = {
    "list_clusters": lambda ecs, name: ecs.describe_clusters(clusters=[name])["clusters"][0]["status"] == "INACTIVE",
    "list_keys": lambda kms, name: "DeletionDate" in kms.describe_key(KeyId=name)["KeyMetadata"],
}

session = boto3.Session(aws_access_key_id="emulated", aws_secret_access_key="emulated")


def main(ministack, moto, *regions):
    jobs = [
        (session.client(service, region, endpoint_url=url, config=Config(retries={"max_attempts": 0})), listings)
        for url, services, where in (
            (ministack, MINISTACK, regions), (ministack, MINISTACK_GLOBAL, regions[:1]),
            (moto, MOTO, regions), (moto, MOTO_GLOBAL, regions[:1]),
        )
        for service, listings in services.items()
        for region in where
    ]  # clients are made one after the other: a session is not safe for threads
    with ThreadPoolExecutor(8) as pool:
        print(json.dumps(sorted(line for lines in pool.map(lambda job: held(*job), jobs) for line in lines), indent=1))


def held(client, listings):
    """Name what one service holds in one region."""
    service, region = client.meta.service_model.service_name, client.meta.region_name
    for operation, names in listings.items():
        arguments = ARGUMENTS.get(operation, {})
        pages = client.get_paginator(operation).paginate(**arguments) if client.can_paginate(operation) else [getattr(client, operation)(**arguments)]
        for page in pages:
            for name in jmespath.search(names, page) or []:
                if operation not in DELETED or not DELETED[operation](client, name):
                    yield f"{service} {operation} {region} {name}"


if __name__ == "__main__":
    main(*sys.argv[1:])
