// Package stacks composes the tiers into one stack per environment.
package stacks

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/internal/check"
)

// Environment is all that environments may differ in. A zero value takes the
// construct's default.
type Environment struct {
	Name          string // required; lower case letters, digits and hyphens, at most 10; names the stack and every resource
	Account       string // required; the AWS account's 12 digits
	Region        string // required; such as eu-west-1
	ReplicaRegion string // required; another region, for copies

	// Emulated environments live on emulated AWS: their providers go to the
	// endpoints in the stack's variables, and functions are built for this machine.
	Emulated bool

	// Data. Destroying it takes two settings: Protect must be taken back and
	// applied before DeleteData can be set.
	Protect    bool // AWS and Terraform refuse to destroy what holds data
	DeleteData bool // destroying the stack deletes the objects in its buckets

	// Core leaves out all but what moves events and stores them: no network, no
	// front, no catalogue.
	Core bool

	// Sizes follow from the traffic.
	Traffic        capacity.Traffic // required
	RetentionHours int              // replay window of both streams, 24 to 8760

	// Network.
	NATGateways        int      // 1 to 3; default one in each of three zones
	InterfaceEndpoints []string // services that are called privately, such as kinesis-streams; each costs by the hour; default none

	// Front.
	Front         ingest.FrontKind  // required but in a core; "api", or "loadbalancer" for high volume
	Domain        ingest.Domain     // of the front; default the name that AWS gives, which "loadbalancer" cannot take
	TrackerDomain ingest.Domain     // of the tracker; its certificate lives in us-east-1; default the name that AWS gives
	Deployment    ingest.Deployment // of the collector; default "rolling"
	Integrators   []string          // whose servers send events; default none

	// Copies and limits.
	Replicate    bool // raw and transformed are copied to ReplicaRegion
	ScanLimitGiB int  // what one query may read; default 100

	// People and money.
	People     People // who may assume the human roles; default nobody
	MonthlyUSD int    // required but in a core; what a month may cost

	// Times.
	DeliveryBufferSeconds int // longest wait before Firehose writes an object
	RawGlacierAfterDays   int // age at which raw packs move to Glacier; default never
	LogRetentionDays      int // required
}

// People may assume the human roles: ARNs of IAM users or of Identity Center's
// roles.
type People struct {
	Operators       []string // watch and redrive
	Analysts        []string // query
	PrivacyOfficers []string // look into the quarantine and erase
	BreakGlass      []string // may do everything, and are seen
}

// Validate reports every problem at once, before anything is synthesized.
func (e Environment) Validate() error {
	err := errors.Join(
		check.That(nameFormat.MatchString(e.Name), "Name must be 1 to 10 lower case letters, digits and hyphens, starting with a letter, got %q", e.Name),
		check.That(accountFormat.MatchString(e.Account), "Account must be 12 digits, got %q", e.Account),
		check.That(regionFormat.MatchString(e.Region), "Region must be a region such as eu-west-1, got %q", e.Region),
		check.That(regionFormat.MatchString(e.ReplicaRegion), "ReplicaRegion must be a region such as eu-central-1, got %q", e.ReplicaRegion),
		check.That(e.Region != e.ReplicaRegion, "ReplicaRegion must differ from Region, got %q for both", e.Region),
		check.That(!e.Protect || !e.DeleteData, "DeleteData must be false where Protect is true"),
		e.Traffic.Validate(),
		check.Between("RetentionHours", e.RetentionHours, 24, 8760),
		check.Between("LogRetentionDays", e.LogRetentionDays, 1, 365),
		check.That(e.Core || e.Front != "", `Front must be "api" or "loadbalancer"`),
		check.That(e.Core || e.MonthlyUSD > 0, "MonthlyUSD must be over 0, got %d", e.MonthlyUSD),
		check.That(!e.Core || !e.Replicate, "Replicate must be false in a core, which has no transformed zone"),
	)
	if err != nil {
		return fmt.Errorf("environment %q:\n%w", e.Name, err)
	}
	return nil
}

var (
	nameFormat    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,9}$`)
	accountFormat = regexp.MustCompile(`^[0-9]{12}$`)
	regionFormat  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

func (e Environment) account() security.Account {
	return security.Account{ID: e.Account, Region: e.Region}
}

// name is the name of a resource: shopstream-ENVIRONMENT-WHAT.
func (e Environment) name(what string) string { return "shopstream-" + e.Name + "-" + what }

// identifier turns a name into a construct's id.
func identifier(name string) string { return strings.ReplaceAll(name, "-", "_") }

// bucketName is unique in the world.
func (e Environment) bucketName(zone string) string {
	return e.name(zone) + "-" + e.Account + "-" + e.Region
}

func (e Environment) platform() asset.Platform {
	if e.Emulated {
		return asset.Host
	}
	return asset.AWS
}
