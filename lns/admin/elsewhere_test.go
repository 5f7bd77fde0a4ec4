package admin

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
)

// fakeElsewhere has one session of anna, on a NAS named ap.
type fakeElsewhere struct {
	err    error
	kicked []string
}

func (e *fakeElsewhere) Sessions(_ context.Context, f SessionFilter) ([]aaa.Record, error) {
	if f.User != "" && f.User != "anna" || e.err != nil {
		return nil, e.err
	}
	return []aaa.Record{{
		Session: "ap/0042", Name: "anna", Account: "anna", Domain: "sales", Method: aaa.PAP, Started: noon.Add(-time.Hour), At: noon.Add(-time.Minute),
		Address: netip.MustParseAddr("10.9.0.1"), Peer: netip.MustParseAddrPort("192.0.2.44:0"), RxOctets: 5, TxOctets: 6,
		NAS: &aaa.NAS{Name: "ap", Session: "A1"}, Terms: &aaa.Terms{RateUp: 1000, IdleTimeout: time.Minute},
	}}, nil
}

func (e *fakeElsewhere) Kick(_ context.Context, who, reason string) (int, error) {
	e.kicked = append(e.kicked, who+" because "+reason)
	if who == "anna" || who == "ap/0042" {
		return 1, nil
	}
	return 0, e.err
}

func TestSessionsOfOtherNASesComeBehindOurOwn(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels(), Elsewhere: &fakeElsewhere{}})
	all, err := client.Sessions(t.Context(), SessionFilter{})
	if err != nil || len(all) != 3 {
		t.Fatalf("%d sessions, %v", len(all), err)
	}
	s := all[2]
	if s.Session != "ap/0042" || s.NAS != "ap" || s.Record != "A1" || s.Phase != onNAS || s.Up != 3600 || !s.LastHeard.Equal(noon.Add(-time.Minute)) ||
		s.RateUp != 1000 || s.IdleTimeout != 60 || s.RxOctets != 5 || s.TxOctets != 6 || s.Address.String() != "10.9.0.1" || s.Method != "pap" {
		t.Errorf("%+v", s)
	}
	if some, err := client.Sessions(t.Context(), SessionFilter{User: "l2tpuser"}); err != nil || len(some) != 1 || some[0].NAS != "" {
		t.Errorf("%+v, %v", some, err)
	}
}

func TestOurOwnSessionsAreShownWithoutTheOthers(t *testing.T) {
	client := start(t, Config{Engine: twoTunnels(), Elsewhere: &fakeElsewhere{err: errors.New("the database is away")}})
	all, err := client.Sessions(t.Context(), SessionFilter{})
	var partial *PartialError
	if len(all) != 2 || !errors.As(err, &partial) || !strings.Contains(partial.Warning, "the database is away") {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

func TestKickOnOtherNASes(t *testing.T) {
	for name, tc := range map[string]struct {
		request  KickRequest
		fault    error
		kicked   int
		here     int // times that the engine is asked
		there    int
		notFound bool
	}{
		"a session there":             {KickRequest{Session: "ap/0042"}, nil, 1, 0, 1, false},
		"a session here":              {KickRequest{Session: "12/7"}, nil, 1, 1, 0, false},
		"a user there":                {KickRequest{User: "anna"}, nil, 1, 1, 1, false},
		"a user here, others unknown": {KickRequest{User: "l2tpuser"}, errors.New("away"), 1, 1, 1, false},
		"nobody":                      {KickRequest{User: "eve"}, nil, 0, 1, 1, true},
		"nobody here, others unknown": {KickRequest{User: "eve"}, errors.New("away"), 0, 1, 1, true},
	} {
		engine, there := twoTunnels(), &fakeElsewhere{err: tc.fault}
		result, err := start(t, Config{Engine: engine, Elsewhere: there}).Kick(t.Context(), tc.request)
		if (err != nil) != tc.notFound || result.Kicked != tc.kicked || len(engine.kicked) != tc.here || len(there.kicked) != tc.there {
			t.Errorf("%s: %d kicked, %v; asked here %q, there %q", name, result.Kicked, err, engine.kicked, there.kicked)
		}
	}
}
