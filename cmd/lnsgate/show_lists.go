package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"lnsgate/lns/admin"
)

func tunnelView() view {
	return view{
		name:  "tunnels",
		short: "List the L2TP tunnels",
		long: `One line per tunnel, by local id. LocalTID is the id we chose, RemoteTID the one the peer chose. Several clients
behind one NAT address differ in the port. A state other than established that stays for more than a few seconds
means that the peer's answers do not arrive here or ours not there: look at firewalls on the way (UDP 1701).`,
		example: `  lnsgate show tunnels
  lnsgate show tunnels -o json | jq '.[] | select(.state != "established")'`,
		ask: func(ctx context.Context, c *admin.Client) (any, error) { return c.Tunnels(ctx) },
		rows: func(t *table, got any) {
			t.row("LocalTID", "RemoteTID", "RemoteAddress", "Port", "Sessions", "RemoteName", "Group", "State", "Age")
			for _, v := range got.([]admin.Tunnel) {
				t.row(v.LocalID, v.RemoteID, v.RemoteAddress, v.RemotePort, v.Sessions, v.RemoteName, v.Group, v.State,
					duration(v.Age))
			}
		},
	}
}

func sessionView() view {
	var q sessionQuestion
	return view{
		name:  "sessions",
		short: "List the sessions: who is connected",
		long: `One line per session, by local ids, and behind them those that other NASes carry (phase "on NAS", with figures as of
their last record). Session is what "lnsgate kick" takes: LocalTID/LocalSID, or what records call it. In is from the
peer, Out is to the peer. A session without an address has not finished its login: its phase says where it stands.
Of many sessions the table shows the first thousand and tells how many there are; -o json has all.`,
		example: `  lnsgate show sessions
  lnsgate show sessions --user anna@sales
  lnsgate show sessions --sort -received --limit 10
  lnsgate show sessions --domain sales -o json | jq length`,
		flags: q.flags,
		ask:   q.ask,
		rows: func(t *table, got any) {
			t.row("Session", "RemoteSID", "RemoteAddress", "User", "Domain", "Address", "Phase", "UpSince", "Duration",
				"In", "Out", "MRU")
			for _, v := range got.([]admin.Session) {
				t.row(v.Session, known(v.RemoteID), v.RemoteAddress, v.User, v.Domain, holds(v.Address, v.IPv6), v.Phase, moment(v.UpSince),
					duration(v.Up), octets(v.RxOctets), octets(v.TxOctets), known(v.MRU))
			}
		},
	}
}

func poolView() view {
	return view{
		name:  "pools",
		short: "List the address pools and how full they are",
		long: `One line per pool, in the order of the configuration. Quarantined addresses were given back a moment ago and rest;
static ones are reserved for accounts. A pool with nothing free refuses logins, unless its domain names a next pool.`,
		example: `  lnsgate show pools`,
		ask:     func(ctx context.Context, c *admin.Client) (any, error) { return c.Pools(ctx) },
		rows: func(t *table, got any) {
			t.row("Pool", "Size", "Leased", "Quarantined", "Static", "Free", "Used")
			for _, v := range got.([]admin.Pool) {
				t.row(v.Name, v.Size, v.Leased, v.Quarantined, v.Static, v.Free, percent(v.Size-min(v.Free, v.Size), v.Size))
			}
		},
	}
}

func domainView() view {
	return view{
		name:  "domains",
		short: "List the domains: who checks their users and what they get",
		long: `One line per domain, in the order of the configuration. The default domain, marked *, serves names typed without
a domain. Authentication lists the back ends in the order they are asked, Pools in the order they are used.`,
		example: `  lnsgate show domains`,
		ask:     func(ctx context.Context, c *admin.Client) (any, error) { return c.Domains(ctx) },
		rows: func(t *table, got any) {
			t.row("Domain", "Default", "Sessions", "Authentication", "Methods", "Pools", "DNS", "SessionTimeout", "IdleTimeout")
			for _, v := range got.([]admin.Domain) {
				t.row(v.Name, mark(v.Default), v.Sessions, strings.Join(v.Authentication, ","), strings.Join(v.Methods, ","),
					strings.Join(v.Pools, ","), addresses(v.DNS), limit(v.SessionTimeout), limit(v.IdleTimeout))
			}
		},
	}
}

func radiusView() view {
	return view{
		name:  "radius",
		short: "List the RADIUS servers and how they are",
		long: `One line per server and role. An alive server answers; a zombie left a request unanswered lately; a dead one is asked
again when it answers a Status-Server. Discarded counts replies that were thrown away: -o json says why. "forged" there
means a wrong secret, or somebody who pretends to be the server.`,
		example: `  lnsgate show radius`,
		ask:     func(ctx context.Context, c *admin.Client) (any, error) { return c.RADIUS(ctx) },
		rows: func(t *table, got any) {
			t.row("Group", "Role", "Address", "Transport", "State", "Since", "RTT", "InFlight", "Requests", "Resent", "TimedOut", "Discarded", "Fault")
			for _, v := range got.([]admin.RADIUSServer) {
				var discarded uint64
				for _, n := range v.Discarded {
					discarded += n
				}
				t.row(v.Group, v.Role, v.Address, v.Transport, v.State, moment(v.Since), v.RTT.Round(10*time.Microsecond), v.InFlight+v.Queued,
					v.Requests, v.Resent, v.TimedOut, discarded, v.Fault)
			}
		},
	}
}

func counterView() view {
	return view{
		name:  "counters",
		short: "List the counters: what was carried, refused and dropped, by reason",
		long: `One line per counter, by name, since the server started; names that end in _now tell how it is at this moment. Run it
twice and compare: a drop counter that grows names the reason why packets or logins are lost. With a database, db_ are
its connections, changes, logins and leases, and spool_ the accounting records: spool_waiting_now counts those that wait
for it.`,
		example: `  lnsgate show counters | grep drop`,
		ask:     func(ctx context.Context, c *admin.Client) (any, error) { return c.Counters(ctx) },
		rows: func(t *table, got any) {
			counters := got.(map[string]uint64)
			t.row("Counter", "Value")
			for _, name := range slices.Sorted(maps.Keys(counters)) {
				t.row(name, counters[name])
			}
		},
	}
}
