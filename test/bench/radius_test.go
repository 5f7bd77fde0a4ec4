package main

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"net/netip"
	"testing"
)

// What the load sends must be what RFC 2865 section 5.2 has a server take apart again.
func TestRequestHidesThePassword(t *testing.T) {
	l := radiusLoad{secret: []byte("secret")}
	p := l.request(7, 42)
	if p[0] != accessRequest || p[1] != 7 || int(binary.BigEndian.Uint16(p[2:])) != len(p) {
		t.Fatalf("header %x", p[:4])
	}
	attributes := map[byte][]byte{}
	for rest := p[radiusHeader:]; len(rest) > 0; rest = rest[rest[1]:] {
		attributes[rest[0]] = rest[2:rest[1]]
	}
	if name := string(attributes[userName]); name != user(1, 42) {
		t.Errorf("name %q", name)
	}
	if got := binary.BigEndian.Uint32(attributes[nasPort]); got != 42 {
		t.Errorf("port %d", got)
	}
	mask := md5.Sum(append([]byte("secret"), p[authenticatorAt:radiusHeader]...))
	clear := attributes[userPassword]
	for i := range clear {
		clear[i] ^= mask[i]
	}
	if string(bytes.TrimRight(clear, "\x00")) != password {
		t.Errorf("password %q", clear)
	}
}

func TestOnlyTheServersReplyCounts(t *testing.T) {
	l := radiusLoad{secret: []byte("secret"), addresses: true}
	request := l.request(7, 1)
	reply := append([]byte{accessAccept, 7, 0, radiusHeader + 6}, make([]byte, 16)...)
	reply = attribute(reply, framedIPAddress, []byte{10, 0, 0, 9})
	sum := md5.New()
	sum.Write(reply[:authenticatorAt])
	sum.Write(request[authenticatorAt:radiusHeader])
	sum.Write(reply[radiusHeader:])
	sum.Write(l.secret)
	copy(reply[authenticatorAt:], sum.Sum(nil))
	if !l.answers(reply, request) {
		t.Error("the right reply does not count")
	}
	if a, _, err := l.read(reply); err != nil || a != netip.MustParseAddr("10.0.0.9") {
		t.Errorf("address %v, %v", a, err)
	}
	for i := range reply {
		forged := bytes.Clone(reply)
		forged[i] ^= 1
		if l.answers(forged, request) {
			t.Errorf("a change of octet %d goes unnoticed", i)
		}
	}
	for n := range len(reply) - radiusHeader {
		if a, _, err := l.read(reply[:radiusHeader+n]); err == nil {
			t.Errorf("%v out of %d octets", a, n)
		}
	}
	if _, _, err := l.read(append([]byte{3}, reply[1:]...)); err == nil {
		t.Error("a reject gives an address")
	}
}

// A record must be what RFC 2866 section 3 has a server check, and a CHAP answer what RFC 2865 section 5.3 says.
func TestRecordsAndCHAPAreAsTheRFCHasThem(t *testing.T) {
	for _, asks := range []asking{starting, using, stopping} {
		p := radiusLoad{secret: []byte("secret"), asks: asks}.request(7, 1)
		authenticator := bytes.Clone(p[authenticatorAt:radiusHeader])
		clear(p[authenticatorAt:radiusHeader])
		if want := md5.Sum(append(bytes.Clone(p), "secret"...)); p[0] != accountingRequest || !bytes.Equal(authenticator, want[:]) {
			t.Errorf("%d: code %d, authenticator %x, want %x", asks, p[0], authenticator, want)
		}
	}
	p := radiusLoad{secret: []byte("secret"), asks: byCHAP}.request(7, 1)
	want := md5.Sum(append([]byte{7}, password+string(p[authenticatorAt:radiusHeader])...))
	if !bytes.Contains(p, append([]byte{chapPassword, 19, 7}, want[:]...)) {
		t.Errorf("no CHAP-Password in %x", p)
	}
}

func TestAttendantTurnsFailuresIntoErrors(t *testing.T) {
	var ran []int
	a := &attendant{log: t.Logf}
	a.Cleanup(func() { ran = append(ran, 1) })
	a.Cleanup(func() { ran = append(ran, 2) })
	if err := a.attempt(func() { a.Fatalf("no %s", "server") }); err == nil || err.Error() != "no server" || !a.Failed() {
		t.Errorf("%v, failed %v", err, a.Failed())
	}
	if err := a.end(); err != nil || len(ran) != 2 || ran[0] != 2 {
		t.Errorf("%v, %v", ran, err)
	}
}
