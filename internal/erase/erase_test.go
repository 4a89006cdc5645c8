package erase

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/shopstream/shopstream/constructs/event"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// names is a bucket of which the objects' names alone can be read.
type names []string

func (n names) ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	out := &s3.ListObjectsV2Output{}
	for _, name := range n {
		out.Contents = append(out.Contents, s3types.Object{Key: &name})
	}
	return out, nil
}

func TestTombstones(t *testing.T) {
	t.Run("hide what was received until the last erasure", func(t *testing.T) {
		var written names
		for _, at := range []time.Time{noon, noon.Add(-time.Hour)} {
			written = append(written, Tombstone{"shoes", "h1_a", at}.key())
		}
		all, err := Load(t.Context(), written, "raw")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			shop, visitor string
			at            time.Time
			want          bool
		}{
			{"shoes", "h1_a", noon.Add(-48 * time.Hour), true},
			{"shoes", "h1_a", noon, true},
			{"shoes", "h1_a", noon.Add(time.Millisecond), false},
			{"shoes", "h1_b", noon, false},
			{"hats", "h1_a", noon, false},
			{"shoes", "", noon, false},
		} {
			if got := all.Hides(c.shop, c.visitor, c.at); got != c.want {
				t.Errorf("%s of %s at %s: got %v", c.visitor, c.shop, c.at, got)
			}
		}
	})
	t.Run("are refused where they are not named as such: nobody must be shown by mistake", func(t *testing.T) {
		for _, name := range []string{"erasures/shoes.json", "erasures/shoes/h1_a/yesterday.json"} {
			if _, err := Load(t.Context(), names{name}, "raw"); err == nil || !strings.Contains(err.Error(), "is not named as a tombstone") {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

func TestErase(t *testing.T) {
	for _, who := range []Tombstone{{"shoes", "", noon}, {"", "h1_a", noon}, {"shoes/h1_a", "b", noon}, {"shoes", "a/b", noon}} {
		if _, err := (Eraser{}).Erase(t.Context(), who, false); err == nil || !strings.Contains(err.Error(), "have no slash") {
			t.Errorf("%+v: got %v, want a refusal before anything is done", who, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	record := func(shop, visitor string, at time.Time) event.Quarantined {
		return event.Quarantined{
			Reason: "range", Pointer: "/seq", Message: "m", ShopID: shop, EventID: "e", ReceivedAt: at, BatchID: "b", FrameID: "f", FramePosition: 3,
			IP: "192.0.2.0", UserAgent: "Firefox", Original: jsontext.Value(fmt.Sprintf(`{"seq":-1,"visitor_id":1,"visitor_id":%q}`, visitor)),
		}
	}
	var object bytes.Buffer
	zip := gzip.NewWriter(&object)
	for _, q := range []event.Quarantined{
		record("shoes", "h1_gone", noon), record("shoes", "h1_gone2", noon), record("hats", "h1_gone", noon), record("shoes", "h1_gone", noon.Add(time.Second)),
	} {
		line, err := json.Marshal(q, lenient)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(zip, "%s\n", line)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	body, n, err := empty(&object, Tombstone{"shoes", "h1_gone", noon})
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	var got []event.Quarantined
	for line := range bytes.Lines(lines) {
		var q event.Quarantined
		if err := json.Unmarshal(line, &q, lenient); err != nil {
			t.Fatal(err)
		}
		got = append(got, q)
	}
	t.Run("takes the visitor's records of the shop until then apart, and no other", func(t *testing.T) {
		if n != 1 || len(got) != 4 || bytes.Count(lines, []byte(`"h1_gone"`)) != 2 || !bytes.Contains(lines, []byte("h1_gone2")) {
			t.Errorf("got %d emptied of\n%s", n, lines)
		}
	})
	t.Run("leaves the place in the frame, by which the ledger counts", func(t *testing.T) {
		first, _, _ := bytes.Cut(lines, []byte("\n"))
		q := got[0]
		if q.FrameID != "f" || q.FramePosition != 3 || q.Reason != "range" || q.ShopID != "shoes" || bytes.Contains(first, []byte("event_id")) ||
			q.BatchID != "" || q.IP != "" || q.UserAgent != "" || string(q.Original) != "null" {
			t.Errorf("got %s", first)
		}
	})
}

func TestLifetimes(t *testing.T) {
	enabled, all := s3types.ExpirationStatusEnabled, &s3types.LifecycleRuleFilter{Prefix: aws.String("")}
	expire := &s3types.LifecycleExpiration{Days: aws.Int32(90)}
	old := &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(30)}
	for name, c := range map[string]struct {
		rules            []s3types.LifecycleRule
		days, noncurrent int
	}{
		"adds up both rules":           {[]s3types.LifecycleRule{{Status: enabled, Filter: all, NoncurrentVersionExpiration: old}, {Status: enabled, Filter: all, Expiration: expire}}, 90, 30},
		"takes no rule that is off":    {[]s3types.LifecycleRule{{Status: s3types.ExpirationStatusDisabled, Filter: all, Expiration: expire}}, 0, 0},
		"takes a rule of all events":   {[]s3types.LifecycleRule{{Status: enabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("events/")}, Expiration: expire}}, 90, 0},
		"takes no rule of a part":      {[]s3types.LifecycleRule{{Status: enabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("tmp/")}, Expiration: expire}}, 0, 0},
		"knows that nothing may do so": {nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if days, noncurrent := lifetimes(c.rules); days != c.days || noncurrent != c.noncurrent {
				t.Errorf("got %d and %d", days, noncurrent)
			}
		})
	}
}
