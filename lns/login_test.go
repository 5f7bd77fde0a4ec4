package lns_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/lac"
	"lnsgate/test/simnet"
)

func TestLogin(t *testing.T) {
	for _, method := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP} {
		t.Run(method.String(), func(t *testing.T) {
			run(t, simnet.Config{Latency: 5 * time.Millisecond}, func(r *rig) {
				c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.Methods = []aaa.Method{method} })
				up := r.wantUp(c, time.Second)
				if up.Address != netip.MustParseAddr("10.10.1.10") || up.Peer != netip.MustParseAddr("10.10.0.1") || up.Method != method.String() {
					t.Errorf("up with %+v", up)
				}
				if up.Took > 200*time.Millisecond {
					t.Errorf("the login took %s", up.Took)
				}
				s := r.server.Sessions()
				if len(s) != 1 || s[0].User != "l2tpuser" || s[0].Address != up.Address || s[0].Phase != "open" || s[0].Domain != "default" {
					t.Errorf("sessions %+v", s)
				}
				if ts := r.server.Tunnels(); len(ts) != 1 || ts[0].HostName != "laptop" || ts[0].RemoteID != 7 || ts[0].State != "established" {
					t.Errorf("tunnels %+v", ts)
				}
				c.cancel()
				if err := r.wantEnd(c, 5*time.Second); err != nil {
					t.Errorf("the client ended: %v", err)
				}
			})
		})
	}
}

func TestWrongPassword(t *testing.T) {
	run(t, simnet.Config{Latency: 5 * time.Millisecond}, func(r *rig) {
		c := r.dial(1, "l2tpuser", "wrong")
		var ended *lac.Ended
		if err := r.wantEnd(c, 10*time.Second); !errors.As(err, &ended) || ended.Cause != lac.CauseWrongPassword {
			t.Errorf("the client ended: %v", err)
		}
		if log := r.log.String(); !strings.Contains(log, "wrong password") {
			t.Errorf("the log does not say why:\n%s", log)
		}
	})
}
