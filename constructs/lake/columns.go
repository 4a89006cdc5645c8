package lake

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/gluecatalogtable"
)

// format is how a table stores the contract's types.
type format struct {
	time string // type of a time
	date string // type of a day, whose field's name ends in _date
}

var (
	jsonFormat    = format{time: "string", date: "string"} // as written: its reader parses no zones
	icebergFormat = format{time: "timestamp", date: "date"}
)

// columns are the fields of the contract's type of which row is a value, in
// their order, by the names that they have in JSON.
func columns(row any, f format) []*gluecatalogtable.GlueCatalogTableStorageDescriptorColumns {
	var columns []*gluecatalogtable.GlueCatalogTableStorageDescriptorColumns
	for _, field := range fields(reflect.TypeOf(row), f) {
		columns = append(columns, &gluecatalogtable.GlueCatalogTableStorageDescriptorColumns{
			Name: jsii.String(field.name), Type: jsii.String(field.hive),
		})
	}
	return columns
}

type field struct{ name, hive string }

func fields(t reflect.Type, f format) (all []field) {
	for i := range t.NumField() {
		member := t.Field(i)
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		switch {
		case member.Anonymous && name == "":
			all = append(all, fields(member.Type, f)...)
		case strings.HasSuffix(name, "_date"):
			all = append(all, field{name, f.date})
		default:
			all = append(all, field{name, hiveType(member.Type, f)})
		}
	}
	return all
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// hiveType is t in Glue's words.
func hiveType(t reflect.Type, f format) string {
	switch {
	case t == timeType:
		return f.time
	case t == rawType:
		return "string"
	}
	switch t.Kind() {
	case reflect.String, reflect.Interface: // text, numbers and booleans all read as text
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32:
		return "int"
	case reflect.Int64, reflect.Uint64:
		return "bigint"
	case reflect.Float64:
		return "double"
	case reflect.Pointer:
		return hiveType(t.Elem(), f)
	case reflect.Slice:
		return "array<" + hiveType(t.Elem(), f) + ">"
	case reflect.Map:
		return "map<" + hiveType(t.Key(), f) + "," + hiveType(t.Elem(), f) + ">"
	case reflect.Struct:
		var members []string
		for _, member := range fields(t, f) {
			members = append(members, member.name+":"+member.hive)
		}
		return "struct<" + strings.Join(members, ",") + ">"
	}
	panic(fmt.Sprintf("the contract's type %s has no type in Glue", t)) // found by the first test that synthesizes
}
