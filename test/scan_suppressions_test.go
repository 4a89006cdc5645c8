package test

// suppression takes back checkov's word on some resources.
type suppression struct {
	Checks []string // of checkov; each must find something
	Paths  []string // of constructs, without the stack; * is any text without a slash; each must match a finding
	Reason string   // why it is safe; required
}

// functions are the Lambda functions.
var functions = []string{"preprocess/this", "scaler/this", "heartbeat_sender/this", "hourly_ledger/this"}

// suppressions are those of prod.
var suppressions = []suppression{
	{
		[]string{"CKV_AWS_2", "CKV_AWS_103", "CKV_AWS_260", "CKV_AWS_378", "CKV2_AWS_20"},
		[]string{
			"front/load_balancer/this", "front/load_balancer/plain_listener", "front/load_balancer/targets",
			"front/load_balancer/group/from_front_link_group_80", "front/link/load_balancer",
		},
		"the API ends the senders' TLS; these are internal, and only the API's private link reaches them, by a security group " +
			"and not from the world; with a Domain the listener serves HTTPS, and all but CKV_AWS_378 go",
	},
	{
		[]string{"CKV_AWS_174", "CKV2_AWS_42"}, []string{"tracker/this"},
		"without a TrackerDomain CloudFront's own certificate serves, for which AWS fixes the versions of TLS; with one it is TLS 1.2, and this goes",
	},
	{
		[]string{"CKV_AWS_68", "CKV_AWS_305", "CKV_AWS_310", "CKV_AWS_374", "CKV2_AWS_47"}, []string{"tracker/this"},
		"public files that are only read, for shoppers in every country: there is nothing to filter and nothing at /, " +
			"where S3 lists nothing either, and a page does without the script while its origin is away",
	},
	{
		[]string{"CKV_AWS_259"}, []string{"tracker/releases", "tracker/current"},
		"a year of HTTPS is asked for the tracker's own name; to ask it for the names below, and of browsers' lists, is for the domain's owner",
	},
	{
		[]string{"CKV_AWS_86", "CKV_AWS_91", "CKV2_AWS_4"},
		[]string{"tracker/this", "front/load_balancer/this", "front/link/load_balancer", "front/api/live"},
		"these logs hold every shopper's address; the API's access log tells of each request without it, and a network load balancer logs TLS alone",
	},
	{
		[]string{"CKV2_AWS_51"}, []string{"front/api/live"},
		"the API reaches the collector by its private link alone, and nobody else does; a certificate would tell the collector nothing more",
	},
	{
		[]string{"CKV2_AWS_77"}, []string{"front/api/live"},
		"the group of known bad inputs, which has the rules on Log4j, is on (CKV_AWS_192 passes); the list of anonymous addresses, " +
			"which this wants too, would shut out shoppers behind a VPN",
	},
	{
		[]string{"CKV_AWS_59"}, []string{"front/api/collect", "front/api/config"},
		"a browser can keep no secret: it says the shop's public key, and the firewall and throttles bound it; the servers' route wants a token and a key",
	},
	{
		[]string{"CKV_AWS_225"},
		[]string{"front/api/every_route", "front/api/collect_settings", "front/api/preflight_settings", "front/api/server_collect_settings"},
		"a batch that the cache answers is lost, and no route is cached unless it says so; the shops' configuration, which can be cached, is",
	},
	{
		[]string{"CKV_AWS_231", "CKV_AWS_352"},
		[]string{
			"network/*/acl_in_answers", "network/*/acl_in_fragmentation", "network/private/acl_in_private",
			"network/isolated/acl_in_isolated", "network/isolated/acl_in_public", "network/public/acl_in_isolated",
		},
		"an ACL knows no connections: answers come to any port from 1024 on, and no security group opens 3389; " +
			"the others let in one message of ICMP or a tier's own addresses, or deny",
	},
	{
		[]string{"CKV2_AWS_62"}, []string{"*/this"},
		"what is written there wakes nothing; failures, which must, are notified",
	},
	{
		[]string{"CKV_AWS_144"},
		[]string{
			"access_logs/this", "replica_access_logs/this", "athena_results/this", "artifacts/this", "landing/this",
			"quarantine/this", "failed/this", "ledger/this",
		},
		"raw and transformed events are copied, and backups of the ledger; the others are logs, results, what is built or sent again, " +
			"and what may hold personal data as it was typed, of which there must be no second copy",
	},
	{
		[]string{"CKV_AWS_145"}, []string{"access_logs/this", "replica_access_logs/this"},
		"S3 delivers no access log to a bucket with a key of KMS; S3's own key encrypts them",
	},
	{
		[]string{"CKV_AWS_338"}, []string{"*_log/this"},
		"90 days are enough to look into an incident; the firewall's and the network's hold addresses, which should not be kept for a year",
	},
	{
		[]string{"CKV_AWS_116", "CKV_AWS_117"}, functions,
		"it calls AWS alone: in the network it would reach more, not less; and what it fails at is done again: " +
			"a stream's mapping keeps it in a bucket and tells a queue, a schedule calls once more",
	},
	{
		[]string{"CKV_AWS_272"}, functions,
		"the plan that is approved carries the hash of its package, and no role of the stack may change its code",
	},
	{
		[]string{"CKV_AWS_297"}, []string{"scaler/schedule", "heartbeat/this", "hourly_ledger/schedule"},
		"it calls a function with nothing: there is no payload to encrypt",
	},
	{
		[]string{"CKV2_AWS_57"}, []string{"visitor_secret/this"},
		"visitors' ids are hashed under it: with another every shopper would be a new one, so that its versions are changed on purpose alone",
	},
	{
		[]string{"CKV_AWS_289", "CKV_AWS_290"}, []string{"boundary/this"},
		"a boundary grants nothing: it is the most that a role's own policy, which names its resources, can grant",
	},
	{
		[]string{"CKV_AWS_290", "CKV_AWS_355"}, []string{"backup/role/policy"},
		"backup:CopyFromBackupVault knows no resources; the vault that the copy goes into is named",
	},
}
