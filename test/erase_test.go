package test

import (
	"testing"

	"github.com/shopstream/shopstream/constructs/stream"
	"github.com/shopstream/shopstream/internal/erase"
)

// An operator's tool must not load jsii, so that it can't take these from the
// construct.
func TestErase(t *testing.T) {
	t.Run("knows the online table's attributes", func(t *testing.T) {
		if erase.OnlineVisitor != stream.OnlineVisitor || erase.OnlineFeature != stream.OnlineFeature {
			t.Errorf("got %s and %s, want %s and %s", erase.OnlineVisitor, erase.OnlineFeature, stream.OnlineVisitor, stream.OnlineFeature)
		}
	})
}
