package event

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// checker holds decoded values to the contract.
type checker struct {
	event    Type
	problems Problems
	path     []step // to the value that is looked at
}

// step is one step of a path: a field, or an element where the name is empty.
type step struct {
	name  string
	index int
}

func (c *checker) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return c.problems
}

// add adds a problem of the value that is looked at.
func (c *checker) add(rule, format string, args ...any) {
	var at []byte
	for _, s := range c.path {
		at = append(at, '/')
		if s.name == "" {
			at = strconv.AppendInt(at, int64(s.index), 10)
		}
		at = append(at, s.name...)
	}
	c.problems = append(c.problems, Problem{string(at), rule, fmt.Sprintf(format, args...)})
}

func (c *checker) fields(fields []Field, of reflect.Value) {
	for i := range fields {
		f := &fields[i]
		c.path = append(c.path, step{name: f.Name})
		c.field(f, of.Field(f.index))
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) field(f *Field, v reflect.Value) {
	if v.IsZero() || (v.Kind() == reflect.Slice && v.Len() == 0) {
		c.absent(f)
		return
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch f.Kind {
	case KindText, KindURL:
		c.length(f, utf8.RuneCountInString(v.String()), "characters")
	case KindID:
		c.length(f, utf8.RuneCountInString(v.String()), "characters")
		if strings.IndexFunc(v.String(), func(r rune) bool { return r == '@' || r < ' ' || r == 0x7f }) >= 0 {
			c.add("id", "must not hold @ or control characters")
		}
	case KindUUID:
		if _, err := uuid.Parse(v.String()); err != nil || v.Len() != 36 {
			c.add("uuid", "must be a UUID")
		}
	case KindUUIDv7:
		if _, err := IDTime(v.String()); err != nil {
			c.add("uuidv7", "must be a UUID of version 7 in lower case")
		}
	case KindEnum:
		if !slices.Contains(f.Values, v.String()) {
			c.add("enum", "must be one of %s", strings.Join(f.Values, ", "))
		}
	case KindTime: // beyond these years it has no form in JSON once it is in UTC
		if year := v.Addr().Interface().(*time.Time).UTC().Year(); year < 1970 || year > 9998 {
			c.add("range", "must be of the years 1970 to 9998")
		}
	case KindCurrency:
		if s := v.String(); len(s) != 3 || strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) >= 0 {
			c.add("currency", "must be a currency of ISO 4217 such as EUR")
		}
	case KindInteger:
		c.number(f, float64(v.Int()))
	case KindNumber:
		c.number(f, v.Float())
	case KindObject:
		c.fields(f.Fields, v)
	case KindList:
		c.length(f, v.Len(), "elements")
		for i := range min(v.Len(), f.Length) { // those above are refused unseen
			c.path = append(c.path, step{index: i})
			c.fields(f.Fields, v.Index(i))
			c.path = c.path[:len(c.path)-1]
		}
	case KindEvents: // their reader has counted them
	case KindCustom:
		c.custom(f, v.Interface().(Custom))
	}
}

// absent checks that f may be so. A number that is absent and one that is 0
// are the same.
func (c *checker) absent(f *Field) {
	switch {
	case slices.Contains(f.RequiredIn, c.event):
		c.add("required", "is required in events of type %s", c.event)
	case (f.Kind == KindInteger || f.Kind == KindNumber) && f.Required:
		c.number(f, 0)
	case f.Required:
		c.add("required", "is required")
	}
}

func (c *checker) length(f *Field, got int, what string) {
	if got > f.Length {
		c.add("length", "has %d %s, at most %d are allowed", got, what, f.Length)
	}
}

func (c *checker) number(f *Field, got float64) {
	if got < f.Min || got > f.Max || (f.Over && got == f.Min) {
		c.add("range", "must be %s", f.Range())
	}
}

// Range says in words what numbers are allowed.
func (f Field) Range() string {
	text := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	words := text(f.Min)
	if f.Over {
		words = "over " + words
	}
	switch {
	case f.Min == f.Max:
		return words
	case !math.IsInf(f.Max, 1) && f.Over:
		return words + " and at most " + text(f.Max)
	case !math.IsInf(f.Max, 1):
		return words + " to " + text(f.Max)
	case f.Over:
		return words
	}
	return words + " or more"
}

func (c *checker) custom(f *Field, custom Custom) {
	c.length(f, len(custom), "names")
	if len(custom) > f.Length {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		if !CustomName.MatchString(name) {
			c.add("custom_name", "holds a name that does not match %s", CustomName)
			continue
		}
		if text, ok := custom[name].(string); ok && utf8.RuneCountInString(text) > MaxCustomText {
			c.path = append(c.path, step{name: name})
			c.add("length", "has %d characters, at most %d are allowed", utf8.RuneCountInString(text), MaxCustomText)
			c.path = c.path[:len(c.path)-1]
		}
	}
}

// eventTime checks the time in an event's id.
func (c *checker) eventTime(id string, receivedAt time.Time) {
	t, err := IDTime(id)
	if err == nil && (t.Before(receivedAt.Add(-MaxEventAge)) || t.After(receivedAt.Add(MaxEventFuture))) {
		c.path = append(c.path, step{name: "event_id"})
		c.add("event_time", "holds a time %s from its receipt; allowed are 30 days before to 1 hour after", t.Sub(receivedAt).Round(time.Second))
	}
}
