package negotiate

import (
	"testing"

	"lnsgate/lns/ppp"
)

// BenchmarkServerLogin is the serving side's part of a login: LCP and IPCP from
// Up to Opened.
func BenchmarkServerLogin(b *testing.B) {
	b.ReportAllocs()
	var out Out
	for b.Loop() {
		l, i := serverLCP(), serverIPCP()
		for _, d := range []driver{l, i} {
			out.Reset()
			d.Open(start, &out)
			d.Up(start, &out)
			ack := out.Frames[0].Packet
			ack[0] = byte(ppp.ConfigureAck)
			d.Receive(ack, start, &out)
		}
		l.Receive(lcpRequestPacket, start, &out)
		i.Receive(ipcpZeroPacket, start, &out)
		i.Receive(ipcpRequestPacket, start, &out)
		if l.State() != Opened || i.State() != Opened {
			b.Fatal(l.State(), i.State())
		}
	}
}

var (
	lcpRequestPacket  = packet(ppp.ConfigureRequest, 1, lacReceived...)
	ipcpZeroPacket    = packet(ppp.ConfigureRequest, 1, address(ppp.IPCPAddress, "0.0.0.0")...)
	ipcpRequestPacket = packet(ppp.ConfigureRequest, 2, address(ppp.IPCPAddress, "10.10.1.10")...)
)
