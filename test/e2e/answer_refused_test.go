package e2e

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// slowNo is how long a no takes in these tests.
const slowNo = 500 * time.Millisecond

// strictOffice is a server whose NASes must sign, or not.
const strictOffice = `
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 500ms
	  clients:
	    - {name: auto, source: 127.0.0.2/32, secret: ` + nasSecret + `}
	    - {name: strict, source: 127.0.0.3/32, secret: ` + nasSecret + `, message_authenticator: require}
	    - {name: old, source: 127.0.0.4/32, secret: ` + nasSecret + `, message_authenticator: "off"}
	    - {name: proxy, source: 127.0.0.5/32, secret: ` + nasSecret + `, unsigned_proxies: true}
	domains:
	  - {name: sales.example, pools: [office]}
	  - {name: chap.example, pools: [office], methods: [chap]}
	pools:
	  - {name: office, ranges: [10.30.0.0/24]}
	users:
	  - {name: anna@sales.example, password: "Anna@1234"}
	  - {name: gone@sales.example, password: "Anna@1234", disabled: true}
	  - {name: anna@chap.example, password: "Anna@1234"}
	  - {name: User, password: clientPass}
	`

// Whoever is not let in learns nothing of the reason: the answers have the same octets but for what signs them, and take the same
// time. A yes does not wait for them.
func TestEachNoIsTheSame(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strictOffice)
	r := w.router("127.0.0.2")
	began := time.Now()
	names := map[byte]string{}
	for _, c := range [][2]string{{"anna@sales.example", "wrong"}, {"nobody@sales.example", "Anna@1234"}, {"gone@sales.example", "Anna@1234"},
		{"anna@elsewhere.example", "Anna@1234"}, {"anna@chap.example", "Anna@1234"}, {"anna@sales.example", "Anna@1234"}} {
		request := r.login(c[0], c[1])
		names[request[1]] = c[0] + " " + c[1]
		_, err := r.access.Write(request)
		must(t, err)
	}
	var first []byte
	for i := range len(names) {
		reply := receive(t, r.access)
		took, p := time.Since(began), readPacket(reply)
		name := names[p.id]
		if i == 0 {
			if p.code != accessAccept {
				t.Errorf("%s is answered before who is let in", name)
			}
			continue
		}
		if p.code != accessReject || took < slowNo {
			t.Errorf("%s: code %d after %s", name, p.code, took)
		}
		p.id, p.authenticator = 0, [16]byte{}
		copy(p.get(messageAuthenticator), make([]byte, 16))
		if first == nil {
			first = p.octets()
		}
		if !bytes.Equal(p.octets(), first) {
			t.Errorf("%s is answered\n%x, others\n%x", name, p.octets(), first)
		}
	}
	s.stop()
}

func receive(t *testing.T, conn *net.UDPConn) []byte {
	t.Helper()
	reply := make([]byte, 4096)
	conn.SetReadDeadline(time.Now().Add(patience))
	n, err := conn.Read(reply)
	must(t, err)
	return reply[:n]
}

// silent wants no answer to a request, and the server to say why.
func (r *router) silent(s *server, request []byte, why string) {
	r.t.Helper()
	before := s.counter("nas_requests_" + why)
	_, err := r.access.Write(request)
	must(r.t, err)
	eventually(r.t, "the request is counted as "+why, func() bool { return s.counter("nas_requests_"+why) == before+1 })
	r.access.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := r.access.Read(make([]byte, 4096)); err == nil {
		r.t.Errorf("a request that is %s is answered by %d octets", why, n)
	}
}

// What nobody known has signed gets nothing. A NAS that has signed once must do so from then on, whatever comes between.
func TestWhatIsNotSignedGetsNothing(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strictOffice)
	const anna, password = "anna@sales.example", "Anna@1234"
	unsigned := func(r *router, more ...attribute) []byte {
		return r.request(accessRequest, false, append([]attribute{text(userName, anna), text(userPassword, password)}, more...)...)
	}
	lets := func(r *router, request []byte) {
		t.Helper()
		if p := r.asks(request); p.code != accessAccept {
			t.Errorf("%s is answered by code %d", r.access.LocalAddr(), p.code)
		}
	}
	w.router("127.0.0.99").silent(s, w.router("127.0.0.99").login(anna, password), "stranger")

	auto, strict, old, proxy := w.router("127.0.0.2"), w.router("127.0.0.3"), w.router("127.0.0.4"), w.router("127.0.0.5")
	forged := w.router("127.0.0.2")
	forged.secret = "another secret than that of the NAS"
	forged.silent(s, forged.login(anna, password), "forged")
	lets(auto, unsigned(auto))
	auto.silent(s, unsigned(auto, text(proxyState, "p1")), "unsigned_proxy")
	lets(auto, auto.login(anna, password))
	auto.silent(s, unsigned(auto), "unsigned")
	strict.silent(s, unsigned(strict), "unsigned")
	lets(strict, strict.login(anna, password))
	lets(old, old.login(anna, password))
	lets(old, unsigned(old))
	lets(proxy, unsigned(proxy, text(proxyState, "p1")))

	s.stop()
	s.again()
	auto.silent(s, unsigned(auto), "unsigned")
	lets(auto, auto.login(anna, password))
	lets(old, unsigned(old))
	s.stop()
}

// radclient asks for the health of both ports.
func TestStatusOfTheServer(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strictOffice)
	const request = "Status-Server\nPacket-Src-IP-Address = 127.0.0.2\nMessage-Authenticator = 0x00"
	w.asks("1812", nasSecret, request, "Access-Accept\nMessage-Authenticator =* ANY")
	w.asks("1813", nasSecret, request, "Accounting-Response\nMessage-Authenticator =* ANY")
	s.stop()
}

// A proxy gets back what it added to a request, each of it, in order (RFC 2865 section 5.33).
func TestProxyStateComesBack(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strictOffice)
	r := w.router("127.0.0.2")
	states := []attribute{text(proxyState, "second"), text(proxyState, "first"), text(proxyState, "second"), text(proxyState, "\x00")}
	wants := func(what string, code byte, p *packet) {
		t.Helper()
		var got []attribute
		for _, a := range p.attributes {
			if a.kind == proxyState {
				got = append(got, a)
			}
		}
		if p.code != code || !slices.EqualFunc(got, states, func(a, b attribute) bool { return bytes.Equal(a.value, b.value) }) {
			t.Errorf("%s: code %d, %q", what, p.code, got)
		}
	}
	wants("a yes", accessAccept, r.asks(r.login("anna@sales.example", "Anna@1234", states...)))
	wants("a no", accessReject, r.asks(r.login("anna@sales.example", "wrong", states...)))
	record := append([]attribute{number(statusType, statusStart), text(userName, "anna@sales.example"), text(sessionID, "1")}, states...)
	wants("a record", accountingResponse, readPacket(r.exchange(r.books, r.request(accountingRequest, false, record...))))
	s.stop()
}

// A request that comes again gets the same octets, and is carried out once.
func TestRequestsThatComeTwice(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strictOffice)
	r := w.router("127.0.0.2")
	login := r.login("anna@sales.example", "Anna@1234")
	reply := r.exchange(r.access, login)
	for range 3 {
		if again := r.exchange(r.access, login); !bytes.Equal(again, reply) {
			t.Errorf("the second answer is\n%x, the first\n%x", again, reply)
		}
	}
	if n := s.pools()[0].Leased; n != 1 {
		t.Errorf("%d addresses are given for one login", n)
	}
	other := r.asks(r.login("anna@sales.example", "Anna@1234"))
	if other.address() == readPacket(reply).address() {
		t.Error("two logins have one address")
	}
	record := r.request(accountingRequest, false, number(statusType, statusStart), text(userName, "anna@sales.example"), text(sessionID, "1"))
	reply = r.exchange(r.books, record)
	if again := r.exchange(r.books, record); !bytes.Equal(again, reply) {
		t.Errorf("the second answer is\n%x, the first\n%x", again, reply)
	}
	for name, want := range map[string]uint64{"accepted": 2, "recorded": 1, "repeated": 4, "pending": 0} {
		if n := s.counter("nas_requests_" + name); n != want {
			t.Errorf("%s: %d, want %d", name, n, want)
		}
	}
	s.stop()
}

// The example of RFC 2759 section 9.2, whose challenges and answers are known, and its key (RFC 3079 section 3.5.3).
const (
	byMSCHAPv2 = `Access-Request
		Message-Authenticator = 0x00
		Packet-Src-IP-Address = 127.0.0.2
		User-Name = "User"
		MS-CHAP-Challenge = 0x5b5d7c7d7b3f2f3e3c2c602132262628
		MS-CHAP2-Response = 0x070021402324255e262a28295f2b3a337c7e000000000000000082309ecd8d708b5ea08faa3981cd83544233114a3d85d6df`
	inByMSCHAPv2 = `Access-Accept
		Message-Authenticator =* ANY
		Class =* ANY
		MS-CHAP2-Success == 0x07533d34303741353538393131354644304436323039463531304645394330343536363933324344413536
		MS-MPPE-Encryption-Policy == Encryption-Allowed
		MS-MPPE-Encryption-Types == RC4-40or128-bit-Allowed
		MS-MPPE-Send-Key == 0x8b7cdc149b993a1ba118cb153f56dccb
		MS-MPPE-Recv-Key =* ANY
		`
)

// The answer to MS-CHAPv2 proves that the server knows the password, and has the keys of the link.
func TestMSCHAPv2OfTheRFC(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(strictOffice)
	w.asks("1812", nasSecret, byMSCHAPv2, inByMSCHAPv2+"Framed-IP-Address =* ANY\nAcct-Interim-Interval == 600")
	w.asks("1812", nasSecret, strings.Replace(byMSCHAPv2, "d6df", "d6de", 1), "Access-Reject\nMessage-Authenticator =* ANY\nMS-CHAP-Error =* ANY")
	s.stop()
}
