package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/pool"

	"github.com/google/go-cmp/cmp"
)

func TestTunnels(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels()})
	got, err := client.Tunnels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].LocalID != 12 || got[1].LocalID != 900 {
		t.Fatalf("not sorted by local id: %+v", got)
	}
	first := got[0]
	if first.RemoteAddress != netip.MustParseAddr("192.0.2.9") || first.RemotePort != 50123 {
		t.Errorf("remote %v port %d, want the plain IPv4 address", first.RemoteAddress, first.RemotePort)
	}
	if first.Age != 90 || first.RemoteName != "anna-pc" || first.Sessions != 2 || first.State != "established" {
		t.Errorf("got %+v", first)
	}
	if second := got[1]; second.Age != 0 || second.LocalAddress.IsValid() || !second.LastHeard.IsZero() {
		t.Errorf("what is unknown must stay unknown: %+v", second)
	}
}

func TestSessions(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels()})
	tests := []struct {
		name   string
		filter SessionFilter
		want   []string
	}{
		{"all, sorted by number and not by text", SessionFilter{}, []string{"12/7", "12/300"}},
		{"user as typed", SessionFilter{User: "bert@sales"}, []string{"12/300"}},
		{"user as stored", SessionFilter{User: "bert"}, []string{"12/300"}},
		{"user in another case is another user", SessionFilter{User: "Bert"}, nil},
		{"domain in any case", SessionFilter{Domain: "DEFAULT"}, []string{"12/7"}},
		{"both", SessionFilter{User: "bert", Domain: "default"}, nil},
		{"a name that a URL would break", SessionFilter{User: "a&b=c d%"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sessions, err := client.Sessions(t.Context(), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range sessions {
				got = append(got, s.Session)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The JSON names are a promise to scripts: this text changes only by adding.
func TestSessionJSON(t *testing.T) {
	const want = `{"session":"12/7","local_tunnel":12,"local_id":7,"remote_tunnel":1,"remote_id":1,` +
		`"remote_address":"192.0.2.9","remote_port":50123,"remote_name":"anna-pc","user":"l2tpuser","account":"l2tpuser",` +
		`"domain":"default","virtual_template":"vt1","address":"10.10.1.10","pool":"pool1","phase":"open","method":"chap",` +
		`"mru":1460,"peer_mru":1400,"since":"2026-03-01T11:58:40Z","up_since":"2026-03-01T11:58:40.5Z","up_seconds":79,` +
		`"session_timeout_seconds":28800,"idle_timeout_seconds":2,"rate_up":1000000,"rate_down":2000000,"filter":"web",` +
		`"routes":["10.9.0.0/24"],"backend":"hq","record":"lns1-1","rx_packets":5,"rx_octets":600,"tx_packets":7,` +
		`"tx_octets":18446744073709551615,"drops":1}`
	info := twoTunnels().sessions[1]
	info.RateUp, info.RateDown, info.Filter, info.Backend, info.UID = 1e6, 2e6, "web", "hq", "lns1-1"
	info.Routes = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}
	c := &info.Counters
	c.RxPackets, c.RxOctets, c.TxPackets, c.TxOctets, c.Drops = 5, 600, 7, 1<<64-1, 1
	got, err := json.Marshal(sessionFrom(&info, noon))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestTunnelJSON(t *testing.T) {
	const want = `{"local_id":900,"remote_id":2,"remote_address":"2001:db8::1","remote_port":1701,"remote_name":"lac2",` +
		`"group":"","state":"wait-ctl-conn","sessions":0,"age_seconds":0}`
	got, err := json.Marshal(tunnelFrom(&twoTunnels().tunnels[0], noon))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestPools(t *testing.T) {
	usage := []pool.Usage{
		{Pool: "z", Size: 10, Leased: 3, Quarantined: 1, Static: 2},
		{Pool: "a", Size: 1, Leased: 1, Static: 1},
	}
	client := start(t, Config{Engine: twoTunnels(), Pools: fakePools{usage: usage}})
	got, err := client.Pools(t.Context())
	want := []Pool{{"z", 10, 3, 1, 2, 4}, {"a", 1, 1, 0, 1, 0}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestPoolsThatCannotBeRead(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels(), Pools: fakePools{err: errors.New("the database is away")}})
	_, err := client.Pools(t.Context())
	var failure *Error
	if !errors.As(err, &failure) || failure.Status != http.StatusInternalServerError ||
		!strings.Contains(failure.Message, "the database is away") {
		t.Errorf("got %v", err)
	}
}

// The pools of the file are worth seeing while the database is away.
func TestPoolsThatCanBeReadInPart(t *testing.T) {
	usage := []pool.Usage{{Pool: "file", Size: 10, Leased: 3}}
	client := start(t, Config{Engine: twoTunnels(), Pools: fakePools{usage: usage, err: errors.New("the database is away")}})
	got, err := client.Pools(t.Context())
	var partial *PartialError
	if !errors.As(err, &partial) || partial.Warning != "the database is away" {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]Pool{{"file", 10, 3, 0, 0, 7}}, got); diff != "" {
		t.Error(diff)
	}
	status, body := request(t, client, http.MethodGet, "/v1/pools", "")
	want := `{"pools":[{"name":"file","size":10,"leased":3,"quarantined":0,"static":0,"free":7}],"warning":"the database is away"}`
	if status != http.StatusOK || strings.TrimSpace(body) != want {
		t.Errorf("got %d %s", status, body)
	}
}

func TestDomains(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels(), Domains: twoDomains})
	got, err := client.Domains(t.Context())
	want := []Domain{
		{Name: "sales", Aliases: []string{"vertrieb"}, Authentication: []string{"local"}, Pools: []string{"pool2", "pool1"},
			Methods: []string{"chap", "mschapv2"}, DNS: []netip.Addr{netip.MustParseAddr("10.0.0.53")},
			SessionTimeout: 3600, MTU: 1400, VirtualTemplate: "vt2", Sessions: 1},
		{Name: "default", Default: true, Authentication: []string{}, Pools: []string{}, Sessions: 1},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// The default is found as the gateway finds it: by an alias as well, in small and capital letters alike.
func TestDefaultDomainByAnotherName(t *testing.T) {
	for _, fallback := range []string{"Default", "vertrieb", "VERTRIEB", "nobody", ""} {
		domains, _ := twoDomains()
		client := start(t, Config{Engine: twoTunnels(), Domains: func() ([]aaa.Domain, string) { return domains, fallback }})
		got, err := client.Domains(t.Context())
		sales, other := strings.EqualFold(fallback, "vertrieb"), fallback == "Default"
		if err != nil || got[0].Default != sales || got[1].Default != other {
			t.Errorf("%q: %+v, %v", fallback, got, err)
		}
	}
}

// A script must be able to loop over a list that is empty.
func TestEmptyListsAreLists(t *testing.T) {
	client := start(t, Config{Engine: &fakeEngine{}})
	for _, name := range []string{"tunnels", "sessions", "pools", "domains"} {
		status, body := request(t, client, http.MethodGet, "/v1/"+name, "")
		if want := `{"` + name + `":[]}` + "\n"; status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q, want %q", name, status, body, want)
		}
	}
}

func TestCountersAndVersion(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels(), Version: "v1.2.3"})
	counters, err := client.Counters(t.Context())
	if err != nil || counters["logins"] != 3 || counters["drop_version"] != 1 {
		t.Errorf("counters %v, %v", counters, err)
	}
	version, err := client.Version(t.Context())
	if err != nil || version.Version != "v1.2.3" || version.PID == 0 || !version.Started.Equal(noon) || version.Uptime != 0 {
		t.Errorf("version %+v, %v", version, err)
	}
}

func TestKick(t *testing.T) {
	tests := []struct {
		name   string
		req    KickRequest
		kicked int
		status int // of the error
		asked  []string
	}{
		{"session", KickRequest{Session: "12/7", Reason: "tired"}, 1, 0, []string{"12/7 because tired"}},
		{"user", KickRequest{User: "bert@sales"}, 1, 0, []string{"bert@sales because "}},
		{"nobody", KickRequest{User: "eve"}, 0, http.StatusNotFound, []string{"eve because "}},
		{"nothing named", KickRequest{}, 0, http.StatusBadRequest, nil},
		{"both named", KickRequest{Session: "12/7", User: "eve"}, 0, http.StatusBadRequest, nil},
		{"no session's form", KickRequest{Session: "12"}, 0, http.StatusBadRequest, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			engine := twoTunnels()
			result, err := start(t, Config{Engine: engine}).Kick(t.Context(), test.req)
			var failure *Error
			if errors.As(err, &failure) != (test.status != 0) || failure != nil && failure.Status != test.status {
				t.Errorf("error %v, want status %d", err, test.status)
			}
			if result.Kicked != test.kicked {
				t.Errorf("kicked %d, want %d", result.Kicked, test.kicked)
			}
			if diff := cmp.Diff(test.asked, engine.kicked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIsSession(t *testing.T) {
	for name, want := range map[string]bool{
		"12/7": true, "0/65535": true, "12/65536": false, "12": false, "12/": false, "/7": false, "a/b": false,
		"1/2/3": false, "+1/2": false, "-1/2": false, "": false, " 1/2": false,
	} {
		if got := IsSession(name); got != want {
			t.Errorf("IsSession(%q) = %t", name, got)
		}
	}
}

func TestReload(t *testing.T) {
	var answer error
	called := 0
	client := start(t, Config{Engine: twoTunnels(), Reload: func(context.Context) (Reloaded, error) {
		called++
		return Reloaded{Waiting: []string{"listen"}}, answer
	}})
	if done, err := client.Reload(t.Context()); err != nil || called != 1 || !slices.Equal(done.Waiting, []string{"listen"}) {
		t.Errorf("called %d times, %v", called, err)
	}
	answer = errors.New("users[3].password: missing")
	var failure *Error
	if _, err := client.Reload(t.Context()); !errors.As(err, &failure) || failure.Status != http.StatusConflict ||
		!strings.Contains(err.Error(), "users[3].password: missing") || !strings.Contains(err.Error(), "old configuration stays") {
		t.Errorf("got %v", err)
	}
	answer = fmt.Errorf("after all: %w", &InForceError{Err: errors.New("2 sessions could not be checked")})
	if _, err := client.Reload(t.Context()); !errors.As(err, &failure) || failure.Status != http.StatusInternalServerError ||
		!strings.Contains(err.Error(), "2 sessions could not be checked") || !strings.Contains(err.Error(), "new configuration is in force") ||
		strings.Contains(err.Error(), "old configuration") {
		t.Errorf("got %v", err)
	}
	without := start(t, Config{Engine: twoTunnels()})
	if _, err := without.Reload(t.Context()); !errors.As(err, &failure) || failure.Status != http.StatusNotImplemented {
		t.Errorf("got %v", err)
	}
}

// Whatever is wrong with a request, the answer is JSON with an error in it.
func TestBadRequests(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels()})
	tests := []struct {
		name, method, path, body string
		status                   int
	}{
		{"no such path", "GET", "/v2/tunnels", "", http.StatusNotFound},
		{"root", "GET", "/", "", http.StatusNotFound},
		{"wrong method", "DELETE", "/v1/sessions", "", http.StatusMethodNotAllowed},
		{"kick by GET", "GET", "/v1/kick", "", http.StatusMethodNotAllowed},
		{"unknown filter", "GET", "/v1/sessions?usr=x", "", http.StatusBadRequest},
		{"no JSON", "POST", "/v1/kick", "kick him", http.StatusBadRequest},
		{"empty", "POST", "/v1/kick", "", http.StatusBadRequest},
		{"unknown field", "POST", "/v1/kick", `{"usr": "x"}`, http.StatusBadRequest},
		{"wrong type", "POST", "/v1/kick", `{"user": 7}`, http.StatusBadRequest},
		{"two objects", "POST", "/v1/kick", `{"user": "x"} {"user": "y"}`, http.StatusBadRequest},
		{"endless", "POST", "/v1/kick", `{"user": "` + strings.Repeat("x", 2*maxBody) + `"}`, http.StatusBadRequest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := request(t, client, test.method, test.path, test.body)
			var failure Error
			if err := json.Unmarshal([]byte(body), &failure); err != nil || failure.Message == "" || status != test.status {
				t.Errorf("%d %q, want status %d (%v)", status, body, test.status, err)
			}
		})
	}
}

// request goes past the typed methods of the client.
func request(t *testing.T, c *Client, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://lnsgate"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("content type %q", kind)
	}
	return resp.StatusCode, string(text)
}

func TestRADIUSServers(t *testing.T) {
	want := []RADIUSServer{{Group: "hq", Role: "authentication", Address: "192.0.2.1:1812", Transport: "udp", State: "dead",
		Since: noon, Requests: 7, Discarded: map[string]uint64{"forged": 2}}}
	client := start(t, Config{Engine: twoTunnels(), RADIUS: func() []RADIUSServer { return want }})
	got, err := client.RADIUS(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	none := start(t, Config{Engine: twoTunnels()})
	if got, err := none.RADIUS(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("without RADIUS: %v, %v", got, err)
	}
}

func TestNASes(t *testing.T) {
	want := []NAS{{Name: "branch", Source: netip.MustParsePrefix("192.0.2.1/32"), Type: "cisco", Requests: 7, Dropped: map[string]uint64{"forged": 2}}}
	client := start(t, Config{Engine: twoTunnels(), NASes: func() []NAS { return want }})
	got, err := client.NASes(t.Context())
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || err != nil {
		t.Error(err, diff)
	}
	none := start(t, Config{Engine: twoTunnels()})
	if got, err := none.NASes(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("without a RADIUS server: %v, %v", got, err)
	}
}
