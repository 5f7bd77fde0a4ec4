package lac

import (
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
)

// BenchmarkLogin is what one login, hang-up included, costs the dialling side: a recorded server's datagrams are fed to
// a new Caller. It bounds what a load generator can offer on one core.
func BenchmarkLogin(b *testing.B) {
	for _, c := range []struct {
		name   string
		offer  negotiate.AuthProtocol
		method aaa.Method
	}{{"chap", negotiate.AuthCHAPMD5, aaa.CHAP}, {"mschapv2", negotiate.AuthMSCHAPv2, aaa.MSCHAPv2}} {
		b.Run(c.name, func(b *testing.B) {
			lns := newScriptedLNS("Admin@123", c.offer)
			cfg := testConfig()
			cfg.Talk = false
			var record [][]byte
			w := newWorld(b, lns, cfg)
			w.heard = func(d []byte) { record = append(record, d) }
			w.dial(testLogin("l2tpuser", "Admin@123", c.method))
			w.until("up", time.Second, w.isUp)
			beforeClose := len(record)
			w.caller.Close(w.now, &w.out)
			w.collect()
			w.until("closed", time.Minute, w.isDone)
			b.ReportAllocs()
			for b.Loop() {
				now := time.Unix(1_700_000_000, 0)
				caller := NewCaller(cfg)
				var out Out
				caller.Dial(testLogin("l2tpuser", "Admin@123", c.method), now, &out)
				up := false
				for i, d := range record {
					if i == beforeClose {
						caller.Close(now, &out)
					}
					out.Reset()
					caller.Receive(d, now, &out)
					caller.Deadline()
					up = up || len(out.Up) > 0
				}
				if !up || !out.Finished {
					b.Fatalf("up %t, finished %t", up, out.Finished)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
		})
	}
}
