package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// everyone is a user in FreeRADIUS's file that is whoever has the usual password of a load.
const everyone = `DEFAULT Cleartext-Password := "Load@123"
`

// quick has a group notice within seconds what it usually notices within a minute, so that a test need not wait as long.
const quick = `
	    least_accounting_interval: 1s
	    first_retry: 200ms
	    longest_retry: 1s
	    status_interval: 1s`

// radiusGroup is a group of the configuration, with one server and more lines of the group.
func radiusGroup(name string, s *radtest.Server, more ...string) string {
	return fmt.Sprintf(`
	  - name: %s%s
	    servers:
	      - {address: 127.0.0.1, authentication_port: %d, accounting_port: %d, secret: %q}
	    %s`, name, quick, s.Auth().Port(), s.Acct().Port(), s.Secret(), strings.Join(more, "\n\t    "))
}

// askingRADIUS is a server whose domain sales.example asks the groups, of which the first is called hq, and tells it of
// sessions. What is given before the groups is more of the file.
func askingRADIUS(more string, groups ...string) string {
	return `
	node: hq1
	listen: [0.0.0.0:1701]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1460, ppp_authentication: [mschapv2, chap, pap]}
	l2tp_groups:
	  - {name: default, virtual_template: vt1, tunnel_name: LNS}
	default_domain: sales.example
	pools:
	  - {name: pool1, ranges: [10.10.8.0/21]}
	  - {name: guests, ranges: [10.10.2.0/24]}
	filters:
	  - {name: only-ping, default: deny, rules: [{action: allow, protocol: icmp}]}
	  - {name: no-ping, default: allow, rules: [{action: deny, protocol: icmp}]}` + strings.TrimRight(more, "\n\t") + `
	radius:` + strings.Join(groups, "") + "\n\t"
}

// salesByRADIUS is the domain of most tests.
const salesByRADIUS = `
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq], pools: [pool1], dns: [10.20.0.9]}`

// reload puts a configuration in force.
func (s *server) reload(config string) {
	s.t.Helper()
	s.write(config)
	if output, code := s.command("reload"); code != 0 {
		s.t.Fatalf("reload: exit code %d: %s", code, output)
	}
}

// told counts the lines of the log with this message whose values contain the words.
func (s *server) told(message string, words ...string) (count int) {
	s.t.Helper()
	for _, e := range s.log() {
		fits := e.text("msg") == message
		for k := 0; k+1 < len(words); k += 2 {
			fits = fits && strings.Contains(e.text(words[k]), words[k+1])
		}
		if fits {
			count++
		}
	}
	return count
}

// refused dials and wants the login refused, with these words in the log.
func (w *world) refused(s *server, user, password, cause string, options ...string) (*caller, event) {
	w.t.Helper()
	before := s.told("session not opened", "user", user, "cause", cause)
	c := w.dial(w.client, user, password, options...)
	end, code := c.gone()
	if code == 0 || end.OK {
		w.t.Errorf("%s: dial ends with code %d, %+v", user, code, end)
	}
	eventually(w.t, fmt.Sprintf("the log says that %s is not let in: %q", user, cause), func() bool {
		return s.told("session not opened", "user", user, "cause", cause) > before
	})
	return c, end
}

// step finds the last message of that kind which the server has sent.
func (c *caller) step(message string) event {
	c.t.Helper()
	var found event
	for _, e := range c.events() {
		if e.Event == "step" && e.From == "server" && e.Message == message {
			found = e
		}
	}
	if found.Event == "" {
		c.t.Fatalf("the server has sent no %s", message)
	}
	return found
}

// open says whether a TCP connection comes about. A filter drops without a word, so that "no" takes a second.
func (w *world) open(from *netns.Namespace, address string) bool {
	w.t.Helper()
	err := from.Do(func() error {
		conn, err := net.DialTimeout("tcp4", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return err == nil
}

// listenTCP accepts connections in a namespace until the test ends, and returns its address.
func listenTCP(t *testing.T, n *netns.Namespace, address string) string {
	t.Helper()
	var l net.Listener
	must(t, n.Do(func() (err error) { l, err = net.Listen("tcp4", address+":0"); return err }))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
