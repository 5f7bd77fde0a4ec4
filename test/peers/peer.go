package peers

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Login is who a peer says it is, and what it does with a challenge.
type Login struct {
	User   string
	Answer Answerer
	// Secret is that of the tunnel; Challenge has the peer demand an answer to one.
	Secret    string
	Challenge []byte
}

// Answerer proves who we are. aaa/secret has one.
type Answerer interface {
	CHAP(id uint8, challenge []byte) []byte
	MSCHAPv2(challenge []byte) []byte
	VerifyMSCHAPv2(message string) bool
}

// Peer plays a profile. What arrives is handed over by Deliver from any goroutine; everything else belongs to the
// goroutine that calls Login and Run, in which the peer lives.
type Peer struct {
	Profile Profile
	Login   Login
	// Tunnel and Session are the ids of the peer; ServerTunnel and ServerSession those that the server has given.
	Tunnel, Session             uint16
	ServerTunnel, ServerSession uint16

	// OnControl and OnFrame see what arrives first; true takes it away from the peer.
	OnControl func(Control) bool
	OnFrame   func(Frame) bool

	send  func([]byte)
	inbox *inbox
	agenda

	control
	link

	heard    []Control // everything that came, in order
	frames   []Frame
	faults   []string
	said     []string
	closed   *Control // the server's StopCCN or CDN
	silenced bool
}

// New makes a peer that sends datagrams by a function.
func New(p Profile, l Login, send func([]byte)) *Peer {
	peer := &Peer{Profile: p, Login: l, Tunnel: 0x1701, Session: 1, send: send, inbox: newInbox()}
	peer.link.reset(p)
	return peer
}

// Deliver hands over a datagram from the server.
func (p *Peer) Deliver(b []byte) { p.inbox.put(b) }

// Connect runs until user traffic may flow, and says why it does not.
func (p *Peer) Connect(within time.Duration) error {
	p.Dial()
	if p.Until(within, func() bool { return p.up || p.closed != nil }) && p.up {
		return nil
	}
	return fmt.Errorf("%s is not up after %s:\n%s", p.Profile.Name, within, p.Transcript())
}

// Run lives for a while.
func (p *Peer) Run(d time.Duration) { p.Until(d, func() bool { return false }) }

// Until lives until something is so, at most for a while; false when it is not so then.
func (p *Peer) Until(within time.Duration, so func() bool) bool {
	end := time.Now().Add(within)
	for !so() {
		now := time.Now()
		if !now.Before(end) {
			return false
		}
		p.work(now)
		p.wait(end)
	}
	return true
}

// wait waits for a datagram, for what is due, or for the end.
func (p *Peer) wait(end time.Time) {
	if at := p.agenda.first(); !at.IsZero() && at.Before(end) {
		end = at
	}
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case <-p.inbox.ring:
		for _, b := range p.inbox.take() {
			p.receive(b)
		}
	case <-timer.C:
	}
}

func (p *Peer) receive(b []byte) {
	if p.silenced {
		return
	}
	if len(b) > 0 && b[0]&0x80 != 0 {
		p.receiveControl(b)
		return
	}
	tunnel, session, payload, ok := readData(b)
	frame, readable := readFrame(payload)
	if !ok || !readable || tunnel != p.Tunnel || session != p.Session {
		p.fault("data that is not for this session: % x", b[:min(len(b), 24)])
		return
	}
	p.note("< %s", frame)
	p.frames = append(p.frames, frame)
	if p.OnFrame == nil || !p.OnFrame(frame) {
		p.receiveFrame(frame)
	}
}

// Silence has the peer neither hear nor say anything, as a phone that sleeps.
func (p *Peer) Silence(asleep bool) { p.silenced = asleep }

// Raw sends octets as they are.
func (p *Peer) Raw(b []byte) {
	if !p.silenced {
		p.send(b)
	}
}

// Up says that user traffic may flow.
func (p *Peer) Up() bool { return p.up }

// Closed is the StopCCN or CDN with which the server has ended it, or nil.
func (p *Peer) Closed() *Control { return p.closed }

// Faults are what the real peer would not have understood of what the server said.
func (p *Peer) Faults() []string { return p.faults }

func (p *Peer) fault(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	p.faults = append(p.faults, text)
	p.note("! %s", text)
}

func (p *Peer) note(format string, a ...any) {
	p.said = append(p.said, time.Now().Format("05.000 ")+fmt.Sprintf(format, a...))
}

// Transcript is the dialogue, a line each.
func (p *Peer) Transcript() string { return strings.Join(p.said, "\n") }

// Heard counts the control messages of a type that have come; 0 is the bare acknowledgement.
func (p *Peer) Heard(kind uint16) (list []Control) {
	for _, c := range p.heard {
		if c.Type() == kind {
			list = append(list, c)
		}
	}
	return list
}

// Frames are those of a protocol and code that have come.
func (p *Peer) Frames(protocol uint16, code uint8) (list []Frame) {
	for _, f := range p.frames {
		if f.Protocol == protocol && f.Code == code {
			list = append(list, f)
		}
	}
	return list
}

// inbox keeps what has come until the peer looks.
type inbox struct {
	mu   sync.Mutex
	mail [][]byte
	ring chan struct{}
}

func newInbox() *inbox { return &inbox{ring: make(chan struct{}, 1)} }

func (i *inbox) put(b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mail = append(i.mail, slices.Clone(b))
	select {
	case i.ring <- struct{}{}:
	default:
	}
}

func (i *inbox) take() [][]byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	mail := i.mail
	i.mail = nil
	return mail
}

// agenda is what the peer will do by time.
type agenda struct{ tasks []task }

type task struct {
	at time.Time
	do func()
}

// After has something done later.
func (a *agenda) After(d time.Duration, do func()) {
	a.tasks = append(a.tasks, task{time.Now().Add(d), do})
	slices.SortStableFunc(a.tasks, func(x, y task) int { return x.at.Compare(y.at) })
}

func (a *agenda) first() time.Time {
	if len(a.tasks) == 0 {
		return time.Time{}
	}
	return a.tasks[0].at
}

// work does what is due.
func (a *agenda) work(now time.Time) {
	for len(a.tasks) > 0 && !now.Before(a.tasks[0].at) {
		do := a.tasks[0].do
		a.tasks = a.tasks[1:]
		do()
	}
}
