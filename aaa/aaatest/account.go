package aaatest

import (
	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Account is one account that Run wants the back end under test to have.
type Account struct {
	Name     string     // exactly as stored
	Password aaa.Secret // in clear, so that every method can be checked
	Disabled bool
	Grant    aaa.Grant // what the account overrides; Account and Reply are empty
}

// peerChallenge is what a peer would draw at random.
var peerChallenge = [16]byte{0: 0x21, 5: 0x40, 15: 0x5e}

// Challenge returns what an authenticator would draw at random.
func Challenge() []byte { return []byte{15: 0x5b, 0: 0x28} }

// NewProof makes the proof a peer gives that types name and password.
func NewProof(m aaa.Method, name, password string) aaa.Proof {
	answerer := secret.NewAnswerer(name, aaa.NewSecret(password), peerChallenge)
	p := aaa.Proof{Method: m}
	switch m {
	case aaa.PAP:
		p.Password = aaa.NewSecret(password)
	case aaa.CHAP:
		p.Identifier, p.Challenge = 7, Challenge()
		p.Response = answerer.CHAP(p.Identifier, p.Challenge)
	case aaa.MSCHAPv1:
		p.Identifier, p.Challenge = 7, Challenge()[:8]
		p.Response = answerer.MSCHAPv1(p.Challenge)
	case aaa.MSCHAPv2:
		p.Identifier, p.Challenge = 7, Challenge()
		p.Response = answerer.MSCHAPv2(p.Challenge)
	}
	return p
}

// convinces reports whether a peer that typed name and password accepts the authenticator response.
func convinces(reply, name, password string) bool {
	answerer := secret.NewAnswerer(name, aaa.NewSecret(password), peerChallenge)
	answerer.MSCHAPv2(Challenge())
	return answerer.VerifyMSCHAPv2(reply)
}

// NewQuery makes the query for a name in the domain "default", or the one it names.
func NewQuery(name string, p aaa.Proof) *aaa.Query {
	id, err := aaa.ParseIdentity(name)
	if err != nil {
		id = aaa.Identity{Raw: name, User: name}
	}
	domain := id.Domain
	if domain == "" {
		domain = "default"
	}
	return &aaa.Query{Request: &aaa.Request{Name: name, Proof: p}, Identity: id, Domain: domain}
}
