package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/shopstream/shopstream/constructs/event"
)

// schema is a JSON Schema of 2020-12.
type schema struct {
	Dialect              string      `json:"$schema,omitempty"`
	ID                   string      `json:"$id,omitempty"`
	Ref                  string      `json:"$ref,omitempty"`
	Title                string      `json:"title,omitempty"`
	Description          string      `json:"description,omitempty"`
	Type                 any         `json:"type,omitempty"` // one word or some
	Const                string      `json:"const,omitempty"`
	Enum                 []any       `json:"enum,omitempty"`
	Format               string      `json:"format,omitempty"`
	Pattern              string      `json:"pattern,omitempty"`
	MinLength            int         `json:"minLength,omitempty"`
	MaxLength            int         `json:"maxLength,omitempty"`
	Minimum              json.Number `json:"minimum,omitempty"`
	ExclusiveMinimum     json.Number `json:"exclusiveMinimum,omitempty"`
	Maximum              json.Number `json:"maximum,omitempty"`
	MinItems             int         `json:"minItems,omitempty"`
	MaxItems             int         `json:"maxItems,omitempty"`
	Items                *schema     `json:"items,omitempty"`
	MaxProperties        int         `json:"maxProperties,omitempty"`
	PropertyNames        *schema     `json:"propertyNames,omitempty"`
	Required             []string    `json:"required,omitempty"`
	Properties           properties  `json:"properties,omitempty"`
	AdditionalProperties any         `json:"additionalProperties,omitempty"` // false or a schema
	AllOf                []schema    `json:"allOf,omitempty"`
	If                   *schema     `json:"if,omitempty"`
	Then                 *schema     `json:"then,omitempty"`
}

// properties are an object whose order stays.
type properties []property

type property struct {
	name  string
	value any
}

func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", p.name)
		b.Write(bytes.TrimSpace(indented(p.value)))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

const dialect = "https://json-schema.org/draft/2020-12/schema"

// urn names a schema. It stays as long as the contract's version does.
func urn(name string) string {
	return fmt.Sprintf("urn:shopstream:contract:%d:%s", event.SchemaVersion, name)
}

func batchSchema(w words) schema {
	s := objectSchema(w, "Batch", event.BatchFields)
	s.Dialect, s.ID, s.Title, s.Type = dialect, urn("batch"), "Batch", "object"
	s.Description = w.structs["Batch"]
	return s
}

func eventSchema(w words) schema {
	s := objectSchema(w, "Event", event.EventFields)
	s.Dialect, s.ID, s.Title, s.Type = dialect, urn("event"), "Event", "object"
	s.Description = w.structs["Event"]
	for _, t := range types() {
		needs := needed(t)
		if len(needs) == 0 {
			continue
		}
		then := schema{}
		for _, f := range needs {
			part := schema{Type: "object"}
			if f.Kind == event.KindList {
				part = schema{Type: "array", MinItems: 1}
			}
			then.Required = append(then.Required, f.Name)
			then.Properties = append(then.Properties, property{f.Name, part})
		}
		s.AllOf = append(s.AllOf, schema{
			If:   &schema{Required: []string{"type"}, Properties: properties{{"type", schema{Const: t}}}},
			Then: &then,
		})
	}
	return s
}

// types are the contract's types of events.
func types() []string {
	i := slices.IndexFunc(event.EventFields, func(f event.Field) bool { return f.Name == "type" })
	return event.EventFields[i].Values
}

// needed are the parts that events of a type must have.
func needed(t string) (parts []event.Field) {
	for _, f := range event.EventFields {
		if slices.Contains(f.RequiredIn, event.Type(t)) {
			parts = append(parts, f)
		}
	}
	return parts
}

func objectSchema(w words, name string, fields []event.Field) schema {
	s := schema{AdditionalProperties: false}
	for _, f := range fields {
		if f.Required {
			s.Required = append(s.Required, f.Name)
		}
		inner := fieldSchema(w, f)
		inner.Description = w.of(name, f.Name)
		s.Properties = append(s.Properties, property{f.Name, inner})
	}
	return s
}

// The forms of texts. A time's years are those that it has in its own zone.
const (
	idPattern       = `^[^@\x00-\x1f\x7f]*$`
	uuidPattern     = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
	uuidv7Pattern   = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
	currencyPattern = "^[A-Z]{3}$"
	timePattern     = "^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-[0-9]{2}-[0-9]{2}T" +
		`([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
)

func fieldSchema(w words, f event.Field) schema {
	s := schema{Type: "string"}
	switch f.Kind {
	case event.KindText, event.KindURL, event.KindID:
		s.MaxLength = f.Length
		if f.Required {
			s.MinLength = 1
		}
		if f.Kind == event.KindID {
			s.Pattern = idPattern
		}
	case event.KindUUID:
		s.Pattern = uuidPattern
	case event.KindUUIDv7:
		s.Pattern = uuidv7Pattern
	case event.KindCurrency:
		s.Pattern = currencyPattern
	case event.KindTime:
		s.Format, s.Pattern = "date-time", timePattern
	case event.KindEnum:
		for _, v := range f.Values {
			s.Enum = append(s.Enum, v)
		}
	case event.KindInteger, event.KindNumber:
		s = numberSchema(f)
	case event.KindObject:
		s = objectSchema(w, f.Struct, f.Fields)
		s.Type = "object"
	case event.KindList:
		element := objectSchema(w, f.Struct, f.Fields)
		element.Type = "object"
		s = schema{Type: "array", MaxItems: f.Length, Items: &element}
	case event.KindEvents:
		s = schema{Type: "array", MinItems: 1, MaxItems: f.Length, Items: &schema{Ref: urn("event")}}
	case event.KindCustom:
		s = schema{
			Type: "object", MaxProperties: f.Length,
			PropertyNames: &schema{Pattern: event.CustomName.String()},
			AdditionalProperties: schema{
				Type: []string{"string", "number", "boolean"}, MaxLength: event.MaxCustomText,
				Minimum: literal(-math.MaxFloat64), Maximum: literal(math.MaxFloat64),
			},
		}
	default:
		panic(fmt.Sprintf("the field %s is of kind %s, which has no JSON Schema", f.Name, f.Kind))
	}
	if !f.Required { // what is absent and what is null are the same
		s.Type = []any{s.Type, "null"}
		if s.Enum != nil {
			s.Enum = append(s.Enum, nil)
		}
	}
	return s
}

func numberSchema(f event.Field) schema {
	s := schema{Type: "number", Maximum: literal(f.Max)}
	if f.Kind == event.KindInteger {
		s.Type = "integer"
		if math.IsInf(f.Max, 1) {
			s.Maximum = json.Number(strconv.Itoa(math.MaxInt64))
		}
	}
	if s.Minimum = literal(f.Min); f.Over {
		s.Minimum, s.ExclusiveMinimum = "", s.Minimum
	}
	return s
}

// literal is n in JSON, empty where it is infinite.
func literal(n float64) json.Number {
	switch {
	case math.IsInf(n, 0):
		return ""
	case math.Abs(n) > 1e15:
		return json.Number(strconv.FormatFloat(n, 'g', -1, 64))
	}
	return json.Number(strconv.FormatFloat(n, 'f', -1, 64))
}
