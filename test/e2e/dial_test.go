package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"syscall"

	"lnsgate/test/netns"
)

// event is a line of lnsgate dial --json.
type event struct {
	Event, Step, From, Message, Detail string
	Seconds                            float64 // since dial began
	Address, Peer                      netip.Addr
	DNS                                []netip.Addr
	IPv6                               *event6
	MRU                                int
	Method, Interface                  string
	Server                             string `json:"server_name"`
	OK                                 bool
	Cause, Reason, Advice              string
	ByServer                           bool `json:"by_server"`
}

// caller is a running lnsgate dial.
type caller struct {
	*process
	n *netns.Namespace
}

// dial starts a call from a namespace to the usual server.
func (w *world) dial(n *netns.Namespace, user, password string, options ...string) *caller {
	w.t.Helper()
	return w.dialTo(n, serverAddress, user, password, options...)
}

func (w *world) dialTo(n *netns.Namespace, server, user, password string, options ...string) *caller {
	w.t.Helper()
	args := append([]string{"dial", "--json", "--server", server, "--user", user, "--password", password}, options...)
	return &caller{process: w.start(n, exec.Command(program, args...)), n: n}
}

// online dials with an interface and a route to headquarters, and waits until the session is up.
func (w *world) online(user, password string, options ...string) (*caller, event) {
	w.t.Helper()
	c := w.dial(w.client, user, password, append([]string{"--tun", "vpn0", "--route", "10.20.0.0/24"}, options...)...)
	return c, c.up()
}

func (c *caller) events() []event {
	c.t.Helper()
	var all []event
	for _, line := range c.out.lines() {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			c.t.Fatalf("dial wrote a line that is no JSON: %v\n%s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// find returns the last event of that kind, and whether there is one.
func (c *caller) find(kind string) (event, bool) {
	c.t.Helper()
	all := c.events()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Event == kind {
			return all[i], true
		}
	}
	return event{}, false
}

// up waits until the session is up.
func (c *caller) up() event {
	c.t.Helper()
	var e event
	eventually(c.t, fmt.Sprintf("%v is up", c.command.Args), func() (found bool) {
		e, found = c.find("up")
		return found || !c.running()
	})
	if e.Event == "" {
		c.t.Fatalf("%v has ended before it was up", c.command.Args)
	}
	return e
}

// gone waits until the call is over by itself, and returns how it ended and the exit code.
func (c *caller) gone() (event, int) {
	c.t.Helper()
	code := c.ended()
	e, found := c.find("end")
	if !found {
		c.t.Fatalf("%v has not said how it ended", c.command.Args)
	}
	return e, code
}

// hangUp interrupts the call and wants it to end well.
func (c *caller) hangUp() {
	c.t.Helper()
	c.signal(syscall.SIGINT)
	if e, code := c.gone(); code != 0 || !e.OK {
		c.t.Fatalf("hanging up ends with code %d, %+v", code, e)
	}
}
