package lac

import (
	"slices"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
)

// run carries out what the control connection wants. Acting may add to the list, so it is walked by index.
func (c *Caller) run(now time.Time, out *Out) {
	for i := 0; i < len(c.ctl.Actions); i++ {
		c.act(c.ctl.Actions[i], now, out)
	}
	clear(c.ctl.Actions)
	c.ctl.Actions = c.ctl.Actions[:0]
}

func (c *Caller) act(a control.Action, now time.Time, out *Out) {
	switch a := a.(type) {
	case control.Send:
		out.Datagrams = append(out.Datagrams, c.cfg.Profile.dress(a.Datagram))
		if peer := c.connecting; peer != 0 {
			c.connecting = 0
			c.connectedSent(peer, now, out)
		}
	case control.Said:
		c.sayControl(a, now, out)
		if a.Sent && a.Message == l2tp.TypeICCN && !a.Again {
			c.connecting = a.Session
		}
	case control.TunnelUp:
		c.tunnelIsUp(now, out)
	case control.CallUp:
		c.callIsUp(a, now, out)
	case control.CallDown:
		if k := c.calls[a.Session]; k != nil {
			c.finishCall(k, callEnding(k.stage(c), a), now, out)
		}
	case control.TunnelDown:
		c.tunnelIsDown(a, now, out)
	case control.Finished:
		c.finished, out.Finished = true, true
	}
}

func (c *Caller) tunnelIsUp(now time.Time, out *Out) {
	c.tunnelUp = now
	for _, id := range c.sessions() {
		c.place(c.calls[id], now, out)
	}
}

// sessions lists the calls in the order of their ids, so that a run can be repeated.
func (c *Caller) sessions() []l2tp.SessionID {
	ids := make([]l2tp.SessionID, 0, len(c.calls))
	for id := range c.calls {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (c *Caller) callIsUp(a control.CallUp, now time.Time, out *Out) {
	k := c.calls[a.Session]
	if k == nil {
		return
	}
	k.peer = a.PeerSession
	if _, sent := c.connected[k.peer]; !sent {
		c.unconnected = append(c.unconnected, k)
		return
	}
	delete(c.connected, k.peer)
	c.startLink(k, now, out)
}

// connectedSent follows an ICCN that has left, at once or when the window of the server had room for it. PPP begins behind it:
// l2tpns for one has no use for a frame that comes earlier, and waits until it is said again.
func (c *Caller) connectedSent(peer l2tp.SessionID, now time.Time, out *Out) {
	for i, k := range c.unconnected {
		if k.peer == peer {
			c.unconnected = slices.Delete(c.unconnected, i, i+1)
			if c.calls[k.login.Session] == k {
				c.startLink(k, now, out)
			}
			return
		}
	}
	if c.connected == nil {
		c.connected = map[l2tp.SessionID]struct{}{}
	}
	c.connected[peer] = struct{}{}
}

func (c *Caller) startLink(k *call, now time.Time, out *Out) {
	k.link = newLink(k.login, c.cfg.Profile)
	k.link.start(now, &c.link)
	c.settle(k, now, out)
}

func (c *Caller) tunnelIsDown(a control.TunnelDown, now time.Time, out *Out) {
	for _, id := range c.sessions() {
		k := c.calls[id]
		c.sayEnd(k, c.tunnelEnding(k.stage(c), a), now, out)
		delete(c.calls, id)
	}
	c.closing = true
}

// settle carries out what the link of a call wants.
func (c *Caller) settle(k *call, now time.Time, out *Out) {
	o := c.link
	c.link = linkOut{frames: o.frames[:0]}
	for i, f := range o.frames {
		c.sayFrame(k, f, now, out)
		out.Datagrams = append(out.Datagrams, c.appendFrame(make([]byte, 0, frameRoom+len(f.Packet)), k, f.Protocol, f.Packet))
		o.frames[i].Packet = nil
	}
	if o.packet != nil {
		out.Packets = append(out.Packets, Packet{Session: k.login.Session, IP: o.packet})
	}
	if o.down {
		out.Down = append(out.Down, k.login.Session)
		k.deadline = now.Add(k.login.Timeout)
	}
	if o.up {
		k.deadline = time.Time{}
		out.Up = append(out.Up, c.upOf(k, now))
	}
	if o.end != nil {
		c.finishCall(k, linkEnded(k.link.stage, *o.end), now, out)
		return
	}
	k.next = k.link.deadline()
	c.next = sooner(c.next, sooner(k.next, k.deadline))
}

// finishCall forgets a call, tells the server with a CDN if the control connection still knows it, and leaves with the
// last one.
func (c *Caller) finishCall(k *call, e Ended, now time.Time, out *Out) {
	id := k.login.Session
	if c.calls[id] != k {
		return
	}
	c.sayEnd(k, e, now, out)
	delete(c.calls, id)
	c.tunnel.CloseCall(id, l2tp.ResultCode{Result: l2tp.CDNAdministrative}, now, &c.ctl)
	c.leaveWhenEmpty(now, out)
}

func (c *Caller) sayEnd(k *call, e Ended, now time.Time, out *Out) {
	if k.ended {
		return
	}
	k.ended = true
	if k.link != nil && k.link.leaving {
		e = ended(e.Stage, CauseClosedByUs, false, "we hung up")
	} else if k.link != nil && k.link.refused {
		e = ended(e.Stage, CauseMethod, e.ByServer, "%s, after we had refused its way of authentication", e.Reason)
	}
	e.Session, e.At = k.login.Session, now
	out.Ended = append(out.Ended, e)
}

// expire ends a call whose login, or whose good-bye, took too long.
func (c *Caller) expire(k *call, now time.Time, out *Out) {
	if k.link != nil && k.link.leaving {
		c.finishCall(k, Ended{Stage: k.stage(c)}, now, out) // sayEnd finds the words
		return
	}
	c.finishCall(k, c.timeout(k), now, out)
}

// stage tells how far the call has come.
func (k *call) stage(c *Caller) Stage {
	switch {
	case k.link != nil:
		return k.link.stage
	case !c.tunnelUp.IsZero():
		return StageCall
	default:
		return StageTunnel
	}
}

func (c *Caller) upOf(k *call, now time.Time) Up {
	link, ip, peer := k.link.lcp.Result(), k.link.ipv4(), c.tunnel.Peer()
	began := c.dialled
	if k.began.After(began) {
		began = k.began
	}
	return Up{
		Session: k.login.Session, Tunnel: c.cfg.Tunnel, ServerSession: k.peer, ServerTunnel: peer.Tunnel,
		ServerName: peer.HostName, ServerVendor: peer.Vendor,
		Method: k.link.method.String(), Message: k.link.message,
		Address: ip.Local, Peer: ip.Peer, DNS: ip.DNS, IPv6: k.link.ipv6(),
		MRU: int(link.LocalMRU), PeerMRU: int(link.PeerMRU), PFC: link.Framing.PFC, ACFC: link.Framing.ACFC,
		Sequencing: k.sequence, NextNs: k.ns,
		TunnelTook: c.tunnelUp.Sub(c.dialled), Took: now.Sub(began),
	}
}
