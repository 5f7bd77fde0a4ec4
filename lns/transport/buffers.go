package transport

import (
	"cmp"
	"log/slog"

	"golang.org/x/sys/unix"
)

// buffers are the sizes of a socket's kernel buffers, in octets.
type buffers struct{ receive, send int }

func (cfg Config) buffers() buffers {
	return buffers{cmp.Or(cfg.ReceiveBuffer, DefaultReceiveBuffer), cmp.Or(cfg.SendBuffer, DefaultSendBuffer)}
}

func (b buffers) least(other buffers) buffers {
	return buffers{min(b.receive, other.receive), min(b.send, other.send)}
}

// report warns once for all sockets, since all of them meet the same limits of this host.
func (b buffers) report(log *slog.Logger, got buffers) {
	if got == b {
		return
	}
	log.Warn("the kernel gives smaller UDP buffers than asked for; bursts may be lost; "+
		"raise net.core.rmem_max and net.core.wmem_max, or run with CAP_NET_ADMIN",
		"receive_asked", b.receive, "receive_got", got.receive, "send_asked", b.send, "send_got", got.send)
}

// growBuffers tells what the kernel gives of what is asked for, at most that.
func (s *socket) growBuffers(asked buffers) buffers {
	return asked.least(buffers{
		receive: s.growBuffer(unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, asked.receive),
		send:    s.growBuffer(unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, asked.send),
	})
}

// growBuffer asks for a kernel buffer: past the system's limit if we may (CAP_NET_ADMIN), else up to it.
func (s *socket) growBuffer(force, plain, size int) int {
	if s.setOption(unix.SOL_SOCKET, force, size) == nil {
		return size
	}
	_ = s.setOption(unix.SOL_SOCKET, plain, size) // what counts is what the kernel gives
	got, _ := s.option(unix.SOL_SOCKET, plain)
	return got / 2 // the kernel doubles what is asked for, and tells the double
}
