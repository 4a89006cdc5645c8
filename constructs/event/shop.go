package event

// Shop is an item of the registry: what the pipeline knows of a shop. Shops
// are data: onboarding one is writing an item.
type Shop struct {
	Key             string   `dynamodbav:"shop_key"`          // publishable; the table's key
	ID              string   `dynamodbav:"shop_id"`           // what events are stored under
	Origins         []string `dynamodbav:"origins,omitempty"` // origins that browsers may send from, such as https://shop.example; empty: any
	EventsPerSecond int      `dynamodbav:"events_per_second"` // above it, 429
	Backfill        bool     `dynamodbav:"backfill"`          // the key imports history: events count as received when their batch was sent
}
