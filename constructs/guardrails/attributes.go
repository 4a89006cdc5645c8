package guardrails

import (
	"slices"
	"strings"
)

// Attributes returns what the rules look at: paths of attributes by type. A
// type without any is known to hold no data of its own.
func Attributes() map[string][]string {
	all := map[string][]string{}
	look := func(kind, path string) {
		path = strings.ReplaceAll(path, "?", "")
		if path == "" || strings.HasPrefix(path, "lifecycle.") || slices.Contains(all[kind], path) {
			return // lifecycle is Terraform's own
		}
		all[kind] = append(all[kind], path)
	}
	for kind, lines := range byKind {
		all[kind] = []string{}
		for _, line := range lines {
			condition, _, _ := strings.Cut(strings.TrimPrefix(line.condition, "!"), "=")
			look(kind, condition)
			for _, q := range line.requirements {
				look(kind, q.path)
			}
		}
	}
	for _, c := range companions {
		look(c.kind, c.named)
		look(c.companion, c.attribute)
	}
	for _, e := range edges {
		look(e.kind, e.target)
	}
	for kind, path := range deadLetters {
		look(kind, path)
	}
	for kind, path := range targets {
		look(kind, path)
	}
	for _, t := range traps {
		look(t.kind, t.attribute)
	}
	for _, paths := range all {
		slices.Sort(paths)
	}
	return all
}
