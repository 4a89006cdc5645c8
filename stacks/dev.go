package stacks

// Dev is where a team tries things out: as safe as prod, smaller and on demand.
var Dev = Environment{
	Name:          "dev",
	Account:       "111122223333", // an example of AWS's: put your own here
	Region:        "eu-west-1",
	ReplicaRegion: "eu-central-1",

	GatewayShards:  1,
	EventsShards:   1,
	RetentionHours: 24,

	DeliveryBufferSeconds: 60,
	LogRetentionDays:      14,
}
