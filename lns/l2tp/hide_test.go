package l2tp

import (
	"bytes"
	"crypto/md5"
	"testing"
)

func TestRFC2661Section4_3_HidingByHand(t *testing.T) {
	value := []byte("a value of more than one block")
	plain := append([]byte{0, byte(len(value))}, value...)
	b1 := md5.Sum(append(append([]byte{0, 22}, secret...), vector...))
	var want []byte
	for i, p := range plain[:16] {
		want = append(want, p^b1[i])
	}
	b2 := md5.Sum(append(append([]byte{}, secret...), want...))
	for i, p := range plain[16:] {
		want = append(want, p^b2[i])
	}
	got := appendHidden(nil, attrCallingNumber, secret, vector, value)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestRFC2661Section4_3_EveryLengthAndPadding(t *testing.T) {
	for n := range 70 {
		value := bytes.Repeat([]byte{byte(n)}, n)
		h := appendHidden(nil, attrChallenge, secret, vector, value)
		got, err := unhide(attrChallenge, secret, vector, h)
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%d octets: %x %v", n, got, err)
		}
		for cut := range h {
			if got, err := unhide(attrChallenge, secret, vector, h[:cut]); err == nil {
				t.Fatalf("%d octets cut to %d: %x", n, cut, got)
			}
		}
	}
	// Padding behind the value only lengthens what is hidden: here 30 octets of it behind a value of 2.
	padded := appendHidden(nil, attrChallenge, secret, vector, append([]byte("ab"), make([]byte, 30)...))
	b := md5.Sum(append(append([]byte{0, byte(attrChallenge)}, secret...), vector...))
	padded[1] = 2 ^ b[1]
	if got, err := unhide(attrChallenge, secret, vector, padded); err != nil || string(got) != "ab" {
		t.Errorf("padded: %q %v", got, err)
	}
}

// More than one Random Vector: each hidden AVP uses the closest before it.
func TestRFC2661Section4_4_1_ClosestRandomVector(t *testing.T) {
	e := encoder{secret: secret}
	e.u16(attrMessageType, uint16(TypeICRQ))
	for i, a := range []Attribute{attrAssignedSession, attrCallSerial} {
		rv := []byte{byte(i), 2, 3}
		e.vector = nil
		e.avp(attrRandomVector, rv)
		e.vector = rv
		if a == attrAssignedSession {
			e.u16(a, 5)
		} else {
			e.u32(a, 6)
		}
	}
	m, err := Parse(e.b, secret)
	if q, ok := m.(ICRQ); !ok || q.AssignedSession != 5 || q.CallSerial != 6 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestRFC2661Section4_3_WhatMustNotBeHiddenIsNot(t *testing.T) {
	o := AppendOptions{Secret: secret, Hide: true, RandomVector: vector}
	for _, m := range everyMessage() {
		b := Append(nil, m, o)
		seen := false
		for first := true; len(b) > 0; first = false {
			a, rest, ok := cutAVP(b)
			if !ok {
				t.Fatalf("%v: broken", m.Type())
			}
			b = rest
			d := definitions[0]
			if a.vendor == 0 {
				d = definitions[a.attribute]
			}
			if first != (a.attribute == attrMessageType && a.vendor == 0) {
				t.Errorf("%v: Message Type is not the first AVP and only that", m.Type())
			}
			if a.vendor == 0 && (a.hidden != d.hideable || a.mandatory != d.mandatory) {
				t.Errorf("%v: %v hidden=%v mandatory=%v", m.Type(), a.attribute, a.hidden, a.mandatory)
			}
			if a.hidden && !seen {
				t.Errorf("%v: no Random Vector before %v", m.Type(), a.attribute)
			}
			seen = seen || a.attribute == attrRandomVector
		}
	}
}

func TestHidingNeedsSecretAndVector(t *testing.T) {
	m := ICRQ{AssignedSession: 1}
	open := Append(nil, m, AppendOptions{})
	for _, o := range []AppendOptions{{Hide: true}, {Hide: true, Secret: secret}, {Hide: true, RandomVector: vector}} {
		if got := Append(nil, m, o); !bytes.Equal(got, open) {
			t.Errorf("%+v: %x", o, got)
		}
	}
}

func FuzzUnhide(f *testing.F) {
	f.Add(uint16(11), []byte("secret"), []byte("vector"), appendHidden(nil, 11, []byte("secret"), []byte("vector"), []byte("challenge")))
	f.Add(uint16(22), []byte("s"), []byte{}, []byte{0xff, 0xff, 1})
	f.Add(uint16(0), []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, a uint16, secret, vector, hidden []byte) {
		v, err := unhide(Attribute(a), secret, vector, hidden)
		if err == nil && len(v)+hiddenLengthLen > len(hidden) {
			t.Fatalf("%d octets out of %d", len(v), len(hidden))
		}
		if len(secret) == 0 || vector == nil || len(hidden) > maxValue-hiddenLengthLen {
			return
		}
		again := appendHidden(nil, Attribute(a), secret, vector, hidden)
		if v, err := unhide(Attribute(a), secret, vector, again); err != nil || !bytes.Equal(v, hidden) {
			t.Fatalf("%x became %x %v", hidden, v, err)
		}
	})
}
