package stacks

import (
	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
)

// Prod takes the shops' traffic.
var Prod = Environment{
	Name:          "prod",
	Account:       "777788889999", // an example: put your own here
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",

	Protect: true,

	Traffic:        capacity.Traffic{EventsPerSecond: 3000},
	RetentionHours: 168,

	NATGateways:        3,
	InterfaceEndpoints: []string{"ecr.api", "ecr.dkr", "kinesis-streams", "logs"}, // those that carry volume, and those without which no task starts
	Front:              ingest.FrontAPI,

	Replicate:    true,
	ScanLimitGiB: 1000,

	MonthlyUSD: 12000,

	DeliveryBufferSeconds: 60,
	RawGlacierAfterDays:   90,
	RawExpireAfterDays:    400,
	LogRetentionDays:      90,
}
