package lns

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/quirk"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
)

// tunnel is one control connection and its sessions. Its goroutine (run), of which there is one at a time and none while all is
// quiet, owns everything below the line; the fields above are written before the first starts.
type tunnel struct {
	server *Server
	id     l2tp.TunnelID
	key    peerKey       // and path: the goroutine's, once it runs; the key is guarded by the table
	path   datapath.Path // see home
	group  *Group
	mail   mailbox
	since  time.Time

	halfOpen            place
	linger              place
	heard               atomic.Int64                   // when the peer was last heard, unix nanoseconds
	home                atomic.Pointer[netip.AddrPort] // where the peer is: path.Remote, for readers
	chats               chats
	live                atomic.Bool // the three messages are complete, and it is not closed
	glance, frameGlance glance      // at control messages and at frames from elsewhere

	// ---
	core      *control.Tunnel
	timer     *time.Timer // rings the mailbox at the next deadline
	calls     map[l2tp.SessionID]*call
	due       deadlines
	lastID    l2tp.SessionID
	idleSince time.Time // since when it has had no session; zero while it has one
	noted     time.Time // when the traffic of the sessions was last looked at
	verdict   trace.Verdict
	story     *recorder.Story // until there is a call
	telling   *recorder.Story // what is said now belongs to it; nil: to the tunnel, or the call that it names
	request   string          // what the ICRQ said that is being answered
	up        bool
	lingers   bool // it is down, and only acknowledges what the peer may repeat
	over      bool
	secret    int // which of the group's secrets our SCCRP was made with
	log       *slog.Logger
	profile   quirk.Profile
	follow    *follow   // nil: the peer is where it was
	followed  time.Time // when a move of the peer was last looked into
	warned    time.Time // when the log last named another address
	greeted   time.Time // when a HELLO was last answered out of its turn
}

// run is the goroutine of the tunnel while there is something to do: it reads the mail and lets time pass. What it leaves
// behind the next one finds.
func (t *tunnel) run() {
	for {
		t.work()
		if t.over {
			t.leave()
			return
		}
		t.setTimer()
		if t.mail.rest() {
			return
		}
	}
}

// work reads the mail and lets time pass.
func (t *tunnel) work() {
	for _, l := range t.mail.take() {
		if t.over {
			l.lost(t.server)
			continue
		}
		l.deliver(t, time.Now())
	}
	if !t.over {
		t.advance(time.Now())
	}
}

// setTimer has the tunnel woken at its next deadline.
func (t *tunnel) setTimer() {
	if d := t.deadline(); d.IsZero() {
		t.timer.Stop()
	} else {
		t.timer.Reset(unhurried(time.Until(d), d))
	}
}

// What is due in longer than patientFrom, such as the question whether a silent peer is still there, may be a tenth of a
// second late: all tunnels are woken by the same strokes of the clock then, and an idle server with very many sessions wakes up
// ten times a second instead of thousands of times.
const (
	patientFrom = 4 * time.Second
	stroke      = 100 * time.Millisecond
)

// unhurried is how long to wait for a deadline that is so far away.
func unhurried(wait time.Duration, deadline time.Time) time.Duration {
	if past := time.Duration(deadline.Nanosecond()) % stroke; wait >= patientFrom && past > 0 {
		wait += stroke - past
	}
	return wait
}

// onStroke is when a deadline that is so far away is met. Each session has its own, and those of a tunnel that fall upon the same
// stroke are one piece of work.
func onStroke(deadline, now time.Time) time.Time {
	if deadline.IsZero() {
		return deadline
	}
	wait := deadline.Sub(now)
	return deadline.Add(unhurried(wait, deadline) - wait)
}

// leave is the last act: nobody finds the tunnel any more, and unread letters are dealt with.
func (t *tunnel) leave() {
	s := t.server
	t.endCalls(trace.Verdict{Cause: trace.TunnelShutdown}, time.Now())
	t.endStory(trace.Because(trace.TunnelShutdown, "what the peer sent opens no tunnel, such as an SCCRQ that is not numbered 0"), time.Now())
	s.tunnels.remove(t)
	t.forget()
	s.halfOpen.leave(&t.halfOpen)
	s.lingering.leave(&t.linger)
	for _, l := range t.mail.close() {
		l.lost(s)
	}
	t.timer.Stop()
	if t.up {
		s.counters.add(tunnelsClosed)
	}
	s.tunnels.running.Done()
}

func (t *tunnel) deadline() time.Time {
	d := earlier(t.core.Deadline(), earlier(t.due.first(), t.idleDeadline()))
	if t.follow != nil {
		d = earlier(d, t.follow.by)
	}
	return d
}

// advance lets time pass for all that is due.
func (t *tunnel) advance(now time.Time) {
	if due(t.core.Deadline(), now) {
		t.noteTraffic(now)
		t.step(now, func(o *control.Out) { t.core.Advance(now, o) })
	}
	for n := len(t.due.calls); n > 0 && !t.over && due(t.due.first(), now); n-- {
		t.due.calls[0].advance(now)
	}
	if !t.over && t.follow != nil && due(t.follow.by, now) {
		t.decideFollow(now)
	}
	if !t.over && due(t.idleDeadline(), now) {
		t.close(trace.Because(trace.TunnelIdle, "no session for %s", t.idleTimeout()),
			l2tp.ResultCode{Result: l2tp.StopCCNGeneral, Message: "no session"}, now)
	}
}

func (t *tunnel) idleDeadline() time.Time {
	if t.idleSince.IsZero() || t.idleTimeout() <= 0 {
		return time.Time{}
	}
	return t.idleSince.Add(t.idleTimeout())
}

func (t *tunnel) idleTimeout() time.Duration { return t.profile.IdleTunnel(t.group.IdleTunnel) }

// noteTraffic postpones the HELLO of a tunnel whose sessions are heard. A LAC's tunnel has thousands of them, so they are
// looked at a few times in each interval, and only until one was heard.
func (t *tunnel) noteTraffic(now time.Time) {
	if t.group.Hello <= 0 || now.Sub(t.noted) < t.group.Hello/4 {
		return
	}
	t.noted = now
	for _, c := range t.calls {
		if c.carrier == nil {
			continue
		}
		if at := c.carrier.Counters().LastRx; now.Sub(at) < t.group.Hello {
			t.core.Alive(at)
			return
		}
	}
}

// step lets the control connection act and carries out what it asks for.
func (t *tunnel) step(now time.Time, act func(*control.Out)) {
	var out control.Out
	act(&out)
	for _, a := range out.Actions {
		t.perform(a, now)
	}
}

func (t *tunnel) perform(a control.Action, now time.Time) {
	switch a := a.(type) {
	case control.Send:
		t.send(a.Datagram)
	case control.Said:
		t.record(a, now)
		t.said(a)
	case control.TunnelUp:
		t.established(now)
	case control.CallRequested:
		t.callRequested(a, now)
	case control.CallUp:
		if c := t.calls[a.Session]; c != nil {
			c.start(a.Connected, now)
		}
	case control.CallDown:
		t.callDown(a, now)
	case control.TunnelDown:
		t.down(a, now)
	case control.Finished:
		t.over = true
	}
}

func (t *tunnel) send(datagram []byte) { t.sendTo(t.path, datagram) }

func (t *tunnel) sendTo(path datapath.Path, datagram []byte) {
	if t.server.deps.Sender.Send(path, datagram) != nil {
		t.server.counters.add(sendFailed)
	}
}

// established follows the third message: the peer receives what we send, so its SCCRQ was not forged, and a tunnel that it
// had before is dead.
func (t *tunnel) established(now time.Time) {
	t.up = true
	t.live.Store(true)
	t.idleSince = now
	t.server.halfOpen.leave(&t.halfOpen)
	t.server.counters.add(tunnelsOpened)
	for _, old := range t.server.tunnels.siblings(t) {
		old.mail.post(abandon{verdict: trace.Because(trace.PeerRestarted, "it opened another tunnel from the same address")}, false)
	}
	t.introduce(t.story)
	t.provedSecret()
	t.recognise()
	peer := t.core.Peer()
	t.log = t.log.With("host", peer.HostName)
	t.log.Info("tunnel open", "vendor", peer.Vendor, "profile", t.profile.String(), "group", t.group.Name, "remote_id", peer.Tunnel)
}

func (t *tunnel) down(a control.TunnelDown, now time.Time) {
	v := tunnelVerdict(a)
	if t.verdict.Cause != trace.Unknown {
		v = t.verdict
	}
	t.live.Store(false)
	t.refusedSecret(a.Why)
	t.endCalls(v, now)
	t.endStory(v, now)
	t.idleSince = time.Time{}
	t.lingers = a.ByPeer
	t.server.stay(t)
	if t.up {
		t.log.Info("tunnel closed", "cause", v.String())
	} else {
		t.server.chatter.warn(t.log, "tunnel not opened", "cause", v.String())
	}
}

// close ends the tunnel and every session in it, by a StopCCN. A tunnel that the peer has closed already is forgotten.
func (t *tunnel) close(v trace.Verdict, r l2tp.ResultCode, now time.Time) {
	if t.lingers {
		t.over = true
		return
	}
	t.verdict = v
	t.endCalls(v, now)
	t.step(now, func(o *control.Out) { t.core.Close(r, now, o) })
}

func (t *tunnel) endCalls(v trace.Verdict, now time.Time) {
	for _, c := range t.calls {
		c.lost(v, now)
	}
}

func (t *tunnel) said(a control.Said) {
	if !t.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	word := "received"
	if a.Sent {
		word = "sent"
	}
	t.log.Debug(word, "message", a.Message.String(), "session", a.Session, "detail", a.Detail, "again", a.Again)
}

func due(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

// earlier returns the earlier of two deadlines; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// maxLingering is how many closed tunnels may wait for repetitions at once.
const maxLingering = 4096

// stay counts a tunnel among those that are closed and not forgotten yet.
func (s *Server) stay(t *tunnel) {
	s.lingering.enter(t, &t.linger, t.path.Remote.Addr(), 0)
	if evict, crowded := s.lingering.evict(maxLingering + 1); crowded {
		evict.mail.post(abandon{}, false)
	}
}
