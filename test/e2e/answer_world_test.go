package e2e

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// newOffice is a world of one machine, headquarters, where lnsgate is a RADIUS server. NASes are other addresses of its loopback.
func newOffice(t *testing.T) *world {
	t.Helper()
	netns.Require(t)
	folder, err := os.MkdirTemp("", "e2e")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	return &world{t: t, hq: netns.NewTest(t), folder: folder}
}

// answer starts lnsgate at headquarters.
func (w *world) answer(config string) *server {
	w.t.Helper()
	return w.answerIn(w.hq, "", config)
}

// answerIn starts it elsewhere, with files of its own.
func (w *world) answerIn(n *netns.Namespace, name, config string) *server {
	w.t.Helper()
	s := w.prepareAs(name, config)
	s.in = n
	s.again()
	return s
}

// again starts a server that has ended, or not begun.
func (s *server) again() {
	s.w.t.Helper()
	s.launch(exec.Command(program, "serve", "-c", s.config))
}

// radclient sends requests from a file at headquarters, one after the other, and holds the replies against those of another file: the
// code and every attribute, one more is as wrong as one less. How often a request is sent is given.
func (w *world) radclient(port, secret, requests, replies string, times int) (said string, ok bool) {
	w.t.Helper()
	netns.RequireCommand(w.t, "radclient")
	output, err := w.hq.Run("radclient", "-x", "-r", fmt.Sprint(times), "-t", "5", "-f", requests+":"+replies, "127.0.0.1:"+port, "auto", secret)
	return string(output) + fmt.Sprint(err), err == nil
}

// asks has radclient ask one thing and wants the reply to be this. The attributes of both stand one a line; the first line of each is
// the type of the packet.
func (w *world) asks(port, secret, request, reply string) {
	w.t.Helper()
	folder := w.t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		must(w.t, os.WriteFile(path, []byte(attributeLines(text)), 0o600))
		return path
	}
	said, ok := w.radclient(port, secret, write("request", "Packet-Type = "+request), write("reply", "Response-Packet-Type == "+reply), 1)
	if !ok || !strings.Contains(said, "Received") {
		w.t.Errorf("%s\nis not what was asked for:\n%s", said, reply)
	}
}

func attributeLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// Codes of RADIUS packets, and kinds of attributes (RFC 2865, 2866, 2869, 5176).
const (
	accessRequest, accessAccept, accessReject = 1, 2, 3
	accountingRequest, accountingResponse     = 4, 5
	statusServer                              = 12
	disconnectRequest                         = 40

	userName, userPassword, nasPort, framedAddress = 1, 2, 5, 8
	classKind, proxyState, nasIdentifier           = 25, 33, 32
	statusType, sessionID, framedPool              = 40, 44, 88
	framedRoute                                    = 22
	messageAuthenticator                           = 80

	statusStart, statusStop, statusInterim, statusOn = 1, 2, 3, 7
)

// attribute is one of a packet.
type attribute struct {
	kind  byte
	value []byte
}

func text(kind byte, s string) attribute { return attribute{kind, []byte(s)} }
func number(kind byte, n uint32) attribute {
	return attribute{kind, binary.BigEndian.AppendUint32(nil, n)}
}

// packet is a RADIUS packet.
type packet struct {
	code, id      byte
	authenticator [16]byte
	attributes    []attribute
}

func (p *packet) octets() []byte {
	b := append([]byte{p.code, p.id, 0, 0}, p.authenticator[:]...)
	for _, a := range p.attributes {
		b = append(append(b, a.kind, byte(len(a.value)+2)), a.value...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func readPacket(b []byte) *packet {
	p := &packet{code: b[0], id: b[1], authenticator: [16]byte(b[4:20])}
	for b = b[20:]; len(b) >= 2; b = b[b[1]:] {
		p.attributes = append(p.attributes, attribute{b[0], b[2:b[1]]})
	}
	return p
}

// get finds the value of an attribute, nil when there is none.
func (p *packet) get(kind byte) []byte {
	for _, a := range p.attributes {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

func (p *packet) address() netip.Addr {
	a, _ := netip.AddrFromSlice(p.get(framedAddress))
	return a
}

// router is a NAS at an address of headquarters, made of nothing but sockets.
type router struct {
	t      *testing.T
	secret string
	access *net.UDPConn
	books  *net.UDPConn
	next   byte
}

// router makes a NAS. It asks 127.0.0.1.
func (w *world) router(address string) *router {
	w.t.Helper()
	return w.routerOf(address, "127.0.0.1")
}

// routerOf makes one that asks another server.
func (w *world) routerOf(address, server string) *router {
	w.t.Helper()
	r := &router{t: w.t, secret: nasSecret}
	dial := func(port int) (conn *net.UDPConn) {
		must(w.t, w.hq.Do(func() (err error) {
			conn, err = net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(address)}, &net.UDPAddr{IP: net.ParseIP(server), Port: port})
			return err
		}))
		w.t.Cleanup(func() { conn.Close() })
		return conn
	}
	r.access, r.books = dial(1812), dial(1813)
	return r
}

// login asks whether a user may come in, by PAP. The request is signed.
func (r *router) login(name, password string, more ...attribute) []byte {
	return r.request(accessRequest, true, append([]attribute{text(userName, name), text(userPassword, password)}, more...)...)
}

// request makes the octets of a request with an identifier of its own. A password in it is hidden.
func (r *router) request(code byte, signed bool, attributes ...attribute) []byte {
	r.next++
	p := packet{code: code, id: r.next, attributes: attributes}
	if code != accountingRequest {
		rand.Read(p.authenticator[:])
	}
	for i, a := range p.attributes {
		if a.kind == userPassword {
			p.attributes[i].value = r.hidden(a.value, p.authenticator)
		}
	}
	if signed {
		p.attributes = append([]attribute{{messageAuthenticator, make([]byte, 16)}}, p.attributes...)
		hash := hmac.New(md5.New, []byte(r.secret))
		hash.Write(p.octets())
		p.attributes[0].value = hash.Sum(nil)
	}
	if code == accountingRequest {
		p.authenticator = md5.Sum(append(p.octets(), r.secret...))
	}
	return p.octets()
}

// hidden is a short password as RFC 2865 section 5.2 has it.
func (r *router) hidden(password []byte, authenticator [16]byte) []byte {
	pad := md5.Sum(append([]byte(r.secret), authenticator[:]...))
	for i, c := range password {
		pad[i] ^= c
	}
	return pad[:]
}

// exchange sends a request and waits for the octets of its answer. The Response Authenticator must be right, and the
// Message-Authenticator comes first.
func (r *router) exchange(conn *net.UDPConn, request []byte) []byte {
	r.t.Helper()
	reply := make([]byte, 4096)
	var n int
	eventually(r.t, "there is an answer", func() bool {
		if _, err := conn.Write(request); err != nil {
			return false // nobody listens yet
		}
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		var err error
		n, err = conn.Read(reply)
		return err == nil && reply[1] == request[1]
	})
	reply = reply[:n]
	whole := append(append(append([]byte{}, reply[:4]...), request[4:20]...), reply[20:]...)
	if sum := md5.Sum(append(whole, r.secret...)); sum != [16]byte(reply[4:20]) {
		r.t.Errorf("the answer to a request of code %d is not signed with the secret", request[0])
	}
	if request[0] != accountingRequest && (len(reply) < 38 || reply[20] != messageAuthenticator) {
		r.t.Errorf("Message-Authenticator is not the first in %x", reply)
	}
	return reply
}

// asks asks, and reads the answer.
func (r *router) asks(request []byte) *packet {
	r.t.Helper()
	return readPacket(r.exchange(r.access, request))
}

// call is a session of a NAS.
type call struct {
	r       *router
	user    string
	id      string
	class   []byte
	address netip.Addr
}

// opens logs a user in. The session is not begun.
func (r *router) opens(user, password, id string) *call {
	r.t.Helper()
	reply := r.asks(r.login(user, password, text(sessionID, id)))
	if reply.code != accessAccept {
		r.t.Fatalf("%s is not let in: code %d", user, reply.code)
	}
	return &call{r, user, id, reply.get(classKind), reply.address()}
}

// tells sends a record, and wants it taken.
func (c *call) tells(status uint32, more ...attribute) {
	c.r.t.Helper()
	attributes := append([]attribute{number(statusType, status), text(userName, c.user), text(sessionID, c.id)}, more...)
	if c.class != nil {
		attributes = append(attributes, attribute{classKind, c.class})
	}
	if c.address.IsValid() {
		attributes = append(attributes, attribute{framedAddress, c.address.AsSlice()})
	}
	c.r.records(attributes...)
}

func (r *router) records(attributes ...attribute) {
	r.t.Helper()
	if reply := readPacket(r.exchange(r.books, r.request(accountingRequest, false, attributes...))); reply.code != accountingResponse {
		r.t.Errorf("a record is answered by code %d", reply.code)
	}
}

// ignored sends a request to which there may be no answer, and says whether there is none.
func (r *router) ignored(request []byte) bool {
	r.t.Helper()
	_, err := r.access.Write(request)
	must(r.t, err)
	r.access.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err = r.access.Read(make([]byte, 4096))
	return err != nil
}

// startProxied is a FreeRADIUS at headquarters that knows alice, and the user of the examples of RFC 2759.
func startProxied(w *world) *radtest.Server {
	w.t.Helper()
	return radtest.Start(w.t, radtest.Options{Fragment: 300, Namespace: w.hq, Users: `alice@sales.example Cleartext-Password := "secret"
	Session-Timeout = 3600,
	Class = "red",
	Framed-IP-Address = 10.40.0.7,
	Framed-Route = "10.50.0.0/24 0.0.0.0 1",
	Mikrotik-Rate-Limit = "2M/10M"

User Cleartext-Password := "clientPass"
`})
}
