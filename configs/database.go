package configs

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// Database says where PostgreSQL is, and how a node works with it. Without a URL there is none.
type Database struct {
	URL                URL           `mapstructure:"url"` // resolved, wherever it came from
	URLFile            string        `mapstructure:"url_file"`
	ListenURL          URL           `mapstructure:"listen_url"` // resolved; empty: URL
	ListenURLFile      string        `mapstructure:"listen_url_file"`
	Key                Secret        `mapstructure:"key"` // the text of the key file, resolved; empty: passwords are not sealed
	KeyFile            string        `mapstructure:"key_file"`
	PoolConnections    int           `mapstructure:"pool_connections"`
	StatementTimeout   time.Duration `mapstructure:"statement_timeout"`
	PreparedStatements Switch        `mapstructure:"prepared_statements"`
	BlockSize          int           `mapstructure:"block_size"` // addresses at most
	LeaseLife          time.Duration `mapstructure:"lease_life"`
}

// Given reports whether there is a database.
func (d *Database) Given() bool { return !d.URL.IsZero() }

// ListenAt is the address at which changes are listened for: past a pooler, which does not pass them on.
func (d *Database) ListenAt() URL {
	if d.ListenURL.IsZero() {
		return d.URL
	}
	return d.ListenURL
}

func defaultDatabase() Database {
	return Database{PoolConnections: 16, StatementTimeout: 5 * time.Second, BlockSize: 256, LeaseLife: 4 * time.Hour}
}

// URL is the address of a database, postgres://user:password@host:5432/name or the keywords of libpq. However it is
// printed, it shows stars for the password.
type URL struct {
	text string
}

// NewURL wraps an address.
func NewURL(text string) URL { return URL{text: text} }

// Reveal returns the address with its password.
func (u URL) Reveal() string { return u.text }

// IsZero reports whether there is no address.
func (u URL) IsZero() bool { return u.text == "" }

// String prints the address with stars for the password. Of a text that is no address nothing is shown, because all of
// it may be the password.
func (u URL) String() string {
	switch scheme, rest, found := strings.Cut(u.text, "://"); {
	case found && isScheme(scheme):
		return scheme + "://" + withoutPassword(rest)
	case found || !keywordForm.MatchString(u.text):
		return Secret(u).String()
	}
	return keywordPassword.ReplaceAllString(u.text, "$1="+stars)
}

// Format prints the address with stars for every verb.
func (u URL) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.String()) }

// MarshalText writes the address with stars.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText takes the text as it is.
func (u *URL) UnmarshalText(b []byte) error {
	u.text = string(b)
	return nil
}

var (
	keywordForm     = regexp.MustCompile(`^\s*[a-z_]+\s*=`)
	keywordPassword = regexp.MustCompile(`(?i)([a-z_]*pass[a-z_]*)\s*=\s*('(\\.|[^'\\])*('|$)|(\\.|[^\s\\])*)`)
	queryPassword   = regexp.MustCompile(`(?i)([?&][^=&]*(pass|%)[^=&]*)=[^&]*`)
)

func isScheme(scheme string) bool { return scheme == "postgres" || scheme == "postgresql" }

// withoutPassword replaces more rather than less when it is not clear where a password ends: up to the last @.
func withoutPassword(rest string) string {
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		if user, _, found := strings.Cut(rest[:at], ":"); found {
			rest = user + ":" + stars + rest[at:]
		}
	}
	return queryPassword.ReplaceAllString(rest, "$1="+stars)
}

// faultInURL says why the text cannot be the address of a database, or nothing. It never shows it.
func faultInURL(u URL) string {
	scheme, rest, found := strings.Cut(u.text, "://")
	switch {
	case found && isScheme(scheme) && rest != "", !found && keywordForm.MatchString(u.text):
		return ""
	case found:
		return "the address of a database begins with postgres://"
	}
	return "the address of a database is written postgres://user:password@host:5432/name"
}

func (c *checker) checkDatabase() {
	d := &c.cfg.Database
	if !d.Given() {
		if *d != defaultDatabase() && d.URLFile == "" {
			c.say("database.url", "there is no database; add url or url_file, or remove the section")
		}
		return
	}
	c.checkURL("database.url", d.URL, d.URLFile)
	if !d.ListenURL.IsZero() {
		c.checkURL("database.listen_url", d.ListenURL, d.ListenURLFile)
	}
	c.between("database.pool_connections", d.PoolConnections, 2, 1000)
	c.atLeast("database.statement_timeout", d.StatementTimeout, 100*time.Millisecond)
	c.between("database.block_size", d.BlockSize, 1, 65536)
	c.atLeast("database.lease_life", d.LeaseLife, time.Hour)
}

// checkURL names the key that the address came by.
func (c *checker) checkURL(key string, u URL, file string) {
	if file != "" {
		key += "_file"
	}
	if fault := faultInURL(u); fault != "" {
		c.say(key, "%s", fault)
	}
}

func (c *checker) warnOfDatabase() {
	d := &c.cfg.Database
	if !d.Given() {
		return
	}
	if d.Key.IsZero() {
		c.advise("database", "there is no key_file: passwords for chap and mschapv2 stay readable in the database; make one with lnsgate db rotate-key --prepare --key-file FILE")
	}
	if c.lines["node"] == 0 && c.cfg.Node == "localhost" {
		c.advise("node", "this host is called localhost, and so is the node; nodes that share a database need names of their own, set node")
	}
}

// checkNode wants a name that can stand in every row and log line.
func (c *checker) checkNode() {
	if !nodeForm.MatchString(c.cfg.Node) {
		c.say("node", "%q is not the name of a node: at most 63 letters, digits and -, a letter or digit first", c.cfg.Node)
	}
}

var nodeForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// hostNode makes the name of a node of the name of this host.
func hostNode() string {
	host, _ := os.Hostname() // without a name it is as good as any other
	return nodeOf(host)
}

func nodeOf(host string) string {
	name := strings.Map(func(r rune) rune {
		if nodeForm.MatchString(string(r)) || r == '-' {
			return r
		}
		return '-'
	}, host)
	name = strings.Trim(name, "-")
	return cmp.Or(strings.TrimRight(name[:min(len(name), 63)], "-"), "lnsgate")
}
