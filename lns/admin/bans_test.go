package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeBans is a list of bans that cannot be kept over a restart when it is told so.
type fakeBans struct {
	list []Ban
	lost error
}

func (f *fakeBans) Bans(time.Time) []Ban { return f.list }

func (f *fakeBans) Ban(b Ban) error {
	b.Kind = BannedAccount
	f.list = append(f.list, b)
	return f.lost
}

func (f *fakeBans) Unban(who string, _ time.Time) (bool, error) {
	n := len(f.list)
	f.list = slices.DeleteFunc(f.list, func(b Ban) bool { return b.Who == who })
	return who == "text" || len(f.list) < n, f.lost
}

func TestBansFromEndToEnd(t *testing.T) {
	bans := &fakeBans{}
	c := start(t, Config{Engine: twoTunnels(), Bans: bans})
	if all, err := c.Bans(t.Context()); err != nil || all == nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	if err := c.Ban(t.Context(), BanRequest{Who: "anna@sales", ForSeconds: 3600, Why: "laptop stolen"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Ban(t.Context(), BanRequest{Who: "203.0.113.0/24"}); err != nil {
		t.Fatal(err)
	}
	all, err := c.Bans(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%v %v", all, err)
	}
	if b := all[0]; b.Who != "anna@sales" || b.Why != "laptop stolen" || !b.Since.Equal(noon) || !b.Until.Equal(noon.Add(time.Hour)) || b.By == "" {
		t.Errorf("%+v", b)
	}
	if !all[1].Until.IsZero() {
		t.Errorf("%+v", all[1])
	}
	if err := c.LiftBan(t.Context(), "anna@sales"); err != nil || len(bans.list) != 1 {
		t.Errorf("%v, %d left", err, len(bans.list))
	}
	var gone *Error
	if err := c.LiftBan(t.Context(), "anna@sales"); !errors.As(err, &gone) || gone.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
	for _, bad := range []BanRequest{{}, {Who: strings.Repeat("x", 400)}, {Who: "x", Why: strings.Repeat("x", 400)}, {Who: "x", ForSeconds: -1}, {Who: "x", ForSeconds: 1 << 62}} {
		var e *Error
		if err := c.Ban(t.Context(), bad); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if len(bans.list) != 1 {
		t.Errorf("%d bans", len(bans.list))
	}
}

// A ban names the operator, is written down, and is nothing for who may only look.
func TestABanIsAudited(t *testing.T) {
	bans := &fakeBans{}
	s := New(Config{Engine: twoTunnels(), Bans: bans, Now: func() time.Time { return noon }})
	say := func(role Role, path, body string) int {
		r := httptest.NewRequestWithContext(WithActor(t.Context(), Actor{Name: "anna", Role: role, From: "192.0.2.7"}), post, path, strings.NewReader(body))
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code
	}
	if code := say(View, "/v1/bans", `{"who":"bob"}`); code != http.StatusForbidden || len(bans.list) != 0 {
		t.Errorf("who may look: %d", code)
	}
	if code := say(Operate, "/v1/bans", `{"who":"bob","for_seconds":60,"why":"late"}`); code != 200 || bans.list[0].By != "anna" {
		t.Errorf("%d %+v", code, bans.list)
	}
	if code := say(Operate, "/v1/bans/lift", `{"who":"bob"}`); code != 200 {
		t.Errorf("%d", code)
	}
	list := auditOf(t, s)
	if len(list) < 2 || list[0].Action != "lift ban" || list[0].Target != "bob" || list[1].Action != "ban" || list[1].Target != "bob" ||
		!strings.Contains(list[1].Detail, "for 1m0s") || !strings.Contains(list[1].Detail, "late") || list[1].Name != "anna" {
		t.Errorf("%+v", list)
	}
	bans.lost = errors.New("a restart will not know of this: disk full")
	if code := say(Operate, "/v1/bans", `{"who":"eve"}`); code < 500 || len(bans.list) != 1 {
		t.Errorf("a ban that cannot be kept: %d, %d bans", code, len(bans.list))
	}
}
