package eap

import (
	"context"
	"crypto/tls"
	"runtime"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// BenchmarkLogin is a whole login, the peer's work included.
func BenchmarkLogin(b *testing.B) {
	for name, login := range map[string]func(*rig){
		"MD5": func(r *rig) {
			p := r.begin("alice")
			p.nak(byte(packet.MD5Challenge))
			p.md5(password)
			p.in()
		},
		"TTLS": func(r *rig) {
			d := r.begin("alice").connect(packet.TTLS, nil)
			d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password)))
			d.in()
			d.tls.end()
		},
		"TLS": func(r *rig) {
			d := r.begin("alice").connect(packet.TLS, version(tls.VersionTLS12))
			d.answer(packet.TLS, []byte{0})
			d.in()
			d.tls.end()
		},
	} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				login(r)
			}
		})
	}
}

// BenchmarkIdentity is what a peer costs of which no more is heard than its name.
func BenchmarkIdentity(b *testing.B) {
	r := newRig(b, nil)
	q := &aaa.Request{Name: "alice", Proof: aaa.Proof{Method: aaa.EAP, EAP: packet.Packet{Code: packet.Response, Type: packet.Identity, Data: []byte("alice")}.Append(nil)}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.server.Authenticate(context.Background(), q)
	}
}

// A peer of which no more is heard than its name costs little memory.
func TestAStrangerCostsLittle(t *testing.T) {
	const strangers, most = 2000, 1024
	r := newRig(t, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range strangers {
		r.begin("alice")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / strangers; each > most {
		t.Errorf("%d octets each", each)
	} else {
		t.Logf("%d octets each", each)
	}
	runtime.KeepAlive(r)
}
