package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lnsgate/test/radtest"
)

// everybody is a user in the form of FreeRADIUS's file: whoever knows the password.
const everybody = "DEFAULT Cleartext-Password := \"" + password + "\"\n\tFramed-IP-Address = 10.1.2.3\n"

const radiusLegend = `
FreeRADIUS has Debian's settings: max_requests 16384, cleanup_delay 5, its own thread pool; its users are a file. Every
client asks by PAP with the same attributes, as many at once as the line says; only Exchange does not sign them. It settles
before it is counted, until the server remembers as many requests as it will; radclient, which cannot, includes its start
and its wait for what got lost. Exchange and radclient repeat a request each second, our client as RFC 5080 has it. A bare
datagram is a signed request made beforehand and the reply to it, from one socket to another in this process and back,
unchecked.
`

// measureRADIUS asks one FreeRADIUS by our client, by the Exchange of layeh.com/radius and by radclient in turn, and then
// a responder of our own, one request at a time, beside bare datagrams. The order changes from run to run.
func measureRADIUS(ctx context.Context, b *bench, w *world) (err error) {
	b.explain(radiusLegend)
	if err := measureRoundTrip(ctx, b); err != nil {
		return err
	}
	server, end, err := b.plainRADIUS(radtest.Options{Users: everybody})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	address, secret := server.Auth().String(), server.Secret()
	// The server starts threads as it needs them; the first requests are for that, and say how many radclient is to send.
	rate, err := w.radclient(ctx, server, 64, 64)
	if err != nil {
		return err
	}
	b.turns++
	for _, flight := range []int{64, 512} {
		var mine, theirs asked
		turns := []func() error{
			func() (err error) {
				a, err := ours(address, secret)
				if err != nil {
					return err
				}
				mine, err = b.asking(ctx, a, flight)
				return err
			},
			func() (err error) {
				theirs, err = b.asking(ctx, library(address, secret), flight)
				return err
			},
			func() (err error) {
				// The server forgets the requests of the one before.
				if err := pass(ctx, b.size.settle); err != nil {
					return err
				}
				each := int(rate*b.size.asking.Seconds())/flight + 1
				rate, err = w.radclient(ctx, server, flight, each)
				return err
			},
		}
		if b.turns%2 == 0 {
			slices.Reverse(turns)
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return fmt.Errorf("%d in flight: %w", flight, err)
			}
		}
		b.addClients(flight, mine, theirs, rate)
	}
	return nil
}

func (b *bench) addClients(flight int, mine, theirs asked, radclient float64) {
	c := &b.figures
	const exchange = "layeh.com/radius Exchange"
	at := fmt.Sprintf(", %d in flight", flight)
	c.add("Access-Requests answered per second"+at, "/s", mine.rate, exchange, theirs.rate)
	c.add("the same"+at, "/s", mine.rate, fmt.Sprintf("radclient -p %d", flight), radclient)
	c.add("time of a request, p99"+at, "ms", mine.p99, exchange, theirs.p99)
	c.add("processor time of the client per request"+at, "us", mine.cost, exchange, theirs.cost)
	c.add("source ports"+at, "", float64(mine.sockets), exchange, float64(theirs.sockets))
}

// asking measures a client in this process, at first without counting, until the server remembers as much as it will.
func (b *bench) asking(ctx context.Context, a *asker, flight int) (asked, error) {
	defer a.close()
	return a.atOnce(ctx, flight, b.size.settle, b.size.asking)
}

// plainRADIUS starts a FreeRADIUS for one run.
func (b *bench) plainRADIUS(o radtest.Options) (s *radtest.Server, end func() error, err error) {
	a := &attendant{log: b.attendant.log}
	if err := a.attempt(func() { s = radtest.Start(a, o) }); err != nil {
		return nil, nil, errors.Join(err, a.end())
	}
	return s, a.end, nil
}

// radclient has radclient send that many requests of each of as many users as are to be under way at once, and returns how
// many were answered per second. The time in which it starts is in it. It minds no buffer of the server, so that it may
// lose some; then it fails, and has not sent all.
func (w *world) radclient(ctx context.Context, s *radtest.Server, flight, each int) (float64, error) {
	var text strings.Builder
	for n := range flight {
		fmt.Fprintf(&text, "User-Name = \"user%d\"\nUser-Password = %q\nNAS-IP-Address = 192.0.2.1\nNAS-Port = %d\n"+
			"Message-Authenticator = 0x00\n\n", n+1, password, n+1)
	}
	file := filepath.Join(w.folder, fmt.Sprintf("radclient-%d", flight))
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "radclient", "-q", "-s", "-t", "1", "-r", "10", "-f", file, "-p", strconv.Itoa(flight),
		"-c", strconv.Itoa(each), s.Auth().String(), "auth", s.Secret())
	began := time.Now()
	said, err := command.CombinedOutput()
	took := time.Since(began)
	if _, lost := errors.AsType[*exec.ExitError](err); err != nil && !lost {
		return 0, fmt.Errorf("%s: %w", command, err)
	}
	answered, err := parseRadclient(said)
	if err == nil && answered == 0 {
		err = fmt.Errorf("%s: no answer", command)
	}
	return float64(answered) / took.Seconds(), err
}

var radclientSummary = regexp.MustCompile(`(?m)^\s*Accepted\s*:\s*(\d+)$`)

// parseRadclient reads how many requests were accepted from the summary.
func parseRadclient(text []byte) (int, error) {
	m := radclientSummary.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("radclient printed no summary: %q", text)
	}
	return strconv.Atoi(string(m[1]))
}
