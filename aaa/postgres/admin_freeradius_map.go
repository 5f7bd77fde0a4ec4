package postgres

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"lnsgate/aaa/secret"
)

// carrier collects what the rows of one user or group become.
type carrier struct {
	report *FreeRADIUSReport
	pools  map[string]bool // that exist
	group  bool
	row    ImportRow
}

// servers are attributes that fill one place of two.
var radiusServers = map[string]struct {
	column string
	place  int
}{
	"ms-primary-dns-server": {"dns", 0}, "ms-secondary-dns-server": {"dns", 1},
	"ms-primary-nbns-server": {"nbns", 0}, "ms-secondary-nbns-server": {"nbns", 1},
}

// radiusNumbers are attributes that are a number here too. Lengths of time are in seconds on both sides.
var radiusNumbers = map[string]string{
	"session-timeout": "session_timeout", "idle-timeout": "idle_timeout", "framed-mtu": "mtu", "simultaneous-use": "max_sessions",
	"wispr-bandwidth-max-up": "rate_up", "wispr-bandwidth-max-down": "rate_down",
}

// radiusNeedless say what lnsgate does anyway, or what only RADIUS needs.
var radiusNeedless = []string{"service-type", "framed-protocol", "framed-ip-netmask", "framed-compression", "framed-routing", "fall-through"}

// take carries one row over, or says why not.
func (c *carrier) take(r radiusRow) {
	s := c.row.Settings
	attribute := strings.ToLower(r.attribute)
	if !slices.Contains([]string{"=", ":=", "=="}, r.operator) && !(r.operator == "+=" && (attribute == "framed-route" || attribute == "dns-server-ipv6-address")) {
		c.leave(r, "the operator %s has no place here", r.operator)
		return
	}
	server, isServer := radiusServers[attribute]
	column, isNumber := radiusNumbers[attribute]
	switch {
	case slices.Contains(radiusNeedless, attribute):
	case attribute == "auth-type":
		c.authType(r)
	case strings.HasSuffix(attribute, "-password") || attribute == "password-with-header":
		c.password(r, attribute)
	case attribute == "framed-ip-address":
		c.address(r)
	case attribute == "framed-ipv6-prefix":
		c.prefix(r, linkPrefix)
	case attribute == "delegated-ipv6-prefix":
		c.prefix(r, delegatedPrefix)
	case attribute == "dns-server-ipv6-address":
		c.ipv6Server(r)
	case attribute == "framed-pool" || attribute == "pool-name":
		c.pool(r)
	case attribute == "expiration" && !c.group:
		s["valid_until"] = r.text
	case attribute == "framed-route":
		c.route(r)
	case attribute == "mikrotik-rate-limit":
		c.rates(r)
	case isServer:
		list, _ := s[server.column].([]string)
		s[server.column] = slices.Insert(list, min(server.place, len(list)), r.text)
	case isNumber:
		if _, err := strconv.ParseUint(r.text, 10, 32); err != nil {
			c.leave(r, "%q is no number", r.text)
			return
		}
		s[column] = r.text
	default:
		c.leave(r, "the attribute has no place here")
	}
}

// leave never shows the value by itself: it may be a password.
func (c *carrier) leave(r radiusRow, format string, args ...any) {
	c.report.leave(r.where(), "%s: %s", r.attribute, fmt.Sprintf(format, args...))
}

func (c *carrier) authType(r radiusRow) {
	switch {
	case strings.EqualFold(r.text, "Reject") && !c.group:
		c.row.Settings["disabled"] = true
	case slices.ContainsFunc([]string{"Local", "PAP", "CHAP", "MS-CHAP"}, func(t string) bool { return strings.EqualFold(t, r.text) }):
	case strings.EqualFold(r.text, "Accept"):
		c.leave(r, "there is no login without a password here; set one with lnsgate user set")
	default:
		c.leave(r, "%s has no place here", r.text)
	}
}

func (c *carrier) address(r radiusRow) {
	a, err := netip.ParseAddr(r.text)
	switch {
	case c.group:
		c.leave(r, "an address for a whole group is none for one account")
	case err != nil:
		c.leave(r, "%q is no address", r.text)
	case a == netip.MustParseAddr("255.255.255.254"): // the NAS chooses (RFC 2865 section 5.8)
	case a == netip.MustParseAddr("255.255.255.255"):
		c.leave(r, "subscribers do not choose their address here")
	default:
		c.row.Address = a.String()
	}
}

// prefix takes a fixed prefix, of the link or for the networks behind.
func (c *carrier) prefix(r radiusRow, place int) {
	p, err := netip.ParsePrefix(r.text)
	switch {
	case c.group:
		c.leave(r, "a prefix for a whole group is none for one account")
	case err != nil || !p.Addr().Is6() || p != p.Masked():
		c.leave(r, "%q is no IPv6 prefix", r.text)
	case place == linkPrefix && p.Bits() != 64, p.Bits() < 16 || p.Bits() > 64:
		c.leave(r, "%v cannot be a subscriber's: a link has a /64, the networks behind it a /16 to /64", p)
	default:
		c.row.Prefixes[place] = p.String()
	}
}

func (c *carrier) ipv6Server(r radiusRow) {
	list, _ := c.row.Settings["ipv6_dns"].([]string)
	if a, err := netip.ParseAddr(r.text); err != nil || !a.Is6() || len(list) == 3 {
		c.leave(r, "%q is no IPv6 address, or the fourth", r.text)
		return
	}
	if !slices.Contains(list, r.text) {
		c.row.Settings["ipv6_dns"] = append(list, r.text)
	}
}

func (c *carrier) pool(r radiusRow) {
	if !c.pools[r.text] {
		c.leave(r, "there is no pool %q; make it with lnsgate pool add %s --range ..., and run this again with --overwrite", r.text, r.text)
		return
	}
	if list, _ := c.row.Settings["pools"].([]string); !slices.Contains(list, r.text) {
		c.row.Settings["pools"] = append(list, r.text)
	}
}

// route takes the network of "192.168.50.0/24 0.0.0.0 1"; the gateway is the subscriber, whatever stands there.
func (c *carrier) route(r radiusRow) {
	destination, _, _ := strings.Cut(strings.TrimSpace(r.text), " ")
	network, err := netip.ParsePrefix(destination)
	if err != nil || !network.Addr().Is4() || network.Bits() == 0 || !network.Masked().Addr().IsGlobalUnicast() {
		c.leave(r, "%q leads to no IPv4 network such as 192.168.50.0/24", r.text)
		return
	}
	if list, _ := c.row.Settings["routes"].([]string); !slices.Contains(list, network.Masked().String()) {
		c.row.Settings["routes"] = append(list, network.Masked().String())
	}
}

// rates reads "up/down" with k and M, or one for both; bursts have no place here.
func (c *carrier) rates(r radiusRow) {
	first, rest, _ := strings.Cut(r.text, " ")
	up, down, both := strings.Cut(first, "/")
	if !both {
		down = up
	}
	upRate, err := bitRate(up)
	downRate, err2 := bitRate(down)
	if err != nil || err2 != nil {
		c.leave(r, "%q is no rate such as 2M/10M", r.text)
		return
	}
	if rest != "" {
		c.leave(r, "of %q only the rates are kept, bursts have no place here", r.text)
	}
	c.row.Settings["rate_up"], c.row.Settings["rate_down"] = upRate, downRate
}

func bitRate(text string) (uint64, error) {
	factor := uint64(1)
	for unit, times := range map[string]uint64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if digits, found := strings.CutSuffix(text, unit); found {
			text, factor = digits, times
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return n * factor, err
}

// password carries over the forms that lnsgate can check.
func (c *carrier) password(r radiusRow, attribute string) {
	if attribute == "password-with-header" || attribute == "user-password" && strings.HasPrefix(r.text, "{") {
		header, rest, _ := strings.Cut(strings.TrimPrefix(r.text, "{"), "}")
		attribute = map[string]string{"clear": "cleartext", "cleartext": "cleartext", "nt": "nt", "nthash": "nt", "crypt": "crypt"}[strings.ToLower(header)] + "-password"
		r.text = rest
	}
	if c.group {
		c.leave(r, "a password for a whole group is none for one account")
		return
	}
	switch attribute {
	case "cleartext-password", "user-password":
		c.row.Settings["password"] = r.text
	case "nt-password":
		hash, err := hex.DecodeString(strings.TrimPrefix(strings.ToLower(r.text), "0x"))
		if err != nil || len(hash) != 16 {
			c.leave(r, "an NT hash has 32 hexadecimal digits; set the password anew with lnsgate user set")
			return
		}
		c.row.Kind, c.row.Form = "nt", hash
	case "crypt-password":
		c.row.Kind, c.row.Form = "crypt", []byte(r.text)
		if strings.HasPrefix(r.text, "$2") {
			c.row.Kind = "bcrypt"
		}
		if err := secret.Hashed(r.text).Validate(); err != nil {
			c.row.Kind, c.row.Form = "", nil
			c.leave(r, "%v; set the password anew with lnsgate user set", err)
		}
	default:
		c.leave(r, "this form of a password cannot be checked here; set it anew with lnsgate user set")
	}
}

// profiles makes settings of groups.
func (f *FreeRADIUS) profiles(report *FreeRADIUSReport, pools map[string]bool) map[string]AdminSettings {
	profiles := make(map[string]AdminSettings)
	for _, m := range f.members {
		profiles[m.text] = AdminSettings{}
	}
	rows := byOwner(f.groups)
	for _, name := range sortedKeys(rows) {
		c := &carrier{report: report, pools: pools, group: true, row: ImportRow{Settings: AdminSettings{}}}
		for _, r := range rows[name] {
			c.take(r)
		}
		profiles[name] = c.row.Settings
	}
	return profiles
}

// accounts makes accounts of users, also of those whose password cannot be carried over: it is easier to set one.
func (f *FreeRADIUS) accounts(report *FreeRADIUSReport, pools map[string]bool, profiles map[string]AdminSettings) []ImportRow {
	rows, groups := byOwner(f.users), byOwner(f.members)
	owner := make(map[string]string)
	var list []ImportRow
	for _, name := range sortedKeys(rows) {
		c := &carrier{report: report, pools: pools, row: ImportRow{Where: "user " + name, Settings: AdminSettings{"name": name}}}
		for _, r := range rows[name] {
			c.take(r)
		}
		for _, m := range groups[name] {
			if _, taken := c.row.Settings["profile"]; taken {
				report.leave("radusergroup "+name, "an account has one profile: the group %s is left, %s counts", m.text, c.row.Settings["profile"])
			} else if profiles[m.text] != nil {
				c.row.Settings["profile"] = m.text
			}
		}
		if before, taken := owner[c.row.Address]; taken {
			report.leave(c.row.Where, "the address %s is fixed for %s; an address is fixed for one account", c.row.Address, before)
			c.row.Address = ""
		} else if c.row.Address != "" {
			owner[c.row.Address] = name
		}
		for place, prefix := range c.row.Prefixes {
			if before, taken := owner[prefix]; taken && prefix != "" {
				report.leave(c.row.Where, "the prefix %s is fixed for %s; a prefix is fixed for one account", prefix, before)
				c.row.Prefixes[place] = ""
			} else if prefix != "" {
				owner[prefix] = name
			}
		}
		if c.row.Kind != "" {
			delete(c.row.Settings, "password")
		}
		if _, clear := c.row.Settings["password"]; !clear && c.row.Kind == "" {
			report.leave("user "+name, "there is no password that could be carried over: nobody can log in until lnsgate user set gives it one")
		}
		list = append(list, c.row)
	}
	for _, name := range sortedKeys(groups) {
		if rows[name] == nil {
			report.leave("radusergroup "+name, "there is no such user in radcheck or radreply")
		}
	}
	return list
}
