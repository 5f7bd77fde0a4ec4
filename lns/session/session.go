package session

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/neighbour"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// closeTimeout is how long a peer may take to acknowledge our LCP Terminate-Request.
const closeTimeout = 3 * time.Second

// Session is one subscriber. It belongs to the goroutine of its tunnel.
type Session struct {
	policy *Policy
	phase  Phase

	lcp  *negotiate.LCP
	auth *authenticate.Authenticator
	ipcp *negotiate.IPCP   // nil: not its time, or no IPv4
	six  *negotiate.IPv6CP // nil: not its time, or no IPv6

	router *neighbour.Router // nil while IPv6 is not up
	spent  neighbour.Spent   // by the router of before

	onWay          *passage   // nil while it is open and nothing is going on; see way and moving
	identification []string   // what the peer said of itself
	rejected       []rejected // the budgets of Protocol-Rejects
	renegotiated   budget     // of IPCP and IPv6CP
	challengeID    uint8      // of the last challenge
	caller         string     // the number that the call comes from; empty when unknown

	generation uint32 // of the answer that is awaited
	awaiting   bool
	name       string // as typed; empty before the peer said it
	method     aaa.Method
	decision   aaa.Decision
	lease      pool.Lease // Address is zero while there is none
	prefixes   *Prefixes  // nil: none

	begun        time.Time // when it was open first
	endBy        time.Time // session timeout
	lastActivity time.Time
}

// passage is what a session needs only on its way up and on its way down. It is much, and most sessions are open.
type passage struct {
	early   []ppp.Frame // frames that came before their phase
	askedAt time.Time   // when the last question was put
	setupBy time.Time
	grantBy time.Time // setupBy is not put off beyond it
	wishBy  time.Time // the peer may say until then which address it wants; zero: it is not waited for
	wish    netip.Addr
	closeBy time.Time
	verdict trace.Verdict
	told    trace.Cause // what the peer is told of it
	endedIn Phase       // the phase that the verdict struck in
	result  l2tp.ResultCode
}

// noPassage is that of sessions that need none. Nobody writes to it.
var noPassage passage

// way is for reading.
func (s *Session) way() *passage {
	if s.onWay == nil {
		return &noPassage
	}
	return s.onWay
}

// moving is for writing.
func (s *Session) moving() *passage {
	if s.onWay == nil {
		s.onWay = &passage{}
	}
	return s.onWay
}

// New makes a session for a call that is not up yet. Frames that come before Start are kept.
func New(policy *Policy) *Session {
	return &Session{policy: policy, phase: Early}
}

// CallFrom tells the session the number that the call comes from. It stands for the name of an EAP peer that gives none
// (RFC 3579 section 2.1).
func (s *Session) CallFrom(number string) { s.caller = number }

// Phase says where in its life the session is.
func (s *Session) Phase() Phase { return s.phase }

// Name returns the name that the peer gave, as typed; empty before it did.
func (s *Session) Name() string { return s.name }

// Method returns the method by which the peer showed who it is.
func (s *Session) Method() aaa.Method { return s.method }

// Identification returns what the peer said of itself in LCP, printable.
func (s *Session) Identification() []string { return s.identification }

// Decision returns what the check said; zero before it did.
func (s *Session) Decision() aaa.Decision { return s.decision }

// Belongs returns the account and the domain of the decision, without copying all of that; empty before it was there.
func (s *Session) Belongs() (account, domain string) { return s.decision.Account, s.decision.Domain }

// Lease returns the address that the session holds; zero when it holds none.
func (s *Session) Lease() pool.Lease { return s.lease }

// EndedIn returns the phase in which the verdict struck.
func (s *Session) EndedIn() Phase { return s.way().endedIn }

// Rebind puts the session under another policy, that of the virtual template that its domain names. What LCP has agreed on stays.
func (s *Session) Rebind(policy *Policy) { s.policy = policy }

// Link returns what LCP has agreed on; the defaults before it has.
func (s *Session) Link() negotiate.LCPResult {
	if s.lcp == nil {
		return negotiate.LCPResult{LocalMRU: ppp.DefaultMRU, PeerMRU: ppp.DefaultMRU}
	}
	return s.lcp.Result()
}

// Quality returns how well the line has answered LCP Echo-Requests.
func (s *Session) Quality() negotiate.Quality {
	if s.lcp == nil {
		return negotiate.Quality{}
	}
	return s.lcp.Quality()
}

// Start begins the link once the call is up. The call carries what a LAC has already negotiated.
func (s *Session) Start(call l2tp.ICCN, now time.Time, out *Out) {
	s.phase = Link
	s.beginSetup(now)
	s.challengeID = uint8(s.random32() >> 8)
	s.lcp = negotiate.NewLCP(negotiate.LCPConfig{
		MRU:            s.policy.MRU,
		Magic:          s.random32(),
		Authentication: s.policy.Methods,
		EchoInterval:   s.policy.EchoInterval,
		EchoFailures:   s.policy.EchoFailures,
		Timing:         s.policy.Timing,
	})
	if !s.adopt(call, now, out) {
		s.stepLCP(out, now, func(o *negotiate.Out) {
			s.lcp.Open(now, o)
			s.lcp.Up(now, o)
		})
	}
	s.replay(now, out)
}

// beginSetup sets the time for a login, from the begin or when the link has to be negotiated again.
func (s *Session) beginSetup(now time.Time) {
	w := s.moving()
	w.setupBy = deadlineAfter(now, s.policy.SetupTimeout)
	w.grantBy = w.setupBy.Add(maxGrant)
}

// Deadline is when Advance is due; zero is never.
func (s *Session) Deadline() time.Time {
	if s.phase == Early || s.phase == Ended {
		return time.Time{}
	}
	d := earliest(s.lcp.Deadline(), s.endBy)
	if w := s.onWay; w != nil {
		d = earliest(earliest(d, w.setupBy), earliest(w.closeBy, w.wishBy))
	}
	if s.auth != nil {
		d = earliest(d, s.auth.Deadline())
	}
	if s.ipcp != nil {
		d = earliest(d, s.ipcp.Deadline())
	}
	d = earliest(d, s.deadlineIPv6())
	if s.phase == Open {
		d = earliest(d, s.idleBy())
	}
	return d
}

// Advance lets time pass. The activity is that of the data path; zero when the session is not in it.
func (s *Session) Advance(now time.Time, activity Activity, out *Out) {
	if s.phase == Early || s.phase == Ended {
		return
	}
	s.note(activity)
	s.stepLCP(out, now, func(o *negotiate.Out) { s.lcp.Advance(now, o) })
	if s.auth != nil {
		s.stepAuth(out, now, func(o *authenticate.Out) { s.auth.Advance(now, o) })
	}
	if s.ipcp != nil {
		s.stepIPCP(out, now, func(o *negotiate.Out) { s.ipcp.Advance(now, o) })
	}
	s.advanceIPv6(now, out)
	if due(s.way().wishBy, now) {
		s.askLease(netip.Addr{}, now, out)
	}
	s.expire(now, out)
}

// note takes in what the data path has seen: traffic from the peer counts as life.
func (s *Session) note(a Activity) {
	if a.LastRx.After(s.lastActivity) {
		s.lcp.Alive(a.LastRx)
	}
	s.lastActivity = latest(s.lastActivity, latest(a.LastRx, a.LastTx))
}

// expire ends the session when one of its own deadlines has passed.
func (s *Session) expire(now time.Time, out *Out) {
	switch {
	case due(s.way().closeBy, now):
		s.end(out)
	case due(s.way().setupBy, now):
		s.Close(trace.Because(trace.SetupTimeout, "still at %s after %s", s.phase, s.policy.SetupTimeout), now, out)
	case due(s.endBy, now):
		s.Close(trace.Because(trace.SessionTimeout, "%s", s.decision.SessionTimeout), now, out)
	case s.phase == Open && due(s.idleBy(), now):
		s.Close(trace.Because(trace.IdleTimeout, "%s", s.idleTimeout()), now, out)
	}
}

func (s *Session) idleTimeout() time.Duration {
	if s.decision.IdleTimeout != 0 { // below zero is none, whatever the policy says
		return s.decision.IdleTimeout
	}
	return s.policy.IdleTimeout
}

func (s *Session) idleBy() time.Time {
	return deadlineAfter(s.lastActivity, s.idleTimeout())
}

func (s *Session) random32() uint32 {
	var b [4]byte
	s.fill(b[:])
	return binary.BigEndian.Uint32(b[:]) | 1 // a magic number must not be zero (RFC 1661 section 6.4)
}

// fill reads random octets. crypto/rand never fails; a source that does leaves zeros, which only weakens this one link.
func (s *Session) fill(b []byte) { io.ReadFull(s.policy.Rand, b) }

func deadlineAfter(t time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return t.Add(d)
}

func due(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
