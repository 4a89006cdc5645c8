package stacks

import (
	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
)

// Dev is where a team tries things out: as safe as prod, smaller, and stopped
// by its budget.
var Dev = Environment{
	Name:          "dev",
	Account:       "111122223333", // an example of AWS's: put your own here
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",

	Traffic:        capacity.Traffic{EventsPerSecond: 10},
	RetentionHours: 24,

	NATGateways: 1,
	Front:       ingest.FrontAPI,

	ScanLimitGiB: 10,

	MonthlyUSD:    500,
	ActOverBudget: true,

	DeliveryBufferSeconds: 60,
	RawExpireAfterDays:    90,
	LogRetentionDays:      14,
}
