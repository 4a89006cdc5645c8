package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// clean gives prepare an environment of its own, with the cache in dir.
func clean(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} { // one of them, by system
		t.Setenv(name, dir)
	}
	t.Setenv("SHOPSTREAM_KERNEL", "")
	t.Setenv("NODE_OPTIONS", "") // restored after the test
	os.Unsetenv("NODE_OPTIONS")
}

// node runs an expression in a Node process that inherits the environment.
func node(t *testing.T, expression string) string {
	t.Helper()
	out, err := exec.Command("node", "-p", expression).CombinedOutput()
	if err != nil {
		t.Fatalf("node with NODE_OPTIONS=%s: %v\n%s", os.Getenv("NODE_OPTIONS"), err, out)
	}
	return strings.TrimSpace(string(out))
}

const isLoaded = `globalThis[Symbol.for("shopstream.kernel")] === true`

func TestPrepareHasNodeLoadTheScriptFromAnyPath(t *testing.T) {
	for _, name := range []string{"plain", "with two  spaces", `a "quote"`, `back\slash\`, "ünïcode", "$HOME 'single'"} {
		t.Run(name, func(t *testing.T) {
			clean(t, filepath.Join(t.TempDir(), name))
			if warnings := prepare(); len(warnings) != 0 {
				t.Fatalf("got warnings %q", warnings)
			}
			if got := node(t, isLoaded); got != "true" {
				t.Errorf("the script isn't loaded with NODE_OPTIONS=%s", os.Getenv("NODE_OPTIONS"))
			}
		})
	}
}

func TestPrepareKeepsTheUsersOptions(t *testing.T) {
	const heapMB = `Math.round(require("v8").getHeapStatistics().heap_size_limit / 2**20 / 1000)`
	for _, c := range []struct{ name, options, ask, want string }{
		{"none: jsii's heap limit", "", heapMB, "4"},
		{"unrelated: jsii's heap limit", "--stack-trace-limit=7", heapMB, "4"},
		{"a heap limit", "--max-old-space-size=2000", heapMB, "2"},
		{"a heap limit with underscores", "--max_old_space_size=2000", heapMB, "2"},
		{"unrelated", "--stack-trace-limit=7", "Error.stackTraceLimit", "7"},
		{"unrelated: the script too", "--stack-trace-limit=7", isLoaded, "true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clean(t, t.TempDir())
			os.Setenv("NODE_OPTIONS", c.options)
			prepare()
			if got := node(t, c.ask); got != c.want {
				t.Errorf("%s = %s with NODE_OPTIONS=%s, want %s", c.ask, got, os.Getenv("NODE_OPTIONS"), c.want)
			}
		})
	}
}

func TestPrepareAgainInAChildChangesNothing(t *testing.T) {
	clean(t, t.TempDir())
	prepare()
	first := os.Getenv("NODE_OPTIONS")
	prepare()
	if got := os.Getenv("NODE_OPTIONS"); got != first {
		t.Errorf("NODE_OPTIONS became %s, want %s", got, first)
	}
}

func TestPlain(t *testing.T) {
	t.Run("leaves Node's options alone, silently", func(t *testing.T) {
		clean(t, t.TempDir())
		t.Setenv("SHOPSTREAM_KERNEL", "plain")
		warnings := prepare()
		if options, set := os.LookupEnv("NODE_OPTIONS"); set || len(warnings) != 0 {
			t.Errorf("got NODE_OPTIONS=%s and warnings %q, want neither", options, warnings)
		}
	})
	t.Run("turns an inherited script off", func(t *testing.T) {
		clean(t, t.TempDir())
		prepare()
		t.Setenv("SHOPSTREAM_KERNEL", "plain")
		prepare()
		if got := node(t, isLoaded); got != "false" {
			t.Error("the script is loaded")
		}
	})
}

func TestPrepareWarns(t *testing.T) {
	t.Run("of an unknown mode, naming the allowed ones", func(t *testing.T) {
		clean(t, t.TempDir())
		t.Setenv("SHOPSTREAM_KERNEL", "quick")
		want := `SHOPSTREAM_KERNEL must be fast or plain, got "quick": starting fast`
		if got := prepare(); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if os.Getenv("NODE_OPTIONS") == "" {
			t.Error("the start isn't fast")
		}
	})
	t.Run("of a cache folder that can't be written", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file") // root may write a read-only folder, but not below a file
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		clean(t, file)
		if got := prepare(); len(got) != 1 || !strings.Contains(got[0], "this start of the kernel is slow") {
			t.Errorf("got %q, want one line about a slow start", got)
		}
		if options, set := os.LookupEnv("NODE_OPTIONS"); set {
			t.Errorf("got NODE_OPTIONS=%s, want none", options)
		}
	})
	t.Run("of a folder that others can write", func(t *testing.T) {
		clean(t, t.TempDir())
		dir, err := scriptDir()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if got := prepare(); len(got) != 1 || !strings.Contains(got[0], dir) {
			t.Errorf("got %q, want one line about %s", got, dir)
		}
	})
}

func TestPrepareSilencesTheEndOfLifeBanner(t *testing.T) {
	const name = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"
	clean(t, t.TempDir())
	t.Setenv(name, "18")
	if prepare(); os.Getenv(name) != "18" {
		t.Errorf("the user's value became %s", os.Getenv(name))
	}
	os.Unsetenv(name)
	if prepare(); os.Getenv(name) != "20" {
		t.Errorf("got %q, want 20", os.Getenv(name))
	}
}

func TestInstall(t *testing.T) {
	clean(t, t.TempDir())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			file, err := install()
			if err != nil {
				t.Error(err)
				return
			}
			if got, _ := os.ReadFile(file); string(got) != hook {
				t.Errorf("%s has %d bytes, want %d", file, len(got), len(hook))
			}
		})
	}
	wg.Wait()

	file, _ := install()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(files) != 1 {
		t.Errorf("got %q, want the script alone", files)
	}
	if err := os.WriteFile(file, []byte("throw 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	install()
	if got, _ := os.ReadFile(file); string(got) != hook {
		t.Error("a damaged script wasn't written anew")
	}
}
