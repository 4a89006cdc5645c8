// Package event is the contract between a shop and Shopstream: what a batch
// and an event hold, and in which form events travel between our own programs
// (frames on the gateway stream, packs on the events stream). Trackers and
// servers write to it; every tier reads by it.
package event

import (
	"encoding/json"
	"regexp"
	"time"
)

// SchemaVersion is the version of the contract that this package implements:
// the "v" of a batch, the "schema_version" of a stored event.
const SchemaVersion = 1

// Caps of one batch. A batch over them is answered with 413.
const (
	MaxBatchBytes  = 1 << 20 // 1 MiB, after decompression
	MaxBatchEvents = 500
	MaxEventBytes  = 32 << 10 // 32 KiB
)

// Caps of one event. An event over them is quarantined.
const (
	MaxItems       = 200
	MaxCustom      = 50   // keys of custom
	MaxString      = 1024 // bytes of any text that a shop chooses
	MaxURL         = 4096 // bytes
	MaxAmount      = 1e12 // of a currency's units: sums stay finite
	MaxEventAge    = 30 * 24 * time.Hour
	MaxEventFuture = time.Hour
)

// Batch is the body of POST /v1/events. Its events stay raw: the collector
// looks at the envelope alone, preprocess at the events.
type Batch struct {
	V       int               `json:"v"`        // SchemaVersion
	Shop    string            `json:"shop"`     // the shop's publishable key
	SentAt  time.Time         `json:"sent_at"`  // the sender's clock, RFC 3339
	BatchID string            `json:"batch_id"` // a UUID, chosen by the sender
	Seq     int64             `json:"seq"`      // counts the sender's batches, from 0
	Events  []json.RawMessage `json:"events"`   // 1 to MaxBatchEvents
}

// Type says what the shopper did.
type Type string

// The types of events, in GA4's and Snowplow's e-commerce words.
const (
	PageView       Type = "page_view"
	SearchProducts Type = "search"
	ListView       Type = "list_view"
	ListClick      Type = "list_click"
	ProductView    Type = "product_view"
	AddToCart      Type = "add_to_cart"
	RemoveFromCart Type = "remove_from_cart"
	AddToWishlist  Type = "add_to_wishlist"
	CheckoutStep   Type = "checkout_step"
	Purchase       Type = "purchase"
	Refund         Type = "refund"
	PromoView      Type = "promo_view"
	PromoClick     Type = "promo_click"
	RateProduct    Type = "rating"
	GiveConsent    Type = "consent"
	ScriptError    Type = "error"
)

// Event is what a shop sends about one deed of a shopper.
type Event struct {
	EventID   string    `json:"event_id"`             // UUIDv7, chosen by the client: with the shop, the event's identity
	Type      Type      `json:"type"`                 // one of the types above
	VisitorID string    `json:"visitor_id,omitempty"` // absent without consent
	SessionID string    `json:"session_id,omitempty"` // absent without consent
	Seq       int64     `json:"seq"`                  // counts the session's events, from 0
	ClientTS  time.Time `json:"client_ts"`            // the client's clock, RFC 3339

	Page      *Page          `json:"page,omitempty"`
	Search    *Search        `json:"search,omitempty"`
	List      *List          `json:"list,omitempty"`
	Items     []Item         `json:"items,omitempty"`
	Order     *Order         `json:"order,omitempty"`
	Checkout  *Checkout      `json:"checkout,omitempty"`
	Promotion *Promotion     `json:"promotion,omitempty"`
	Rating    *Rating        `json:"rating,omitempty"`
	Consent   *Consent       `json:"consent,omitempty"`
	Error     *Failure       `json:"error,omitempty"`
	Custom    map[string]any `json:"custom,omitempty"` // the shop's own: text, numbers and booleans
}

// Page is where it happened.
type Page struct {
	URL      string `json:"url"`
	Title    string `json:"title,omitempty"`
	Referrer string `json:"referrer,omitempty"`
}

// Search is what the shopper looked for.
type Search struct {
	Term    string `json:"search_term"`
	Results *int64 `json:"results,omitempty"`
}

// List is a list of products that was shown.
type List struct {
	ID   string `json:"item_list_id"`
	Name string `json:"item_list_name,omitempty"`
}

// Item is a product, as GA4 describes one.
type Item struct {
	ID       string  `json:"item_id"`
	Name     string  `json:"item_name,omitempty"`
	Brand    string  `json:"item_brand,omitempty"`
	Category string  `json:"item_category,omitempty"`
	Variant  string  `json:"item_variant,omitempty"`
	Price    float64 `json:"price"`              // of one piece, over 0
	Currency string  `json:"currency"`           // ISO 4217
	Quantity int64   `json:"quantity,omitempty"` // 1 to 1,000,000; default 1
	Index    *int64  `json:"index,omitempty"`    // place in the list, from 0
}

// Order is a purchase or the part of one that was refunded.
type Order struct {
	ID       string  `json:"transaction_id"`
	Value    float64 `json:"value"` // of all items, over 0
	Currency string  `json:"currency"`
	Tax      float64 `json:"tax,omitempty"`
	Shipping float64 `json:"shipping,omitempty"`
	Coupon   string  `json:"coupon,omitempty"`
}

// Checkout is a step on the way to a purchase.
type Checkout struct {
	Step   int64  `json:"step"` // 1 to 20
	Option string `json:"option,omitempty"`
}

// Promotion is an internal advertisement.
type Promotion struct {
	ID       string `json:"promotion_id"`
	Name     string `json:"promotion_name,omitempty"`
	Creative string `json:"creative_name,omitempty"`
	Slot     string `json:"creative_slot,omitempty"`
}

// Rating is a shopper's verdict on the event's one item.
type Rating struct {
	Value  float64 `json:"value"` // 1 to 5
	Review string  `json:"review,omitempty"`
}

// Consent is what the shopper decided.
type Consent struct {
	State string `json:"state"` // granted, denied or unknown
}

// Failure is a JavaScript error in the shop's page.
type Failure struct {
	Message string `json:"message"`
	Source  string `json:"source,omitempty"`
	Line    int64  `json:"line,omitempty"`
}

// Trust says how far a sender can be believed.
type Trust string

// Browsers hold a publishable key that anyone can read; servers hold a secret.
const (
	TrustBrowser Trust = "browser"
	TrustServer  Trust = "server"
)

// Received is an event as the collector accepted it: one line of a frame.
type Received struct {
	ShopID     string          `json:"shop_id"`
	BatchID    string          `json:"batch_id"`
	BatchSeq   int64           `json:"batch_seq"`
	SentAt     time.Time       `json:"sent_at"`
	ReceivedAt time.Time       `json:"received_at"`
	Trust      Trust           `json:"trust"`
	IP         string          `json:"ip,omitempty"` // cut: the last octet, or the last 80 bits, are 0
	UserAgent  string          `json:"user_agent,omitempty"`
	Event      json.RawMessage `json:"event"`
}

// Stored is a valid event as every tier behind preprocess reads it.
type Stored struct {
	Event
	ShopID        string    `json:"shop_id"`
	ShopBucket    int       `json:"shop_bucket"`    // 0 to 63, see ShopBucket
	EventTime     time.Time `json:"event_time"`     // the event id's own time
	EventDate     string    `json:"event_date"`     // its day in UTC: a resend lands on the same day
	ReceivedAt    time.Time `json:"received_at"`    // the collector's clock
	BatchID       string    `json:"batch_id"`       // of the batch that brought it
	BatchSeq      int64     `json:"batch_seq"`      // of that batch
	FrameID       string    `json:"frame_id"`       // of the frame that brought it
	FramePosition int       `json:"frame_position"` // in that frame, from 0: with the frame's id, this delivery's identity
	Trust         Trust     `json:"trust"`
	IP            string    `json:"ip,omitempty"`
	UserAgent     string    `json:"user_agent,omitempty"`
	SchemaVersion int       `json:"schema_version"`
}

// Quarantined is an event that was accepted and breaks the contract.
type Quarantined struct {
	Reason        string          `json:"reason"`  // the first problem's rule
	Pointer       string          `json:"pointer"` // JSON pointer to it, in the event
	Message       string          `json:"message"` // all problems, for people
	ShopID        string          `json:"shop_id"`
	EventID       string          `json:"event_id,omitempty"` // where it could be read
	ReceivedAt    time.Time       `json:"received_at"`
	BatchID       string          `json:"batch_id"`
	FrameID       string          `json:"frame_id"`
	FramePosition int             `json:"frame_position"`
	Component     string          `json:"component"`
	SchemaVersion int             `json:"schema_version"`
	Original      json.RawMessage `json:"original"`
}

// escapes matches the escapes of a JSON text, surrogates in pairs.
var escapes = regexp.MustCompile(`(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u[0-9a-f]{4}|\\.`)

// MarshalJSON writes U+FFFD for each half of a surrogate pair in the original,
// as Go decodes it. Browsers send halves where a script cut an emoji in two,
// and DuckDB refuses the whole file for one.
func (q Quarantined) MarshalJSON() ([]byte, error) {
	q.Original = escapes.ReplaceAllFunc(q.Original, func(escape []byte) []byte {
		if len(escape) == 6 && (escape[2] == 'd' || escape[2] == 'D') && escape[3] >= '8' {
			return []byte(`\ufffd`)
		}
		return escape
	})
	type plain Quarantined // without this method
	return json.Marshal(plain(q))
}
