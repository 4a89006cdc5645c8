package delivery

// dataReads are the actions that read what shops and shoppers send, or a
// secret. Terraform needs none of them.
var dataReads = []string{
	"athena:GetQueryResults*", "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQL*",
	"dynamodb:Query", "dynamodb:Scan", "kinesis:GetRecords", "kinesis:SubscribeToShard", "logs:FilterLogEvents",
	"logs:GetLogEvents", "logs:GetLogRecord", "logs:GetQueryResults", "logs:StartLiveTail", "logs:StartQuery",
	"redshift-data:*", "redshift-serverless:GetCredentials", "redshift:GetClusterCredentials*", "sagemaker:BatchGetRecord",
	"sagemaker:GetRecord", "secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage",
}

// noData denies a role to read data: of objects it gets its own state and the
// artifacts.
func (p CIProps) noData() statement {
	state := p.State.stateOf(p.Stack)
	readable := []string{state, state + ".tflock"}
	for _, bucket := range p.Artifacts {
		readable = append(readable, "arn:aws:s3:::"+bucket+"/*")
	}
	s := deny("Data", nil, append([]string{"s3:GetObject*"}, dataReads...)...)
	s.NotResource = readable
	return s
}

// mayManageRoles lets a role manage those of the stack; the boundary says how.
func (p CIProps) mayManageRoles() []statement {
	return []statement{
		allow("Roles", p.iam("role", "*"),
			"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
			"iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
			"iam:ListRolePolicies", "iam:ListRoleTags", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
			"iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"),
		allow("Policies", p.iam("policy", "*"),
			"iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyTags", "iam:ListPolicyVersions"),
	}
}

// appliedServices are those whose resources a stack may hold. CloudTrail,
// GuardDuty, Config, Organizations and the users of IAM are not among them.
var appliedServices = []string{
	"acm", "apigateway", "application-autoscaling", "athena", "autoscaling", "backup", "backup-storage", "budgets",
	"cloudfront", "cloudwatch", "codebuild", "codeconnections", "codedeploy", "codepipeline", "codestar-connections",
	"codestar-notifications", "cognito-idp", "dynamodb", "ec2", "ecr", "ecs", "elasticloadbalancing", "events", "firehose",
	"glue", "kinesis", "kinesisanalytics", "kms", "lakeformation", "lambda", "logs", "quicksight", "redshift",
	"redshift-serverless", "route53", "s3", "sagemaker", "scheduler", "secretsmanager", "shield", "sns", "sqs", "ssm",
	"states", "synthetics", "tag", "wafv2", "xray",
}

// boundary is the most that an apply may do.
func (p CIProps) boundary() []statement {
	services := make([]string, len(appliedServices))
	for i, service := range appliedServices {
		services[i] = service + ":*"
	}
	guarded := []string{p.iam("role", "ci-*"), p.iam("role", "break-glass"), p.iam("policy", "*")}
	guards := deny("Guards", guarded)
	guards.NotAction = []string{"iam:Get*", "iam:List*"}
	unbounded := deny("Unbounded", "*", "iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")
	unbounded.Condition = map[string]any{"StringNotEquals": map[string]string{"iam:PermissionsBoundary": p.iam("policy", "boundary")}}
	regions := deny("OtherRegions", "*", "*")
	regions.Condition = map[string]any{"StringNotEquals": map[string][]string{
		"aws:RequestedRegion": append([]string{p.Account.Region, "us-east-1"}, p.Regions...),
	}}
	return append([]statement{
		allow("Services", "*", append(services, "sts:GetCallerIdentity")...),
		allow("Reads", "*", "iam:Get*", "iam:List*"),
		allow("Roles", []string{p.iam("role", "*"), "arn:aws:iam::" + p.Account.ID + ":role/aws-service-role/*"}, "iam:*"),
		guards, unbounded, regions, p.noData(),
		deny("Rebound", "*", "iam:DeleteRolePermissionsBoundary"),
		deny("Account", "*", "s3:PutAccountPublicAccessBlock", "ec2:DisableEbsEncryptionByDefault", "ecr:PutRegistryPolicy"),
	}, p.State.guards()...)
}
