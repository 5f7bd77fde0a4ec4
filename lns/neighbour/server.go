package neighbour

import (
	"bytes"
	"net/netip"

	"lnsgate/lns/neighbour/dhcp6"
)

// serve answers a DHCPv6 message (RFC 8415 section 18.3); nil when it gets no answer. There is one client on the link, and
// what it can have is known, so nothing is remembered of it.
func (r *Router) serve(b []byte, multicast bool) []byte {
	in, err := dhcp6.Parse(b)
	if err != nil || !r.valid(in, multicast) {
		return nil
	}
	out := dhcp6.Message{Type: dhcp6.Reply, Transaction: in.Transaction, Client: in.Client, Server: r.cfg.DUID}
	switch in.Type {
	case dhcp6.Solicit:
		if out.RapidCommit = in.RapidCommit; !in.RapidCommit {
			out.Type = dhcp6.Advertise
		}
		r.grant(in, &out)
	case dhcp6.Request, dhcp6.Renew, dhcp6.Rebind:
		r.grant(in, &out)
	case dhcp6.Confirm:
		return r.confirm(in, out)
	case dhcp6.InformationRequest:
		out.DNS = r.cfg.DNS
	case dhcp6.Release, dhcp6.Decline:
		out.Text = "noted" // it is the session's for as long as that lasts
	}
	return out.Bytes()
}

// valid says whether a message is one that a server answers (RFC 8415 section 16).
func (r *Router) valid(in dhcp6.Message, multicast bool) bool {
	ours := bytes.Equal(in.Server, r.cfg.DUID)
	switch in.Type {
	case dhcp6.Solicit, dhcp6.Confirm, dhcp6.Rebind:
		return len(in.Client) > 0 && len(in.Server) == 0 && multicast
	case dhcp6.Request, dhcp6.Renew, dhcp6.Release, dhcp6.Decline:
		return len(in.Client) > 0 && ours
	case dhcp6.InformationRequest:
		return (len(in.Server) == 0 || ours) && len(in.Addresses)+len(in.Prefixes) == 0
	}
	return false
}

// grant fills in what the client gets: one prefix for its first IA_PD, one address for its first IA_NA, name servers. What it
// had before and has not any more is taken back with lifetimes of zero (RFC 8415 section 18.3.4).
func (r *Router) grant(in dhcp6.Message, out *dhcp6.Message) {
	var address netip.Prefix
	if r.cfg.Address.IsValid() {
		address = netip.PrefixFrom(r.cfg.Address, r.cfg.Address.BitLen())
	}
	for i, asked := range in.Addresses {
		out.Addresses = append(out.Addresses, identity(in.Type, asked, address, i == 0, dhcp6.NoAddrsAvail, "addresses are made of the advertised prefix"))
	}
	for i, asked := range in.Prefixes {
		out.Prefixes = append(out.Prefixes, identity(in.Type, asked, r.cfg.Delegated, i == 0, dhcp6.NoPrefixAvail, "no prefix for the networks behind this peer"))
	}
	out.DNS = r.cfg.DNS
}

// identity answers for one address or prefix. What a client had before may be taken back when it renews that; in a Solicit or Request
// it is only a wish, and not answered.
func identity(kind dhcp6.Type, asked dhcp6.Identity, has netip.Prefix, first bool, none dhcp6.Status, text string) dhcp6.Identity {
	answer := dhcp6.Identity{ID: asked.ID}
	if !first || !has.IsValid() {
		answer.Status, answer.Text = none, text
	} else {
		answer.T1, answer.T2 = preferredForever/2, preferredForever*4/5
		answer.Grants = []dhcp6.Grant{{Prefix: has, Preferred: preferredForever, Valid: validForever}}
	}
	if kind != dhcp6.Renew && kind != dhcp6.Rebind {
		return answer
	}
	for _, g := range asked.Grants {
		if g.Prefix.IsValid() && !g.Prefix.Addr().IsUnspecified() && (!first || g.Prefix.Masked() != has) {
			answer.Grants = append(answer.Grants, dhcp6.Grant{Prefix: g.Prefix})
		}
	}
	return answer
}

// confirm says whether the addresses that a client has from before fit this link (RFC 8415 section 18.3.3).
func (r *Router) confirm(in, out dhcp6.Message) []byte {
	addresses := 0
	for _, i := range in.Addresses {
		for _, g := range i.Grants {
			addresses++
			if g.Prefix.Addr() != r.cfg.Address && !r.cfg.Link.Contains(g.Prefix.Addr()) {
				out.Status, out.Text = dhcp6.NotOnLink, "not of this session"
			}
		}
	}
	if addresses == 0 {
		return nil
	}
	if out.Status == dhcp6.Success {
		out.Text = "all on this link"
	}
	return out.Bytes()
}
