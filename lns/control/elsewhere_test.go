package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

func TestQ16OnlyTheNextWordIsPlausible(t *testing.T) {
	hello := l2tp.Append(nil, l2tp.Hello{}, l2tp.AppendOptions{})
	s := tunnelIn(t, StateEstablished, Config{})
	id := s.tun.cfg.LocalTunnel
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"next", l2tp.AppendControl(nil, id, 0, s.ns, s.nr, hello), true},
		{"repetition", l2tp.AppendControl(nil, id, 0, s.ns-1, s.nr, hello), false},
		{"ahead", l2tp.AppendControl(nil, id, 0, s.ns+1, s.nr, hello), false},
		{"acknowledges too much", l2tp.AppendControl(nil, id, 0, s.ns, s.nr+1, hello), false},
		{"acknowledges what was long acknowledged", l2tp.AppendControl(nil, id, 0, s.ns, s.nr-1, hello), false},
		{"bare acknowledgement", l2tp.AppendControl(nil, id, 0, s.ns, s.nr, nil), false},
		{"other tunnel", l2tp.AppendControl(nil, id+1, 0, s.ns, s.nr, hello), false},
		{"cut", l2tp.AppendControl(nil, id, 0, s.ns, s.nr, hello)[:11], false},
		{"data", []byte{0x40, 0x02, 0, 8, byte(id >> 8), byte(id), 0, 1}, false},
	} {
		if got := s.tun.Plausible(c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	early := tunnelIn(t, StateWaitCtlConn, Config{})
	if early.tun.Plausible(l2tp.AppendControl(nil, early.tun.cfg.LocalTunnel, 0, early.ns, early.nr, hello)) {
		t.Error("before the tunnel is established")
	}
}

func TestAskForLifeIsOneHello(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{})
	s.do(func(now time.Time, out *Out) { s.tun.AskForLife(now, out) })
	s.want("HELLO", "", StateEstablished)
	s.do(func(now time.Time, out *Out) { s.tun.AskForLife(now, out) })
	s.want("", "", StateEstablished)
}

func TestSetHello(t *testing.T) {
	s := tunnelIn(t, StateEstablished, Config{HelloInterval: time.Minute})
	s.tun.SetHello(0)
	if d := s.tun.Deadline(); !d.IsZero() {
		t.Errorf("due at %s", d)
	}
}
