package traffic

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
)

const (
	header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
	view   = "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c"
)

func readLog(t *testing.T, text string) ([]event.Batch, *LogResult) {
	t.Helper()
	source, result, err := Log(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return draw(source), result
}

func TestTheRealLogIsReadRowByRow(t *testing.T) {
	source, result, err := Log(realLog(t))
	if err != nil {
		t.Fatal(err)
	}
	batches := draw(source)
	if result.Rows != 17_434 || result.Err != nil {
		t.Errorf("read %d rows, want 17434: %v", result.Rows, result.Err)
	}
	if want := []SkippedRow{{17_436, "has 8 of 9 columns"}}; !slices.Equal(result.Skipped, want) {
		t.Errorf("skipped %+v, want %+v", result.Skipped, want)
	}
	ids, events, wrong := map[string]string{}, 0, map[string]int{}
	var duplicates int
	var before time.Time
	for i, b := range batches {
		if b.SentAt.Before(before) || b.Seq != int64(i) {
			t.Fatalf("batch %d, number %d, is sent at %s, the one before at %s", i, b.Seq, b.SentAt, before)
		}
		before = b.SentAt
		if len(b.Events) > event.MaxBatchEvents || len(encode(t, b)) > event.MaxBatchBytes {
			t.Errorf("batch %d has %d events and %d bytes", i, len(b.Events), len(encode(t, b)))
		}
		if _, _, err := event.UnmarshalBatch([]byte(encode(t, b))); err != nil {
			t.Errorf("batch %d: %v", i, err)
		}
		for _, raw := range b.Events {
			events++
			id := decode(t, raw).EventID
			if before, known := ids[id]; known {
				duplicates++
				if before != string(raw) {
					t.Errorf("the same row makes two events: %s and %s", before, raw)
				}
			}
			ids[id] = string(raw)
			if _, err := event.Unmarshal(raw, b.SentAt); err != nil {
				var ps event.Problems
				if errors.As(err, &ps) {
					wrong[ps[0].Pointer+" "+ps[0].Rule]++
				}
			}
		}
	}
	if events != 17_434 || duplicates != 5 {
		t.Errorf("batches hold %d events with %d duplicate ids, want 17434 and 5", events, duplicates)
	}
	if want := map[string]int{"/items/0/price range": 19}; fmt.Sprint(wrong) != fmt.Sprint(want) {
		t.Errorf("events that break the contract: %v, want %v", wrong, want)
	}
}

func TestARowBecomesAnEvent(t *testing.T) {
	purchase := strings.Replace(view, ",view,", ",purchase,", 1)
	batches, result := readLog(t, header+"\n"+view+"\n"+purchase+"\n")
	if len(batches) != 1 || len(batches[0].Events) != 2 || result.Rows != 2 || len(result.Skipped) != 0 {
		t.Fatalf("batches are %+v, result %+v", batches, result)
	}
	at := time.Date(2019, 10, 1, 0, 0, 0, 0, time.UTC)
	if b := batches[0]; !b.SentAt.Equal(at) || b.Shop != "pk_rees46" || b.V != event.SchemaVersion {
		t.Errorf("batch is %+v", b)
	}
	first, second := decode(t, batches[0].Events[0]), decode(t, batches[0].Events[1])
	want := event.Event{
		EventID: first.EventID, Type: event.ProductView, VisitorID: "541312140", SessionID: "72d76fde-8bb3-4e00-8c23-a032dfed738c", ClientTS: at,
		Items: []event.Item{{ID: "44600062", Brand: "shiseido", Price: 35.79, Currency: "USD", Quantity: 1}},
	}
	if encode(t, first) != encode(t, want) {
		t.Errorf("got  %s\nwant %s", encode(t, first), encode(t, want))
	}
	if got, err := event.IDTime(first.EventID); err != nil || !got.Equal(at) {
		t.Errorf("its id holds %s: %v", got, err)
	}
	if second.Type != event.Purchase || second.Order == nil || second.Order.Value != 35.79 || second.EventID == first.EventID {
		t.Errorf("the purchase is %s", encode(t, second))
	}
}

func TestAMalformedRowIsToldAndTheOthersAreRead(t *testing.T) {
	change := func(old, new string) string { return strings.Replace(view, old, new, 1) }
	for _, c := range []struct{ name, row, want string }{
		{"cut off", "2019-10-01 00:00:00 UTC,vi", "has 2 of 9 columns"},
		{"a column too many", view + ",x", "has 10 of 9 columns"},
		{"an open quote", change("shiseido", `"shiseido`), "is no CSV: its quotes do not match"},
		{"a quote within", change("shiseido", `shi"seido`), "is no CSV: its quotes do not match"},
		{"no time", change("2019-10-01 00:00:00 UTC", ""), "event_time must look like 2019-10-01 00:00:00 UTC"},
		{"a time of another zone", change("UTC", "CET"), "event_time must look like 2019-10-01 00:00:00 UTC"},
		{"a day that is none", change("2019-10-01", "2019-02-30"), "event_time must look like 2019-10-01 00:00:00 UTC"},
		{"another type", change("view", "look"), `event_type must be view, cart, remove_from_cart or purchase, got "look"`},
		{"no price", change("35.79", ""), `price must be a number, got ""`},
		{"a price in words", change("35.79", "cheap"), `price must be a number, got "cheap"`},
		{"a price that is no number", change("35.79", "NaN"), `price must be a number, got "NaN"`},
		{"an endless price", change("35.79", "-Inf"), `price must be a number, got "-Inf"`},
		{"a price beyond numbers", change("35.79", "1e999"), `price must be a number, got "1e999"`},
		{"a session that is no UUID", change("72d76fde", "x"), "user_session must be a UUID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			batches, result := readLog(t, header+"\n"+view+"\n"+c.row+"\n"+view+"\n")
			if want := []SkippedRow{{3, c.want}}; !slices.Equal(result.Skipped, want) {
				t.Errorf("skipped %+v, want %+v", result.Skipped, want)
			}
			if result.Rows != 2 || result.Err != nil || len(batches) != 1 || len(batches[0].Events) != 2 {
				t.Errorf("result is %+v", result)
			}
		})
	}
}

func TestWhatTheContractJudgesIsNoReasonToSkipARow(t *testing.T) {
	for _, row := range []string{
		strings.Replace(view, "35.79", "0.00", 1), strings.Replace(view, "44600062", "", 1),
		strings.Replace(view, "541312140", "", 1), strings.Replace(view, "72d76fde-8bb3-4e00-8c23-a032dfed738c", "", 1),
	} {
		if _, result := readLog(t, header+"\n"+row+"\n"); result.Rows != 1 || len(result.Skipped) != 0 {
			t.Errorf("row %s: %+v", row, result)
		}
	}
}

func TestAFileThatIsNoLogIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "the log is empty, its first line must be \"" + header + "\": EOF",
		view + "\n":                            `the log's first line is "2019-10-01 00:00:00 UTC,view,`,
		"event_time;event_type\n":              `the log's first line is "event_time;event_type", it must be "event_time,event_type,`,
		header + ",extra\n":                    "it must be",
		strings.Repeat("x", 1<<19) + "\nrow\n": "the log's first line is \"" + strings.Repeat("x", 200) + `", it must`,
		strings.Repeat("x", 2<<20):             "token too long",
	} {
		_, _, err := Log(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 600 {
			t.Errorf("a log of %.30q: error is %.600v, want %q", text, err, want)
		}
	}
}

func TestALogWithoutRowsHasNoBatches(t *testing.T) {
	for _, text := range []string{header, header + "\n", header + "\r\n\r\n\n"} {
		if batches, result := readLog(t, text); len(batches) != 0 || result.Rows != 0 || len(result.Skipped) != 0 || result.Err != nil {
			t.Errorf("log %q: %d batches, %+v", text, len(batches), result)
		}
	}
}

func TestLineEndsAndALastLineWithoutOneChangeNothing(t *testing.T) {
	unix := header + "\n" + view + "\n" + strings.Replace(view, "view", "cart", 1) + "\n"
	want, _ := readLog(t, unix)
	for _, text := range []string{strings.ReplaceAll(unix, "\n", "\r\n"), strings.TrimSuffix(unix, "\n"), strings.Replace(unix, "\n", "\n\n", 2)} {
		if got, _ := readLog(t, text); encode(t, got) != encode(t, want) {
			t.Errorf("log %q\ngives %s\nwant  %s", text, encode(t, got), encode(t, want))
		}
	}
}

func TestABatchOfALogHas500RowsAndIsSentAtItsLatest(t *testing.T) {
	var log strings.Builder
	log.WriteString(header + "\n")
	for i := range 1001 {
		at := time.Date(2019, 10, 1, 0, 0, i^1, 0, time.UTC) // neighbours change places
		log.WriteString(at.Format(logTime) + view[23:] + "\n")
	}
	batches, _ := readLog(t, log.String())
	var sizes []int
	for _, b := range batches {
		sizes = append(sizes, len(b.Events))
		for _, raw := range b.Events {
			if e := decode(t, raw); e.ClientTS.After(b.SentAt) {
				t.Errorf("event of %s is sent at %s", e.ClientTS, b.SentAt)
			}
		}
	}
	if !slices.Equal(sizes, []int{500, 500, 1}) || batches[0].BatchID == batches[1].BatchID {
		t.Errorf("batches have %v rows, ids %s and %s", sizes, batches[0].BatchID, batches[1].BatchID)
	}
}

func TestTheSameRowIsAlwaysTheSameEvent(t *testing.T) {
	alone, _ := readLog(t, header+"\n"+view+"\n")
	behind, _ := readLog(t, header+"\n"+strings.Replace(view, "view", "cart", 1)+"\n"+view+"\n")
	if a, b := decode(t, alone[0].Events[0]).EventID, decode(t, behind[0].Events[1]).EventID; a != b {
		t.Errorf("ids are %s and %s", a, b)
	}
}

func TestALogThatCannotBeReadToItsEndSaysSo(t *testing.T) {
	broken := errors.New("disk is gone")
	source, result, err := Log(io.MultiReader(strings.NewReader(header+"\n"+view+"\n"), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if batches := draw(source); len(batches) != 1 || result.Rows != 1 || !errors.Is(result.Err, broken) {
		t.Errorf("%d batches, %+v", len(batches), result)
	}
}

func TestDrawingMayStopAtAnyBatch(t *testing.T) {
	source, result, err := Log(strings.NewReader(header + "\n" + strings.Repeat(view+"\n", 1200)))
	if err != nil {
		t.Fatal(err)
	}
	for range source.Batches {
		break
	}
	if result.Rows != 500 {
		t.Errorf("%d rows were read for one batch", result.Rows)
	}
}
