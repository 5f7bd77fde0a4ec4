package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"syscall"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"lnsgate/aaa/radius/udp"
	"lnsgate/aaa/radius/wire"
)

const (
	receiveBuffer = 1 << 20         // octets that replies may wait in; a burst must not be lost for want of room
	writeLimit    = 5 * time.Second // that a TLS connection may take no octets before it is cut
	datagramSize  = 1 << 16         // what is read: a padded packet may be longer than wire.MaxLength
)

// link is one socket to a server: a connected UDP socket or a TLS connection. The mutex of the group guards slots, ids,
// retired and what is below.
type link struct {
	server *server
	conn   net.Conn
	stream bool // TLS: nothing is sent twice

	ids     *identifiers
	slots   [identifierCount]slot
	retired bool // gets no new calls, and is closed when the last one is over

	heard    time.Time // something came; when it was opened at first
	pinged   bool      // and nothing was heard since
	watchdog timer     // of TLS
}

// slot is what a reply with an identifier is held against. It outlives a call that was given up, so that its late answer
// is known for what it is.
type slot struct {
	call          *call // nil: nobody waits
	serial        uint32
	waiting       bool // a request was sent and not answered, whether its call still waits or not
	code          radius.Code
	proxyState    bool
	authenticator [wire.AuthenticatorLength]byte
	before        [wire.AuthenticatorLength]byte // of the request that had the identifier before
}

// asked notes that the request of the call is about to be sent.
func (s *slot) asked(c *call) {
	s.serial++
	s.waiting, s.code, s.authenticator = true, c.code, c.authenticator
	_, s.proxyState = c.packet.Lookup(rfc2865.ProxyState_Type)
}

// busy says whether a call has an identifier of the link.
func (l *link) busy() bool {
	for i := range l.slots {
		if l.slots[i].call != nil {
			return true
		}
	}
	return false
}

// write sends one packet. Nobody holds the mutex. What UDP cannot send is sent again by the timer; a TLS connection that
// takes nothing is cut.
func (l *link) write(octets []byte) {
	if !l.stream {
		// What the network says of the packet before is told here, instead of sending this one.
		if _, err := l.conn.Write(octets); hearsay(err) {
			l.doubted(err)
			l.conn.Write(octets) //nolint:errcheck // as above: the timer takes care
		}
		return
	}
	l.conn.SetWriteDeadline(time.Now().Add(writeLimit)) //nolint:errcheck // then the write fails
	if _, err := l.conn.Write(octets); err != nil {
		l.cut(err)
	}
}

// read is the goroutine of the link: it takes what comes until the socket is closed.
func (l *link) read() {
	var err error
	if l.stream {
		err = l.readStream()
	} else {
		err = l.readDatagrams()
	}
	l.cut(err)
}

func (l *link) readDatagrams() error {
	buffer := make([]byte, datagramSize)
	for {
		n, err := l.conn.Read(buffer)
		switch {
		case hearsay(err):
			l.doubted(err)
		case err != nil:
			return err
		default:
			l.receive(buffer[:n]) //nolint:errcheck // counted; a datagram has nothing to do with the next
		}
	}
}

// readStream takes packets one after the other. One that is malformed or forged ends the connection (RFC 6613 section
// 2.6.4): nobody can tell where the next one begins, or the other end does not know the secret.
func (l *link) readStream() error {
	in := bufio.NewReaderSize(l.conn, wire.MaxLength)
	for {
		head, err := in.Peek(4)
		if err != nil {
			return err
		}
		length := int(binary.BigEndian.Uint16(head[2:]))
		if length < wire.HeaderLength || length > wire.MaxLength {
			l.discard(Malformed)
			return wire.ErrLength
		}
		packet, err := in.Peek(length)
		if err != nil {
			return err
		}
		if err := l.receive(packet); err != nil {
			return err
		}
		if _, err := in.Discard(length); err != nil {
			return err
		}
	}
}

// hearsay says whether an error of a UDP socket is what ICMP told it: nobody listens, a firewall forbids it, no host, too long
// for a link on the way, after which the system sends in pieces. The socket is as good as before.
func hearsay(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && slices.Contains([]syscall.Errno{
		syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENONET, syscall.ENOPROTOOPT,
		syscall.EOPNOTSUPP, syscall.EPROTO, syscall.EMSGSIZE,
	}, number)
}

// doubted notes what ICMP says of the server. Anybody could have sent that, so it changes no call; it makes the server suspect,
// and a Status-Server finds out. That a packet was too long says nothing of the server.
func (l *link) doubted(err error) {
	why := "the network says: " + err.Error()
	switch {
	case errors.Is(err, syscall.EMSGSIZE):
		return
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "its host says that nobody listens on the port"
	}
	g := l.server.group
	g.mu.Lock()
	defer g.mu.Unlock()
	l.server.suspect(time.Now(), why)
}

// cut ends the link: its calls fail, and the keeper opens another.
func (l *link) cut(err error) {
	g := l.server.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		l.server.cut(l, err)
	}
}

// farewell closes the socket. TLS tells the other end, which takes a moment, or 5 s when it does not listen.
func (l *link) farewell() {
	l.conn.Close() //nolint:errcheck // the other end may have gone first
}

// enlarge gives the socket room for a burst of replies.
func enlarge(conn net.Conn) {
	if c, ok := conn.(*net.UDPConn); ok {
		udp.Enlarge(c, receiveBuffer)
	}
}
