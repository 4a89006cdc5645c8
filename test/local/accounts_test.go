package local

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestAccounts applies the stacks of an account that has everything on, but for
// what docs/emulators.md says that no emulator holds.
func TestAccounts(t *testing.T) {
	root := built(t)
	t.Parallel()
	dir := t.TempDir()
	writeStacks(t, root, dir, "accounts")
	lacked := listed(t, root, accountHeldByNone)
	both, kept := stack{}, stack{}
	var stackDirs []string
	for _, name := range []string{"bootstrap-local-wide", "account-local-wide"} {
		stackDir := filepath.Join(dir, "stacks", name)
		whole := readStack(t, stackDir)
		applied := whole.without(lacked)
		applied.write(t, stackDir)
		both, kept = both.and(whole), kept.and(applied)
		stackDirs = append(stackDirs, stackDir)
	}
	if wrong := disagreements(lacked, kept, both); len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n"))
	}
	for _, stackDir := range stackDirs {
		t.Run(filepath.Base(stackDir), func(t *testing.T) {
			t.Parallel()
			appliesAndLeavesNothing(t, root, stackDir, nil)
		})
	}
}
