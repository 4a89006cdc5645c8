package event

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fieldAt returns the field of a contract at a path such as event.items.price.
func fieldAt(fields []Field, path string) *Field {
	name, rest, deeper := strings.Cut(path, ".")
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		panic("the contract has no field " + path)
	}
	if deeper {
		return fieldAt(fields[i].Fields, rest)
	}
	return &fields[i]
}

// copied is a contract that a test may change.
func copied(t *testing.T, contract []Field) (c []Field) {
	t.Helper()
	b, err := json.Marshal(contract)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func without(fields []Field, name string) []Field {
	return slices.DeleteFunc(fields, func(f Field) bool { return f.Name == name })
}

func TestABreakingChangeIsToldWithTheTiersThatBreak(t *testing.T) {
	const sent, read = "tracker preprocess lake", "tracker preprocess stream lake warehouse"
	for _, c := range []struct {
		name   string
		change func(contract []Field)
		field  string
		what   string
		tiers  string
	}{
		{"removed", func(c []Field) { f := fieldAt(c, "event.page"); f.Fields = without(f.Fields, "title") }, "event.page.title", "is gone", read},
		{"removed, of which features are made", func(c []Field) { f := fieldAt(c, "event.items"); f.Fields = without(f.Fields, "price") }, "event.items.price", "is gone", read + " features"},
		{"removed part that holds what features are made of", func(c []Field) { f := fieldAt(c, "event"); f.Fields = without(f.Fields, "order") }, "event.order", "is gone", read + " features"},
		{"renamed", func(c []Field) { fieldAt(c, "event.page.title").Name = "caption" }, "event.page.title", "is gone", read},
		{"retyped", func(c []Field) { fieldAt(c, "event.checkout.step").Kind = KindText }, "event.checkout.step", "was of kind integer and is of kind text", read},
		{"retyped in what is added", func(c []Field) { fieldAt(c, "stored.event_time").Kind = KindText }, "stored.event_time", "was of kind time and is of kind text", "stream lake warehouse features"},
		{"removed from what is added", func(c []Field) { f := fieldAt(c, "stored"); f.Fields = without(f.Fields, "frame_id") }, "stored.frame_id", "is gone", "stream lake warehouse"},
		{"removed from a batch", func(c []Field) { f := fieldAt(c, "batch"); f.Fields = without(f.Fields, "seq") }, "batch.seq", "is gone", "tracker ingest"},
		{"newly required", func(c []Field) { fieldAt(c, "event.page.title").Required = true }, "event.page.title", "is newly required", sent},
		{"newly required in a batch", func(c []Field) { fieldAt(c, "batch.seq").Required = true }, "batch.seq", "is newly required", "tracker ingest"},
		{"part newly required in a type", func(c []Field) {
			fieldAt(c, "event.items").RequiredIn = append(fieldAt(c, "event.items").RequiredIn, Refund)
		}, "event.items", "is newly required in refund", sent},
		{"new and required", func(c []Field) {
			f := fieldAt(c, "event.order")
			f.Fields = append(f.Fields, Field{Name: "vat_id", Kind: KindID, Required: true})
		}, "event.order.vat_id", "is newly required", sent},
		{"new part that a known type needs", func(c []Field) {
			f := fieldAt(c, "event")
			f.Fields = append(f.Fields, Field{Name: "cart", Kind: KindObject, RequiredIn: []Type{AddToCart}})
		}, "event.cart", "is newly required in add_to_cart", sent},
		{"fewer values", func(c []Field) { f := fieldAt(c, "event.type"); f.Values = f.Values[1:] }, "event.type", "no longer allows page_view", sent},
		{"shorter", func(c []Field) { fieldAt(c, "event.page.url").Length = 2048 }, "event.page.url", "was of at most 4096 and is of at most 2048", sent},
		{"shorter list", func(c []Field) { fieldAt(c, "event.items").Length = 100 }, "event.items", "was of at most 200 and is of at most 100", sent},
		{"greater minimum", func(c []Field) { fieldAt(c, "event.order.tax").Min = 1 }, "event.order.tax", "was 0 to 1000000000000 and is 1 to 1000000000000", sent},
		{"minimum excluded", func(c []Field) { fieldAt(c, "event.order.tax").Over = true }, "event.order.tax", "was 0 to 1000000000000 and is over 0 and at most 1000000000000", sent},
		{"smaller maximum", func(c []Field) { fieldAt(c, "event.rating.value").Max = 4 }, "event.rating.value", "was 1 to 5 and is 1 to 4", sent},
		{"maximum where none was", func(c []Field) { fieldAt(c, "event.error.line").Max = 99 }, "event.error.line", "was 0 or more and is 0 to 99", sent},
		{"smaller cap", func(c []Field) { fieldAt(c, "caps.batch_events").Max = 100 }, "caps.batch_events", "was 0 to 500 and is 0 to 100", "tracker ingest"},
		{"another pattern of names", func(c []Field) { fieldAt(c, "caps.custom_name").Values = []string{"^[a-z]$"} }, "caps.custom_name", "no longer allows " + CustomName.String(), "tracker ingest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := copied(t, Contract)
			c.change(changed)
			want := []Break{{c.field, c.what, strings.Fields(c.tiers)}}
			if got := Compatible(Contract, changed); !reflect.DeepEqual(got, want) {
				t.Fatalf("breaks are %v, want %v", got, want)
			}
			if got, want := want[0].String(), fmt.Sprintf("%s %s: breaks %s", c.field, c.what, strings.ReplaceAll(c.tiers, " ", ", ")); got != want {
				t.Errorf("it reads %q, want %q", got, want)
			}
		})
	}
}

func TestAnAdditionBreaksNothing(t *testing.T) {
	for name, change := range map[string]func(contract []Field){
		"nothing": func([]Field) {},
		"an optional field": func(c []Field) {
			f := fieldAt(c, "event.page")
			f.Fields = append(f.Fields, Field{Name: "language", Kind: KindText})
		},
		"a type with a part of its own": func(c []Field) {
			f := fieldAt(c, "event.type")
			f.Values = append(f.Values, "subscribe")
			f = fieldAt(c, "event")
			f.Fields = append(f.Fields, Field{Name: "subscription", Kind: KindObject, RequiredIn: []Type{"subscribe"}, Fields: []Field{{Name: "plan", Required: true}}})
		},
		"a known part that a new type needs": func(c []Field) {
			f := fieldAt(c, "event.items")
			f.RequiredIn = append(f.RequiredIn, "subscribe")
		},
		"another order":       func(c []Field) { slices.Reverse(fieldAt(c, "event").Fields) },
		"a longer text":       func(c []Field) { fieldAt(c, "event.page.title").Length = 2000 },
		"a wider range":       func(c []Field) { f := fieldAt(c, "event.rating.value"); f.Min, f.Max = 0, 10 },
		"a minimum included":  func(c []Field) { fieldAt(c, "event.items.price").Over = false },
		"a field made a wish": func(c []Field) { fieldAt(c, "event.checkout.step").Required = false },
		"a greater cap":       func(c []Field) { fieldAt(c, "caps.batch_events").Max = 1000 },
		"a further feature":   func(c []Field) { fieldAt(c, "event.rating.value").Feature = true },
	} {
		t.Run(name, func(t *testing.T) {
			changed := copied(t, Contract)
			change(changed)
			if breaks := Compatible(Contract, changed); len(breaks) > 0 {
				t.Error(breaks)
			}
		})
	}
}

// TestTheReleasedContractDoesNotBreak holds the contract to what was released
// under its version. A version that is not released yet may break.
func TestTheReleasedContractDoesNotBreak(t *testing.T) {
	for version := 1; version < SchemaVersion; version++ {
		released(t, version)
	}
	path := filepath.Join("schema", "released", fmt.Sprintf("%d.json", SchemaVersion))
	if _, err := os.Stat(path); os.IsNotExist(err) && SchemaVersion > 1 {
		return
	}
	for _, b := range Compatible(released(t, SchemaVersion), Contract) {
		t.Errorf("version %d of the contract is released, and %s; take it back or raise SchemaVersion", SchemaVersion, b)
	}
}

func released(t *testing.T, version int) (contract []Field) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("schema", "released", fmt.Sprintf("%d.json", version)))
	if err == nil {
		err = json.Unmarshal(b, &contract)
	}
	if err != nil || len(contract) == 0 {
		t.Fatalf("version %d of the contract was released; its file must stay: %v", version, err)
	}
	return contract
}

func TestWhatIsReleasedReadsAsItWasWritten(t *testing.T) {
	got := copied(t, Contract)
	if breaks := append(Compatible(got, Contract), Compatible(Contract, got)...); len(breaks) > 0 {
		t.Error(breaks)
	}
	if price := fieldAt(got, "event.items.price"); price.Min != 0 || price.Max != 1e12 || !price.Over || !price.Required || !price.Feature {
		t.Errorf("price is %+v", price)
	}
	if line := fieldAt(got, "event.error.line"); line.Range() != "0 or more" {
		t.Errorf("a line is %s", line.Range())
	}
}

// TestABatchOfVersion1IsStillRead reads a batch as senders have sent it since
// version 1. The file never changes.
func TestABatchOfVersion1IsStillRead(t *testing.T) {
	body, err := os.ReadFile(filepath.Join("testdata", "batch-v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	batch, _, err := UnmarshalBatch(body)
	if err != nil {
		t.Fatal(err)
	}
	if batch.V != 1 || len(batch.Events) != 16 {
		t.Fatalf("version %d, %d events", batch.V, len(batch.Events))
	}
	seen := map[Type]bool{}
	for _, raw := range batch.Events {
		e, err := Unmarshal(raw, time.Date(2026, 3, 2, 12, 0, 1, 0, time.UTC))
		if err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
		seen[e.Type] = true
	}
	if len(seen) != 16 {
		t.Errorf("%d types are there", len(seen))
	}
}
