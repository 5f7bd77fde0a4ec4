package admin

import (
	"net/netip"
	"time"
)

// Account is an account as it works in the end: what it does not say itself its profile or its domain says. Fields that are null
// are not set. It never holds a password.
type Account struct {
	Name           string         `json:"name"` // exactly as it has to be typed
	Domain         *string        `json:"domain"`
	Status         string         `json:"status"`   // active, disabled, domain blocked, not yet valid, expired
	Password       []string       `json:"password"` // the forms in which the password is stored
	Profile        *string        `json:"profile"`
	Addresses      []netip.Addr   `json:"addresses"` // fixed ones of its own
	Pools          []string       `json:"pools"`
	DNS            []netip.Addr   `json:"dns"`
	NBNS           []netip.Addr   `json:"nbns"`
	SessionTimeout *float64       `json:"session_timeout_seconds"`
	IdleTimeout    *float64       `json:"idle_timeout_seconds"`
	MTU            *int           `json:"mtu"`
	RateUp         *int64         `json:"rate_up"`   // from the peer, bits per second
	RateDown       *int64         `json:"rate_down"` // to the peer, bits per second
	MaxSessions    *int           `json:"max_sessions"`
	Sessions       int64          `json:"sessions"`                   // open now, on all nodes
	Routes         []netip.Prefix `json:"routes"`                     // networks behind the peer
	IPv6Prefix     *netip.Prefix  `json:"ipv6_prefix,omitempty"`      // fixed, of its link
	Delegated      *netip.Prefix  `json:"delegated_prefix,omitempty"` // fixed, for the networks behind it
	IPv6Pools      []string       `json:"ipv6_pools,omitempty"`
	DelegatedPools []string       `json:"delegated_pools,omitempty"`
	IPv6DNS        []netip.Addr   `json:"ipv6_dns,omitempty"`
	Description    *string        `json:"description"`
	ValidFrom      *time.Time     `json:"valid_from"`
	ValidUntil     *time.Time     `json:"valid_until"`
	CreatedAt      time.Time      `json:"created_at"`
	ChangedAt      time.Time      `json:"changed_at"`
}

// User is an account and where it is stored.
type User struct {
	Account
	Store string `json:"store"` // file or postgres; only what is in postgres can be changed here
}

// AccountFilter chooses accounts. Empty fields choose all.
type AccountFilter struct {
	Name    string // exactly this one
	Match   string // a part of the name, in small or capital letters alike
	Domain  string
	Status  string
	Address string // fixed
	Profile string
	After   string // names behind this one
	Limit   int    // 0: all
}

// StoredDomain is a domain as it stands in the database.
type StoredDomain struct {
	Name               string         `json:"name"`
	Aliases            []string       `json:"aliases"`
	Description        *string        `json:"description"`
	Blocked            bool           `json:"blocked"`
	Authentication     []string       `json:"authentication"`
	OnBackendError     string         `json:"on_backend_error"` // stop or continue
	Methods            []string       `json:"methods"`          // empty: any
	Pools              []string       `json:"pools"`
	VirtualTemplate    *string        `json:"virtual_template"`
	DNS                []netip.Addr   `json:"dns"`
	NBNS               []netip.Addr   `json:"nbns"`
	ClientRoutes       []netip.Prefix `json:"client_routes,omitempty"` // told to subscribers by DHCP
	DNSSuffix          *string        `json:"dns_suffix,omitempty"`
	IPv6Pools          []string       `json:"ipv6_pools,omitempty"`      // of prefixes for links
	DelegatedPools     []string       `json:"delegated_pools,omitempty"` // of prefixes for the networks behind peers
	IPv6DNS            []netip.Addr   `json:"ipv6_dns,omitempty"`
	SessionTimeout     *float64       `json:"session_timeout_seconds"`
	IdleTimeout        *float64       `json:"idle_timeout_seconds"`
	MTU                *int           `json:"mtu"`
	RateUp             *int64         `json:"rate_up"`
	RateDown           *int64         `json:"rate_down"`
	MaxSessions        *int           `json:"max_sessions"`
	MaxAccountSessions *int           `json:"max_account_sessions"`
	SessionPolicy      string         `json:"session_policy"` // refuse or replace
	AccountingInterim  *float64       `json:"accounting_interim_seconds"`
	Accounts           int64          `json:"accounts"`
	Sessions           int64          `json:"sessions"` // open now, on all nodes
}

// StoredPool is a pool as it stands in the database, with its ranges as they were written.
type StoredPool struct {
	Name           string   `json:"name"`
	Ranges         []string `json:"ranges"`
	Draining       []string `json:"draining_ranges"` // that give no new leases
	Exclude        []string `json:"exclude"`
	RoutingContext string   `json:"routing_context"`
	Family         int      `json:"family"`                  // 4 or 6
	PrefixLength   *int     `json:"prefix_length,omitempty"` // of the prefixes that it gives; null: addresses
	Quarantine     float64  `json:"quarantine_seconds"`
	Sticky         bool     `json:"sticky"`
	Drained        bool     `json:"draining"` // the whole pool gives no new leases
	Domains        []string `json:"domains"`  // that use it
	Description    *string  `json:"description"`
}

// Profile has settings that many accounts share. What it does not say the domain says.
type Profile struct {
	Name           string         `json:"name"`
	Description    *string        `json:"description"`
	MaxSessions    *int           `json:"max_sessions"`
	Pools          []string       `json:"pools"`
	DNS            []netip.Addr   `json:"dns"`
	NBNS           []netip.Addr   `json:"nbns"`
	SessionTimeout *float64       `json:"session_timeout_seconds"`
	IdleTimeout    *float64       `json:"idle_timeout_seconds"`
	MTU            *int           `json:"mtu"`
	RateUp         *int64         `json:"rate_up"`   // from the peer, bits per second
	RateDown       *int64         `json:"rate_down"` // to the peer, bits per second
	Routes         []netip.Prefix `json:"routes"`    // networks behind the peer
	IPv6Pool       *string        `json:"ipv6_pool"`
	DelegatedPool  *string        `json:"delegated_pool"`
	IPv6DNS        []netip.Addr   `json:"ipv6_dns"`
	Accounts       int64          `json:"accounts"` // that have it
}

// StoredNAS is a NAS as it stands in the database, without its secret.
type StoredNAS struct {
	Name                     string       `json:"name"`
	Source                   netip.Prefix `json:"source"`
	Key                      *string      `json:"key"` // that its secret is sealed with; null: it can be read in the database
	CertificateNames         []string     `json:"certificate_names"`
	Type                     string       `json:"type"`
	MessageAuthenticator     string       `json:"message_authenticator"`
	UnsignedProxies          bool         `json:"unsigned_proxies"`
	Addresses                string       `json:"addresses"`
	Domain                   *string      `json:"domain"`
	DefaultDomain            *string      `json:"default_domain"`
	DynamicAuthorizationPort int          `json:"dynamic_authorization_port"`
	Description              *string      `json:"description"`
	Disabled                 bool         `json:"disabled"`
	Sessions                 int64        `json:"sessions"` // open now
}

// Node is a server that shares the database, and what it holds.
type Node struct {
	Name        string      `json:"name"`
	Address     *netip.Addr `json:"address"`
	Version     *string     `json:"version"`
	Epoch       int64       `json:"epoch"` // counts its starts
	StartedAt   time.Time   `json:"started_at"`
	HeartbeatAt time.Time   `json:"heartbeat_at"`
	Silent      float64     `json:"silent_seconds"` // since its last heartbeat
	DeadSince   *time.Time  `json:"dead_since"`     // null: it was heard in the last three minutes
	LeaseLife   *float64    `json:"lease_life_seconds"`
	Sessions    int64       `json:"sessions"`
	Leases      int64       `json:"leases"` // addresses in use
	Blocks      int64       `json:"blocks"` // runs of addresses that it gives away by itself
}

// Forgotten is what a node held that is no more.
type Forgotten struct {
	Leases   int64 `json:"leases"` // addresses, free at once
	Blocks   int64 `json:"blocks"`
	Sessions int64 `json:"sessions"` // records that were closed
}

// Holder is one session that had an address.
type Holder struct {
	Account       string      `json:"account"`
	Name          string      `json:"name"` // as typed
	Domain        *string     `json:"domain"`
	Session       string      `json:"session"` // what accounting calls it
	Node          string      `json:"node"`
	StartedAt     time.Time   `json:"started_at"`
	StoppedAt     *time.Time  `json:"stopped_at"` // null: it has it still
	Peer          *netip.Addr `json:"peer"`
	PeerName      *string     `json:"peer_name"`
	CallingNumber *string     `json:"calling_number"`
	NAS           *string     `json:"nas,omitempty"` // which other NAS carried it
}

// AddressState is what is the matter with one address of a pool.
type AddressState struct {
	Address netip.Addr `json:"address"`
	State   string     `json:"state"`             // free, leased, quarantined or reserved
	Static  bool       `json:"static,omitempty"`  // reserved for the account, whether it holds it now or not
	Account string     `json:"account,omitempty"` // who holds it, or has it reserved, or had it last
	Session string     `json:"session,omitempty"` // what accounting calls the session that holds it, or held it last
	Node    string     `json:"node,omitempty"`
	Since   time.Time  `json:"since,omitzero"` // leased, or released, at this time
	Until   time.Time  `json:"until,omitzero"` // quarantined, or offered, until then
}

type (
	userList struct {
		Users   []User `json:"users"`
		Next    string `json:"next,omitempty"`    // give it as after for the next page; left out: that was all
		Warning string `json:"warning,omitempty"` // why some are missing
	}
	nodeList struct {
		Nodes []Node `json:"nodes"`
	}
	holderList struct {
		Holders []Holder `json:"holders"`
	}
	addressList struct {
		Addresses []AddressState `json:"addresses"`
		Next      string         `json:"next,omitempty"` // give it as after for the next page; left out: that was all
	}
	domainDetail struct {
		Running *Domain       `json:"running"` // null: this node does not serve it
		Stored  *StoredDomain `json:"stored"`  // null: it stands in the configuration file
	}
	poolDetail struct {
		Usage  *Pool       `json:"usage"`  // null: this node does not serve it
		Stored *StoredPool `json:"stored"` // null: it stands in the configuration file
		Ranges []string    `json:"ranges"` // that the addresses lie in, without what is excluded
	}
	nasDetail struct {
		Running *NAS       `json:"running"` // null: this node has not heard of it
		Stored  *StoredNAS `json:"stored"`  // null: it stands in the configuration file
	}
	profileList struct {
		Profiles []Profile `json:"profiles"`
	}
)
