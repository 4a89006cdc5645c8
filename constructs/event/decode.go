package event

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Problem is one way in which an event or a batch breaks the contract.
type Problem struct {
	Pointer string // JSON pointer to the value at fault
	Rule    string // the broken rule: required, type, enum, range, length, uuidv7, unknown_field, json, …
	Message string // what was got and what is allowed; never the value itself, which may be personal
}

func (p Problem) Error() string { return strings.TrimSpace(p.Pointer + " " + p.Message) }

// Problems are all that is wrong, in the order of the contract's fields.
type Problems []Problem

func (ps Problems) Error() string {
	words := make([]string, len(ps))
	for i, p := range ps {
		words[i] = p.Error()
	}
	return strings.Join(words, "; ")
}

// Unmarshal decodes one event and checks it whole. receivedAt bounds the time
// in its id. The error is a Problems; the event then holds what could be read,
// and its id wherever there is one.
func Unmarshal(raw []byte, receivedAt time.Time) (Event, error) {
	var e Event
	if err := unmarshal(raw, &e); err != nil {
		e.EventID = cmp.Or(e.EventID, eventID(raw))
		return e, Problems{problem(raw, MaxEventDepth, err)}
	}
	c := checker{event: e.Type}
	c.fields(EventFields, reflect.ValueOf(&e).Elem())
	c.eventTime(e.EventID, receivedAt)
	return e, c.err()
}

var (
	errBadUTF8  = errors.New("bad UTF-8")
	errTooDeep  = errors.New("too deep")
	errNoJSON   = errors.New("no JSON")
	errTrailing = errors.New("trailing bytes")
)

// strict is how an event is decoded: fields that are unknown or there twice
// are refused. Halves of surrogate pairs are U+FFFD, bad UTF-8 is looked for
// apart.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true), jsontext.AllowInvalidUTF8(true), json.WithUnmarshalers(json.UnmarshalFromFunc(unmarshalCustom)))

func unmarshal(raw []byte, v any) error {
	switch {
	case !utf8.Valid(raw):
		return errBadUTF8
	case tooDeep(raw, MaxEventDepth):
		return errTooDeep
	}
	return json.Unmarshal(raw, v, strict)
}

// tooDeep tells whether objects and lists lie in each other more than limit
// deep.
func tooDeep(raw []byte, limit int) bool {
	if bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= limit { // nearly always, and much faster than to look
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

const (
	unknownField   = "holds a field that the contract does not know"
	duplicateField = "is there twice"
	wholeNumber    = "a whole number"
	timeForm       = "must be a time of RFC 3339"
)

// problem says what err, which decoding raw returned, means. The library's
// errors quote what was sent, so they are not passed on.
func problem(raw []byte, depth int, err error) Problem {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	var broken Problem
	errors.As(err, &semantic)
	switch {
	case !utf8.Valid(raw):
		return Problem{"", "utf8", "is not valid UTF-8"}
	case tooDeep(raw, depth):
		return Problem{"", "depth", fmt.Sprintf("is nested deeper than %d levels", depth)}
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return Problem{plain(syntax.JSONPointer), "duplicate_field", duplicateField}
	case errors.As(err, &broken) && semantic == nil:
		return broken
	case semantic == nil:
		return Problem{"", "json", "is not valid JSON"}
	}
	at := plain(semantic.JSONPointer)
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return Problem{at, "unknown_field", unknownField}
	case broken.Rule != "":
		return Problem{at, broken.Rule, broken.Message}
	case errors.Is(err, strconv.ErrRange):
		return Problem{at, "range", "must be a number that 64 bits hold"}
	case semantic.GoType == reflect.TypeFor[time.Time]() && semantic.JSONKind == '"':
		return Problem{at, "time", timeForm}
	}
	return Problem{at, "type", "must be " + jsonWord(semantic.GoType)}
}

// unmarshalCustom refuses what is nested before it is read.
func unmarshalCustom(d *jsontext.Decoder, v *any) error {
	switch d.PeekKind() {
	case '{', '[', 'n':
		return Problem{Rule: "type", Message: "must be text, a number or a boolean"}
	}
	return errors.ErrUnsupported // as usual
}

// jsonWord says what a Go type is in JSON.
func jsonWord(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "text: a time of RFC 3339"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return jsonWord(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int64:
		return wholeNumber
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// plain returns a pointer up to the first name that is not plain: that may be
// personal, as a value may. An index has at most five digits, a telephone
// number more.
func plain(p jsontext.Pointer) string {
	var at strings.Builder
	for token := range p.Tokens() {
		if index := len(token) <= 5 && strings.Trim(token, "0123456789") == ""; !index && !CustomName.MatchString(token) {
			break
		}
		at.WriteByte('/')
		at.WriteString(token)
	}
	return at.String()
}
