package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
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

// entry is a session in a list that is sorted, before it is made a view: one of ours, or one that another NAS carries.
type entry struct {
	place
	ours  *lns.SessionInfo
	other *aaa.Record
}

// place is where a session stands in the order that was asked for. It is the cursor too, so a page begins at the right place
// whatever has come and gone meanwhile.
type place struct {
	Number uint64 `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
	Name   string `json:"s"` // of the session; no two have the same
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Number, q.Number), cmp.Compare(p.Text, q.Text), cmp.Compare(p.Name, q.Name))
}

// sortKeys make the place of a session.
var sortKeys = map[string]func(*entry) (uint64, string){
	"session": (*entry).inOrder,
	"user":    func(e *entry) (uint64, string) { return 0, e.user() },
	"domain":  func(e *entry) (uint64, string) { return 0, e.domain() },
	"address": func(e *entry) (uint64, string) { return 0, inBits(e.address()) },
	"peer":    func(e *entry) (uint64, string) { return 0, inBits(e.peer().Addr()) },
	"since":   func(e *entry) (uint64, string) { return instant(e.since()), "" },
	"received": func(e *entry) (uint64, string) {
		if e.ours == nil {
			return e.other.RxOctets, ""
		}
		return e.ours.Counters.RxOctets, ""
	},
	"sent": func(e *entry) (uint64, string) {
		if e.ours == nil {
			return e.other.TxOctets, ""
		}
		return e.ours.Counters.TxOctets, ""
	},
}

// inOrder puts ours first, by tunnel and session.
func (e *entry) inOrder() (uint64, string) {
	if e.ours == nil {
		return 1 << 32, ""
	}
	return uint64(e.ours.LocalTunnel)<<16 | uint64(e.ours.LocalID), ""
}

func inBits(a netip.Addr) string {
	a = a.Unmap()
	bits, _ := a.MarshalBinary()
	return fmt.Sprintf("%03d%s", a.BitLen(), base64Order.EncodeToString(bits))
}

// base64Order keeps octets in order, and is text for the cursor.
var base64Order = base64.NewEncoding("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz").WithPadding(base64.NoPadding)

func instant(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(0, t.UnixNano()))
}

func (e *entry) name() string {
	if e.ours == nil {
		return e.other.Session
	}
	return e.ours.Name
}

func (e *entry) user() string {
	if e.ours == nil {
		return e.other.Name
	}
	return e.ours.User
}

func (e *entry) account() string {
	if e.ours == nil {
		return e.other.Account
	}
	return e.ours.Account
}

func (e *entry) domain() string {
	if e.ours == nil {
		return e.other.Domain
	}
	return e.ours.Domain
}

func (e *entry) address() netip.Addr {
	if e.ours == nil {
		return e.other.Address
	}
	return e.ours.Address
}

func (e *entry) peer() netip.AddrPort {
	if e.ours == nil {
		return e.other.Peer
	}
	return e.ours.Remote
}

func (e *entry) phase() string {
	if e.ours == nil {
		return onNAS
	}
	return e.ours.Phase
}

func (e *entry) pool() string {
	if e.ours == nil {
		return e.other.Pool
	}
	return e.ours.Pool
}

func (e *entry) since() time.Time {
	if e.ours == nil {
		return e.other.Started
	}
	return e.ours.Since
}

func (e *entry) hasText(part string) bool {
	texts := []string{e.name(), e.user(), e.account(), e.domain()}
	if e.ours == nil {
		texts = append(texts, e.other.TunnelName, e.other.CallingNumber, e.other.CalledNumber)
	} else {
		texts = append(texts, e.ours.HostName, e.ours.CallingNumber, e.ours.CalledNumber)
	}
	for _, text := range texts {
		if containsFold(text, part) {
			return true
		}
	}
	return strings.HasPrefix(e.address().Unmap().String(), part) || strings.HasPrefix(e.peer().Addr().Unmap().String(), part)
}

// containsFold is told the part in small letters.
func containsFold(text, part string) bool { return strings.Contains(strings.ToLower(text), part) }

func (e *entry) view(now time.Time) Session {
	if e.ours == nil {
		return sessionElsewhere(e.other, now)
	}
	return sessionFrom(e.ours, now)
}

func (f *SessionFilter) matches(e *entry) bool {
	return (f.User == "" || f.User == e.user() || f.User == e.account()) &&
		(f.Domain == "" || strings.EqualFold(f.Domain, e.domain())) &&
		(f.Session == "" || f.Session == e.name()) &&
		(!f.Address.IsValid() || f.Address == e.address().Unmap()) &&
		(!f.Peer.IsValid() || f.Peer.Contains(e.peer().Addr().Unmap())) &&
		(f.Phase == "" || f.Phase == e.phase()) &&
		(f.Pool == "" || f.Pool == e.pool()) &&
		(f.Search == "" || e.hasText(strings.ToLower(f.Search)))
}

// sessionQuery is what was asked for.
type sessionQuery struct {
	SessionFilter
	limit int
	after *place
	key   func(*entry) (uint64, string)
	down  bool
}

func readSessionQuery(r *http.Request) (q sessionQuery, err error) {
	values := r.URL.Query()
	q.User, q.Domain, q.Session = values.Get("user"), values.Get("domain"), values.Get("session")
	q.Phase, q.Pool, q.Search = values.Get("phase"), values.Get("pool"), values.Get("search")
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

func (p place) cursor() string {
	text, _ := json.Marshal(p) // strings and a number
	return base64.RawURLEncoding.EncodeToString(text)
}

// page sorts what matches and cuts out the page. total is how many match, on all pages.
func (q *sessionQuery) page(all []entry) (page []entry, total int, next string) {
	list := all[:0]
	for i := range all {
		if e := &all[i]; q.matches(e) {
			e.Number, e.Text = q.key(e)
			e.Name = e.name()
			list = append(list, *e)
		}
	}
	order := func(a, b entry) int { return a.compare(b.place) }
	if q.down {
		order = func(a, b entry) int { return b.compare(a.place) }
	}
	slices.SortFunc(list, order)
	total, page = len(list), list
	if q.after != nil {
		from, _ := slices.BinarySearchFunc(list, entry{place: *q.after}, order)
		if from < len(list) && list[from].place == *q.after {
			from++
		}
		page = list[from:]
	}
	if q.limit > 0 && len(page) > q.limit {
		page = page[:q.limit]
		next = page[q.limit-1].cursor()
	}
	return page, total, next
}

func (s *Server) sessions(r *http.Request) (any, error) {
	q, err := readSessionQuery(r)
	if err != nil {
		return nil, err
	}
	infos := s.cfg.Engine.Sessions()
	records, missing := s.elsewhere(r.Context(), q.SessionFilter)
	all := make([]entry, 0, len(infos)+len(records))
	for i := range infos {
		all = append(all, entry{ours: &infos[i]})
	}
	for i := range records {
		all = append(all, entry{other: &records[i]})
	}
	page, total, next := q.page(all)
	list, now := make([]Session, len(page)), s.cfg.Now()
	for i := range page {
		list[i] = page[i].view(now)
		if len(page) > plotted && list[i].Line != nil {
			list[i].Line.Recent = nil
		}
	}
	return sessionList{list, total, next, missing}, nil
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
