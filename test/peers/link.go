package peers

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// link is the PPP link of the call.
type link struct {
	protocols map[uint16]*negotiation
	counter   uint8
	linkUp    bool
	up        bool
	early     []Frame

	Method  Method
	Granted bool   // the server has said yes to the login
	Told    string // what it said with it
	Address netip.Addr
	DNS     [2]netip.Addr
}

// negotiation is one control protocol (RFC 1661 section 4), as far as a client needs it.
type negotiation struct {
	options  []Option
	id       uint8
	agreed   bool // the server has acknowledged our request
	answered bool // we have acknowledged the server's
	dead     bool // the server does not want the protocol
	tries    int
}

const (
	restart  = 3 * time.Second // RFC 1661 section 4.6
	requests = 10
)

func (l *link) reset(p Profile) {
	l.protocols = map[uint16]*negotiation{LCP: {options: p.Link}}
	for _, n := range p.Network {
		l.protocols[n.Protocol] = &negotiation{options: n.Options}
	}
}

// Frame sends a frame in the session.
func (p *Peer) Frame(f Frame) {
	var head []byte
	if p.Profile.FlagsAndAddress {
		head = []byte{0xff, 0x03}
	}
	p.note("> %s", f)
	p.Data(append(binary.BigEndian.AppendUint16(head, f.Protocol), f.Packet()...))
}

// Data sends a data message in the plainest shape.
func (p *Peer) Data(payload []byte) {
	b := []byte{0x40, 0x02}
	for _, n := range []uint16{uint16(8 + len(payload)), p.ServerTunnel, p.ServerSession} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	p.Raw(append(b, payload...))
}

// nextID numbers the packets.
func (p *Peer) nextID(protocol uint16) uint8 {
	if p.Profile.OneCounter {
		p.counter++
		return p.counter
	}
	n := p.protocols[protocol]
	n.id++
	return n.id
}

func (p *Peer) beginLink() {
	if p.Profile.AckOnly {
		p.protocols[LCP].agreed = true
		p.linkUp = p.Profile.Proxied
		return
	}
	p.After(p.Profile.LinkAfter, func() { p.request(LCP) })
}

// request sends a Configure-Request, and repeats it until it is answered.
func (p *Peer) request(protocol uint16) {
	n := p.protocols[protocol]
	if n.tries++; n.tries > requests || n.agreed || n.dead {
		return
	}
	n.id = p.nextID(protocol)
	id := n.id
	p.Frame(Frame{Protocol: protocol, Code: ConfigureRequest, ID: id, Data: appendOptions(nil, n.options)})
	p.After(restart, func() {
		if n.id == id {
			p.request(protocol)
		}
	})
}

func (p *Peer) receiveFrame(f Frame) {
	n := p.protocols[f.Protocol]
	switch {
	case f.Protocol == CHAP || f.Protocol == PAP:
		p.receiveLogin(f)
	case f.Protocol < 0x8000:
	case n == nil:
		p.Frame(Frame{Protocol: LCP, Code: ProtocolReject, ID: p.nextID(LCP),
			Data: append(binary.BigEndian.AppendUint16(nil, f.Protocol), f.Packet()...)})
	case f.Protocol != LCP && !p.Granted: // too early for a pppd, which keeps quiet
		p.early = append(p.early, f)
	case f.Code == ConfigureRequest:
		p.judge(n, f)
	case f.Code == ConfigureAck && f.ID == n.id:
		n.agreed = true
		p.settle(f.Protocol)
	case f.Code == ConfigureNak && f.ID == n.id:
		n.options = adopt(n.options, ReadOptions(f.Data))
		p.request(f.Protocol)
	case f.Code == ConfigureReject && f.ID == n.id:
		p.rejected(n, f)
	default:
		p.receiveOther(n, f)
	}
}

// receiveOther takes what is no negotiation.
func (p *Peer) receiveOther(n *negotiation, f Frame) {
	switch f.Code {
	case EchoRequest:
		p.Frame(Frame{Protocol: LCP, Code: EchoReply, ID: f.ID, Data: append(slices.Clone(magic.Value), f.Data[min(4, len(f.Data)):]...)})
	case TerminateRequest:
		p.Frame(Frame{Protocol: f.Protocol, Code: TerminateAck, ID: f.ID})
		n.agreed, n.answered = false, false
		p.up = p.up && f.Protocol != LCP && f.Protocol != IPCP
	case ProtocolReject:
		if len(f.Data) >= 2 {
			if dead := p.protocols[binary.BigEndian.Uint16(f.Data)]; dead != nil {
				dead.dead = true
			}
		}
	}
}

// Echo sends an LCP Echo-Request.
func (p *Peer) Echo(id uint8, data []byte) {
	p.Frame(Frame{Protocol: LCP, Code: EchoRequest, ID: id, Data: slices.Concat(magic.Value, data)})
}

// adopt takes the values of a Configure-Nak.
func adopt(ours, theirs []Option) []Option {
	ours = slices.Clone(ours)
	for _, o := range theirs {
		if i := slices.IndexFunc(ours, func(m Option) bool { return m.Type == o.Type }); i >= 0 {
			ours[i].Value = slices.Clone(o.Value)
		}
	}
	return ours
}

// rejected leaves out what the server does not know.
func (p *Peer) rejected(n *negotiation, f Frame) {
	out := ReadOptions(f.Data)
	n.options = slices.DeleteFunc(slices.Clone(n.options), func(o Option) bool {
		return slices.ContainsFunc(out, func(r Option) bool { return r.Type == o.Type && bytes.Equal(r.Value, o.Value) })
	})
	if p.Profile.EmptyAfterReject && f.Protocol == LCP {
		n.options = nil
	}
	if f.Protocol == IPCP && !slices.ContainsFunc(n.options, func(o Option) bool { return o.Type == 3 }) {
		p.fault("the server rejects the address: a Windows PC hangs up")
	}
	p.request(f.Protocol)
}

// judge answers a Configure-Request of the server's.
func (p *Peer) judge(n *negotiation, f Frame) {
	asked := ReadOptions(f.Data)
	var unknown, wrong []Option
	for _, o := range asked {
		switch {
		case !slices.Contains(known[f.Protocol], o.Type):
			unknown = append(unknown, o)
		case f.Protocol == LCP && o.Type == 3 && !slices.Contains(p.Profile.Methods, Method(o.Value)):
			wrong = append(wrong, Option{3, []byte(p.Profile.Methods[0])})
		case f.Protocol == LCP && o.Type == 3:
			p.Method = Method(o.Value)
		}
	}
	answer := Frame{Protocol: f.Protocol, Code: ConfigureAck, ID: f.ID, Data: f.Data}
	switch {
	case len(unknown) > 0:
		answer.Code, answer.Data = ConfigureReject, appendOptions(nil, unknown)
	case len(wrong) > 0:
		answer.Code, answer.Data = ConfigureNak, appendOptions(nil, wrong)
	default:
		n.answered = true
	}
	p.Frame(answer)
	if n.answered && f.Protocol == LCP && p.Profile.EchoAtOnce {
		p.Echo(0, nil)
	}
	p.settle(f.Protocol)
}

// known are the options of the server's requests that a client acknowledges. It knows no name servers in them.
var known = map[uint16][]uint8{LCP: {1, 2, 3, 5, 7, 8}, IPCP: {2, 3}, IPV6CP: {1}}

// settle sees whether a protocol has opened, and does what follows.
func (p *Peer) settle(protocol uint16) {
	n := p.protocols[protocol]
	if !n.agreed || !n.answered {
		return
	}
	switch {
	case protocol == LCP && !p.linkUp:
		p.linkUp = true
		for _, text := range p.Profile.Identify {
			p.Frame(Frame{Protocol: LCP, Code: Identification, ID: p.nextID(LCP), Data: append(slices.Clone(magic.Value), text...)})
		}
	case protocol == IPCP && !p.up:
		p.up = true
		for _, o := range n.options {
			a, _ := netip.AddrFromSlice(o.Value)
			switch o.Type {
			case 3:
				p.Address = a
			case 129:
				p.DNS[0] = a
			case 131:
				p.DNS[1] = a
			}
		}
	}
}

// receiveLogin answers the server that asks who is there. Before LCP is open the client does not listen.
func (p *Peer) receiveLogin(f Frame) {
	if !p.linkUp {
		p.note("! dropped: LCP is not open")
		return
	}
	switch {
	case f.Code == 1 && f.Protocol == CHAP && len(f.Data) > 0 && len(f.Data) > int(f.Data[0]):
		challenge, name := f.Data[1:1+f.Data[0]], f.Data[1+f.Data[0]:]
		if len(name) == 0 {
			p.fault("the challenge has no name in it")
		}
		response := p.Login.Answer.CHAP(f.ID, challenge)
		if p.Method == MethodMSCHAPv2 {
			response = p.Login.Answer.MSCHAPv2(challenge)
		}
		p.Frame(Frame{Protocol: CHAP, Code: 2, ID: f.ID, Data: slices.Concat([]byte{byte(len(response))}, response, []byte(p.Login.User))})
	case f.Code == 3 && f.Protocol == CHAP, f.Code == 2 && f.Protocol == PAP:
		p.granted(string(f.Data))
	case f.Code == 4 && f.Protocol == CHAP, f.Code == 3 && f.Protocol == PAP:
		p.Told = string(f.Data)
	}
}

// granted follows a yes: the network protocols, all at once.
func (p *Peer) granted(text string) {
	p.Told = text
	if p.Method == MethodMSCHAPv2 && !p.Login.Answer.VerifyMSCHAPv2(text) {
		p.fault("the server does not prove that it knows the password: %q", text)
		return
	}
	if p.Granted {
		return
	}
	p.Granted = true
	var after time.Duration
	for _, n := range p.Profile.Network {
		if after += n.After; after == 0 {
			p.request(n.Protocol)
			continue
		}
		p.After(after, func() { p.request(n.Protocol) })
	}
	kept := p.early
	p.early = nil
	for _, f := range kept {
		p.receiveFrame(f)
	}
}

// Count sets the counter from which the peer numbers the packets of all protocols (see Profile.OneCounter).
func (p *Peer) Count(from uint8) { p.counter = from }
