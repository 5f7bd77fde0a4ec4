package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"lnsgate/lns"
)

// maxBody bounds what a request may carry: a kick needs a few hundred octets.
const maxBody = 64 << 10

// answer computes the body of a successful answer.
type answer func(*http.Request) (any, error)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	route := func(method, path string, a answer) {
		role := View
		if method != http.MethodGet {
			role = Operate
		}
		mux.Handle(method+" "+path, s.admit(role, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			s.serve(w, r, a)
		})))
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", method)
			s.serve(w, r, wrongMethod(method))
		})
	}
	route(http.MethodGet, "/v1/version", s.version)
	route(http.MethodGet, "/v1/tunnels", s.tunnels)
	route(http.MethodGet, "/v1/sessions", s.sessions)
	route(http.MethodGet, "/v1/pools", s.pools)
	route(http.MethodGet, "/v1/domains", s.domains)
	route(http.MethodGet, "/v1/radius", s.radius)
	route(http.MethodGet, "/v1/nases", s.nases)
	route(http.MethodGet, "/v1/counters", s.counters)
	route(http.MethodPost, "/v1/kick", s.kick)
	route(http.MethodPost, "/v1/reload", s.reload)
	for _, m := range s.cfg.Mounts {
		mux.Handle(m.Pattern, s.admit(m.Role, m.Handler))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, notFound) })
	return mux
}

// serve writes what a says, or its error with the status it carries.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, a answer) {
	body, err := a(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, http.StatusOK, body)
}

// fail answers with an error and the status that it carries.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var failure *Error
	if !errors.As(err, &failure) {
		failure = &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	s.write(w, r, failure.Status, failure)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		s.cfg.Log.Debug("the admin client went away before it had the answer", "path", r.URL.Path, "cause", err)
	}
}

func (s *Server) version(*http.Request) (any, error) {
	return Version{
		Version: s.cfg.Version,
		Go:      runtime.Version(),
		PID:     os.Getpid(),
		Started: s.started,
		Uptime:  secondsSince(s.started, s.cfg.Now()),
	}, nil
}

func (s *Server) tunnels(*http.Request) (any, error) {
	return tunnelList{tunnelsFrom(s.cfg.Engine.Tunnels(), s.cfg.Now())}, nil
}

func (s *Server) sessions(r *http.Request) (any, error) {
	query := r.URL.Query()
	for name := range query {
		if name != "user" && name != "domain" {
			return nil, &Error{http.StatusBadRequest, fmt.Sprintf("there is no filter %q", name), "the filters are user and domain"}
		}
	}
	filter := SessionFilter{User: query.Get("user"), Domain: query.Get("domain")}
	infos := slices.DeleteFunc(s.cfg.Engine.Sessions(), func(i lns.SessionInfo) bool { return !filter.matches(&i) })
	list, missing := s.addElsewhere(r.Context(), sessionsFrom(infos, s.cfg.Now()), filter)
	return sessionList{list, missing}, nil
}

func (f SessionFilter) matches(s *lns.SessionInfo) bool {
	return (f.User == "" || f.User == s.User || f.User == s.Account) &&
		(f.Domain == "" || strings.EqualFold(f.Domain, s.Domain))
}

// pools tells what is known: the pools of the file can be seen while the database is away.
func (s *Server) pools(r *http.Request) (any, error) {
	if s.cfg.Pools == nil {
		return poolList{Pools: []Pool{}}, nil
	}
	usages, err := s.cfg.Pools.Usage(r.Context())
	switch {
	case err == nil:
		return poolList{Pools: poolsFrom(usages)}, nil
	case len(usages) == 0:
		return nil, fmt.Errorf("the pools cannot be read: %w", err)
	}
	return poolList{Pools: poolsFrom(usages), Warning: err.Error()}, nil
}

func (s *Server) domains(*http.Request) (any, error) {
	if s.cfg.Domains == nil {
		return domainList{[]Domain{}}, nil
	}
	open := make(map[string]int)
	for _, session := range s.cfg.Engine.Sessions() {
		open[session.Domain]++
	}
	domains, fallback := s.cfg.Domains()
	return domainList{domainsFrom(domains, fallback, open)}, nil
}

func (s *Server) radius(*http.Request) (any, error) {
	if s.cfg.RADIUS == nil {
		return radiusList{[]RADIUSServer{}}, nil
	}
	return radiusList{append([]RADIUSServer{}, s.cfg.RADIUS()...)}, nil
}

func (s *Server) nases(*http.Request) (any, error) {
	if s.cfg.NASes == nil {
		return nasList{[]NAS{}}, nil
	}
	return nasList{append([]NAS{}, s.cfg.NASes()...)}, nil
}

func (s *Server) counters(*http.Request) (any, error) {
	return counterList{s.cfg.Engine.Counters()}, nil
}

func (s *Server) kick(r *http.Request) (any, error) {
	var req KickRequest
	if err := decode(r.Body, &req); err != nil {
		return nil, err
	}
	who, err := req.who()
	if err != nil {
		return nil, err
	}
	kicked, err := s.kickEverywhere(r.Context(), who, req.Reason)
	if err != nil {
		return nil, fmt.Errorf("%s was not kicked: %w", who, err)
	}
	if kicked == 0 {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("nothing to kick: no open session or user is named %q", who),
			"see who is there with: lnsgate show sessions"}
	}
	s.cfg.Log.Info("kicked by the administrator", "who", who, "sessions", kicked, "cause", req.Reason)
	return KickResult{kicked}, nil
}

// who is the one name in the request.
func (k KickRequest) who() (string, error) {
	switch {
	case (k.Session == "") == (k.User == ""):
		return "", &Error{http.StatusBadRequest, "a kick names either a session or a user",
			`send {"session": "TUNNEL/SESSION"} or {"user": "NAME"}`}
	case k.Session != "" && !strings.Contains(k.Session, "/"):
		return "", &Error{http.StatusBadRequest, fmt.Sprintf("%q is not a session", k.Session),
			"a session is written TUNNEL/SESSION in local ids, such as 12/7, or as NAS/ID; see: lnsgate show sessions"}
	}
	return k.Session + k.User, nil
}

// IsSession says whether a name has the form of a session's handle, "TUNNEL/SESSION" in our own ids.
func IsSession(name string) bool {
	tunnel, session, found := strings.Cut(name, "/")
	return found && isID(tunnel) && isID(session)
}

func isID(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func (s *Server) reload(r *http.Request) (any, error) {
	if s.cfg.Reload == nil {
		return nil, &Error{http.StatusNotImplemented, "this server cannot reload its configuration", "restart it"}
	}
	var inForce *InForceError
	switch err := s.cfg.Reload(r.Context()); {
	case errors.As(err, &inForce):
		return nil, &Error{http.StatusInternalServerError, err.Error(),
			"the new configuration is in force, but not everything follows it; mend that and reload again"}
	case err != nil:
		return nil, &Error{http.StatusConflict, err.Error(), "nothing was changed: the old configuration stays in force"}
	}
	return struct{}{}, nil
}

// decode reads exactly one JSON value with known fields.
func decode(body io.Reader, into any) error {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = errors.New("there is something behind the JSON object")
		}
	}
	if err != nil {
		return &Error{http.StatusBadRequest, fmt.Sprintf("the request's body is not understood: %v", err), ""}
	}
	return nil
}

func wrongMethod(method string) answer {
	return func(r *http.Request) (any, error) {
		return nil, &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s does not work on %s", r.Method, r.URL.Path), "use " + method}
	}
}

func notFound(r *http.Request) (any, error) {
	return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is nothing at %s", r.URL.Path),
		"GET /v1/tunnels, sessions, pools, domains, radius, counters, version; POST /v1/kick, reload"}
}
