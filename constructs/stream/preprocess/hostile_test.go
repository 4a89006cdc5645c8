package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

// planted are personal data, each there once.
type planted struct {
	n    int
	data []string
}

// next returns personal data of a kind that nobody has had yet, as it stands in
// a text.
func (p *planted) next(kind string) string {
	p.n++
	data := map[string]string{
		"email": fmt.Sprintf("ann.of.%d@gables.example", p.n),
		"phone": fmt.Sprintf("+49 1512 %07d", 3141500+p.n),
		"card":  luhn(fmt.Sprintf("411122233%06d", p.n)),
		"iban":  iban(fmt.Sprintf("370400440%09d", 532000000+p.n)),
		"ipv4":  fmt.Sprintf("203.0.113.%d", 100+p.n%150),
		"ipv6":  fmt.Sprintf("2001:db8:85a3::8a2e:370:%x", 0x7000+p.n),
	}[kind]
	p.data = append(p.data, data)
	return data
}

// luhn appends the check digit.
func luhn(digits string) string {
	for check := range 10 {
		sum := check
		for i := range digits {
			if d := int(digits[len(digits)-1-i] - '0'); i%2 == 1 {
				sum += d
			} else {
				sum += 2*d - 9*(d/5)
			}
		}
		if sum%10 == 0 {
			return digits + fmt.Sprint(check)
		}
	}
	return ""
}

// iban returns the German IBAN of an account.
func iban(account string) string {
	rest := 0
	for _, d := range account + "131400" { // DE00
		rest = (rest*10 + int(d-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, account)
}

// plant returns a valid value of every field, with personal data of a kind in
// every text.
func (p *planted) plant(kind string, fields []event.Field) map[string]any {
	e := map[string]any{}
	for _, f := range fields {
		switch f.Kind {
		case event.KindText:
			e[f.Name] = "for " + p.next(kind) + ", please"
		case event.KindURL:
			path := func() string { return strings.ReplaceAll(url.QueryEscape(p.next(kind)), "+", "%20") }
			query := func() string { return url.QueryEscape(p.next(kind)) }
			e[f.Name] = "https://shop.example/of/" + path() + "?q=" + query() + "&utm_term=" + query() + "&mail=" + query() + "#" + path()
		case event.KindCustom:
			e[f.Name] = map[string]any{"note": p.next(kind), "other": "see " + p.next(kind)}
		case event.KindID:
			e[f.Name] = fmt.Sprint("id-", p.n)
		case event.KindUUIDv7:
			p.n++
			e[f.Name] = id(1000, p.n)
		case event.KindEnum:
			e[f.Name] = f.Values[0]
		case event.KindTime:
			e[f.Name] = received
		case event.KindCurrency:
			e[f.Name] = "EUR"
		case event.KindInteger, event.KindNumber:
			e[f.Name] = 1
		case event.KindObject:
			e[f.Name] = p.plant(kind, f.Fields)
		case event.KindList:
			e[f.Name] = []any{p.plant(kind, f.Fields), p.plant(kind, f.Fields)}
		}
	}
	return e
}

// everything is all that preprocess wrote: objects unzipped, packs, metrics.
func (c *cloud) everything(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, key := range slices.Sorted(maps.Keys(c.objects)) {
		unzipped, err := gzip.NewReader(bytes.NewReader(c.objects[key]))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unzipped)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(key + "\n" + string(text))
	}
	return all.String() + strings.Join(c.packs(), "") + c.metrics.String()
}

func TestNoPersonalDataLeavesPreprocess(t *testing.T) {
	var logs bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logs, nil)))
	defer slog.SetDefault(before)

	var p planted
	var deeds []string
	good, bad := 0, 0
	for _, kind := range []string{"email", "phone", "card", "iban", "ipv4", "ipv6"} {
		marshal := func(edit func(map[string]any)) {
			e := p.plant(kind, event.EventFields)
			edit(e)
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			deeds = append(deeds, string(raw))
		}
		marshal(func(map[string]any) {})
		good++
		marshal(func(e map[string]any) { e["unknown"] = p.next(kind) })
		marshal(func(e map[string]any) { e["unknown "+p.next(kind)] = map[string]any{p.next(kind): []any{p.next(kind)}} })
		marshal(func(e map[string]any) { e["custom"] = map[string]any{p.next(kind): 1} })
		marshal(func(e map[string]any) { e["custom"] = map[string]any{"nested": map[string]any{"a": p.next(kind)}} })
		marshal(func(e map[string]any) { e["type"], e["client_ts"] = p.next(kind), p.next(kind) })
		marshal(func(e map[string]any) { e["page"], e["seq"] = p.next(kind), p.next(kind) })
		if bad += 6; kind == "iban" { // is a name as good as any
			good, bad = good+1, bad-1
		}
	}
	for _, name := range []string{"event_id", "session_id"} { // ids are what the shop makes of them, but never an address
		e := p.plant("email", event.EventFields)
		e[name] = p.next("email")
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		deeds = append(deeds, string(raw))
		bad++
	}
	f := frame(1, deeds...)
	for i := range f.Events {
		f.Events[i].UserAgent = "App of " + p.next("email")
	}
	function, c := newTestFunction()
	if _, err := function.handle(t.Context(), call(t, &f, nil)); err != nil {
		t.Fatal(err)
	}
	delivered, rejected := 0, len(stored[event.Quarantined](t, c, "quarantine/"))
	for _, line := range c.packs() {
		delivered += len(unpack(t, line).Events)
	}
	if delivered != good || rejected != bad {
		t.Errorf("got %d delivered and %d quarantined, want %d and %d", delivered, rejected, good, bad)
	}
	c.s3Err = io.ErrUnexpectedEOF
	if _, err := function.handle(t.Context(), call(t, &f)); err == nil {
		t.Error("got no error from a broken S3")
	}
	for where, text := range map[string]string{"what is stored": c.everything(t), "the logs": logs.String()} {
		for _, data := range p.data {
			for _, form := range []string{data, url.QueryEscape(data), url.PathEscape(data), strings.ReplaceAll(data, " ", "")} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s holds %s: …%s…", where, form, text[max(0, at-60):min(len(text), at+80)])
					break
				}
			}
		}
	}
	t.Logf("planted %d pieces of personal data in %d events", len(p.data), len(deeds))
}

// sharedData is a folder beside the project, which a clone may not have.
func sharedData(t *testing.T, path string) string {
	t.Helper()
	path = filepath.Join("..", "..", "..", "..", "shared", "data", path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	return path
}

// onceEach expects that each event of a frame is delivered or quarantined once.
func onceEach(t *testing.T, f event.Frame, c *cloud) {
	t.Helper()
	times := make([]int, len(f.Events))
	for _, line := range c.packs() {
		p, err := event.UnmarshalPack([]byte(line))
		if err != nil {
			t.Error(err)
		}
		for _, e := range p.Events {
			times[e.FramePosition]++
		}
	}
	for _, q := range stored[event.Quarantined](t, c, "quarantine/") {
		times[q.FramePosition]++
	}
	for position, n := range times {
		if n != 1 {
			t.Errorf("the event at %d is there %d times: %.200s", position, n, f.Events[position].Event)
		}
	}
}

func TestNaughtyStringsEndUpInOnePlace(t *testing.T) {
	var naughty []string
	raw, err := os.ReadFile(sharedData(t, "naughty-strings/blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &naughty); err != nil {
		t.Fatal(err)
	}
	var deeds []string
	for i, s := range naughty {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for j, more := range []string{`"search":{"search_term":%s}`, `"page":{"url":%s,"referrer":%[1]s,"title":%[1]s}`, `"custom":{"a":%s}`, `"custom":{%s:1}`, `"session_id":%s`, `%s:1`} {
			deeds = append(deeds, fmt.Sprintf(`{"event_id":%q,"type":"promo_view","promotion":{"promotion_id":"a"},"client_ts":"2026-03-01T00:00:01Z",`, id(i, j))+fmt.Sprintf(more, quoted)+"}")
		}
	}
	f := frame(1, deeds...)
	onceEach(t, f, process(t, f))
}

func TestWhatIsJSONAndWhatIsNotEndsUpInOnePlace(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedData(t, "jsontestsuite/test_parsing"), "*.json"))
	if err != nil || len(files) < 300 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	f := frame(1)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, deed := range []string{string(raw), strings.TrimSuffix(view(1, len(f.Events)), "}") + `,"custom":{"a":` + string(raw) + "}}"} {
			f.Events = append(f.Events, frame(1, deed).Events...)
		}
	}
	// No frame holds what is no JSON: the second half of take must stand it.
	function, c := newTestFunction()
	p, batch := function.newPending(), function.sifter.Batch()
	if err := p.sift(batch, f); err != nil {
		t.Fatal(err)
	}
	if err := function.write(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	onceEach(t, f, c)

	t.Run("in a frame, where one can hold it", func(t *testing.T) {
		whole := f
		whole.Events = slices.DeleteFunc(slices.Clone(f.Events), func(r event.Received) bool {
			one := f
			one.Events = []event.Received{r}
			_, err := one.MarshalBinary()
			return err != nil
		})
		if len(whole.Events) < 100 {
			t.Fatalf("only %d events fit into a frame", len(whole.Events))
		}
		onceEach(t, whole, process(t, whole))
	})
}

func TestAFrameOnWhichPreprocessFailsIsPoisonAlone(t *testing.T) {
	f := frame(1, view(1, 0))
	p := (&function{lanes: 1}).newPending()
	err := p.take(nil, call(t, &f).Records[0].Kinesis.Data) // as a defect of ours would
	if err == nil || !strings.Contains(err.Error(), "runtime.") || p.counts.frames != 0 || len(p.packers[0].Lines()) != 0 {
		t.Errorf("got %v and %+v, want the panic as an error and nothing taken", err, p)
	}
}

// A crash ends the function in the middle of a call that it makes.
func TestACrashAnywhereLeavesWhatAnUndisturbedCallWrites(t *testing.T) {
	frames := []event.Frame{frame(1, view(1, 0), "{}", view(1, 0)), frame(2, view(1, 0), view(2, 1)), frame(18, "{}", view(18, 0))}
	frames[2].CreatedAt = received.Add(-3600e9)
	batch := call(t, &frames[0], &frames[1], &frames[2])
	whole := process(t, frames...)
	for crash, crashed := 1, true; crashed; crash++ {
		f, c := newTestFunction()
		calls := 0
		c.before = func(string) error {
			if calls++; calls == crash {
				panic("crash")
			}
			return nil
		}
		func() {
			defer func() { crashed = recover() != nil }()
			_, _ = f.handle(t.Context(), batch)
		}()
		if !crashed && calls < 5 { // two objects of receipts, two of quarantined events, one of packs
			t.Fatalf("it made %d calls, want 5", calls)
		}
		again, _ := newTestFunction()
		again.s3, again.events.Client = c, c
		c.before, c.lines = nil, map[string][]string{} // packs are told by their ids
		if response, err := again.handle(t.Context(), batch); err != nil || len(response.BatchItemFailures) != 0 {
			t.Fatal(response, err)
		}
		if !maps.EqualFunc(whole.objects, c.objects, bytes.Equal) || !slices.Equal(whole.packs(), c.packs()) {
			t.Errorf("after a crash in call %d the objects or packs are others", crash)
		}
	}
}

func TestPreprocessLeavesOutWhatComesTwice(t *testing.T) {
	a, b := frame(1, view(1, 0), view(1, 1), view(1, 0)), frame(2, view(1, 1), strings.Replace(view(1, 0), `"seq":0`, `"seq":9`, 1))
	c := process(t, a, b)
	receipts := stored[event.Receipt](t, c, "ledger/")
	if fmt.Sprint(receipts[0].Duplicates, receipts[1].Duplicates) != "[2] [0]" {
		t.Errorf("got receipts %+v, want the duplicates 2 and 0", receipts)
	}
	if p := unpack(t, c.packs()[0]); len(c.packs()) != 1 || len(p.Events) != 2 {
		t.Errorf("got packs %v, want one of two events", c.packs())
	}
	if q := stored[event.Quarantined](t, c, "quarantine/"); len(q) != 1 || q[0].Reason != "id_collision" || q[0].FrameID != b.ID.String() {
		t.Errorf("got %+v, want the second event of the second frame", q)
	}
}

func TestPreprocessMarksThePacksOfReplays(t *testing.T) {
	again, new := frame(1, view(1, 0)), frame(2, view(2, 0)) // of one lane
	again.Replayed = true
	packs := map[string]bool{}
	for _, line := range process(t, again, new).lines["lane-000"] {
		p := unpack(t, line)
		packs[p.Header.Frames[0].ID] = p.Header.Replayed
	}
	if want := map[string]bool{again.ID.String(): true, new.ID.String(): false}; !maps.Equal(packs, want) {
		t.Errorf("got %v, want %v", packs, want)
	}
}

// large is a frame of more than a third of what may be pending.
func large(n int) event.Frame {
	var deeds []string
	for i := range 1000 {
		long := strings.Repeat("x", 1000)
		deeds = append(deeds, strings.Replace(view(n, i), `"seq"`, fmt.Sprintf(`"custom":{"a":%q,"b":%[1]q,"c":%[1]q},"seq"`, long), 1))
	}
	return frame(n, deeds...)
}

func TestALargeBatchIsWrittenInParts(t *testing.T) {
	frames := []event.Frame{large(1), large(2), large(3), large(4), large(5)}
	frames[4].CreatedAt = received.Add(-time.Hour)
	batch := call(t, &frames[0], &frames[1], &frames[2], &frames[3], &frames[4])
	f, c := newTestFunction()
	parts := 0
	c.before = func(entry string) error {
		if strings.HasPrefix(entry, "put receipts") {
			parts++
		}
		return nil
	}
	if response, err := f.handle(t.Context(), batch); err != nil || len(response.BatchItemFailures) != 0 {
		t.Fatal(response, err)
	}
	if receipts := stored[event.Receipt](t, c, "ledger/"); parts != 3 || len(receipts) != 5 { // the second part is of two hours
		t.Errorf("got %d objects of %d receipts, want 3 of 5", parts, len(receipts))
	}
	if metrics := c.metrics.String(); !strings.Contains(metrics, `"Events":5000,`) || !strings.Contains(metrics, `"ProcessingDelay":3690000,`) {
		t.Errorf("the parts' metrics are %s, want 5000 events and an hour more than 90 s", metrics)
	}

	t.Run("and goes on from the first part that could not be", func(t *testing.T) {
		f, c := newTestFunction()
		parts := 0
		c.before = func(entry string) error {
			if strings.HasPrefix(entry, "put receipts") {
				parts++
			}
			if parts == 2 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		response, err := f.handle(t.Context(), batch)
		if err != nil || fmt.Sprint(response.BatchItemFailures) != "[{s3}]" {
			t.Fatalf("got %v, %v, want the fourth record to go on from", response, err)
		}
		if receipts := stored[event.Receipt](t, c, "ledger/"); len(receipts) != 3 {
			t.Errorf("%d frames are written, want 3", len(receipts))
		}
	})
}

func TestACallWritesItsMetrics(t *testing.T) {
	a, b := frame(1, view(1, 0), view(1, 0), "{}"), frame(2, `{"x":"ann@example.com and bob@example.com"}`)
	b.CreatedAt = received.Add(-time.Second)
	f, c := newTestFunction()
	if _, err := f.handle(t.Context(), call(t, &a, &b, nil)); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(c.metrics.Bytes(), &got); err != nil || strings.Count(c.metrics.String(), "\n") != 1 {
		t.Fatalf("%q is not one line: %v", c.metrics.String(), err)
	}
	delete(got, "_aws")
	if bytes, ok := got["FrameBytes"].(float64); !ok || bytes < 200 {
		t.Errorf("got FrameBytes %v", got["FrameBytes"])
	}
	delete(got, "FrameBytes")
	want := map[string]any{
		"FunctionName": "preprocess", "Frames": 2.0, "Events": 4.0, "Delivered": 1.0, "Duplicates": 1.0, "PoisonRecords": 1.0, "ProcessingDelay": 91_000.0,
		"Quarantined": 2.0, "Quarantined.required": 1.0, "Quarantined.unknown_field": 1.0, "Scrubbed": 2.0, "Scrubbed.email": 2.0,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
