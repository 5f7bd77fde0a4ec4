package main

import (
	"testing"
	"time"

	"lnsgate/test/pgtest"

	"go.uber.org/goleak"
)

// TestMain puts the tests into one time zone, before any goroutine asks for it.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(withServer{m})
}

// withServer ends the database server that tests share, if one was started.
type withServer struct{ *testing.M }

func (m withServer) Run() int { return pgtest.Run(m.M) }
