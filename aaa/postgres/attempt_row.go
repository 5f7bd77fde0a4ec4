package postgres

import "lnsgate/aaa"

// Which says which attempts are written.
type Which uint8

// The choices.
const (
	WhichFailed Which = iota
	WhichAll
	WhichNone
)

func (w Which) has(t *aaa.Attempt) bool { return w == WhichAll || w == WhichFailed && !t.OK }

// granted is the verdict of a login that succeeded.
const granted = "granted"

// copySQL names the columns that row writes, in its order.
const (
	copySQL = `COPY logins (attempt, at, verdict, detail, name, account, domain, method, node, session, address, peer, peer_port,
	peer_name, took, backend, calling_number, called_number, cause, particular, fingerprint, vendor, l2tp_group, virtual_template,
	local_tunnel, local_session, rule, pool, address_because, steps,
	ipv6_prefix, delegated_prefix, interface_id) FROM STDIN (FORMAT binary)`
	copyColumns = 33
)

// row adds an attempt to what is to be written.
func (a *Attempts) row(t *aaa.Attempt) {
	verdict, detail := granted, ""
	if !t.OK {
		verdict, detail = t.Verdict, t.Phase
	}
	c, session := &a.rows, text(t.Session)
	c.begin(copyColumns)
	c.text(session)
	c.time(t.At)
	c.text(text(verdict))
	c.said(text(detail))
	c.text(text(t.Name))
	c.said(text(t.Account))
	c.said(text(t.Domain))
	c.text(t.Method.String())
	c.text(text(t.Node))
	c.text(session)
	c.address(t.Address)
	c.address(t.Peer.Addr())
	c.integer(int32(t.Peer.Port()))
	c.said(text(t.TunnelName))
	c.interval(t.Took)
	a.story(t)
}

// story adds what explains the attempt.
func (a *Attempts) story(t *aaa.Attempt) {
	c := &a.rows
	for _, s := range []string{t.Backend, t.CallingNumber, t.CalledNumber, t.Cause, t.Detail, fingerprint(t), t.Vendor, t.Group, t.VirtualTemplate} {
		c.said(text(s))
	}
	c.given(int32(t.LocalTunnel))
	c.given(int32(t.LocalSession))
	for _, s := range []string{t.Rule, t.Pool, t.Why} {
		c.said(text(s))
	}
	var steps []byte
	if t.Tale != nil && a.steps.has(t) {
		steps = t.Tale.Steps()
	}
	c.jsonb(steps)
	c.network(t.IPv6.Prefix)
	c.network(t.IPv6.Delegated)
	c.said(interfaceText(t.IPv6.InterfaceID))
}

func fingerprint(t *aaa.Attempt) string {
	if t.Tale == nil {
		return ""
	}
	return t.Tale.Fingerprint()
}
