//go:build !race

package wire

import (
	"testing"

	"layeh.com/radius"
)

// The race detector has sync.Pool forget things, so this is not for it.

// What is checked again and again on the way of each request takes no memory.
func TestAllocations(t *testing.T) {
	key, p := NewKey(secret), packet(radius.CodeAccessRequest, text(1, "alice"))
	reply, err := key.AppendReply(nil, packet(radius.CodeAccessAccept, text(18, "welcome")))
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 0, MaxLength)
	if n := testing.AllocsPerRun(100, func() { key.AppendRequest(buffer, p) }); n >= 1 {
		t.Errorf("%v to sign", n)
	}
	if n := testing.AllocsPerRun(100, func() { key.VerifyReply(reply, p.Authenticator) }); n >= 1 {
		t.Errorf("%v to check", n)
	}
}
