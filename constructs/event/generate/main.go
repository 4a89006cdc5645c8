// Command generate writes what derives from the contract: JSON Schemas, the
// tracker's types, the tables' columns and quality rules, the features' inputs
// and the reference page. go generate runs it in constructs/event.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	release := flag.Bool("release", false, "also release the contract: what it is now must never break again")
	flag.Parse()
	if err := run(filepath.Join("..", ".."), *release); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(root string, release bool) error {
	all, err := files(root)
	if err != nil {
		return err
	}
	if release {
		if all, err = withRelease(root, all); err != nil {
			return err
		}
	}
	for _, f := range all {
		path := filepath.Join(root, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

type file struct {
	path    string // below the repository's root
	content []byte
}

// files are all that derive from the contract as root has it.
func files(root string) ([]file, error) {
	w, err := readWords(filepath.Join(root, "constructs", "event"))
	if err != nil {
		return nil, err
	}
	page, err := reference(w)
	if err != nil {
		return nil, err
	}
	const schemas = "constructs/event/schema/"
	return []file{
		{schemas + "event.schema.json", indented(eventSchema(w))},
		{schemas + "batch.schema.json", indented(batchSchema(w))},
		{schemas + "columns.json", indented(columns(w))},
		{schemas + "features.json", indented(features(w))},
		{schemas + "events.dqdl", ruleset(tables[0])},
		{schemas + "items.dqdl", ruleset(tables[1])},
		{"constructs/ingest/tracker/contract.ts", typescript(w)},
		{"docs/event.md", page},
	}, nil
}

func indented(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // texts, numbers and lists of them always encode
	}
	return b.Bytes()
}
