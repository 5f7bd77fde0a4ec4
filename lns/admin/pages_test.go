package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/trace"
)

// crowd is an engine with so many sessions.
func crowd(n int) *fakeEngine {
	e := &fakeEngine{sessions: make([]lns.SessionInfo, n)}
	first := netip.MustParseAddr("10.0.0.0").As4()
	for i := range e.sessions {
		a := first
		a[1], a[2], a[3] = byte(i>>16), byte(i>>8), byte(i)
		user := fmt.Sprintf("user%06d", (i*7919)%n)
		e.sessions[i] = lns.SessionInfo{
			Name: fmt.Sprintf("%d/%d", i/1000+1, i%1000+1), LocalTunnel: uint16(i/1000 + 1), LocalID: uint16(i%1000 + 1), User: user,
			Account: user, Domain: []string{"sales", "lab"}[i%2], Address: netip.AddrFrom4(a), Pool: "p", Phase: "open",
			Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1701), Since: noon.Add(-time.Duration(i) * time.Second),
		}
		e.sessions[i].Counters.RxOctets = uint64(i * i % 1000)
	}
	return e
}

func page(t *testing.T, c *Client, f SessionFilter, p PageOf) SessionPage {
	t.Helper()
	got, err := c.SessionPage(t.Context(), f, p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Whatever the order, the pages together have every session once, in that order.
func TestPagesHaveEverySessionOnce(t *testing.T) {
	engine := crowd(2500)
	client := start(t, Config{Engine: engine, Elsewhere: otherNAS{}})
	keys := map[string]func(a, b Session) bool{
		"session":  func(a, b Session) bool { return a.NAS != "" || b.NAS != "" || a.LocalTunnel <= b.LocalTunnel },
		"user":     func(a, b Session) bool { return a.User <= b.User },
		"domain":   func(a, b Session) bool { return a.Domain <= b.Domain },
		"address":  func(a, b Session) bool { return a.Address.Compare(b.Address) <= 0 },
		"peer":     func(a, b Session) bool { return a.RemoteAddress.Compare(b.RemoteAddress) <= 0 },
		"since":    func(a, b Session) bool { return !a.Since.After(b.Since) },
		"received": func(a, b Session) bool { return a.RxOctets <= b.RxOctets },
		"sent":     func(a, b Session) bool { return a.TxOctets <= b.TxOctets },
	}
	for key, sorted := range keys {
		for _, down := range []bool{false, true} {
			sort := key
			if down {
				sort = "-" + key
			}
			seen := make(map[string]bool)
			var last *Session
			for after, pages := "", 0; ; pages++ {
				got := page(t, client, SessionFilter{}, PageOf{Limit: 999, After: after, Sort: sort})
				for _, s := range got.Sessions {
					if last != nil && !(down && sorted(s, *last) || !down && sorted(*last, s)) {
						t.Fatalf("%s: %s %s comes behind %s %s", sort, s.Session, s.User, last.Session, last.User)
					}
					seen[s.Session], last = true, &s
				}
				if after = got.Next; after == "" || pages > 9 {
					break
				}
			}
			if len(seen) != 2501 {
				t.Errorf("%s: %d sessions", sort, len(seen))
			}
		}
	}
}

// A page begins behind the one before, whatever has gone meanwhile.
func TestPagesWhileSessionsGo(t *testing.T) {
	engine := crowd(30)
	client := start(t, Config{Engine: engine})
	first := page(t, client, SessionFilter{}, PageOf{Limit: 10})
	engine.sessions = slices.Delete(engine.sessions, 5, 12) // with the one that the cursor names
	second := page(t, client, SessionFilter{}, PageOf{Limit: 10, After: first.Next})
	if second.Sessions[0].Session != "1/13" || second.Total != 23 {
		t.Errorf("%+v of %d", second.Sessions[0].Session, second.Total)
	}
}

func TestSessionFilters(t *testing.T) {
	client := start(t, Config{Engine: crowd(2000), Elsewhere: otherNAS{}})
	for _, test := range []struct {
		filter SessionFilter
		want   int
	}{
		{SessionFilter{Session: "2/7"}, 1}, {SessionFilter{User: "user000007"}, 1}, {SessionFilter{Domain: "LAB"}, 1000},
		{SessionFilter{Address: netip.MustParseAddr("10.0.1.1")}, 1}, {SessionFilter{Peer: netip.MustParsePrefix("192.0.2.7/32")}, 8},
		{SessionFilter{Peer: netip.MustParsePrefix("192.0.2.0/25")}, 1024}, {SessionFilter{Phase: "open"}, 2000}, {SessionFilter{Phase: onNAS}, 1},
		{SessionFilter{Pool: "p"}, 2000}, {SessionFilter{Search: "USER00001"}, 10}, {SessionFilter{Search: "10.0.7."}, 208},
		{SessionFilter{Search: "nobody"}, 0}, {SessionFilter{Domain: "lab", Search: "user000001"}, 1},
	} {
		if got := page(t, client, test.filter, PageOf{Limit: 1}); got.Total != test.want {
			t.Errorf("%+v: %d, want %d", test.filter, got.Total, test.want)
		}
	}
}

func TestBadPages(t *testing.T) {
	client := start(t, Config{Engine: crowd(3)})
	for _, query := range []string{"limit=-1", "limit=x", "after=%21", "after=e30x", "sort=colour", "address=1.2.3", "peer=1.2.3.4/99", "user=a&user=b"} {
		if status, body := request(t, client, get, "/v1/sessions?"+query, ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	for _, query := range []string{"/v1/attempts?cause=x", "/v1/attempts?since=noon", "/v1/attempts?failed=perhaps", "/v1/attempts?limit=99999",
		"/v1/who-had", "/v1/who-had?address=x", "/v1/tunnels?after=x", "/v1/version?x=1"} {
		client := start(t, everything(&fakeDirectory{}))
		if status, body := request(t, client, get, query, ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

// A page of 100,000 sessions comes in under a second, on a machine that has other things to do too.
func TestAPageOfAHundredThousandSessionsIsQuick(t *testing.T) {
	client := start(t, Config{Engine: crowd(100_000)})
	best := time.Hour
	for range 3 {
		began := time.Now()
		if got := page(t, client, SessionFilter{Search: "user0"}, PageOf{Limit: 100, Sort: "user"}); got.Total != 100_000 || len(got.Sessions) != 100 {
			t.Fatalf("%d of %d", len(got.Sessions), got.Total)
		}
		best = min(best, time.Since(began))
	}
	t.Logf("%v", best)
	if best > slowdown*time.Second {
		t.Errorf("a page took %v", best)
	}
}

func TestTunnelPages(t *testing.T) {
	engine := &fakeEngine{}
	for id := range uint16(25) {
		engine.tunnels = append(engine.tunnels, lns.TunnelInfo{LocalID: 25 - id})
	}
	s := New(Config{Engine: engine})
	var ids []uint16
	for after, pages := "", 0; pages < 9; pages++ {
		var list tunnelList
		if err := json.Unmarshal(ask(t, s, get, "/v1/tunnels?limit=10&after="+after, nil).Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Tunnels {
			ids = append(ids, one.LocalID)
		}
		if after = list.Next; after == "" {
			break
		}
	}
	if len(ids) != 25 || !slices.IsSorted(ids) {
		t.Errorf("got %v", ids)
	}
}

func TestUserPages(t *testing.T) {
	d := &fakeDirectory{}
	s := New(everything(d))
	var list userList
	if err := json.Unmarshal(ask(t, s, get, "/v1/users?limit=2", nil).Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Users) != 2 || list.Users[0].Name != "filed" || list.Users[0].Store != "file" || list.Users[1].Store != "postgres" || list.Next != "text" {
		t.Errorf("got %+v", list)
	}
	d.err = &Error{http.StatusServiceUnavailable, "the database is away", ""}
	list = userList{}
	if err := json.Unmarshal(ask(t, s, get, "/v1/users", nil).Body.Bytes(), &list); err != nil || len(list.Users) != 3 || !strings.Contains(list.Warning, "away") {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestAttemptPages(t *testing.T) {
	s := New(everything(&fakeDirectory{}))
	var list attemptList
	if err := json.Unmarshal(ask(t, s, get, "/v1/attempts?limit=1", nil).Body.Bytes(), &list); err != nil || len(list.Attempts) != 1 || list.Next != "a1" {
		t.Fatalf("got %+v, %v", list, err)
	}
	if m := list.Attempts[0].Meaning; m.Sentence != trace.WrongPassword.String() || m.Remedy == "" {
		t.Errorf("got %+v", m)
	}
	if w := ask(t, s, get, "/v1/attempts/zz", nil); w.Code != http.StatusNotFound {
		t.Errorf("got %d", w.Code)
	}
	if err := json.Unmarshal(ask(t, s, get, "/v1/attempts?cause=pool-full,no-group&cause=unknown", nil).Body.Bytes(), &list); err != nil || len(list.Attempts) != 1 || list.Attempts[0].ID != "a2" {
		t.Errorf("got %+v, %v", list, err)
	}
}
