package event

import "crypto/rand"

// Shop is an item of the registry: what the pipeline knows of a shop. Shops
// are data: onboarding one is writing an item. A zero value is the default.
type Shop struct {
	Key             string   `dynamodbav:"shop_key"`             // publishable; the table's key
	ID              string   `dynamodbav:"shop_id"`              // what events are stored under
	Disabled        bool     `dynamodbav:"disabled"`             // its events are refused with 403
	Origins         []string `dynamodbav:"origins,omitempty"`    // origins that browsers may send from, such as https://shop.example; empty: any
	ClientIDs       []string `dynamodbav:"client_ids,omitempty"` // clients of integrators whose servers may send; empty: none
	EventsPerSecond int      `dynamodbav:"events_per_second"`    // above it, 429
	Backfill        bool     `dynamodbav:"backfill"`             // the key imports history: events count as received when their batch was sent

	// Personal data.
	Consent        ConsentPolicy `dynamodbav:"consent,omitempty"`         // when shoppers may be known again
	Salt           []byte        `dynamodbav:"salt,omitempty"`            // of visitor ids, from NewSalt; without it nobody is known again, and once it is deleted nobody ever will be
	HashVersion    int           `dynamodbav:"hash_version,omitempty"`    // of visitor ids; another one gives everybody another id; 0 is 1
	KeepParameters []string      `dynamodbav:"keep_parameters,omitempty"` // parameters that URLs keep, besides those that every shop's keep
	RetentionDays  int           `dynamodbav:"retention_days,omitempty"`  // how long its events are kept; 0 is as long as the lake keeps any

	SamplePercent int `dynamodbav:"sample_percent,omitempty"` // share of visitors whose events the tracker sends; 0 is 100
}

// ConsentPolicy says when shoppers may be known again.
type ConsentPolicy string

// The policies. A visitor_id is only there where the shopper consented, which
// the tracker and the shop's server see to.
const (
	ConsentAsked ConsentPolicy = ""      // who sends a visitor_id has consented
	ConsentNever ConsentPolicy = "never" // nobody is known again, whatever is sent
)

// NewSalt returns a salt of 32 random bytes.
func NewSalt() []byte {
	salt := make([]byte, 32)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// HeartbeatShop is the id of the heartbeat's shop, in which nobody shops:
// whoever counts shoppers leaves its events out.
const HeartbeatShop = "heartbeat"
