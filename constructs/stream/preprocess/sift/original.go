package sift

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

// original returns a refused event without personal data. What is there tells
// by its place whether it is an id; names that the contract does not know, and
// all texts that are no ids, are scrubbed. What cannot be read is a text; bytes
// that are no UTF-8 are U+FFFD.
func (b *Batch) original(raw []byte) jsontext.Value {
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	var out bytes.Buffer
	c := cleaner{b, jsontext.NewDecoder(bytes.NewBuffer(raw), options...), jsontext.NewEncoder(&out, options...)}
	err := c.value(&event.Field{Kind: event.KindObject, Fields: event.EventFields})
	if _, behind := c.from.ReadToken(); err != nil || behind != io.EOF {
		quoted, _ := jsontext.AppendQuote(nil, b.text(string(raw))) // fails for bad UTF-8 alone, which it replaces
		return quoted
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// cleaner copies JSON.
type cleaner struct {
	*Batch
	from *jsontext.Decoder
	to   *jsontext.Encoder
}

// anything is a field that the contract does not know.
var anything = &event.Field{}

// value copies the value of a field.
func (c cleaner) value(f *event.Field) error {
	switch c.from.PeekKind() {
	case '{':
		return c.object(f)
	case '[':
		return c.list(f)
	case '"':
		quoted, err := c.from.ReadValue()
		if err != nil {
			return err
		}
		text, _ := jsontext.AppendUnquote(nil, quoted) // fails for halves of pairs alone, which are U+FFFD
		if clean := c.string(f, string(text)); clean != string(text) {
			return c.to.WriteToken(jsontext.String(clean))
		}
		return c.to.WriteValue(quoted)
	}
	scalar, err := c.from.ReadValue()
	if err != nil {
		return err
	}
	if digits := string(scalar); f.Kind == "" && strings.Trim(digits, "0123456789") == "" { // it may be a card's
		if clean := c.text(digits); clean != digits {
			return c.to.WriteToken(jsontext.String(clean))
		}
	}
	return c.to.WriteValue(scalar)
}

func (c cleaner) object(f *event.Field) error {
	if err := c.token(); err != nil {
		return err
	}
	for c.from.PeekKind() != '}' {
		name, err := c.from.ReadToken()
		if err != nil {
			return err
		}
		text, member := name.String(), anything
		if i := slices.IndexFunc(f.Fields, func(f event.Field) bool { return f.Name == text }); f.Kind == event.KindObject && i >= 0 {
			member = &f.Fields[i]
		} else {
			text = c.text(text)
		}
		if err := c.to.WriteToken(jsontext.String(text)); err != nil {
			return err
		}
		if err := c.value(member); err != nil {
			return err
		}
	}
	return c.token()
}

func (c cleaner) list(f *event.Field) error {
	if err := c.token(); err != nil {
		return err
	}
	element := anything
	if f.Kind == event.KindList {
		element = &event.Field{Kind: event.KindObject, Fields: f.Fields}
	}
	for c.from.PeekKind() != ']' {
		if err := c.value(element); err != nil {
			return err
		}
	}
	return c.token()
}

// token copies a token.
func (c cleaner) token() error {
	token, err := c.from.ReadToken()
	if err != nil {
		return err
	}
	return c.to.WriteToken(token)
}

// string scrubs the text of a field.
func (c cleaner) string(f *event.Field, text string) string {
	switch f.Kind {
	case event.KindID, event.KindUUID, event.KindUUIDv7:
		return c.id(text)
	case event.KindTime:
		if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return text
		}
	case event.KindURL:
		return c.url(text)
	}
	if f.Kind == "" && strings.Contains(text, "://") && !strings.ContainsAny(text, " \t\n") {
		return c.url(text)
	}
	return c.text(text)
}
