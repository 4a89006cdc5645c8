package event

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func TestAColumnHasATypeInEachDialect(t *testing.T) {
	type inner struct {
		Name string    `json:"name"`
		Day  string    `json:"sale_date"`
		At   time.Time `json:"at"`
	}
	type embedded struct {
		Shop string `json:"shop" contract:"id required length=64"`
	}
	type row struct {
		embedded
		ID       string         `json:"id" contract:"uuid required"`
		URL      string         `json:"url,omitzero" contract:"url length=4096"`
		Long     string         `json:"long" contract:"text length=20000"`
		Free     string         `json:"free"`
		Kind     Trust          `json:"kind" contract:"enum values=trust"`
		Currency string         `json:"currency" contract:"currency required"`
		Day      string         `json:"event_date"`
		Small    int            `json:"small"`
		Large    *int64         `json:"large,omitempty"`
		Number   float64        `json:"number"`
		Yes      bool           `json:"yes"`
		At       time.Time      `json:"at"`
		Raw      jsontext.Value `json:"raw"`
		Part     *inner         `json:"part,omitzero"`
		List     []inner        `json:"list,omitzero"`
		Custom   Custom         `json:"custom,omitzero"`
	}
	want := []Column{
		{Name: "shop", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(256)"},
		{Name: "id", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(36)"},
		{Name: "url", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(16384)", Nullable: true},
		{Name: "long", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(65535)"},
		{Name: "free", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(65535)"},
		{Name: "kind", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(64)"},
		{Name: "currency", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(3)"},
		{Name: "event_date", Glue: "date", GlueJSON: "string", Spark: "DATE", Redshift: "DATE"},
		{Name: "small", Glue: "int", GlueJSON: "int", Spark: "INT", Redshift: "INTEGER"},
		{Name: "large", Glue: "bigint", GlueJSON: "bigint", Spark: "BIGINT", Redshift: "BIGINT", Nullable: true},
		{Name: "number", Glue: "double", GlueJSON: "double", Spark: "DOUBLE", Redshift: "DOUBLE PRECISION"},
		{Name: "yes", Glue: "boolean", GlueJSON: "boolean", Spark: "BOOLEAN", Redshift: "BOOLEAN"},
		{Name: "at", Glue: "timestamp", GlueJSON: "string", Spark: "TIMESTAMP", Redshift: "TIMESTAMPTZ"},
		{Name: "raw", Glue: "string", GlueJSON: "string", Spark: "STRING", Redshift: "VARCHAR(65535)"},
		{Name: "part", Glue: "struct<name:string,sale_date:date,at:timestamp>", GlueJSON: "struct<name:string,sale_date:string,at:string>",
			Spark: "STRUCT<name: STRING, sale_date: DATE, at: TIMESTAMP>", Redshift: "SUPER", Nullable: true},
		{Name: "list", Glue: "array<struct<name:string,sale_date:date,at:timestamp>>", GlueJSON: "array<struct<name:string,sale_date:string,at:string>>",
			Spark: "ARRAY<STRUCT<name: STRING, sale_date: DATE, at: TIMESTAMP>>", Redshift: "SUPER", Nullable: true},
		{Name: "custom", Glue: "map<string,string>", GlueJSON: "map<string,string>", Spark: "MAP<STRING, STRING>", Redshift: "SUPER", Nullable: true},
	}
	got := Columns(row{})
	if len(got) != len(want) {
		t.Fatalf("%d columns, want %d", len(got), len(want))
	}
	for i, c := range got {
		w := want[i]
		if c.Name != w.Name || c.Glue != w.Glue || c.GlueJSON != w.GlueJSON || c.Spark != w.Spark || c.Redshift != w.Redshift || c.Nullable != w.Nullable {
			t.Errorf("column %s is\n%+v, want\n%+v", w.Name, c, w)
		}
	}
}
