package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func readFormats(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// table returns the first cells of the table under a heading or header.
func table(t *testing.T, page, above string) (cells []string) {
	t.Helper()
	_, below, ok := strings.Cut(page, above)
	if !ok {
		t.Fatalf("docs/formats.md has no %q", above)
	}
	_, below, _ = strings.Cut(below, "|---")
	_, below, _ = strings.Cut(below, "\n")
	for line := range strings.Lines(below) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells = append(cells, strings.Trim(strings.Split(line, "|")[1], " `"))
	}
	return cells
}

func fields(v any) (names []string) {
	for f := range reflect.TypeOf(v).Fields() {
		switch {
		case f.Type == reflect.TypeFor[Received]():
			names = slices.DeleteFunc(fields(Received{}), func(name string) bool { return name == "event" })
		case !f.Anonymous:
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

func TestTheDocumentedFieldsAreThoseThatAreWritten(t *testing.T) {
	page := readFormats(t)
	for above, v := range map[string]any{
		"### Line of a frame\n":                  frameLine{},
		"| field of `pack` | holds |\n":          PackHeader{},
		"| field of a frame in `frames` | holds": PackFrame{},
		"| field of an event | holds |\n":        Stored{},
		"## Receipt\n":                           Receipt{},
		"## Quarantine record\n":                 Quarantined{},
	} {
		if got, want := table(t, page, above), fields(v); !slices.Equal(got, want) {
			t.Errorf("below %q docs/formats.md has\n%v\n%T has\n%v", above, got, v, want)
		}
	}
}

// TestTheDocumentedRulesAreThoseThatAreBroken reads the rules off the code.
func TestTheDocumentedRulesAreThoseThatAreBroken(t *testing.T) {
	rules := map[string]bool{}
	for _, name := range []string{"batch.go", "check.go", "decode.go"} {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?:c\.add\(|Problem\{[^"}]*(?:"/?"[^",]*)?, |Rule: )"([a-z_0-9]+)"`).FindAllSubmatch(code, -1) {
			rules[string(match[1])] = true
		}
	}
	documented := table(t, readFormats(t), "### Rules\n")
	slices.Sort(documented)
	if got := slices.Sorted(maps.Keys(rules)); !slices.Equal(got, documented) {
		t.Errorf("docs/formats.md has the rules\n%v\nthe code\n%v", documented, got)
	}
}

func TestTheDocumentedHeaderOfAFrameHasNoHole(t *testing.T) {
	at := 0
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| (\d+) \|`).FindAllStringSubmatch(readFormats(t), -1) {
		offset, _ := strconv.Atoi(row[1])
		size, _ := strconv.Atoi(row[2])
		if offset != at {
			t.Errorf("a field is at %d, the one before ends at %d", offset, at)
		}
		at = offset + size
	}
	if at != frameHeader {
		t.Errorf("the header ends at %d, want %d", at, frameHeader)
	}
}

// python runs a reader that was written by the documentation.
func python(t *testing.T, program string) func(input []byte) (out []byte, err error) {
	t.Helper()
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have Python: %v", err)
		}
		t.Skipf("needs python3: %v", err)
	}
	if testing.Short() {
		t.Skip("starts Python many times")
	}
	return func(input []byte) ([]byte, error) {
		cmd := exec.Command(interpreter, filepath.Join("testdata", program))
		var problems bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &problems
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, &problems)
		}
		return out, err
	}
}

func TestAProgramInAnotherLanguageReadsAFrame(t *testing.T) {
	read, f := python(t, "read_frame.py"), frame(received(`{"a":"é"}`), received(`{"b":2}`))
	b := marshalFrame(t, f)
	out, err := read(b)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID, Instance string
		Partition    int
		Count        int
		Sequence     uint64
		FirstEvent   uint64 `json:"first_event"`
		CreatedAt    int64  `json:"created_at"`
		Size         int
		Zstd         bool
		Events       []Received // nil without the package zstandard
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != f.ID.String() || got.Instance != f.Instance.String() || got.Partition != f.Partition || got.Count != 2 ||
		got.Sequence != f.Sequence || got.FirstEvent != f.FirstEvent || got.CreatedAt != f.CreatedAt.UnixMilli() || got.Size < 200 || !got.Zstd {
		t.Errorf("it read %+v of %+v", got, f)
	}
	if got.Events != nil && !reflect.DeepEqual(got.Events, f.Events) {
		t.Errorf("it read the events %+v", got.Events)
	}
	for what, edit := range map[string]func(b []byte) []byte{
		"corrupt":                  func(b []byte) []byte { b[50] ^= 1; return b },
		"not a frame of version 1": func(b []byte) []byte { b[4] = 2; return resealed(b) },
		"unpack requires":          func(b []byte) []byte { return b[:40] },
	} {
		if _, err := read(edit(bytes.Clone(b))); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("a frame that is %q: %v", what, err)
		}
	}
}

func TestAProgramInAnotherLanguageReadsAPack(t *testing.T) {
	read := python(t, "read_pack.py")
	e := stored(2, 0, 5)
	e.Page.Title = "é\u2028\n😀"
	line := pack(t, stored(1, 0, 5), stored(1, 1, 5), e)[0]
	out, err := read(line)
	if err != nil {
		t.Fatal(err)
	}
	var got Pack
	if err := json.Unmarshal(out, &got); err != nil || !reflect.DeepEqual(got, readPack(t, line)) {
		t.Errorf("it read %+v: %v", got, err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"contract":1`, `"contract":2`, "of a future contract"},
		{`"x`, `"y`, "corrupt"},
		{`"count":2`, `"count":3`, "other events than its header says"},
		{"]}\n", "]", "not a pack"},
	} {
		if _, err := read(bytes.Replace(line, []byte(c.old), []byte(c.new), 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %s for %s: %v, want %q", c.new, c.old, err, c.want)
		}
	}
}
