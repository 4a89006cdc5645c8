// Package test holds every test that synthesizes: they share one Node kernel,
// and none of them runs in parallel.
package test

import (
	"os"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"github.com/shopstream/shopstream/internal/process"
)

func TestMain(m *testing.M) {
	process.Init()
	status := m.Run()
	jsii.Close()
	os.Exit(status)
}
