package configs

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Config is one whole configuration, with defaults filled in and secrets resolved. It is a value to read; nobody
// changes it after it was loaded.
type Config struct {
	Node                 string               `mapstructure:"node"` // empty in the file: made of the host name
	Listen               []netip.AddrPort     `mapstructure:"listen"`
	AdminSocket          string               `mapstructure:"admin_socket"`
	Admin                Admin                `mapstructure:"admin"`
	SpoolDir             string               `mapstructure:"spool_dir"` // empty: StateDir
	StateDir             string               `mapstructure:"state_dir"`
	Log                  Log                  `mapstructure:"log"`
	Trace                Trace                `mapstructure:"trace"`
	Database             Database             `mapstructure:"database"`
	RADIUS               []RADIUS             `mapstructure:"radius"`
	DynamicAuthorization DynamicAuthorization `mapstructure:"dynamic_authorization"`
	RADIUSService        RADIUSService        `mapstructure:"radius_server"`
	EAP                  EAPServer            `mapstructure:"eap"`
	DefaultDomain        string               `mapstructure:"default_domain"`
	Forwarding           bool                 `mapstructure:"forwarding"`
	Headquarters         []Headquarters       `mapstructure:"headquarters"`
	Limits               Limits               `mapstructure:"limits"`
	Bans                 Bans                 `mapstructure:"bans"`
	UDP                  UDP                  `mapstructure:"udp"`
	VirtualTemplates     []VirtualTemplate    `mapstructure:"virtual_templates"`
	L2TPGroups           []L2TPGroup          `mapstructure:"l2tp_groups"`
	Domains              []Domain             `mapstructure:"domains"`
	Filters              []Filter             `mapstructure:"filters"`
	Pools                []Pool               `mapstructure:"pools"`
	Users                []User               `mapstructure:"users"`
}

// Spool is the folder of records that wait.
func (c *Config) Spool() string { return cmp.Or(c.SpoolDir, c.StateDir) }

// L2TP reports whether peers can dial in. A file without interfaces for them is that of a RADIUS server and no more.
func (c *Config) L2TP() bool {
	return !c.RADIUSService.Given() || len(c.VirtualTemplates)+len(c.L2TPGroups) > 0
}

// Log says what is written to standard error and how.
type Log struct {
	Level  LogLevel  `mapstructure:"level"`
	Format LogFormat `mapstructure:"format"`
}

// Headquarters is a network behind the LNS that subscribers want to reach.
type Headquarters struct {
	Name      string       `mapstructure:"name"`
	Network   netip.Prefix `mapstructure:"network"`
	Interface string       `mapstructure:"interface"` // empty: the one that has an address in Network
	ProxyARP  Switch       `mapstructure:"proxy_arp"` // auto: for pools that lie inside Network
}

// Limits bound what peers can make the server hold. All counts are at least 1.
type Limits struct {
	Tunnels                      int           `mapstructure:"tunnels"`
	Sessions                     int           `mapstructure:"sessions"`
	SessionsPerTunnel            int           `mapstructure:"sessions_per_tunnel"`
	HalfOpen                     int           `mapstructure:"half_open"`
	HalfOpenTunnels              int           `mapstructure:"half_open_tunnels"` // 0: no sketches
	HalfOpenPerSource            int           `mapstructure:"half_open_per_source"`
	NewTunnelsPerSecondPerSource int           `mapstructure:"new_tunnels_per_second_per_source"`
	PendingAuthentications       int           `mapstructure:"pending_authentications"`
	WaitingAuthentications       int           `mapstructure:"waiting_authentications"`
	AuthenticationTimeout        time.Duration `mapstructure:"authentication_timeout"`
	SetupTimeout                 time.Duration `mapstructure:"setup_timeout"` // from ICCN to an open session
}

// Bans says who is shut out after failed logins.
type Bans struct {
	AccountFailures int            `mapstructure:"account_failures"` // in a row; 0: never
	AccountTime     time.Duration  `mapstructure:"account_time"`
	SourceFailures  int            `mapstructure:"source_failures"` // in a row; 0: never
	SourceTime      time.Duration  `mapstructure:"source_time"`
	Exempt          []netip.Prefix `mapstructure:"exempt"`
}

// RequiresIPsec reports whether some l2tp group wants IPsec.
func (c *Config) RequiresIPsec() bool {
	return slices.ContainsFunc(c.L2TPGroups, func(g L2TPGroup) bool { return g.RequireIPsec })
}

// UDP tunes the sockets.
type UDP struct {
	Sockets       int    `mapstructure:"sockets"` // per listening address; 0: one per CPU
	Spread        Spread `mapstructure:"spread"`  // over them
	GSO           Switch `mapstructure:"gso"`
	GRO           Switch `mapstructure:"gro"`
	ReceiveBuffer Size   `mapstructure:"receive_buffer"`
	SendBuffer    Size   `mapstructure:"send_buffer"`
	IPsecMark     int    `mapstructure:"ipsec_mark"` // what the firewall marks datagrams with that came through IPsec
}

// VirtualTemplate is a Linux interface that subscribers are attached to.
type VirtualTemplate struct {
	Name              string        `mapstructure:"name"`
	Address           netip.Prefix  `mapstructure:"address"`
	PPPAuthentication []Method      `mapstructure:"ppp_authentication"` // offered in this order
	MRU               int           `mapstructure:"mru"`
	TCPMSS            MSS           `mapstructure:"tcp_mss"`
	EchoInterval      time.Duration `mapstructure:"echo_interval"` // 0: no echo requests
	EchoFailures      int           `mapstructure:"echo_failures"`
	IdleTimeout       time.Duration `mapstructure:"idle_timeout"` // 0: never
	DNS               []netip.Addr  `mapstructure:"dns"`
	IPv6              bool          `mapstructure:"ipv6"`         // offered to subscribers whose domain or account has prefixes
	IPv6Address       netip.Addr    `mapstructure:"ipv6_address"` // our own; invalid: none
	IPv6DNS           []netip.Addr  `mapstructure:"ipv6_dns"`
	Offload           Switch        `mapstructure:"offload"`
	Queues            int           `mapstructure:"queues"`         // 0: one per CPU
	KernelThreads     bool          `mapstructure:"kernel_threads"` // carry what subscribers send
	DataPath          DataPath      `mapstructure:"datapath"`
	Stack             Stack         `mapstructure:"stack"` // what passes it, of what is carried in the kernel
}

// L2TPGroup matches a peer by its host name or its address and says how to talk to it. With neither TunnelNames nor
// Sources it matches everybody whom no other group matches.
type L2TPGroup struct {
	Name                     string         `mapstructure:"name"`
	TunnelNames              []string       `mapstructure:"tunnel_names"`
	Sources                  []netip.Prefix `mapstructure:"sources"`
	VirtualTemplate          string         `mapstructure:"virtual_template"`
	TunnelName               string         `mapstructure:"tunnel_name"` // our own host name
	TunnelAuthentication     bool           `mapstructure:"tunnel_authentication"`
	TunnelSecret             Secret         `mapstructure:"tunnel_secret"` // resolved, wherever it came from
	TunnelSecretFile         string         `mapstructure:"tunnel_secret_file"`
	PreviousSecrets          []Secret       `mapstructure:"previous_tunnel_secrets"` // resolved, likewise
	PreviousSecretFiles      []string       `mapstructure:"previous_tunnel_secret_files"`
	RequireIPsec             bool           `mapstructure:"require_ipsec"`
	HideAVPs                 bool           `mapstructure:"hide_avps"`
	HelloInterval            time.Duration  `mapstructure:"hello_interval"` // 0: no HELLO
	ReceiveWindow            int            `mapstructure:"receive_window"`
	RetransmitFirst          time.Duration  `mapstructure:"retransmit_first"`
	RetransmitCap            time.Duration  `mapstructure:"retransmit_cap"`
	Transmissions            int            `mapstructure:"transmissions"`
	ProxyLCP                 Proxy          `mapstructure:"proxy_lcp"`
	ProxyAuthentication      Proxy          `mapstructure:"proxy_authentication"`
	TolerateUnknownMandatory bool           `mapstructure:"tolerate_unknown_mandatory"`
	ExplainRefusals          bool           `mapstructure:"explain_refusals"`
	Domain                   string         `mapstructure:"domain"`         // forced on every subscriber of the group
	DefaultDomain            string         `mapstructure:"default_domain"` // for names typed without a domain
	DataSequencing           Sequencing     `mapstructure:"data_sequencing"`
	ClientProfile            string         `mapstructure:"client_profile"`      // auto, off, or the name of one
	IdleTunnelTimeout        time.Duration  `mapstructure:"idle_tunnel_timeout"` // 0: never
}

// Domain is a department: who checks its people and what they get.
type Domain struct {
	Name               string         `mapstructure:"name"`
	Aliases            []string       `mapstructure:"aliases"`
	Authentication     []string       `mapstructure:"authentication"`      // back ends in order: local, postgres, or a RADIUS group
	Accounting         []string       `mapstructure:"accounting"`          // where records go: postgres, RADIUS groups; empty: postgres if there is a database
	AccountingInterval time.Duration  `mapstructure:"accounting_interval"` // 0: no interim records
	OnBackendError     OnError        `mapstructure:"on_backend_error"`
	Methods            []Method       `mapstructure:"methods"` // empty: any
	Pools              []string       `mapstructure:"pools"`
	IPv6Pools          []string       `mapstructure:"ipv6_pools"`      // of prefixes for the links of subscribers
	DelegatedPools     []string       `mapstructure:"delegated_pools"` // of prefixes for the networks behind them
	IPv6DNS            []netip.Addr   `mapstructure:"ipv6_dns"`        // empty: those of the virtual template
	DNS                []netip.Addr   `mapstructure:"dns"`
	NBNS               []netip.Addr   `mapstructure:"nbns"`
	ClientRoutes       []netip.Prefix `mapstructure:"client_routes"` // told to subscribers: reached through the session
	DNSSuffix          string         `mapstructure:"dns_suffix"`
	SessionTimeout     time.Duration  `mapstructure:"session_timeout"`      // 0: none
	IdleTimeout        time.Duration  `mapstructure:"idle_timeout"`         // 0: that of the virtual template
	MTU                int            `mapstructure:"mtu"`                  // 0: what was negotiated
	VirtualTemplate    string         `mapstructure:"virtual_template"`     // empty: that of the l2tp group
	Filter             string         `mapstructure:"filter"`               // empty: everything passes
	RateUp             Rate           `mapstructure:"rate_up"`              // from each subscriber; 0: no limit
	RateDown           Rate           `mapstructure:"rate_down"`            // to each subscriber; 0: no limit
	MaxSessions        int            `mapstructure:"max_sessions"`         // of the whole domain; 0: no limit
	MaxAccountSessions int            `mapstructure:"max_account_sessions"` // of each account; 0: no limit
	SessionPolicy      SessionPolicy  `mapstructure:"session_policy"`
}

// Pool is a named set of IPv4 addresses, or of IPv6 prefixes.
type Pool struct {
	Name         string        `mapstructure:"name"`
	Ranges       []Range       `mapstructure:"ranges"` // of prefixes, after loading: whole ones
	Exclude      []Exclusion   `mapstructure:"exclude"`
	PrefixLength int           `mapstructure:"prefix_length"` // of the prefixes; 0: single addresses
	Quarantine   time.Duration `mapstructure:"quarantine"`
	Sticky       bool          `mapstructure:"sticky"`
}

// User is an account of the back end "local". Exactly one of Password, PasswordFile and NTHash is written in the file;
// after loading, Password holds what PasswordFile named.
type User struct {
	Name           string         `mapstructure:"name"`
	Password       Secret         `mapstructure:"password"`
	PasswordFile   string         `mapstructure:"password_file"`
	NTHash         Secret         `mapstructure:"nt_hash"` // 32 hexadecimal digits
	Disabled       bool           `mapstructure:"disabled"`
	Address        netip.Addr     `mapstructure:"address"`          // invalid: from the pools
	Pools          []string       `mapstructure:"pools"`            // empty: those of the domain
	IPv6Prefix     netip.Prefix   `mapstructure:"ipv6_prefix"`      // of the link; invalid: from the pools of the domain
	Delegated      netip.Prefix   `mapstructure:"delegated_prefix"` // for the networks behind the user; invalid: likewise
	DNS            []netip.Addr   `mapstructure:"dns"`
	NBNS           []netip.Addr   `mapstructure:"nbns"`
	SessionTimeout time.Duration  `mapstructure:"session_timeout"`
	IdleTimeout    time.Duration  `mapstructure:"idle_timeout"`
	MTU            int            `mapstructure:"mtu"`
	RateUp         Rate           `mapstructure:"rate_up"`
	RateDown       Rate           `mapstructure:"rate_down"`
	MaxSessions    int            `mapstructure:"max_sessions"`
	Routes         []netip.Prefix `mapstructure:"routes"` // networks behind the user
}
