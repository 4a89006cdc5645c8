package stacks

// Local is this machine: emulated AWS, one shard each, objects within a second.
var Local = Environment{
	Name:          "local",
	Account:       "123456789012",
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",
	Emulated:      true,

	DeleteData: true,

	GatewayShards:  2,
	EventsShards:   2,
	RetentionHours: 24,

	DeliveryBufferSeconds: 1,
	LogRetentionDays:      1,
}
