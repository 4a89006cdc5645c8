package stacks

import (
	"github.com/shopstream/shopstream/constructs/capacity"
)

// Local is this machine: emulated AWS, one shard each, objects within a second.
var Local = Environment{
	Name:          "local",
	Account:       "123456789012",
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",
	Emulated:      true,

	DeleteData: true,

	Core:           true,
	Traffic:        capacity.Traffic{EventsPerSecond: 700},
	RetentionHours: 24,

	DeliveryBufferSeconds: 1,
	LogRetentionDays:      1,
}
