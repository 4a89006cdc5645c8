package guardrails

// key asks for a customer's key in an attribute.
func key(path string) requirement { return requirement{Encrypted, path, customerKey} }

var (
	// kept asks that Terraform refuses to destroy the resource: it holds data.
	kept = requirement{DeletionProtected, "lifecycle.prevent_destroy", on}
	// staying asks the same of what holds no data, and whose name stands in
	// others' pages and DNS: one made anew has another.
	staying      = requirement{DeletionProtected, "lifecycle.prevent_destroy", want{"true, for others know its name", on.holds}}
	holdsObjects = requirement{DeletionProtected, "force_destroy?", off}
)

// companion is a resource of another type that must stand beside one of kind.
type companion struct {
	rule, kind, companion string
	attribute             string // of the companion: names the resource
	named                 string // of the resource: the same as text
}

var companions = []companion{
	{Encrypted, "aws_s3_bucket", "aws_s3_bucket_server_side_encryption_configuration", "bucket", "bucket"},
	{Private, "aws_s3_bucket", "aws_s3_bucket_public_access_block", "bucket", "bucket"},
	{Private, "aws_s3_bucket", "aws_s3_bucket_ownership_controls", "bucket", "bucket"},
	{TLSOnly, "aws_s3_bucket", "aws_s3_bucket_policy", "bucket", "bucket"},
	{Recoverable, "aws_s3_bucket", "aws_s3_bucket_versioning", "bucket", "bucket"},
}

// types are the types that the rules look at by attribute, one a line. A type
// that can hold data and asks nothing says why.
var types = map[string][]requirement{
	// Storage.
	"aws_s3_bucket": {kept, holdsObjects},
	"aws_s3_bucket_server_side_encryption_configuration": {
		{Encrypted, "rule.apply_server_side_encryption_by_default.sse_algorithm", is("aws:kms", "aws:kms:dsse")},
		key("rule.apply_server_side_encryption_by_default.kms_master_key_id"),
		{Encrypted, "rule.bucket_key_enabled", on},
	},
	"aws_s3_bucket_public_access_block": {
		{Private, "block_public_acls", on}, {Private, "block_public_policy", on},
		{Private, "ignore_public_acls", on}, {Private, "restrict_public_buckets", on},
	},
	"aws_s3_account_public_access_block": {
		{Private, "block_public_acls", on}, {Private, "block_public_policy", on},
		{Private, "ignore_public_acls", on}, {Private, "restrict_public_buckets", on},
	},
	"aws_s3_bucket_ownership_controls": {{Private, "rule.object_ownership", is("BucketOwnerEnforced")}},
	"aws_s3_bucket_versioning":         {{Recoverable, "versioning_configuration.status", is("Enabled")}},
	"aws_s3_bucket_replication_configuration": {
		key("rule.destination.encryption_configuration.replica_kms_key_id"),
		{Encrypted, "rule.source_selection_criteria.sse_kms_encrypted_objects.status", is("Enabled")},
	},
	"aws_s3_bucket_inventory":    {key("destination.bucket.encryption.sse_kms.key_id")},
	"aws_s3_object":              {}, // encrypted as its bucket asks; a key of its own is judged anywhere
	"aws_s3tables_table_bucket":  {kept, {Encrypted, "encryption_configuration.sse_algorithm", is("aws:kms")}, key("encryption_configuration.kms_key_arn")},
	"aws_dynamodb_table_replica": {kept, key("kms_key_arn"), {Recoverable, "point_in_time_recovery", on}, {DeletionProtected, "deletion_protection_enabled", on}},
	"aws_dynamodb_table": {
		kept, {Encrypted, "server_side_encryption.enabled", on}, key("server_side_encryption.kms_key_arn"), key("replica?.kms_key_arn"),
		{Recoverable, "point_in_time_recovery.enabled", on}, {Recoverable, "replica?.point_in_time_recovery", on},
		{DeletionProtected, "deletion_protection_enabled", on},
	},
	"aws_db_instance": {
		kept, {Encrypted, "storage_encrypted", on}, key("kms_key_id"), {Private, "publicly_accessible", off},
		{Recoverable, "backup_retention_period", atLeast(1)}, {DeletionProtected, "deletion_protection", on},
	},
	"aws_rds_cluster": {
		kept, {Encrypted, "storage_encrypted", on}, key("kms_key_id"), {Recoverable, "backup_retention_period", atLeast(1)},
		{DeletionProtected, "deletion_protection", on},
	},
	"aws_rds_cluster_instance":          {{Private, "publicly_accessible", off}, key("performance_insights_kms_key_id?")},
	"aws_efs_file_system":               {kept, {Encrypted, "encrypted", on}, key("kms_key_id")},
	"aws_ebs_volume":                    {kept, {Encrypted, "encrypted", on}, key("kms_key_id")},
	"aws_elasticache_replication_group": {{Encrypted, "at_rest_encryption_enabled", on}, key("kms_key_id"), {TLSOnly, "transit_encryption_enabled", on}},
	"aws_elasticache_serverless_cache":  {key("kms_key_id")},
	"aws_opensearch_domain": {
		kept, {Encrypted, "encrypt_at_rest.enabled", on}, key("encrypt_at_rest.kms_key_id"), {TLSOnly, "node_to_node_encryption.enabled", on},
		{TLSOnly, "domain_endpoint_options.enforce_https", on}, {Private, "vpc_options.subnet_ids", present},
	},
	"aws_timestreamwrite_database": {kept, key("kms_key_id")},
	"aws_backup_vault":             {kept, holdsObjects, key("kms_key_arn")},
	"aws_ecr_repository": {
		kept, {DeletionProtected, "force_delete?", off}, {Encrypted, "encryption_configuration.encryption_type", is("KMS", "KMS_DSSE")},
		key("encryption_configuration.kms_key"),
	},
	"aws_ecr_repository_creation_template":     {{Encrypted, "encryption_configuration.encryption_type", is("KMS", "KMS_DSSE")}, key("encryption_configuration.kms_key")},
	"aws_secretsmanager_secret":                {kept, key("kms_key_id"), key("replica?.kms_key_id"), {DeletionProtected, "recovery_window_in_days?", atLeast(7)}},
	"aws_ssm_parameter[type=SecureString]":     {key("key_id")},
	"aws_cognito_user_pool":                    {kept, {DeletionProtected, "deletion_protection", is("ACTIVE")}}, // its users are encrypted by AWS alone
	"aws_lb":                                   {staying, {DeletionProtected, "enable_deletion_protection", on}},
	"aws_cloudtrail_event_data_store":          {kept, key("kms_key_id"), {DeletionProtected, "termination_protection_enabled", on}},
	"aws_kms_key":                              {kept, {Encrypted, "enable_key_rotation", on}, {DeletionProtected, "deletion_window_in_days?", atLeast(7)}, {PolicyReadable, "policy", present}},
	"aws_kms_replica_key":                      {kept, {PolicyReadable, "policy", present}, {DeletionProtected, "deletion_window_in_days?", atLeast(7)}},
	"aws_kms_external_key":                     {kept, {PolicyReadable, "policy", present}},
	"aws_kms_grant":                            {}, // holds a permission, no data
	"aws_memorydb_cluster":                     {kept, key("kms_key_arn"), {TLSOnly, "tls_enabled", on}},
	"aws_keyspaces_table":                      {kept, key("encryption_specification.kms_key_identifier"), {Recoverable, "point_in_time_recovery.status", is("ENABLED")}},
	"aws_docdb_cluster":                        {kept, {Encrypted, "storage_encrypted", on}, key("kms_key_id"), {DeletionProtected, "deletion_protection", on}},
	"aws_neptune_cluster":                      {kept, {Encrypted, "storage_encrypted", on}, key("kms_key_arn"), {DeletionProtected, "deletion_protection", on}},
	"aws_fsx_lustre_file_system":               {kept, key("kms_key_id")},
	"aws_s3control_storage_lens_configuration": {}, // holds counts
	"aws_api_gateway_method_settings":          {{Encrypted, "settings.cache_data_encrypted?", on}},
	"aws_appconfig_configuration_profile":      {key("kms_key_identifier")},
	"aws_synthetics_canary":                    {{Encrypted, "artifact_config.s3_encryption.encryption_mode", is("SSE_KMS")}, key("artifact_config.s3_encryption.kms_key_arn")},
	"aws_launch_template": {
		{Encrypted, "block_device_mappings?.ebs?.encrypted", on}, key("block_device_mappings?.ebs?.kms_key_id"),
		{Private, "network_interfaces?.associate_public_ip_address?", off},
	},
	"aws_instance":                         {{Encrypted, "root_block_device.encrypted", on}, key("root_block_device.kms_key_id"), {Private, "associate_public_ip_address", off}},
	"aws_guardduty_publishing_destination": {key("kms_key_arn")},
	"aws_config_delivery_channel":          {key("s3_kms_key_arn")},
	"aws_networkfirewall_firewall":         {key("encryption_configuration.key_id")},
	"aws_networkfirewall_firewall_policy":  {key("encryption_configuration.key_id")},
	"aws_networkfirewall_rule_group":       {key("encryption_configuration.key_id")},

	// Messages and streams.
	"aws_kinesis_stream":              {kept, {Encrypted, "encryption_type", is("KMS")}, key("kms_key_id"), {Recoverable, "retention_period", atLeast(24)}},
	"aws_kinesis_video_stream":        {kept, key("kms_key_id")},
	"aws_sqs_queue":                   {key("kms_master_key_id")},
	"aws_sns_topic":                   {key("kms_master_key_id")},
	"aws_cloudwatch_event_bus":        {key("kms_key_identifier")},
	"aws_cloudwatch_event_connection": {key("kms_key_identifier")},
	"aws_scheduler_schedule":          {}, // its input is no data; a key is judged anywhere
	"aws_pipes_pipe":                  {key("kms_key_identifier")},
	"aws_msk_cluster": {
		kept, key("encryption_info.encryption_at_rest_kms_key_arn"), {TLSOnly, "encryption_info.encryption_in_transit?.client_broker?", is("TLS")},
		{Private, "broker_node_group_info.connectivity_info?.public_access?.type", is("DISABLED")},
	},
	"aws_mq_broker": {kept, {Encrypted, "encryption_options.use_aws_owned_key", off}, key("encryption_options.kms_key_id"), {Private, "publicly_accessible", off}},
	"aws_kinesis_firehose_delivery_stream[!kinesis_source_configuration]": {
		{Encrypted, "server_side_encryption.enabled", on}, {Encrypted, "server_side_encryption.key_type", is("CUSTOMER_MANAGED_CMK")},
		key("server_side_encryption.key_arn"),
	},
	"aws_kinesis_firehose_delivery_stream": {
		key("extended_s3_configuration?.kms_key_arn"), key("extended_s3_configuration?.s3_backup_configuration?.kms_key_arn"),
		key("redshift_configuration?.s3_configuration.kms_key_arn"), key("redshift_configuration?.s3_backup_configuration?.kms_key_arn"),
		key("opensearch_configuration?.s3_configuration.kms_key_arn"), key("opensearchserverless_configuration?.s3_configuration.kms_key_arn"),
		key("elasticsearch_configuration?.s3_configuration.kms_key_arn"), key("splunk_configuration?.s3_configuration.kms_key_arn"),
		key("snowflake_configuration?.s3_configuration.kms_key_arn"), key("http_endpoint_configuration?.s3_configuration.kms_key_arn"),
		key("iceberg_configuration?.s3_configuration.kms_key_arn"),
	},
	"aws_lambda_event_source_mapping": {}, // holds no data; a key for its filter is judged anywhere

	// Compute.
	"aws_lambda_function":     {key("kms_key_arn"), {LogRetention, "logging_config.log_group", refersTo("aws_cloudwatch_log_group")}},
	"aws_lambda_function_url": {{Private, "authorization_type", is("AWS_IAM")}},
	"aws_ecs_cluster": {
		key("configuration?.execute_command_configuration?.kms_key_id"),
		{Encrypted, "configuration?.execute_command_configuration?.log_configuration?.cloud_watch_encryption_enabled", on},
	},
	"aws_ecs_service": {
		key("volume_configuration?.managed_ebs_volume?.kms_key_id"), {Tagged, "propagate_tags", is("SERVICE", "TASK_DEFINITION")},
		{Private, "network_configuration?.assign_public_ip?", off},
	},
	"aws_ecs_task_definition": {{TLSOnly, "volume?.efs_volume_configuration?.transit_encryption", is("ENABLED")}},
	"aws_codebuild_project": {
		key("encryption_key"), {Encrypted, "artifacts.encryption_disabled?", off},
		{LogRetention, "logs_config.cloudwatch_logs.group_name", refersTo("aws_cloudwatch_log_group")},
	},
	"aws_codepipeline":          {{Encrypted, "artifact_store.encryption_key.type", is("KMS")}, key("artifact_store.encryption_key.id")},
	"aws_codecommit_repository": {kept, key("kms_key_id")},
	"aws_codeartifact_domain":   {kept, key("encryption_key")},
	"aws_sfn_state_machine":     {{Encrypted, "encryption_configuration.type", is("CUSTOMER_MANAGED_KMS_KEY")}, key("encryption_configuration.kms_key_id")},
	"aws_sfn_activity":          {key("encryption_configuration.kms_key_id")},

	// Logs and the trail.
	"aws_cloudwatch_log_group":            {key("kms_key_id"), {LogRetention, "retention_in_days", atLeast(1)}},
	"aws_cloudwatch_log_anomaly_detector": {key("kms_key_id")},
	"aws_cloudtrail":                      {key("kms_key_id"), {Recoverable, "enable_log_file_validation", on}},

	// Lake, warehouse and learning.
	"aws_athena_workgroup": {
		holdsObjects, {Encrypted, "configuration.enforce_workgroup_configuration", on},
		{Encrypted, "configuration.result_configuration.encryption_configuration.encryption_option", is("SSE_KMS", "CSE_KMS")},
		key("configuration.result_configuration.encryption_configuration.kms_key_arn"),
	},
	"aws_athena_database":   {{Encrypted, "encryption_configuration.encryption_option", is("SSE_KMS", "CSE_KMS")}, key("encryption_configuration.kms_key")},
	"aws_glue_job":          {{Encrypted, "security_configuration", refersTo("aws_glue_security_configuration")}},
	"aws_glue_crawler":      {{Encrypted, "security_configuration", refersTo("aws_glue_security_configuration")}},
	"aws_glue_dev_endpoint": {{Encrypted, "security_configuration", refersTo("aws_glue_security_configuration")}},
	"aws_glue_security_configuration": {
		{Encrypted, "encryption_configuration.cloudwatch_encryption.cloudwatch_encryption_mode", is("SSE-KMS")},
		key("encryption_configuration.cloudwatch_encryption.kms_key_arn"),
		{Encrypted, "encryption_configuration.job_bookmarks_encryption.job_bookmarks_encryption_mode", is("CSE-KMS")},
		key("encryption_configuration.job_bookmarks_encryption.kms_key_arn"),
		{Encrypted, "encryption_configuration.s3_encryption.s3_encryption_mode", is("SSE-KMS")},
		key("encryption_configuration.s3_encryption.kms_key_arn"),
	},
	"aws_glue_data_catalog_encryption_settings": {
		{Encrypted, "data_catalog_encryption_settings.connection_password_encryption.return_connection_password_encrypted", on},
		key("data_catalog_encryption_settings.connection_password_encryption.aws_kms_key_id"),
		{Encrypted, "data_catalog_encryption_settings.encryption_at_rest.catalog_encryption_mode", is("SSE-KMS", "SSE-KMS-WITH-SERVICE-ROLE")},
		key("data_catalog_encryption_settings.encryption_at_rest.sse_aws_kms_key_id"),
	},
	"aws_glue_catalog_table[open_table_format_input]": {kept}, // an Iceberg table's pointer to its data
	"aws_redshift_cluster":                            {kept, {Encrypted, "encrypted", on}, key("kms_key_id"), {Private, "publicly_accessible", off}, {DeletionProtected, "skip_final_snapshot?", off}},
	"aws_redshift_parameter_group":                    {},
	"aws_redshiftserverless_namespace":                {kept, key("kms_key_id"), key("admin_password_secret_kms_key_id?")},
	"aws_redshiftserverless_workgroup":                {{Private, "publicly_accessible", off}, {Private, "enhanced_vpc_routing", on}},
	"aws_redshiftserverless_snapshot":                 {kept, key("kms_key_id?")},
	"aws_sagemaker_domain":                            {kept, key("kms_key_id"), {Private, "app_network_access_type", is("VpcOnly")}},
	"aws_sagemaker_endpoint_configuration":            {key("kms_key_arn"), key("data_capture_config?.kms_key_id"), key("async_inference_config?.output_config.kms_key_id")},
	"aws_sagemaker_feature_group":                     {kept, key("offline_store_config?.s3_storage_config.kms_key_id"), key("online_store_config?.security_config.kms_key_id")},
	"aws_sagemaker_notebook_instance":                 {key("kms_key_id"), {Private, "direct_internet_access", is("Disabled")}},
	"aws_sagemaker_user_profile":                      {}, // encrypted as its domain
	"aws_sagemaker_data_quality_job_definition":       {key("data_quality_job_output_config.kms_key_id"), key("job_resources.cluster_config.volume_kms_key_id")},
	"aws_prometheus_workspace":                        {kept, key("kms_key_arn")},
	"aws_mwaa_environment":                            {key("kms_key"), {Private, "webserver_access_mode", is("PRIVATE_ONLY")}},

	// The edge.
	"aws_cloudfront_distribution": {
		staying,
		{TLSOnly, "default_cache_behavior.viewer_protocol_policy", is("https-only", "redirect-to-https")},
		{TLSOnly, "ordered_cache_behavior?.viewer_protocol_policy", is("https-only", "redirect-to-https")},
		{TLSOnly, "origin.custom_origin_config?.origin_protocol_policy", is("https-only")},
		{TLSOnly, "origin.custom_origin_config?.origin_ssl_protocols", is("TLSv1.2")},
	},
	"aws_cloudfront_distribution[aliases]":          {{TLSOnly, "viewer_certificate.minimum_protocol_version", like("TLSv1.2 or newer", `^TLSv1\.[23]`)}},
	"aws_cloudfront_field_level_encryption_profile": {}, // holds a public key
	"aws_api_gateway_domain_name":                   {{TLSOnly, "security_policy", like("TLS_1_2 or newer", `TLS_?1_[23]|TLS13`)}},
	"aws_apigatewayv2_domain_name":                  {{TLSOnly, "domain_name_configuration.security_policy", like("TLS_1_2 or newer", `TLS_?1_[23]|TLS13`)}},
	"aws_subnet":                                    {{Private, "map_public_ip_on_launch?", off}},
	"aws_vpc_endpoint":                              {{Private, "policy", present}},
	"aws_vpn_connection":                            {}, // holds no data
}
