package eap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// turn is one Response of the peer, and whom a method may ask about it.
type turn struct {
	ctx     context.Context
	aaa     aaa.Authenticator
	request *aaa.Request
	name    string // who the peer says it is: inside of a tunnel, the name there
	room    int    // octets of Type-Data in a Request

	proven func() *aaa.Rejection                         // the peer can be reached; nil inside of a tunnel
	open   func(c *tls.Config) (*tunnel, *aaa.Rejection) // begins TLS
	warn   func(message string, err error)               // tells the administrator
}

// move is what a method makes of a Response. One of the fields is set.
type move struct {
	say []byte         // the Type-Data of the next Request; in a tunnel, what is said there
	yes *aaa.Decision  // the peer is who it says
	no  *aaa.Rejection // or not
	odd bool           // it is no answer to what was asked
}

func refuse(no *aaa.Rejection) move { return move{no: no} }

func malformed(format string, args ...any) move {
	return move{no: aaa.Reject(aaa.MalformedProof, format, args...)}
}

// method is one method in one conversation. It is owned by it.
type method interface {
	// begin makes the Type-Data of the first Request, which has that identifier.
	begin(id uint8) []byte
	// step takes a Response of the method's type.
	step(t *turn, p packet.Packet) move
}

// prove has what the peer showed checked.
func (t *turn) prove(name string, proof aaa.Proof) (*aaa.Decision, *aaa.Rejection) {
	return t.asked(name, proof, t.aaa.Authenticate)
}

// account asks about an account whose owner has proven otherwise who it is.
func (t *turn) account(name string) (*aaa.Decision, *aaa.Rejection) {
	d, no := t.asked(name, aaa.Proof{}, t.aaa.Authorize)
	if no != nil && no.Cause == aaa.OnlyAtLogin {
		own := *no
		own.Cause = aaa.NoCredentialForMethod
		own.Detail = "a certificate proves who it is, but the RADIUS servers of this domain answer only to a password; " +
			"have them lead EAP themselves, or keep the account here"
		no = &own
	}
	return d, no
}

func (t *turn) asked(name string, proof aaa.Proof, ask func(context.Context, *aaa.Request) (aaa.Decision, error)) (*aaa.Decision, *aaa.Rejection) {
	proof.InEAP = true
	r := inside(t.request, name)
	r.Proof = proof
	d, err := ask(t.ctx, r)
	if err != nil {
		return nil, about(t.request.Name, name, rejectionOf(err))
	}
	if name != t.request.Name {
		d.Inner = name
		if d.UserName == "" {
			d.UserName = name
		}
	}
	d.Keys, d.Packet = withoutNT(d.Keys), nil
	return &d, nil
}

// withoutNT leaves out the keys of MS-CHAPv1, which has none for EAP.
func withoutNT(k aaa.Keys) aaa.Keys { return aaa.Keys{Send: k.Send, Receive: k.Receive} }

// inside is the question about a name that the peer said inside of EAP. It counts as if it had been typed without EAP: whoever has an
// account without a domain must not choose one, and what its people get, by a name outside that nobody proves.
func inside(r *aaa.Request, name string) *aaa.Request {
	own := *r
	own.Name, own.Inner, own.Backend, own.Proof = name, "", "", aaa.Proof{}
	return &own
}

// about tells the administrator whom a no is about, where that is not who the peer says it is outside.
func about(outside, name string, no *aaa.Rejection) *aaa.Rejection {
	if name == outside {
		return no
	}
	own := *no
	own.Detail = fmt.Sprintf("inside of EAP it says that it is %q", name)
	if no.Detail != "" {
		own.Detail += "; " + no.Detail
	}
	return &own
}

// rejectionOf is an error as a rejection. One that is none comes from who does not keep the contract.
func rejectionOf(err error) *aaa.Rejection {
	var no *aaa.Rejection
	if errors.As(err, &no) {
		return no
	}
	no = aaa.Reject(aaa.BackendUnavailable, "inside of EAP: %v", err)
	no.Err = err
	return no
}
