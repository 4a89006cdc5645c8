// Package check states what a construct requires of its props, in one voice.
package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Required reports a field that is not set.
func Required(field string, set bool) error {
	if set {
		return nil
	}
	return fmt.Errorf("%s is required", field)
}

// Between reports a value outside lo to hi, both included.
func Between[N cmp.Ordered](field string, v, lo, hi N) error {
	if lo <= v && v <= hi {
		return nil
	}
	return fmt.Errorf("%s must be %v to %v, got %v", field, lo, hi, v)
}

// OneOf reports a value that is not among the allowed ones.
func OneOf[V comparable](field string, v V, allowed ...V) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = fmt.Sprint(a)
	}
	return fmt.Errorf("%s must be one of %s, got %#v", field, strings.Join(words, ", "), v)
}

// That reports a field of which ok, in words, does not hold.
func That(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
