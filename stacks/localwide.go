package stacks

import (
	"github.com/shopstream/shopstream/constructs/capacity"
	"github.com/shopstream/shopstream/constructs/ingest"
)

// LocalWide has what Prod has, on this machine. It proves that AWS's provider
// applies the tiers, finds no change afterwards and removes them; only a test
// deploys it.
var LocalWide = Environment{
	Name:          "local-wide",
	Account:       Local.Account, // the emulators'
	Region:        Prod.Region,
	ReplicaRegion: Prod.ReplicaRegion,
	Emulated:      true,

	DeleteData: true,

	Traffic:        capacity.Traffic{EventsPerSecond: 10},
	RetentionHours: 24,

	NATGateways:        1,
	InterfaceEndpoints: []string{"kinesis-streams"},
	Front:              ingest.FrontAPI,
	Integrators:        []string{"erp"},

	Replicate: true,

	MonthlyUSD: 1,

	DeliveryBufferSeconds: 1,
	RawGlacierAfterDays:   90,
	RawExpireAfterDays:    400,
	LogRetentionDays:      1,
}
