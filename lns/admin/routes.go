package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lnsgate/lns/trace"
)

// answer computes the body of a successful answer.
type answer func(*http.Request) (any, error)

// route is one entry of the API. What makes its handler makes its description too, so that they cannot differ.
type route struct {
	method, path string
	role         Role
	about        string // what it does, in a sentence
	query        []param
	body         any    // a value of the type that is sent; nil: none
	answers      any    // a value of the type that is answered
	change       string // what it changes, for the audit; empty: nothing
	open         bool   // everybody may ask
	events       bool   // the answer is a stream of events, each of the type that is answered
	media        string // of the answer, when it is not JSON
	do           answer
	raw          http.HandlerFunc // instead of do
}

// param is a parameter in the query.
type param struct {
	name, about string
	kind        paramKind
}

type paramKind uint8

const (
	textParam paramKind = iota
	numberParam
	switchParam
	momentParam
	listParam // may be given several times, or with commas
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// pageParams are those of every list that comes in pages.
func pageParams(more ...param) []param {
	return append(more,
		param{"limit", "at most so many", numberParam},
		param{"after", "those behind this one: what the page before gave as next", textParam})
}

func (s *Server) table() []route {
	return slices.Concat(s.runningRoutes(), s.explainingRoutes(), s.banRoutes(), s.storedRoutes())
}

// runningRoutes are about what the server is doing now.
func (s *Server) runningRoutes() []route {
	return []route{
		{method: get, path: "/healthz", open: true, about: "The server lives.", answers: Alive{}, do: alive},
		{method: get, path: "/readyz", open: true, about: "People can log in: status 200, else 503. The checks are shown to operators alone.",
			answers: Health{}, raw: s.ready},
		{method: get, path: "/v1/openapi.json", about: "This description.", answers: map[string]any{}, do: s.openAPI},
		{method: get, path: "/v1/version", about: "The running program.", answers: Version{}, do: s.version},
		{method: get, path: "/v1/whoami", about: "Who asks, and what they may do.", answers: Actor{}, do: whoami},
		{method: get, path: "/v1/tunnels", about: "The L2TP tunnels, by local id.", query: pageParams(), answers: tunnelList{}, do: s.tunnels},
		{method: get, path: "/v1/sessions", about: "The sessions of this node, and of the NASes that ask it by RADIUS.",
			query: sessionParams, answers: sessionList{}, raw: s.sessions},
		{method: get, path: "/v1/pools", about: "How full the pools are.", answers: poolList{}, do: s.pools},
		{method: get, path: "/v1/pools/{name}", about: "One pool: how full it is, its ranges, and how it is stored.", answers: poolDetail{}, do: s.pool},
		{method: get, path: "/v1/pools/{name}/addresses", about: "The state of each address of a pool, in order.",
			query: pageParams(), answers: addressList{}, do: s.addresses},
		{method: get, path: "/v1/domains", about: "The domains in force.", answers: domainList{}, do: s.domains},
		{method: get, path: "/v1/domains/{name}", about: "One domain: as it is in force, and as it is stored.", answers: domainDetail{}, do: s.domain},
		{method: get, path: "/v1/radius", about: "The RADIUS servers that are asked, and how they are.", answers: radiusList{}, do: s.radius},
		{method: get, path: "/v1/nases", about: "The NASes that ask by RADIUS.", answers: nasList{}, do: s.nases},
		{method: get, path: "/v1/nases/{name}", about: "One NAS: as it is in force, and as it is stored.", answers: nasDetail{}, do: s.nas},
		{method: get, path: "/v1/nodes", about: "The nodes that share the database.", answers: nodeList{}, do: s.nodes},
		{method: get, path: "/v1/counters", about: "The counters of the server, by name.", answers: counterList{}, do: s.counters},
		{method: get, path: "/v1/health", about: "What the server needs, and whether it has it.", answers: Health{}, do: s.health},
		{method: get, path: "/v1/audit", about: "The last changes: who, from where, what, and what came of it. The newest first.",
			query: []param{{"limit", "at most so many", numberParam}}, answers: auditList{}, do: s.audited},
		{method: post, path: "/v1/kick", role: Operate, about: "Ends a session, or all sessions of a user.", body: KickRequest{}, answers: KickResult{},
			change: "kick", do: s.kick},
		{method: post, path: "/v1/reload", role: Operate, about: "Reads the configuration file again.", answers: Reloaded{}, change: "reload", do: s.reload},
	}
}

// explainingRoutes are about why a login works or does not.
func (s *Server) explainingRoutes() []route {
	return []route{
		{method: get, path: "/v1/attempts", about: "Recorded attempts to log in, the newest first.", query: attemptParams, answers: attemptList{}, do: s.attempts},
		{method: get, path: "/v1/attempts/{id}", about: "One attempt with all its steps.", answers: Attempt{}, do: s.attempt},
		{method: get, path: "/v1/causes", about: "Every cause that a verdict can name.", answers: causeList{}, do: s.causes},
		{method: get, path: "/v1/events", about: "What happens from now on, as server-sent events.", answers: trace.Event{}, events: true, raw: s.events},
		{method: post, path: "/v1/test-login", role: Operate, about: "Decides about a login without one: nothing is leased, counted or recorded. A password is audited, and a wrong one delays the name as at a login.",
			body: LoginTest{}, answers: LoginForecast{}, do: s.testLogin},
	}
}

// storedRoutes are about what is stored in the database.
func (s *Server) storedRoutes() []route {
	named := func(what string) []route {
		path := "/v1/" + what
		return []route{{method: post, path: path}, {method: patch, path: path + "/{name}"}, {method: remove, path: path + "/{name}"}}
	}
	fill := func(list []route, what string, body any, add, set, del answer) []route {
		for i, do := range []answer{add, set, del} {
			r := &list[i]
			verb := []string{"add", "change", "delete"}[i]
			r.role, r.do, r.change, r.answers, r.body = Administer, do, verb+" "+what, Done{}, body
			r.about = strings.ToUpper(verb[:1]) + verb[1:] + "s the " + what + " in the database."
		}
		list[2].body = nil
		return list
	}
	routes := []route{
		{method: get, path: "/v1/users", about: "The accounts, by name.", query: userParams, answers: userList{}, do: s.users},
		{method: get, path: "/v1/users/{name}", about: "One account.", answers: User{}, do: s.user},
		{method: post, path: "/v1/users/{name}/password", role: Administer, about: "Sets a new password.", body: PasswordRequest{}, answers: Done{},
			change: "change password of account", do: s.setPassword},
		{method: post, path: "/v1/pools/{name}/drain", role: Administer, about: "Has a pool, or one of its ranges, give no new leases.",
			body: DrainRequest{}, answers: Done{}, change: "drain pool", do: s.drainPool},
		{method: post, path: "/v1/nodes/{name}/forget", role: Administer, about: "Removes a dead node, and frees what it holds.",
			body: ForgetRequest{}, answers: Forgotten{}, change: "forget node", do: s.forgetNode},
		{method: get, path: "/v1/who-had", about: "Who had an address at a time.", query: []param{
			{"address", "the address; required", textParam}, {"at", "when; left out: now", momentParam},
		}, answers: holderList{}, do: s.whoHad},
	}
	routes = append(routes, fill(named("users"), "account", UserRequest{}, s.addUser, s.setUser, s.deleted(Directory.DeleteAccount))...)
	routes = append(routes, fill(named("domains"), "domain", DomainRequest{}, s.addDomain, s.setDomain, s.deleted(Directory.DeleteDomain))...)
	routes = append(routes, fill(named("pools"), "pool", PoolRequest{}, s.addPool, s.setPool, s.deleted(Directory.DeletePool))...)
	routes = append(routes, route{method: get, path: "/v1/profiles", about: "The profiles, by name.", answers: profileList{}, do: s.profiles},
		route{method: get, path: "/v1/profiles/{name}", about: "One profile.", answers: Profile{}, do: s.profile})
	routes = append(routes, fill(named("profiles"), "profile", ProfileRequest{}, added[ProfileRequest](s, Directory.AddProfile), changed[ProfileRequest](s, Directory.SetProfile), s.deleted(Directory.DeleteProfile))...)
	return append(routes, fill(named("nases"), "NAS", NASRequest{}, added[NASRequest](s, Directory.AddNAS), changed[NASRequest](s, Directory.SetNAS), s.deleted(Directory.DeleteNAS))...)
}

// routes makes the handler of everything.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	methods := make(map[string][]string)
	for _, r := range s.table() {
		if r.role == Nobody && !r.open {
			r.role = View
		}
		mux.Handle(r.method+" "+r.path, s.admit(r.role, s.run(r)))
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.fail(w, r, wrongMethod(r, allowed))
		})
	}
	for _, m := range s.cfg.Mounts {
		mux.Handle(m.Pattern, s.admit(m.Role, m.Handler))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, notFound(r)) })
	return s.identify(mux)
}

// run makes the handler of one route.
func (s *Server) run(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := route.checkQuery(r); err != nil {
			s.fail(w, r, err)
			return
		}
		if route.raw != nil {
			route.raw(w, r)
			return
		}
		if route.change == "" {
			s.serve(w, r, route.do)
			return
		}
		s.serve(w, r, func(r *http.Request) (any, error) { return s.audit(r, route) })
	})
}

// checkQuery lets no parameter through that the route does not know, since whoever mistypes a filter would be shown everything.
func (r *route) checkQuery(req *http.Request) error {
	for name, values := range req.URL.Query() {
		p := r.param(name)
		switch {
		case p == nil && len(r.query) == 0:
			return &Error{http.StatusBadRequest, fmt.Sprintf("there is no parameter %q", name), "it takes none"}
		case p == nil:
			var names []string
			for _, known := range r.query {
				names = append(names, known.name)
			}
			return &Error{http.StatusBadRequest, fmt.Sprintf("there is no parameter %q", name), "the parameters are " + strings.Join(names, ", ")}
		case len(values) > 1 && p.kind != listParam:
			return &Error{http.StatusBadRequest, fmt.Sprintf("the parameter %q is given twice", name), ""}
		}
	}
	return nil
}

func (r *route) param(name string) *param {
	for i := range r.query {
		if r.query[i].name == name {
			return &r.query[i]
		}
	}
	return nil
}

// number reads a parameter that is a number of things.
func number(r *http.Request, name string, fallback, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, &Error{http.StatusBadRequest, fmt.Sprintf("%s: %q is not a number from 0 to %d", name, text, most), ""}
	}
	return n, nil
}

// yes reads a parameter that is true or false.
func yes(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, &Error{http.StatusBadRequest, fmt.Sprintf("%s: %q is neither true nor false", name, text), ""}
	}
	return on, nil
}

func wrongMethod(r *http.Request, allowed []string) error {
	return &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s does not work on %s", r.Method, r.URL.Path), "use " + strings.Join(allowed, " or ")}
}

func notFound(r *http.Request) error {
	return &Error{http.StatusNotFound, fmt.Sprintf("there is nothing at %s", r.URL.Path), "GET /v1/openapi.json tells what there is"}
}
