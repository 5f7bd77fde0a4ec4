package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

func TestWholeLife(t *testing.T) {
	for _, c := range []struct {
		name     string
		lac, lns Config
	}{
		{name: "plain"},
		{name: "hidden and authenticated both ways",
			lac: Config{Secret: []byte("s3cret"), RequireAuthentication: true, HideAVPs: true},
			lns: Config{Secret: []byte("s3cret"), RequireAuthentication: true, HideAVPs: true}},
		{name: "only the LNS asks", lac: Config{Secret: []byte("s")}, lns: Config{Secret: []byte("s"), RequireAuthentication: true}},
		{name: "only the LAC asks", lac: Config{Secret: []byte("s"), RequireAuthentication: true}, lns: Config{Secret: []byte("s")}},
		{name: "window of one", lac: Config{ReceiveWindow: 1}, lns: Config{ReceiveWindow: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.lac.HelloInterval, c.lns.HelloInterval = time.Minute, 50*time.Second
			p := newPair(t, c.lac, c.lns)
			p.dial()
			p.place(1)
			p.run(49 * time.Second)
			wantSaid(t, p.lac, "SCCRQ SCCCN ICRQ ICCN")
			wantSaid(t, p.lns, "SCCRP ZLB ICRP ZLB")
			p.run(2 * time.Second)
			p.do(p.lns, func(now time.Time, out *Out) {
				p.lns.CloseCall(201, l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: "bye"}, now, out)
			})
			p.settle()
			p.do(p.lac, func(now time.Time, out *Out) {
				p.lac.Close(l2tp.ResultCode{Result: l2tp.StopCCNShutdown}, now, out)
			})
			p.run(time.Minute)
			wantSaid(t, p.lac, "SCCRQ SCCCN ICRQ ICCN ZLB ZLB StopCCN")
			wantSaid(t, p.lns, "SCCRP ZLB ICRP ZLB HELLO CDN ZLB")
			wantDone(t, p.lac, "TunnelUp CallUp CallDown TunnelDown Finished")
			wantDone(t, p.lns, "TunnelUp CallRequested CallUp CallDown TunnelDown Finished")
			if d := last[CallDown](t, p.lac); !d.ByPeer || d.Session != 1 || d.Result.Message != "bye" {
				t.Errorf("lac: %+v", d)
			}
			if d := last[TunnelDown](t, p.lns); !d.ByPeer || d.Result.Result != l2tp.StopCCNShutdown || d.Lost {
				t.Errorf("lns: %+v", d)
			}
			if len(p.lac.faults)+len(p.lns.faults) > 0 {
				t.Errorf("faults: %v %v", p.lac.faults, p.lns.faults)
			}
		})
	}
}
