package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"

	"github.com/spf13/cobra"
)

// dialOptions are the flags of dial.
type dialOptions struct {
	server, user                   string
	password, passwordFile         string
	tunnelSecret, tunnelSecretFile string
	auth                           []string
	hostName, calledNumber         string
	as                             string
	given                          func(flag string) bool // nil: none was
	address                        string
	hideAVPs                       bool
	tun                            string
	routes                         []string
	mru                            uint16
	timeout, hello, echo           time.Duration
	ipv6, ipv6Only, delegated      bool
	once, verbose, json            bool
	count, concurrency, perTunnel  int
	sockets                        int
	rate                           float64
	hold                           string
}

func newDialCommand() *cobra.Command {
	o := &dialOptions{}
	cmd := &cobra.Command{
		Use:   "dial --server HOST[:PORT] --user NAME --password-file FILE",
		Short: "Dial into an L2TP server, or load it with many calls",
		Long: `dial is the other side of the line: it opens an L2TP tunnel to a server, places a call and logs in, as a PC, a phone
or a router would, and prints every message of that dialogue as it happens. Then it stays connected until interrupted
(Ctrl-C), and says goodbye. If something fails it says at which step, why, and what to check; the exit code is then 1.

Without --tun it needs no privileges: it negotiates, shows the address it was given, and carries no traffic. With
--tun NAME (root, or CAP_NET_ADMIN) it makes a network interface, and --route sends destinations into it.

With --count it places many calls and reports how many set-ups per second succeed and how long they take; %d in the user
name is then replaced by the number of the call, from 1. Load needs no privileges. Servers limit how many tunnels one
source may open per second (lnsgate: limits, new_tunnels_per_second_per_source); --sessions-per-tunnel needs fewer.

With --as KIND it looks like another client, as far as that is what is said and not what is done with answers: its name,
vendor, attributes in their order, LCP options, pace, and what it asks for besides. --host-name, --auth and --mru go before
what the kind has. The kinds are:
` + profileHelp() + `
Give the password in a file, or on standard input with --password-file -. On the command line everyone on this machine
can read it in the list of processes, and the shell keeps it in its history.`,
		Example: `  lnsgate dial --server vpn.example.com --user alice@sales --password-file ~/.vpn --tun vpn0 --route 10.20.0.0/16
  lnsgate dial --server 192.0.2.1 --user 'load%d' --password-file pw --count 10000 --rate 500 --hold forever`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return dial(cmd.Context(), o, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	o.addFlags(cmd)
	o.given = cmd.Flags().Changed
	return cmd
}

func (o *dialOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.server, "server", "", "the server, as `HOST[:PORT]`; the port is 1701 unless given (required)")
	f.StringVar(&o.user, "user", "", "`NAME` to log in with, such as alice or alice@sales")
	f.StringVar(&o.passwordFile, "password-file", "", "`FILE` with the password in its first line; - is standard input")
	f.StringVar(&o.password, "password", "", "the password itself, as `TEXT`; prefer --password-file, see above")
	f.StringSliceVar(&o.auth, "auth", []string{"mschapv2", "chap"},
		"`METHODS` to accept, best first: mschapv2, chap, eap (with MD5), pap (shows the server the password), none")
	f.StringVar(&o.tunnelSecretFile, "tunnel-secret-file", "", "`FILE` with the tunnel secret; - is standard input")
	f.StringVar(&o.tunnelSecret, "tunnel-secret", "", "the tunnel secret itself, as `TEXT`; prefer --tunnel-secret-file")
	f.StringVar(&o.as, "as", "", "look like another client, `KIND`, see above")
	f.BoolVar(&o.hideAVPs, "hide-avps", false, "hide what may be hidden in control messages (needs a tunnel secret)")
	f.StringVar(&o.hostName, "host-name", "", "`NAME` to give the server for this end of the tunnel (default: this machine's)")
	f.StringVar(&o.calledNumber, "called-number", "", "called `NUMBER` to give with the call")
	f.StringVar(&o.address, "address", "", "`ADDRESS` to ask for (default: what the server chooses)")
	f.BoolVar(&o.ipv6, "ipv6", false, "ask for IPv6 beside IPv4")
	f.BoolVar(&o.ipv6Only, "ipv6-only", false, "ask for IPv6 alone")
	f.BoolVar(&o.delegated, "delegated-prefix", false, "ask for an IPv6 prefix for the networks behind this end")
	f.StringVar(&o.tun, "tun", "", "make a network interface of this `NAME` and carry traffic over it")
	f.StringArrayVar(&o.routes, "route", nil, "send this `PREFIX` into the interface, or default for everything; may be repeated")
	f.Uint16Var(&o.mru, "mru", 1460, "largest packet to receive, in `OCTETS`")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long the login may take, as a `TIME` such as 30s")
	f.DurationVar(&o.hello, "hello", time.Minute, "`TIME` of silence after which the tunnel is tested with a HELLO; 0 never")
	f.DurationVar(&o.echo, "echo", 30*time.Second, "`TIME` of silence after which the link is tested with an LCP echo; 0 never")
	f.BoolVar(&o.once, "once", false, "hang up as soon as the login has succeeded")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show acknowledgements and signs of life too")
	f.BoolVar(&o.json, "json", false, "print one JSON object per line, the last one with the outcome")
	f.IntVar(&o.count, "count", 1, "how many calls to place, a `NUMBER`; more than 1 is a load run")
	f.Float64Var(&o.rate, "rate", 0, "load: `NUMBER` of calls to begin per second; 0 is as fast as --concurrency allows")
	f.IntVar(&o.concurrency, "concurrency", 256, "load: `NUMBER` of set-ups under way at once")
	f.IntVar(&o.perTunnel, "sessions-per-tunnel", 1, "load: `NUMBER` of calls that share a tunnel")
	f.IntVar(&o.sockets, "sockets", 1, "load: `NUMBER` of UDP sockets to spread the tunnels over")
	f.StringVar(&o.hold, "hold", "0s", "load: `TIME` to keep each session open; forever keeps all until interrupted")
}

// dialPlan is what the flags mean.
type dialPlan struct {
	options      *dialOptions
	server       netip.AddrPort
	methods      []aaa.Method
	password     aaa.Secret
	tunnelSecret aaa.Secret
	address      netip.Addr
	routes       []netip.Prefix
	hold         time.Duration
	profile      *lac.Profile // nil: ourselves
	mru          uint16
	forever      bool
}

// dial runs the command.
func dial(ctx context.Context, o *dialOptions, stdin io.Reader, stdout io.Writer) error {
	plan, err := o.plan(ctx, stdin)
	if err != nil {
		return err
	}
	if o.count > 1 {
		return plan.load(ctx, stdout)
	}
	return plan.single(ctx, stdout)
}

// plan checks the flags, and reports every fault at once.
func (o *dialOptions) plan(ctx context.Context, stdin io.Reader) (*dialPlan, error) {
	if o.server == "" {
		return nil, errors.New("name the server: lnsgate dial --server HOST --user NAME --password-file FILE")
	}
	p := &dialPlan{options: o}
	var faults []error
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	note(o.checkCombinations())
	var err error
	p.methods, err = parseMethods(o.auth)
	note(err)
	note(p.disguise())
	note(o.checkIdentity(p.methods))
	if o.address != "" {
		p.address, err = netip.ParseAddr(o.address)
		note(err)
	}
	for _, text := range o.routes {
		prefix, err := parseRoute(text)
		note(err)
		p.routes = append(p.routes, prefix)
	}
	p.hold, p.forever, err = parseHold(o.hold)
	note(err)
	p.password, err = readSecret("password", o.password, o.passwordFile, stdin)
	note(err)
	if err == nil && o.passwordFile != "" && p.password.IsZero() {
		note(fmt.Errorf("--password-file %s: its first line, which is the password, is empty", o.passwordFile))
	}
	p.tunnelSecret, err = readSecret("tunnel-secret", o.tunnelSecret, o.tunnelSecretFile, stdin)
	note(err)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p.server, err = resolveServer(ctx, o.server)
	return p, err
}

func (o *dialOptions) checkCombinations() error {
	switch {
	case o.count < 1:
		return fmt.Errorf("--count %d: at least 1 call is needed", o.count)
	case o.count > 1 && o.tun != "":
		return errors.New("--tun is for one call: leave out --count")
	case o.tun == "" && len(o.routes) > 0:
		return errors.New("--route needs --tun NAME: there is no interface to send into")
	case o.mru < 128:
		return fmt.Errorf("--mru %d: at least 128 octets are needed", o.mru)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout %s: give it some time", o.timeout)
	case o.passwordFile == "-" && o.tunnelSecretFile == "-":
		return errors.New("only one secret can come from standard input")
	case o.sockets < 1 || o.sockets > 64:
		return fmt.Errorf("--sockets %d: use 1 to 64", o.sockets)
	case o.perTunnel < 1 || o.perTunnel > 65534:
		return fmt.Errorf("--sessions-per-tunnel %d: use 1 to 65534", o.perTunnel)
	case o.rate < 0:
		return fmt.Errorf("--rate %g: it cannot be negative", o.rate)
	default:
		return nil
	}
}

// checkIdentity makes sure that we can say who we are, if we are to.
func (o *dialOptions) checkIdentity(methods []aaa.Method) error {
	switch {
	case len(methods) == 1 && methods[0] == aaa.MethodNone:
		return nil
	case o.user == "":
		return errors.New("--user is missing (a server that asks for no name is dialled with --auth none)")
	case o.password == "" && o.passwordFile == "":
		return errors.New("the password is missing: give --password-file FILE, or - to type it in")
	default:
		return nil
	}
}

func parseMethods(names []string) ([]aaa.Method, error) {
	var methods []aaa.Method
	for _, name := range names {
		m, err := aaa.ParseMethod(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("--auth %s: use mschapv2, chap, eap, pap or none", name)
		}
		methods = append(methods, m)
	}
	return methods, nil
}

func parseRoute(text string) (netip.Prefix, error) {
	if text == "default" {
		text = "0.0.0.0/0"
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("--route %s: give a prefix such as 10.20.0.0/16 or 2001:db8::/32", text)
	}
	return prefix.Masked(), nil
}

func parseHold(text string) (hold time.Duration, forever bool, err error) {
	if text == "forever" {
		return 0, true, nil
	}
	hold, err = time.ParseDuration(text)
	if err != nil || hold < 0 {
		return 0, false, fmt.Errorf("--hold %s: give a time such as 30s, or forever", text)
	}
	return hold, false, nil
}

// readSecret takes a secret from its flag or its file. Only the line end is cut off: spaces may belong to it.
func readSecret(flag, value, file string, stdin io.Reader) (aaa.Secret, error) {
	switch {
	case value != "" && file != "":
		return aaa.Secret{}, fmt.Errorf("give --%s or --%s-file, not both", flag, flag)
	case file == "":
		return aaa.NewSecret(value), nil
	case file != "-":
		f, err := os.Open(file)
		if err != nil {
			return aaa.Secret{}, fmt.Errorf("--%s-file: %w", flag, err)
		}
		defer f.Close()
		stdin = f
	}
	const most = 4096
	text, err := io.ReadAll(io.LimitReader(stdin, most))
	if err != nil {
		return aaa.Secret{}, fmt.Errorf("--%s-file %s: %w", flag, file, err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return aaa.NewSecret(strings.TrimSuffix(line, "\r")), nil
}

// resolveServer reads HOST[:PORT]; an IPv6 address with a port stands in brackets.
func resolveServer(ctx context.Context, text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a.Unmap(), l2tp.Port), nil
	}
	host, port := text, uint16(l2tp.Port)
	if h, p, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return netip.AddrPort{}, fmt.Errorf("--server %s: %q is not a UDP port", text, p)
		}
		host, port = h, uint16(n)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("--server %s: %w", text, err)
	}
	return netip.AddrPortFrom(addresses[0].Unmap(), port), nil
}

// tunnelConfig is what the flags say of a tunnel. The id is random, so that a dialler that starts anew is not taken for
// the one before.
func (p *dialPlan) tunnelConfig() lac.Config {
	name := p.options.hostName
	if name == "" && p.profile == nil {
		name, _ = os.Hostname() // lac has a name for those without one
	}
	return lac.Config{
		HostName: name, Vendor: "lnsgate", Profile: p.profile, Tunnel: l2tp.TunnelID(random16()),
		Secret: []byte(p.tunnelSecret.Reveal()), HideAVPs: p.options.hideAVPs,
		HelloInterval: p.options.hello, Timeout: p.options.timeout, Rand: rand.Reader,
	}
}

// login is what the flags say of the n-th call, counted from 0.
func (p *dialPlan) login(n int) lac.Login {
	name := strings.ReplaceAll(p.options.user, "%d", strconv.Itoa(n+1))
	var challenge [16]byte
	var magic [4]byte
	rand.Read(challenge[:])
	rand.Read(magic[:])
	return lac.Login{
		Session: l2tp.SessionID(random16()), User: name,
		Credentials: secret.NewAnswerer(name, p.password, challenge), Methods: p.methods,
		MRU: p.mru, Magic: binary.BigEndian.Uint32(magic[:]) | 1, Address: p.address, WantDNS: true,
		EchoInterval: p.options.echo, Timeout: p.options.timeout, CalledNumber: p.options.calledNumber,
		IPv6: p.options.ipv6, NoIPv4: p.options.ipv6Only, Delegated: p.options.delegated,
	}
}

// random16 is a random number that is not zero.
func random16() uint16 {
	var b [2]byte
	for {
		rand.Read(b[:])
		if n := binary.BigEndian.Uint16(b[:]); n != 0 {
			return n
		}
	}
}
