package event

import (
	"bytes"
	"strings"
	"testing"
)

func TestReplayPack(t *testing.T) {
	var p Packer
	for i, shop := range []string{"a", "b", "a", "a"} {
		e := Stored{ShopID: shop, FrameID: []string{"f", "f", "f", "g"}[i], FramePosition: i}
		e.Type = PageView
		if err := p.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	line := p.Lines()[0]
	t.Run("marks the same pack, where all of it enters again", func(t *testing.T) {
		again, n, err := ReplayPack(line, func(Stored) bool { return true })
		if err != nil || n != 4 {
			t.Fatalf("got %d and %v", n, err)
		}
		if want := bytes.Replace(line, []byte(`"replayed":false`), []byte(`"replayed":true`), 1); !bytes.Equal(again, want) {
			t.Errorf("got %s, want %s", again, want)
		}
	})
	t.Run("makes a pack of the events that are kept", func(t *testing.T) {
		again, n, err := ReplayPack(line, func(e Stored) bool { return e.ShopID == "a" })
		if err != nil {
			t.Fatal(err)
		}
		got, err := UnmarshalPack(again)
		if err != nil || n != 3 || len(got.Events) != 3 || len(got.Header.Frames) != 2 || got.Header.Frames[0].Count != 2 || !got.Header.Replayed {
			t.Errorf("got %+v, %d and %v", got, n, err)
		}
	})
	t.Run("makes none of nothing", func(t *testing.T) {
		if again, n, err := ReplayPack(line, func(Stored) bool { return false }); again != nil || n != 0 || err != nil {
			t.Errorf("got %s, %d and %v", again, n, err)
		}
	})
	t.Run("refuses what is no pack", func(t *testing.T) {
		if _, _, err := ReplayPack(bytes.Replace(line, []byte("page_view"), []byte("page_look"), 1), func(Stored) bool { return true }); err == nil || !strings.Contains(err.Error(), "corrupt") {
			t.Errorf("got %v", err)
		}
	})
}
