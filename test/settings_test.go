package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

// setting is a Terraform variable and the stacks that ask for it.
type setting struct {
	Description string
	Sensitive   bool
	stacks      []string
}

// settings are those of all stacks that are deployed, by name.
func settings(t *testing.T) map[string]*setting {
	t.Helper()
	all := map[string]*setting{}
	add := func(stack string, variables map[string]json.RawMessage) {
		for name, raw := range variables {
			var s setting
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			known := all[name]
			if known == nil {
				all[name] = &s
				known = &s
			}
			if known.Description != s.Description || known.Sensitive != s.Sensitive {
				t.Errorf("%s is described in two ways: %q, %q", name, known.Description, s.Description)
			}
			known.stacks = append(known.stacks, stack)
		}
	}
	for _, env := range environments {
		if !env.Emulated {
			add(env.Name, synth.Decode(t, newStack(t, env)).Variable)
		}
	}
	for _, account := range []stacks.AccountSettings{stacks.DevAccount, stacks.StagingAccount, stacks.ProdAccount} {
		for _, s := range []struct {
			kind   string
			define func(constructs.Construct, stacks.AccountSettings) (cdktf.TerraformStack, error)
		}{{"bootstrap-", stacks.NewBootstrap}, {"account-", stacks.NewAccount}} {
			stack, err := s.define(cdktf.Testing_App(nil), account)
			if err != nil {
				t.Fatal(err)
			}
			add(s.kind+account.Name, synth.Decode(t, stack).Variable)
		}
	}
	return all
}

func settingsTable(all map[string]*setting) string {
	var table strings.Builder
	table.WriteString("| setting | of | sensitive | what it is |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		sensitive := "no"
		if s.Sensitive {
			sensitive = "yes"
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %s | %s |\n", name, strings.Join(s.stacks, "`, `"), sensitive, strings.ReplaceAll(s.Description, "|", `\|`))
	}
	return table.String()
}

// TestEverySettingIsDocumented holds the table in docs/settings.md to the
// stacks; -update writes it.
func TestEverySettingIsDocumented(t *testing.T) {
	path := filepath.Join("..", "docs", "settings.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- settings: make golden writes this table -->\n", "<!-- end -->\n"
	before, rest, begun := strings.Cut(string(b), begin)
	documented, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no place for the table, between %q and %q", path, begin, end)
	}
	all := settings(t)
	if len(all) < 3 {
		t.Fatalf("got %d settings", len(all))
	}
	want := settingsTable(all)
	if documented == want {
		return
	}
	if !*update {
		t.Fatalf("%s is stale; run make golden and review its diff\n%s", path, firstDifference(documented, want))
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestASettingIsDocumentedWithItsStacks(t *testing.T) {
	got := settingsTable(map[string]*setting{
		"token": {Description: "Lets | in.", Sensitive: true, stacks: []string{"dev", "prod"}},
		"email": {Description: "Told.", stacks: []string{"account-prod"}},
	})
	want := "| setting | of | sensitive | what it is |\n|---|---|---|---|\n" +
		"| `email` | `account-prod` | no | Told. |\n" +
		"| `token` | `dev`, `prod` | yes | Lets \\| in. |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
