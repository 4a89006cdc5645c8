package event

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind says what a field's value is: how it is checked, how tables store it
// and whether personal data may stand in it.
type Kind string

// The kinds of values. In JSON all are texts but integers, numbers, objects,
// lists, events and custom.
const (
	KindText     Kind = "text"     // may hold personal data: preprocess scrubs it
	KindURL      Kind = "url"      // may hold personal data: preprocess scrubs it and keeps its parameters by allowlist
	KindID       Kind = "id"       // chosen by the shop, never scrubbed: no @ and no control character
	KindUUID     Kind = "uuid"     // in the form of 36 characters, in any case
	KindUUIDv7   Kind = "uuidv7"   // a UUID of version 7, in lower case
	KindEnum     Kind = "enum"     // one of the values that the field lists
	KindTime     Kind = "time"     // RFC 3339, of the years 1970 to 9998
	KindCurrency Kind = "currency" // three capital letters
	KindInteger  Kind = "integer"  // without a fraction
	KindNumber   Kind = "number"   // such as 19.95
	KindObject   Kind = "object"   // of fields of its own
	KindList     Kind = "list"     // of objects
	KindEvents   Kind = "events"   // a list of events
	KindCustom   Kind = "custom"   // texts, numbers and booleans by names of the shop's own
	KindDay      Kind = "day"      // such as 2026-03-02, in UTC
	KindAddress  Kind = "address"  // an IP address, cut so that many share it
	KindWord     Kind = "word"     // of a list of ours, which may grow
)

// Field is a field of the contract. What is absent and what is null are the
// same.
type Field struct {
	Name       string   `json:"name"`                 // in JSON
	Kind       Kind     `json:"kind"`                 //
	Required   bool     `json:"required,omitzero"`    // a text must not be empty either
	RequiredIn []Type   `json:"required_in,omitzero"` // types of events that must have the part
	Length     int      `json:"length,omitzero"`      // at most: characters of a text, elements of a list, names of a map; 0 where the kind bounds it
	Min        float64  `json:"min"`                  // of a number; -Inf where there is no bound
	Max        float64  `json:"max"`                  // of a number; +Inf where there is no bound
	Over       bool     `json:"over,omitzero"`        // Min itself is not allowed
	Values     []string `json:"values,omitzero"`      // of an Enum
	Fields     []Field  `json:"fields,omitzero"`      // of an Object and of a List's elements
	Feature    bool     `json:"feature,omitzero"`     // features are made of it
	Struct     string   `json:"-"`                    // the Go struct that declares Fields

	index int // in the Go struct
}

// The contract's fields, as the tags of Batch, Event and Stored declare them.
var (
	BatchFields  = fieldsOf(reflect.TypeFor[Batch]())
	EventFields  = fieldsOf(reflect.TypeFor[Event]())
	StoredFields = fieldsOf(reflect.TypeFor[Stored]())[1:] // that preprocess adds to the event
)

// The values of the contract's enums.
var enums = map[string][]string{
	"type": words(PageView, SearchProducts, ListView, ListClick, ProductView, AddToCart, RemoveFromCart, AddToWishlist,
		CheckoutStep, Purchase, Refund, PromoView, PromoClick, RateProduct, GiveConsent, ScriptError),
	"consent": words(ConsentGranted, ConsentDenied, ConsentUnknown),
	"trust":   words(TrustBrowser, TrustServer),
}

func words[T ~string](values ...T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

// Custom is what a shop adds of its own: texts of at most MaxCustomText
// characters, numbers and booleans by plain names, which CustomName tells.
type Custom map[string]any

// MaxCustomText bounds the texts of Custom, in characters.
const MaxCustomText = 1024

// CustomName is what the names in Custom must match. Names that browsers or
// shoppers make up may be personal, plain ones are not.
var CustomName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// fieldsOf reads the tags of t's fields. A mistake in them is ours: it panics
// in the first test.
func fieldsOf(t reflect.Type) []Field {
	all := make([]Field, t.NumField())
	for i := range all {
		all[i] = fieldOf(t.Field(i), i)
	}
	return all
}

func fieldOf(member reflect.StructField, index int) Field {
	if member.Anonymous { // of which the fields are declared elsewhere
		return Field{index: index}
	}
	name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
	kind, rules, _ := strings.Cut(member.Tag.Get("contract"), " ")
	f := Field{Name: name, Kind: Kind(kind), Min: math.Inf(-1), Max: math.Inf(1), index: index}
	for _, rule := range strings.Fields(rules) {
		word, value, _ := strings.Cut(rule, "=")
		switch word {
		case "required":
			f.Required = true
		case "in":
			for _, t := range strings.Split(value, ",") {
				if !slices.Contains(enums["type"], t) {
					panic(fmt.Sprintf("the contract's field %s is required in %q, which is no type of event", name, t))
				}
				f.RequiredIn = append(f.RequiredIn, Type(t))
			}
		case "length":
			f.Length = int(number(value))
		case "min":
			f.Min = number(value)
		case "over":
			f.Min, f.Over = number(value), true
		case "max":
			f.Max = number(value)
		case "values":
			f.Values = enums[value]
		case "feature":
			f.Feature = true
		default:
			panic(fmt.Sprintf("the contract's field %s has the unknown rule %q", name, rule))
		}
	}
	switch f.Kind {
	case KindObject, KindList:
		f.Fields, f.Struct = fieldsOf(member.Type.Elem()), member.Type.Elem().Name()
	case KindText, KindURL, KindID, KindUUID, KindUUIDv7, KindEnum, KindTime, KindCurrency, KindInteger, KindNumber, KindEvents, KindCustom, KindDay, KindAddress, KindWord:
	default:
		panic(fmt.Sprintf("the contract's field %s has the unknown kind %q", name, kind))
	}
	return f
}

func number(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(err)
	}
	return n
}
