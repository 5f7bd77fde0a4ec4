package datapath

import (
	"bytes"
	"testing"
)

func TestQ21OnlyBroadcastsToADHCPServerAreKeptBack(t *testing.T) {
	good := func() []byte {
		b := make([]byte, 28, 64)
		b[0], b[9] = 0x45, 17
		copy(b[16:], []byte{255, 255, 255, 255})
		b[20+3] = 67
		return b
	}
	for name, change := range map[string]func([]byte) []byte{
		"another port":    func(b []byte) []byte { b[23] = 68; return b },
		"TCP":             func(b []byte) []byte { b[9] = 6; return b },
		"one server":      func(b []byte) []byte { b[16] = 10; return b },
		"first fragment":  func(b []byte) []byte { b[6] = 0x20; return b },
		"later fragment":  func(b []byte) []byte { b[7] = 1; return b },
		"no UDP header":   func(b []byte) []byte { return b[:27] },
		"options, cut":    func(b []byte) []byte { b[0] = 0x46; return b },
		"nothing at all":  func([]byte) []byte { return nil },
		"long IP options": func(b []byte) []byte { b[0] = 0x4f; return append(b, bytes.Repeat([]byte{0}, 20)...) },
	} {
		if AsksByDHCP(change(good())) {
			t.Errorf("%s is a question", name)
		}
	}
	if !AsksByDHCP(good()) {
		t.Error("a question is none")
	}
	optioned := append(good()[:20], 1, 1, 1, 0, 0, 68, 0, 67, 0, 8, 0, 0)
	optioned[0] = 0x46
	if !AsksByDHCP(optioned) {
		t.Error("with IP options a question is none")
	}
	packet := good()
	if n := testing.AllocsPerRun(100, func() { AsksByDHCP(packet) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
