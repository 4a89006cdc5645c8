package stacks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/shopstream/shopstream/constructs/account"
	"github.com/shopstream/shopstream/constructs/delivery"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/check"
)

// AccountSettings is all that accounts may differ in. Environments live in
// them: one in each by default, and several live together as well.
type AccountSettings struct {
	Name          string   // required; lower case letters, digits and hyphens, at most 16; the stacks are bootstrap-NAME and account-NAME
	Account       string   // required; the AWS account's 12 digits
	Region        string   // required; such as eu-west-1, that of its environments
	ReplicaRegion string   // required; another region, that of their copies
	Environments  []string // required; the names of those that live here
	Repository    string   // required; on GitHub, whose jobs plan and apply: OWNER/NAME, or OWNER@ID/NAME@ID where its subject claims are immutable

	// Emulated accounts are on emulated AWS, as Environment says.
	Emulated bool

	// As for an Environment: destroying what is kept takes two settings.
	Protect    bool // AWS and Terraform refuse to destroy states, images and trails
	DeleteData bool // destroying the stacks deletes them

	KeepImages  int      // newest images that are kept for a rollback, 2 to 1000; default 100
	TrailDays   int      // how long the trail's and Config's files are kept, 91 to 3650; default 730
	GrantAdmins []string // ARNs of roles or users who may grant in Lake Formation; required with Manage.DataLake
	Manage      Singletons
	Payer       bool // whether it is the account that pays: sorts the bill and is told of anomalies
	BillTags    bool // whether the bill knows the tags, from a day after the first deploy on; needs Payer
	AnomalyUSD  int  // smallest anomaly in the bill that is told, 1 to 1000000; default 100; needs Payer
}

// Singletons are what an account, or a region of it, has one of. Leave out
// what an organization or another program manages already.
type Singletons struct {
	GitHub      bool // GitHub's identity provider
	Trail       bool // CloudTrail; break-glass alarms need one
	GatewayLogs bool // API Gateway's log role; stages that log need one
	Detector    bool // GuardDuty
	Recorder    bool // Config
	DataLake    bool // Lake Formation's settings
}

// reserved are names of what accounts have beside their environments.
var reserved = []string{"account", "state"}

// Validate reports every problem at once, before anything is synthesized.
func (a AccountSettings) Validate() error {
	errs := []error{
		check.That(accountNameFormat.MatchString(a.Name), "Name must be 1 to 16 lower case letters, digits and hyphens, starting with a letter, got %q", a.Name),
		check.That(accountFormat.MatchString(a.Account), "Account must be 12 digits, got %q", a.Account),
		check.That(regionFormat.MatchString(a.Region), "Region must be a region such as eu-west-1, got %q", a.Region),
		check.That(regionFormat.MatchString(a.ReplicaRegion), "ReplicaRegion must be a region such as eu-central-1, got %q", a.ReplicaRegion),
		check.That(a.Region != a.ReplicaRegion, "ReplicaRegion must differ from Region, got %q for both", a.Region),
		check.Required("Environments", len(a.Environments) > 0),
		check.That(delivery.RepositoryFormat.MatchString(a.Repository), "Repository must be OWNER/NAME or OWNER@ID/NAME@ID, got %q", a.Repository),
		check.That(!a.Protect || !a.DeleteData, "DeleteData must be false where Protect is true"),
		check.That(a.KeepImages == 0 || a.KeepImages >= 2 && a.KeepImages <= 1000, "KeepImages must be 2 to 1000, got %d", a.KeepImages),
		check.That(a.TrailDays == 0 || a.TrailDays >= 91 && a.TrailDays <= 3650, "TrailDays must be 91 to 3650, got %d", a.TrailDays),
		check.That(a.Manage.DataLake == (len(a.GrantAdmins) > 0), "GrantAdmins and Manage.DataLake go together"),
		check.That(a.Payer || !a.BillTags, "BillTags needs Payer"),
		check.That(a.Payer || a.AnomalyUSD == 0, "AnomalyUSD needs Payer"),
		check.Between("AnomalyUSD", a.AnomalyUSD, 0, 1_000_000),
	}
	for _, arn := range a.GrantAdmins {
		errs = append(errs, check.That(account.PrincipalFormat.MatchString(arn), "GrantAdmins must hold ARNs of IAM roles or users, got %q", arn))
	}
	if err := errors.Join(append(errs, a.validateEnvironments()...)...); err != nil {
		return fmt.Errorf("account %q:\n%w", a.Name, err)
	}
	return nil
}

// validateEnvironments keeps their names apart: they begin the names of what
// each environment's CI may touch.
func (a AccountSettings) validateEnvironments() (errs []error) {
	for i, name := range a.Environments {
		errs = append(errs, check.That(nameFormat.MatchString(name), "Environments must hold names of environments, got %q", name))
		for _, word := range reserved {
			errs = append(errs, check.That(name != word && !strings.HasPrefix(name, word+"-"), "Environments must not hold %q: %q is the account's", name, word))
		}
		for j, other := range a.Environments {
			errs = append(errs, check.That(i == j || name != other && !strings.HasPrefix(other, name+"-"), "Environments must not hold both %q and %q: one begins the other", name, other))
		}
	}
	return errs
}

func (a AccountSettings) account() security.Account {
	return security.Account{ID: a.Account, Region: a.Region}
}

// stack is the base of one of the account's stacks.
func (a AccountSettings) stack(kind string) Environment {
	return Environment{
		Name: kind + "-" + a.Name, Account: a.Account, Region: a.Region, ReplicaRegion: a.ReplicaRegion, Emulated: a.Emulated,
	}
}

// name is the name of a resource of the account's own.
func (a AccountSettings) name(what string) string { return "shopstream-account-" + what }

// bucketName is unique in the world.
func (a AccountSettings) bucketName(what string) string {
	return a.name(what) + "-" + a.Account + "-" + a.Region
}

// DevAccount holds dev.
var DevAccount = AccountSettings{
	Name: "dev", Account: Dev.Account, Region: Dev.Region, ReplicaRegion: Dev.ReplicaRegion,
	Environments: []string{Dev.Name},
	Repository:   "shopstream/shopstream", // an example: put your own here

	KeepImages: 20,
	TrailDays:  91,
	Manage:     Singletons{GitHub: true, Trail: true, GatewayLogs: true},
}

// StagingAccount holds staging.
var StagingAccount = AccountSettings{
	Name: "staging", Account: Staging.Account, Region: Staging.Region, ReplicaRegion: Staging.ReplicaRegion,
	Environments: []string{Staging.Name},
	Repository:   "shopstream/shopstream", // an example: put your own here

	Protect: true,
	Manage:  Singletons{GitHub: true, Trail: true, GatewayLogs: true, Detector: true},
}

// ProdAccount holds prod. It pays by itself: where an organization pays, set
// Payer in the account that does.
var ProdAccount = AccountSettings{
	Name: "prod", Account: Prod.Account, Region: Prod.Region, ReplicaRegion: Prod.ReplicaRegion,
	Environments: []string{Prod.Name},
	Repository:   "shopstream/shopstream", // an example: put your own here

	Protect: true,
	Manage:  Singletons{GitHub: true, Trail: true, GatewayLogs: true, Detector: true, Recorder: true},
	Payer:   true,
}
