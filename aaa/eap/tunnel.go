package eap

import (
	"crypto/tls"
	"sync"

	"lnsgate/aaa"
)

// tunnel is one TLS connection with a peer, ours being the server's end. The goroutine that crypto/tls needs runs only while
// feed waits for it; in between it waits for the peer's next octets. It ends with end, or when TLS fails.
type tunnel struct {
	pipe *pipe
	conn *tls.Conn

	mu          sync.Mutex
	plain       []byte
	established bool
	err         error
}

// start makes a tunnel. The goroutine is counted in running.
func start(config *tls.Config, running *sync.WaitGroup) *tunnel {
	t := &tunnel{pipe: newPipe()}
	t.conn = tls.Server(t.pipe, config)
	running.Go(t.run)
	return t
}

func (t *tunnel) run() {
	defer t.pipe.Close()
	err := t.conn.Handshake()
	t.mu.Lock()
	t.established, t.err = err == nil, err
	t.mu.Unlock()
	buffer := make([]byte, 4096)
	for err == nil {
		var n int
		n, err = t.conn.Read(buffer)
		t.mu.Lock()
		t.plain, t.err = append(t.plain, buffer[:n]...), err
		t.mu.Unlock()
	}
	clear(buffer)
}

// heard is what came of a message of the peer.
type heard struct {
	out         []byte // for the peer, perhaps none; with an error, the alert
	plain       []byte // what it said inside
	established bool   // the handshake is done
	err         error  // TLS is over
}

// feed takes a message of the peer.
func (t *tunnel) feed(message []byte) heard {
	t.pipe.feed(message)
	t.mu.Lock()
	defer t.mu.Unlock()
	h := heard{out: t.pipe.take(), plain: t.plain, established: t.established, err: t.err}
	t.plain = nil
	return h
}

// say encrypts what the peer is told inside.
func (t *tunnel) say(plain []byte) ([]byte, error) {
	if _, err := t.conn.Write(plain); err != nil {
		return nil, err
	}
	return t.pipe.take(), nil
}

// end ends the goroutine.
func (t *tunnel) end() { t.pipe.Close() }

// export derives octets that only the two ends know (RFC 5705). TLS 1.2 without the extended master secret of RFC 7627 has
// none that are safe.
func (t *tunnel) export(label string, context []byte, length int) ([]byte, error) {
	state := t.conn.ConnectionState()
	return state.ExportKeyingMaterial(label, context, length)
}

// keys are the two halves of the MSK. Both it and the EMSK, which nobody uses, are derived: in TLS 1.3 the length counts (RFC
// 9190 section 2.3).
func (t *tunnel) keys(label string, context []byte) (aaa.Keys, error) {
	both, err := t.export(label, context, 4*mskHalf)
	if err != nil {
		return aaa.Keys{}, err
	}
	return halves(both[:2*mskHalf]), nil
}

// mskHalf is half of an MSK, which has 64 octets (RFC 3748 section 7.10).
const mskHalf = 32

// halves are an MSK as a NAS gets it: what it receives with is the first.
func halves(msk []byte) aaa.Keys {
	return aaa.Keys{Receive: aaa.NewSecret(string(msk[:mskHalf])), Send: aaa.NewSecret(string(msk[mskHalf:]))}
}
