// Package stacks composes the tiers into one stack per environment.
package stacks

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
	"github.com/shopstream/shopstream/constructs/lake"
	"github.com/shopstream/shopstream/constructs/network"
	"github.com/shopstream/shopstream/constructs/observe"
	"github.com/shopstream/shopstream/constructs/security"
	"github.com/shopstream/shopstream/constructs/stream"
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
	RetentionHours int              // replay window of both streams, 24 to 8760; where Protect is true, longer than failures are kept
	OnDemand       bool             // AWS sizes both streams, at about six times the price; default planned shards, which scale

	// Network.
	NATGateways        int      // 1 to 3; default one in each of three zones
	InterfaceEndpoints []string // services that are called privately, such as kinesis-streams; each costs by the hour; default none

	// Front.
	Front         ingest.FrontKind  // required but in a core; "api", or "loadbalancer" for high volume
	Domain        ingest.Domain     // of the front; default the name that AWS gives, which "loadbalancer" cannot take
	TrackerDomain ingest.Domain     // of the tracker; its certificate lives in us-east-1; default the name that AWS gives
	Deployment    ingest.Deployment // of the collector; default "rolling"
	Integrators   []string          // whose servers send events; default none
	Schedules     []ingest.Schedule // of the collector's tasks, for days that are known before; default none

	// Floods. A subscription to Shield Advanced is the account's, for a year at
	// 3,000 USD a month.
	Shield          bool // Shield Advanced protects the tracker and a public load balancer; default what all of AWS has
	SubscribeShield bool // the account is subscribed here; needs Shield; default it is subscribed already

	// Copies and limits.
	Replicate    bool // raw and transformed are copied to ReplicaRegion
	ScanLimitGiB int  // what one query may read, up to 102400; default 100

	// People and money.
	People        People // who may assume the human roles; default nobody
	MonthlyUSD    int    // required but in a core; what a month may cost
	ActOverBudget bool   // once it is spent, CI and analysts start nothing that costs; an administrator applies this; default people are told

	// Times.
	DeliveryBufferSeconds int // longest wait before Firehose writes an object, 0 to 900; default 60
	RawGlacierAfterDays   int // age at which raw packs move to Glacier, 30 to 3650; default never
	RawExpireAfterDays    int // age at which raw packs are deleted, 30 to 3650 and 90 days after they moved to Glacier, which bills so many; older events cannot be replayed; default never
	LogRetentionDays      int // required; 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365
}

// People may assume the human roles: ARNs of IAM users or of Identity Center's
// roles.
type People struct {
	Operators       []string // watch, onboard shops and put failures back into the queue
	Analysts        []string // query
	PrivacyOfficers []string // look into the quarantine and erase
	Redrivers       []string // let stored events and failures enter again
	BreakGlass      []string // may do everything, and are seen
}

func (p People) validate() error {
	if len(p.Operators)+len(p.Analysts)+len(p.PrivacyOfficers)+len(p.Redrivers)+len(p.BreakGlass) == 0 {
		return nil
	}
	return errors.Join(
		security.ValidateAssumers("People.Operators", p.Operators), security.ValidateAssumers("People.Analysts", p.Analysts),
		security.ValidateAssumers("People.PrivacyOfficers", p.PrivacyOfficers), security.ValidateAssumers("People.Redrivers", p.Redrivers),
		security.ValidateAssumers("People.BreakGlass", p.BreakGlass),
	)
}

// Validate reports every problem at once, before anything is synthesized.
func (e Environment) Validate() error {
	err := errors.Join(e.validateBasics(), e.validateFront(), e.validateRest())
	if err != nil {
		return fmt.Errorf("environment %q:\n%w", e.Name, err)
	}
	return nil
}

func (e Environment) validateBasics() error {
	return errors.Join(
		check.That(nameFormat.MatchString(e.Name), "Name must be 1 to 10 lower case letters, digits and hyphens, starting with a letter, got %q", e.Name),
		check.That(accountFormat.MatchString(e.Account), "Account must be 12 digits, got %q", e.Account),
		check.That(regionFormat.MatchString(e.Region), "Region must be a region such as eu-west-1, got %q", e.Region),
		check.That(regionFormat.MatchString(e.ReplicaRegion), "ReplicaRegion must be a region such as eu-central-1, got %q", e.ReplicaRegion),
		check.That(e.Region != e.ReplicaRegion, "ReplicaRegion must differ from Region, got %q for both", e.Region),
		check.That(!e.Protect || !e.DeleteData, "DeleteData must be false where Protect is true"),
		e.Traffic.Validate(),
		check.Between("RetentionHours", e.RetentionHours, 24, 8760),
		check.That(!e.Protect || e.RetentionHours > stream.FailureRetentionHours,
			"RetentionHours must be over %d where Protect is true, how long failures are kept, got %d: a record must outlive its failure",
			stream.FailureRetentionHours, e.RetentionHours),
	)
}

func (e Environment) validateFront() error {
	errs := []error{
		network.ValidateInterfaceEndpoints(e.InterfaceEndpoints),
		check.Between("NATGateways", e.NATGateways, 0, 3),
		e.Domain.Validate("Domain", e.Region), e.TrackerDomain.Validate("TrackerDomain", ingest.CloudFrontRegion),
		check.That(e.Front != ingest.FrontLoadBalancer || e.Domain.Name != "", `Domain is required where Front is "loadbalancer"`),
		ingest.ValidateIntegrators(e.Integrators),
		ingest.ValidateSchedules(e.Schedules),
		check.That(!e.Core || !e.Shield, "Shield must be false in a core, which has no front"),
		check.That(e.Shield || !e.SubscribeShield, "SubscribeShield needs Shield"),
	}
	if !e.Core || e.Front != "" {
		errs = append(errs, e.Front.Validate("Front"))
	}
	if e.Deployment != "" {
		errs = append(errs, e.Deployment.Validate("Deployment"))
	}
	return errors.Join(errs...)
}

func (e Environment) validateRest() error {
	errs := []error{
		check.That(!e.Core || !e.Replicate, "Replicate must be false in a core, which has no transformed zone"),
		check.Between("ScanLimitGiB", e.ScanLimitGiB, 0, lake.MaxScanLimitGiB),
		e.People.validate(),
		check.That(e.Core || e.MonthlyUSD != 0, "MonthlyUSD is required"),
		check.Between("MonthlyUSD", e.MonthlyUSD, 0, observe.MaxMonthlyUSD),
		check.That(!e.Core || !e.ActOverBudget, "ActOverBudget must be false in a core, which has no budget"),
		check.Between("DeliveryBufferSeconds", e.DeliveryBufferSeconds, 0, lake.MaxBufferingSeconds),
		security.ValidateRetention("LogRetentionDays", e.LogRetentionDays),
	}
	if e.RawGlacierAfterDays != 0 {
		errs = append(errs, lake.ValidateGlacierAfter("RawGlacierAfterDays", e.RawGlacierAfterDays))
	}
	if e.RawExpireAfterDays != 0 {
		least := 30
		if e.RawGlacierAfterDays != 0 {
			least = e.RawGlacierAfterDays + glacierBilledDays
		}
		errs = append(errs, check.Between("RawExpireAfterDays", e.RawExpireAfterDays, least, 3650))
	}
	return errors.Join(errs...)
}

// glacierBilledDays are those that an object in Glacier Instant Retrieval costs
// at least.
const glacierBilledDays = 90

var (
	nameFormat        = regexp.MustCompile(`^[a-z][a-z0-9-]{0,9}$`)
	accountNameFormat = regexp.MustCompile(`^[a-z][a-z0-9-]{0,15}$`)
	accountFormat     = regexp.MustCompile(`^[0-9]{12}$`)
	regionFormat      = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
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
