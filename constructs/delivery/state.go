package delivery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"

	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// StateProps configures a State.
type StateProps struct {
	Account       security.Account // required; names the bucket
	Protect       bool             // whether Terraform refuses to destroy it; default false
	DeleteObjects bool             // whether destroying it deletes the states in it, which needs Protect to be false; default false
}

func (p StateProps) validate() error {
	return errors.Join(
		check.Required("Account.ID", p.Account.ID != ""),
		check.Required("Account.Region", p.Account.Region != ""),
		check.That(!p.Protect || !p.DeleteObjects, "DeleteObjects must be false where Protect is true"),
	)
}

// StateBucket is the name of the bucket that holds the states of an account's
// stacks in a region.
func StateBucket(account security.Account) string {
	return "shopstream-state-" + account.ID + "-" + account.Region
}

// StateKey is where the state of a stack lies in the bucket; its lock has
// .tflock at its end.
func StateKey(stack string) string { return stack + "/terraform.tfstate" }

// State is where Terraform keeps what it knows of an account's stacks. It may
// hold secrets: of the platform's roles, each stack's CI roles and break-glass
// alone get it, and each read leaves a line in the access logs.
//
//	State
//	├── key           Key
//	├── access_logs   AccessLogs
//	└── bucket        Bucket
type State struct {
	account security.Account
	key     *security.Key
	bucket  *lake.Bucket
}

// NewState defines a State in scope.
func NewState(scope constructs.Construct, id string, p StateProps) (*State, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("state %q: %w", id, err)
	}
	scope = constructs.NewConstruct(scope, &id)
	key, err := security.NewKey(scope, "key", security.KeyProps{
		Alias: "shopstream-state", Description: "Terraform's states, which may hold secrets", Account: p.Account, Protect: p.Protect,
	})
	if err != nil {
		return nil, fmt.Errorf("state %q: %w", id, err)
	}
	logs, err := lake.NewAccessLogs(scope, "access_logs", lake.AccessLogsProps{
		Name: "shopstream-state-logs-" + p.Account.ID + "-" + p.Account.Region, Account: p.Account, ExpireAfterDays: 400,
		Protect: p.Protect, DeleteObjects: p.DeleteObjects,
	})
	if err != nil {
		return nil, fmt.Errorf("state %q: %w", id, err)
	}
	bucket, err := lake.NewBucket(scope, "bucket", lake.BucketProps{
		Name: StateBucket(p.Account), Key: key, AccessLogs: logs, Protect: p.Protect, DeleteObjects: p.DeleteObjects,
	})
	if err != nil {
		return nil, fmt.Errorf("state %q: %w", id, err)
	}
	return &State{p.Account, key, bucket}, nil
}

// BucketID is a token: the name of the bucket.
func (s *State) BucketID() *string { return s.bucket.ID() }

// Keep denies a stack's state to every role of the platform but break-glass
// and those whose names begin with a prefix of owners.
func (s *State) Keep(stack string, owners ...string) {
	role := func(name string) string { return "arn:aws:iam::" + s.account.ID + ":role/" + name }
	exempt := []string{role("shopstream-*-break-glass")}
	for _, prefix := range owners {
		exempt = append(exempt, role(prefix+"*"))
	}
	s.bucket.Allow(security.Statement{
		Sid:       "Keep" + strings.ReplaceAll(stack, "-", ""),
		Effect:    "Deny",
		Principal: "*",
		Action:    []string{"s3:DeleteObject*", "s3:GetObject*", "s3:PutObject*"},
		Resource:  "arn:aws:s3:::" + s.bucket.Name() + "/" + stack + "/*",
		Condition: map[string]any{
			"ArnLike":    map[string]any{"aws:PrincipalArn": role("shopstream-*")},
			"ArnNotLike": map[string]any{"aws:PrincipalArn": exempt},
		},
	})
}

// stateOf is the ARN of a stack's state.
func (s *State) stateOf(stack string) string {
	return "arn:aws:s3:::" + StateBucket(s.account) + "/" + StateKey(stack)
}

// mayRead lets a role read and lock a stack's state.
func (s *State) mayRead(stack string) []statement {
	lock := s.stateOf(stack) + ".tflock"
	return []statement{
		allow("StateBucket", "arn:aws:s3:::"+StateBucket(s.account), "s3:GetBucketLocation", "s3:ListBucket"),
		allow("State", s.stateOf(stack), "s3:GetObject"),
		allow("StateLock", lock, "s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
		allow("StateKey", *s.key.ARN(), "kms:Decrypt", "kms:GenerateDataKey"),
	}
}

// mayWrite lets a role write a stack's state too.
func (s *State) mayWrite(stack string) []statement {
	return append(s.mayRead(stack), allow("StateWrite", s.stateOf(stack), "s3:PutObject"))
}

// guards deny a role to open or to destroy what keeps the states.
func (s *State) guards() []statement {
	bucket := "arn:aws:s3:::" + StateBucket(s.account)
	return []statement{
		deny("KeepStates", []string{bucket, bucket + "/*"}, "s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*",
			"s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration"),
		deny("KeepStateKey", *s.key.ARN(), "kms:CreateGrant", "kms:DisableKey*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"),
	}
}
