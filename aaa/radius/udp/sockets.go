package udp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// longest is a datagram that can be read whole: a packet of RADIUS (RFC 2865 section 3) and one octet, which shows that there
// is more.
const longest = 4096 + 1

// Sockets are those of a server.
type Sockets []Socket

// OpenAll opens a socket at each address, or none.
func OpenAll(addresses []netip.AddrPort) (Sockets, error) {
	var all Sockets
	for _, at := range addresses {
		socket, err := Open(at)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all = append(all, socket)
	}
	return all, nil
}

// Addresses are those that the sockets have, in their order.
func (all Sockets) Addresses() []netip.AddrPort {
	list := make([]netip.AddrPort, len(all))
	for i, socket := range all {
		list[i] = socket.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	return list
}

// Close closes the sockets. Those that are closed already do not mind.
func (all Sockets) Close() error {
	var faults []error
	for _, socket := range all {
		if err := socket.UDPConn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Datagram is what came.
type Datagram struct {
	Socket  int    // its place among the sockets
	Octets  []byte // until take returns
	Control []byte // for BackFrom; likewise
	From    netip.AddrPort
}

// Serve hands what comes to take, from one goroutine for each socket, until the context ends. A socket that is broken ends it for
// all: better seen than half a service. The context of take ends with it. The sockets stay open, for answers that are still to
// be sent.
func (all Sockets) Serve(ctx context.Context, take func(context.Context, Datagram)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	faults := make([]error, len(all))
	for i := range all {
		readers.Go(func() {
			faults[i] = all.read(ctx, i, take)
			stop()
		})
	}
	<-ctx.Done()
	for _, socket := range all {
		_ = socket.SetReadDeadline(time.Unix(1, 0)) // wakes the readers, and fails only when it is closed
	}
	readers.Wait()
	return errors.Join(faults...)
}

// read takes datagrams from one socket until the context ends.
func (all Sockets) read(ctx context.Context, i int, take func(context.Context, Datagram)) error {
	buffer, control := make([]byte, longest), make([]byte, RoomForControl)
	for {
		n, m, _, from, err := all[i].ReadMsgUDPAddrPort(buffer, control)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		take(ctx, Datagram{Socket: i, Octets: buffer[:n], Control: control[:m], From: from})
	}
}
