package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/constructs/guardrails"
)

// addressesFile lists where what holds data stands in each environment's
// state, a line each: the environment and the address. -update adds what is
// new; a line goes by hand, when its data may go.
var addressesFile = filepath.Join("testdata", "addresses.txt")

func readAddresses(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(addressesFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
}

// missingAddresses are the listed addresses of an environment that its stack
// neither has nor moves, and the stack's own that aren't listed.
func missingAddresses(t *testing.T, listed []string, environment string, stackJSON []byte) (gone, unlisted []string) {
	t.Helper()
	present, err := guardrails.Stateful(stackJSON)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := guardrails.Moved(stackJSON)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range listed {
		env, address, _ := strings.Cut(line, " ")
		if env == environment && !slices.Contains(present, address) && !slices.Contains(present, moved[address]) {
			gone = append(gone, address)
		}
	}
	for _, address := range present {
		if !slices.Contains(listed, environment+" "+address) {
			unlisted = append(unlisted, address)
		}
	}
	return gone, unlisted
}

func TestWhatHoldsDataKeepsItsAddress(t *testing.T) {
	listed := readAddresses(t)
	known := map[string]bool{}
	for _, env := range environments {
		if env.Emulated { // its state ends with the demo
			continue
		}
		known[env.Name] = true
		gone, unlisted := missingAddresses(t, listed, env.Name, synthesized(t, env))
		for _, address := range gone {
			t.Errorf("%s: %s is gone, and with it its data: add a moved block from it, or take it out of %s", env.Name, address, addressesFile)
		}
		for _, address := range unlisted {
			if *update {
				listed = append(listed, env.Name+" "+address)
				continue
			}
			t.Errorf("%s: %s isn't in %s: run make golden", env.Name, address, addressesFile)
		}
	}
	for _, line := range listed {
		if env, _, _ := strings.Cut(line, " "); !known[env] {
			t.Errorf("%s: %q is of no environment", addressesFile, line)
		}
	}
	if *update {
		slices.Sort(listed)
		if err := os.WriteFile(addressesFile, []byte(strings.Join(listed, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAMissingAddressIsExplainedByAMovedBlock(t *testing.T) {
	stack := func(moved string) []byte {
		return []byte(`{"provider": {"aws": {}}, "resource": {"aws_kinesis_stream": {"new": {}}}` + moved + `}`)
	}
	listed := []string{"prod aws_kinesis_stream.old", "dev aws_kinesis_stream.other"}
	for name, c := range map[string]struct {
		moved string
		gone  int
	}{
		"without one it is gone":            {``, 1},
		"with one it is there":              {`, "moved": [{"from": "aws_kinesis_stream.old", "to": "aws_kinesis_stream.new"}]`, 0},
		"with one to nowhere it is gone":    {`, "moved": [{"from": "aws_kinesis_stream.old", "to": "aws_kinesis_stream.nowhere"}]`, 1},
		"with one of another it is gone":    {`, "moved": [{"from": "aws_kinesis_stream.older", "to": "aws_kinesis_stream.new"}]`, 1},
		"to one that holds no data is gone": {`, "moved": [{"from": "aws_kinesis_stream.old", "to": "aws_sqs_queue.new"}]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			gone, unlisted := missingAddresses(t, listed, "prod", stack(c.moved))
			if len(gone) != c.gone || !slices.Equal(unlisted, []string{"aws_kinesis_stream.new"}) {
				t.Errorf("got %v gone and %v unlisted, want %d gone and the new one unlisted", gone, unlisted, c.gone)
			}
		})
	}
}
