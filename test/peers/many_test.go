package peers_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/datapath"
	"lnsgate/lns/lac"
	"lnsgate/test/simnet"
	"net/netip"
)

// batches is the way of a load to the server.
type batches struct{ end *simnet.Endpoint }

func (w batches) SendBatch(b [][]byte) error { return w.end.SendBatch(w.end.PathTo(serverAddr), b) }

// A LAC has all its subscribers in one tunnel: here 1,500, at a few hundred at once. Twenty thousand were tried, and take as much longer.
func TestThousandsOfSessionsInOneTunnel(t *testing.T) {
	const n = 1500
	inLab(t, func(l *lab) {
		l.deps.Pools = pools(t, "10.10.0.10-10.10.250.250")
		l.deps.Log = slog.New(slog.DiscardHandler)
	}, func(l *lab) {
		end := l.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.9:1701"))
		load, err := lac.NewLoad(lac.LoadConfig{Count: n, SessionsPerTunnel: n, KeepUp: true, Concurrency: 500, Wires: []lac.BatchWire{batches{end}},
			Tunnel: lac.Config{Profile: lac.FindProfile("cisco-lac"), Rand: rand.Reader},
			Login: func(i int) lac.Login {
				return lac.Login{User: userName, Magic: uint32(i + 1), Methods: []aaa.Method{aaa.CHAP}, Credentials: secret.NewAnswerer(userName, aaa.NewSecret(password), [16]byte{})}
			}})
		if err != nil {
			t.Fatal(err)
		}
		sh := load.Shard(0)
		end.Handle(func(_ datapath.Path, b []byte) { sh.Deliver(b); sh.Flush() })
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan lac.Report)
		go func() { done <- load.Run(ctx) }()
		begin := time.Now()
		for time.Since(begin) < time.Minute && load.Report().Up+load.Report().Failed < n {
			<-time.After(time.Second)
		}
		if r := load.Report(); r.Up != n || r.Failed != 0 {
			t.Errorf("%d of %d are up, %d failed: %v", r.Up, n, r.Failed, r.Failures)
		}
		l.wantTunnels(1)
		l.wantSessions(n)
		cancel()
		<-done
		l.wantSessions(0)
	})
}
