package eap

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/eap/packet"
)

func version(v uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v }
}

// sameKeys complains unless the NAS gets what the peer derives.
func (d *device) sameKeys(label string, context []byte) {
	d.t.Helper()
	d.in()
	want, err := d.tls.keys(label, context)
	if got := d.decision.Keys; err != nil || !got.Receive.Equal(want.Receive) || !got.Send.Equal(want.Send) || len(want.Send.Reveal()) != 32 {
		d.t.Errorf("other keys; %v", err)
	}
}

func TestRFC5216Section2_1_1_TLS12(t *testing.T) {
	r := newRig(t, nil)
	d := r.begin("alice").connect(packet.TLS, version(tls.VersionTLS12))
	d.asked(packet.TLS) // our Finished
	d.answer(packet.TLS, []byte{0})
	d.sameKeys(labelTLS, nil)
	if calls := r.fake.Calls(); len(calls) != 1 || !calls[0].Authorize {
		t.Errorf("%+v", calls)
	}
	if d.decision.Account != "alice" || d.decision.Inner != "" {
		t.Errorf("%+v", d.decision)
	}
}

// The peer is told inside that it is let in, and the answer to that is awaited.
func TestRFC9190Section2_1_1_TLS13(t *testing.T) {
	r := newRig(t, nil)
	d := r.begin("alice").connect(packet.TLS, func(c *tls.Config) {
		c.MinVersion = tls.VersionTLS13
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	})
	d.asked(packet.TLS)
	if string(d.heard.plain) != "\x00" {
		t.Fatalf("%q", d.heard.plain)
	}
	d.answer(packet.TLS, []byte{0})
	d.sameKeys(labelTLS13, []byte{13})
}

// No TLS session is resumed, so that each login asks about the account.
func TestRFC5216Section2_1_2_NoResumption(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r := newRig(t, nil)
		cache := tls.NewLRUClientSessionCache(4)
		for n := 1; n <= 2; n++ {
			d := r.begin("alice").connect(packet.TLS, func(c *tls.Config) { version(v)(c); c.ClientSessionCache, c.ServerName = cache, "server" })
			d.answer(packet.TLS, []byte{0})
			d.in()
			if d.tls.conn.ConnectionState().DidResume || len(r.fake.Calls()) != n {
				t.Errorf("%x: login %d is not asked about", v, n)
			}
		}
	}
}

func TestRFC5216Section2_1_3_AlertsAreDelivered(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		r := newRig(t, nil)
		d := r.begin("alice").connect(packet.TLS, func(c *tls.Config) { version(v)(c); c.Certificates = nil })
		d.asked(packet.TLS)
		if h := d.tls.feed(nil); h.err == nil || !strings.Contains(h.err.Error(), "certificate required") && !strings.Contains(h.err.Error(), "handshake failure") {
			t.Fatalf("the peer got no alert: %v", h.err)
		}
		d.answer(packet.TLS, []byte{0})
		d.out(aaa.MalformedProof)
		if len(r.fake.Calls()) != 0 {
			t.Error("somebody was asked about who showed nothing")
		}
	}
}

// windowsName is what openssl makes of otherName:msUPN;UTF8:alice@corp.example.
const windowsName = "a022060a2b060104018237140203a0140c12616c69636540636f72702e6578616d706c65"

// A certificate is of the names in it, and of its common name only if there are none (RFC 5216 section 5.2).
func TestRFC5216Section5_2_NamesOfACertificate(t *testing.T) {
	principal, err := hex.DecodeString(windowsName)
	must(t, err)
	mail := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, Bytes: []byte("mail@dept.example")}
	other, err := asn1.Marshal([]asn1.RawValue{mail, {FullBytes: principal}})
	must(t, err)
	subject := pkix.Name{CommonName: "Alice"}
	for name, c := range map[string]struct {
		certificate x509.Certificate
		belongs     []string
		foreign     []string
	}{
		"mail":         {x509.Certificate{Subject: subject, EmailAddresses: []string{"alice@dept.example"}}, []string{"alice@dept.example"}, []string{"Alice", "Alice@dept.example", "alice"}},
		"common name":  {x509.Certificate{Subject: subject}, []string{"Alice"}, []string{"alice", ""}},
		"a machine":    {x509.Certificate{DNSNames: []string{"pc7.dept.example"}}, []string{"pc7.dept.example", "host/pc7.dept.example"}, []string{"host/", "pc7"}},
		"Windows":      {x509.Certificate{Subject: subject, Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: other}}}, []string{"alice@corp.example"}, []string{"Alice"}},
		"nobody":       {x509.Certificate{}, nil, []string{""}},
		"a broken one": {x509.Certificate{Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: other[:len(other)-3]}}}, nil, []string{"", "alice@corp.example"}},
	} {
		names := namesOf(&c.certificate)
		for _, identity := range c.belongs {
			if !belongs(names, identity) {
				t.Errorf("%s: %q is not among %q", name, identity, names)
			}
		}
		for _, identity := range c.foreign {
			if belongs(names, identity) {
				t.Errorf("%s: %q is among %q", name, identity, names)
			}
		}
	}
	for n := range other { // no cut of it is a fault of ours
		namesOf(&x509.Certificate{Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: other[:n]}}})
	}
}

func TestACertificateOfSomebodyElse(t *testing.T) {
	r := newRig(t, nil)
	r.fake.SetOther(aaatest.Answer{})
	d := r.begin("bob").connect(packet.TLS, version(tls.VersionTLS12))
	d.answer(packet.TLS, []byte{0})
	if no := d.out(aaa.MalformedProof); no.Detail != `the certificate is of alice, not of "bob"` || len(r.fake.Calls()) != 0 {
		t.Errorf("%v, %v", no, r.fake.Calls())
	}
}

// RADIUS servers that only know passwords cannot say anything to a certificate.
func TestACertificateWhereOnlyPasswordsAreKnown(t *testing.T) {
	r := newRig(t, nil)
	r.fake.Set("alice", aaatest.Answer{Err: aaa.Reject(aaa.OnlyAtLogin, "at login")})
	d := r.begin("alice").connect(packet.TLS, version(tls.VersionTLS12))
	d.answer(packet.TLS, []byte{0})
	if no := d.out(aaa.NoCredentialForMethod); !strings.Contains(no.Detail, "only to a password") {
		t.Error(no)
	}
}

func TestRFC5216Section2_1_5_Fragments(t *testing.T) {
	r := newRig(t, nil)
	p := r.begin("alice")
	p.mtu = 100
	p.asked(packet.TLS)
	c := credentials()
	d := &device{peer: p, kind: packet.TLS, size: 50, tls: &tunnel{pipe: newPipe()}}
	d.tls.conn = tls.Client(d.tls.pipe, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c.alice}}) //nolint:gosec // it is not what is tested
	go d.tls.run()
	defer d.tls.end()
	hello := d.tls.feed(nil).out
	out := packet.NewOutgoing(hello)
	for out.Waiting() {
		f := out.Next(50)
		d.answer(packet.TLS, fragment(f))
		if d.asked(packet.TLS); f.More && !bytes.Equal(d.request.Data, []byte{0}) {
			t.Fatalf("no acknowledgement but % x", d.request.Data)
		}
	}
	first, err := packet.ParseFragment(d.request.Data)
	if err != nil || !first.Sized || !first.More || len(d.raw) != 100 {
		t.Fatalf("%+v in %d octets, %v", first, len(d.raw), err)
	}
	// A fragment in place of an acknowledgement is none.
	waiting := d.raw
	if d.answer(packet.TLS, fragment(packet.Fragment{Data: []byte("more")})); !bytes.Equal(d.raw, waiting) {
		t.Errorf("% x", d.raw)
	}
	if message := d.collect(); len(message) != int(first.Total) {
		t.Errorf("%d octets of %d", len(message), first.Total)
	}
}

func TestFragmentsWithoutEnd(t *testing.T) {
	r := newRig(t, only(PEAP))
	p := r.begin("alice")
	p.answer(packet.PEAP, fragment(packet.Fragment{Sized: true, More: true, Total: 1 << 20, Data: []byte("x")}))
	p.out(aaa.MalformedProof)
	p = r.begin("alice")
	for n := 0; p.request.Code == packet.Request; n++ {
		if n > 70 {
			t.Fatal("there is no end to it")
		}
		p.answer(packet.PEAP, fragment(packet.Fragment{More: true, Data: make([]byte, 1000)}))
	}
	p.out(aaa.MalformedProof)
	if n := r.server.Stats().Tunnels; n != 0 {
		t.Errorf("%d tunnels", n)
	}
}

func TestWhatIsNoTLS(t *testing.T) {
	r := newRig(t, only(TTLS))
	p := r.begin("alice")
	p.answer(packet.TTLS, fragment(packet.Fragment{Data: []byte("GET / HTTP/1.1\r\n\r\n")}))
	if p.request.Code == packet.Request { // an alert
		p.answer(packet.TTLS, []byte{0})
	}
	p.out(aaa.MalformedProof)
	// Nothing, in answer to Start, begins nothing.
	p = r.begin("alice")
	start := p.raw
	if p.answer(packet.TTLS, []byte{0}); !bytes.Equal(p.raw, start) || r.server.Stats().Tunnels != 0 {
		t.Errorf("% x", p.raw)
	}
}

func TestTheServerHasNoCertificate(t *testing.T) {
	r := newRig(t, func(c *Config) {
		only(PEAP)(c)
		c.Certificate = func() (*tls.Certificate, error) { return nil, errors.New("the file is gone") }
	})
	p := r.begin("alice")
	p.answer(packet.PEAP, fragment(packet.Fragment{Data: []byte("\x16\x03\x01")}))
	if no := p.out(aaa.Misconfigured); !strings.Contains(no.Detail, "the file is gone") {
		t.Error(no)
	}
}

// Who does not say its name outside is who the certificate says, and in the domain of that name.
func TestRFC9190Section2_1_8_AnonymousOutside(t *testing.T) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, outside := range []string{"@dept.example", "anonymous@dept.example", "anonymous"} {
			r := newRig(t, nil)
			d := r.begin(outside).connect(packet.TLS, version(v))
			d.answer(packet.TLS, []byte{0})
			d.in()
			if d.decision.Account != "alice" || d.decision.Inner != "alice" || d.decision.UserName != "alice" || d.decision.Domain != "default" {
				t.Errorf("%s: %+v", outside, d.decision)
			}
		}
	}
	for identity, want := range map[string]string{
		"a@x": "a@x", "b@x": "b@x", "@x": "a@x", "": "a@x", "ANONYMOUS@y": "a@x", "anonymouse@x": "", "c@x": "", "host/": "",
	} {
		if got, ok := whose([]string{"a@x", "b@x"}, identity); got != want || ok != (want != "") {
			t.Errorf("%q: %q", identity, got)
		}
	}
	if name, ok := whose(nil, "@x"); ok {
		t.Errorf("a certificate without a name is %q", name)
	}
}
