package lns_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/l2tp"
)

// silent sends nothing anywhere.
type silent struct{}

func (silent) Send(datapath.Path, []byte) error        { return nil }
func (silent) SendBatch(datapath.Path, [][]byte) error { return nil }

// FuzzReceiver gives the engine datagrams of any nonsense, mixed with a peer's that has come as far as a call: nothing panics,
// and when it closes every lease is back. The first octet of each piece says how long it is, the second what is done with it.
func FuzzReceiver(f *testing.F) {
	control := func(m l2tp.Message, ns, nr uint16) []byte {
		return l2tp.AppendControl(nil, 0, 0, ns, nr, l2tp.Append(nil, m, l2tp.AppendOptions{}))
	}
	script := func(pieces ...[]byte) (s []byte) {
		for _, p := range pieces {
			s = append(append(s, byte(len(p)), 1), p...)
		}
		return s
	}
	f.Add(script(control(l2tp.SCCRQ{HostName: "a", Framing: 1, AssignedTunnel: 1}, 0, 0), control(l2tp.SCCCN{}, 1, 1),
		control(l2tp.ICRQ{AssignedSession: 5}, 2, 1), control(l2tp.ICCN{FramingType: 1}, 3, 2),
		[]byte{0x40, 2, 0, 16, 0, 0, 0, 1, 0xff, 3, 0xc0, 0x21, 1, 1, 0, 4}))
	f.Add(script(control(l2tp.Hello{}, 0, 0), []byte{0xc8, 2}, []byte{0, 2, 0, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, script []byte) {
		pools := newPools(t, "10.10.1.10-10.10.1.250")
		server, err := lns.New(testConfig(), lns.Deps{Sender: silent{}, DataPath: datapathtest.NewFake(), Pools: pools,
			AAA: newGateway(t, account("l2tpuser", "Admin@123")), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		receiver := server.Receiver()
		from := datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.1:1701")}
		for len(script) > 2 {
			n, op := min(int(script[0]), len(script)-2), script[1]
			datagram := script[2 : 2+n]
			script = script[2+n:]
			if op&1 != 0 && n >= 8 { // addressed to the tunnel that there is
				if all := server.Tunnels(); len(all) > 0 && (datagram[4] != 0 || datagram[12%n] != 0x80 || op&2 != 0) {
					datagram[4], datagram[5] = byte(all[0].LocalID>>8), byte(all[0].LocalID)
				}
			}
			receiver.Datagram(from, datagram)
			receiver.Flush()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		server.Close(ctx)
		if leases, _ := pools.Leases(context.Background()); len(leases) != 0 {
			t.Errorf("leases left: %v", leases)
		}
	})
}
