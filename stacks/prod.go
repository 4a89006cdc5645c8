package stacks

// Prod takes the shops' traffic.
var Prod = Environment{
	Name:          "prod",
	Account:       "777788889999", // an example: put your own here
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",

	Protect: true,

	GatewayShards:         8,
	EventsShards:          8,
	RetentionHours:        168,
	PreprocessConcurrency: 50,
	CollectorCPU:          1024,
	CollectorMemoryMiB:    2048,

	DeliveryBufferSeconds: 60,
	RawGlacierAfterDays:   90,
	LogRetentionDays:      90,
}
