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
//   - Common: leases has a row for it in state quarantine. Whoever changes that row to bound has it, be it the owner of
//     the block or another node; the row lock and the primary key (routing_context, address) decide. Allocate returns
//     only after the commit. Released addresses, static addresses and all addresses of small pools are common.
//   - Held: the row says bound.
//
// So a private address is unique without a commit, over nodes because only one of them owns the block (an exclusion
// constraint refuses overlapping blocks), and over a crash of this node because the block stays with it until its expiry
// and a grace time have passed, when the sessions of a dead process cannot be alive any more. All other addresses need
// the commit, and get it.
//
// # Blocks
//
// A node cuts blocks out of a pool when it needs them, or takes one that nobody owns (FOR UPDATE SKIP LOCKED). It renews
// all of them after a third of their life and reports, through Config.Lost, every lease that it may hold no longer. It
// stops giving addresses away a sixth of the life before the blocks expire. While the database is away a node lives on
// its private addresses; it keeps a reserve of them (Config.LowWater) and uses common addresses first.
//
// Pools too small for eight blocks of four addresses for each node have no blocks: all their addresses are common. When
// a bigger pool has nothing left to cut, the nodes make their private addresses common, so that none is stranded.
//
// # Who does the work
//
// One goroutine, [Allocator.Run], makes all changes in the database, in groups: what is asked while one group is being
// written is the next group. Allocate and Release touch memory only, or wait for that goroutine.
package postgres
