package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// requestTime bounds one request of the client as a whole.
const requestTime = time.Minute

// Client asks a running server. Its errors are *[NotRunningError] when nobody answers, *[Error] when the server says
// no, and *[PartialError] beside an answer that is not whole. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client of the server on that unix socket. Nothing is dialled before the first request.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, &NotRunningError{Socket: socket, Err: err}
		}
		return conn, nil
	}
	return &Client{
		socket: socket,
		http: &http.Client{
			Timeout:   requestTime,
			Transport: &http.Transport{DialContext: dial, DisableCompression: true},
		},
	}
}

// Close gives idle connections back. The client may be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version tells which server answers.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var v Version
	err := c.do(ctx, http.MethodGet, "version", nil, nil, &v)
	return v, err
}

// Tunnels lists the tunnels, sorted by local id.
func (c *Client) Tunnels(ctx context.Context) ([]Tunnel, error) {
	var list tunnelList
	err := c.do(ctx, http.MethodGet, "tunnels", nil, nil, &list)
	return list.Tunnels, err
}

// Sessions lists all sessions that match, sorted by local tunnel and session id, and behind them those of other NASes. A
// *[PartialError] comes with those of this server when the others could not be read.
func (c *Client) Sessions(ctx context.Context, filter SessionFilter) ([]Session, error) {
	page, err := c.SessionPage(ctx, filter, PageOf{})
	return page.Sessions, err
}

// PageOf says which part of a list is wanted.
type PageOf struct {
	Limit int    // 0: all
	After string // what the page before gave as Next
	Sort  string // empty: as the list is by itself
}

// SessionPage lists one page of the sessions that match. A *[PartialError] comes as with Sessions.
func (c *Client) SessionPage(ctx context.Context, filter SessionFilter, page PageOf) (SessionPage, error) {
	query := url.Values{"limit": {strconv.Itoa(page.Limit)}}
	for name, value := range map[string]string{
		"user": filter.User, "domain": filter.Domain, "session": filter.Session, "phase": filter.Phase, "pool": filter.Pool,
		"search": filter.Search, "after": page.After, "sort": page.Sort,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if filter.Address.IsValid() {
		query.Set("address", filter.Address.String())
	}
	if filter.Peer.IsValid() {
		query.Set("peer", filter.Peer.String())
	}
	var list sessionList
	err := c.do(ctx, http.MethodGet, "sessions", query, nil, &list)
	if err == nil && list.Warning != "" {
		err = &PartialError{Warning: list.Warning}
	}
	return SessionPage{list.Sessions, list.Total, list.Next}, err
}

// Pools lists the pools in the order of the configuration. A *[PartialError] comes with the pools that could be read.
func (c *Client) Pools(ctx context.Context) ([]Pool, error) {
	var list poolList
	err := c.do(ctx, http.MethodGet, "pools", nil, nil, &list)
	if err == nil && list.Warning != "" {
		err = &PartialError{Warning: list.Warning}
	}
	return list.Pools, err
}

// Domains lists the domains in the order of the configuration.
func (c *Client) Domains(ctx context.Context) ([]Domain, error) {
	var list domainList
	err := c.do(ctx, http.MethodGet, "domains", nil, nil, &list)
	return list.Domains, err
}

// RADIUS lists the servers of all RADIUS groups, in the order of the configuration.
func (c *Client) RADIUS(ctx context.Context) ([]RADIUSServer, error) {
	var list radiusList
	err := c.do(ctx, http.MethodGet, "radius", nil, nil, &list)
	return list.Servers, err
}

// NASes lists the clients of the RADIUS server, by name.
func (c *Client) NASes(ctx context.Context) ([]NAS, error) {
	var list nasList
	err := c.do(ctx, http.MethodGet, "nases", nil, nil, &list)
	return list.NASes, err
}

// Counters tells the server's counters by name.
func (c *Client) Counters(ctx context.Context) (map[string]uint64, error) {
	var list counterList
	err := c.do(ctx, http.MethodGet, "counters", nil, nil, &list)
	return list.Counters, err
}

// Kick ends a session, or all sessions of a user.
func (c *Client) Kick(ctx context.Context, req KickRequest) (KickResult, error) {
	var result KickResult
	err := c.do(ctx, http.MethodPost, "kick", nil, req, &result)
	return result, err
}

// Reload makes the server read its configuration again. It returns when the new one is in force, or an *[Error]: with status
// 409 nothing was changed, with 500 the new one is in force and something did not follow it.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	var done Reloaded
	err := c.do(ctx, http.MethodPost, "reload", nil, nil, &done)
	return done, err
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://lnsgate/v1/"+path, sent) // path is escaped where it must be
	if err != nil {
		return err
	}
	req.URL.RawQuery = query.Encode()
	resp, err := c.http.Do(req)
	if err != nil {
		return cmp.Or(ctx.Err(), c.unreachable(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failureFrom(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("the server on %s answers something that is not understood: %w", c.socket, err)
	}
	return nil
}

// unreachable takes the invented URL out of what the HTTP client says.
func (c *Client) unreachable(err error) error {
	var down *NotRunningError
	if errors.As(err, &down) {
		return down
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &NotRunningError{Socket: c.socket, Err: err}
}

func failureFrom(resp *http.Response) error {
	failure := &Error{Status: resp.StatusCode}
	err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(failure)
	if err != nil || failure.Message == "" {
		return &Error{Status: resp.StatusCode, Message: "the server answers " + resp.Status,
			Hint: "is that an lnsgate server, and of the same version?"}
	}
	return failure
}
