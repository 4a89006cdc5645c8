package network

import (
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcendpoint"

	"github.com/shopstream/shopstream/constructs/security"
)

// defineEndpoints keeps traffic to AWS inside the VPC: to S3 and DynamoDB for
// free, to the services that are named for a price by the hour.
func (n *Network) defineEndpoints(scope constructs.Construct, p Props) error {
	scope = constructs.NewConstruct(scope, jsii.String("endpoints"))
	n.s3 = n.newGatewayEndpoint(scope, p, "s3", withinAccount(p.Account, "s3:*"), servedByAWS(p.Account))
	n.dynamoDB = n.newGatewayEndpoint(scope, p, "dynamodb", withinAccount(p.Account, "dynamodb:*"))
	if len(p.InterfaceEndpoints) == 0 {
		return nil
	}
	group, err := NewSecurityGroup(scope, "security_group", SecurityGroupProps{
		Name: p.Name + "-endpoints", Description: "Interface endpoints of AWS services.", Network: n,
	})
	if err != nil {
		return err
	}
	group.AllowFromCIDR(n.PrivateCIDR(), 443, "Private subnets call AWS.")
	group.AllowFromCIDR(n.IsolatedCIDR(), 443, "Isolated subnets call AWS.")
	subnets := n.PrivateSubnetIDs()
	for _, service := range p.InterfaceEndpoints {
		vpcendpoint.NewVpcEndpoint(scope, jsii.String(strings.ReplaceAll(service, ".", "_")), &vpcendpoint.VpcEndpointConfig{
			VpcId:             n.ID(),
			ServiceName:       jsii.String("com.amazonaws." + p.Account.Region + "." + service),
			VpcEndpointType:   jsii.String("Interface"),
			PrivateDnsEnabled: true,
			SubnetIds:         &subnets,
			SecurityGroupIds:  &[]*string{group.ID()},
			Policy:            security.Policy(withinAccount(p.Account, "*")), // the endpoint's service
			Tags:              named(p.Name + "-" + service),
		})
	}
	return nil
}

// newGatewayEndpoint adds routes to service from private and isolated subnets
// and returns the list of the service's addresses.
func (n *Network) newGatewayEndpoint(scope constructs.Construct, p Props, service string, policy ...security.Statement) *string {
	tables := []*string{}
	for _, t := range []*tier{n.private, n.isolated} {
		for _, table := range t.tables {
			tables = append(tables, table.Id())
		}
	}
	return vpcendpoint.NewVpcEndpoint(scope, &service, &vpcendpoint.VpcEndpointConfig{
		VpcId:           n.ID(),
		ServiceName:     jsii.String("com.amazonaws." + p.Account.Region + "." + service),
		VpcEndpointType: jsii.String("Gateway"),
		RouteTableIds:   &tables,
		Policy:          security.Policy(policy...),
		Tags:            named(p.Name + "-" + service),
	}).PrefixListId()
}

// withinAccount keeps what runs in the VPC from carrying data to another
// account, with the account's credentials or with others. An endpoint's policy
// grants nothing: it bounds what roles may do.
func withinAccount(a security.Account, action string) security.Statement {
	return security.Statement{
		Sid: "WithinAccount", Effect: "Allow", Principal: "*", Action: action, Resource: "*",
		Condition: map[string]any{"StringEquals": map[string]string{"aws:PrincipalAccount": a.ID, "aws:ResourceAccount": a.ID}},
	}
}

// servedByAWS lets through what is read from AWS's own buckets: images' layers,
// by links that ECR signs, and packages of Amazon Linux, by nobody in particular.
func servedByAWS(a security.Account) security.Statement {
	return security.Statement{
		Sid: "ServedByAWS", Effect: "Allow", Principal: "*", Action: "s3:GetObject",
		Resource: []string{
			"arn:aws:s3:::prod-" + a.Region + "-starport-layer-bucket/*",
			"arn:aws:s3:::al2023-repos-" + a.Region + "-de612dc2/*",
			"arn:aws:s3:::amazonlinux-2-repos-" + a.Region + "/*",
		},
	}
}
