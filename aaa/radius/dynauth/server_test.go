package dynauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

const (
	disconnect = radius.CodeDisconnectRequest
	coa        = radius.CodeCoARequest
)

func TestDisconnectEndsEverySessionThatFitsAll(t *testing.T) {
	for _, tc := range []struct {
		name string
		rows []row
		want []string // sessions that are gone; none: 503
	}{
		{"Acct-Session-Id", []row{text(44, "s1")}, []string{"s1"}},
		{"User-Name, two sessions", []row{text(1, "alice")}, []string{"s1", "s2"}},
		{"User-Name and Framed-IP-Address", []row{text(1, "alice"), addr(8, "10.1.0.2")}, []string{"s2"}},
		{"Framed-IP-Address", []row{addr(8, "10.1.0.3")}, []string{"s3"}},
		{"NAS-Port", []row{num(5, 1<<16|12)}, []string{"s2"}},
		{"NAS-Port-Id", []row{text(87, "tun 2/9 call 11/3")}, []string{"s3"}},
		{"NAS-Port and the same NAS-Port-Id", []row{num(5, 2<<16|11), text(87, "tun 2/9 call 11/3")}, []string{"s3"}},
		{"NAS-Port and another NAS-Port-Id", []row{num(5, 1<<16|11), text(87, "tun 2/9 call 11/3")}, nil},
		{"NAS-Port 0 is not any port", []row{num(5, 0)}, nil},
		{"NAS-Port of a tunnel alone", []row{num(5, 1<<16)}, nil},
		{"NAS-Port-Id of others", []row{text(87, "GigabitEthernet0/1")}, nil},
		{"Calling-Station-Id", []row{text(31, "0443")}, []string{"s3"}},
		{"Called-Station-Id", []row{text(30, "0800")}, []string{"s1", "s2", "s3"}},
		{"Chargeable-User-Identity", []row{text(89, "c1")}, []string{"s1", "s2"}},
		{"with our NAS attributes", []row{text(32, "lns1"), addr(4, "192.0.2.1"), addr(95, "2001:db8::1"), text(44, "s1")}, []string{"s1"}},
		{"NAS-Port-Type Virtual", []row{num(61, 5), text(44, "s1")}, []string{"s1"}},
		{"NAS-Port-Type of others", []row{num(61, 15), text(44, "s1")}, nil},
		{"names that contradict", []row{text(44, "s1"), text(1, "bob")}, nil},
		{"Acct-Multi-Session-Id", []row{text(50, "x"), text(44, "s1")}, nil},
		{"Framed-IPv6-Prefix", []row{text(97, "x"), text(44, "s1")}, nil},
		{"nobody", []row{text(1, "mallory")}, nil},
		{"housekeeping", []row{text(44, "s1"), num(49, 6), num(55, uint32(noon.Unix()))}, []string{"s1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := newSessions()
			got := causeOf(t, send(t, newServer(all, nil), datagram(t, disconnect, secret, tc.rows...), client, noon))
			var gone []string
			for name := range all.disconnected {
				gone = append(gone, name)
			}
			slices.Sort(gone)
			if !slices.Equal(gone, tc.want) || (got == 0) != (len(tc.want) > 0) || got != 0 && got != SessionNotFound {
				t.Errorf("%v, gone %v", got, gone)
			}
		})
	}
}

func TestReasonSaysWhoAndWhat(t *testing.T) {
	all := newSessions()
	send(t, newServer(all, nil), datagram(t, disconnect, secret, text(44, "s1"), text(18, "bill"), text(18, "unpaid")), client, noon)
	if got := all.disconnected["s1"]; !strings.Contains(got, "192.0.2.9") || !strings.Contains(got, "bill unpaid") {
		t.Errorf("%q", got)
	}
}

func TestRFC5176Section3_6_ClassOfADisconnectIsForTheLastRecord(t *testing.T) {
	all := newSessions()
	if got := causeOf(t, send(t, newServer(all, nil), datagram(t, disconnect, secret, text(44, "s1"), text(25, "a"), text(25, "b")), client, noon)); got != 0 {
		t.Fatal(got)
	}
	if got := all.changed["s1"].Class; len(got) != 2 || string(got[0]) != "a" || string(got[1]) != "b" {
		t.Errorf("%q", got)
	}
	if got := causeOf(t, send(t, newServer(all, nil), datagram(t, disconnect, secret, text(25, "a")), client, noon)); got != MissingAttribute {
		t.Errorf("Class names no session: %v", got)
	}
	all = newSessions()
	all.refuse = errors.New("not now")
	if got := causeOf(t, send(t, newServer(all, nil), datagram(t, disconnect, secret, text(44, "s1"), text(25, "a")), client, noon)); got == 0 || len(all.disconnected) != 0 {
		t.Errorf("%v %v", got, all.disconnected)
	}
}

func TestWhatIsRefused(t *testing.T) {
	s1 := text(44, "s1")
	for _, tc := range []struct {
		name string
		code radius.Code
		rows []row
		want Cause
	}{
		{"no session named", disconnect, nil, MissingAttribute},
		{"only a NAS named", disconnect, []row{text(32, "lns1")}, MissingAttribute},
		{"only a port type", disconnect, []row{num(61, 5)}, MissingAttribute},
		{"another NAS-Identifier", disconnect, []row{s1, text(32, "lns2")}, OtherNAS},
		{"another NAS-IP-Address", disconnect, []row{s1, addr(4, "240.0.0.2")}, OtherNAS},
		{"another NAS-IPv6-Address", coa, []row{s1, addr(95, "2001:db8::2"), num(27, 1)}, OtherNAS},
		{"one of two NAS attributes fits", coa, []row{s1, text(32, "lns1"), addr(4, "240.0.0.2"), num(27, 1)}, OtherNAS},
		{"another NAS counts before what is unsupported", coa, []row{s1, num(240, 1), text(32, "lns2")}, OtherNAS},
		{"NAS-IP-Address of 3 octets", disconnect, []row{s1, text(4, "abc")}, InvalidValue},
		{"NAS-IP-Address of 16 octets", disconnect, []row{s1, addr(4, "2001:db8::1")}, InvalidValue},
		{"Framed-IP-Address of 3 octets", disconnect, []row{text(8, "abc")}, InvalidValue},
		{"NAS-Port of 3 octets", disconnect, []row{text(5, "abc")}, InvalidValue},
		{"NAS-Port-Type of 3 octets", disconnect, []row{s1, text(61, "abc")}, InvalidValue},
		{"empty User-Name", disconnect, []row{text(1, "")}, InvalidValue},
		{"two User-Names", disconnect, []row{text(1, "alice"), text(1, "bob")}, InvalidRequest},

		{"Disconnect with Session-Timeout", disconnect, []row{s1, num(27, 1)}, UnsupportedAttribute},
		{"Disconnect with Filter-Id", disconnect, []row{s1, text(11, "x")}, UnsupportedAttribute},
		{"Disconnect with Service-Type", disconnect, []row{s1, num(6, 2)}, UnsupportedAttribute},
		{"Disconnect with State", disconnect, []row{s1, text(24, "x")}, UnsupportedAttribute},
		{"Disconnect with a vendor's", disconnect, []row{s1, vsa(wire.Mikrotik, 8, []byte("1M"))}, UnsupportedAttribute},
		{"Disconnect with EAP-Message", disconnect, []row{s1, text(79, "x")}, UnsupportedAttribute},

		{"CoA without a change", coa, []row{s1}, MissingAttribute},
		{"CoA with Service-Type alone", coa, []row{s1, num(6, 2)}, MissingAttribute},
		{"CoA without a session", coa, []row{num(27, 1)}, MissingAttribute},
		{"CoA with Acct-Terminate-Cause", coa, []row{s1, num(49, 6), num(27, 1)}, UnsupportedAttribute},
		{"CoA with Framed-Pool", coa, []row{s1, text(88, "x"), num(27, 1)}, UnsupportedAttribute},
		{"CoA with what nobody knows", coa, []row{s1, num(240, 1), num(27, 1)}, UnsupportedAttribute},
		{"CoA with a vendor's that is no change", coa, []row{s1, num(27, 1), vsa(wire.Huawei, 88, []byte("x"))}, UnsupportedAttribute},
		{"CoA with a pair that is no change", coa, []row{s1, num(27, 1), vsa(wire.Cisco, 1, []byte("subscriber:command=reauthenticate"))}, UnsupportedAttribute},
		{"CoA with a vendor's that is malformed", coa, []row{s1, num(27, 1), text(26, "\x00\x00\x00\x09\x01")}, UnsupportedAttribute},
		{"CoA with a malformed rate", coa, []row{s1, vsa(wire.Mikrotik, 8, []byte("fast"))}, InvalidValue},
		{"CoA with Session-Timeout of 3 octets", coa, []row{s1, text(27, "abc")}, InvalidValue},
		{"CoA with two filters", coa, []row{s1, text(11, "a"), text(11, "b")}, InvalidValue},
		{"Authorize-Only", coa, []row{s1, num(6, 17), text(24, "x")}, UnsupportedService},
		{"Service-Type Login", coa, []row{s1, num(6, 1)}, UnsupportedService},
		{"Service-Type of 3 octets", coa, []row{s1, text(6, "abc")}, InvalidValue},
		{"Framed-Protocol SLIP", coa, []row{s1, num(7, 2), num(27, 1)}, InvalidValue},
		{"CoA for nobody", coa, []row{text(44, "s9"), num(27, 1)}, SessionNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := newSessions()
			s := newServer(all, nil)
			if got := causeOf(t, send(t, s, datagram(t, tc.code, secret, tc.rows...), client, noon)); got != tc.want {
				t.Errorf("%v, not %v", got, tc.want)
			}
			if len(all.changed)+len(all.disconnected) != 0 {
				t.Error("something was done")
			}
			if s.Stats()[Refused] != 1 {
				t.Error("not counted")
			}
		})
	}
}

func TestCoAChangesEverySession(t *testing.T) {
	all := newSessions()
	got := causeOf(t, send(t, newServer(all, nil), datagram(t, coa, secret, text(1, "alice"), num(6, 2), num(7, 1),
		num(27, 600), num(28, 0), num(85, 5), text(11, "guests"), text(25, "c"), vsa(wire.Mikrotik, 8, []byte("1M/2M"))), client, noon))
	if got != 0 || len(all.changed) != 2 {
		t.Fatalf("%v %v", got, all.changed)
	}
	c := all.changed["s2"]
	if *c.SessionTimeout != 10*time.Minute || *c.IdleTimeout != 0 || *c.Interim != time.Minute || *c.Filter != "guests" ||
		*c.RateUp != 1_000_000 || *c.RateDown != 2_000_000 || string(c.Class[0]) != "c" {
		t.Errorf("%+v", c)
	}
}

func TestCoAIsAllOrNothing(t *testing.T) {
	all := newSessions()
	all.refuse = errors.New("no filter named guests")
	if got := causeOf(t, send(t, newServer(all, nil), datagram(t, coa, secret, text(1, "alice"), text(11, "guests")), client, noon)); got != InvalidValue {
		t.Errorf("%v", got)
	}
}

func TestCoAThatTakesTooLongMayComeAgain(t *testing.T) {
	all := newSessions()
	all.refuse = fmt.Errorf("asking the tunnel: %w", context.DeadlineExceeded)
	if got := causeOf(t, send(t, newServer(all, nil), datagram(t, coa, secret, text(1, "alice"), text(11, "guests")), client, noon)); got != ResourcesUnavailable {
		t.Errorf("%v", got)
	}
}

func TestRFC5176Section3_1_ProxyStateAndStateGoBackInOrder(t *testing.T) {
	p := send(t, newServer(newSessions(), nil), datagram(t, coa, secret, text(33, "b"), text(44, "s1"), text(33, "a"), num(27, 1), text(24, "st"), text(33, "b")), client, noon)
	var got []string
	for _, a := range p.Attributes {
		if a.Type == typeProxyState || a.Type == typeState {
			got = append(got, string(a.Attribute))
		}
	}
	if !slices.Equal(got, []string{"b", "a", "st", "b"}) {
		t.Errorf("%q", got)
	}
	p = send(t, newServer(newSessions(), nil), datagram(t, disconnect, secret, text(33, "x")), client, noon)
	if string(p.Get(typeProxyState)) != "x" {
		t.Error("not in a NAK")
	}
}

func TestDroppedWithoutAnAnswer(t *testing.T) {
	good := func(rows ...row) []byte { return datagram(t, disconnect, secret, append(rows, text(44, "s1"))...) }
	signed := good(row{typeMessageAuth, make([]byte, 16)})
	broken := bytes.Clone(good())
	broken[len(broken)-1] ^= 1
	brokenSignature := func() []byte { // right authenticator, wrong Message-Authenticator
		p := &radius.Packet{Code: disconnect, Secret: []byte(secret)}
		p.Add(typeMessageAuth, make([]byte, 16))
		p.Add(44, []byte("s1"))
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}()
	demand := func(c *Config) { c.Clients[0].RequireMessageAuthenticator = true }
	for _, tc := range []struct {
		name   string
		b      []byte
		from   netip.AddrPort
		change func(*Config)
		want   Outcome
	}{
		{"a stranger", good(), netip.MustParseAddrPort("203.0.113.1:1"), nil, Stranger},
		{"garbage", random(100), client, nil, Malformed},
		{"nothing", nil, client, nil, Malformed},
		{"another kind of request", datagram(t, radius.CodeAccountingRequest, secret, text(44, "s1")), client, nil, Malformed},
		{"an answer", append([]byte{byte(radius.CodeDisconnectACK)}, good()[1:]...), client, nil, Malformed},
		{"cut off", good()[:21], client, nil, Malformed},
		{"another secret", datagram(t, disconnect, "another", text(44, "s1")), client, nil, Forged},
		{"one bit", broken, client, nil, Forged},
		{"Message-Authenticator", brokenSignature, client, nil, Forged},
		{"unsigned where it is demanded", good(), client, demand, Unsigned},
		{"old", good(num(55, uint32(noon.Unix()-301))), client, nil, Stale},
		{"from the future", good(num(55, uint32(noon.Unix()+301))), client, nil, Stale},
		{"a time that is none", good(text(55, "abc")), client, nil, Stale},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := newSessions()
			s := newServer(all, tc.change)
			if p := send(t, s, tc.b, tc.from, noon); p != nil {
				t.Errorf("answered with %v", p.Code)
			}
			if s.Stats()[tc.want] != 1 || all.calls != 0 {
				t.Errorf("%v, %d looked for", s.Stats(), all.calls)
			}
		})
	}
	for _, rows := range [][]row{{num(55, uint32(noon.Unix()-299))}, {num(55, uint32(noon.Unix()+299))}, nil} {
		if p := send(t, newServer(newSessions(), nil), good(rows...), client, noon); causeOf(t, p) != 0 {
			t.Error("a request of now was refused")
		}
	}
	p := send(t, newServer(newSessions(), demand), signed, client, noon)
	if causeOf(t, p) != 0 || p.Get(typeMessageAuth) == nil {
		t.Error("a signed request gets a signed answer")
	}
	if p := send(t, newServer(newSessions(), nil), signed, client, noon); p.Get(typeMessageAuth) == nil {
		t.Error("also where it need not be signed")
	}
	if p := send(t, newServer(newSessions(), nil), good(), client, noon); p.Get(typeMessageAuth) != nil {
		t.Error("and an unsigned one an unsigned")
	}
}

func TestPaddingIsNotPartOfThePacket(t *testing.T) {
	b := append(datagram(t, disconnect, secret, text(44, "s1")), 0, 0, 0)
	if got := causeOf(t, send(t, newServer(newSessions(), nil), b, client, noon)); got != 0 {
		t.Error(got)
	}
}

func TestRFC5176Section6_3_ARepeatedRequestIsCarriedOutOnce(t *testing.T) {
	all := newSessions()
	s := newServer(all, nil)
	b := datagram(t, coa, secret, text(44, "s1"), num(27, 1))
	var replies [][]byte
	for range 3 {
		s.take(t.Context(), b, client, noon, func(r []byte) { replies = append(replies, r) })
		s.working.Wait()
	}
	if all.calls != 1 || len(replies) != 3 || !bytes.Equal(replies[0], replies[1]) || !bytes.Equal(replies[0], replies[2]) {
		t.Errorf("carried out %d times, %d replies", all.calls, len(replies))
	}
	if s.Stats()[Repeated] != 2 {
		t.Error(s.Stats())
	}
	send(t, s, b, netip.MustParseAddrPort("192.0.2.9:4001"), noon) // another port is another question
	send(t, s, b, client, noon.Add(299*time.Second))
	if all.calls != 2 {
		t.Errorf("carried out %d times", all.calls)
	}
	send(t, s, b, client, noon.Add(300*time.Second)) // the window is over: without an Event-Timestamp it is new
	if all.calls != 3 {
		t.Errorf("carried out %d times", all.calls)
	}
}

// What was caught under way is of no use from another port, from another client of the same secret, or while the clock of the
// sender is ahead.
func TestRFC5176Section6_3_ARequestThatSaysWhenItWasMadeIsCarriedOutOnce(t *testing.T) {
	for _, ahead := range []time.Duration{-299 * time.Second, 0, 299 * time.Second} {
		all := newSessions()
		s := newServer(all, nil)
		b := datagram(t, coa, secret, text(44, "s1"), num(27, 1), num(55, uint32(noon.Add(ahead).Unix())))
		if causeOf(t, send(t, s, b, client, noon)) != 0 {
			t.Fatal("refused")
		}
		for _, from := range []string{"192.0.2.9:4001", "192.0.2.77:3799"} {
			for later := time.Duration(0); later < 700*time.Second; later += 10 * time.Second {
				send(t, s, b, netip.MustParseAddrPort(from), noon.Add(later))
			}
		}
		if all.calls != 1 {
			t.Errorf("%v ahead: carried out %d times", ahead, all.calls)
		}
	}
}

func TestOneThatIsBeingCarriedOutIsNotBegunAgain(t *testing.T) {
	all := newSessions()
	all.hold = make(chan struct{})
	s := newServer(all, func(c *Config) { c.AtOnce = 1 })
	b := datagram(t, disconnect, secret, text(44, "s1"))
	replies := make(chan []byte, 4)
	respond := func(r []byte) { replies <- r }
	s.take(t.Context(), b, client, noon, respond)
	s.take(t.Context(), b, client, noon, respond)
	other := datagram(t, disconnect, secret, text(44, "s2"))
	s.take(t.Context(), other, client, noon, respond)
	if got := s.Stats(); got[Repeated] != 1 || got[Busy] != 1 {
		t.Error(got)
	}
	close(all.hold)
	s.working.Wait()
	s.take(t.Context(), other, client, noon, respond) // what was dropped for want of a slot can come again
	s.working.Wait()
	if len(replies) != 2 || all.calls != 2 {
		t.Errorf("%d replies, %d carried out", len(replies), all.calls)
	}
}

func TestTimeIsUp(t *testing.T) {
	all := newSessions()
	all.hold = make(chan struct{})
	s := newServer(all, func(c *Config) { c.Timeout = time.Millisecond })
	if got := causeOf(t, send(t, s, datagram(t, disconnect, secret, text(44, "s1")), client, noon)); got != ResourcesUnavailable {
		t.Error(got)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	a := answers{most: 10}
	for i := range 100 {
		q := question{from: client, identifier: byte(i)}
		if _, known := a.find(q, noon); known {
			t.Fatalf("%d is not new", i)
		}
		a.begin(q, noon.Add(time.Minute))
		a.end(q, []byte{byte(i)})
		if len(a.kept) > 10 || len(a.order) != len(a.kept) {
			t.Fatalf("%d kept, %d in order", len(a.kept), len(a.order))
		}
	}
	if answer, known := a.find(question{from: client, identifier: 99}, noon); !known || answer[0] != 99 {
		t.Error("the last one is kept")
	}
	a.end(question{from: client, identifier: 1}, []byte{1})
	if len(a.kept) > 10 {
		t.Error("a forgotten one came back")
	}
}

func TestTheLongestPrefixCounts(t *testing.T) {
	list := peersOf([]Client{
		{Source: netip.MustParsePrefix("0.0.0.0/0"), Secret: aaa.NewSecret("all")},
		{Source: netip.MustParsePrefix("192.0.2.9/32"), Secret: aaa.NewSecret("one")},
		{Source: netip.MustParsePrefix("192.0.2.0/24"), Secret: aaa.NewSecret("some")},
	})
	for source, want := range map[string]string{"192.0.2.9": "one", "::ffff:192.0.2.9": "one", "192.0.2.8": "some", "203.0.113.1": "all"} {
		if got := string(peerOf(list, netip.MustParseAddr(source)).key.Secret()); got != want {
			t.Errorf("%s: %s", source, got)
		}
	}
	if peerOf(list, netip.MustParseAddr("2001:db8::1")) != nil {
		t.Error("an IPv6 source is no client")
	}
}

func TestClientsCanBeReplaced(t *testing.T) {
	s := newServer(newSessions(), nil)
	b := datagram(t, disconnect, secret, text(44, "s1"))
	if err := s.SetClients([]Client{{Source: netip.MustParsePrefix("203.0.113.0/24"), Secret: aaa.NewSecret(secret)}}); err != nil {
		t.Fatal(err)
	}
	if send(t, s, b, client, noon) != nil {
		t.Error("a client of before is answered")
	}
	if err := s.SetClients([]Client{{Source: netip.MustParsePrefix("192.0.2.0/24")}}); err == nil {
		t.Error("a client without a secret")
	}
	if causeOf(t, send(t, s, b, netip.MustParseAddrPort("203.0.113.1:1"), noon)) != 0 {
		t.Error("the new client is not answered")
	}
}

func TestTheIdentityCanBeReplaced(t *testing.T) {
	s := newServer(newSessions(), nil)
	s.SetIdentity([]string{"lns7"}, []netip.Addr{netip.MustParseAddr("192.0.2.7")})
	for _, tc := range []struct {
		nas  row
		want Cause
	}{
		{text(32, "lns7"), 0}, {addr(4, "192.0.2.7"), 0}, {text(32, "lns1"), OtherNAS}, {addr(4, "240.0.0.2"), OtherNAS},
		{addr(4, "127.0.0.1"), 0}, // the machine's own: the end of a tunnel, of a group that has no address set
	} {
		b := datagram(t, coa, secret, text(44, "s1"), num(27, 1), tc.nas)
		if got := causeOf(t, send(t, s, b, client, noon)); got != tc.want {
			t.Errorf("attribute %d %q: %v, not %v", tc.nas.kind, tc.nas.value, got, tc.want)
		}
	}
}

func TestFaultsOfTheConfiguration(t *testing.T) {
	_, err := Listen(Config{Clients: []Client{{}, {Source: netip.MustParsePrefix("192.0.2.0/24")}}})
	for _, want := range []string{"no sessions", "no address", "without a source", "192.0.2.0/24 has no secret"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, o := range Outcomes() {
		if o.String() == "unknown" || o.String() == "" {
			t.Errorf("outcome %d has no name", o)
		}
	}
	for _, c := range []Cause{401, 402, 403, 404, 405, 407, 503, 506} {
		if strings.HasPrefix(c.String(), "error cause") {
			t.Errorf("cause %d has no words", c)
		}
	}
	if Outcome(99).String() != "unknown" || Cause(1).String() != "error cause 1" {
		t.Error("others")
	}
}

// FuzzAttributes: whatever a client that knows the secret sends, it gets one authentic answer, and nothing is done unless it is
// an ACK.
func FuzzAttributes(f *testing.F) {
	for _, b := range []string{"\x2c\x04s1", "\x01\x07alice\x1b\x06\x00\x00\x00\x01", "\x2c\x04s1\x1a\x0c\x00\x00\x3a\x8c\x08\x041M", "\x37\x06\x65\x53\xf1\x00", "\x21\x03x\x18\x03y"} {
		f.Add(true, []byte(b))
		f.Add(false, []byte(b))
	}
	f.Fuzz(func(t *testing.T, end bool, attributes []byte) {
		parsed, err := radius.ParseAttributes(attributes)
		if err != nil {
			return
		}
		p := &radius.Packet{Code: coa, Attributes: parsed}
		if end {
			p.Code = disconnect
		}
		b, err := wire.NewKey(secret).AppendRequest(nil, p)
		if err != nil {
			return
		}
		all := newSessions()
		s := newServer(all, nil)
		reply := send(t, s, b, client, noon)
		if done := len(all.changed)+len(all.disconnected) > 0; reply == nil && s.Stats()[Stale] == 0 && s.Stats()[Malformed] == 0 && s.Stats()[Forged] == 0 {
			t.Fatalf("no answer: %v", s.Stats())
		} else if done != (reply != nil && causeOf(t, reply) == 0) {
			t.Fatalf("done: %v, reply %v", done, reply)
		}
	})
}
