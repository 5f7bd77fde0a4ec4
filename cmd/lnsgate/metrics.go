package main

import (
	"context"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
	"lnsgate/configs"
	"lnsgate/lns/admin"
	"lnsgate/lns/admin/metrics"
	"lnsgate/pool"
)

// openMetrics makes the metrics, and says where their figures come from. Nobody asks before all rooms are there.
func (n *node) openMetrics(c *configs.Config) error {
	n.metrics = metrics.New(n.log)
	source := metrics.Source{
		Version:  buildVersion(),
		Node:     c.Node,
		Counters: func() map[string]uint64 { return n.figures().Counters() },
		Pools:    func(ctx context.Context) ([]pool.Usage, error) { return n.pools.Usage(ctx) },
		Domains:  n.domainNames,
		RADIUS:   func() []metrics.RADIUSServer { return measured(n.radius.servers()) },
		Spools:   func() []metrics.Spool { return n.spools() },
		Recorder: func() metrics.Recorder {
			s := n.recorder.Stats()
			return metrics.Recorder{Live: s.Live, Kept: s.Kept, Octets: s.Octets, Unwatched: s.Unwatched}
		},
	}
	if c.Database.Given() {
		source.Database = func() metrics.Database { return n.db.measured() }
	}
	n.metrics.Ask(source)
	return nil
}

// figures are the engine's and those of the rooms beneath it.
func (n *node) figures() figures {
	return figures{n.engine, n.transport, n.path, n.db, n.radius, n.books, n.authorization, n.answering, n.eap, n.fast, n.bans, n.guesses}
}

func (n *node) domainNames() []string {
	all, _ := n.gateway.domains()
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

// attempts is where it is written down what came of logins, counted on the way.
func (n *node) attempts() aaa.AttemptLog {
	if n.db == nil {
		return n.metrics.Attempts(nil)
	}
	return n.metrics.Attempts(n.db.attempts)
}

// metricsMount shows the metrics to whoever may see the server, or to everybody if the file says so.
func (n *node) metricsMount() admin.Mount {
	mount := admin.Mount{Pattern: "GET /metrics", Role: admin.View, Handler: n.metrics.Handler(), About: "The metrics, for Prometheus.", Media: "text/plain"}
	if n.config.Admin.MetricsOpen {
		mount.Role = admin.Nobody
	}
	return mount
}

// measured are the figures of RADIUS servers. One that is being probed after its death is not up yet.
func measured(servers []admin.RADIUSServer) []metrics.RADIUSServer {
	all := make([]metrics.RADIUSServer, len(servers))
	for i := range servers {
		s := &servers[i]
		all[i] = metrics.RADIUSServer{
			Group: s.Group, Role: s.Role, Address: s.Address, Up: s.State != "dead" && s.State != "probing", RTT: s.RTT, InFlight: s.InFlight + s.Queued,
			Requests: s.Requests, Resent: s.Resent, Answered: s.Answered, TimedOut: s.TimedOut, Discarded: s.Discarded,
		}
	}
	return all
}

// spools are those of the database and of each RADIUS group.
func (n *node) spools() []metrics.Spool {
	all := n.books.spools()
	if n.db != nil {
		all = append(all, measuredSpool("database", n.db.spool.Stats()))
	}
	return all
}

func (b *books) spools() []metrics.Spool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var all []metrics.Spool
	for name, book := range b.groups {
		all = append(all, measuredSpool("radius "+name, book.spool.Stats()))
	}
	return all
}

func measuredSpool(name string, s spool.Stats) metrics.Spool {
	return metrics.Spool{Name: name, Waiting: s.Memory + s.Waiting, Accepted: s.Accepted, Delivered: s.Delivered, Lost: s.Lost,
		Fault: s.DiskFault != nil || s.SinkFault != nil}
}

func (d *database) measured() metrics.Database {
	connections, leases := d.pool.Stat(), d.leases.Stats()
	return metrics.Database{Up: leases.Attached, Connections: int(connections.TotalConns()), InUse: int(connections.AcquiredConns()),
		LoginsLost: d.attempts.Lost(), LeasesDebt: uint64(leases.Unwritten)}
}
