package scrub

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// shared reads a file of the shared data, which stands beside the project.
func shared(t *testing.T, path ...string) []byte {
	t.Helper()
	name := filepath.Join(append([]string{"..", "..", "..", "..", "..", "shared", "data"}, path...)...)
	content, err := os.ReadFile(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have the shared data: %v", err)
		}
		t.Skipf("needs the shared data beside the project: %v", err)
	}
	return content
}

// TestFindsLabelledPersonalData measures Find on sentences that others
// labelled. A hit overlaps a label of its kind.
func TestFindsLabelledPersonalData(t *testing.T) {
	var sentences []struct {
		Text  string `json:"full_text"`
		Spans []struct {
			Type  string `json:"entity_type"`
			Start int    `json:"start_position"` // characters
			End   int    `json:"end_position"`
		}
	}
	if err := json.Unmarshal(shared(t, "pii", "synth_dataset_v2.json"), &sentences); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{"EMAIL_ADDRESS": Email, "PHONE_NUMBER": Phone, "CREDIT_CARD": Card, "IBAN_CODE": IBAN, "IP_ADDRESS": IP}
	labelled, found, wrong := map[Kind]int{}, map[Kind]int{}, map[Kind]int{}
	matches := 0
	for _, s := range sentences {
		var labels []Match
		runes := []rune(s.Text)
		for _, span := range s.Spans {
			if kind := kinds[span.Type]; kind != "" {
				labels = append(labels, Match{kind, len(string(runes[:span.Start])), len(string(runes[:span.End]))})
			}
		}
		hits := Find(s.Text)
		overlap := func(a, b Match) bool { return a.Kind == b.Kind && a.Start < b.End && b.Start < a.End }
		for _, label := range labels {
			labelled[label.Kind]++
			if slices.ContainsFunc(hits, func(hit Match) bool { return overlap(hit, label) }) {
				found[label.Kind]++
			} else {
				t.Logf("missed %s %q in %q", label.Kind, s.Text[label.Start:label.End], s.Text)
			}
		}
		for _, hit := range hits {
			matches++
			if !slices.ContainsFunc(labels, func(label Match) bool { return overlap(hit, label) }) {
				wrong[hit.Kind]++
				t.Logf("wrong %s %q in %q", hit.Kind, s.Text[hit.Start:hit.End], s.Text)
			}
		}
	}
	all := 0
	for kind, want := range map[Kind]float64{Email: 0.98, IBAN: 0.98, Card: 0.98, Phone: 0.88, IP: 0.98} {
		recall := float64(found[kind]) / float64(labelled[kind])
		t.Logf("%s: recall %.3f (%d of %d), wrong %d", kind, recall, found[kind], labelled[kind], wrong[kind])
		if recall < want {
			t.Errorf("recall of %s is %.3f, want at least %.2f", kind, recall, want)
		}
		all += wrong[kind]
	}
	if precision := 1 - float64(all)/float64(matches); precision < 0.97 {
		t.Errorf("precision is %.3f, want at least 0.97", precision)
	}
}

// TestARealShopsLogHasNothingPersonal puts in all columns: ids and prices are
// not given to this package, but here they aren't taken for cards or phones
// either.
func TestARealShopsLogHasNothingPersonal(t *testing.T) {
	r := csv.NewReader(bytes.NewReader(shared(t, "rees46", "2019-Oct.csv")))
	r.FieldsPerRecord = -1 // the last row is cut off
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for i, value := range row {
			if found := Find(value); len(found) > 0 {
				t.Errorf("%s %q has %v", rows[0][i], value, found)
			}
		}
	}
}
