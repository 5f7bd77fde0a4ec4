package admin

import (
	"cmp"
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
)

// maxBody bounds what a request may carry: a kick needs a few hundred octets.
const maxBody = 64 << 10

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
	var wait *WaitError
	if errors.As(err, &wait) {
		w.Header().Set("Retry-After", strconv.FormatInt(max(1, seconds(wait.After)), 10))
	}
	s.write(w, r, failure.Status, failure)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	answerHead(w, status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		s.cfg.Log.Debug("the admin client went away before it had the answer", "path", r.URL.Path, "cause", err)
	}
}

// answerHead begins an answer in JSON.
func answerHead(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
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

func whoami(r *http.Request) (any, error) { return ActorOf(r.Context()), nil }

// tunnels pages by local id.
func (s *Server) tunnels(r *http.Request) (any, error) {
	limit, err := number(r, "limit", 0, 1<<16)
	if err != nil {
		return nil, err
	}
	after, err := number(r, "after", -1, 1<<16)
	if err != nil {
		return nil, err
	}
	list := tunnelList{Tunnels: tunnelsFrom(s.cfg.Engine.Tunnels(), s.cfg.Now())}
	from, _ := slices.BinarySearchFunc(list.Tunnels, after+1, func(t Tunnel, id int) int { return cmp.Compare(int(t.LocalID), id) })
	list.Tunnels = list.Tunnels[from:]
	if limit > 0 && len(list.Tunnels) > limit {
		list.Tunnels = list.Tunnels[:limit]
		list.Next = strconv.Itoa(int(list.Tunnels[limit-1].LocalID))
	}
	return list, nil
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

func (s *Server) domains(r *http.Request) (any, error) {
	if s.cfg.Domains == nil {
		return domainList{[]Domain{}}, nil
	}
	domains, fallback := s.cfg.Domains()
	return domainList{domainsFrom(domains, fallback, s.countSessions(r.Context()))}, nil
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
	noteChange(r, who, "reason: "+req.Reason)
	kicked, err := s.kickEverywhere(r.Context(), who, req.Reason)
	if err != nil {
		return nil, fmt.Errorf("%s was not kicked: %w", who, err)
	}
	if kicked == 0 {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("nothing to kick: no open session or user is named %q", who),
			"see who is there with: lnsgate show sessions"}
	}
	noteChange(r, who, fmt.Sprintf("%d sessions; reason: %s", kicked, req.Reason))
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
	done, err := s.cfg.Reload(r.Context())
	switch {
	case errors.As(err, &inForce):
		return nil, &Error{http.StatusInternalServerError, err.Error(),
			"the new configuration is in force, but not everything follows it; mend that and reload again"}
	case err != nil:
		return nil, &Error{http.StatusConflict, err.Error(), "nothing was changed: the old configuration stays in force"}
	}
	return done, nil
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
