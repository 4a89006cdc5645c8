package observe

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupplan"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupselection"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupvault"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupvaultlockconfiguration"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupvaultnotifications"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// BackupProps configures a Backup. What it saves is any number of tables and
// buckets, at least one in all.
type BackupProps struct {
	Name    string           // required; unique in the account, at most 40 characters
	Account security.Account // required
	Key     *security.Key    // required; encrypts backups
	Topic   *Topic           // required; told when a copy fails and when a restore ends

	Tables  []*string       // ARNs of DynamoDB tables, tokens
	Buckets []*string       // ARNs of versioned S3 buckets, tokens
	Sources []*security.Key // required; the keys of what is saved

	RetentionDays    int  // of backups and copies, 7 to 3650; default 35
	IrrevocableAfter int  // days after which nobody, AWS included, can shorten a backup's life, 3 to 36500; default 0: those whom IAM allows can
	Protect          bool // whether Terraform refuses to destroy the vaults; default false
	DeleteBackups    bool // whether destroying the vaults deletes what they hold, which leaves them without lock and needs Protect to be false; default false

	Replica       cdktf.TerraformProvider // of another region; default nil: there are no copies
	ReplicaRegion string                  // required with Replica; its region
	ReplicaKey    *security.Key           // required with Replica; of that region
}

func (p BackupProps) validate() error {
	errs := []error{
		check.Required("Name", p.Name != ""),
		check.Between("length of Name", len(p.Name), 1, 40),
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
		check.Required("Key", p.Key != nil),
		check.Required("Topic", p.Topic != nil),
		check.Required("Tables or Buckets", len(p.Tables)+len(p.Buckets) > 0),
		check.Required("Sources", len(p.Sources) > 0),
		check.Between("RetentionDays", p.RetentionDays, 7, 3650),
		check.That(p.IrrevocableAfter == 0 || 3 <= p.IrrevocableAfter && p.IrrevocableAfter <= 36500, "IrrevocableAfter must be 3 to 36500, got %d", p.IrrevocableAfter),
		check.That(!p.DeleteBackups || !p.Protect, "DeleteBackups must be false where Protect is true"),
		check.That(!p.DeleteBackups || p.IrrevocableAfter == 0, "DeleteBackups must be false where IrrevocableAfter is set"),
	}
	if p.Replica != nil {
		errs = append(errs,
			check.Required("ReplicaRegion", p.ReplicaRegion != ""),
			check.That(p.ReplicaRegion != p.Account.Region, "ReplicaRegion must differ from the Account's, got %q for both", p.ReplicaRegion),
			check.Required("ReplicaKey", p.ReplicaKey != nil),
			check.That(p.ReplicaKey == nil || p.ReplicaKey != p.Key, "ReplicaKey must be a key of its own region, not Key"))
	}
	return errors.Join(errs...)
}

// Backup saves tables and buckets each night, and copies that to another
// region. The account must let Backup manage DynamoDB (its region settings).
//
//	Backup
//	├── vault           aws_backup_vault
//	├── lock            aws_backup_vault_lock_configuration
//	├── notifications   aws_backup_vault_notifications
//	├── replica         aws_backup_vault in the other region, with Replica
//	├── replica_lock    aws_backup_vault_lock_configuration, with Replica
//	├── role            aws_iam_role and its policy: saves and copies
//	├── restore_role    aws_iam_role and its policy: restores
//	├── plan            aws_backup_plan
//	└── selection       aws_backup_selection
type Backup struct {
	vault backupvault.BackupVault
}

// NewBackup defines a Backup in scope.
func NewBackup(scope constructs.Construct, id string, p BackupProps) (*Backup, error) {
	p.RetentionDays = cmp.Or(p.RetentionDays, 35)
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("backup %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	vault := p.newVault(scope, "vault", "lock", p.Key, nil)
	var replica backupvault.BackupVault
	if p.Replica != nil {
		replica = p.newVault(scope, "replica", "replica_lock", p.ReplicaKey, p.Replica)
	}
	p.Topic.AllowPublish("backup.amazonaws.com", "arn:aws:backup:"+p.Account.Region+":"+p.Account.ID+":backup-vault:"+p.Name)
	backupvaultnotifications.NewBackupVaultNotifications(scope, jsii.String("notifications"), &backupvaultnotifications.BackupVaultNotificationsConfig{
		BackupVaultName: vault.Name(), SnsTopicArn: p.Topic.ARN(),
		BackupVaultEvents: jsii.Strings("COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED", "S3_BACKUP_OBJECT_FAILED", "S3_RESTORE_OBJECT_FAILED"),
	})
	role, err := security.NewRole(scope, "role", security.RoleProps{Name: p.Name + "-save", AssumedBy: "backup.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("backup %q: %w", id, err)
	}
	restorer, err := security.NewRole(scope, "restore_role", security.RoleProps{Name: p.Name + "-restore", AssumedBy: "backup.amazonaws.com"})
	if err != nil {
		return nil, fmt.Errorf("backup %q: %w", id, err)
	}
	p.grantSave(role, vault, replica)
	p.grantRestore(restorer)
	p.newPlan(scope, role, vault, replica)
	return &Backup{vault}, nil
}

// newVault defines a vault that keeps what it holds until its time is over.
func (p BackupProps) newVault(scope constructs.Construct, id, lockID string, key *security.Key, provider cdktf.TerraformProvider) backupvault.BackupVault {
	vault := backupvault.NewBackupVault(scope, &id, &backupvault.BackupVaultConfig{
		Name:         &p.Name,
		KmsKeyArn:    key.ARN(),
		ForceDestroy: &p.DeleteBackups,
		Lifecycle:    &cdktf.TerraformResourceLifecycle{PreventDestroy: &p.Protect},
		Provider:     provider,
	})
	if p.DeleteBackups {
		return vault
	}
	config := &backupvaultlockconfiguration.BackupVaultLockConfigurationConfig{
		BackupVaultName: vault.Name(), MinRetentionDays: jsii.Number(p.RetentionDays), Provider: provider,
	}
	if p.IrrevocableAfter > 0 {
		config.ChangeableForDays = jsii.Number(p.IrrevocableAfter)
	}
	backupvaultlockconfiguration.NewBackupVaultLockConfiguration(scope, &lockID, config)
	return vault
}

func (p BackupProps) newPlan(scope constructs.Construct, role *security.Role, vault, replica backupvault.BackupVault) {
	rule := &backupplan.BackupPlanRule{
		RuleName:         jsii.String("daily"),
		TargetVaultName:  vault.Name(),
		Schedule:         jsii.String("cron(0 2 * * ? *)"), // UTC
		StartWindow:      jsii.Number(60),                  // minutes
		CompletionWindow: jsii.Number(12 * 60),
		Lifecycle:        &backupplan.BackupPlanRuleLifecycle{DeleteAfter: jsii.Number(p.RetentionDays)},
	}
	if replica != nil {
		rule.CopyAction = []*backupplan.BackupPlanRuleCopyAction{{
			DestinationVaultArn: replica.Arn(), Lifecycle: &backupplan.BackupPlanRuleCopyActionLifecycle{DeleteAfter: jsii.Number(p.RetentionDays)},
		}}
	}
	plan := backupplan.NewBackupPlan(scope, jsii.String("plan"), &backupplan.BackupPlanConfig{
		Name: &p.Name, Rule: []*backupplan.BackupPlanRule{rule},
	})
	resources := append(append([]*string{}, p.Tables...), p.Buckets...)
	backupselection.NewBackupSelection(scope, jsii.String("selection"), &backupselection.BackupSelectionConfig{
		Name: &p.Name, PlanId: plan.Id(), IamRoleArn: role.ARN(), Resources: &resources,
		DependsOn: role.Grants(),
	})
}

// WatchBackup watches that each night's backups are made.
func (t *Tier) WatchBackup(id string, b *Backup) error {
	if b == nil {
		return fmt.Errorf("watch %q: backup is required", id)
	}
	daily := func(label, name string) Signal {
		return Signal{Label: label, Seconds: 24 * 3600, Metrics: []Metric{{"AWS/Backup", name, dimension("BackupVaultName", b.vault.Name()), "Sum"}}}
	}
	return t.alarms(id, nil, AlarmProps{
		Says:    "A backup failed.",
		Runbook: "docs/runbooks/backup.md#failed", Topic: t.Topics.Ticket, Signal: daily("failed backups", "NumberOfBackupJobsFailed"),
		Comparison: Above, Threshold: 0, Missing: MissingIsGood,
	}, AlarmProps{
		Says:    "No backup was made in two days.",
		Runbook: "docs/runbooks/backup.md#missing", Topic: t.Topics.Ticket, Signal: daily("backups made", "NumberOfBackupJobsCompleted"),
		Comparison: Below, Threshold: 1, Periods: 2, Missing: MissingIsBad,
	})
}
