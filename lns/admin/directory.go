package admin

import (
	"context"
	"net/netip"
	"time"

	"lnsgate/aaa"
)

// Directory is what is stored and can be changed while the server runs: accounts, domains, pools and NASes. Who changes it stands
// in the context ([ActorOf]). Its errors are *[Error] with the status that they mean, or faults of the store. It is safe for
// concurrent use.
type Directory interface {
	Accounts(context.Context, AccountFilter) ([]Account, error)
	// AddAccount returns what became of the password, in words; empty: there is none.
	AddAccount(ctx context.Context, name string, c AccountChange) (note string, err error)
	SetAccount(ctx context.Context, name string, c AccountChange) (note string, err error)
	DeleteAccount(ctx context.Context, name string) error

	// Domains lists the domain of this name, or all when it is empty.
	Domains(ctx context.Context, name string) ([]StoredDomain, error)
	AddDomain(ctx context.Context, name string, c DomainChange) error
	SetDomain(ctx context.Context, name string, c DomainChange) error
	DeleteDomain(ctx context.Context, name string) error

	// Pools lists the pool of this name, or all when it is empty.
	Pools(ctx context.Context, name string) ([]StoredPool, error)
	AddPool(ctx context.Context, name string, c PoolChange) error
	SetPool(ctx context.Context, name string, c PoolChange) error
	// DrainPool has the pool, or one of its ranges as it was written, give no new leases, or give them again.
	DrainPool(ctx context.Context, name, written string, drain bool) error
	DeletePool(ctx context.Context, name string) error

	// Profiles lists the profile of this name, or all when it is empty.
	Profiles(ctx context.Context, name string) ([]Profile, error)
	AddProfile(ctx context.Context, name string, settings map[string]any) error
	SetProfile(ctx context.Context, name string, settings map[string]any) error
	DeleteProfile(ctx context.Context, name string) error

	// NASes lists the NAS of this name, or all when it is empty.
	NASes(ctx context.Context, name string) ([]StoredNAS, error)
	AddNAS(ctx context.Context, name string, settings map[string]any) error
	SetNAS(ctx context.Context, name string, settings map[string]any) error
	DeleteNAS(ctx context.Context, name string) error

	Nodes(context.Context) ([]Node, error)
	ForgetNode(ctx context.Context, name string, force bool) (Forgotten, error)

	WhoHad(ctx context.Context, address netip.Addr, at time.Time) ([]Holder, error)
}

// AccountChange is what to do with one account: settings by column, nil for the default. Nil leaves a part as it is.
type AccountChange struct {
	Settings map[string]any
	Password *aaa.Secret
	Address  *string // its fixed address; empty: none
}

// DomainChange is what to do with one domain.
type DomainChange struct {
	Settings map[string]any
	Pools    *[]string // instead of all, in order
	Aliases  *[]string // instead of all
}

// PoolChange is what to do with one pool. Ranges are written first-last, as a network, or as one address.
type PoolChange struct {
	Settings                map[string]any
	Ranges, Exclude         []string // to add
	DropRanges, DropExclude []string // exactly as they were written
}

// AddressBook tells the state of each address of a pool. It is safe for concurrent use.
type AddressBook interface {
	// Ranges are those of the pool, without what is excluded. Its error is an *[Error] when there is no such pool.
	Ranges(ctx context.Context, pool string) ([]string, error)
	// Addresses lists at most limit of them, in order, those behind after; a zero after means from the first on.
	Addresses(ctx context.Context, pool string, after netip.Addr, limit int) ([]AddressState, error)
}
