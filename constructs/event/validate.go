package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Problem is one way in which an event or a batch breaks the contract.
type Problem struct {
	Pointer string // JSON pointer to the value at fault
	Rule    string // the broken rule: required, type, enum, range, length, uuidv7, unknown_field, json, …
	Message string // what was got and what is allowed; never the value itself, which may be personal
}

func (p Problem) Error() string { return strings.TrimSpace(p.Pointer + " " + p.Message) }

// Problems are all that is wrong, in the order of the contract's fields.
type Problems []Problem

func (ps Problems) Error() string {
	words := make([]string, len(ps))
	for i, p := range ps {
		words[i] = p.Error()
	}
	return strings.Join(words, "; ")
}

func (ps *Problems) add(pointer, rule, format string, args ...any) {
	*ps = append(*ps, Problem{pointer, rule, fmt.Sprintf(format, args...)})
}

// text checks a text that a shop chooses.
func (ps *Problems) text(pointer, value string, required bool, limit int) {
	switch {
	case required && value == "":
		ps.add(pointer, "required", "is required")
	case len(value) > limit:
		ps.add(pointer, "length", "has %d bytes, at most %d are allowed", len(value), limit)
	}
}

// time checks a time that a sender's clock tells. Beyond these years it has no
// form in JSON once it is in UTC.
func (ps *Problems) time(pointer string, value time.Time) {
	switch year := value.UTC().Year(); {
	case value.IsZero():
		ps.add(pointer, "required", "is required: a time of RFC 3339")
	case year < 1970 || year > 9998:
		ps.add(pointer, "range", "must be of the years 1970 to 9998")
	}
}

// amount checks a sum of money that must be over 0.
func (ps *Problems) amount(pointer string, value float64) {
	if value <= 0 || value > MaxAmount {
		ps.add(pointer, "range", "must be over 0 and at most %g", MaxAmount)
	}
}

func (ps *Problems) currency(pointer, value string) {
	isUpper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	if len(value) != 3 || strings.IndexFunc(value, func(r rune) bool { return !isUpper(r) }) >= 0 {
		ps.add(pointer, "currency", "must be a currency of ISO 4217 such as EUR")
	}
}

// UnmarshalBatch decodes the body of POST /v1/events and checks its envelope.
// The error is a Problems.
func UnmarshalBatch(body []byte) (Batch, error) {
	var b Batch
	if p := unmarshal(body, &b); p != nil {
		return b, Problems{*p}
	}
	var ps Problems
	if b.V != SchemaVersion {
		ps.add("/v", "enum", "must be %d", SchemaVersion)
	}
	ps.text("/shop", b.Shop, true, 64)
	ps.time("/sent_at", b.SentAt)
	if _, err := uuid.Parse(b.BatchID); err != nil || len(b.BatchID) != 36 {
		ps.add("/batch_id", "uuid", "must be a UUID")
	}
	if b.Seq < 0 {
		ps.add("/seq", "range", "must be 0 or more")
	}
	if len(b.Events) == 0 {
		ps.add("/events", "required", "is required: 1 to %d events", MaxBatchEvents)
	}
	for i, e := range b.Events[:min(len(b.Events), MaxBatchEvents)] { // those above are refused unseen
		if len(e) == 0 || e[0] != '{' {
			ps.add(fmt.Sprintf("/events/%d", i), "type", "must be an object")
		}
	}
	if len(ps) > 0 {
		return b, ps
	}
	return b, nil
}

// Unmarshal decodes one event and checks it whole. receivedAt bounds the time
// in its id. The error is a Problems.
func Unmarshal(raw json.RawMessage, receivedAt time.Time) (Event, error) {
	var e Event
	if p := unmarshal(raw, &e); p != nil {
		return e, Problems{*p}
	}
	if ps := e.validate(receivedAt); len(ps) > 0 {
		return e, ps
	}
	return e, nil
}

// unmarshal decodes strictly: unknown fields and trailing bytes are refused.
func unmarshal(raw []byte, v any) *Problem {
	if !utf8.Valid(raw) {
		return &Problem{"", "json", "is not valid UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(v) == nil {
		if _, err := d.Token(); err == io.EOF {
			return nil
		}
	}
	if !json.Valid(raw) {
		return &Problem{"", "json", "is not valid JSON"}
	}
	if p := blame(raw, reflect.TypeOf(v).Elem(), ""); p != nil {
		return p
	}
	return &Problem{"", "json", "holds a field twice"} // blame sees the last of the two
}

// blame finds the value because of which raw does not decode into a t. The
// library's own errors quote values and do not tell places in lists.
func blame(raw json.RawMessage, t reflect.Type, at string) *Problem {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var members map[string]json.RawMessage
	var elements []json.RawMessage
	switch isTime := t == reflect.TypeFor[time.Time](); {
	case t.Kind() == reflect.Struct && !isTime && json.Unmarshal(raw, &members) == nil:
		for _, key := range slices.Sorted(maps.Keys(members)) {
			field, ok := fieldOf(t, key)
			if !ok {
				return &Problem{within(at, key), "unknown_field", "holds a field that the contract does not know"}
			}
			if p := blame(members[key], field, within(at, key)); p != nil {
				return p
			}
		}
		return nil
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && json.Unmarshal(raw, &elements) == nil:
		for i, element := range elements {
			if p := blame(element, t.Elem(), fmt.Sprintf("%s/%d", at, i)); p != nil {
				return p
			}
		}
		return nil
	case json.Unmarshal(raw, reflect.New(t).Interface()) == nil:
		return nil
	case isTime:
		return &Problem{at, "time", "must be a time of RFC 3339"}
	}
	return &Problem{at, "type", "must be " + jsonWords[t.Kind()]}
}

// jsonWords say what a Go type is in JSON.
var jsonWords = map[reflect.Kind]string{
	reflect.String: "text", reflect.Int: "a whole number", reflect.Int64: "a whole number", reflect.Float64: "a number",
	reflect.Slice: "a list", reflect.Struct: "an object", reflect.Map: "an object of texts, numbers and booleans",
}

// fieldOf returns the type of the field that the decoder would take key for.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); strings.EqualFold(name, key) {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// within returns the pointer to a member of the object at a pointer. A key
// that is no plain name may be personal, as a value may: then the object is
// pointed at.
func within(at, key string) string {
	if plainName.MatchString(key) {
		return at + "/" + key
	}
	return at
}

var types = []Type{PageView, SearchProducts, ListView, ListClick, ProductView, AddToCart, RemoveFromCart,
	AddToWishlist, CheckoutStep, Purchase, Refund, PromoView, PromoClick, RateProduct, GiveConsent, ScriptError}

// itemTypes are the types that are about at least one item.
var itemTypes = []Type{ListClick, ProductView, AddToCart, RemoveFromCart, AddToWishlist, Purchase, RateProduct}

func (e Event) validate(receivedAt time.Time) (ps Problems) {
	if t, err := IDTime(e.EventID); err != nil {
		ps.add("/event_id", "uuidv7", "must be a UUID of version 7 in lower case")
	} else if t.Before(receivedAt.Add(-MaxEventAge)) || t.After(receivedAt.Add(MaxEventFuture)) {
		ps.add("/event_id", "event_time", "holds a time %s from its receipt; allowed are 30 days before to 1 hour after",
			t.Sub(receivedAt).Round(time.Second))
	}
	if !slices.Contains(types, e.Type) {
		ps.add("/type", "enum", "must be one of %v", types)
	}
	ps.text("/visitor_id", e.VisitorID, false, 64)
	ps.text("/session_id", e.SessionID, false, 64)
	if e.Seq < 0 {
		ps.add("/seq", "range", "must be 0 or more")
	}
	ps.time("/client_ts", e.ClientTS)
	e.validateParts(&ps)
	return ps
}

// validateParts checks that the parts that e's type needs are there, and every
// part that is there.
func (e Event) validateParts(ps *Problems) {
	need := func(pointer string, present bool, types ...Type) bool {
		if !present && slices.Contains(types, e.Type) {
			ps.add(pointer, "required", "is required in events of type %s", e.Type)
		}
		return present
	}
	if need("/page", e.Page != nil, PageView) {
		ps.text("/page/url", e.Page.URL, true, MaxURL)
		ps.text("/page/title", e.Page.Title, false, MaxString)
		ps.text("/page/referrer", e.Page.Referrer, false, MaxURL)
	}
	if need("/search", e.Search != nil, SearchProducts) {
		ps.text("/search/search_term", e.Search.Term, true, MaxString)
	}
	if need("/list", e.List != nil, ListView, ListClick) {
		ps.text("/list/item_list_id", e.List.ID, true, MaxString)
		ps.text("/list/item_list_name", e.List.Name, false, MaxString)
	}
	need("/items", len(e.Items) > 0, itemTypes...)
	if len(e.Items) > MaxItems {
		ps.add("/items", "length", "has %d items, at most %d are allowed", len(e.Items), MaxItems)
	}
	for i, item := range e.Items {
		item.validate(fmt.Sprintf("/items/%d", i), ps)
	}
	if need("/order", e.Order != nil, Purchase, Refund) {
		e.Order.validate(ps)
	}
	if need("/checkout", e.Checkout != nil, CheckoutStep) {
		if e.Checkout.Step < 1 || e.Checkout.Step > 20 {
			ps.add("/checkout/step", "range", "must be 1 to 20")
		}
		ps.text("/checkout/option", e.Checkout.Option, false, MaxString)
	}
	if need("/promotion", e.Promotion != nil, PromoView, PromoClick) {
		ps.text("/promotion/promotion_id", e.Promotion.ID, true, MaxString)
		ps.text("/promotion/promotion_name", e.Promotion.Name, false, MaxString)
		ps.text("/promotion/creative_name", e.Promotion.Creative, false, MaxString)
		ps.text("/promotion/creative_slot", e.Promotion.Slot, false, MaxString)
	}
	if need("/rating", e.Rating != nil, RateProduct) {
		if e.Rating.Value < 1 || e.Rating.Value > 5 {
			ps.add("/rating/value", "range", "must be 1 to 5")
		}
		ps.text("/rating/review", e.Rating.Review, false, MaxString)
	}
	if need("/consent", e.Consent != nil, GiveConsent) {
		if !slices.Contains([]string{"granted", "denied", "unknown"}, e.Consent.State) {
			ps.add("/consent/state", "enum", "must be granted, denied or unknown")
		}
	}
	if need("/error", e.Error != nil, ScriptError) {
		ps.text("/error/message", e.Error.Message, true, MaxString)
		ps.text("/error/source", e.Error.Source, false, MaxURL)
	}
	e.validateCustom(ps)
}

func (i Item) validate(at string, ps *Problems) {
	ps.text(at+"/item_id", i.ID, true, MaxString)
	ps.text(at+"/item_name", i.Name, false, MaxString)
	ps.text(at+"/item_brand", i.Brand, false, MaxString)
	ps.text(at+"/item_category", i.Category, false, MaxString)
	ps.text(at+"/item_variant", i.Variant, false, MaxString)
	ps.amount(at+"/price", i.Price)
	ps.currency(at+"/currency", i.Currency)
	if i.Quantity < 0 || i.Quantity > 1e6 {
		ps.add(at+"/quantity", "range", "must be 1 to 1000000")
	}
}

func (o Order) validate(ps *Problems) {
	ps.text("/order/transaction_id", o.ID, true, MaxString)
	ps.amount("/order/value", o.Value)
	ps.currency("/order/currency", o.Currency)
	if o.Tax < 0 || o.Tax > MaxAmount {
		ps.add("/order/tax", "range", "must be 0 to %g", MaxAmount)
	}
	if o.Shipping < 0 || o.Shipping > MaxAmount {
		ps.add("/order/shipping", "range", "must be 0 to %g", MaxAmount)
	}
	ps.text("/order/coupon", o.Coupon, false, MaxString)
}

func (e Event) validateCustom(ps *Problems) {
	if len(e.Custom) > MaxCustom {
		ps.add("/custom", "length", "has %d keys, at most %d are allowed", len(e.Custom), MaxCustom)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(e.Custom)) {
		at := within("/custom", key)
		if key == "" || len(key) > MaxString {
			ps.add(at, "length", "holds a key of %d bytes, 1 to %d are allowed", len(key), MaxString)
		}
		switch v := e.Custom[key].(type) {
		case string:
			ps.text(at, v, false, MaxString)
		case float64, bool:
		default:
			ps.add(at, "type", "must be text, a number or a boolean")
		}
	}
}

// IDTime returns the time in a UUIDv7, in milliseconds. An id is in lower case:
// in another it would be another event.
func IDTime(id string) (time.Time, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return time.Time{}, errors.New("not a UUID of version 7 in lower case")
	}
	ms := int64(u[0])<<40 | int64(u[1])<<32 | int64(u[2])<<24 | int64(u[3])<<16 | int64(u[4])<<8 | int64(u[5])
	return time.UnixMilli(ms).UTC(), nil
}

// NewID returns the UUIDv7 of t whose other bits are seed's first: the same
// event always gets the same id.
func NewID(t time.Time, seed [32]byte) string {
	var u uuid.UUID
	copy(u[6:], seed[:10])
	ms := t.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return u.String()
}

// ShopBucket spreads shops over 64 buckets, by which tables are partitioned.
func ShopBucket(shopID string) int { return int(hash(shopID) % 64) }

// VirtualPartitions is the number of partitions that a gateway stream's keys
// are drawn from: order is kept within one, and a large shop spreads over all.
const VirtualPartitions = 256

// VirtualPartition is the partition of a shop's visitor. Events without a
// visitor spread by their id.
func VirtualPartition(shopID, visitorID, eventID string) int {
	if visitorID == "" {
		visitorID = eventID
	}
	return int(hash(shopID+"\x00"+visitorID) % VirtualPartitions)
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) // never fails
	return h.Sum64()
}
