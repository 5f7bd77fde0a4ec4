package explain

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/eap"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/trace"
	"lnsgate/test/peers"
)

// typed is a login by that name and password.
func typed(name, password string) func(*lab) {
	return func(l *lab) { l.fails(l.peer(name, password), time.Minute) }
}

// elsewhere has the back end behind the accounts answer so.
func elsewhere(a aaatest.Answer) func(*lab) { return func(l *lab) { l.fake.SetOther(a) } }

// leadsEAP has logins by EAP led by the server itself, with these methods.
func leadsEAP(methods ...eap.Method) func(*lab) {
	return func(l *lab) {
		l.config.Templates[0].Methods = []aaa.Method{aaa.EAP}
		l.gateway = &swapped{}
		l.regate()
		own, err := eap.SelfSigned(l.t.TempDir(), []string{"vpn.example"})
		l.must(err)
		s, err := eap.New(eap.Config{AAA: l.gateway, Methods: methods, Certificate: own.Certificate, Timeout: 20 * time.Second})
		l.must(err)
		l.t.Cleanup(s.Close)
		l.deps.AAA = s
	}
}

// speaksEAP is a peer that says its name and answers what is asked by this; nil says nothing.
func speaksEAP(l *lab, answer func(request peers.Frame) []byte) *peers.Peer {
	const protocol = 0xc227
	p := l.alice(func(p *peers.Profile) { p.Methods = []peers.Method{peers.MethodEAP} })
	p.OnFrame = func(f peers.Frame) bool {
		if f.Protocol != protocol || f.Code != 1 || len(f.Data) == 0 {
			return f.Protocol == protocol
		}
		data := append([]byte{1}, p.Login.User...)
		if f.Data[0] != 1 {
			data = answer(f)
		}
		if data != nil {
			p.Frame(peers.Frame{Protocol: protocol, Code: 2, ID: f.ID, Data: data})
		}
		return true
	}
	return p
}

// hangs has logins wait for a back end that does not answer.
func hangs(l *lab) { l.fake.SetOther(aaatest.Answer{Wait: make(chan struct{})}) }

func loginRows() []row {
	return []row{
		{cause: trace.AuthenticationNoAnswer, how: "the peer says nothing to the challenge", says: []string{"the other side did not answer"}, play: func(l *lab) {
			p := l.alice()
			p.OnFrame = func(f peers.Frame) bool { return f.Protocol == peers.CHAP }
			l.fails(p, 2*time.Minute)
		}},
		{cause: trace.ChallengeNoAnswer, how: "the peer does not go on with EAP", set: leadsEAP(eap.MD5), play: func(l *lab) {
			l.fails(speaksEAP(l, func(peers.Frame) []byte { return nil }), 5*time.Minute)
		}},
		{cause: trace.EAPNoMethod, how: "the peer wants EAP-TLS", says: []string{"instead of md5 it wants tls"}, set: leadsEAP(eap.MD5), play: func(l *lab) {
			l.fails(speaksEAP(l, func(peers.Frame) []byte { return []byte{3, 13} }), time.Minute)
		}},
		{cause: trace.EAPFailed, how: "the peer talks past the question", says: []string{"does not answer what it is asked"}, set: leadsEAP(eap.MD5),
			play: func(l *lab) {
				p := speaksEAP(l, nil)
				n := byte(0)
				talk := p.OnFrame
				p.OnFrame = func(f peers.Frame) bool {
					if f.Protocol == 0xc227 && f.Code == 1 && f.Data[0] == 4 {
						n++
						p.Frame(peers.Frame{Protocol: 0xc227, Code: 2, ID: f.ID, Data: []byte{21, n}})
						return true
					}
					return talk(f)
				}
				l.fails(p, 2*time.Minute)
			}},
		{cause: trace.EAPFailed, how: "a phone that does not trust the server's certificate", says: []string{"the peer gave up", "unknown certificate authority", "needs the CA"},
			set: leadsEAP(eap.PEAP), play: func(l *lab) {
				unknownCA := []byte{25, 0, 21, 3, 3, 0, 2, 2, 48} // PEAP, no flags, a fatal alert
				l.fails(speaksEAP(l, func(peers.Frame) []byte { return unknownCA }), 2*time.Minute)
			}},
		{cause: trace.PeerGaveUp, how: "Windows does not wait for the back end", says: []string{"it had waited 20s for the check of its login", "Windows error 718"},
			set: hangs, play: func(l *lab) {
				p := l.peer("carol", password)
				p.Dial()
				p.Run(20 * time.Second)
				p.Frame(peers.Frame{Protocol: peers.LCP, Code: peers.TerminateRequest, ID: 9, Data: []byte("\x39\x5a\x11\x7c\x00\x3c\xcd\x74\x00\x00\x02\xce")})
				p.Run(10 * time.Second)
			}},
		{cause: trace.PeerGaveUp, how: "a LAC whose user hangs up", says: []string{"it had waited 7s", "result 1"}, set: hangs, play: func(l *lab) {
			p := l.peer("carol", password)
			p.Dial()
			p.Run(7 * time.Second)
			p.HangUp(peers.AVP{Type: 1, Value: []byte{0, 1}})
			p.Run(time.Second)
		}},
		{cause: trace.UnknownUser, how: "a name that nobody has", says: []string{`no account is stored as "carol"`}, play: typed("carol", password)},
		{cause: trace.NearMissDomain, how: "the domain left out", says: []string{`stored as "bob@default": the user must type the domain too`}, play: typed("bob", password)},
		{cause: trace.NearMissDomain, how: "a domain added", says: []string{`stored as "alice": the user must type it without the domain`}, play: typed("alice@default", password)},
		{cause: trace.NearMissName, how: "capital letters", says: []string{`stored as "alice": only upper and lower case differ`}, play: typed("Alice", password)},
		{cause: trace.WrongPassword, how: "a wrong password", says: []string{"local"}, play: typed("alice", wrong)},
		{cause: trace.AccountDisabled, how: "a blocked account", says: []string{"the password was right"},
			set: func(l *lab) { l.accounts[0].Disabled = true }, play: typed("alice", password)},
		{cause: trace.UnknownDomain, how: "a domain that does not exist", says: []string{`no domain "defauld"`, `there is one named "default"`}, play: typed("alice@defauld", password)},
		{cause: trace.DomainBlocked, how: "a blocked domain", play: typed("alice@off", password)},
		{cause: trace.MalformedName, how: "a name without a user", says: []string{"@"}, play: typed("@default", password)},
		{cause: trace.MalformedProof, how: "a response that is too short", says: []string{"malformed"}, play: func(l *lab) {
			p := l.alice()
			p.OnFrame = func(f peers.Frame) bool {
				if f.Protocol != peers.CHAP || f.Code != 1 {
					return false
				}
				p.Frame(peers.Frame{Protocol: peers.CHAP, Code: 2, ID: f.ID, Data: slices.Concat([]byte{15}, bytes.Repeat([]byte{7}, 15), []byte("alice"))})
				return true
			}
			l.fails(p, time.Minute)
		}},
		{cause: trace.MethodNotAllowed, how: "a domain that accepts EAP alone", says: []string{"the peer used chap", "accepts only eap"},
			set: func(l *lab) { l.domain.Methods = []aaa.Method{aaa.EAP} }, play: typed("alice", password)},
		{cause: trace.NoCredentialForMethod, how: "CHAP against an NT hash", says: []string{"only the NT hash is stored"},
			set: func(l *lab) { l.accounts[0].Credential = secret.NTHash([16]byte{1}) }, play: typed("alice", password)},
		{cause: trace.AuthenticationRejected, how: "a no for a reason of its own", says: []string{"known only at login"},
			set: elsewhere(aaatest.Answer{Err: aaa.Reject(aaa.OnlyAtLogin, "")}), play: typed("carol", password)},
		{cause: trace.AuthenticationUnavailable, how: "a back end that is broken", says: []string{`back end "elsewhere": disk on fire`},
			set: elsewhere(aaatest.Answer{Err: errors.New("disk on fire")}), play: typed("carol", password)},
		{cause: trace.AuthenticationTimeout, how: "a back end that hangs", says: []string{`back end "elsewhere" has not answered in time`}, set: hangs, play: typed("carol", password)},
		{cause: trace.TooManyChecks, how: "more logins than may be checked", says: []string{"limits.waiting_authentications"},
			set: func(l *lab) {
				hangs(l)
				l.config.Limits.Authentications, l.config.Limits.WaitingAuthentications = 1, 8
			},
			play: func(l *lab) {
				var all sync.WaitGroup
				for range 12 {
					p := l.peer("carol", password)
					all.Go(func() { l.fails(p, 20*time.Second) })
				}
				all.Wait()
			}},
	}
}

// reserve has the server hold a network for itself.
func reserve(l *lab, network lns.Reserved) { l.config.Reserved = append(l.config.Reserved, network) }
