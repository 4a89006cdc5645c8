package stacks

// Staging is prod in small: every change passes through it.
var Staging = Environment{
	Name:          "staging",
	Account:       "444455556666", // an example of AWS's: put your own here
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",

	Protect: true,

	GatewayShards:         2,
	EventsShards:          2,
	RetentionHours:        168,
	PreprocessConcurrency: 10,

	DeliveryBufferSeconds: 60,
	RawGlacierAfterDays:   90,
	LogRetentionDays:      30,
}
