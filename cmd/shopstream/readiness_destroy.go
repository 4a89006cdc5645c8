package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// destroyable is what it takes to destroy the stack with its data: both
// settings, applied, and its name on the command line.
func (p planned) destroyable(named string) []check {
	deploy := " for it in stacks/ and run make deploy ENV=" + p.name
	return []check{
		{"DESTROY_DATA", func(context.Context) (string, error) {
			if named != p.name {
				return "", fmt.Errorf("got %q, want %q", named, p.name)
			}
			return named, nil
		}, fmt.Sprintf("name what loses its data: make destroy ENV=%[1]s DESTROY_DATA=%[1]s", p.name)},
		{"Protect", func(context.Context) (string, error) {
			if protected, _ := p.kept(); len(protected) > 0 {
				return "", fmt.Errorf("it protects %d resources, such as %s", len(protected), protected[0])
			}
			return "false", nil
		}, "set Protect to false" + deploy},
		{"DeleteData", func(context.Context) (string, error) {
			if _, full := p.kept(); len(full) > 0 {
				return "", fmt.Errorf("without it %d resources refuse to go while they hold something, such as %s", len(full), full[0])
			}
			return "true", nil
		}, "set DeleteData to true" + deploy},
	}
}

// kept are the addresses of what Terraform refuses to destroy, and of what
// refuses while it holds something.
func (p planned) kept() (protected, full []string) {
	for _, kind := range slices.Sorted(maps.Keys(p.Resource)) {
		all := resources[struct {
			Lifecycle struct {
				Prevent bool `json:"prevent_destroy"`
			}
			ForceDestroy *bool `json:"force_destroy"`
			ForceDelete  *bool `json:"force_delete"`
		}](p, kind)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			r := all[name]
			if r.Lifecycle.Prevent {
				protected = append(protected, kind+"."+name)
			}
			if r.ForceDestroy != nil && !*r.ForceDestroy || r.ForceDelete != nil && !*r.ForceDelete {
				full = append(full, kind+"."+name)
			}
		}
	}
	return protected, full
}
