package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// The kinds of stored forms: credentials.kind.
const (
	kindSealed   = "sealed" // the clear password, sealed
	kindNT       = "nt"     // the NT hash, sealed; or raw, until a node seals it
	kindArgon2id = "argon2id"
	kindBcrypt   = "bcrypt"
	kindCrypt    = "crypt" // $1$, $5$, $6$ of other systems
)

// serves lists for each kind the methods that it can check. The first kind that serves a method is used.
var serves = []struct {
	kind    string
	methods []aaa.Method
}{
	{kindSealed, []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv1, aaa.MSCHAPv2, aaa.EAP}},
	{kindNT, []aaa.Method{aaa.PAP, aaa.MSCHAPv1, aaa.MSCHAPv2}},
	{kindArgon2id, []aaa.Method{aaa.PAP}},
	{kindBcrypt, []aaa.Method{aaa.PAP}},
	{kindCrypt, []aaa.Method{aaa.PAP}},
}

// choose makes the credential that a method is checked against. Where none serves, the credential is one that never
// matches, and the rejection says what to do.
func (a *account) choose(m aaa.Method, keys *secret.Keys) (secret.Credential, *aaa.Rejection) {
	if !a.known() {
		return secret.Credential{}, nil
	}
	if a.password != "" {
		return a.usable(secret.Clear(aaa.NewSecret(a.password)), "accounts.password")
	}
	for _, s := range serves {
		i := slices.IndexFunc(a.forms, func(f form) bool { return f.kind == s.kind })
		if i >= 0 && slices.Contains(s.methods, m) {
			return a.open(&a.forms[i], keys)
		}
	}
	return secret.Credential{}, a.lack(m)
}

// open reads one stored form.
func (a *account) open(f *form, keys *secret.Keys) (secret.Credential, *aaa.Rejection) {
	octets := f.value
	if f.key != "" {
		var err error
		if octets, err = keys.Open(f.value, secret.Binding{Account: a.id, Kind: f.kind}, f.key); err != nil {
			return secret.Credential{}, sealed(f, err)
		}
	}
	switch f.kind {
	case kindSealed:
		return a.usable(secret.Clear(aaa.NewSecret(string(octets))), f.kind)
	case kindNT:
		if len(octets) != 16 {
			return secret.Credential{}, aaa.Reject(aaa.Misconfigured, "the stored NT hash has %d octets instead of 16; set the password again", len(octets))
		}
		return a.usable(secret.NTHash([16]byte(octets)), f.kind)
	}
	return a.usable(secret.Hashed(string(octets)), f.kind)
}

// usable passes a credential on, unless its content can never match.
func (a *account) usable(c secret.Credential, where string) (secret.Credential, *aaa.Rejection) {
	if err := c.Validate(); err != nil {
		return secret.Credential{}, aaa.Reject(aaa.Misconfigured, "what is stored in %s can never match: %v; set the password again", where, err)
	}
	return c, nil
}

func sealed(f *form, err error) *aaa.Rejection {
	r := aaa.Reject(aaa.Misconfigured, "credential %q: %v; set the password again", f.kind, err)
	if errors.Is(err, secret.ErrUnknownKey) {
		r = aaa.Reject(aaa.Misconfigured, "the password is sealed: %v of this node; copy the key file from another node", err).For(aaa.SealKeyMissing)
	}
	r.Err = err
	return r
}

// lack says that no stored form serves a method, and what to do.
func (a *account) lack(m aaa.Method) *aaa.Rejection {
	var kinds []string
	for _, f := range a.forms {
		kinds = append(kinds, f.kind)
	}
	slices.Sort(kinds)
	if len(kinds) == 0 {
		return aaa.Reject(aaa.NoCredentialForMethod, "no password is stored; set one: SELECT set_password('%s', ...)", strings.ReplaceAll(a.name, "'", "''"))
	}
	remedy := fmt.Sprintf("allow %s in the domain and set the password again", m)
	if m != aaa.PAP {
		remedy = "offer pap on the virtual template, or " + remedy
	}
	return aaa.Reject(aaa.NoCredentialForMethod, "%s cannot be checked against what is stored (%s); %s", m, strings.Join(kinds, ", "), remedy)
}
