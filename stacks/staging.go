package stacks

import (
	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
)

// Staging is prod in small: every change passes through it.
var Staging = Environment{
	Name:          "staging",
	Account:       "444455556666", // an example of AWS's: put your own here
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",

	Protect: true,

	Traffic:        capacity.Traffic{EventsPerSecond: 100},
	RetentionHours: 168,

	NATGateways: 1,
	Front:       ingest.FrontAPI,

	Replicate: true,

	MonthlyUSD: 1500,

	DeliveryBufferSeconds: 60,
	RawGlacierAfterDays:   90,
	RawExpireAfterDays:    400,
	LogRetentionDays:      30,
}
