package negotiate

import (
	"net/netip"
	"time"

	"lnsgate/lns/ppp"
)

func (i *IPCP) protocol() ppp.Protocol { return ppp.IPCP }

func (i *IPCP) timing() *Timing { return &i.cfg.Timing }

func (i *IPCP) limit() int {
	if i.cfg.PeerMRU == 0 {
		return ppp.DefaultMRU
	}
	return max(int(i.cfg.PeerMRU), ppp.MinimumMRU)
}

// serves says whether we are the side that gives the peer its address.
func (i *IPCP) serves() bool { return i.cfg.Assign.IsValid() }

// reset begins a negotiation. The serving side never asks for DNS: there are
// clients that reject it and clients that end the link over it.
func (i *IPCP) reset() {
	i.local, i.peer, i.dns = octets(i.cfg.Local), [4]byte{}, [2][4]byte{}
	i.asking = ipcpAsks{address: i.cfg.RequestAddress || i.cfg.Local.IsValid()}
	if i.cfg.RequestDNS {
		i.asking.dns = [2]bool{true, true}
	}
}

// dnsOptions are the option types of the two DNS servers, nbnsOptions those of
// the NetBIOS name servers (RFC 1877).
var (
	dnsOptions  = [2]uint8{ppp.IPCPDNS1, ppp.IPCPDNS2}
	nbnsOptions = [2]uint8{ppp.IPCPNBNS1, ppp.IPCPNBNS2}
)

func (i *IPCP) appendRequest(b []byte) []byte {
	if i.asking.address {
		b = ppp.Option{Type: ppp.IPCPAddress, Value: i.local[:]}.Append(b)
	}
	for n, asked := range i.asking.dns {
		if asked {
			b = ppp.Option{Type: dnsOptions[n], Value: i.dns[n][:]}.Append(b)
		}
	}
	return b
}

// naked takes the values that the peer gives to a side that asks. The serving
// side keeps its own address whatever the peer proposes.
func (i *IPCP) naked(list ppp.Options, _ time.Time) (Reason, bool) {
	for o := range list.All() {
		if len(o.Value) != 4 {
			continue
		}
		value := [4]byte(o.Value)
		switch {
		case o.Type == ppp.IPCPAddress && i.cfg.RequestAddress:
			i.local = value
		case o.Type == ppp.IPCPDNS1 && i.asking.dns[0]:
			i.dns[0] = value
		case o.Type == ppp.IPCPDNS2 && i.asking.dns[1]:
			i.dns[1] = value
		}
	}
	return ReasonNone, true
}

// rejected leaves out what the peer rejects. A list that is not part of our
// request is not an answer to it (RFC 1661 section 5.4).
func (i *IPCP) rejected(list ppp.Options) (Reason, bool) {
	var room [requestRoom]byte
	asked := ppp.Options(i.appendRequest(room[:0]))
	for o := range list.All() {
		if !asked.Contains(o) {
			return ReasonNone, false
		}
	}
	for o := range list.All() {
		switch o.Type {
		case ppp.IPCPAddress:
			i.asking.address = false
		case ppp.IPCPDNS1:
			i.asking.dns[0] = false
		case ppp.IPCPDNS2:
			i.asking.dns[1] = false
		}
	}
	return ReasonNone, true
}

func (i *IPCP) weigh(o ppp.Option) verdict {
	if o.Type == ppp.IPCPAddress {
		return i.weighAddress(o)
	}
	right := i.server(o.Type)
	switch asked, ok := o.Address(); {
	case !right.IsValid():
		return unwanted
	case ok && asked == right:
		return acceptable
	}
	return wrongValue
}

// weighAddress judges the address that the peer names for itself. The serving
// side never rejects the option, even a malformed one: a Windows peer whose
// address option is rejected ends the link.
func (i *IPCP) weighAddress(o ppp.Option) verdict {
	asked, ok := o.Address()
	switch {
	case !i.serves():
		return acceptableIf(ok)
	case ok && asked == i.cfg.Assign.Unmap():
		return acceptable
	}
	return wrongValue
}

// server is the value that the option of a name server ought to have; invalid if
// we have none to give, or if the option is not that of a name server.
func (i *IPCP) server(optionType uint8) netip.Addr {
	for n := range dnsOptions {
		switch {
		case optionType == dnsOptions[n] && !i.cfg.RequestDNS:
			return i.cfg.DNS[n].Unmap()
		case optionType == nbnsOptions[n]:
			return i.cfg.NBNS[n].Unmap()
		}
	}
	return netip.Addr{}
}

func (i *IPCP) appendNak(b []byte, o ppp.Option) []byte {
	if o.Type == ppp.IPCPAddress {
		return ppp.AppendAddress(b, o.Type, i.cfg.Assign)
	}
	return ppp.AppendAddress(b, o.Type, i.server(o.Type))
}

// appendMissing proposes the address to a peer that does not ask for one. If it
// goes on not asking, it is let through: the route to it stands anyway.
func (i *IPCP) appendMissing(b []byte, list ppp.Options) []byte {
	if !i.serves() {
		return b
	}
	for o := range list.All() {
		if o.Type == ppp.IPCPAddress {
			return b
		}
	}
	return ppp.AppendAddress(b, ppp.IPCPAddress, i.cfg.Assign)
}

func (i *IPCP) rejectable(optionType uint8) bool { return optionType != ppp.IPCPAddress }

func (i *IPCP) commit(list ppp.Options) {
	i.peer = [4]byte{}
	for o := range list.All() {
		if a, ok := o.Address(); ok && o.Type == ppp.IPCPAddress {
			i.peer = octets(a)
		}
	}
}

func (i *IPCP) opened(time.Time) {}

func (i *IPCP) extra(ppp.Packet, time.Time, *Out) bool { return false }

func (i *IPCP) codeRejected(ppp.Code) bool { return true }

func (i *IPCP) echo(ppp.Packet, time.Time, *Out) {}
