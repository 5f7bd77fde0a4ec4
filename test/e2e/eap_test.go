package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/lac"
	"lnsgate/test/eapol"
	"lnsgate/test/radtest"
)

const eapUsers = `alice@sales.example Cleartext-Password := "secret"
	Session-Timeout = 3600,
	Class = "red"
`

// byRADIUS is a server whose one domain asks a RADIUS server on its own host.
func byRADIUS(s *radtest.Server) string {
	return fmt.Sprintf(`
	listen: [0.0.0.0:1701]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1400, ppp_authentication: [eap, mschapv2]}
	l2tp_groups:
	  - {name: default, virtual_template: vt1, tunnel_name: LNS}
	domains:
	  - {name: sales.example, authentication: [hq], pools: [pool1]}
	default_domain: sales.example
	pools:
	  - {name: pool1, ranges: [10.10.1.10-10.10.1.250]}
	radius:
	  - name: hq
	    accounting_on_off: false
	    servers:
	      - {address: 127.0.0.1, authentication_port: %d, accounting_port: %d, secret: %q}
	`, s.Auth().Port(), s.Acct().Port(), s.Secret())
}

// supplicate dials from the client's namespace with the supplicant at the PPP link, and returns how it ended if it did not come
// up. It stays online until the test ends.
func (w *world) supplicate(peer *eapol.Peer) error {
	w.t.Helper()
	var conn *net.UDPConn
	must(w.t, w.client.Do(func() (err error) {
		conn, err = net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(serverAddress), Port: 1701})
		return err
	}))
	up := make(chan struct{}, 1)
	c := lac.NewClient(lac.ClientConfig{
		Config: lac.Config{HostName: "laptop", Tunnel: 7},
		Login: lac.Login{Session: 1, User: "unused", Magic: 4711, Credentials: peer, Methods: []aaa.Method{aaa.EAP},
			Timeout: time.Minute},
		Wire: lac.WireFunc(func(b []byte) error { _, err := conn.Write(b); return err }),
		Up:   func(lac.Up) error { up <- struct{}{}; return nil },
	})
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			b := make([]byte, 2048)
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			c.Deliver(b[:n])
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		<-ended
		conn.Close()
		<-read
	})
	select {
	case <-up:
		return nil
	case err := <-ended:
		ended <- err
		return err
	}
}

// The supplicant of wpa_supplicant at a PPP link, and FreeRADIUS behind the program: the five methods, with fragments both
// ways where there are certificates.
func TestEAPAgainstFreeRADIUS(t *testing.T) {
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: eapUsers, Fragment: 300, Namespace: w.lns})
	s := w.serve(byRADIUS(radius))
	files := radius.Certificates()
	const who = "\nidentity=\"alice@sales.example\"\npassword=\"secret\"\nfragment_size=200"
	for _, m := range []struct {
		name, settings string
		turns          int // at least
	}{
		{"MD5", "eap=MD5", 2},
		{"MSCHAPv2", "eap=MSCHAPV2", 3},
		{"PEAP", fmt.Sprintf("eap=PEAP\nphase2=\"auth=MSCHAPV2\"\nca_cert=%q", files.CA), 8},
		{"TTLS", fmt.Sprintf("eap=TTLS\nphase2=\"auth=PAP\"\nca_cert=%q", files.CA), 6},
		{"TLS", fmt.Sprintf("eap=TLS\nca_cert=%q\nclient_cert=%q\nprivate_key=%q", files.CA, files.ClientCert, files.ClientKey), 8},
	} {
		t.Run(m.name, func(t *testing.T) {
			w := &world{t: t, client: w.client, lns: w.lns, hq: w.hq, folder: w.folder}
			peer := eapol.Start(t, m.settings+who)
			must(t, w.supplicate(peer))
			if output, ok := peer.Outcome(); !ok || !strings.Contains(output, "SUCCESS") {
				t.Errorf("the supplicant does not believe it:\n%s", output)
			}
			if peer.Turns() < m.turns {
				t.Errorf("%d turns, want %d at least", peer.Turns(), m.turns)
			}
			if session := s.session("alice@sales.example"); session.Method != "eap" || session.Domain != "sales.example" {
				t.Errorf("%+v", session)
			}
		})
		s.empty()
	}

	t.Run("wrong password", func(t *testing.T) {
		w := &world{t: t, client: w.client, lns: w.lns, hq: w.hq, folder: w.folder}
		peer := eapol.Start(t, "eap=MSCHAPV2"+strings.Replace(who, `"secret"`, `"sesame"`, 1))
		if w.supplicate(peer) == nil {
			t.Error("it got in")
		}
		if output, ok := peer.Outcome(); ok {
			t.Errorf("the supplicant believes that it got in:\n%s", output)
		}
	})
	s.says("session not opened", "user", "alice@sales.example", "cause", "refused by the RADIUS server")
	s.stop()
}
