package eap

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// answers is an Authenticator that notes requests and says no.
type answers struct{ got []*aaa.Request }

func (a *answers) Authenticate(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	a.got = append(a.got, r)
	return aaa.Decision{}, aaa.Reject(aaa.Refused, "no")
}

func (a *answers) Authorize(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	a.got = append(a.got, r)
	return aaa.Decision{Account: "a"}, nil
}

func TestWhatDoesNotEndHereIsHandedOnUntouched(t *testing.T) {
	next := &answers{}
	s, err := New(Config{AAA: next, Ends: func(r *aaa.Request) bool { return !strings.HasSuffix(r.Name, "@elsewhere") }})
	must(t, err)
	defer s.Close()
	identity := packet.Packet{Code: packet.Response, Type: packet.Identity, Data: []byte("bob@elsewhere")}.Append(nil)
	for name, r := range map[string]*aaa.Request{
		"a password":               {Name: "bob", Proof: aaa.Proof{Method: aaa.PAP}},
		"EAP of another domain":    {Name: "bob@elsewhere", Proof: aaa.Proof{Method: aaa.EAP, EAP: identity}},
		"another's conversation":   {Name: "bob", Backend: "hq", Proof: aaa.Proof{Method: aaa.EAP, State: []byte("s")}},
		"a password with our name": {Name: "bob", Backend: Backend, Proof: aaa.Proof{Method: aaa.CHAP}},
	} {
		next.got = nil
		if _, err := s.Authenticate(t.Context(), r); err == nil || len(next.got) != 1 || next.got[0] != r {
			t.Errorf("%s: %v, %v", name, next.got, err)
		}
	}
}

func TestHowAConversationBegins(t *testing.T) {
	r := newRig(t, nil)
	for name, octets := range map[string]string{
		"with a Nak": "\x02\x01\x00\x06\x03\x04", "with a Request": "\x01\x01\x00\x0a\x01alice", "with nothing": "", "with half of it": "\x02\x01\x00\x0a\x01ali",
		"with another name": "\x02\x01\x00\x08\x01bob", "with an end": "\x03\x01\x00\x04",
	} {
		p := &peer{t: t, server: r.server, name: "alice"}
		p.send([]byte(octets))
		if p.out(aaa.MalformedProof); r.server.Stats().Conversations != 0 {
			t.Error(name)
		}
	}
}

// RFC 3579 section 2.1: where the peer gives no name, User-Name is the number that it calls from.
func TestAPeerWithoutANameOutside(t *testing.T) {
	r := newRig(t, only(TTLS))
	p := &peer{t: t, server: r.server, name: "02-00-00-00-00-01"}
	p.send([]byte{packet.Response, 1, 0, 5, byte(packet.Identity)})
	d := p.connect(packet.TTLS, nil)
	d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password)))
	d.in()
}

func TestTheStateIsThatOfOnePeer(t *testing.T) {
	r := newRig(t, only(MD5))
	p := r.begin("alice")
	thief := &peer{t: t, server: r.server, name: "mallory", state: p.state, request: p.request}
	thief.answer(packet.MD5Challenge, []byte("\x00"))
	thief.out(aaa.MalformedProof)
	p.md5(password) // it goes on unharmed
	p.in()
	over := *p
	over.answer(packet.MD5Challenge, []byte("\x00"))
	over.out(aaa.MalformedProof)
	unknown := &peer{t: t, server: r.server, name: "alice", state: []byte("short"), request: p.request}
	unknown.answer(packet.MD5Challenge, []byte("\x00"))
	unknown.out(aaa.MalformedProof)
}

func TestCloseEndsAll(t *testing.T) {
	r := newRig(t, nil)
	d, p := r.begin("alice").connect(packet.PEAP, nil), r.begin("alice")
	r.server.Close()
	if s := r.server.Stats(); s.Conversations != 0 || s.Tunnels != 0 {
		t.Errorf("%+v", s)
	}
	p.nak(byte(packet.PEAP))
	p.out(aaa.MalformedProof)
	d.answer(packet.PEAP, []byte{0})
	d.out(aaa.MalformedProof)
	late := r.begin("alice")
	late.out(aaa.BackendUnavailable)
	r.server.Close() // once more does no harm
}

func TestReload(t *testing.T) {
	r := newRig(t, only(MD5))
	p := r.begin("alice")
	next := r.config
	next.Methods = []Method{MSCHAPv2}
	must(t, r.server.Reload(next))
	p.md5(password) // goes on as it began
	p.in()
	r.begin("alice").asked(packet.MSCHAPv2)
	next.Methods = []Method{9}
	if err := r.server.Reload(next); err == nil {
		t.Error("a method that there is not")
	}
	r.begin("alice").asked(packet.MSCHAPv2)
}

func TestFaultsOfAConfiguration(t *testing.T) {
	_, err := New(Config{Methods: []Method{MD5, PEAP, MD5, 99, TLS}, FragmentSize: 10, Timeout: -1})
	var fault *aaa.Fault
	if !errors.As(err, &fault) {
		t.Fatal(err)
	}
	for _, part := range []string{"aaa: ", "methods[1]: peap needs a certificate", "methods[2]: md5 is there twice", "methods[3]: EAP method 99 is not known", "methods[4]: tls needs",
		"fragment_size: 10", "conversations: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestWhatIsOfferedWhenNothingIsSaid(t *testing.T) {
	certificate := func() (*tls.Certificate, error) { return nil, nil }
	for want, c := range map[string]Config{
		"[tls peap ttls mschapv2 md5]": {Certificate: certificate, ClientCAs: credentials().roots},
		"[peap ttls mschapv2 md5]":     {Certificate: certificate},
		"[mschapv2 md5]":               {ClientCAs: credentials().roots},
	} {
		c.AAA = &answers{}
		complete, err := c.complete()
		if err != nil || fmt.Sprint(complete.Methods) != want {
			t.Errorf("%v, %v", complete.Methods, err)
		}
	}
}

func TestMethodNames(t *testing.T) {
	for m := TLS; m <= MD5; m++ {
		if got, err := ParseMethod(m.String()); got != m || err != nil {
			t.Errorf("%s: %v, %v", m, got, err)
		}
	}
	for _, name := range []string{"", "PEAP", "leap"} {
		if _, err := ParseMethod(name); err == nil {
			t.Errorf("%q", name)
		}
	}
}

// An account is asked about by the name that was proven.
func TestAuthorizeAsksAboutTheNameInside(t *testing.T) {
	next := &answers{}
	s, err := New(Config{AAA: next})
	must(t, err)
	defer s.Close()
	for _, c := range []struct {
		r                     aaa.Request
		name, domain, backend string
		user                  string
	}{
		{aaa.Request{Name: "alice", Backend: "local"}, "alice", "", "local", ""},
		{aaa.Request{Name: "anonymous@dept", Inner: "alice", Backend: "local"}, "alice", "", "local", "alice"},
		{aaa.Request{Name: "@dept", Inner: "alice@hq", DefaultDomain: "x"}, "alice@hq", "x", "", "alice@hq"},
		{aaa.Request{Name: "alice", Backend: Backend, Proof: aaa.Proof{Method: aaa.EAP, State: []byte("s")}}, "alice", "", "", ""},
	} {
		next.got = nil
		d, err := s.Authorize(t.Context(), &c.r)
		if err != nil || len(next.got) != 1 {
			t.Fatalf("%v, %v", next.got, err)
		}
		if got := next.got[0]; got.Name != c.name || got.DefaultDomain != c.domain || got.Backend != c.backend || got.Proof.State != nil || got.Inner != "" ||
			d.Inner != c.r.Inner || d.UserName != c.user {
			t.Errorf("%+v: %+v, %+v", c.r, got, d)
		}
	}
}

// Many at once, each by another method, and the end in the midst of it.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, nil)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			switch p := r.begin("alice"); i % 4 {
			case 0:
				p.nak(byte(packet.MD5Challenge))
				p.md5(password)
				p.in()
			case 1:
				d := p.connect(packet.TTLS, nil)
				d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password)))
				d.sameKeys(labelTTLS, nil)
			case 2:
				d := p.connect(packet.TLS, version(tls.VersionTLS12))
				d.answer(packet.TLS, []byte{0})
				d.sameKeys(labelTLS, nil)
			case 3:
				p.connect(packet.PEAP, nil) // and leaves
			}
		})
	}
	all.Wait()
	if s := r.server.Stats(); s.Succeeded != 30 || s.Conversations != 10 || s.Tunnels != 10 {
		t.Errorf("%+v", s)
	}
}

// Octets of any kind, at any point of a conversation, get an answer.
func FuzzResponses(f *testing.F) {
	for stage := range byte(5) {
		for _, s := range []string{"\x02\x2b\x00\x06\x0d\x00", "\x02\x2b\x00\x06\x03\x19", "\x02\x2b\x00\x10\x15\xc0\x00\x00\x00\x09abcdef", "\x00\x00\x00\x01\x40\x00\x00\x0dalice\x00\x00\x00",
			"\x1a\x02\x2b\x00\x05", "\x01alice"} {
			f.Add(stage, []byte(s))
		}
	}
	r := newRig(f, nil)
	f.Fuzz(func(t *testing.T, stage byte, octets []byte) {
		own := *r
		own.t = t
		switch p := own.begin("alice"); stage % 5 {
		case 0:
			p.answerWith(octets)
		case 1:
			p.nak(byte(packet.MSCHAPv2))
			p.mschapv2(password, "alice")
			p.answerWith(octets)
		case 2:
			p.nak(byte(packet.TTLS))
			p.answer(packet.TTLS, octets)
		case 3:
			d := p.connect(packet.TTLS, nil)
			d.say(bytes.Clone(octets))
		case 4:
			d := p.connect(packet.PEAP, nil)
			d.say(nil)
			d.say(bytes.Clone(octets))
		}
	})
}

// answerWith sends octets with the identifier that is waited for.
func (p *peer) answerWith(octets []byte) {
	octets = bytes.Clone(octets)
	if len(octets) > 1 {
		octets[1] = p.request.Identifier
	}
	p.send(octets)
}
