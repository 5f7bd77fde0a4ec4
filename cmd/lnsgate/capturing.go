package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lnsgate/configs"
	"lnsgate/lns/admin"
	"lnsgate/lns/capture"
)

// openCapture makes the place where captures see what passes, between the sockets and everything that uses them.
func (n *node) openCapture(c *configs.Config) error {
	sockets := n.transport.Stats().Sockets
	n.captures = capture.New(capture.Config{
		Program: "lnsgate " + buildVersion(),
		Node:    c.Node,
		Watch:   n.recorder.Watch,
		Known:   n.knownToCapture,
		Local: func(socket uint8) netip.AddrPort {
			if int(socket) < len(sockets) {
				return sockets[socket].Address
			}
			return netip.AddrPort{}
		},
		Log: n.log,
	})
	n.onClose(n.captures.Close)
	return nil
}

// knownToCapture is what is open when a capture begins.
func (n *node) knownToCapture() []capture.Known {
	var all []capture.Known
	for _, t := range n.engine.Tunnels() {
		all = append(all, capture.Known{Peer: t.Remote, Tunnel: t.LocalID, PeerTunnel: t.RemoteID})
	}
	for _, s := range n.engine.Sessions() {
		all = append(all, capture.Known{
			Peer: s.Remote, Tunnel: s.LocalTunnel, PeerTunnel: s.RemoteTunnel, Session: s.LocalID, PeerSession: s.RemoteID,
			ID: s.UID, Name: s.User, Account: s.Account, Domain: s.Domain, Open: !s.OpenSince.IsZero(),
		})
	}
	return all
}

// auditor writes down what an operator has done.
type auditor func(ctx context.Context, action, target, detail string, err error)

// captureMounts are the requests about captures.
func captureMounts(hub *capture.Hub, audit auditor) []admin.Mount {
	return []admin.Mount{
		{Pattern: "GET /v1/capture", About: "Captures from now on until the reader goes. Secrets and whole user data take the role administer.",
			Query: captureParameters, Media: "application/x-pcapng", Role: admin.Operate, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := serveCapture(w, r, hub, audit); err != nil {
					refuseCapture(w, err)
				}
			})},
		{Pattern: "GET /v1/captures", About: "The captures that are under way.", Answers: captureList{}, Role: admin.Operate, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, http.StatusOK, captureList{hub.List()})
		})},
		{Pattern: "DELETE /v1/captures/{id}", About: "Ends a capture in good order.", Role: admin.Operate, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
			if err != nil || !hub.Stop(id) {
				refuseCapture(w, &admin.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no capture %q", r.PathValue("id")),
					Hint: "GET /v1/captures lists those that are under way"})
				return
			}
			audit(r.Context(), "stop capture", strconv.FormatUint(id, 10), "", nil)
			answerJSON(w, http.StatusOK, struct{}{})
		})},
	}
}

// slowCaptureReader is how long whoever reads a capture may take for a piece of it.
const slowCaptureReader = 30 * time.Second

// serveCapture writes a capture until it ends, or whoever asked for it is gone. An error is one of before the first octet.
func serveCapture(w http.ResponseWriter, r *http.Request, hub *capture.Hub, audit auditor) error {
	if r.Method == http.MethodHead { // it would capture for nobody, without an end
		return &admin.Error{Status: http.StatusMethodNotAllowed, Message: "HEAD does not work on " + r.URL.Path, Hint: "use GET"}
	}
	request, err := captureRequest(r.URL.Query())
	if err != nil {
		return &admin.Error{Status: http.StatusBadRequest, Message: err.Error(), Hint: "see: lnsgate capture --help"}
	}
	actor := admin.ActorOf(r.Context())
	if all := request.Shown.Secrets || request.Shown.Data == capture.WholeData; all && actor.Role < admin.Administer {
		err := &admin.Error{Status: http.StatusForbidden, Message: fmt.Sprintf("%s may capture, but neither secrets nor the content of user data: "+
			"that takes the role %s", actor.Name, admin.Administer), Hint: "leave out --secrets and --data=whole, or ask an administrator"}
		audit(r.Context(), "capture", r.URL.RawQuery, "", err)
		return err
	}
	request.By = actor.String()
	c, err := hub.Arm(request)
	audit(r.Context(), "capture", r.URL.RawQuery, "", err)
	if err != nil {
		return captureFault(err)
	}
	defer c.Close()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // nothing more is read, and the connection is not to end for that
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Content-Disposition", `attachment; filename="lnsgate.pcapng"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(admin.CaptureHeader, strconv.FormatUint(c.ID(), 10))
	for {
		b, err := c.Next(r.Context())
		if err != nil {
			return nil
		}
		if err := control.SetWriteDeadline(time.Now().Add(slowCaptureReader)); err != nil {
			return nil
		}
		if _, err := w.Write(b); err != nil || control.Flush() != nil {
			return nil
		}
	}
}

func captureFault(err error) error {
	if errors.Is(err, capture.ErrTooMany) {
		return &admin.Error{Status: http.StatusServiceUnavailable, Message: fmt.Sprintf("%d captures are under way, and no more may be", capture.MaxCaptures),
			Hint: "see who captures: GET /v1/captures"}
	}
	return &admin.Error{Status: http.StatusServiceUnavailable, Message: "the server is stopping"}
}

type captureList struct {
	Captures []capture.Status `json:"captures"`
}

// captureParameters are what a request for a capture may name.
var captureParameters = []admin.Parameter{
	{Name: "user", About: "the name as typed, or the account"},
	{Name: "domain", About: "the domain of the login"},
	{Name: "peer", About: "where it comes from: an address or a network"},
	{Name: "failed", About: "only logins that fail", Switch: true},
	{Name: "count", About: "end after so many packets", Number: true},
	{Name: "secrets", About: "show passwords and responses as they are", Switch: true},
	{Name: "data", About: "packets of users: none, headers or whole"},
}

// captureRequest reads what somebody wants to capture.
func captureRequest(query url.Values) (capture.Request, error) {
	for name, values := range query {
		if !slices.ContainsFunc(captureParameters, func(p admin.Parameter) bool { return p.Name == name }) || len(values) > 1 {
			return capture.Request{}, fmt.Errorf("there is no parameter %q, or it is given twice", name)
		}
	}
	r := capture.Request{Filter: capture.Filter{User: query.Get("user"), Domain: query.Get("domain")}}
	var faults [5]error
	if peer := query.Get("peer"); peer != "" {
		if r.Filter.Peer, faults[0] = network(peer); faults[0] != nil {
			faults[0] = fmt.Errorf("peer: %q is neither an address nor a network", peer)
		}
	}
	r.Filter.Failed, faults[1] = strconv.ParseBool(cmp.Or(query.Get("failed"), "false"))
	r.Shown.Secrets, faults[2] = strconv.ParseBool(cmp.Or(query.Get("secrets"), "false"))
	r.Shown.Data, faults[3] = capture.ParseData(query.Get("data"))
	if r.Limit, faults[4] = strconv.Atoi(cmp.Or(query.Get("count"), "0")); r.Limit < 0 {
		faults[4] = errors.New("count: a number of packets cannot be negative")
	}
	return r, errors.Join(append(faults[:], r.Filter.Validate())...)
}

func refuseCapture(w http.ResponseWriter, err error) {
	failure := &admin.Error{Status: http.StatusInternalServerError, Message: err.Error()}
	errors.As(err, &failure)
	answerJSON(w, failure.Status, failure)
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may be gone
}
