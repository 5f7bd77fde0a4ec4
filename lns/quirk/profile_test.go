package quirk

import (
	"testing"
	"time"

	"lnsgate/lns/trace"
)

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		signs trace.Signs
		want  Profile
	}{
		{trace.Signs{HostName: "anonymous", Window: 1}, Android},
		{trace.Signs{HostName: "anonymous", Window: 1, Vendor: "x"}, None},
		{trace.Signs{HostName: "Annas-MacBook.local", Window: 4}, Apple},
		{trace.Signs{HostName: "DESKTOP", Vendor: "Microsoft", Firmware: 0x0a00, Window: 8, Bearer: true}, Windows},
		{trace.Signs{Vendor: "MikroTik", Window: 4}, MikroTik},
		{trace.Signs{Vendor: "xelerance.com", Window: 4}, XL2TPD},
		{trace.Signs{Vendor: "Cisco Systems, Inc.", Window: 512}, LAC},
		{trace.Signs{Vendor: "Huawei", Window: 8}, LAC},
		{trace.Signs{HostName: "mx480"}, None},
		{trace.Signs{Window: 4, Bearer: true}, None},
		{trace.Signs{}, None},
	} {
		if got := Recognise(c.signs); got != c.want {
			t.Errorf("%+v looks like %s, want %s", c.signs, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	phone := trace.Signs{HostName: "anonymous", Window: 1}
	for word, want := range map[string]Profile{"": Android, Auto: Android, Off: None, "none": None, "dlink": DLink, "apple": Apple, "nonsense": None} {
		if got := Choose(word, phone); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	for _, name := range Names() {
		if p, ok := Parse(name); !ok || p.String() != name {
			t.Errorf("%q is %s", name, p)
		}
	}
}

// A profile only ever makes the server more patient.
func TestPolicies(t *testing.T) {
	for p := None; p < profileCount; p++ {
		for _, interval := range []time.Duration{0, time.Second, 30 * time.Second, time.Hour} {
			for failures := range 6 {
				i, n := p.Echo(interval, failures)
				if i*time.Duration(n) < interval*time.Duration(failures) || (i == 0) != (interval == 0) || n > 255 {
					t.Errorf("%s makes %s x %d of %s x %d", p, i, n, interval, failures)
				}
			}
		}
		if p.Hello(0) != 0 {
			t.Errorf("%s makes HELLOs where there are none", p)
		}
		if p.Hello(time.Minute) == 0 && p.IdleTunnel(0) == 0 {
			t.Errorf("%s: nothing ends its tunnel", p)
		}
		if p.IdleTunnel(5*time.Minute) != 5*time.Minute || p.ForgetsTunnel() != (p == DLink) {
			t.Errorf("%s", p)
		}
	}
	if i, n := Android.Echo(30*time.Second, 4); i != time.Minute || n != 30 {
		t.Errorf("%s x %d", i, n)
	}
	if i, n := Windows.Echo(30*time.Second, 4); i != 30*time.Second || n != 4 {
		t.Errorf("%s x %d", i, n)
	}
}
