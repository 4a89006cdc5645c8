package sift

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/constructs/stream/preprocess/scrub"
)

// text is a field of a struct in which people's words stand, or one in whose
// own fields they do.
type text struct {
	index  int // in the struct
	kind   event.Kind
	within []text
}

// All that is scrubbed is what the contract declares to be text. Of what is
// added, user_agent is scrubbed once for all events of the agent.
var (
	eventTexts = textsOf(event.EventFields, 0)
	addedTexts = textsOf(event.StoredFields, 1) // behind the event
)

func textsOf(fields []event.Field, start int) (all []text) {
	for i, f := range fields {
		switch within := textsOf(f.Fields, 0); f.Kind {
		case event.KindObject, event.KindList:
			if len(within) > 0 {
				all = append(all, text{start + i, f.Kind, within})
			}
		case event.KindText, event.KindURL, event.KindCustom:
			all = append(all, text{start + i, f.Kind, nil})
		}
	}
	return all
}

// scrub scrubs the texts of a struct in place.
func (b *Batch) scrub(all []text, of reflect.Value) {
	for i := range all {
		t := &all[i]
		switch v := of.Field(t.index); t.kind {
		case event.KindText:
			if text := v.String(); text != "" {
				v.SetString(b.text(text))
			}
		case event.KindURL:
			if text := v.String(); text != "" {
				v.SetString(b.url(text))
			}
		case event.KindObject:
			if !v.IsNil() {
				b.scrub(t.within, v.Elem())
			}
		case event.KindList:
			for i := range v.Len() {
				b.scrub(t.within, v.Index(i))
			}
		case event.KindCustom:
			b.custom(v.Interface().(event.Custom))
		}
	}
}

// custom scrubs what a shop adds of its own: its names too, and whole numbers,
// which may be a card's. Where two names become one, the first one's value
// stays.
func (b *Batch) custom(custom event.Custom) {
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		value := custom[name]
		switch v := value.(type) {
		case string:
			value = b.text(v)
		case float64:
			if digits := strconv.FormatFloat(v, 'f', -1, 64); v == math.Trunc(v) && scrub.Text(digits) != digits {
				value = b.text(digits)
			}
		}
		clean := b.text(name)
		if clean != name {
			delete(custom, name)
			if _, taken := custom[clean]; taken {
				continue
			}
		}
		custom[clean] = value
	}
}

func (b *Batch) text(text string) string {
	clean := scrub.Text(text)
	if clean != text {
		b.count(text, clean)
	}
	return clean
}

func (b *Batch) url(url string) string {
	clean := scrub.URL(url, scrub.AllowedParameter)
	if clean != url {
		b.count(url, clean)
	}
	return clean
}

// id takes e-mail addresses from an id that the contract refuses for its @;
// nothing else in an id is personal data, whatever it looks like.
func (b *Batch) id(id string) string {
	if !strings.Contains(id, "@") {
		return id
	}
	var clean strings.Builder
	end := 0
	for _, m := range scrub.Find(id) {
		if m.Kind == scrub.Email {
			clean.WriteString(id[end:m.Start] + "[email]")
			end = m.End
		}
	}
	clean.WriteString(id[end:])
	b.count(id, clean.String())
	if strings.Contains(clean.String(), "@") { // an address of an intranet, or what hides one
		return "[email]"
	}
	return clean.String()
}

// count counts the matches that were replaced between text and clean, which may
// be a URL.
func (b *Batch) count(text, clean string) {
	for _, kind := range []scrub.Kind{scrub.Email, scrub.Phone, scrub.Card, scrub.IBAN, scrub.IP} {
		for _, mark := range []string{"[" + string(kind) + "]", "%5B" + string(kind) + "%5D"} {
			if n := strings.Count(clean, mark) - strings.Count(text, mark); n > 0 {
				b.Scrubbed[kind] += n
			}
		}
	}
}
