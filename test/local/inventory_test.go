package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inventory is what the emulators hold: lines of a service, its listing, the
// region and a name.
func (e emulated) inventory(t *testing.T, regions []string) (lines []string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(e.root, ".venv", "bin", "python"),
		append([]string{filepath.Join(e.root, "test", "local", "inventory.py"), e.MiniStack, e.Moto}, regions...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &lines); err != nil {
		t.Fatal(err)
	}
	return lines
}

// added are the lines that were not there before.
func added(before, after []string) []string {
	return slices.DeleteFunc(after, func(line string) bool { return slices.Contains(before, line) })
}

// listing is what listed a line: the service and its operation.
func listing(line string) string {
	words := strings.SplitN(line, " ", 3)
	return words[0] + " " + words[1]
}

// leftovers are what is left, less one line for each listing in leaves; one
// there that leaves nothing is wrong too.
func leftovers(left []string, leaves map[string]string) (wrong []string) {
	known := maps.Clone(leaves)
	for _, line := range left {
		if _, ok := known[listing(line)]; !ok {
			wrong = append(wrong, "destroying leaves "+line)
		}
		delete(known, listing(line))
	}
	for _, stale := range slices.Sorted(maps.Keys(known)) {
		wrong = append(wrong, fmt.Sprintf("docs/emulators.md says that %s is left (%s), and nothing is", stale, known[stale]))
	}
	return wrong
}

// unlisted are types of which no service lists anything.
var unlisted = map[string]string{
	"aws_api_gateway_account":              "a setting that an account always has",
	"aws_ce_cost_category":                 "moto does not list cost categories",
	"aws_lakeformation_data_lake_settings": "a setting that an account always has",
}

// owners are attributes of a part that name what it is part of.
var owners = []string{"id", "arn", "function_name", "network_acl_id", "plan_id", "rest_api_id", "route_table_id", "user_pool_id"}

// unseen says of which types of applied resources the inventory lists neither
// one nor what it is part of: what a destroy left of them would not be noticed.
func unseen(applied []resource, lines []string) (wrong []string) {
	seen := map[string]bool{}
	for _, r := range applied {
		seen[r.Type] = seen[r.Type] || slices.ContainsFunc(lines, r.isNamedIn)
	}
	for _, kind := range slices.Sorted(maps.Keys(seen)) {
		if _, known := unlisted[kind]; known == seen[kind] {
			wrong = append(wrong, fmt.Sprintf("%s: listed by inventory.py is %t, unlisted says %t; mend either, or the owners of parts", kind, seen[kind], known))
		}
	}
	return wrong
}

func (r resource) isNamedIn(line string) bool {
	name := strings.SplitN(line, " ", 4)[3]
	for _, instance := range r.Instances {
		for _, owner := range owners {
			if value, ok := instance.Attributes[owner].(string); ok && strings.Contains(value, name) {
				return true
			}
		}
	}
	return false
}

func TestWhatADestroyLeavesIsHeldToTheList(t *testing.T) {
	leaves := map[string]string{"ec2 describe_vpcs": "x"}
	vpc, other := "ec2 describe_vpcs eu-west-1 vpc-1", "ec2 describe_vpcs eu-west-1 vpc-2"
	for name, c := range map[string]struct {
		left, want []string
	}{
		"what is listed is known":        {[]string{vpc}, nil},
		"one more of the same is wrong":  {[]string{vpc, other}, []string{"destroying leaves " + other}},
		"what is not listed is wrong":    {[]string{vpc, "s3 list_buckets eu-west-1 raw"}, []string{"destroying leaves s3 list_buckets eu-west-1 raw"}},
		"a reason without need is wrong": {nil, []string{"docs/emulators.md says that ec2 describe_vpcs is left (x), and nothing is"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := leftovers(c.left, leaves); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
