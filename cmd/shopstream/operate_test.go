package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopstream/shopstream/constructs/event"
	"github.com/shopstream/shopstream/internal/erase"
	"github.com/shopstream/shopstream/internal/replay"
)

func TestReplayFlags(t *testing.T) {
	t.Run("a reason means the quarantine", func(t *testing.T) {
		s, err := replaying{from: "2026-11-20", to: "2026-11-20T08:30:00+01:00", reason: "range", rate: 1}.selection()
		want := replay.Selection{
			Zone: replay.Quarantine, Reason: "range",
			From: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 20, 7, 30, 0, 0, time.UTC),
		}
		if err != nil || s != want {
			t.Errorf("got %+v and %v, want %+v", s, err, want)
		}
	})
	t.Run("say what is wrong", func(t *testing.T) {
		for want, r := range map[string]replaying{
			"--rate must be a share over 0 to 1, got 2": {from: "2026-11-20", to: "2026-11-21", rate: 2},
			"--from and --to are required":              {rate: 1},
			`got "yesterday"`:                           {from: "yesterday", to: "2026-11-21", rate: 1},
			"from must be before to":                    {from: "2026-11-21", to: "2026-11-20", rate: 1},
		} {
			if _, err := r.selection(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
	t.Run("another selection has another checkpoint", func(t *testing.T) {
		t.Setenv("XDG_STATE_HOME", "/state")
		a, errA := statePath("", "prod", replay.Selection{Shop: "a"})
		b, errB := statePath("", "prod", replay.Selection{Shop: "b"})
		if errA != nil || errB != nil || a == b || filepath.Dir(a) != "/state/shopstream" || len(filepath.Base(a)) != len("replay-prod-0123456789abcdef.json") {
			t.Errorf("got %s and %s", a, b)
		}
	})
}

func TestProgressLine(t *testing.T) {
	var out bytes.Buffer
	l := progressLine{out: &out, begun: time.Now().Add(-10 * time.Second)}
	l.show(replay.Progress{Objects: 5, TotalObjects: 9, Events: 100, Bytes: 500, TotalBytes: 900, Resumed: true})
	l.told = time.Time{}
	l.show(replay.Progress{Objects: 6, TotalObjects: 9, Events: 1100, Bytes: 600, TotalBytes: 900, Resumed: true})
	if got := out.String(); !strings.HasPrefix(got, "goes on behind 4 objects\n") || !strings.HasSuffix(got, "6 of 9 objects, 1,100 events, 100/s, 30s left\n") {
		t.Errorf("got %q, want the rate and the rest of this run alone", got)
	}
}

func TestPrintShops(t *testing.T) {
	var out bytes.Buffer
	printShops(&out, []event.Shop{{Key: "pk_a", ID: "shoes", Salt: []byte("saltsaltsalt"), EventsPerSecond: 9, Disabled: true}})
	if got := out.String(); strings.Contains(got, "salt") || !strings.Contains(got, "shoes  pk_a  off    9         any      none     asked") {
		t.Errorf("got\n%s\nwant no salt", got)
	}
}

func TestPrintErasure(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	end := at.AddDate(0, 0, 7)
	var out bytes.Buffer
	printErasure(&out, erase.Report{
		Tombstone: erase.Tombstone{ShopID: "shoes", VisitorID: "h1_a", ErasedAt: at}, DryRun: true,
		Stores: []erase.Store{{Name: "failed", EndsAt: &end}, {Name: "raw"}},
	})
	for _, want := range []string{"all until 2026-11-20T12:00:00Z would be erased", "2026-11-27", "never"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q", out.String(), want)
		}
	}
}

func TestStoredIDs(t *testing.T) {
	secret := bytes.Repeat([]byte("s"), 32)
	t.Run("are of every version that the shop's ids had", func(t *testing.T) {
		ids, err := storedIDs(secret, event.Shop{ID: "shoes", Salt: []byte("salt"), HashVersion: 2}, "v")
		if err != nil || len(ids) != 2 || !strings.HasPrefix(ids[0], "h1_") || !strings.HasPrefix(ids[1], "h2_") || ids[0][3:] == ids[1][3:] {
			t.Errorf("got %v and %v, want h1_… and h2_…", ids, err)
		}
	})
	t.Run("are nothing to erase without a salt", func(t *testing.T) {
		if _, err := storedIDs(secret, event.Shop{ID: "shoes"}, "v"); err == nil || !strings.Contains(err.Error(), "there is nothing to erase") {
			t.Errorf("got %v", err)
		}
	})
}
