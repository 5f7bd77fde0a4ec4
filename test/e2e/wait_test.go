package e2e

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// patience is how long something may take that normally takes no time, on a machine that does much else.
const patience = 20 * time.Second

// eventually asks again and again until the condition holds. what completes the sentence "never came true: ...".
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	within(t, patience, what, condition)
}

// within is eventually with a bound of its own.
func within(t *testing.T, bound time.Duration, what string, condition func() bool) {
	t.Helper()
	if !poll(bound, condition) {
		t.Fatalf("never came true within %s: %s", bound, what)
	}
}

// poll says whether the condition came true in time.
func poll(bound time.Duration, condition func() bool) bool {
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			return condition()
		case <-again.C:
		}
	}
	return true
}

// transcript collects what a process writes. It is safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text []byte
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b...)
	return len(b), nil
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// lines are those that are complete.
func (s *transcript) lines() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all [][]byte
	for rest := s.text; ; {
		line, more, complete := bytes.Cut(rest, []byte("\n"))
		if !complete {
			return all
		}
		all, rest = append(all, bytes.Clone(line)), more
	}
}
