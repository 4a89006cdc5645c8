package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shopstream/shopstream/constructs/event"
)

const released = "constructs/event/schema/released/"

// withRelease adds the contract as it is now to what is written. It refuses to
// where that breaks what was released under the same version.
func withRelease(root string, all []file) ([]file, error) {
	path := fmt.Sprintf("%s%d.json", released, event.SchemaVersion)
	old, err := readRelease(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if breaks := event.Compatible(old, event.Contract); len(breaks) > 0 {
		return nil, refusal(breaks)
	}
	return append(all, file{path, indented(event.Contract)}), nil
}

// readRelease reads a contract that was released.
func readRelease(path string) (contract []event.Field, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return contract, json.Unmarshal(b, &contract)
}

func refusal(breaks []event.Break) error {
	words := make([]string, len(breaks))
	for i, b := range breaks {
		words[i] = b.String()
	}
	return fmt.Errorf("version %d of the contract is released and would break; take these back, or raise SchemaVersion and keep reading version %[1]d for 12 months:\n%s",
		event.SchemaVersion, strings.Join(words, "\n"))
}
