package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// fill sets every field of a value that can be set to something that is not zero, lists with one element.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = noon
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("192.0.2.1")
		return
	case *netip.Prefix:
		*x = netip.MustParsePrefix("192.0.2.0/24")
		return
	case *netip.AddrPort:
		*x = netip.MustParseAddrPort("192.0.2.1:1701")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
		if strings.HasPrefix(v.Type().Name(), "Optional[") {
			v.FieldByName("Null").SetBool(false)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		v.SetUint(1)
	}
}

func full[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// fakeDirectory has one of everything, and remembers what it was told.
type fakeDirectory struct {
	told []string
	by   []Actor
	err  error
}

func (d *fakeDirectory) note(ctx context.Context, what string) error {
	d.told, d.by = append(d.told, what), append(d.by, ActorOf(ctx))
	return d.err
}

func describe(what, name string, settings map[string]any) string {
	return what + " " + name + " " + words(settings)
}

func (d *fakeDirectory) Accounts(context.Context, AccountFilter) ([]Account, error) {
	return []Account{full[Account](), {Name: "zoe", Status: "active"}}, d.err
}
func (d *fakeDirectory) AddAccount(ctx context.Context, name string, c AccountChange) (string, error) {
	return "kept as argon2id", d.note(ctx, describe("add account", name, c.Settings))
}
func (d *fakeDirectory) SetAccount(ctx context.Context, name string, c AccountChange) (string, error) {
	return "", d.note(ctx, describe("set account", name, c.Settings))
}
func (d *fakeDirectory) DeleteAccount(ctx context.Context, name string) error {
	return d.note(ctx, "delete account "+name)
}
func (d *fakeDirectory) Domains(context.Context, string) ([]StoredDomain, error) {
	return []StoredDomain{full[StoredDomain]()}, d.err
}
func (d *fakeDirectory) AddDomain(ctx context.Context, name string, c DomainChange) error {
	return d.note(ctx, describe("add domain", name, c.Settings))
}
func (d *fakeDirectory) SetDomain(ctx context.Context, name string, c DomainChange) error {
	return d.note(ctx, describe("set domain", name, c.Settings))
}
func (d *fakeDirectory) DeleteDomain(ctx context.Context, name string) error {
	return d.note(ctx, "delete domain "+name)
}
func (d *fakeDirectory) Pools(context.Context, string) ([]StoredPool, error) {
	return []StoredPool{full[StoredPool]()}, d.err
}
func (d *fakeDirectory) AddPool(ctx context.Context, name string, c PoolChange) error {
	return d.note(ctx, describe("add pool", name, c.Settings))
}
func (d *fakeDirectory) SetPool(ctx context.Context, name string, c PoolChange) error {
	return d.note(ctx, describe("set pool", name, c.Settings))
}
func (d *fakeDirectory) DrainPool(ctx context.Context, name, written string, drain bool) error {
	return d.note(ctx, "drain pool "+name)
}
func (d *fakeDirectory) DeletePool(ctx context.Context, name string) error {
	return d.note(ctx, "delete pool "+name)
}
func (d *fakeDirectory) Profiles(context.Context, string) ([]Profile, error) {
	return []Profile{full[Profile]()}, d.err
}
func (d *fakeDirectory) AddProfile(ctx context.Context, name string, s map[string]any) error {
	return d.note(ctx, describe("add profile", name, s))
}
func (d *fakeDirectory) SetProfile(ctx context.Context, name string, s map[string]any) error {
	return d.note(ctx, describe("set profile", name, s))
}
func (d *fakeDirectory) DeleteProfile(ctx context.Context, name string) error {
	return d.note(ctx, "delete profile "+name)
}
func (d *fakeDirectory) NASes(context.Context, string) ([]StoredNAS, error) {
	return []StoredNAS{full[StoredNAS]()}, d.err
}
func (d *fakeDirectory) AddNAS(ctx context.Context, name string, s map[string]any) error {
	return d.note(ctx, describe("add NAS", name, s))
}
func (d *fakeDirectory) SetNAS(ctx context.Context, name string, s map[string]any) error {
	return d.note(ctx, describe("set NAS", name, s))
}
func (d *fakeDirectory) DeleteNAS(ctx context.Context, name string) error {
	return d.note(ctx, "delete NAS "+name)
}
func (d *fakeDirectory) Nodes(context.Context) ([]Node, error) {
	return []Node{full[Node](), {Name: "lns2"}}, d.err
}
func (d *fakeDirectory) ForgetNode(ctx context.Context, name string, force bool) (Forgotten, error) {
	return full[Forgotten](), d.note(ctx, "forget node "+name)
}
func (d *fakeDirectory) WhoHad(context.Context, netip.Addr, time.Time) ([]Holder, error) {
	return []Holder{full[Holder](), {}}, d.err
}

type fakeBook struct{}

func (fakeBook) Ranges(context.Context, string) ([]string, error) {
	return []string{"10.0.0.1-10.0.0.9"}, nil
}
func (fakeBook) Addresses(_ context.Context, _ string, _ netip.Addr, limit int) ([]AddressState, error) {
	list := []AddressState{full[AddressState](), {Address: netip.MustParseAddr("10.0.0.2"), State: "free"}, {Address: netip.MustParseAddr("10.0.0.3"), State: "free"}}
	return list[:min(limit, 3)], nil
}

type fakeAttempts []trace.Attempt

func (f fakeAttempts) Find(_ context.Context, q trace.Filter) (found []trace.Attempt, err error) {
	for i := range f {
		if len(found) < q.Limit && q.Matches(&f[i]) {
			found = append(found, f[i])
		}
	}
	return found, nil
}

type otherNAS struct{}

func (otherNAS) Sessions(context.Context, SessionFilter) ([]aaa.Record, error) {
	return []aaa.Record{{Session: "r1/7", Name: "carl", Domain: "sales", Started: noon, NAS: &aaa.NAS{Name: "r1"}}}, nil
}
func (otherNAS) Kick(context.Context, string, string) (int, error) { return 1, nil }

// everything is a server that has all that there is to show.
func everything(d *fakeDirectory) Config {
	attempt := full[trace.Attempt]()
	attempt.ID, attempt.Verdict.Cause = "a1", trace.WrongPassword
	events := func(context.Context) <-chan trace.Event { c := make(chan trace.Event); close(c); return c }
	engine := twoTunnels()
	engine.sessions, engine.tunnels = append(engine.sessions, full[lns.SessionInfo]()), append(engine.tunnels, full[lns.TunnelInfo]())
	engine.sessions[len(engine.sessions)-1].Quality = measured().Quality
	domains := func() ([]aaa.Domain, string) {
		list, fallback := twoDomains()
		return append(list, full[aaa.Domain]()), fallback
	}
	return Config{
		Engine: engine, Pools: fakePools{usage: []pool.Usage{{Pool: "text", Size: 9, Leased: 1}}}, Domains: domains,
		RADIUS: func() []RADIUSServer { return []RADIUSServer{full[RADIUSServer]()} }, NASes: func() []NAS { return []NAS{full[NAS]()} },
		Bans: &fakeBans{list: []Ban{full[Ban]()}}, Elsewhere: otherNAS{}, Reload: func(context.Context) (Reloaded, error) { return full[Reloaded](), nil }, Directory: d, Addresses: fakeBook{},
		Listed:   func() []Account { return []Account{{Name: "filed", Status: "active"}} },
		Attempts: fakeAttempts{attempt, {ID: "a2", Peer: netip.MustParseAddrPort("192.0.2.9:1701")}}, Watch: events,
		Health:    func(context.Context) []Check { return []Check{full[Check]()} },
		TestLogin: func(context.Context, LoginTest) (LoginForecast, error) { return full[LoginForecast](), nil },
		Version:   "v1", Now: func() time.Time { return noon },
	}
}

// ask sends one request past any listener, as an administrator.
func ask(t *testing.T, s *Server, method, path string, body any) *httptest.ResponseRecorder {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(WithActor(t.Context(), Actor{Name: "anna", Role: Administer, From: "192.0.2.7"}), method, path, bytes.NewReader(text))
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// decodeText keeps numbers as they are written.
func decodeText(t *testing.T, text []byte) (value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func described(t *testing.T, s *Server) (map[string]any, *schemaChecker) {
	t.Helper()
	document := decodeText(t, ask(t, s, get, "/v1/openapi.json", nil).Body.Bytes()).(map[string]any)
	named := document["components"].(map[string]any)["schemas"].(map[string]any)
	return document, &schemaChecker{named: named, seen: make(map[string]bool)}
}

var inPath = regexp.MustCompile(`\{[a-z]+\}`)

// whole is a request body with every field that there is.
func whole(body any) any {
	v := reflect.New(reflect.TypeOf(body))
	fill(v.Elem())
	if kick, ok := v.Interface().(*KickRequest); ok {
		return KickRequest{Session: "12/7", Reason: kick.Reason}
	}
	return v.Elem().Interface()
}

// Every route is described, and every real answer, and every body that is understood, is as described.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := New(everything(&fakeDirectory{}))
	document, c := described(t, s)
	paths := document["paths"].(map[string]any)
	routes := 0
	for _, r := range s.table() {
		routes++
		op, ok := paths[r.path].(map[string]any)[strings.ToLower(r.method)].(map[string]any)
		if !ok {
			t.Errorf("%s %s is not described", r.method, r.path)
			continue
		}
		path := strings.NewReplacer("{id}", "a1", "{name}", "text").Replace(r.path)
		if r.path == "/v1/domains/{name}" && r.method == get {
			path = "/v1/domains/sales"
		}
		if r.path == "/v1/who-had" {
			path += "?address=10.0.0.1"
		}
		var body any
		if r.body != nil {
			body = whole(r.body)
			text, _ := json.Marshal(body)
			schema := op["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
			for _, fault := range c.check("body of "+path, schema, decodeText(t, text)) {
				t.Error(fault)
			}
		}
		w := ask(t, s, r.method, path, body)
		if w.Code != http.StatusOK {
			t.Errorf("%s %s: %d %s", r.method, path, w.Code, w.Body)
			continue
		}
		if r.events || r.path == "/v1/openapi.json" {
			continue
		}
		schema := op["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
		for _, fault := range c.check(path, schema, decodeText(t, w.Body.Bytes())) {
			t.Error(fault)
		}
	}
	described := 0
	for _, methods := range paths {
		described += len(methods.(map[string]any))
	}
	if described != routes {
		t.Errorf("%d operations are described, and there are %d routes", described, routes)
	}
	audit := map[string]any{"$ref": "#/components/schemas/AuditList"}
	for _, fault := range c.check("audit", audit, decodeText(t, ask(t, s, get, "/v1/audit", nil).Body.Bytes())) {
		t.Error(fault)
	}
	event, _ := json.Marshal(full[trace.Event]())
	for _, fault := range c.check("event", map[string]any{"$ref": "#/components/schemas/TraceEvent"}, decodeText(t, event)) {
		t.Error(fault)
	}
	failed := ask(t, s, post, "/v1/kick", KickRequest{})
	for _, fault := range c.check("failure", map[string]any{"$ref": "#/components/schemas/Error"}, decodeText(t, failed.Body.Bytes())) {
		t.Error(fault)
	}
	everyFieldWasSeen(t, c)
}

// everyFieldWasSeen finds what is described and never answered. Some fields need what these fakes cannot have all at once.
func everyFieldWasSeen(t *testing.T, c *schemaChecker) {
	t.Helper()
	elsewhere := []string{"KickRequest.user", "SessionList.next", "SessionList.warning", "PoolList.warning", "UserList.next", "UserList.warning",
		"TunnelList.next", "AttemptList.next", "AttemptList.warning", "AddressList.next", "Change.error", "Session.last_heard"}
	for name, schema := range c.named {
		for key := range schema.(map[string]any)["properties"].(map[string]any) {
			if field := name + "." + key; !c.seen[field] && !slices.Contains(elsewhere, field) {
				t.Errorf("%s is described, and no answer had it", field)
			}
		}
	}
}

func TestTheDescriptionExplainsItsFields(t *testing.T) {
	s := New(everything(&fakeDirectory{}))
	_, c := described(t, s)
	session := c.named["Session"].(map[string]any)["properties"].(map[string]any)
	if text, _ := session["phase"].(map[string]any)["description"].(string); !strings.Contains(text, "life") {
		t.Errorf("phase is described as %q", text)
	}
	causes := c.named["TraceVerdict"].(map[string]any)["properties"].(map[string]any)["cause"].(map[string]any)["enum"].([]any)
	if len(causes) != len(trace.Causes()) {
		t.Errorf("%d causes are described, and there are %d", len(causes), len(trace.Causes()))
	}
	for _, r := range s.table() {
		if r.about == "" || r.answers == nil || (r.do == nil) == (r.raw == nil) || inPath.MatchString(r.path) && r.path == "" {
			t.Errorf("%s %s is not whole", r.method, r.path)
		}
		if r.method != get && r.role < Operate {
			t.Errorf("%s %s changes something, and %v may", r.method, r.path, r.role)
		}
	}
}

// What other rooms hang in is described too, as they say.
func TestMountsAreDescribed(t *testing.T) {
	cfg := everything(&fakeDirectory{})
	cfg.Mounts = []Mount{
		{Pattern: "GET /v1/tape", Role: Operate, Handler: http.NotFoundHandler(), About: "A tape.", Media: "application/x-tape",
			Query: []Parameter{{Name: "user"}, {Name: "count", Number: true}, {Name: "all", Switch: true}}},
		{Pattern: "DELETE /v1/tapes/{id}", Role: Operate, Handler: http.NotFoundHandler(), About: "Ends a tape.", Answers: Done{}},
		{Pattern: "/ui/", Handler: http.NotFoundHandler(), About: "The page.", Media: "text/html"},
		{Pattern: "GET /{$}", Handler: http.NotFoundHandler()},
	}
	document, _ := described(t, New(cfg))
	paths := document["paths"].(map[string]any)
	text := func(path, method string) string {
		op, _ := paths[path].(map[string]any)
		b, _ := json.Marshal(op[method])
		return string(b)
	}
	for _, one := range []struct{ path, method, has string }{
		{"/v1/tape", "get", `"x-role":"operate"`}, {"/v1/tape", "get", `"application/x-tape":{"schema":{"contentMediaType":"application/x-tape","type":"string"}}`},
		{"/v1/tape", "get", `"name":"count","schema":{"minimum":0,"type":"integer"}`}, {"/v1/tape", "get", `"name":"all","schema":{"type":"boolean"}`},
		{"/v1/tapes/{id}", "delete", `"in":"path","name":"id"`}, {"/v1/tapes/{id}", "delete", `#/components/schemas/Done`},
		{"/ui/", "get", `"x-role":"nobody"`},
	} {
		if !strings.Contains(text(one.path, one.method), one.has) {
			t.Errorf("%s %s: no %s in %s", one.method, one.path, one.has, text(one.path, one.method))
		}
	}
	if _, there := paths["/"]; there {
		t.Error("what says nothing of itself is described")
	}
}
