package lac

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/test/simnet"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	clientAddress = netip.MustParseAddrPort("192.0.2.7:50000")
	serverAddress = netip.MustParseAddrPort("198.51.100.1:1701")
)

// hall is a network with the scripted server on it. The handlers of simnet are called one at a time, so the server needs
// no lock; its timers do not run, for nothing is lost here.
type hall struct {
	network *simnet.Network
	lns     *scriptedLNS
	server  *simnet.Endpoint
}

func newHall(t *testing.T, lns *scriptedLNS, cfg simnet.Config) *hall {
	h := &hall{network: simnet.New(cfg), lns: lns}
	h.server = h.network.Endpoint(nil, serverAddress)
	h.server.Handle(func(from datapath.Path, b []byte) {
		h.server.SendBatch(from, lns.receive(b, time.Now()))
	})
	t.Cleanup(h.network.Close)
	return h
}

// client makes a client on the network.
func (h *hall) client(cfg ClientConfig) *Client {
	e := h.network.Endpoint(nil, clientAddress)
	cfg.Wire = WireFunc(func(d []byte) error { return e.Send(e.PathTo(serverAddress), d) })
	c := NewClient(cfg)
	e.Handle(func(_ datapath.Path, b []byte) { c.Deliver(b) })
	return c
}

func TestClientStaysUpUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{Latency: 5 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		var up []Up
		downs, said := 0, 0
		c := h.client(ClientConfig{
			Config: testConfig(), Login: testLogin("l2tpuser", "Admin@123", aaa.CHAP),
			Up:   func(u Up) error { up = append(up, u); return nil },
			Down: func() { downs++ }, Said: func(Said) { said++ },
		})
		result := make(chan error, 1)
		go func() { result <- c.Run(ctx) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(up) != 1 || up[0].Address != netip.MustParseAddr("10.10.1.10") {
			t.Fatalf("up %+v", up)
		}
		time.Sleep(time.Hour)
		cancel()
		began := time.Now()
		if err := <-result; err != nil {
			t.Errorf("Run says %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the good-bye took %s", took)
		}
		if downs != 1 || said < 15 {
			t.Errorf("down %d times, %d messages said", downs, said)
		}
	})
}

func TestClientCarriesPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string, 1)
		open := make(chan struct{})
		c := h.client(ClientConfig{
			Config: testConfig(), Login: testLogin("l2tpuser", "Admin@123", aaa.CHAP),
			Up:     func(Up) error { close(open); return nil },
			Packet: func(p []byte) { got <- string(p) },
		})
		if err := c.SendPacket([]byte("E...")); !errors.Is(err, ErrNotUp) {
			t.Errorf("a packet before the session: %v", err)
		}
		result := make(chan error, 1)
		go func() { result <- c.Run(ctx) }()
		<-open
		synctest.Wait()
		if err := c.SendPacket([]byte("Echo")); err != nil {
			t.Error(err)
		}
		if p := <-got; p != "Echo" {
			t.Errorf("got %q", p)
		}
		cancel()
		<-result
	})
}

func TestClientReportsAFailedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{})
		c := h.client(ClientConfig{Config: testConfig(), Login: testLogin("l2tpuser", "wrong", aaa.CHAP)})
		var ended *Ended
		if err := c.Run(t.Context()); !errors.As(err, &ended) || ended.Stage != StageAuthentication {
			t.Errorf("Run says %v", err)
		}
	})
}

func TestClientGivesUpOnASilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{Loss: 1})
		c := h.client(ClientConfig{Config: testConfig(), Login: testLogin("l2tpuser", "Admin@123", aaa.CHAP)})
		began := time.Now()
		var ended *Ended
		if err := c.Run(t.Context()); !errors.As(err, &ended) || ended.Cause != CauseNoAnswer {
			t.Errorf("Run says %v", err)
		}
		if took := time.Since(began); took > 35*time.Second {
			t.Errorf("that took %s", took)
		}
	})
}

func TestClientLeavesASilentServerQuickly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		c := h.client(ClientConfig{
			Config: testConfig(), Login: testLogin("l2tpuser", "Admin@123", aaa.CHAP),
			Up: func(Up) error { h.server.Handle(nil); cancel(); return nil },
		})
		began := time.Now()
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run says %v", err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the good-bye took %s", took)
		}
	})
}

func TestClientHangsUpWhenItsOwnerCannotUseTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{})
		fault := errors.New("no interface")
		c := h.client(ClientConfig{
			Config: testConfig(), Login: testLogin("l2tpuser", "Admin@123", aaa.CHAP),
			Up: func(Up) error { return fault },
		})
		if err := c.Run(t.Context()); !errors.Is(err, fault) {
			t.Errorf("Run says %v", err)
		}
	})
}

func TestClientDropsWhatItsMailboxCannotHold(t *testing.T) {
	c := NewClient(ClientConfig{Config: testConfig()})
	for range mailboxSize + 3 {
		c.Deliver([]byte{1})
	}
	if c.Dropped() != 3 {
		t.Errorf("%d dropped, want 3", c.Dropped())
	}
}

func TestClientEndsSoonAfterTheServerClosedTheTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{})
		c := h.client(ClientConfig{
			Config: testConfig(), Login: testLogin("l2tpuser", "Admin@123", aaa.CHAP),
			Up: func(Up) error {
				for _, s := range h.lns.tunnels {
					s.control.Close(l2tp.ResultCode{Result: l2tp.StopCCNShutdown}, time.Now(), &s.out)
					h.server.SendBatch(datapath.Path{Remote: clientAddress}, s.flush(time.Now()))
				}
				return nil
			},
		})
		began := time.Now()
		var ended *Ended
		if err := c.Run(t.Context()); !errors.As(err, &ended) || ended.Cause != CauseTunnelClosed {
			t.Errorf("Run says %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
