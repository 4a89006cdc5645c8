package local

import "testing"

func (f *faults) markers(t *testing.T) {}
