package test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopstream/shopstream/internal/asset"
	"github.com/shopstream/shopstream/stacks"
	"github.com/shopstream/shopstream/test/synth"
)

func TestAStackTellsTheTagOfItsTracker(t *testing.T) {
	outputs := synth.Decode(t, newStack(t, stacks.Dev)).Output
	for name, suffix := range map[string]string{
		"tracker_release":   "/t/" + asset.TrackerFixture.Version + "/s.js",
		"tracker_integrity": asset.TrackerFixture.Integrity,
	} {
		var got struct{ Value string }
		if err := json.Unmarshal(outputs[name], &got); err != nil || !strings.HasSuffix(got.Value, suffix) {
			t.Errorf("%s is %q, want it to end in %q: %v", name, got.Value, suffix, err)
		}
	}
}
