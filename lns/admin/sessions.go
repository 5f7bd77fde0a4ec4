package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
)

// sessionPage is how many sessions an answer has that is not told how many to have.
const sessionPage = 1000

var sessionParams = pageParams(
	param{"user", "the name as typed or the account, exactly", textParam},
	param{"domain", "in any case", textParam},
	param{"session", "the handle, such as 12/7", textParam},
	param{"address", "the address of the subscriber", textParam},
	param{"peer", "where the tunnel comes from: an address or a network", textParam},
	param{"phase", "where in its life the session is, such as open", textParam},
	param{"pool", "where the address is from", textParam},
	param{"search", "a part of a name, an address or a number, in small or capital letters alike", textParam},
	param{"sort", "session, user, domain, address, peer, since, received, sent; with - before it: downwards", textParam},
)

// subject is a session that may be shown: one of ours, or one that another NAS carries.
type subject struct {
	ours  *lns.SessionHead
	other *aaa.Record
}

// place is where a session stands in the order that was asked for. It is the cursor too, so a page begins at the right place
// whatever has come and gone meanwhile. Making one costs no memory.
type place struct {
	Number uint64 `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
	Ref    uint64 `json:"r"`           // of ours: by tunnel and session; of others: elsewhereRef
	Name   string `json:"s,omitempty"` // of others; no two have the same Ref and Name
}

// elsewhereRef has the sessions of others come behind ours.
const elsewhereRef = 1 << 32

func (p *place) compare(q *place) int {
	return cmp.Or(cmp.Compare(p.Number, q.Number), strings.Compare(p.Text, q.Text), cmp.Compare(p.Ref, q.Ref), strings.Compare(p.Name, q.Name))
}

func (p *place) ref() lns.SessionRef {
	return lns.SessionRef{Tunnel: uint16(p.Ref >> 16), Session: uint16(p.Ref)}
}

func refNumber(r lns.SessionRef) uint64 { return uint64(r.Tunnel)<<16 | uint64(r.Session) }

// sortKeys make the place of a session.
var sortKeys = map[string]func(*subject) (uint64, string){
	"session":  func(*subject) (uint64, string) { return 0, "" },
	"user":     func(e *subject) (uint64, string) { return 0, e.user() },
	"domain":   func(e *subject) (uint64, string) { return 0, e.domain() },
	"address":  func(e *subject) (uint64, string) { return inBits(e.address()) },
	"peer":     func(e *subject) (uint64, string) { return inBits(e.peer().Addr()) },
	"since":    func(e *subject) (uint64, string) { return instant(e.since()), "" },
	"received": func(e *subject) (uint64, string) { in, _ := e.octets(); return in, "" },
	"sent":     func(e *subject) (uint64, string) { _, out := e.octets(); return out, "" },
}

// inBits puts no address first, then those of IPv4, then those of IPv6.
func inBits(a netip.Addr) (uint64, string) {
	switch a = a.Unmap(); {
	case a.Is4():
		four := a.As4()
		return 1<<32 | uint64(binary.BigEndian.Uint32(four[:])), ""
	case a.Is6():
		six := a.As16()
		return 1 << 33, base64Order.EncodeToString(six[:])
	}
	return 0, ""
}

// base64Order keeps octets in order, and is text for the cursor.
var base64Order = base64.NewEncoding("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz").WithPadding(base64.NoPadding)

func instant(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(0, t.UnixNano()))
}

func (e *subject) octets() (received, sent uint64) {
	if e.ours == nil {
		return e.other.RxOctets, e.other.TxOctets
	}
	return e.ours.Counted.Octets()
}

func (e *subject) appendName(b []byte) []byte {
	if e.ours == nil {
		return append(b, e.other.Session...)
	}
	b = strconv.AppendUint(b, uint64(e.ours.Tunnel), 10)
	return strconv.AppendUint(append(b, '/'), uint64(e.ours.Session), 10)
}

func (e *subject) user() string {
	if e.ours == nil {
		return e.other.Name
	}
	return e.ours.User
}

func (e *subject) account() string {
	if e.ours == nil {
		return e.other.Account
	}
	return e.ours.Account
}

func (e *subject) domain() string {
	if e.ours == nil {
		return e.other.Domain
	}
	return e.ours.Domain
}

func (e *subject) address() netip.Addr {
	if e.ours == nil {
		return e.other.Address
	}
	return e.ours.Address
}

func (e *subject) peer() netip.AddrPort {
	if e.ours == nil {
		return e.other.Peer
	}
	return e.ours.Remote
}

func (e *subject) phase() string {
	if e.ours == nil {
		return onNAS
	}
	return e.ours.Phase
}

func (e *subject) pool() string {
	if e.ours == nil {
		return e.other.Pool
	}
	return e.ours.Pool
}

func (e *subject) since() time.Time {
	if e.ours == nil {
		return e.other.Started
	}
	return e.ours.Since
}

// hasText is told the part in small letters. The scratch is memory for what is made on the way.
func (e *subject) hasText(part string, scratch []byte) bool {
	machine, calling, called := "", "", ""
	if e.ours == nil {
		machine, calling, called = e.other.TunnelName, e.other.CallingNumber, e.other.CalledNumber
	} else {
		machine, calling, called = e.ours.HostName, e.ours.CallingNumber, e.ours.CalledNumber
	}
	for _, text := range [...]string{e.user(), e.account(), e.domain(), machine, calling, called} {
		if containsFold(text, part) {
			return true
		}
	}
	find := []byte(part)
	return bytes.Contains(e.appendName(scratch[:0]), find) || bytes.HasPrefix(e.address().Unmap().AppendTo(scratch[:0]), find) ||
		bytes.HasPrefix(e.peer().Addr().Unmap().AppendTo(scratch[:0]), find)
}

// containsFold is told the part in small letters.
func containsFold(text, part string) bool { return strings.Contains(strings.ToLower(text), part) }

// sessionQuery is what was asked for.
type sessionQuery struct {
	SessionFilter
	limit   int
	after   *place
	key     func(*subject) (uint64, string)
	down    bool
	search  string // in small letters
	scratch [64]byte
}

func (q *sessionQuery) matches(e *subject) bool {
	return (q.User == "" || q.User == e.user() || q.User == e.account()) &&
		(q.Domain == "" || strings.EqualFold(q.Domain, e.domain())) &&
		(q.Session == "" || q.Session == string(e.appendName(q.scratch[:0]))) &&
		(!q.Address.IsValid() || q.Address == e.address().Unmap()) &&
		(!q.Peer.IsValid() || q.Peer.Contains(e.peer().Addr().Unmap())) &&
		(q.Phase == "" || q.Phase == e.phase()) &&
		(q.Pool == "" || q.Pool == e.pool()) &&
		(q.search == "" || e.hasText(q.search, q.scratch[:]))
}

func readSessionQuery(r *http.Request) (_ *sessionQuery, err error) {
	q := new(sessionQuery)
	values := r.URL.Query()
	q.User, q.Domain, q.Session = values.Get("user"), values.Get("domain"), values.Get("session")
	q.Phase, q.Pool, q.Search = values.Get("phase"), values.Get("pool"), values.Get("search")
	q.search = strings.ToLower(q.Search)
	if q.Address, err = addressParam(r, "address"); err != nil {
		return q, err
	}
	if q.Peer, err = networkParam(r, "peer"); err != nil {
		return q, err
	}
	if q.limit, err = number(r, "limit", sessionPage, 1<<24); err != nil {
		return q, err
	}
	name, down := strings.CutPrefix(cmp.Or(values.Get("sort"), "session"), "-")
	q.key, q.down = sortKeys[name], down
	if q.key == nil {
		return q, &Error{http.StatusBadRequest, fmt.Sprintf("sort: there is no order %q", name),
			"sort by session, user, domain, address, peer, since, received or sent, with - before it for downwards"}
	}
	if text := values.Get("after"); text != "" {
		bits, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(bits, &q.after) != nil || q.after == nil {
			return q, &Error{http.StatusBadRequest, "after: that is not what a page gave as next", "leave it out to begin at the first page"}
		}
	}
	return q, nil
}

// elsewhere lists the sessions of other NASes; a text says why they are missing.
func (s *Server) elsewhere(ctx context.Context, f SessionFilter) ([]aaa.Record, string) {
	if s.cfg.Elsewhere == nil {
		return nil, ""
	}
	records, err := s.cfg.Elsewhere.Sessions(ctx, f)
	if err != nil {
		return records, "sessions on other NASes are missing: " + err.Error()
	}
	return records, ""
}

func addressParam(r *http.Request, name string) (netip.Addr, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, &Error{http.StatusBadRequest, fmt.Sprintf("%s: %q is not an address", name, text), ""}
	}
	return a.Unmap(), nil
}

// networkParam takes an address for the network of it alone.
func networkParam(r *http.Request, name string) (netip.Prefix, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, &Error{http.StatusBadRequest, fmt.Sprintf("%s: %q is neither an address nor a network", name, text), ""}
	}
	return p.Masked(), nil
}

func momentParamOf(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, &Error{http.StatusBadRequest, fmt.Sprintf("%s: %q is not a time", name, text), "write it as in 2026-11-17T20:43:00+08:00"}
	}
	return t, nil
}
