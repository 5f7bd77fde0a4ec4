package lns

import (
	"sync"
	"time"
)

// maxMail bounds the datagrams that wait for one tunnel; a peer that sends more has to repeat itself.
const maxMail = 1024

// letter is one thing for the goroutine of a tunnel to do.
type letter interface {
	// deliver runs on the tunnel's goroutine.
	deliver(t *tunnel, now time.Time)
	// lost runs instead when the tunnel ended before the letter was read.
	lost(s *Server)
}

// mailbox hands letters to one goroutine. It holds no memory while it is empty.
type mailbox struct {
	mu      sync.Mutex // guards the two below
	letters []letter
	closed  bool

	wake chan struct{} // holds one token while there may be letters
}

func newMailbox() mailbox { return mailbox{wake: make(chan struct{}, 1)} }

// post appends a letter; it says false when the box is closed, or full and the letter is a droppable one.
func (m *mailbox) post(l letter, droppable bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || (droppable && len(m.letters) >= maxMail) {
		return false
	}
	m.letters = append(m.letters, l)
	m.ring()
	return true
}

// ring wakes the reader, whether or not there is a letter.
func (m *mailbox) ring() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// isClosed says that nobody reads letters any more.
func (m *mailbox) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// take empties the box.
func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters = nil
	return letters
}

// close refuses letters from now on and returns those that nobody has read.
func (m *mailbox) close() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	letters := m.letters
	m.letters = nil
	return letters
}
