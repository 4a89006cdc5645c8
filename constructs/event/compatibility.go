package event

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Contract is all that senders and readers rely on: what may stand in a batch
// and in an event, what preprocess adds to a stored one, and the caps, each as
// the greatest value that is allowed.
var Contract = []Field{
	{Name: "batch", Kind: KindObject, Fields: BatchFields},
	{Name: "event", Kind: KindObject, Fields: EventFields},
	{Name: "stored", Kind: KindObject, Fields: StoredFields},
	{Name: "caps", Kind: KindObject, Fields: []Field{
		limit("batch_bytes", MaxBatchBytes), limit("batch_events", MaxBatchEvents), limit("event_bytes", MaxEventBytes),
		limit("batch_depth", MaxBatchDepth), limit("event_depth", MaxEventDepth), limit("custom_text", MaxCustomText),
		limit("event_age_seconds", MaxEventAge.Seconds()), limit("event_future_seconds", MaxEventFuture.Seconds()),
		{Name: "custom_name", Kind: KindEnum, Values: []string{CustomName.String()}}, // another pattern may refuse names
	}},
}

func limit(name string, greatest float64) Field {
	return Field{Name: name, Kind: KindInteger, Max: greatest}
}

// Break is a change of the contract that someone who relies on it does not
// survive.
type Break struct {
	Field string   // such as event.items.price
	What  string   // what became of it
	Tiers []string // that break
}

func (b Break) String() string {
	return fmt.Sprintf("%s %s: breaks %s", b.Field, b.What, strings.Join(b.Tiers, ", "))
}

// Compatible returns what breaks when new takes old's place, both as Contract
// is: a field that is gone or retyped, one or a part that is newly required,
// fewer values, a shorter length, a narrower range. Additions break nothing.
func Compatible(old, new []Field) []Break {
	c := comparison{}
	for _, root := range old {
		for _, f := range root.Fields {
			if root.Name == "event" && f.Name == "type" {
				c.types = f.Values
			}
		}
	}
	c.fields(old, new, nil)
	return c.breaks
}

type comparison struct {
	types  []string // that were known: of others nobody has sent events yet
	breaks []Break
}

func (c *comparison) fields(old, new []Field, within []string) {
	path := func(f Field) []string { return append(slices.Clone(within), f.Name) }
	for _, o := range old {
		if n := slices.IndexFunc(new, func(f Field) bool { return f.Name == o.Name }); n >= 0 {
			c.field(o, new[n], path(o))
		} else {
			c.lost(o, path(o), "is gone")
		}
	}
	for _, n := range new {
		if !slices.ContainsFunc(old, func(f Field) bool { return f.Name == n.Name }) {
			c.required(Field{}, n, path(n))
		}
	}
}

func (c *comparison) field(o, n Field, at []string) {
	if o.Kind != n.Kind {
		c.lost(o, at, "was of kind %s and is of kind %s", o.Kind, n.Kind)
		return
	}
	c.required(o, n, at)
	if values := missing(o.Values, n.Values); len(values) > 0 {
		c.refused(at, "no longer allows %s", strings.Join(values, ", "))
	}
	if n.Length < o.Length {
		c.refused(at, "was of at most %d and is of at most %d", o.Length, n.Length)
	}
	if o.bounded() && (n.Min > o.Min || n.Max < o.Max || (n.Over && !o.Over && n.Min == o.Min)) {
		c.refused(at, "was %s and is %s", o.Range(), n.Range())
	}
	c.fields(o.Fields, n.Fields, at)
}

func (c *comparison) required(o, n Field, at []string) {
	if n.Required && !o.Required {
		c.refused(at, "is newly required")
	}
	var types []string
	for _, t := range missing(n.RequiredIn, o.RequiredIn) {
		if slices.Contains(c.types, string(t)) {
			types = append(types, string(t))
		}
	}
	if len(types) > 0 {
		c.refused(at, "is newly required in %s", strings.Join(types, ", "))
	}
}

// lost adds the break of a field that its readers find no more, or not as it
// was.
func (c *comparison) lost(o Field, at []string, format string, args ...any) {
	tiers := map[string][]string{
		"batch":  {"tracker", "ingest"},
		"event":  {"tracker", "preprocess", "stream", "lake", "warehouse"},
		"stored": {"stream", "lake", "warehouse"},
		"caps":   {"tracker", "ingest"},
	}[at[0]]
	if o.isFeature() {
		tiers = append(tiers, "features")
	}
	c.breaks = append(c.breaks, Break{strings.Join(at, "."), fmt.Sprintf(format, args...), tiers})
}

func (f Field) isFeature() bool { return f.Feature || slices.ContainsFunc(f.Fields, Field.isFeature) }

// refused adds the break of what was valid and is no more: senders still send
// it, and what is stored still holds it, where the tables' rules now refuse it.
func (c *comparison) refused(at []string, format string, args ...any) {
	tiers := map[string][]string{
		"batch":  {"tracker", "ingest"},
		"event":  {"tracker", "preprocess", "lake"},
		"stored": {"lake", "warehouse"},
		"caps":   {"tracker", "ingest"},
	}[at[0]]
	c.breaks = append(c.breaks, Break{strings.Join(at, "."), fmt.Sprintf(format, args...), tiers})
}

func missing[T comparable](from, in []T) (all []T) {
	for _, v := range from {
		if !slices.Contains(in, v) {
			all = append(all, v)
		}
	}
	return all
}

// plainField is a Field without its methods.
type plainField Field

// MarshalJSON leaves out the bounds that are infinite, which JSON can't hold.
func (f Field) MarshalJSON() ([]byte, error) {
	bounds := struct {
		plainField
		Min *float64 `json:"min,omitempty"`
		Max *float64 `json:"max,omitempty"`
	}{plainField: plainField(f)}
	if !math.IsInf(f.Min, 0) && f.bounded() {
		bounds.Min = &f.Min
	}
	if !math.IsInf(f.Max, 0) && f.bounded() {
		bounds.Max = &f.Max
	}
	return json.Marshal(bounds)
}

func (f Field) bounded() bool { return f.Kind == KindInteger || f.Kind == KindNumber }

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Field) UnmarshalJSON(b []byte) error {
	read := plainField{Min: math.Inf(-1), Max: math.Inf(1)}
	bounds := struct {
		*plainField
		Min *float64 `json:"min"`
		Max *float64 `json:"max"`
	}{plainField: &read, Min: &read.Min, Max: &read.Max}
	if err := json.Unmarshal(b, &bounds); err != nil {
		return err
	}
	*f = Field(read)
	return nil
}
