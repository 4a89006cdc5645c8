package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/shopstream/shopstream/constructs/event"
)

// words are the comments of the package that defines the contract.
type words struct {
	structs map[string]string            // by name
	fields  map[string]map[string]string // by the struct's name and the field's in JSON
	kinds   []meaning
}

type meaning struct{ name, words string }

func readWords(folder string) (words, error) {
	w := words{structs: map[string]string{}, fields: map[string]map[string]string{}}
	for _, name := range []string{"event.go", "contract.go", "columns.go", "pack.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ParseComments)
		if err != nil {
			return w, err
		}
		for _, declaration := range f.Decls {
			if d, ok := declaration.(*ast.GenDecl); ok {
				w.read(d)
			}
		}
	}
	for _, f := range event.EventFields {
		if w.of("Event", f.Name) == "" {
			return w, fmt.Errorf("the field %s needs a comment in event.go", f.Name)
		}
		for _, inner := range f.Fields {
			if w.of(f.Struct, inner.Name) == "" {
				return w, fmt.Errorf("the field %s.%s needs a comment in event.go", f.Name, inner.Name)
			}
		}
	}
	return w, nil
}

func (w *words) read(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if t, ok := s.Type.(*ast.StructType); ok {
				w.structs[s.Name.Name] = line(d.Doc)
				w.fields[s.Name.Name] = fieldsOf(t)
			}
		case *ast.ValueSpec:
			if of, ok := s.Type.(*ast.Ident); ok && of.Name == "Kind" {
				if literal, ok := s.Values[0].(*ast.BasicLit); ok {
					name, _ := strconv.Unquote(literal.Value) // the parser took it
					w.kinds = append(w.kinds, meaning{name, line(s.Comment)})
				}
			}
		}
	}
}

func fieldsOf(t *ast.StructType) map[string]string {
	all := map[string]string{}
	for _, f := range t.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value) // the parser took it
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		all[name] = line(f.Comment)
	}
	return all
}

func line(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// of says what a field is. Tables repeat fields of an event.
func (w words) of(structName, field string) string {
	return cmp.Or(w.fields[structName][field], w.fields["Stored"][field], w.fields["Event"][field])
}
