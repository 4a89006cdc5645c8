package check

import (
	"math"
	"testing"
	"time"
)

func TestEachWordPassesWhatItAllowsAndNamesWhatItDoesNot(t *testing.T) {
	type platform string
	for _, c := range []struct {
		name string
		err  error
		want string // "": allowed
	}{
		{"required and set", Required("Name", true), ""},
		{"required and not set", Required("Name", false), "Name is required"},
		{"at the lower limit", Between("Hours", 24, 24, 8760), ""},
		{"at the upper limit", Between("Hours", 8760, 24, 8760), ""},
		{"below the limits", Between("Hours", 23, 24, 8760), "Hours must be 24 to 8760, got 23"},
		{"above the limits", Between("Hours", 8761, 24, 8760), "Hours must be 24 to 8760, got 8761"},
		{"a duration above its limits", Between("Timeout", 16*time.Minute, time.Second, 15*time.Minute), "Timeout must be 1s to 15m0s, got 16m0s"},
		{"a share above its limits", Between("Share", 1.5, 0, 1), "Share must be 0 to 1, got 1.5"},
		{"no number", Between("Share", math.NaN(), 0, 1), "Share must be 0 to 1, got NaN"},
		{"one of the allowed", OneOf("Mode", "rolling", "rolling", "bluegreen"), ""},
		{"none of the allowed", OneOf("Mode", "canary", "rolling", "bluegreen"), `Mode must be one of rolling, bluegreen, got "canary"`},
		{"nothing", OneOf("Mode", "", "rolling"), `Mode must be one of rolling, got ""`},
		{"a word of its own type", OneOf("Platform", platform("x86"), platform("arm64"), "amd64"), `Platform must be one of arm64, amd64, got "x86"`},
		{"a number that is none of the allowed", OneOf("Days", 4, 3, 5), "Days must be one of 3, 5, got 4"},
		{"what holds", That(true, "Min must be at most Max"), ""},
		{"what does not hold", That(false, "Min must be at most Max, got %d and %d", 3, 2), "Min must be at most Max, got 3 and 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch {
			case c.want == "" && c.err != nil:
				t.Errorf("error is %v, want none", c.err)
			case c.want != "" && (c.err == nil || c.err.Error() != c.want):
				t.Errorf("error is %v, want %s", c.err, c.want)
			}
		})
	}
}
