package radtest

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
)

// Auth is where the server takes authentication requests.
func (s *Server) Auth() netip.AddrPort { return netip.AddrPortFrom(s.options.Address, s.ports[auth]) }

// Acct is where the server takes accounting requests.
func (s *Server) Acct() netip.AddrPort { return netip.AddrPortFrom(s.options.Address, s.ports[acct]) }

// RadSec is where the server takes TLS connections, when Options.RadSec is set.
func (s *Server) RadSec() netip.AddrPort {
	return netip.AddrPortFrom(s.options.Address, s.ports[radsec])
}

// CoA is where the server takes CoA-Requests and Disconnect-Requests, when Options.CoA is set.
func (s *Server) CoA() netip.AddrPort { return netip.AddrPortFrom(s.options.Address, s.ports[coa]) }

// Secret is the secret shared with clients on this machine. Over RadSec it is "radsec", as RFC 6614 has it.
func (s *Server) Secret() string { return s.secretOf(s.options.Address) }

// PID is the process of the server, 0 when it does not run.
func (s *Server) PID() int {
	if s.command == nil {
		return 0
	}
	return s.command.Process.Pid
}

// Log is what the server said so far, over all its starts.
func (s *Server) Log() string { return s.read("log") }

// Detail is the accounting the server has taken so far, in the form of rlm_detail.
func (s *Server) Detail() string { return s.read("detail") }

func (s *Server) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatalf("radtest: %v", err)
	}
	return string(text)
}
