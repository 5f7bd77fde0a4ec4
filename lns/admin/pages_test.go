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

// Of a hundred thousand sessions a page looks at all only as far as it has to choose, and asks about those that it shows; and what looking
// costs in memory does not grow with them.
func TestAPageAsksOnlyAboutWhatItShows(t *testing.T) {
	engine := crowd(100_000)
	client := start(t, Config{Engine: engine})
	for _, order := range []string{"", "user", "-user", "address", "peer", "-since", "-received"} {
		engine.asked = nil
		got := page(t, client, SessionFilter{Search: "user0"}, PageOf{Limit: 100, Sort: order})
		if got.Total != 100_000 || len(got.Sessions) != 100 || got.Next == "" {
			t.Fatalf("%q: %d of %d", order, len(got.Sessions), got.Total)
		}
		if len(engine.asked) != 1 || engine.asked[0] != 100 {
			t.Errorf("%q: all was asked about %v sessions", order, engine.asked)
		}
	}
	looks := func(sessions int) float64 {
		few := crowd(sessions)
		return testing.AllocsPerRun(3, func() {
			page := &selection{sessionQuery: &sessionQuery{key: sortKeys["address"], limit: 50, search: "10.0.0.1"}}
			var one subject
			for i := range few.sessions {
				head := few.sessions[i].Head()
				one.ours = &head
				page.offer(&one)
			}
		}) - float64(sessions) // the head of the fake
	}
	if less, more := looks(1000), looks(10_000); more > less+10 {
		t.Errorf("of 1,000 sessions it makes %.0f pieces of memory, of 10,000 %.0f", less, more)
	}
}

// The whole list is written as it goes: what it holds of it is a small part.
func TestTheWholeListIsWrittenInParts(t *testing.T) {
	engine := crowd(20_000)
	client := start(t, Config{Engine: engine})
	got := page(t, client, SessionFilter{}, PageOf{Sort: "-since"})
	if got.Total != 20_000 || len(got.Sessions) != 20_000 || got.Next != "" || !slices.IsSortedFunc(got.Sessions, func(a, b Session) int { return b.Since.Compare(a.Since) }) {
		t.Errorf("%d of %d, next %q", len(got.Sessions), got.Total, got.Next)
	}
	if most := slices.Max(engine.asked); most > sessionChunk || len(engine.asked) < 20_000/sessionChunk {
		t.Errorf("asked about %d at once, %d times", most, len(engine.asked))
	}
}

// Sessions that end between being chosen and being shown are left out.
func TestSessionsThatEndWhileTheyAreListed(t *testing.T) {
	engine := crowd(10)
	engine.at = map[lns.SessionRef]int{}
	for i := range engine.sessions {
		engine.at[lns.SessionRef{Tunnel: 1, Session: uint16(i + 1)}] = i
	}
	delete(engine.at, lns.SessionRef{Tunnel: 1, Session: 1})
	engine.at[lns.SessionRef{Tunnel: 9, Session: 9}] = 0
	client := start(t, Config{Engine: engine})
	if got := page(t, client, SessionFilter{}, PageOf{}); len(got.Sessions) != 9 || got.Sessions[0].Session != "1/2" {
		t.Errorf("got %+v", got.Sessions)
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
