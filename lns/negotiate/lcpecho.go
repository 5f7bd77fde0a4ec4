package negotiate

import (
	"encoding/binary"
	"time"

	"lnsgate/lns/ppp"
)

// magicSize is the size of the Magic-Number field that the data of an echo, a
// discard, an Identification and a Time-Remaining begins with.
const magicSize = 4

const defaultEchoFailures = 3

// Alive says that the peer was heard: the next Echo-Request is put off.
func (l *LCP) Alive(now time.Time) {
	if l.m.state != Opened {
		return
	}
	l.echoes = 0
	l.schedule(now)
}

// opened starts the keep-alive.
func (l *LCP) opened(now time.Time) {
	l.echoes, l.loops = 0, 0
	l.watch = echoWatch{}
	l.schedule(now)
}

func (l *LCP) schedule(now time.Time) {
	l.m.deadline = time.Time{}
	if l.cfg.EchoInterval > 0 && !l.mute {
		l.m.deadline = now.Add(l.cfg.EchoInterval)
	}
}

func (l *LCP) echoFailures() int { return orDefault(l.cfg.EchoFailures, defaultEchoFailures) }

// keepAlive sends the next Echo-Request, or ends a link that has not answered
// EchoFailures of them.
func (l *LCP) keepAlive(now time.Time, out *Out) {
	if int(l.echoes) >= min(l.echoFailures(), 255) {
		l.watch.gaveUp()
		l.m.end(l, EchoTimeout, now, out)
		return
	}
	l.watch.asked(now)
	l.echoes++
	l.echoID++
	l.m.send(l, ppp.Packet{Code: ppp.EchoRequest, Identifier: l.echoID, Data: l.magicField()}, out)
	l.schedule(now)
}

// echo handles what RFC 1661 section 5.8 and 5.9 ask for in Opened. An
// Echo-Reply has done most of its work by having arrived.
func (l *LCP) echo(in ppp.Packet, now time.Time, out *Out) {
	if in.Code == ppp.EchoReply && in.Identifier == l.echoID {
		l.watch.answered(now)
	}
	if in.Code != ppp.EchoRequest || len(in.Data) < magicSize {
		return
	}
	if magic := binary.BigEndian.Uint32(in.Data); magic != 0 && magic == l.ours.magic && magic != l.peer.magic {
		l.hearOurselves(now, out)
		return
	}
	l.loops = 0
	data := append(l.magicField(), in.Data[magicSize:]...)
	data = data[:min(len(data), l.limit()-ppp.HeaderSize)]
	l.m.send(l, ppp.Packet{Code: ppp.EchoReply, Identifier: in.Identifier, Data: data}, out)
}

// hearOurselves counts Echo-Requests that carry our own magic number. To answer
// them would keep a looped back line alive for ever.
func (l *LCP) hearOurselves(now time.Time, out *Out) {
	l.loops++
	if int(l.loops) >= min(l.echoFailures(), 255) {
		l.m.end(l, Loop, now, out)
	}
}

// magicField is our magic number as it stands in front of the data, zero if we
// have none.
func (l *LCP) magicField() []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 0, 2*magicSize), l.ours.magic)
}

// extra handles the codes that only LCP has.
func (l *LCP) extra(in ppp.Packet, now time.Time, out *Out) bool {
	switch in.Code {
	case ppp.ProtocolReject:
		l.onProtocolReject(in, now, out)
	case ppp.EchoRequest, ppp.EchoReply, ppp.DiscardRequest:
		l.m.step(l, stimulus{event: EventRXR, in: in}, now, out)
	case ppp.Identification:
		if len(in.Data) > magicSize {
			out.Identification = append(out.Identification, string(in.Data[magicSize:]))
		}
	case ppp.TimeRemaining:
		// A courtesy of the peer; nothing follows from it.
	default:
		return false
	}
	return true
}

// onProtocolReject takes a Protocol-Reject; it counts in Opened only (RFC 1661
// section 5.7). To live without LCP is not possible.
func (l *LCP) onProtocolReject(in ppp.Packet, now time.Time, out *Out) {
	if l.m.state != Opened || len(in.Data) < 2 {
		return
	}
	rejected := ppp.Protocol(binary.BigEndian.Uint16(in.Data))
	if rejected == ppp.LCP {
		l.m.step(l, stimulus{event: EventRXJBad, in: in}, now, out)
		return
	}
	out.PeerRejected = append(out.PeerRejected, rejected)
	l.m.step(l, stimulus{event: EventRXJGood, in: in}, now, out)
}

// codeRejected: a peer that does not know echoes is not asked for them again.
func (l *LCP) codeRejected(code ppp.Code) bool {
	if code == ppp.EchoRequest || code == ppp.EchoReply {
		l.mute = true
		l.watch = echoWatch{} // that it stays silent says nothing about the line
		if l.m.state == Opened {
			l.m.deadline = time.Time{}
		}
	}
	return code != ppp.ProtocolReject
}
