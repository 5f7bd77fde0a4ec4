package configs

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Admin is what operators talk to over TCP, besides the socket. It has TLS always.
type Admin struct {
	Listen          []netip.AddrPort `mapstructure:"listen"`           // empty: the socket alone
	CertificateFile string           `mapstructure:"certificate_file"` // empty: one of its own making
	KeyFile         string           `mapstructure:"key_file"`
	ServerNames     []string         `mapstructure:"server_names"`    // in the certificate of its own making; empty: the name of this node
	AllowedSources  []netip.Prefix   `mapstructure:"allowed_sources"` // empty: everywhere
	MetricsOpen     bool             `mapstructure:"metrics_open"`    // metrics are shown without a token
	Operators       []Operator       `mapstructure:"operators"`
}

// Operator is somebody who may ask over TCP: a program by its token, a person by a password on the page.
type Operator struct {
	Name         string `mapstructure:"name"`
	Role         Role   `mapstructure:"role"`
	Token        Secret `mapstructure:"token"` // resolved
	TokenFile    string `mapstructure:"token_file"`
	TokenSHA256  string `mapstructure:"token_sha256"` // or what lnsgate operator token prints
	Password     Secret `mapstructure:"password"`     // resolved
	PasswordFile string `mapstructure:"password_file"`
	PasswordHash string `mapstructure:"password_hash"` // or what lnsgate operator password prints
}

// Role is how much an operator may do. Each role may do what those before it may.
type Role uint8

// The roles.
const (
	View Role = iota
	Operate
	Administer
)

var roleNames = []string{"view", "operate", "administer"}

func (v Role) String() string { return nameOf(roleNames, v) }

// UnmarshalText reads view, operate or administer.
func (v *Role) UnmarshalText(b []byte) error { return readName(v, roleNames, b) }

// The least that a password or a token of an operator may have, in octets.
const (
	leastPassword = 12
	leastToken    = 32
)

// resolveAdmin reads the secrets of operators, and makes the paths of certificates absolute.
func (c *checker) resolveAdmin(directory string) {
	a := &c.cfg.Admin
	for i := range a.Operators {
		o, path := &a.Operators[i], fmt.Sprintf("admin.operators[%d]", i)
		c.resolve(&o.Token, o.TokenFile, path+".token", directory)
		c.resolve(&o.Password, o.PasswordFile, path+".password", directory)
	}
	for _, name := range []*string{&a.CertificateFile, &a.KeyFile} {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(directory, *name)
		}
	}
}

func (c *checker) checkAdmin() {
	a := &c.cfg.Admin
	for i, address := range a.Listen {
		if !address.IsValid() || address.Port() != 0 && slices.Contains(a.Listen[:i], address) {
			c.say(fmt.Sprintf("admin.listen[%d]", i), "%v is no address, or listed twice", address)
		}
	}
	if (a.CertificateFile == "") != (a.KeyFile == "") {
		c.say("admin.certificate_file", "a certificate and its key belong together: give certificate_file and key_file, or neither")
	}
	for i, source := range a.AllowedSources {
		if source != source.Masked() {
			c.say(fmt.Sprintf("admin.allowed_sources[%d]", i), "%v has bits set behind the prefix; the network is %v", source, source.Masked())
		}
	}
	c.names("admin.operators", namesOf(a.Operators, func(o Operator) string { return o.Name }), exact)
	for i := range a.Operators {
		c.checkOperator(fmt.Sprintf("admin.operators[%d]", i), &a.Operators[i])
	}
}

func (c *checker) checkOperator(path string, o *Operator) {
	token, password := !o.Token.IsZero(), !o.Password.IsZero()
	if !token && !password && o.TokenSHA256 == "" && o.PasswordHash == "" && o.TokenFile == "" && o.PasswordFile == "" {
		c.say(path, "%s has neither a token nor a password; make one with: lnsgate operator token, or lnsgate operator password", o.Name)
	}
	if o.TokenSHA256 != "" {
		if sum, err := hex.DecodeString(o.TokenSHA256); err != nil || len(sum) != 32 {
			c.say(path+".token_sha256", "that is not 64 hexadecimal digits; make it with: lnsgate operator token")
		} else if token {
			c.say(path+".token_sha256", "the token is given twice; keep one")
		}
	}
	if o.PasswordHash != "" {
		if !strings.HasPrefix(o.PasswordHash, "$argon2id$") {
			c.say(path+".password_hash", "that is no argon2id hash; make it with: lnsgate operator password")
		} else if password {
			c.say(path+".password_hash", "the password is given twice; keep one")
		}
	}
	if n := len(o.Token.Reveal()); token && n < leastToken {
		c.say(path+".token", "%d octets can be guessed; make one with: lnsgate operator token", n)
	}
	if n := len(o.Password.Reveal()); password && n < leastPassword {
		c.say(path+".password", "%d octets are too few for somebody who may end sessions; at least %d", n, leastPassword)
	}
}

func (c *checker) warnOfAdmin() {
	a := &c.cfg.Admin
	if len(a.Listen) > 0 && len(a.Operators) == 0 {
		c.advise("admin.operators", "nobody may ask over TCP; make a token with: lnsgate operator token")
	}
	if len(a.Listen) == 0 && len(a.Operators) > 0 {
		c.advise("admin.listen", "operators ask over TCP, and there is no address to listen on; write [127.0.0.1:8443]")
	}
	if a.MetricsOpen && len(a.AllowedSources) == 0 {
		for i, address := range a.Listen {
			if !address.Addr().IsLoopback() {
				c.advise(fmt.Sprintf("admin.listen[%d]", i), "metrics_open shows everybody who can reach %v how many log in, and from which domains; set allowed_sources", address)
			}
		}
	}
}
