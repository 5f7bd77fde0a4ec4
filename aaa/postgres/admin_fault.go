package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// AdminError tells an administrator what was not done, which rule stands against it, and what to do.
type AdminError struct {
	What   string // what was to be done, such as: add the account "a@b"
	Text   string // which rule, and which row
	Advice string // what to do; may be empty
	Err    error  // what the database said; may be nil
}

// Error prints what, why and what to do.
func (e *AdminError) Error() string {
	text := e.Text
	if e.What != "" {
		text = e.What + ": " + text
	}
	if e.Advice != "" {
		text += "\n  " + e.Advice
	}
	return text
}

// Unwrap returns what the database said.
func (e *AdminError) Unwrap() error { return e.Err }

// adminRule is a constraint in words. The words may be empty: then those of the database are good. A rule of a foreign key
// has other words when it holds back what others still refer to.
type adminRule struct{ text, advice, inUse, inUseAdvice string }

var adminRules = map[string]adminRule{
	"accounts_pkey":                    {text: "there is an account of this name already", advice: "change it with: lnsgate user set"},
	"domains_pkey":                     {text: "there is a domain of this name already", advice: "change it with: lnsgate domain set"},
	"pools_pkey":                       {text: "there is a pool of this name already", advice: "change it with: lnsgate pool set"},
	"profiles_pkey":                    {text: "there is a profile of this name already", advice: "change it with: lnsgate profile set"},
	"domain_names_unique":              {advice: "a name means one domain: choose another, or see lnsgate domain list"},
	"domain_aliases_pkey":              {text: "another domain has this alias already", advice: "see: lnsgate domain list"},
	"domain_pools_pkey":                {text: "the domain takes addresses from this pool already"},
	"pool_ranges_pkey":                 {text: "the pool has this range already"},
	"pool_ranges_overlap":              {text: "a pool has some of these addresses already", advice: "see: lnsgate pool list"},
	"pool_ranges_exclude_overlap":      {text: "the pool excludes some of these addresses already", advice: "see: lnsgate pool list"},
	"static_addresses_pkey":            {text: "another account has this fixed address", advice: "find it with: lnsgate user list --address ADDRESS"},
	"static_addresses_account":         {text: "the account has a fixed address of this family already"},
	"static_addresses_overlap":         {text: "another account has some of this prefix", advice: "find it with: lnsgate user list"},
	"static_addresses_link":            {text: "the prefix of a link is a /64, the only size of which hosts make addresses", advice: "one for the networks behind is --delegated-prefix"},
	"static_addresses_delegated":       {text: "only an IPv6 prefix can be delegated"},
	"static_addresses_prefix":          {},
	"static_addresses_length":          {},
	"pools_prefix_length":              {text: "only a pool of IPv6 has a prefix_length, of 16 to 127 bits", advice: "64 for links, less, such as 56, to delegate"},
	"pools_prefix_length_stays":        {},
	"pool_ranges_length":               {},
	"prefix_pools_fkey":                {advice: "make it first: lnsgate pool add POOL --range 2001:db8::/40 --length 64"},
	"prefix_pools_family":              {advice: "make one with: lnsgate pool add POOL --range 2001:db8::/40 --length 64"},
	"prefix_pools_length":              {},
	"pools_of_addresses":               {},
	"accounts_ipv6_pool_fkey":          {inUse: "accounts still use the pool", inUseAdvice: "take it from them: lnsgate user set NAME --reset ipv6_pool"},
	"accounts_delegated_pool_fkey":     {inUse: "accounts still use the pool", inUseAdvice: "take it from them: lnsgate user set NAME --reset delegated_pool"},
	"profiles_ipv6_pool_fkey":          {inUse: "profiles still use the pool", inUseAdvice: "take it from them: lnsgate profile set NAME --reset ipv6_pool"},
	"profiles_delegated_pool_fkey":     {inUse: "profiles still use the pool", inUseAdvice: "take it from them: lnsgate profile set NAME --reset delegated_pool"},
	"static_addresses_account_fkey":    {text: "there is no such account", advice: "see: lnsgate user list"},
	"static_addresses_one_address":     {text: "a fixed address is one address, not a network"},
	"accounts_domain_fkey":             {advice: "make it first: lnsgate domain add DOMAIN", inUse: "the domain still has accounts", inUseAdvice: "delete or rename them first; see: lnsgate user list --domain DOMAIN"},
	"accounts_profile_fkey":            {text: "there is no such profile", advice: "make it first: lnsgate profile add PROFILE", inUse: "accounts still use the profile", inUseAdvice: "see: lnsgate user list --profile PROFILE; take it from them: lnsgate user set NAME --reset profile"},
	"accounts_pools_fkey":              {advice: "see: lnsgate pool list"},
	"profiles_pools_fkey":              {advice: "see: lnsgate pool list"},
	"domain_pools_pool_fkey":           {text: "there is no such pool", advice: "make it first: lnsgate pool add POOL --range 10.20.0.0/24", inUse: "a domain still takes addresses from the pool", inUseAdvice: "give the domain others first: lnsgate domain set DOMAIN --pool OTHER; to empty the pool: lnsgate pool drain POOL"},
	"domain_pools_domain_fkey":         {text: "there is no such domain", advice: "see: lnsgate domain list"},
	"domain_aliases_domain_fkey":       {text: "there is no such domain", advice: "see: lnsgate domain list"},
	"pool_ranges_pool_fkey":            {text: "there is no such pool", advice: "see: lnsgate pool list"},
	"pools_in_use":                     {advice: "give it other pools first, with lnsgate user set NAME --pool OTHER"},
	"domain_aliases_in_use":            {},
	"domains_name_characters":          {text: "a domain is what is typed behind the @: no blanks, no @ and no \\, no dot at the ends and no two dots in a row"},
	"domain_aliases_characters":        {text: "an alias is what is typed behind the @: no blanks, no @ and no \\, no dot at the ends and no two dots in a row"},
	"accounts_name_characters":         {text: "nobody could log in by this name: 1 to 253 octets, no blanks, no two dots in a row, and a user before the domain"},
	"accounts_password":                {text: "a password has 1 to 256 characters"},
	"accounts_validity":                {text: "valid_from must be before valid_until"},
	"domains_authentication":           {text: "a domain needs somebody who checks its users", advice: "--authentication postgres"},
	"domains_on_backend_error":         {text: "on_backend_error is stop or continue"},
	"domains_methods":                  {text: "the methods are pap, chap, mschapv1, mschapv2 and eap"},
	"domains_session_policy":           {text: "session_policy is refuse or replace"},
	"domains_client_routes":            {text: "client_routes are IPv4 networks such as 10.20.0.0/16, none twice, and no more than one DHCP option holds (31 of /24)"},
	"domains_dns_suffix":               {text: "dns_suffix is a DNS name such as corp.example"},
	"domains_accounting_interim":       {text: "accounting_interim is 60s at least"},
	"domains_accounting_check":         {text: "the places of records have names"},
	"pools_name":                       {text: "a pool has a name without blanks"},
	"pools_family":                     {text: "family is 4 or 6"},
	"pools_quarantine":                 {text: "a quarantine is not less than nothing"},
	"pools_routing_context":            {text: "the name of a routing context is not empty"},
	"static_addresses_routing_context": {text: "the name of a routing context is not empty"},
	"pool_ranges_family":               {text: "the range is of the other family than the pool", advice: "IPv4 and IPv6 need a pool each: lnsgate pool add NAME --family 6"},
	"pool_ranges_kind":                 {text: "kind is include or exclude"},
	"credentials_form":                 {text: "the stored hash is not of the form that its kind says"},
	"profiles_name":                    {text: "a profile has a name without blanks"},
	"nas_pkey":                         {text: "there is a NAS of this name already", advice: "change it with: lnsgate nas set"},
	"nas_source_key":                   {text: "another NAS has this source already; of two networks that overlap the smaller one counts, but the same one cannot be there twice", advice: "see: lnsgate nas list"},
	"nas_domain_fkey":                  {text: "there is no such domain in the database", advice: "make it first: lnsgate domain add DOMAIN", inUse: "a NAS still puts its users into the domain", inUseAdvice: "see: lnsgate nas list; take it from the NAS: lnsgate nas set NAME --reset domain"},
	"nas_default_domain_fkey":          {text: "there is no such domain in the database", advice: "make it first: lnsgate domain add DOMAIN", inUse: "the domain is still the default of a NAS", inUseAdvice: "see: lnsgate nas list; take it from the NAS: lnsgate nas set NAME --reset default-domain"},
	"nas_name_characters":              {text: "a NAS has a name without blanks and slashes, of 1 to 253 octets"},
	"nas_source_mapped":                {text: "a source in ::ffff:0:0/96 is an IPv4 address in disguise", advice: "write it as IPv4: 192.0.2.7"},
	"nas_secret_missing":               {text: "a NAS needs a secret", advice: "--generate-secret makes one"},
	"nas_secret_length":                {text: "a secret has 8 to 256 octets, and should have 16 at least", advice: "--generate-secret makes a good one"},
	"nas_secret_characters":            {text: "there is a control character in the secret, such as a tab or the end of a line"},
	"nas_sealed":                       {text: "a sealed secret is written by the nodes", advice: "write the clear one into nas.secret"},
	"nas_certificate_names":            {text: "the names in a certificate are not empty"},
	"nas_type":                         {text: "the types of a NAS are standard, mikrotik, cisco, huawei, wispr and accel"},
	"nas_message_authenticator":        {text: "message_authenticator is auto, require or off"},
	"nas_addresses":                    {text: "addresses are given (by lnsgate, from its pools), named (a pool of the NAS) or none"},
	"nas_dynamic_authorization_port":   {text: "a port is 1 to 65535; 0: the NAS is never told to end or change a session"},
}

// The rules that accounts, profiles and domains have alike, by the end of the name of the constraint.
var adminSharedRules = map[string]adminRule{
	"_servers":      {text: "dns and nbns are at most two single addresses each"},
	"_timeouts":     {text: "a timeout is not less than nothing"},
	"_mtu":          {text: "an mtu is 68 to 65535 octets"},
	"_rates":        {text: "a rate is more than nothing"},
	"_routes":       {text: "routes are at most 32 IPv4 networks such as 192.168.50.0/24, none twice, and not 0.0.0.0/0"},
	"_ipv6_dns":     {text: "ipv6_dns are at most three single IPv6 addresses"},
	"_filter_check": {text: "the name of a filter is not empty"},
	"_sessions":     {text: "a number of sessions is not less than nothing"},
}

func ruleOf(constraint string) (adminRule, bool) {
	if rule, known := adminRules[constraint]; known {
		return rule, true
	}
	for end, rule := range adminSharedRules {
		if strings.HasSuffix(constraint, end) {
			return rule, true
		}
	}
	return adminRule{}, false
}

// explain makes of an error what an administrator can act on. The transaction is over by now.
func (a *Admin) explain(ctx context.Context, what string, err error) error {
	var done *AdminError
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		if done.What == "" {
			done.What = what
		}
		return err
	case errors.Is(err, context.Canceled):
		return &AdminError{What: what, Text: "interrupted; nothing was changed", Err: err}
	case !errors.As(err, &pg):
		return &AdminError{What: what, Text: "database " + a.where + ": " + err.Error(), Err: err}
	}
	e := inWords(pg)
	e.What = what
	if pg.ConstraintName == "pool_ranges_overlap" {
		e.Text, e.Advice = a.overlap(ctx, pg), "see: lnsgate pool list"
	}
	return e
}

// inWords says which rule was broken.
func inWords(pg *pgconn.PgError) *AdminError {
	e := &AdminError{Text: pg.Message, Err: pg}
	rule, known := ruleOf(pg.ConstraintName)
	switch {
	case pg.Code == "23503" && strings.HasPrefix(pg.Message, "update or delete on table") && rule.inUse != "":
		e.Text, e.Advice = rule.inUse, rule.inUseAdvice
	case known && rule.text != "":
		e.Text, e.Advice = rule.text, rule.advice
	case known:
		e.Advice = rule.advice
	case pg.Code == notText:
		e.Text, e.Advice = "what was given is not UTF-8", adviceOnText
	default:
		e.Advice = adviceOn(pg.Code)
		if e.Advice == "" && pg.Hint != "" {
			e.Advice = pg.Hint
		}
		if slices.Contains(namesKey, pg.Code) && pg.Detail != "" {
			e.Text += " (" + pg.Detail + ")"
		}
	}
	return e
}

// namesKey are the SQLSTATEs whose detail tells the key. That of other rules tells the whole row, with the password in it.
var namesKey = []string{"23503", "23505", "23P01"}

// notText is the SQLSTATE of octets that are no characters.
const notText = "22021"

var adminBounds = regexp.MustCompile(`\[([0-9a-fA-F.:]+),([0-9a-fA-F.:]+)\]`)

// overlap says whose range is in the way.
func (a *Admin) overlap(ctx context.Context, pg *pgconn.PgError) string {
	found := adminBounds.FindAllStringSubmatch(pg.Detail, -1)
	if len(found) < 2 {
		return "the range overlaps one of another pool, or of this one"
	}
	text := fmt.Sprintf("%s-%s overlaps %s-%s", found[0][1], found[0][2], found[1][1], found[1][2])
	var pool, written string
	err := a.conn.QueryRow(ctx, sqlRangeOwner, found[1][1], found[1][2]).Scan(&pool, &written)
	if err != nil { // it was in the same statement
		return text + ", both of them new"
	}
	return fmt.Sprintf("%s, which is %s of the pool %s", text, written, pool)
}

const sqlRangeOwner = `SELECT pool, range FROM pool_ranges WHERE kind = 'include' AND first_address = $1::text::inet AND last_address = $2::text::inet`

// cannotConnect says what to look at.
func cannotConnect(where string, err error) error {
	e := &AdminError{What: "connect to " + where, Text: "no connection", Err: err}
	var pg *pgconn.PgError
	var dial *net.OpError
	switch {
	case errors.As(err, &pg):
		e.Text = pg.Message
		e.Advice = map[string]string{
			"28P01": "the password in the address is not the one of this user",
			"28000": "look at pg_hba.conf of the server: it does not let this user in from here",
			"3D000": "make it first: CREATE DATABASE, or createdb",
			"57P03": "the server is starting or stopping; try again in a moment",
			"53300": "the server has no connection left; raise its max_connections",
		}[pg.Code]
	case errors.As(err, &dial):
		e.Text, e.Advice = dial.Err.Error(), "is PostgreSQL running there, and is the way to it open?"
	case errors.Is(err, context.DeadlineExceeded):
		e.Text, e.Advice = "no answer in time", "is PostgreSQL running there, and is the way to it open?"
	}
	return e
}

// missing is the error of a row that is not there.
func missing(text, advice string) error {
	return &AdminError{Text: text, Advice: advice, Err: pgx.ErrNoRows}
}
