package lns

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"lnsgate/lns/l2tp"
)

// SessionRef names one session of this node by our ids.
type SessionRef struct{ Tunnel, Session uint16 }

// SessionHead is what sessions are chosen and sorted by. Its texts are the session's own: making one allocates nothing, so that all
// sessions can be looked at for a page of them.
type SessionHead struct {
	SessionRef
	Remote          netip.AddrPort
	HostName        string
	User            string
	Account         string
	Domain          string
	VirtualTemplate string
	Address         netip.Addr
	Pool            string
	Phase           string
	Since           time.Time // the moment the call came up
	OpenSince       time.Time // the moment user traffic could flow; zero before
	CallingNumber   string
	CalledNumber    string

	// Counted tells what the session has received from its peer and sent to it. It may ask the kernel, so it is a question of its own; it
	// may be put only while the head is shown.
	Counted interface {
		Octets() (received, sent uint64)
	}
}

// Octets are what a live session has carried.
func (c *call) Octets() (received, sent uint64) {
	n := c.counters()
	return n.RxOctets, n.TxOctets
}

// Octets are what the session had carried.
func (i *SessionInfo) Octets() (received, sent uint64) {
	return i.Counters.RxOctets, i.Counters.TxOctets
}

// Head is what a session is chosen and sorted by of which all is known already.
func (i *SessionInfo) Head() SessionHead {
	return SessionHead{
		SessionRef: SessionRef{i.LocalTunnel, i.LocalID}, Remote: i.Remote, HostName: i.HostName, User: i.User, Account: i.Account, Domain: i.Domain,
		VirtualTemplate: i.VirtualTemplate, Address: i.Address, Pool: i.Pool, Phase: i.Phase, Since: i.Since, OpenSince: i.OpenSince,
		CallingNumber: i.CallingNumber, CalledNumber: i.CalledNumber, Counted: i,
	}
}

// EachSession shows every session, one at a time and in no order, to a function that must be quick and must not ask the server
// anything: a tunnel waits for it. The head is written anew for the next one. Tunnels that do not answer within some seconds, or
// before the context ends, are left out.
//
// A page of sessions is made in two steps: EachSession chooses whom to show, and [Server.SessionInfos] tells all about those.
func (s *Server) EachSession(ctx context.Context, show func(*SessionHead)) {
	var mu sync.Mutex // guards head, and lets show run once at a time
	var head SessionHead
	s.glimpseAll(ctx, func(t *tunnel, _ time.Time) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range t.calls {
			c.fillHead(&head)
			show(&head)
		}
	})
}

func (c *call) fillHead(h *SessionHead) {
	t := c.tunnel
	account, domain := c.core.Belongs()
	*h = SessionHead{
		SessionRef: SessionRef{uint16(t.id), uint16(c.id)}, Remote: t.path.Remote, HostName: t.core.Peer().HostName,
		User: c.core.Name(), Account: account, Domain: domain, VirtualTemplate: c.template,
		Address: c.core.Lease().Address, Pool: c.core.Lease().Pool, Phase: c.core.Phase().String(), Since: c.since, OpenSince: c.openSince,
		CallingNumber: c.request.CallingNumber, CalledNumber: c.request.CalledNumber, Counted: c,
	}
}

// SessionInfos returns what an operator sees of some sessions, in the order of their names. Those that have ended are left out.
func (s *Server) SessionInfos(ctx context.Context, refs []SessionRef) []SessionInfo {
	wanted := make(map[uint16][]int)
	for i, r := range refs {
		wanted[r.Tunnel] = append(wanted[r.Tunnel], i)
	}
	found, infos := make([]bool, len(refs)), make([]SessionInfo, len(refs))
	var tunnels []*tunnel
	for id := range wanted {
		if t := s.tunnels.byID[id].Load(); t != nil {
			tunnels = append(tunnels, t)
		}
	}
	s.glimpse(ctx, tunnels, func(t *tunnel, now time.Time) { // each writes into places of its own
		for _, i := range wanted[uint16(t.id)] {
			if c := t.calls[l2tp.SessionID(refs[i].Session)]; c != nil {
				infos[i], found[i] = c.info(now), true
			}
		}
	})
	list := infos[:0]
	for i := range infos {
		if found[i] {
			list = append(list, infos[i])
		}
	}
	return list
}

func (s *Server) glimpseAll(ctx context.Context, f func(*tunnel, time.Time)) {
	s.glimpse(ctx, s.tunnels.all(), f)
}

// glimpse runs f, which only reads, for every tunnel. An idle one is read right here: to wake tens of thousands of goroutines would
// take longer than all else. The others answer themselves, many at once.
func (s *Server) glimpse(ctx context.Context, tunnels []*tunnel, f func(*tunnel, time.Time)) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var busy []*question
	for _, t := range tunnels {
		if t.mail.borrow() {
			f(t, time.Now())
			t.mail.giveBack()
			continue
		}
		if q := newQuestion(f); t.mail.post(q, false) {
			busy = append(busy, q)
		}
	}
	for _, q := range busy {
		q.wait(ctx)
	}
}

// borrow makes the caller the reader of an idle mailbox, for a moment in which the tunnel is its own; false when somebody reads.
func (m *mailbox) borrow() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.reading {
		return false
	}
	m.reading = true
	return true
}

// giveBack ends a borrow. What has come meanwhile is read now.
func (m *mailbox) giveBack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reading = false
	if m.rung {
		m.rung = false
		m.wake()
	}
}
