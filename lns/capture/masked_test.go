package capture_test

import (
	"net/netip"
	"testing"

	"lnsgate/lns/capture"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// What is masked still looks like what it was: Wireshark finds nothing malformed in it, whatever the method.
func TestMaskedPacketsAreStillUnderstood(t *testing.T) {
	eap := func(code ppp.Code, kind byte, data ...byte) []byte {
		return ppp.Packet{Code: code, Identifier: 3, Data: append([]byte{kind}, data...)}.Append(nil)
	}
	filled := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = 0xa5
		}
		return b
	}
	mschap := append([]byte{2, 3, 0, 54, 49}, append(filled(49), "alice"...)...)
	tls := append([]byte{0x80, 0, 0, 0, 60}, append([]byte{22, 3, 1, 0, 55}, filled(55)...)...)
	frames := []ppp.Frame{
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPRequest, ppp.EAPIdentity)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPResponse, ppp.EAPIdentity, []byte("alice")...)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPResponse, ppp.EAPNak, 26)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPRequest, ppp.EAPMD5Challenge, append([]byte{16}, filled(16)...)...)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPRequest, 13, 0x20)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPResponse, 13, tls...)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPResponse, 21, tls...)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPResponse, 25, tls...)},
		{Protocol: ppp.EAP, Packet: eap(ppp.EAPResponse, 26, mschap...)},
		{Protocol: ppp.EAP, Packet: ppp.Packet{Code: 3, Identifier: 4}.Append(nil)},
		{Protocol: ppp.CHAP, Packet: ppp.Packet{Code: ppp.CHAPSuccess, Identifier: 5, Data: []byte("S=0123456789012345678901234567890123456789 M=ok")}.Append(nil)},
		{Protocol: ppp.LCP, Packet: ppp.Packet{Code: ppp.EchoRequest, Identifier: 6, Data: filled(8)}.Append(nil)},
		{Protocol: ppp.LCP, Packet: ppp.Packet{Code: ppp.ProtocolReject, Identifier: 7, Data: append([]byte{0x80, 0xfd}, filled(12)...)}.Append(nil)},
		{Protocol: ppp.LCP, Packet: ppp.Packet{Code: ppp.TerminateRequest, Identifier: 8, Data: filled(12)}.Append(nil)},
		{Protocol: ppp.CCP, Packet: ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 9, Data: []byte{18, 6, 1, 0, 0, 0x40}}.Append(nil)},
		{Protocol: ppp.IPv6CP, Packet: ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1, Data: append([]byte{1, 10}, filled(8)...)}.Append(nil)},
	}
	var file []byte
	run(t, nil, func(r *rig) {
		c := r.arm(capture.Request{By: "test", Filter: capture.Filter{Peer: netip.MustParsePrefix("203.0.113.0/24")}})
		path := datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.9:1701"), Local: serverAddr.Addr()}
		receiver := r.hub.Receiver(r.server.Receiver())
		for _, f := range frames {
			head := ppp.AppendFrameHeader(nil, f.Protocol, ppp.Framing{})
			b := l2tp.AppendDataHeader(nil, l2tp.Header{Length: true, Tunnel: 5, Session: 6}, len(head)+len(f.Packet))
			receiver.Datagram(path, append(append(b, head...), f.Packet...))
			receiver.Flush()
		}
		file = finish(t, c)
	})
	if got := read(t, file); len(got.ppp) != len(frames) {
		t.Errorf("%d packets, %d of PPP: %v", len(got.sources), len(got.ppp), got.ppp)
	}
}
