package order

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/test/radtest"
)

// TestFreeRADIUSUnderstands has FreeRADIUS take the part of a NAS: it checks names, signature and values by its own
// dictionaries, and says yes only to what is right to the letter.
func TestFreeRADIUSUnderstands(t *testing.T) {
	server := radtest.Start(t, radtest.Options{Secret: secret, Clients: []radtest.Client{
		{Network: netip.MustParsePrefix("127.0.0.1/32"), Secret: secret, Signed: true},
	}, CoA: `
		if (!&Message-Authenticator || !&Event-Timestamp || &Proxy-State) {
			update reply {
				Error-Cause := Missing-Attribute
			}
			reject
		}
		elsif (&Acct-Session-Id != "8100000A" || &User-Name != "alice@hr" || &Framed-IP-Address != 10.1.0.1) {
			update reply {
				Error-Cause := Session-Context-Not-Found
			}
			reject
		}
		elsif (&Mikrotik-Rate-Limit && (&Mikrotik-Rate-Limit != "1M/2M" || &Session-Timeout != 3600)) {
			update reply {
				Error-Cause := Invalid-Request
			}
			reject
		}
		elsif ("%{Packet-Type}" == "CoA-Request" && !&Mikrotik-Rate-Limit) {
			update reply {
				Error-Cause := Administratively-Prohibited
			}
			reject
		}
		else {
			ok
		}`})
	s := sender(t, server.CoA(), NAS{Equipment: dialect.Mikrotik})
	ctx, cancel := context.WithTimeout(background(), 30*time.Second)
	defer cancel()
	o, _ := change(dialect.Mikrotik)
	o.Session.NAS.Address = server.CoA().Addr()
	ask := func(want foreign.Answer) {
		t.Helper()
		if got := s.Send(ctx, o); got != want {
			t.Errorf("%+v instead of %+v", got, want)
		}
	}
	ask(foreign.Answer{Done: true, OK: true, Text: "acknowledged"})
	o.Terms.RateUp = 3e6
	ask(foreign.Answer{Done: true, Text: "refused: invalid request (404)"})
	o.Changed.RateDown = nil
	ask(foreign.Answer{Done: true, Text: "refused: forbidden by the administrator of the NAS (501)"})
	o.Kind = foreign.Disconnect
	ask(foreign.Answer{Done: true, OK: true, Text: "acknowledged"})
	o.Session.Name = "bob"
	ask(foreign.Answer{Done: true, Lost: true, Text: "refused: session not found (503)"})

	server.Stop()
	if got := s.Send(ctx, o); got.Done || !strings.Contains(got.Text, "no answer from ") {
		t.Errorf("%+v", got)
	}
	server.Restart()
	ask(foreign.Answer{Done: true, Lost: true, Text: "refused: session not found (503)"})
	if stats := s.Stats(); stats.Stranger+stats.Forged+stats.Malformed+stats.Late != 0 {
		t.Errorf("%+v", stats)
	}
}
