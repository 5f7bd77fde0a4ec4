package tun

import (
	"errors"
	"slices"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// ingress is the way up for one reader. It belongs to that reader's goroutine.
type ingress struct {
	path *DataPath
	// flow keeps the packets of one reader in order on a device.
	flow int
	// outs are the packets waiting for Flush, per device.
	outs []*outgoing
	// scratch holds packets that came with too little in front of them to be written where they are.
	scratch []byte
	// now is the time since the data path's epoch in nanoseconds, taken once per batch; 0 before its first packet.
	now int64
}

// Receive implements datapath.Ingress.
func (in *ingress) Receive(from datapath.Path, datagram []byte) bool {
	if l2tp.IsControl(datagram) {
		return false
	}
	header, payload, err := l2tp.ParseHeader(datagram)
	if err != nil {
		in.path.drops.add(datapath.HeaderMalformed, 1)
		return true
	}
	s := in.path.sessions.get(id(uint16(header.Tunnel), uint16(header.Session)))
	if s == nil {
		return false
	}
	if s.to.Load().Remote != from.Remote {
		if isLCP(payload) {
			return false // a peer that has moved proves by it that it is the peer
		}
		s.dropRx(datapath.PeerMismatch)
		return true
	}
	if header.Sequence && !inOrder(&s.order, header.Ns) {
		s.dropRx(datapath.OutOfSequence)
		return true
	}
	protocol, packet, err := ppp.ParseFrame(payload)
	if err != nil {
		s.dropRx(datapath.FrameMalformed)
		return true
	}
	switch {
	case protocol == ppp.IPv4 && s.address.IsValid():
		return in.packet(s, datagram, packet)
	case protocol == ppp.IPv6 && len(s.six) > 0:
		return in.packet6(s, datagram, packet)
	}
	return false
}

// isLCP says that a frame is one of the link control protocol.
func isLCP(payload []byte) bool {
	protocol, _, err := ppp.ParseFrame(payload)
	return err == nil && protocol == ppp.LCP
}

// packet checks a user packet, which is a view into the datagram. It says false when the packet is a question to the engine.
func (in *ingress) packet(s *session, datagram, packet []byte) bool {
	packet, ok := cutIPv4(packet)
	switch {
	case !ok:
		s.dropRx(datapath.PacketMalformed)
	case !s.owns(source(packet)):
		s.dropRx(datapath.SourceNotLeased)
	case datapath.AsksByDHCP(packet):
		return false
	default:
		in.admit(s, datagram, packet)
	}
	return true
}

// packet6 is packet for IPv6. It says false when the packet is for the peer's neighbour, which is the engine.
func (in *ingress) packet6(s *session, datagram, packet []byte) bool {
	packet, ok := cutIPv6(packet)
	if !ok {
		s.dropRx(datapath.PacketMalformed)
		return true
	}
	switch source := source6(packet); {
	case datapath.LinkScoped(packet):
		if datapath.ForNeighbour(packet) {
			return false
		}
		s.dropRx(datapath.LinkScope)
	case !s.owns6(source):
		s.dropRx(datapath.SourceNotLeased)
	default:
		in.admit(s, datagram, packet)
	}
	return true
}

// admit asks filter and rate about a packet of the session's own.
func (in *ingress) admit(s *session, datagram, packet []byte) {
	if !s.filter.Load().Allows(datapath.Up, packet) {
		s.dropRx(datapath.Filtered)
		return
	}
	if in.now == 0 {
		in.now = in.path.now()
	}
	switch due, verdict := s.up.admit(len(packet), in.now); {
	case verdict == passes:
		in.pass(s, datagram, packet)
	case verdict == over || !in.hold(s, packet, due):
		s.dropRx(datapath.OverRateUp)
	}
}

// hold has a packet wait. Those of the session that still wait for Flush are written first: the pacer would overtake them.
func (in *ingress) hold(s *session, packet []byte, due int64) bool {
	if out := in.out(s.port); out.hasOf(s) {
		in.write(out)
	}
	return s.port.pacer.hold(s, datapath.Up, packet, in.now, due)
}

// pass puts a packet that may pass, which is a view into a buffer, aside for Flush.
func (in *ingress) pass(s *session, datagram, packet []byte) {
	s.clamp(packet)
	spaced := in.spaced(datagram, packet)
	out := in.out(s.port)
	if out.isFull() {
		in.write(out)
	}
	out.add(spaced, owner{s, len(packet)})
}

// spaced gives the packet with writeOffset octets in front: those of the datagram's own headers if there are as many,
// else in a copy.
func (in *ingress) spaced(datagram, packet []byte) []byte {
	at := cap(datagram) - cap(packet)
	if at >= writeOffset && at < len(datagram) && &datagram[at] == &packet[0] {
		return datagram[at-writeOffset : at+len(packet)]
	}
	if need := writeOffset + len(packet); cap(in.scratch)-len(in.scratch) < need {
		in.empty()
		if cap(in.scratch) < need {
			in.scratch = make([]byte, 0, scratchSize)
		}
	}
	start := len(in.scratch)
	in.scratch = append(in.scratch[:start+writeOffset], packet...)
	return slices.Clip(in.scratch[start:])
}

// scratchSize holds the longest possible packet.
const scratchSize = 128 << 10

// out finds the list of a device. A host has few virtual templates, so a search from the front is quick.
func (in *ingress) out(p *port) *outgoing {
	for _, out := range in.outs {
		if out.port == p {
			return out
		}
	}
	out := newOutgoing(p)
	in.outs = append(in.outs, out)
	return out
}

// Keep implements datapath.Ingress.
func (in *ingress) Keep() {
	for _, out := range in.outs {
		switch {
		case len(out.packets) == 0:
		case !out.gathers():
			in.write(out)
		case !in.keep(out):
			in.empty()
		}
	}
	if in.now != 0 {
		in.now = in.path.now()
	}
}

// keep has packets lie in the scratch. It says false when there is no room.
func (in *ingress) keep(out *outgoing) bool {
	if cap(in.scratch) < keptSize {
		in.empty()
		in.scratch = make([]byte, 0, keptSize)
	}
	for i, p := range out.packets[out.kept:] {
		if len(p) > cap(in.scratch)-len(in.scratch) {
			return false
		}
		start := len(in.scratch)
		in.scratch = append(in.scratch, p...)
		out.packets[out.kept+i] = slices.Clip(in.scratch[start:])
	}
	out.kept = len(out.packets)
	return true
}

// keptSize holds as many packets as are gathered, of a usual size.
const keptSize = mostGathered * 1536

// Flush implements datapath.Ingress.
func (in *ingress) Flush() {
	in.empty()
	in.now = 0
}

// empty writes everything out, so that nothing lies in the scratch any more.
func (in *ingress) empty() {
	for _, out := range in.outs {
		if len(out.packets) > 0 {
			in.write(out)
		}
	}
	in.scratch = in.scratch[:0]
}

// write hands the list to the device, counts what it has taken, and empties the list.
func (in *ingress) write(out *outgoing) {
	out.bringTogether()
	for batch := range slices.Chunk(out.packets, out.port.device.BatchSize()) {
		if err := out.port.device.Write(in.flow, batch); errors.Is(err, errMergeRefused) {
			out.port.log.Warn("virtual template: "+errMergeRefused.Error(), "interface", out.port.name, "cause", err)
		}
	}
	for i, o := range out.owners {
		if out.packets[i] != nil {
			o.session.rx.count(o.octets, in.now)
		} else {
			o.session.dropRx(datapath.InterfaceWrite)
		}
	}
	out.empty()
}
