// Package event is the contract between a shop and Shopstream: what a batch
// and an event hold, and in which form events travel between our own programs
// (frames on the gateway stream, packs on the events stream). Trackers and
// servers write to it; every tier reads by it.
package event

//go:generate go run ./generate

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SchemaVersion is the version of the contract that this package implements:
// the "v" of a batch, the "schema_version" of a stored event.
const SchemaVersion = 1

// Caps of one batch. A batch over them is answered with 413.
const (
	MaxBatchBytes  = 1 << 20 // 1 MiB, after decompression
	MaxBatchEvents = 500
	MaxEventBytes  = 32 << 10 // 32 KiB
	MaxUserAgent   = 1 << 10  // bytes; a longer user agent is cut
)

// Caps of nesting: objects and lists in each other, the outermost counted. A
// batch over it is answered with 400, an event quarantined.
const (
	MaxBatchDepth = 64
	MaxEventDepth = 16
)

// Bounds of an event's time, which its id tells. An event beyond them is
// quarantined.
const (
	MaxEventAge    = 30 * 24 * time.Hour
	MaxEventFuture = time.Hour
)

// Batch is the body of POST /v1/events. Its events stay raw: the collector
// looks at the envelope alone, preprocess at the events.
type Batch struct {
	V       int              `json:"v" contract:"integer required min=1 max=1"`    // version of the contract: 1
	Shop    string           `json:"shop" contract:"id required length=64"`        // the shop's publishable key
	SentAt  time.Time        `json:"sent_at" contract:"time required"`             // the sender's clock
	BatchID string           `json:"batch_id" contract:"uuid required"`            // chosen by the sender; the same when the batch is sent again
	Seq     int64            `json:"seq,omitzero" contract:"integer min=0"`        // counts the sender's batches, from 0
	Events  []jsontext.Value `json:"events" contract:"events required length=500"` // what shoppers did, in its order
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
	EventID   string    `json:"event_id" contract:"uuidv7 required"`                 // chosen by the client: with the shop, the event's identity
	Type      Type      `json:"type" contract:"enum required values=type feature"`   // what the shopper did
	VisitorID string    `json:"visitor_id,omitzero" contract:"id length=64 feature"` // first-party and pseudonymous; absent without consent
	SessionID string    `json:"session_id,omitzero" contract:"id length=64 feature"` // absent without consent
	Seq       int64     `json:"seq" contract:"integer min=0"`                        // counts the session's events, from 0
	ClientTS  time.Time `json:"client_ts" contract:"time required"`                  // the client's clock

	Page      *Page      `json:"page,omitzero" contract:"object in=page_view"`                                                                                      // where it happened
	Search    *Search    `json:"search,omitzero" contract:"object in=search"`                                                                                       // what the shopper looked for
	List      *List      `json:"list,omitzero" contract:"object in=list_view,list_click"`                                                                           // the list of products that was shown
	Items     []Item     `json:"items,omitzero" contract:"list length=200 in=list_click,product_view,add_to_cart,remove_from_cart,add_to_wishlist,purchase,rating"` // the products it is about
	Order     *Order     `json:"order,omitzero" contract:"object in=purchase,refund"`                                                                               // the purchase, or the part of it that was refunded
	Checkout  *Checkout  `json:"checkout,omitzero" contract:"object in=checkout_step"`                                                                              // the step on the way to a purchase
	Promotion *Promotion `json:"promotion,omitzero" contract:"object in=promo_view,promo_click"`                                                                    // the internal advertisement
	Rating    *Rating    `json:"rating,omitzero" contract:"object in=rating"`                                                                                       // the shopper's verdict on the event's one item
	Consent   *Consent   `json:"consent,omitzero" contract:"object in=consent"`                                                                                     // what the shopper decided
	Error     *Failure   `json:"error,omitzero" contract:"object in=error"`                                                                                         // a JavaScript error in the shop's page
	Custom    Custom     `json:"custom,omitzero" contract:"custom length=50"`                                                                                       // the shop's own: texts of at most 1,024 characters, numbers and booleans
}

// Page is where it happened.
type Page struct {
	URL      string `json:"url" contract:"url required length=4096"`      // of the page; preprocess keeps its parameters by allowlist
	Title    string `json:"title,omitzero" contract:"text length=1024"`   // of the page
	Referrer string `json:"referrer,omitzero" contract:"url length=4096"` // URL of the page before
}

// Search is what the shopper looked for.
type Search struct {
	Term    string `json:"search_term" contract:"text required length=1024"` // as it was typed
	Results *int64 `json:"results,omitzero" contract:"integer min=0"`        // how many products were found
}

// List is a list of products that was shown.
type List struct {
	ID   string `json:"item_list_id" contract:"id required length=1024"`     // the shop's own
	Name string `json:"item_list_name,omitzero" contract:"text length=1024"` // for people
}

// Item is a product, as GA4 describes one.
type Item struct {
	ID       string  `json:"item_id" contract:"id required length=1024 feature"`             // the shop's article number
	Name     string  `json:"item_name,omitzero" contract:"text length=1024"`                 // for people
	Brand    string  `json:"item_brand,omitzero" contract:"text length=1024 feature"`        // for people
	Category string  `json:"item_category,omitzero" contract:"text length=1024 feature"`     // such as shoes.running
	Variant  string  `json:"item_variant,omitzero" contract:"text length=1024"`              // such as red, 42
	Price    float64 `json:"price" contract:"number required over=0 max=1e12 feature"`       // of one piece, in units of the currency
	Currency string  `json:"currency" contract:"currency required feature"`                  // ISO 4217
	Quantity int64   `json:"quantity,omitzero" contract:"integer min=0 max=1000000 feature"` // pieces; 1 where it is absent or 0
	Index    *int64  `json:"index,omitzero" contract:"integer min=0"`                        // place in the list, from 0
}

// Order is a purchase or the part of one that was refunded.
type Order struct {
	ID       string  `json:"transaction_id" contract:"id required length=1024"`        // the shop's order number
	Value    float64 `json:"value" contract:"number required over=0 max=1e12 feature"` // of all items, in units of the currency
	Currency string  `json:"currency" contract:"currency required feature"`            // ISO 4217
	Tax      float64 `json:"tax,omitzero" contract:"number min=0 max=1e12"`            // within or on top of value, as the shop counts
	Shipping float64 `json:"shipping,omitzero" contract:"number min=0 max=1e12"`       // cost of it
	Coupon   string  `json:"coupon,omitzero" contract:"text length=1024"`              // code that was used
}

// Checkout is a step on the way to a purchase.
type Checkout struct {
	Step   int64  `json:"step" contract:"integer required min=1 max=20"` // from 1
	Option string `json:"option,omitzero" contract:"text length=1024"`   // what was chosen there, such as a way to pay
}

// Promotion is an internal advertisement.
type Promotion struct {
	ID       string `json:"promotion_id" contract:"id required length=1024"`     // the shop's own
	Name     string `json:"promotion_name,omitzero" contract:"text length=1024"` // for people
	Creative string `json:"creative_name,omitzero" contract:"text length=1024"`  // the picture or text
	Slot     string `json:"creative_slot,omitzero" contract:"text length=1024"`  // its place on the page
}

// Rating is a shopper's verdict on the event's one item.
type Rating struct {
	Value  float64 `json:"value" contract:"number required min=1 max=5"` // stars
	Review string  `json:"review,omitzero" contract:"text length=1024"`  // as it was typed
}

// Consent is what the shopper decided.
type Consent struct {
	State ConsentState `json:"state" contract:"enum required values=consent"` // to being known again
}

// ConsentState is a shopper's answer to being known again.
type ConsentState string

// Without an answer a shopper counts as one who said no.
const (
	ConsentGranted ConsentState = "granted"
	ConsentDenied  ConsentState = "denied"
	ConsentUnknown ConsentState = "unknown"
)

// Failure is a JavaScript error in the shop's page.
type Failure struct {
	Message string `json:"message" contract:"text required length=1024"` // the browser's words
	Source  string `json:"source,omitzero" contract:"url length=4096"`   // URL of the script
	Line    int64  `json:"line,omitzero" contract:"integer min=0"`       // in the script, from 1
}

// Trust says how far a sender can be believed.
type Trust string

// Browsers hold a publishable key that anyone can read; servers hold a secret.
const (
	TrustBrowser Trust = "browser"
	TrustServer  Trust = "server"
)

// Received is an event as the collector accepted it.
type Received struct {
	ShopID     string         `json:"shop_id"`
	BatchID    string         `json:"batch_id"`
	BatchSeq   int64          `json:"batch_seq"`
	SentAt     time.Time      `json:"sent_at"`
	ReceivedAt time.Time      `json:"received_at"`
	Trust      Trust          `json:"trust"`
	IP         string         `json:"ip,omitzero"` // cut: the last octet, or the last 80 bits, are 0
	UserAgent  string         `json:"user_agent,omitzero"`
	Event      jsontext.Value `json:"event,omitzero"`
}

// Stored is a valid event as every tier behind preprocess reads it.
type Stored struct {
	Event
	ShopID        string    `json:"shop_id" contract:"id required length=64 feature"` // in the registry; with event_id, the event's identity
	ShopBucket    int       `json:"shop_bucket" contract:"integer min=0 max=63"`      // by which tables are partitioned: FNV-1a (64 bits) of shop_id, modulo 64
	EventTime     time.Time `json:"event_time" contract:"time required feature"`      // when it happened: client_ts, corrected by the clocks' difference
	EventDate     string    `json:"event_date" contract:"day required"`               // day, in UTC, of the time in event_id: a resend lands on the same day
	ReceivedAt    time.Time `json:"received_at" contract:"time required"`             // the collector's clock
	BatchID       string    `json:"batch_id" contract:"uuid required"`                // of the batch that brought it
	BatchSeq      int64     `json:"batch_seq" contract:"integer min=0"`               // of that batch
	FrameID       string    `json:"frame_id" contract:"uuid required"`                // of the frame that brought it
	FramePosition int       `json:"frame_position" contract:"integer min=0"`          // in that frame, from 0: with the frame's id, this delivery's identity
	Trust         Trust     `json:"trust" contract:"enum required values=trust"`      // how far its sender can be believed
	IP            string    `json:"ip,omitzero" contract:"address"`                   // of the client, without its last octet or its last 80 bits
	UserAgent     string    `json:"user_agent,omitzero" contract:"text length=1024"`  // as the client sent it; a longer one is cut
	Device        *Device   `json:"device,omitzero" contract:"object"`                // what the user agent says
	Referrer      *Referrer `json:"referrer,omitzero" contract:"object"`              // where the visit came from
	Campaign      *Campaign `json:"campaign,omitzero" contract:"object"`              // which advertisement brought it
	SchemaVersion int       `json:"schema_version" contract:"integer min=1"`          // of the contract by which the event was checked
}

// Device is read from the user agent, in GA4's words.
type Device struct {
	Category        string `json:"category" contract:"word"`                  // desktop, mobile, tablet, tv or other
	OperatingSystem string `json:"operating_system,omitzero" contract:"word"` // such as Windows or iOS; absent where it is not known
	Browser         string `json:"browser,omitzero" contract:"word"`          // such as Chrome or Safari; absent where it is not known
	Bot             string `json:"bot,omitzero" contract:"word"`              // class of a program; absent for people
}

// Referrer is the class of the page before, in Snowplow's words.
type Referrer struct {
	Medium string `json:"medium" contract:"word"`                     // search, social, email, paid, chatbot, internal or unknown
	Source string `json:"source,omitzero" contract:"text length=253"` // such as Google; the host of a site that is not known
}

// Campaign holds the page's utm_ parameters.
type Campaign struct {
	Source  string `json:"source,omitzero" contract:"text length=256"`  // utm_source, such as newsletter
	Medium  string `json:"medium,omitzero" contract:"text length=256"`  // utm_medium, such as email
	Name    string `json:"name,omitzero" contract:"text length=256"`    // utm_campaign
	Term    string `json:"term,omitzero" contract:"text length=256"`    // utm_term
	Content string `json:"content,omitzero" contract:"text length=256"` // utm_content
}

// ReasonIDCollision quarantines an event that keeps the contract: another one,
// with other bytes, has its id in its shop.
const ReasonIDCollision = "id_collision"

// Quarantined is an event that was accepted and breaks the contract.
type Quarantined struct {
	Reason        string         `json:"reason"`                     // the first problem's rule
	Pointer       string         `json:"pointer"`                    // JSON pointer to it, in the event
	Rule          string         `json:"rule"`                       // what that rule asks for, in words
	Message       string         `json:"message"`                    // all problems, for people
	ShopID        string         `json:"shop_id"`                    // in the registry
	EventID       string         `json:"event_id,omitzero"`          // where it could be read, without e-mail addresses
	SentAt        time.Time      `json:"sent_at"`                    // the sender's clock
	ReceivedAt    time.Time      `json:"received_at"`                // the collector's clock
	FramedAt      time.Time      `json:"framed_at"`                  // when the collector made the frame
	BatchID       string         `json:"batch_id"`                   // of the batch that brought it
	BatchSeq      int64          `json:"batch_seq"`                  // of that batch
	FrameID       string         `json:"frame_id"`                   // of the frame that brought it
	FramePosition int            `json:"frame_position"`             // in that frame, from 0
	Trust         Trust          `json:"trust"`                      // how far its sender can be believed
	IP            string         `json:"ip,omitzero"`                // of the client, cut
	UserAgent     string         `json:"user_agent,omitzero"`        // of the client, scrubbed
	Component     string         `json:"component"`                  // who refused it
	Version       string         `json:"component_version,omitzero"` // of the function that did
	SchemaVersion int            `json:"schema_version"`             // of the contract that refused it
	Original      jsontext.Value `json:"original"`                   // as it was sent, scrubbed; a text where it is no JSON
}

// MarshalJSON writes U+FFFD for each half of a surrogate pair in the original,
// as an event's own texts have it: DuckDB refuses a whole file for one half.
func (q Quarantined) MarshalJSON() ([]byte, error) {
	type plain Quarantined // without this method
	return json.Marshal(plain(q), lenient)
}
