package admin

import (
	"net/netip"
	"time"
)

// UserRequest makes or changes an account. What is left out stays as it is; null takes a setting back, so that the profile or the
// domain counts again.
type UserRequest struct {
	Name           Optional[string]         `json:"name,omitzero"` // of a new account; or another name for an old one
	Password       string                   `json:"password,omitempty"`
	Address        Optional[string]         `json:"address,omitzero"` // fixed; empty or null: none
	Disabled       Optional[bool]           `json:"disabled,omitzero"`
	ValidFrom      Optional[time.Time]      `json:"valid_from,omitzero"`
	ValidUntil     Optional[time.Time]      `json:"valid_until,omitzero"`
	MaxSessions    Optional[int]            `json:"max_sessions,omitzero"`
	Profile        Optional[string]         `json:"profile,omitzero"`
	Pools          Optional[[]string]       `json:"pools,omitzero"`
	DNS            Optional[[]netip.Addr]   `json:"dns,omitzero"`
	NBNS           Optional[[]netip.Addr]   `json:"nbns,omitzero"`
	SessionTimeout Optional[float64]        `json:"session_timeout_seconds,omitzero"`
	IdleTimeout    Optional[float64]        `json:"idle_timeout_seconds,omitzero"`
	MTU            Optional[int]            `json:"mtu,omitzero"`
	RateUp         Optional[int64]          `json:"rate_up,omitzero"`   // bits per second
	RateDown       Optional[int64]          `json:"rate_down,omitzero"` // bits per second
	Filter         Optional[string]         `json:"filter,omitzero"`
	Routes         Optional[[]netip.Prefix] `json:"routes,omitzero"`
	Description    Optional[string]         `json:"description,omitzero"`
}

// PasswordRequest sets a new password.
type PasswordRequest struct {
	Password string `json:"password"`
}

// DomainRequest makes or changes a domain.
type DomainRequest struct {
	Name               Optional[string]         `json:"name,omitzero"` // of a new domain; or another name for an old one
	Pools              *[]string                `json:"pools,omitempty"`
	Aliases            *[]string                `json:"aliases,omitempty"`
	Description        Optional[string]         `json:"description,omitzero"`
	Blocked            Optional[bool]           `json:"blocked,omitzero"`
	Authentication     Optional[[]string]       `json:"authentication,omitzero"`
	OnBackendError     Optional[string]         `json:"on_backend_error,omitzero"` // stop or continue
	Methods            Optional[[]string]       `json:"methods,omitzero"`          // empty: any
	VirtualTemplate    Optional[string]         `json:"virtual_template,omitzero"`
	DNS                Optional[[]netip.Addr]   `json:"dns,omitzero"`
	NBNS               Optional[[]netip.Addr]   `json:"nbns,omitzero"`
	ClientRoutes       Optional[[]netip.Prefix] `json:"client_routes,omitzero"` // told to subscribers by DHCP
	DNSSuffix          Optional[string]         `json:"dns_suffix,omitzero"`
	SessionTimeout     Optional[float64]        `json:"session_timeout_seconds,omitzero"`
	IdleTimeout        Optional[float64]        `json:"idle_timeout_seconds,omitzero"`
	MTU                Optional[int]            `json:"mtu,omitzero"`
	RateUp             Optional[int64]          `json:"rate_up,omitzero"`
	RateDown           Optional[int64]          `json:"rate_down,omitzero"`
	MaxSessions        Optional[int]            `json:"max_sessions,omitzero"`
	MaxAccountSessions Optional[int]            `json:"max_account_sessions,omitzero"`
	SessionPolicy      Optional[string]         `json:"session_policy,omitzero"` // refuse or replace
	Accounting         Optional[[]string]       `json:"accounting,omitzero"`
	AccountingInterim  Optional[float64]        `json:"accounting_interim_seconds,omitzero"`
	Filter             Optional[string]         `json:"filter,omitzero"`
}

// PoolRequest makes or changes a pool. Ranges are written first-last, as a network, or as one address.
type PoolRequest struct {
	Name           Optional[string]  `json:"name,omitzero"`          // of a new pool; or another name for an old one
	Ranges         []string          `json:"ranges,omitempty"`       // to add
	Exclude        []string          `json:"exclude,omitempty"`      // to add
	DropRanges     []string          `json:"drop_ranges,omitempty"`  // exactly as they were written
	DropExclude    []string          `json:"drop_exclude,omitempty"` // exactly as they were written
	Description    Optional[string]  `json:"description,omitzero"`
	RoutingContext Optional[string]  `json:"routing_context,omitzero"`
	Family         Optional[int]     `json:"family,omitzero"` // 4 or 6
	Quarantine     Optional[float64] `json:"quarantine_seconds,omitzero"`
	Sticky         Optional[bool]    `json:"sticky,omitzero"`
	Draining       Optional[bool]    `json:"draining,omitzero"`
}

// DrainRequest has a pool, or one of its ranges, give no new leases.
type DrainRequest struct {
	Range string `json:"range,omitempty"` // exactly as it was written; empty: the whole pool
	Undo  bool   `json:"undo,omitempty"`  // give them again
}

// ProfileRequest makes or changes a profile: settings that many accounts share. What it does not say the domain says.
type ProfileRequest struct {
	Name           Optional[string]         `json:"name,omitzero"` // of a new profile; or another name for an old one
	Description    Optional[string]         `json:"description,omitzero"`
	MaxSessions    Optional[int]            `json:"max_sessions,omitzero"`
	Pools          Optional[[]string]       `json:"pools,omitzero"`
	DNS            Optional[[]netip.Addr]   `json:"dns,omitzero"`
	NBNS           Optional[[]netip.Addr]   `json:"nbns,omitzero"`
	SessionTimeout Optional[float64]        `json:"session_timeout_seconds,omitzero"`
	IdleTimeout    Optional[float64]        `json:"idle_timeout_seconds,omitzero"`
	MTU            Optional[int]            `json:"mtu,omitzero"`
	RateUp         Optional[int64]          `json:"rate_up,omitzero"`   // bits per second
	RateDown       Optional[int64]          `json:"rate_down,omitzero"` // bits per second
	Routes         Optional[[]netip.Prefix] `json:"routes,omitzero"`
	IPv6Pool       Optional[string]         `json:"ipv6_pool,omitzero"`
	DelegatedPool  Optional[string]         `json:"delegated_pool,omitzero"`
	IPv6DNS        Optional[[]netip.Addr]   `json:"ipv6_dns,omitzero"`
}

// NASRequest makes or changes a NAS.
type NASRequest struct {
	Name                 Optional[string]   `json:"name,omitzero"` // of a new NAS; or another name for an old one
	Source               Optional[string]   `json:"source,omitzero"`
	Secret               Optional[string]   `json:"secret,omitzero"`
	CertificateNames     Optional[[]string] `json:"certificate_names,omitzero"`
	Type                 Optional[string]   `json:"type,omitzero"`
	MessageAuthenticator Optional[string]   `json:"message_authenticator,omitzero"`
	UnsignedProxies      Optional[bool]     `json:"unsigned_proxies,omitzero"`
	Addresses            Optional[string]   `json:"addresses,omitzero"`
	Domain               Optional[string]   `json:"domain,omitzero"`
	DefaultDomain        Optional[string]   `json:"default_domain,omitzero"`
	Port                 Optional[int]      `json:"dynamic_authorization_port,omitzero"`
	Description          Optional[string]   `json:"description,omitzero"`
	Disabled             Optional[bool]     `json:"disabled,omitzero"`
}

// ForgetRequest removes a dead node.
type ForgetRequest struct {
	Force bool `json:"force,omitempty"` // though it was heard in the last three minutes
}

// Done says what was done.
type Done struct {
	Name string `json:"name"`           // of what was changed, as it is called now
	Note string `json:"note,omitempty"` // what else is worth knowing
}
