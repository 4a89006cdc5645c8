// Package traffic makes what shops send, by simulating shoppers or from the
// log of a real shop, and sends it to a collector as trackers do.
package traffic

import (
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/shopstream/shopstream/constructs/event"
)

// Source is a stream of batches and the shops that they belong to.
type Source struct {
	Shops   []event.Shop
	Batches func(yield func(event.Batch) bool)
}

// marshalEvents renders events as a batch holds them.
func marshalEvents(events []event.Event) []jsontext.Value {
	raw := make([]jsontext.Value, len(events))
	for i, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			panic(fmt.Sprintf("encode event: %v", err)) // texts and finite numbers always encode
		}
		raw[i] = b
	}
	return raw
}

// batchID is the same for the same batch of the same source.
func batchID(source string, n int) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%d", source, n)).String()
}
