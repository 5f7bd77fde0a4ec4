// Package postgres allocates addresses from pools that live in PostgreSQL and are shared by many nodes. It does not
// define pools, accounts or the schema, and it does not listen for changes: whoever does calls [Allocator.Refresh].
//
// # Who may give an address away
//
// An address is in one of three hands.
//
//   - Private: it lies in a block (a row of pool_blocks) that this node owns, and the table leases has no row for it, or
//     one that says that it is bound to this node. Nobody else may touch it. Allocate returns it at once, and the row is
//     written a few milliseconds later, many rows in one statement.
//   - Common: leases has a row for it in state quarantine or offered. Whoever changes that row to bound has it, be it the owner of
//     the block or another node; the row lock and the primary key (routing_context, address) decide. Allocate returns
//     only after the commit. Released addresses, static addresses and all addresses of small pools are common.
//   - Held: the row says bound, or offered and not yet run out.
//
// So a private address is unique without a commit, over nodes because only one of them owns the block (an exclusion
// constraint refuses overlapping blocks), and over a crash of this node because the block stays with it until its expiry
// and a grace time have passed, when the sessions of a dead process cannot be alive any more. All other addresses need
// the commit, and get it.
//
// # Blocks
//
// A node cuts blocks out of a pool when it needs them, or takes one that nobody owns (FOR UPDATE SKIP LOCKED). It renews
// all of them after a third of their life and stops giving addresses away a sixth of the life before they expire. While
// the database is away a node lives on its private addresses; it keeps a reserve of them (Config.LowWater) and uses
// common addresses first.
//
// Pools too small for eight blocks of four addresses for each node have no blocks: all their addresses are common. When
// a bigger pool has nothing left to cut, the nodes make their private addresses common, so that none is stranded.
//
// # Prefixes
//
// A pool of IPv6 prefixes works like one of addresses. A prefix is known by its first address, with its length beside it, so the
// same statements and the same primary key serve both, and blocks count prefixes. Prefixes of different lengths may share
// addresses without sharing the first: the constraint leases_overlap refuses that, and the schema lets no pool give another
// length where sessions still hold prefixes. An exact prefix that shares addresses with one in use is answered with
// *[pool.InUseError]; a private one that the constraint refuses after all ends like any lease that another node has.
//
// # Sessions on other NASes
//
// What is lent to them (see [pool.Keeper]) belongs to no process: the row has no node and no epoch, so it outlives a restart, and
// the death of the node in whose block it lies. Any node may keep it or take it back. Allocate with an Offer, Keep, and
// Release of what was offered return after the commit, many of them in one statement. So a process that crashes has told
// nobody of an address that the table does not know of, and the next one need not leave any alone.
//
// An offered address is common from the beginning, with a date before which nobody gets it. Nobody has to end an offer: when
// the date is past, whoever changes the row has the address, and if that is a late Start it is the session that was told of it.
// Its row stays for ten minutes more before the owner of the block makes the address private again. The owner is not told
// when another node keeps or releases an address of its block. It finds out when it claims the address, and looks at the
// rows of those that others have at every tick, up to 4096 of them.
//
// A kept lease that has run out is put into quarantine by whichever node looks next: every ten ticks, and when a pool is full
// or its Usage is asked for.
//
// Without the database nothing is lent, kept or taken back: the answer is *[UnavailableError], and the NAS asks again. An offer
// that could not be written would be given away a second time by whoever gets the blocks if this process crashed.
//
// # A node that is cut off, or dead
//
// Nobody can tell the one from the other, so both are treated alike. What the administrator gets, counted from the last
// renewal (at most a third of Config.BlockLife before the database went away):
//
//   - Live sessions stay up, and for five sixths of Config.BlockLife (25 of 30 minutes) new ones are let in.
//
//   - After Config.BlockLife the leases end that could not be written any more: those given after the database went away.
//     They are reported through Config.Lost. Config.Grace later the other nodes take the blocks, without the addresses
//     that are bound in the table. These sessions go on, and their leases are renewed when the database is back.
//
//   - After Config.LeaseLife (4 hours) the rest is reported through Config.Lost, and Config.Grace later the other nodes
//     have those addresses too. For so long the addresses in use on a node that died are missing. A process that starts
//     again under its name frees them at once. If there will be none, and the node is surely dead, an administrator does:
//
//     UPDATE leases SET expires_at = '-infinity' WHERE node = 'lns3' AND state = 'bound';
//
// A longer Config.LeaseLife keeps sessions through longer outages and addresses away for longer when a machine is lost.
// It must be the same on all nodes, as must the other two. When the database was away from all nodes nobody takes
// anything until the others had the grace time to come back.
//
// # Who does the work
//
// One goroutine, [Allocator.Run], decides about all changes in the database and has them made in groups: what is asked
// while one group is being written is the next group. The journal is written, and accounts are looked up, at the same
// time, on up to five connections. Allocate and Release touch memory only, or wait for that goroutine.
//
// When one connection breaks the work goes on over another, and nobody who waits is told. The books are compared first,
// because the statement may have been carried out.
package postgres
