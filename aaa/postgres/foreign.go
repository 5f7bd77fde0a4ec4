package postgres

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// ForeignSessions are the live sessions of other NASes, of all nodes, and what their NASes are to be told. It is a foreign.Store.
// It learns of records by way of a Recorder: one that still waits in a spool is not found yet. It is safe for concurrent use.
type ForeignSessions struct {
	db    *database
	node  string
	page  int
	seeks *gathering[sought]
}

var _ foreign.Store = (*ForeignSessions)(nil)

// NewForeignSessions makes the store of a node. Its errors are *aaa.Rejections that are Retryable.
func NewForeignSessions(pool *Pool, node string) *ForeignSessions {
	f := &ForeignSessions{db: newDatabase(pool, 0), node: node, page: mostFound}
	f.seeks = newCrowd(maxSought, seeksAtOnce, f.seek)
	return f
}

// Put does nothing: the Recorder has written the record, or will.
func (f *ForeignSessions) Put(context.Context, aaa.Record) error { return nil }

// Live implements foreign.Store. It reads all sessions.
func (f *ForeignSessions) Live(ctx context.Context) (live map[string]int, err error) {
	err = f.db.ask(ctx, "count the sessions of other NASes", func(ctx context.Context) error {
		live = make(map[string]int)
		rows, err := f.db.pool.Query(ctx, "SELECT coalesce(nas_client, ''), count(*) FROM sessions WHERE nas IS NOT NULL GROUP BY 1")
		if err != nil {
			return err
		}
		var client string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&client, &n}, func() error { live[client] = n; return nil })
		return err
	})
	return live, err
}

// Find implements foreign.Store. Sessions are found by an index when Session, Name, Account, Domain or NAS is set; else all of
// other NASes are read. Those that are asked for by Session alone, as each new one of a NAS is, are looked for together.
func (f *ForeignSessions) Find(ctx context.Context, q foreign.Query) (found []aaa.Record, err error) {
	if q == (foreign.Query{Session: q.Session, Limit: q.Limit}) && q.Session != "" {
		return f.findOne(ctx, q.Session)
	}
	sql, args, indexed := foreignQuery(&q)
	if !indexed && q.SilentAt.IsZero() && q.Limit == 0 {
		return f.findAll(ctx, &q)
	}
	err = f.db.ask(ctx, "find sessions of other NASes", func(ctx context.Context) error {
		found = nil
		read := func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, foreignRecord)
			return err
		}
		if indexed {
			return byIndex(ctx, f.db.pool, read, sql, args...)
		}
		rows, err := f.db.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		return read(rows)
	})
	return found, err
}

// mostFound is how many sessions are read at a time when all are. So many are there long before a question has to be answered.
const mostFound = 20_000

// pageQuery words a query for some sessions, by their names. The last argument is the name before.
func (f *ForeignSessions) pageQuery(q *foreign.Query) (sql string, args []any) {
	conditions, args, _ := foreignConditions(q)
	args = append(args, "")
	return fmt.Sprintf("SELECT %s FROM sessions s WHERE %s AND s.id > $%d ORDER BY s.id LIMIT %d", foreignSelected, conditions, len(args), f.page), args
}

// findAll reads sessions page by page.
func (f *ForeignSessions) findAll(ctx context.Context, q *foreign.Query) (all []aaa.Record, err error) {
	sql, args := f.pageQuery(q)
	for more := true; more; {
		var found []aaa.Record
		err = f.db.ask(ctx, "read the sessions of other NASes", func(ctx context.Context) error {
			return byIndex(ctx, f.db.pool, func(rows pgx.Rows) (err error) {
				found, err = pgx.CollectRows(rows, foreignRecord)
				return err
			}, sql, args...)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if more = len(found) == f.page; more {
			args[len(args)-1] = found[f.page-1].Session
		}
	}
	slices.SortFunc(all, func(a, b aaa.Record) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Session, b.Session))
	})
	return all, nil
}

// How many sessions one question asks for, and how many such questions there are at once.
const (
	maxSought   = 500
	seeksAtOnce = 2
)

// sought is a session that is asked for.
type sought struct {
	session string
	found   []aaa.Record // one at most
}

func (f *ForeignSessions) findOne(ctx context.Context, session string) ([]aaa.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, f.db.timeout)
	defer cancel()
	s := &sought{session: cleanText(session)}
	if err := f.seeks.do(ctx, s); err != nil {
		return nil, f.db.failure(ctx, "find a session of another NAS", err)
	}
	return s.found, nil
}

// seek is a round of seeks.
func (f *ForeignSessions) seek(ctx context.Context, round []*sought) error {
	ctx, cancel := context.WithTimeout(ctx, f.db.timeout)
	defer cancel()
	ids := make([]string, len(round))
	for i, s := range round {
		ids[i] = s.session
	}
	last, err := f.lastRecords(ctx, ids)
	for _, s := range round {
		if r, there := last[s.session]; there {
			s.found = []aaa.Record{r}
		}
	}
	return err
}

// Only sessions of other NASes have no epoch.
const sqlLastRecords = "SELECT " + foreignSelected + " FROM sessions s WHERE s.id = ANY ($1) AND s.epoch IS NULL"

// lastRecords reads sessions by their names.
func (f *ForeignSessions) lastRecords(ctx context.Context, ids []string) (last map[string]aaa.Record, err error) {
	err = f.db.persist(ctx, func(ctx context.Context) error {
		last = make(map[string]aaa.Record, len(ids))
		return byIndex(ctx, f.db.pool, func(rows pgx.Rows) error {
			records, err := pgx.CollectRows(rows, foreignRecord)
			for _, r := range records {
				last[r.Session] = r
			}
			return err
		}, sqlLastRecords, ids)
	})
	return last, err
}

// foreignQuery words a query. The conditions on a column that is indexed come by themselves, so that the plan is theirs.
func foreignQuery(q *foreign.Query) (sql string, args []any, indexed bool) {
	conditions, args, indexed := foreignConditions(q)
	sql = "SELECT " + foreignSelected + " FROM sessions s WHERE " + conditions + " ORDER BY s.started_at, s.id"
	if q.Limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", q.Limit)
	}
	return sql, args, indexed
}

// foreignConditions are those of a query. Indexed: there is a condition on a column with an index, and the plan is to be its.
func foreignConditions(q *foreign.Query) (conditions string, args []any, indexed bool) {
	where := []string{"s.nas IS NOT NULL"}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, field := range []struct {
		column, value string
		indexed       bool
	}{
		{"id", q.Session, true}, {"nas", q.NAS, true}, {"nas_session", q.NASID, false}, {"account", q.Account, true},
		{"name", q.Name, true}, {"domain", q.Domain, true}, {"nas_client", q.Client, false},
	} {
		if field.value != "" {
			add("s."+field.column+" = $%d", cleanText(field.value))
			indexed = indexed || field.indexed
		}
	}
	if !q.Before.IsZero() {
		add("s.started_at < $%d", q.Before)
	}
	if !q.SilentAt.IsZero() { // it may lie in the future, as seen from here
		add("s.heard_at + "+sqlPatience+" < now() + $%d::bigint * interval '1 us'", time.Until(q.SilentAt).Microseconds())
	}
	return strings.Join(where, " AND "), args, indexed
}

// sqlPatience is foreign.Patience.
const sqlPatience = `CASE WHEN s.interim > '0' THEN 3 * s.interim + interval '2 min' ELSE interval '24 h' END`

// foreignSelected are the columns that foreignRecord reads.
const foreignSelected = `s.id, s.node, coalesce(s.sequence, 0), s.updated_at, s.started_at, s.name, s.account, coalesce(s.domain, ''),
	coalesce(s.method, ''), coalesce(s.backend, ''), s.address, coalesce(s.pool, ''), s.peer, coalesce(s.peer_name, ''),
	coalesce(s.calling_number, ''), coalesce(s.called_number, ''), s.octets_up, s.octets_down, s.packets_up, s.packets_down,
	s.nas, coalesce(s.nas_client, ''), s.nas_address, coalesce(s.nas_identifier, ''), coalesce(s.nas_session, ''),
	coalesce(s.nas_port, 0), coalesce(s.nas_port_id, ''), coalesce(s.user_name, ''), s.cui, s.class, s.sinks,
	s.rate_up, coalesce(s.rate_down, 0), coalesce(s.filter, ''), (extract(epoch FROM coalesce(s.session_timeout, '0')) * 1000000)::bigint,
	(extract(epoch FROM coalesce(s.idle_timeout, '0')) * 1000000)::bigint, (extract(epoch FROM coalesce(s.interim, '0')) * 1000000)::bigint,
	s.ipv6_prefix, s.delegated_prefix`

// foreignRecord reads a row as the record that wrote it.
func foreignRecord(row pgx.CollectableRow) (aaa.Record, error) {
	r := aaa.Record{Kind: aaa.RecordInterim, NAS: &aaa.NAS{}}
	var method string
	var address, peer, nasAddress *netip.Addr
	var up, down, packetsUp, packetsDown, port, rateDown, session, idle, interim int64
	var rateUp *int64 // null: the terms are not known
	var class []byte
	var filter string
	var prefix, delegated *netip.Prefix
	err := row.Scan(&r.Session, &r.Node, &r.Sequence, &r.At, &r.Started, &r.Name, &r.Account, &r.Domain,
		&method, &r.Backend, &address, &r.Pool, &peer, &r.TunnelName,
		&r.CallingNumber, &r.CalledNumber, &up, &down, &packetsUp, &packetsDown,
		&r.NAS.Name, &r.NAS.Client, &nasAddress, &r.NAS.Identifier, &r.NAS.Session,
		&port, &r.NAS.PortID, &r.UserName, &r.CUI, &class, &r.Sinks,
		&rateUp, &rateDown, &filter, &session, &idle, &interim, &prefix, &delegated)
	if err != nil {
		return r, err
	}
	if r.Sequence == 1 {
		r.Kind = aaa.RecordStart
	}
	r.Method, _ = aaa.ParseMethod(method) // what an administrator wrote there is none
	r.Address, r.NAS.Address = addressOf(address), addressOf(nasAddress)
	r.IPv6.Prefix, r.IPv6.Delegated = value(prefix), value(delegated)
	r.Peer = netip.AddrPortFrom(addressOf(peer), 0)
	r.NAS.Port = uint32(port)
	r.RxOctets, r.TxOctets, r.RxPackets, r.TxPackets = uint64(up), uint64(down), uint64(packetsUp), uint64(packetsDown)
	r.Class = unpackClass(class)
	r.At, r.Started, r.Sinks = r.At.UTC(), r.Started.UTC(), slices.Clip(r.Sinks)
	if rateUp != nil {
		r.Terms = &aaa.Terms{RateUp: uint64(*rateUp), RateDown: uint64(rateDown), Filter: filter,
			SessionTimeout: microseconds(session), IdleTimeout: microseconds(idle), Interim: microseconds(interim)}
	}
	return r, nil
}
