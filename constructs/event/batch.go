package event

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// IDs are what the collector must know of an event before anybody has judged
// it: where it goes, and which of its values tell who the shopper is. They lie
// in the body that they were read from.
type IDs struct {
	Event   []byte       // event_id; empty where it is absent or no text
	Visitor []byte       // visitor_id; likewise
	Consent ConsentState // the state in consent, whatever it says

	raw      jsontext.Value
	personal []personal // in their order; a field that is there twice is here twice
}

// personal is a value of visitor_id or session_id that is not null.
type personal struct {
	start, end int // in raw
	visitor    bool
}

// AppendEvent appends the event to b with visitor in the place of its
// visitor_id. Without a visitor it appends null for visitor_id and session_id,
// which is to be absent. A visitor_id that is no text becomes 0, for
// preprocess to refuse.
func (ids IDs) AppendEvent(b []byte, visitor string) []byte {
	at := 0
	for _, p := range ids.personal {
		b = append(b, ids.raw[at:p.start]...)
		at = p.end
		switch {
		case visitor == "":
			b = append(b, "null"...)
		case !p.visitor:
			at = p.start // stays
		case ids.raw[p.start] == '"':
			b, _ = jsontext.AppendQuote(b, visitor) // fails for bad UTF-8 alone, which it replaces
		default:
			b = append(b, '0')
		}
	}
	return append(b, ids.raw[at:]...)
}

// UnmarshalBatch decodes the body of POST /v1/events and checks its envelope.
// All of the body is well-formed then and nested at most MaxBatchDepth deep,
// but its events' fields are judged by Unmarshal alone: unknown ones and ones
// that are there twice pass. The ids are those of the events, in their order;
// they and the events lie in body. The error is a Problems.
func UnmarshalBatch(body []byte) (Batch, []IDs, error) {
	r := reader{body: body}
	var b Batch
	of := reflect.ValueOf(&b).Elem()
	ids, err := r.batch(of)
	if err == nil && !utf8.Valid(body) {
		err = errBadUTF8
	}
	if err != nil {
		return b, nil, Problems{problem(body, MaxBatchDepth, err)}
	}
	c := checker{}
	c.fields(BatchFields, of)
	return b, ids, c.err()
}

// reader reads a batch in one pass. It lets pass what Unmarshal judges.
type reader struct {
	body     []byte
	at       int
	personal []personal // of all events
}

// lenient lets fields that are there twice pass, and halves of surrogate
// pairs, which are U+FFFD: browsers send them where a script cut an emoji in
// two. Bad UTF-8 itself is looked for apart.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// batch reads the envelope's fields into of, a Batch.
func (r *reader) batch(of reflect.Value) (ids []IDs, err error) {
	if r.next() != '{' {
		return nil, r.mistyped("", "must be an object")
	}
	r.at++
	seen := 0
	for more := r.next() != '}'; more; more, err = r.more('}') {
		name, err := r.name()
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(BatchFields, func(f Field) bool { return f.Name == string(name) })
		if i < 0 {
			return nil, Problem{plain(jsontext.Pointer("").AppendToken(string(name))), "unknown_field", unknownField}
		}
		f := &BatchFields[i]
		if seen&(1<<i) != 0 {
			return nil, Problem{"/" + f.Name, "duplicate_field", duplicateField}
		}
		seen |= 1 << i
		if f.Kind == KindEvents {
			var events []jsontext.Value
			if events, ids, err = r.events(f); err == nil {
				of.Field(f.index).Set(reflect.ValueOf(events))
			}
		} else {
			err = r.value(f, of.Field(f.index))
		}
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	r.at++
	if r.at = space(r.body, r.at); r.at < len(r.body) {
		return nil, errTrailing
	}
	return ids, nil
}

// next steps over white space and returns the byte behind it, or 0.
func (r *reader) next() byte {
	r.at = space(r.body, r.at)
	return byteAt(r.body, r.at)
}

// more steps over a comma to what follows it, or stops at end.
func (r *reader) more(end byte) (bool, error) {
	switch r.next() {
	case end:
		return false, nil
	case ',':
		r.at++
		r.next()
		return true, nil
	}
	return false, errNoJSON
}

// name reads the name of a field and stops at its value.
func (r *reader) name() ([]byte, error) {
	begin, end := r.at, skipText(r.body, r.at)
	if r.at = skipColon(r.body, end); r.at == nowhere {
		return nil, errNoJSON
	}
	return unquote(r.body[begin:end]), nil
}

// raw reads a value whole, which nests at most room deep.
func (r *reader) raw(room int) (jsontext.Value, error) {
	begin := r.at
	if r.at = skip(r.body, begin, room); r.at == nowhere {
		return nil, errNoJSON
	}
	return r.body[begin:r.at:r.at], nil
}

// unquote returns the text of a string that is well-formed.
func unquote(quoted jsontext.Value) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // fails for halves of pairs alone, which are U+FFFD
	return text
}

// mistyped reads a value of the wrong type, which may be worse than that.
func (r *reader) mistyped(pointer, message string) error {
	if _, err := r.raw(MaxBatchDepth); err != nil {
		return err
	}
	return Problem{pointer, "type", message}
}

// value reads the value of a field of the envelope. Null is absent.
func (r *reader) value(f *Field, v reflect.Value) error {
	raw, err := r.raw(MaxBatchDepth)
	if err != nil || raw.Kind() == 'n' {
		return err
	}
	at := "/" + f.Name
	switch {
	case f.Kind == KindInteger && raw.Kind() == '0':
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if errors.Is(err, strconv.ErrRange) {
			return Problem{at, "range", "must be " + f.Range()}
		} else if err != nil {
			return Problem{at, "type", "must be " + wholeNumber}
		}
		v.SetInt(n)
	case f.Kind == KindInteger:
		return Problem{at, "type", "must be " + wholeNumber}
	case raw.Kind() != '"':
		return Problem{at, "type", "must be text"}
	case f.Kind == KindTime:
		if err := v.Addr().Interface().(*time.Time).UnmarshalText(unquote(raw)); err != nil {
			return Problem{at, "time", timeForm}
		}
	default:
		v.SetString(string(unquote(raw)))
	}
	return nil
}

// events reads the list of events, at most as many as are allowed.
func (r *reader) events(f *Field) (events []jsontext.Value, ids []IDs, err error) {
	at := "/" + f.Name
	switch r.next() {
	case 'n':
		_, err := r.raw(0)
		return nil, nil, err
	case '[':
		r.at++
	default:
		return nil, nil, r.mistyped(at, "must be a list")
	}
	events, ids, r.personal = make([]jsontext.Value, 0, 32), make([]IDs, 0, 32), make([]personal, 0, 64)
	for more := r.next() != ']'; more; more, err = r.more(']') {
		if r.next() != '{' {
			return nil, nil, r.mistyped(at+"/"+strconv.Itoa(len(events)), "must be an object")
		}
		if len(events) == f.Length {
			return nil, nil, Problem{at, "length", fmt.Sprintf("has more than %d events", f.Length)}
		}
		id, err := r.event()
		if err != nil {
			return nil, nil, err
		}
		events, ids = append(events, id.raw), append(ids, id)
	}
	r.at++
	return events, ids, err
}

// event reads an object whole and finds the ids in it.
func (r *reader) event() (ids IDs, err error) {
	begin, first := r.at, len(r.personal)
	r.at++
	for more := r.next() != '}'; more; more, err = r.more('}') {
		name, err := r.name()
		if err != nil {
			return ids, err
		}
		at := r.at - begin
		value, err := r.raw(MaxBatchDepth - 3) // the body, the list and the event lie about it
		if err != nil {
			return ids, err
		}
		r.field(&ids, name, value, at)
	}
	if err != nil {
		return ids, err
	}
	r.at++
	ids.raw, ids.personal = r.body[begin:r.at:r.at], r.personal[first:len(r.personal):len(r.personal)]
	return ids, nil
}

// field looks at the field of a name, whose value begins at at in the event.
func (r *reader) field(ids *IDs, name []byte, value jsontext.Value, at int) {
	text := value[0] == '"'
	switch string(name) {
	case "event_id":
		if text {
			ids.Event = unquote(value)
		}
	case "visitor_id", "session_id":
		visitor := name[0] == 'v'
		if visitor && text {
			ids.Visitor = unquote(value)
		}
		if value[0] != 'n' {
			r.personal = append(r.personal, personal{at, at + len(value), visitor})
		}
	case "consent":
		var consent Consent
		_ = json.Unmarshal(value, &consent, lenient) // preprocess judges it
		ids.Consent = consent.State
	}
}

// eventID returns the event_id of what is or is not an event, as far as it is
// well-formed.
func eventID(raw []byte) (id string) {
	r := reader{body: raw}
	if r.next() == '{' {
		ids, _ := r.event()
		id = string(ids.Event)
	}
	return id
}
