package radtest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// RADIUS as far as Status-Server goes (RFC 5997): one request with one attribute, and an answer of any kind.
const (
	statusServer         = 12
	messageAuthenticator = 80
	header               = 20 // octets in front of the attributes
)

// statusRequest is a new Status-Server, signed.
func statusRequest(secret string) []byte {
	packet := make([]byte, header+2+md5.Size)
	packet[0] = statusServer
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	rand.Read(packet[1:2]) // never fails
	rand.Read(packet[4:header])
	packet[header], packet[header+1] = messageAuthenticator, 2+md5.Size
	sum := hmac.New(md5.New, []byte(secret))
	sum.Write(packet)
	sum.Sum(packet[:header+2])
	return packet
}

// answers says whether the packet is the reply to the request from one who knows the secret (RFC 2865 section 3).
func answers(reply, request []byte, secret string) bool {
	if len(reply) < header || reply[1] != request[1] || int(binary.BigEndian.Uint16(reply[2:])) != len(reply) {
		return false
	}
	sum := md5.New()
	sum.Write(reply[:4])
	sum.Write(request[4:header])
	sum.Write(reply[header:])
	sum.Write([]byte(secret))
	return hmac.Equal(sum.Sum(nil), reply[4:header])
}

// awaitStatus asks until the server answers or alive fails. The wait between two questions is that for an answer; the
// socket is not connected, so that it is waited for even when nobody has the port yet.
func awaitStatus(conn net.PacketConn, server netip.AddrPort, secret string, until time.Time, alive func() error) error {
	buffer := make([]byte, 4096)
	for time.Now().Before(until) {
		if err := alive(); err != nil {
			return err
		}
		request := statusRequest(secret)
		if _, err := conn.WriteTo(request, net.UDPAddrFromAddrPort(server)); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(25 * time.Millisecond)); err != nil {
			return err
		}
		n, _, err := conn.ReadFrom(buffer)
		switch {
		case err == nil && answers(buffer[:n], request, secret):
			return nil
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
	}
	return fmt.Errorf("no answer to Status-Server at %v", server)
}
