package guardrails

import "slices"

// stateful reports whether a resource holds data that is gone with it: those
// types that the table asks to keep for more than their name.
func stateful(r *resource) bool {
	requirements, _ := requirementsOf(r)
	return slices.ContainsFunc(requirements, func(q requirement) bool {
		return q.rule == kept.rule && q.path == kept.path && q.want.says == kept.want.says
	})
}

// Stateful returns the addresses of a stack's resources that hold data, sorted.
func Stateful(stackJSON []byte) ([]string, error) {
	s, err := decode(stackJSON)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, r := range s.resources {
		if stateful(r) {
			addresses = append(addresses, r.address())
		}
	}
	return addresses, nil
}

// Moved returns the addresses that a stack's moved blocks take to its
// resources, each with where it is now.
func Moved(stackJSON []byte) (map[string]string, error) {
	s, err := decode(stackJSON)
	if err != nil {
		return nil, err
	}
	moved := map[string]string{}
	for from := range s.moved {
		to := from
		for range s.moved { // a chain is at most as long as there are blocks
			if next, more := s.moved[to]; more {
				to = next
			}
		}
		if s.byAddress[to] != nil {
			moved[from] = to
		}
	}
	return moved, nil
}
