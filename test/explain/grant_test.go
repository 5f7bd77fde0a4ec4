package explain

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/lns"
	"lnsgate/lns/trace"
	"lnsgate/pool"
	"lnsgate/test/peers"
)

func grants(g aaa.Grant) func(*lab) { return elsewhere(aaatest.Answer{Grant: g}) }

// grantRows are logins whose password is right, and which get what cannot be.
func grantRows() []row {
	return []row{
		{cause: trace.Misconfigured, how: "our own address for a peer", says: []string{"no peer can have the address of a virtual template"},
			set: grants(aaa.Grant{Address: netip.MustParseAddr("10.10.0.1")}), play: typed("carol", password)},
		{cause: trace.NoSuchPool, how: "a pool that does not exist", says: []string{`no pool named "cellar"`},
			set: grants(aaa.Grant{Pools: []string{"cellar"}}), play: typed("carol", password)},
		{cause: trace.NoSuchFilter, how: "a filter that does not exist", says: []string{`no filter "office"`},
			set: grants(aaa.Grant{Filter: "office"}), play: typed("carol", password)},
		{cause: trace.NoSuchTemplate, how: "a virtual template that does not exist", says: []string{`"vt9"`},
			set: func(l *lab) { l.domain.VirtualTemplate = "vt9" }, play: typed("alice", password)},
		{cause: trace.RouteTaken, how: "a network that is headquarters'", says: []string{"10.20.7.0/24", "headquarters"},
			set: func(l *lab) {
				l.accounts[0].Routes = []netip.Prefix{netip.MustParsePrefix("10.20.7.0/24")}
				reserve(l, lns.Reserved{Network: netip.MustParsePrefix("10.20.0.0/16"), What: "headquarters"})
			}, play: typed("alice", password)},
		{cause: trace.NoAddress, how: "a pool that is full", says: []string{"domain default: ", "pool pool1: 1 of 1 leased"},
			set: func(l *lab) { l.pools[0].Ranges = []pool.Range{mustRange("10.10.1.10")} },
			play: func(l *lab) {
				l.up(l.alice())
				typed("bob@default", password)(l)
			}},
		{cause: trace.AddressInUse, how: "the address of another", says: []string{"10.10.1.77 is in use"},
			set: func(l *lab) {
				l.accounts[0].Address, l.accounts[1].Address = netip.MustParseAddr("10.10.1.77"), netip.MustParseAddr("10.10.1.77")
			},
			play: func(l *lab) {
				l.up(l.alice())
				typed("bob@default", password)(l)
			}},
		{cause: trace.NoPool, how: "a domain without pools", set: func(l *lab) { l.domain.Pools = nil }, play: typed("alice", password)},
		{cause: trace.AddressFault, how: "pools that cannot be asked", says: []string{"connection refused"},
			set: func(l *lab) { l.deps.Pools = &faultyPools{fault: errors.New("connection refused")} }, play: typed("alice", password)},
		{cause: trace.DataPathFault, how: "no room in the data path", says: []string{"no buffer space"},
			set: func(l *lab) { l.path.fault = errors.New("no buffer space available") }, play: typed("alice", password)},
	}
}

// noIPCP is a peer that has no use for IPv4.
func noIPCP(p *peers.Profile) { p.Network = nil }

func networkRows() []row {
	return []row{
		{cause: trace.IPCPNoAnswer, how: "the peer is silent after its login", says: []string{"10 Configure-Requests sent, none answered"}, play: func(l *lab) {
			p := l.alice(noIPCP)
			p.OnFrame = func(f peers.Frame) bool { return f.Protocol == peers.IPCP }
			l.fails(p, 2*time.Minute)
		}},
		{cause: trace.IPCPNotConverging, how: "an address of its own", says: []string{"the peer insists on address 192.168.1.5; our answer is Configure-Nak: address 10.10.1."},
			play: func(l *lab) {
				p := l.alice(noIPCP)
				ask := func(id uint8) {
					p.Frame(peers.Frame{Protocol: peers.IPCP, Code: peers.ConfigureRequest, ID: id, Data: []byte{3, 6, 192, 168, 1, 5}})
				}
				p.OnFrame = func(f peers.Frame) bool {
					switch {
					case f.Protocol != peers.IPCP:
						return false
					case f.Code == peers.ConfigureRequest:
						p.Frame(peers.Frame{Protocol: peers.IPCP, Code: peers.ConfigureAck, ID: f.ID, Data: f.Data})
						ask(1)
					case f.Code == peers.ConfigureNak:
						ask(f.ID + 1)
					}
					return true
				}
				l.fails(p, 2*time.Minute)
			}},
		{cause: trace.IPCPRejected, how: "Protocol-Reject", play: func(l *lab) { l.fails(l.alice(noIPCP), time.Minute) }},
		{cause: trace.PeerClosedIPCP, how: "the peer closes IPCP", play: func(l *lab) {
			p := l.up(l.alice())
			p.Frame(peers.Frame{Protocol: peers.IPCP, Code: peers.TerminateRequest, ID: 8})
			p.Run(10 * time.Second)
		}},
	}
}

// lifeRows are about sessions that were open.
func lifeRows() []row {
	ctx := context.Background()
	return []row{
		{cause: trace.LoggedIn, how: "all is well", play: func(l *lab) { l.up(l.alice()) }},
		{cause: trace.IdleTimeout, how: "no traffic", says: []string{"2m0s"}, set: func(l *lab) { l.domain.IdleTimeout = 2 * time.Minute },
			play: func(l *lab) { l.up(l.alice()).Run(3 * time.Minute) }},
		{cause: trace.SessionTimeout, how: "time is over", says: []string{"2m0s"}, set: func(l *lab) { l.domain.SessionTimeout = 2 * time.Minute },
			play: func(l *lab) { l.up(l.alice()).Run(3 * time.Minute) }},
		{cause: trace.Kicked, how: "kick", says: []string{"lunch"}, play: func(l *lab) {
			p := l.up(l.alice())
			_, err := l.server.Kick(ctx, "alice", "lunch")
			l.must(err)
			p.Run(10 * time.Second)
		}},
		{cause: trace.Requested, how: "Disconnect-Request", says: []string{"by radius1"}, play: func(l *lab) {
			p := l.up(l.alice())
			l.server.Disconnect(ctx, l.server.Find(ctx, aaa.Match{})[0].Session, "by radius1")
			p.Run(10 * time.Second)
		}},
		{cause: trace.AccountChanged, how: "the account is gone", says: []string{"unknown user"}, play: func(l *lab) {
			p := l.up(l.alice())
			l.accounts = l.accounts[1:]
			l.regate()
			l.must(l.server.Reauthorize(ctx, func(lns.SessionInfo) bool { return true }))
			p.Run(10 * time.Second)
		}},
		{cause: trace.Displaced, how: "the same account dials again", says: []string{"alice logged in again"},
			set: func(l *lab) { l.accounts[0].Address = netip.MustParseAddr("10.10.1.77") },
			play: func(l *lab) {
				l.up(l.alice())
				l.up(l.alice())
			}},
		{cause: trace.LeaseLost, how: "the lease could not be renewed", says: []string{"the database"}, play: func(l *lab) {
			p := l.up(l.alice())
			l.server.LoseLease(ctx, l.server.Find(ctx, aaa.Match{})[0].Session, "the lease could not be renewed in the database")
			p.Run(10 * time.Second)
		}},
	}
}
