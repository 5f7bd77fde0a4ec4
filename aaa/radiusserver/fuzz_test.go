package radiusserver

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// FuzzTake: whatever comes, with a good authenticator or without, nothing panics, nobody but a client is answered, and what anybody
// could have sent gets no more octets back than it has. Attributes are signed by the test where the first octet says so.
func FuzzTake(f *testing.F) {
	for _, p := range []*radius.Packet{
		login(f, "alice", password), proven(f, packet(f, radius.CodeAccessRequest), aaa.CHAP, "alice", password), packet(f, radius.CodeStatusServer),
		proven(f, packet(f, radius.CodeAccessRequest), aaa.MSCHAPv2, "alice", password), mschapv1(f, packet(f, radius.CodeAccessRequest), "alice", password),
		packet(f, radius.CodeAccessRequest, str(1, "alice"), str(79, "\x02\x07\x00\x0a\x01alice"), str(24, "state")), login(f, "alice", password, unsignedRequest),
		packet(f, radius.CodeAccountingRequest, num(40, 1), str(44, "1"), str(25, markMagic), num(55, 1)), packet(f, radius.CodeAccountingRequest, num(40, 7)),
	} {
		octets := octetsOf(f, p)
		f.Add(byte(0), octets)
		f.Add(byte(1), octets)
	}
	r := newRig(f, nil)
	f.Fuzz(func(t *testing.T, how byte, octets []byte) {
		r.t = t
		if how&1 == 1 {
			octets = authentic(octets)
		}
		for _, role := range []role{forAccess, forRecords} {
			box := newMailbox()
			r.take(context.Background(), datagram{role: role, listener: int(role), octets: octets, from: nasAddress, out: box}, time.Now())
			r.working.Wait()
			for _, reply := range box.all() {
				key := wire.NewKey(clientSecret)
				if _, err := key.VerifyReply(reply, [16]byte(octets[4:20])); err != nil {
					t.Fatalf("reply %x: %v", reply, err)
				}
				v, err := key.VerifyRequest(octets)
				if err != nil || !v.Signed && v.Code() == radius.CodeAccessRequest && reply[0] != byte(radius.CodeAccessAccept) && len(reply) > len(octets) {
					t.Fatalf("%d octets in reply to %d: %v", len(reply), len(octets), err)
				}
			}
		}
	})
}

// authentic makes an authenticator that fits, as who has the secret would.
func authentic(octets []byte) []byte {
	b := append([]byte(nil), octets...)
	if len(b) < wire.HeaderLength || len(b) > wire.MaxLength {
		return b
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	if b[0] != byte(radius.CodeAccountingRequest) {
		return b
	}
	copy(b[4:20], make([]byte, 16))
	sum := md5.Sum(append(append([]byte(nil), b...), clientSecret...))
	copy(b[4:20], sum[:])
	return b
}

func FuzzDecodeMark(f *testing.F) {
	m := mark{session: "branch/abc", started: time.Unix(1_700_000_000, 0), account: "alice", domain: "default", backend: "local"}
	whole := m.encode()
	for n := range len(whole) + 1 {
		f.Add(whole[:n])
	}
	f.Fuzz(func(t *testing.T, class []byte) {
		m, ok := decodeMark(class)
		if !ok || len(class) > 253 {
			return
		}
		again, ok := decodeMark(m.encode())
		if !ok || again != m && again.session != "" {
			t.Errorf("%+v came back as %+v", m, again)
		}
	})
}
