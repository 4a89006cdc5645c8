package event

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Column is a column of a table.
type Column struct {
	Name     string // in JSON too
	Struct   string // the Go struct that declares it
	Nullable bool   // absent in some rows
	Field    Field  // as the contract declares it, if it does
	Glue     string // type in Glue and Athena, of a table in Iceberg
	GlueJSON string // type in Glue and Athena, of a table over JSON lines: times stay as they were written, its reader parses no zones
	Spark    string // type in Spark, of a table in Iceberg
	Redshift string // type in Redshift; what is nested is SUPER

	Columns []Column // of an object's fields
}

// StoredItem is a row of the table of items: one item of a stored event, with
// what its readers need of the event.
type StoredItem struct {
	ShopID       string    `json:"shop_id" contract:"id required length=64"`
	ShopBucket   int       `json:"shop_bucket" contract:"integer min=0 max=63"`
	EventID      string    `json:"event_id" contract:"uuidv7 required"`
	EventDate    string    `json:"event_date" contract:"day required"`
	EventTime    time.Time `json:"event_time" contract:"time required"`
	Type         Type      `json:"type" contract:"enum required values=type"`
	Trust        Trust     `json:"trust" contract:"enum required values=trust"`
	VisitorID    string    `json:"visitor_id,omitzero" contract:"id length=64"`
	SessionID    string    `json:"session_id,omitzero" contract:"id length=64"`
	ItemPosition int       `json:"item_position" contract:"integer min=0"` // in the event's items, from 0: with the event, the row's identity
	Item
}

// Columns are the columns of a table whose rows are of row's type, a struct:
// its fields in their order, by the names that they have in JSON.
func Columns(row any) []Column { return columnsOf(reflect.TypeOf(row)) }

func columnsOf(t reflect.Type) (columns []Column) {
	for _, m := range members(t) {
		c := Column{
			Name: m.name, Struct: m.within, Field: m.field,
			Nullable: strings.Contains(m.Tag.Get("json"), ",omit"),
			Glue:     glue.column(m), GlueJSON: glueJSON.column(m), Spark: spark.column(m), Redshift: redshift(m),
		}
		if m.field.Kind == KindObject {
			c.Columns = columnsOf(m.Type.Elem())
		}
		columns = append(columns, c)
	}
	return columns
}

// member is a field of a struct.
type member struct {
	reflect.StructField
	name   string // in JSON
	within string // name of the struct
	field  Field  // as its tag declares it, if it has one
}

func (m member) day() bool { return m.field.Kind == KindDay || strings.HasSuffix(m.name, "_date") }

// members are t's fields, those of embedded structs in their place.
func members(t reflect.Type) (all []member) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			all = append(all, members(f.Type)...)
			continue
		}
		m := member{StructField: f, within: t.Name()}
		m.name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("contract") != "" {
			m.field = fieldOf(f, i)
		}
		all = append(all, m)
	}
	return all
}

// dialect is how a system writes types.
type dialect struct {
	text, boolean, integer, long, double, time, day string
	list, names, object                             string // formats of what holds others
	member, between                                 string // format of an object's field, and what separates two
}

var (
	glue     = dialect{"string", "boolean", "int", "bigint", "double", "timestamp", "date", "array<%s>", "map<%s,%s>", "struct<%s>", "%s:%s", ","}
	glueJSON = dialect{"string", "boolean", "int", "bigint", "double", "string", "string", "array<%s>", "map<%s,%s>", "struct<%s>", "%s:%s", ","}
	spark    = dialect{"STRING", "BOOLEAN", "INT", "BIGINT", "DOUBLE", "TIMESTAMP", "DATE", "ARRAY<%s>", "MAP<%s, %s>", "STRUCT<%s>", "%s: %s", ", "}
	scalars  = dialect{boolean: "BOOLEAN", integer: "INTEGER", long: "BIGINT", double: "DOUBLE PRECISION", time: "TIMESTAMPTZ", day: "DATE"} // Redshift's
)

func (d dialect) column(m member) string {
	if m.day() {
		return d.day
	}
	return d.of(m.Type)
}

func (d dialect) of(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return d.time
	case reflect.TypeFor[jsontext.Value]():
		return d.text
	}
	switch t.Kind() {
	case reflect.String, reflect.Interface: // texts, numbers and booleans all read as text
		return d.text
	case reflect.Bool:
		return d.boolean
	case reflect.Int, reflect.Int32:
		return d.integer
	case reflect.Int64, reflect.Uint64:
		return d.long
	case reflect.Float64:
		return d.double
	case reflect.Pointer:
		return d.of(t.Elem())
	case reflect.Slice:
		return fmt.Sprintf(d.list, d.of(t.Elem()))
	case reflect.Map:
		return fmt.Sprintf(d.names, d.of(t.Key()), d.of(t.Elem()))
	case reflect.Struct:
		var all []string
		for _, m := range members(t) {
			all = append(all, fmt.Sprintf(d.member, m.name, d.column(m)))
		}
		return fmt.Sprintf(d.object, strings.Join(all, d.between))
	}
	panic(fmt.Sprintf("the contract's type %s is no column's", t)) // found by the first test that makes a table of it
}

// maxVarchar is the longest text that Redshift holds, in bytes.
const maxVarchar = 65535

// redshift is m's type in Redshift, which counts a text's bytes: up to four a
// character. Words and enums have room for longer ones to come.
func redshift(m member) string {
	t := m.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case m.day():
		return scalars.day
	case t == reflect.TypeFor[time.Time]():
		return scalars.time
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map, t.Kind() == reflect.Slice && t != reflect.TypeFor[jsontext.Value]():
		return "SUPER"
	}
	if other := scalars.of(t); other != "" {
		return other
	}
	bytes := maxVarchar
	switch m.field.Kind {
	case KindUUID, KindUUIDv7:
		bytes = 36
	case KindEnum, KindWord, KindAddress:
		bytes = 64
	case KindCurrency:
		bytes = 3
	case KindText, KindURL, KindID:
		bytes = min(4*m.field.Length, maxVarchar)
	}
	return fmt.Sprintf("VARCHAR(%d)", bytes)
}
