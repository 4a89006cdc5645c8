package main

import "github.com/shopstream/shopstream/constructs/event"

// knows says whether the shopper of an event may be known again.
func (s *shop) knows(ids event.IDs) bool {
	return len(ids.Visitor) > 0 && s.Consent != event.ConsentNever && (ids.Consent == "" || ids.Consent == event.ConsentGranted)
}
