package event

import (
	"bytes"
	"encoding/json"
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
		if !f.Anonymous {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

func TestTheDocumentedFieldsAreThoseThatAreWritten(t *testing.T) {
	page := readFormats(t)
	for above, v := range map[string]any{
		"### Event in a frame\n":                 Received{},
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

// TestAProgramInAnotherLanguageReadsAFrame runs a reader that was written by
// the documentation.
func TestAProgramInAnotherLanguageReadsAFrame(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have Python: %v", err)
		}
		t.Skipf("needs python3: %v", err)
	}
	f := frame(received(`{"a":"é"}`), received(`{"b":2}`))
	read := func(b []byte) (out, problems bytes.Buffer, err error) {
		cmd := exec.Command(python, filepath.Join("testdata", "read_frame.py"))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(b), &out, &problems
		err = cmd.Run()
		return out, problems, err
	}
	b := marshalFrame(t, f)
	out, problems, err := read(b)
	if err != nil {
		t.Fatalf("%v: %s", err, &problems)
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
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != f.ID.String() || got.Instance != f.Instance.String() || got.Partition != f.Partition || got.Count != 2 ||
		got.Sequence != f.Sequence || got.FirstEvent != f.FirstEvent || got.CreatedAt != f.CreatedAt.UnixMilli() || got.Size < 400 || !got.Zstd {
		t.Errorf("it read %+v of %+v", got, f)
	}
	if got.Events != nil && !reflect.DeepEqual(got.Events, f.Events) {
		t.Errorf("it read the events %+v", got.Events)
	}
	b[50] ^= 1
	if _, problems, err = read(b); err == nil || !strings.Contains(problems.String(), "corrupt") {
		t.Errorf("a corrupt frame: %v %s", err, &problems)
	}
}
