package lac

import (
	"bytes"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
)

func TestEveryProfileLogsIn(t *testing.T) {
	for i := range Profiles {
		p := &Profiles[i]
		t.Run(p.Name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Profile, cfg.HostName = p, ""
			w := newWorld(t, newScriptedLNS("Admin@123", negotiate.AuthCHAPMD5), cfg)
			login := testLogin("l2tpuser", "Admin@123", p.Methods...)
			login.MRU = p.MRU
			w.dial(login)
			w.until("up", 5*time.Second, w.isUp)
			if took := w.up().Took; took < p.LinkDelay {
				t.Errorf("up after %s", took)
			}
		})
	}
}

func TestProfilesAreFound(t *testing.T) {
	for i := range Profiles {
		if FindProfile(Profiles[i].Name) != &Profiles[i] || Profiles[i].About == "" || len(Profiles[i].Methods) == 0 {
			t.Errorf("%+v", Profiles[i])
		}
	}
	if FindProfile("toaster") != nil {
		t.Error("there is no toaster")
	}
}

// The octets that Android sends, one by one.
func TestAndroidsSCCRQ(t *testing.T) {
	cfg := testConfig()
	cfg.Profile, cfg.HostName = FindProfile("android"), ""
	c := NewCaller(cfg)
	var out Out
	c.Dial(testLogin("l2tpuser", "x"), time.Unix(1, 0), &out)
	want := []byte{0xc8, 2, 0, 65, 0, 0, 0, 0, 0, 0, 0, 0,
		0x80, 8, 0, 0, 0, 0, 0, 1, 0x80, 8, 0, 0, 0, 2, 1, 0, 0x80, 15, 0, 0, 0, 7, 'a', 'n', 'o', 'n', 'y', 'm', 'o', 'u', 's',
		0x80, 10, 0, 0, 0, 3, 0, 0, 0, 3, 0x80, 8, 0, 0, 0, 9, 0x12, 0x67, 0x80, 8, 0, 0, 0, 10, 0, 1}
	want[3] = byte(len(want))
	if len(out.Datagrams) != 1 || !bytes.Equal(out.Datagrams[0], want) {
		t.Errorf("% x\nwant % x", out.Datagrams, want)
	}
}

// What must be said is said, whether the profile lists it or not; what is hidden is left as it is.
func TestDressKeepsWhatMustBeSaid(t *testing.T) {
	p := FindProfile("android")
	q := l2tp.SCCRQ{HostName: "h", Framing: 3, AssignedTunnel: 5, ReceiveWindow: 1, Challenge: bytes.Repeat([]byte{7}, 16)}
	plain := l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, q, l2tp.AppendOptions{}))
	_, body, err := l2tp.ParseHeader(p.dress(plain))
	if err != nil {
		t.Fatal(err)
	}
	m, err := l2tp.Parse(body, nil)
	if got, ok := m.(l2tp.SCCRQ); err != nil || !ok || !bytes.Equal(got.Challenge, q.Challenge) || got.AssignedTunnel != 5 {
		t.Errorf("%+v %v", m, err)
	}
	hidden := l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, q, l2tp.AppendOptions{Secret: []byte("s"), Hide: true, RandomVector: make([]byte, 16)}))
	for _, b := range [][]byte{hidden, l2tp.AppendControl(nil, 1, 0, 1, 1, nil), {1, 2}, nil} {
		if !bytes.Equal(p.dress(b), b) {
			t.Errorf("% x was changed", b)
		}
	}
	for n := range plain {
		p.dress(plain[:n]) // and nothing panics
	}
}
