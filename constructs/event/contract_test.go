package event

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAMistakeInATagIsFoundAtOnce(t *testing.T) {
	for want, of := range map[string]any{
		`field a is required in "sale", which is no type`: struct {
			A *Page `json:"a" contract:"object in=sale"`
		}{},
		`field a has the unknown rule "longest=3"`: struct {
			A string `json:"a" contract:"text longest=3"`
		}{},
		`field a has the unknown kind "blob"`: struct {
			A string `json:"a" contract:"blob"`
		}{},
		`parsing "x"`: struct {
			A string `json:"a" contract:"text length=x"`
		}{},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panics with %s, want %s", got, want)
				}
			}()
			fieldsOf(reflect.TypeOf(of))
		}()
	}
}

func TestARangeIsToldInWords(t *testing.T) {
	for _, f := range fieldsOf(reflect.TypeOf(struct {
		A int64   `json:"must be 1" contract:"integer min=1 max=1"`
		B int64   `json:"must be 0 or more" contract:"integer min=0"`
		C int64   `json:"must be 1 to 20" contract:"integer min=1 max=20"`
		D float64 `json:"must be over 0 and at most 1000000000000" contract:"number over=0 max=1e12"`
		E float64 `json:"must be over 0.5" contract:"number over=0.5"`
	}{})) {
		if got := "must be " + f.Range(); got != f.Name {
			t.Errorf("%+v is told as %q", f, got)
		}
	}
}

func TestABoundIsPartOfItsRangeUnlessItIsOver(t *testing.T) {
	of := struct {
		Within float64 `json:"within" contract:"number min=-1 max=2"`
		Over   float64 `json:"over" contract:"number over=1 max=2"`
	}{}
	fields := fieldsOf(reflect.TypeOf(of))
	for _, c := range []struct {
		within, over float64
		ok           bool
	}{{-1, 1.5, true}, {2, 2, true}, {-1.01, 2, false}, {2.01, 2, false}, {0.5, 1, false}, {0.5, 0.99, false}, {0.5, 2.01, false}} {
		of.Within, of.Over = c.within, c.over
		var checked checker
		checked.fields(fields, reflect.ValueOf(of))
		if got := checked.err() == nil; got != c.ok {
			t.Errorf("%v and %v: %v", c.within, c.over, checked.err())
		}
	}
}
