package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
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
	if err := unmarshal(body, &b); err != nil {
		if err.Rule == "time" {
			err.Pointer = "/sent_at" // the one time of an envelope
		}
		return b, Problems{*err}
	}
	var ps Problems
	if b.V != SchemaVersion {
		ps.add("/v", "enum", "must be %d, got %d", SchemaVersion, b.V)
	}
	ps.text("/shop", b.Shop, true, 64)
	if b.SentAt.IsZero() {
		ps.add("/sent_at", "required", "is required: a time of RFC 3339")
	}
	if _, err := uuid.Parse(b.BatchID); err != nil {
		ps.add("/batch_id", "uuid", "must be a UUID")
	}
	if b.Seq < 0 {
		ps.add("/seq", "range", "must be 0 or more, got %d", b.Seq)
	}
	if len(b.Events) == 0 {
		ps.add("/events", "required", "is required: 1 to %d events", MaxBatchEvents)
	}
	for i, e := range b.Events {
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
	if err := unmarshal(raw, &e); err != nil {
		return e, Problems{*err}
	}
	if ps := e.validate(receivedAt); len(ps) > 0 {
		return e, ps
	}
	return e, nil
}

const unknownField = "json: unknown field " // the library's error has no type

// unmarshal decodes strictly: unknown fields and trailing bytes are refused.
func unmarshal(raw []byte, v any) *Problem {
	if !utf8.Valid(raw) {
		return &Problem{"", "json", "is not valid UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		pointer := ""
		if wrongType.Field != "" {
			pointer = "/" + strings.ReplaceAll(wrongType.Field, ".", "/")
		}
		return &Problem{pointer, "type", fmt.Sprintf("is a JSON %s, which is not allowed here", wrongType.Value)}
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Problem{"", "json", "is not valid JSON"}
	case err != nil && strings.HasPrefix(err.Error(), unknownField):
		return &Problem{"", "unknown_field", "holds the field " + strings.TrimPrefix(err.Error(), unknownField) + ", which the contract does not know"}
	case err != nil: // of the types in the contract, only times decode themselves
		return &Problem{"", "time", "holds a time that is not of RFC 3339"}
	}
	if _, err := d.Token(); err != io.EOF {
		return &Problem{"", "json", "has bytes after its end"}
	}
	return nil
}

var types = []Type{PageView, SearchProducts, ListView, ListClick, ProductView, AddToCart, RemoveFromCart,
	AddToWishlist, CheckoutStep, Purchase, Refund, PromoView, PromoClick, RateProduct, GiveConsent, ScriptError}

// itemTypes are the types that are about at least one item.
var itemTypes = []Type{ListClick, ProductView, AddToCart, RemoveFromCart, AddToWishlist, Purchase, RateProduct}

func (e Event) validate(receivedAt time.Time) (ps Problems) {
	if t, err := IDTime(e.EventID); err != nil {
		ps.add("/event_id", "uuidv7", "must be a UUID of version 7")
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
		ps.add("/seq", "range", "must be 0 or more, got %d", e.Seq)
	}
	if e.ClientTS.IsZero() {
		ps.add("/client_ts", "required", "is required: a time of RFC 3339")
	}
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
			ps.add("/checkout/step", "range", "must be 1 to 20, got %d", e.Checkout.Step)
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
			ps.add("/rating/value", "range", "must be 1 to 5, got %g", e.Rating.Value)
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
	if i.Price <= 0 {
		ps.add(at+"/price", "range", "must be over 0, got %g", i.Price)
	}
	ps.currency(at+"/currency", i.Currency)
	if i.Quantity < 0 || i.Quantity > 1e6 {
		ps.add(at+"/quantity", "range", "must be 1 to 1000000, got %d", i.Quantity)
	}
}

func (o Order) validate(ps *Problems) {
	ps.text("/order/transaction_id", o.ID, true, MaxString)
	if o.Value <= 0 {
		ps.add("/order/value", "range", "must be over 0, got %g", o.Value)
	}
	ps.currency("/order/currency", o.Currency)
	if o.Tax < 0 {
		ps.add("/order/tax", "range", "must be 0 or more, got %g", o.Tax)
	}
	if o.Shipping < 0 {
		ps.add("/order/shipping", "range", "must be 0 or more, got %g", o.Shipping)
	}
	ps.text("/order/coupon", o.Coupon, false, MaxString)
}

func (e Event) validateCustom(ps *Problems) {
	if len(e.Custom) > MaxCustom {
		ps.add("/custom", "length", "has %d keys, at most %d are allowed", len(e.Custom), MaxCustom)
		return
	}
	keys := make([]string, 0, len(e.Custom))
	for key := range e.Custom {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, key := range keys {
		at := "/custom/" + escape.Replace(key)
		switch v := e.Custom[key].(type) {
		case string:
			ps.text(at, v, false, MaxString)
		case float64, bool:
		default:
			ps.add(at, "type", "must be text, a number or a boolean")
		}
	}
}

// IDTime returns the time in a UUIDv7, in milliseconds.
func IDTime(id string) (time.Time, error) {
	u, err := uuid.Parse(id)
	if err != nil || len(id) != 36 || u.Version() != 7 {
		return time.Time{}, errors.New("not a UUID of version 7")
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
