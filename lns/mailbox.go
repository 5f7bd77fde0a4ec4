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

// mailbox hands letters to one reader. While it is empty nobody reads, and it holds no memory: a goroutine of the crew is called
// when there is something to do, and goes when there is not, because the stack of a waiting one is the largest part of what an
// idle tunnel costs. There is never more than one.
type mailbox struct {
	mu      sync.Mutex // guards all below
	letters []letter
	closed  bool
	reading bool // a goroutine runs read, or is about to
	rung    bool // it has to look once more before it rests
	urgent  bool // it goes before those that are not
	read    func()
	readers *crew
}

// newMailbox makes a mailbox whose first reader the caller starts itself, when all that it needs is in place.
func newMailbox(read func(), readers *crew) mailbox {
	return mailbox{read: read, readers: readers, reading: true}
}

// post appends a letter; it says false when the box is closed, or full and the letter is a droppable one.
func (m *mailbox) post(l letter, droppable bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || (droppable && len(m.letters) >= maxMail) {
		return false
	}
	m.letters = append(m.letters, l)
	m.wake()
	return true
}

// ring has somebody read, whether or not there is a letter.
func (m *mailbox) ring() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.wake()
	}
}

func (m *mailbox) wake() {
	if m.reading {
		m.rung = true
		return
	}
	m.reading = true
	m.readers.runAs(m.read, m.urgent)
}

// hurry has what is posted from now on be read before the mail of those who have not been told to hurry.
func (m *mailbox) hurry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.urgent = true
}

// rest asks whether the reader may end; if not there is more to do.
func (m *mailbox) rest() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reading = m.rung
	m.rung = false
	return !m.reading
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
