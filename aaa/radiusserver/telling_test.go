package radiusserver

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// logged makes a server whose log the test reads.
func logged(t *testing.T, change func(*Config)) (*rig, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return newRig(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		if change != nil {
			change(c)
		}
	}), &log
}

// lines returns what was logged since, and forgets it.
func lines(log *bytes.Buffer) []string {
	text := strings.TrimSpace(log.String())
	log.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// A NAS with a wrong secret, or that nobody has entered, is what an administrator looks for first.
func TestTheLogTellsOfWhoGetsNoAnswerNowAndThen(t *testing.T) {
	for name, tc := range map[string]struct {
		from netip.AddrPort
		says []string
	}{
		"a wrong secret": {nasAddress, []string{"compare the secrets", "nas=branch", "peer=192.0.2.9:1024"}},
		"a stranger":     {netip.MustParseAddrPort("203.0.113.5:99"), []string{"no client has this source", "peer=203.0.113.5:99", "lnsgate nas add"}},
		"only for TLS":   {netip.MustParseAddrPort("192.0.2.77:99"), []string{"may not ask over udp", "nas=roaming"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, log := logged(t, func(c *Config) {
					c.Clients = append(c.Clients, Client{Name: "roaming", Source: netip.MustParsePrefix("192.0.2.77/32"), TLS: true},
						Client{Name: "other", Source: netip.MustParsePrefix("192.0.2.8/32"), Secret: aaa.NewSecret(clientSecret)})
				})
				octets := octetsOf(t, login(t, "alice", password))
				octets[len(octets)-1] ^= 1
				for range 100 {
					r.put(forAccess, octets, tc.from, newMailbox())
				}
				first := lines(log)
				if len(first) != 1 {
					t.Fatalf("%q", first)
				}
				for _, s := range append(tc.says, "more_before=0") {
					if !strings.Contains(first[0], s) {
						t.Errorf("%q is missing in %s", s, first[0])
					}
				}
				time.Sleep(quiet)
				r.put(forAccess, octets, tc.from, newMailbox())
				if again := lines(log); len(again) != 1 || !strings.Contains(again[0], "more_before=99") {
					t.Errorf("a minute later: %q", again)
				}
				r.put(forAccess, octets, netip.MustParseAddrPort("192.0.2.8:1"), newMailbox())
				if others := lines(log); len(others) != 1 || !strings.Contains(others[0], "nas=other") {
					t.Errorf("of another client with a wrong secret: %q", others)
				}
				if err := r.Reload(r.config.Clients, r.config.AAA, nil); err != nil {
					t.Fatal(err)
				}
				r.put(forAccess, octets, tc.from, newMailbox())
				if after := lines(log); len(after) != 0 {
					t.Errorf("after a reload: %q", after)
				}
			})
		})
	}
}

// Older NASes do not sign, so a wrong secret looks like a wrong password.
func TestAPasswordThatIsNoTextHintsAtTheSecret(t *testing.T) {
	r, log := logged(t, func(c *Config) { c.Clients[0].MessageAuthenticator = Off })
	const hint = "its secret is not that of the client"
	for typed, want := range map[string]bool{"sesame": false, "пароль": false, "\x9b\x02\xf0garbage": true, "tab\there": true} {
		for name, rows := range map[string][]row{"alice": {unsignedRequest}, "nobody": {unsignedRequest}} {
			reply := r.ask(login(t, name, typed, rows...))
			if reply == nil || reply.Code != radius.CodeAccessReject {
				t.Fatalf("%q: %v", typed, reply)
			}
			if got := lines(log); len(got) != 1 || strings.Contains(got[0], hint) != want {
				t.Errorf("%s with %q: %q", name, typed, got)
			}
		}
		r.ask(login(t, "alice", typed)) // what is signed was made with the secret
		if got := lines(log); len(got) != 1 || strings.Contains(got[0], hint) {
			t.Errorf("signed: %q", got)
		}
	}
}

// A full disk is told of once, and not by each record that comes meanwhile.
func TestTheLogIsNotFilledByRecordsThatCannotBeStored(t *testing.T) {
	r, log := logged(t, nil)
	r.records.err = errFull
	for range 100 {
		r.ask(packet(t, radius.CodeAccountingRequest, num(wire.TypeAcctStatusType, statusStart), str(wire.TypeAcctSessionID, "1")))
	}
	if told := lines(log); len(told) != 1 || !strings.Contains(told[0], errFull.Error()) {
		t.Errorf("%d lines: %.200q", len(told), told)
	}
	r.want(Unanswered, 100)
}
