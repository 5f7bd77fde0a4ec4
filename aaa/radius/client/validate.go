package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// leastRedial is the shortest back-off between two connections (RadSec: RFC 6614 and its successor).
const leastRedial = 500 * time.Millisecond

// radSecSecret is shared by all who use TLS (RFC 6614 section 2.3).
const radSecSecret = "radsec"

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	c.Retry = c.Retry.OrDefault()
	c.Health = c.Health.withDefaults()
	c.Queue = orInt(c.Queue, 4096)
	c.Sockets = orInt(c.Sockets, 4)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	servers := make([]Server, len(c.Servers))
	for i, s := range c.Servers {
		servers[i] = s.withDefaults()
	}
	c.Servers = servers
	return c
}

func (s Server) withDefaults() Server {
	if s.Name == "" {
		s.Name = s.Address
	}
	s.Weight = orInt(s.Weight, 1)
	s.InFlight = orInt(s.InFlight, 1024)
	s.Timeout = orDuration(s.Timeout, 10*time.Second)
	return s
}

func (h Health) withDefaults() Health {
	h.Zombie = orDuration(h.Zombie, 40*time.Second)
	h.Check = orDuration(h.Check, 30*time.Second)
	h.Answer = orDuration(h.Answer, 4*time.Second)
	h.Answers = orInt(h.Answers, 3)
	h.Revive = orDuration(h.Revive, 120*time.Second)
	h.Rest = orDuration(h.Rest, 30*time.Second)
	h.Idle = orDuration(h.Idle, time.Minute)
	h.Redial = max(h.Redial, leastRedial)
	h.DialTime = orDuration(h.DialTime, 10*time.Second)
	return h
}

func orInt(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func orDuration(v, otherwise time.Duration) time.Duration {
	if v == 0 {
		return otherwise
	}
	return v
}

// faults lists what cannot work in a configuration with its defaults.
func (c Config) faults() error {
	var list []error
	say := func(format string, args ...any) {
		list = append(list, fmt.Errorf("RADIUS group %s: %s", c.Name, fmt.Sprintf(format, args...)))
	}
	if len(c.Servers) == 0 {
		say("there is no server")
	}
	if c.Queue < 0 || c.Sockets < 0 {
		say("queue %d and sockets %d must not be negative", c.Queue, c.Sockets)
	}
	if r := c.Retry; r.Initial <= 0 || r.Max < 0 || r.Count < 0 || r.Duration < 0 || r.Jitter < 0 || r.Jitter > 0.5 {
		say("times of repetition %+v: the first must be positive, none negative, the jitter at most a half", r)
	}
	if h := c.Health; min(h.Zombie, h.Check, h.Answer, h.Revive, h.Rest, h.Idle, h.DialTime) < 0 || h.Answers < 0 {
		say("times of health %+v: none may be negative", h)
	}
	names := map[string]bool{}
	for _, s := range c.Servers {
		if names[s.Name] {
			say("two servers are named %s", s.Name)
		}
		names[s.Name] = true
		for _, fault := range s.faults() {
			say("server %s: %s", s.Name, fault)
		}
	}
	return errors.Join(list...)
}

func (s Server) faults() (list []string) {
	if host, port, err := net.SplitHostPort(s.Address); err != nil || host == "" || port == "" {
		list = append(list, fmt.Sprintf("address %q is not host:port", s.Address))
	}
	if s.Secret.IsZero() && s.TLS == nil {
		list = append(list, "there is no secret")
	}
	if s.Weight < 0 || s.InFlight < 0 || s.Timeout < 0 {
		list = append(list, "weight, requests in flight and timeout must not be negative")
	}
	if s.MessageAuthenticator < Auto || s.MessageAuthenticator > Off {
		list = append(list, "unknown policy of Message-Authenticator")
	}
	return list
}
