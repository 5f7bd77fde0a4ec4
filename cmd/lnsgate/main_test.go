package main

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain puts the tests into one time zone, before any goroutine asks for it.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}
