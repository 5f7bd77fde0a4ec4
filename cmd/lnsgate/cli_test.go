package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/admin"
	"lnsgate/lns/datapath"
	"lnsgate/pool"

	"github.com/google/go-cmp/cmp"
)

// cliNoon is what the server's clock says.
var cliNoon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type fakeEngine struct {
	reason string
	usage  error
}

func (e *fakeEngine) Tunnels() []lns.TunnelInfo {
	return []lns.TunnelInfo{
		{LocalID: 20481, RemoteID: 3, Remote: netip.MustParseAddrPort("[2001:db8::1]:1701"), HostName: "lac\tof \x1b[31mevil",
			Group: "lacs", State: "established", Sessions: 312, Since: cliNoon.Add(-50 * time.Hour)},
		{LocalID: 12, RemoteID: 1, Remote: netip.MustParseAddrPort("192.0.2.9:50123"), Group: "default", State: "wait-ctl-conn"},
	}
}

func (e *fakeEngine) EachSession(_ context.Context, show func(*lns.SessionHead)) {
	all := e.Sessions()
	for i := range all {
		head := all[i].Head()
		show(&head)
	}
}

func (e *fakeEngine) SessionInfos(_ context.Context, refs []lns.SessionRef) (list []lns.SessionInfo) {
	all := e.Sessions()
	at := make(map[lns.SessionRef]int, len(all))
	for i := range all {
		at[lns.SessionRef{Tunnel: all[i].LocalTunnel, Session: all[i].LocalID}] = i
	}
	for _, ref := range refs {
		if i, open := at[ref]; open {
			list = append(list, all[i])
		}
	}
	return list
}

func (e *fakeEngine) Sessions() []lns.SessionInfo {
	return []lns.SessionInfo{
		{Name: "12/300", LocalTunnel: 12, LocalID: 300, RemoteID: 9, Remote: netip.MustParseAddrPort("192.0.2.9:50123"),
			Phase: "authenticating", MRU: 1460},
		{Name: "12/7", LocalTunnel: 12, LocalID: 7, RemoteID: 1, Remote: netip.MustParseAddrPort("192.0.2.9:50123"),
			User: "anna@sales", Account: "anna", Domain: "sales", Address: netip.MustParseAddr("10.10.1.10"), Phase: "open",
			MRU: 1460, OpenSince: cliNoon.Add(-271 * time.Second), Counters: datapath.Counters{RxOctets: 1536, TxOctets: 20 << 20}},
	}
}

func (e *fakeEngine) Counters() map[string]uint64 {
	return map[string]uint64{"z_drops": 2, "logins": 1}
}

func (e *fakeEngine) Kick(_ context.Context, who, reason string) (int, error) {
	e.reason = reason
	return map[string]int{"12/7": 1, "anna": 2}[who], nil
}

func (e *fakeEngine) Usage(context.Context) ([]pool.Usage, error) {
	return []pool.Usage{{Pool: "pool1", Size: 241, Leased: 10, Quarantined: 1, Static: 2}}, e.usage
}

func fakeDomains() ([]aaa.Domain, string) {
	return []aaa.Domain{{Name: "default", Chain: []string{"local"}, Pools: []string{"pool1", "pool2"}},
		{Name: "sales", Chain: []string{"local"}, Methods: []aaa.Method{aaa.CHAP}, IdleTimeout: time.Hour,
			DNS: [2]netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("10.0.0.54")}}}, "default"
}

// serveFake runs a server with the fake engine and returns its socket.
func serveFake(t *testing.T, engine *fakeEngine) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := admin.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := admin.New(admin.Config{Engine: engine, Pools: engine, Domains: fakeDomains, RADIUS: fakeRADIUS, NASes: fakeNASes, Now: func() time.Time { return cliNoon },
		Reload: func(context.Context) (admin.Reloaded, error) {
			return admin.Reloaded{Waiting: []string{"listen", "trace"}}, nil
		}})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// lnsgate is what a person types behind "lnsgate", and gets.
func lnsgate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func fakeRADIUS() []admin.RADIUSServer {
	return []admin.RADIUSServer{{
		Group: "hq", Role: "authentication", Address: "192.0.2.1:1812", Transport: "udp", State: "dead", Since: cliNoon.Add(-271 * time.Second),
		RTT: 1234 * time.Microsecond, InFlight: 2, Queued: 1, Requests: 7, Resent: 2, TimedOut: 1, Discarded: map[string]uint64{"forged": 2},
	}}
}

func fakeNASes() []admin.NAS {
	return []admin.NAS{
		{Name: "branch", Source: netip.MustParsePrefix("192.0.2.1/32"), Type: "mikrotik", Requests: 20, Accepted: 8, Rejected: 3, Challenged: 2, Recorded: 1,
			Repeated: 1, Dropped: map[string]uint64{"forged": 2, "busy": 3}},
		{Name: "wifi", Source: netip.MustParsePrefix("2001:db8::/48"), Type: "standard"},
	}
}

func TestShowTables(t *testing.T) {
	socket := serveFake(t, &fakeEngine{})
	tests := map[string][]string{
		"tunnels": {
			"LocalTID  RemoteTID  RemoteAddress  Port   Sessions  RemoteName        Group    State          Age",
			"12        1          192.0.2.9      50123  0         -                 default  wait-ctl-conn  00:00:00",
			"20481     3          2001:db8::1    1701   312       lac?of ?[31mevil  lacs     established    2d 02:00:00",
		},
		"sessions": {
			"Session  RemoteSID  RemoteAddress  User        Domain  Address     Phase           UpSince              Duration  In       Out       MRU",
			"12/7     1          192.0.2.9      anna@sales  sales   10.10.1.10  open            2026-03-01 11:55:29  00:04:31  1.5 KiB  20.0 MiB  1460",
			"12/300   9          192.0.2.9      -           -       -           authenticating  -                    00:00:00  0 B      0 B       1460",
		},
		"pools": {
			"Pool   Size  Leased  Quarantined  Static  Free  Used",
			"pool1  241   10      1            2       228   5%",
		},
		"domains": {
			"Domain   Default  Sessions  Authentication  Methods  Pools        DNS                  SessionTimeout  IdleTimeout",
			"default  *        0         local           -        pool1,pool2  -                    -               -",
			"sales    -        1         local           chap     -            10.0.0.53,10.0.0.54  -               01:00:00",
		},
		"radius": {
			"Group  Role            Address         Transport  State  Since                RTT     InFlight  Requests  Resent  TimedOut  Discarded  Fault",
			"hq     authentication  192.0.2.1:1812  udp        dead   2026-03-01 11:55:29  1.23ms  3         7         2       1         2          -",
		},
		"nases": {
			"NAS     Source         Type      Requests  Accepted  Rejected  Challenged  Recorded  Repeated  Dropped",
			"branch  192.0.2.1      mikrotik  20        8         3         2           1         1         5",
			"wifi    2001:db8::/48  standard  0         0         0         0           0         0         0",
		},
		"counters": {
			"Counter  Value",
			"logins   1",
			"z_drops  2",
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := lnsgate(t, "show", name, "--socket", socket)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Join(want, "\n")+"\n", got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What can be shown is shown on standard output, and what cannot is told beside it.
func TestShowPoolsInPart(t *testing.T) {
	socket := serveFake(t, &fakeEngine{usage: errors.New("the database is away")})
	for format, want := range map[string]string{"table": "pool1  241", "json": `"name": "pool1"`} {
		var out, beside bytes.Buffer
		root := newRootCommand()
		root.SetOut(&out)
		root.SetErr(&beside)
		root.SetArgs([]string{"show", "pools", "--socket", socket, "-o", format})
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "away") {
			t.Errorf("%s: printed %s", format, out.String())
		}
		if want := "lnsgate: warning: some of it cannot be shown: the database is away\n"; beside.String() != want {
			t.Errorf("%s: told %q beside it, want %q", format, beside.String(), want)
		}
	}
}

func TestShowJSON(t *testing.T) {
	socket := serveFake(t, &fakeEngine{})
	got, err := lnsgate(t, "show", "sessions", "--socket", socket, "-o", "json", "--user", "anna", "--domain", "Sales")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"session": "12/7"`, `"address": "10.10.1.10"`, `"up_seconds": 271`, `"tx_octets": 20971520`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
	if strings.Contains(got, "12/300") || !strings.HasPrefix(got, "[") {
		t.Errorf("not the filtered list: %s", got)
	}
	if got, err := lnsgate(t, "show", "sessions", "--socket", socket, "-o", "json", "--user", "nobody"); err != nil || got != "[]\n" {
		t.Errorf("no session: %q, %v", got, err)
	}
	if _, err := lnsgate(t, "show", "pools", "-o", "xml"); err == nil || !strings.Contains(err.Error(), "-o json") {
		t.Errorf("got %v", err)
	}
}

func TestKick(t *testing.T) {
	engine := &fakeEngine{}
	socket := serveFake(t, engine)
	for who, want := range map[string]string{"12/7": "12/7: 1 session ended\n", "anna": "anna: 2 sessions ended\n"} {
		got, err := lnsgate(t, "kick", who, "--reason", "late for "+who, "--socket", socket)
		if err != nil || got != want || engine.reason != "late for "+who {
			t.Errorf("%s: %q, %v, reason %q", who, got, err, engine.reason)
		}
	}
	_, err := lnsgate(t, "kick", "eve", "--socket", socket)
	if err == nil || !strings.Contains(err.Error(), `"eve"`) || !strings.Contains(err.Error(), "lnsgate show sessions") {
		t.Errorf("got %v", err)
	}
}

func TestReload(t *testing.T) {
	got, err := lnsgate(t, "reload", "--socket", serveFake(t, &fakeEngine{}))
	if err != nil || got != "the new configuration is in force\nwhat has changed here takes effect at the next start: listen, trace\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Every mistake says what to type next.
func TestMistakes(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	tests := []struct {
		args string
		want string
	}{
		{"show sessions --socket " + none, "start it with: lnsgate serve -c FILE"},
		{"kick anna --socket " + none, "no lnsgate server is running here"},
		{"shwo", "did you mean: lnsgate show"},
		{"show sesions", "did you mean: lnsgate show sessions"},
		{"show nonsense", "see: lnsgate show --help"},
		{"show pools --sockte x", "see: lnsgate show pools --help"},
		{"kick", "name one session (such as 12/7) or one user"},
		{"kick a b", "see: lnsgate kick --help"},
		{"check", "lnsgate check -c FILE"},
		{"check lnsgate.yaml", "give the file with -c: lnsgate check -c lnsgate.yaml"},
		{"serve lnsgate.yaml", "give the file with -c: lnsgate serve -c lnsgate.yaml"},
		{"show sessions extra", "\"extra\" is one word too many: lnsgate show sessions takes only flags\n  see: lnsgate show sessions --help"},
		{"dial", "name the server: lnsgate dial --server HOST --user NAME --password-file FILE"},
		{"dial --count x", "--count x: give a whole number\n  see: lnsgate dial --help"},
		{"dial --mru 70000", "--mru 70000: give a whole number from 0 to 65535\n"},
		{"dial --rate fast", "--rate fast: give a number\n"},
		{"dial --timeout 5", "--timeout 5: give a time such as 30s, 5m or 8h\n"},
		{"dial --json=maybe", "--json maybe: give true or false\n"},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			out, err := lnsgate(t, strings.Fields(test.args)...)
			if err == nil || !strings.Contains(err.Error(), test.want) || out != "" {
				t.Errorf("printed %q, error %v, want %q", out, err, test.want)
			}
		})
	}
}
