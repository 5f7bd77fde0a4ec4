package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius"
	"lnsgate/aaa/radius/client"
	"lnsgate/configs"
	"lnsgate/lns/admin"
)

// radiusGroup is one group of the configuration: who is asked, and who is told.
type radiusGroup struct {
	config         configs.RADIUS
	certificates   [sha256.Size]byte // of the files that it names, as they were when it was made
	login          time.Duration     // that a login may take
	nas            radius.NAS
	authentication *client.Group
	accounting     *client.Group
	backend        *radius.Backend
}

// radiusGroups are those in force. A reload replaces the groups that have changed; logins that are being checked by one of
// before go on with it.
type radiusGroups struct {
	node, stateDir string
	log            *slog.Logger

	mu      sync.Mutex
	inForce []*radiusGroup
	seenAs  map[string]netip.Addr // by group: our address on the way to its servers, as it was when it was first opened
	leaving sync.WaitGroup        // groups that finish what they were asked
	stop    chan struct{}
}

func newRADIUSGroups(node, stateDir string, log *slog.Logger) *radiusGroups {
	return &radiusGroups{node: node, stateDir: stateDir, log: log, stop: make(chan struct{}), seenAs: make(map[string]netip.Addr)}
}

// prepare makes the groups of a configuration, those that stay as they are taken over. Nothing is in force yet.
func (r *radiusGroups) prepare(c *configs.Config) ([]*radiusGroup, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var next, made []*radiusGroup
	for i := range c.RADIUS {
		if old := find(r.inForce, c.RADIUS[i].Name); old != nil && old.stays(c, i) {
			next = append(next, old)
			continue
		}
		g, err := r.open(c, i)
		if err != nil {
			for _, g := range made {
				g.close()
			}
			return nil, err
		}
		next, made = append(next, g), append(made, g)
	}
	return next, nil
}

// stays says whether nothing about a group has changed. A certificate that was renewed has, under the same name.
func (g *radiusGroup) stays(file *configs.Config, index int) bool {
	c := file.RADIUS[index]
	return reflect.DeepEqual(g.config, c) && g.certificates == certificates(c) && g.login == file.Limits.AuthenticationTimeout
}

// certificates is a digest of the files for TLS.
func certificates(c configs.RADIUS) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, s := range c.Servers {
		for _, name := range []string{s.CAFile, s.CertificateFile, s.KeyFile} {
			text, _ := os.ReadFile(name) // one that cannot be read is a change, and a fault of its own
			one := sha256.Sum256(text)
			h.Write(one[:])
		}
	}
	h.Sum(sum[:0])
	return sum
}

func find(groups []*radiusGroup, name string) *radiusGroup {
	for _, g := range groups {
		if g.config.Name == name {
			return g
		}
	}
	return nil
}

// put puts the groups in force. Those that are no longer wanted end after the time that a login may take.
func (r *radiusGroups) put(next []*radiusGroup, linger time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.inForce {
		if now := find(next, old.config.Name); now != old {
			r.leaving.Go(func() {
				wait := time.NewTimer(linger)
				defer wait.Stop()
				select {
				case <-wait.C:
				case <-r.stop:
				}
				old.close()
			})
		}
	}
	r.inForce = next
}

// discard ends groups that were prepared and are not put in force.
func (r *radiusGroups) discard(prepared []*radiusGroup) {
	for _, g := range prepared {
		if find(r.groups(), g.config.Name) != g {
			g.close()
		}
	}
}

// groups returns those in force.
func (r *radiusGroups) groups() []*radiusGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inForce
}

// close ends all.
func (r *radiusGroups) close() error {
	close(r.stop)
	r.leaving.Wait()
	for _, g := range r.groups() {
		g.close()
	}
	return nil
}

func (r *radiusGroups) open(file *configs.Config, index int) (*radiusGroup, error) {
	c := file.RADIUS[index]
	files := certificates(c) // before they are read: one that changes meanwhile counts as changed
	servers, err := radiusServers(c, index)
	if err != nil {
		return nil, err
	}
	g := &radiusGroup{
		config: c, certificates: files, login: file.Limits.AuthenticationTimeout,
		nas: radius.NAS{Identifier: cmp.Or(c.NASIdentifier, r.node), Address: r.nasAddress(c)},
	}
	authentication := clientConfig(c, servers.authentication, r.log)
	authentication.Retry.Count, authentication.Retry.Duration = c.Transmissions, g.login
	authentication.StateFile = filepath.Join(r.stateDir, "radius-"+fileName(c.Name)+".state")
	if g.authentication, err = client.New(authentication); err != nil {
		return nil, fmt.Errorf("radius[%d]: %w", index, err)
	}
	if g.accounting, err = client.New(clientConfig(c, servers.accounting, r.log)); err != nil {
		g.authentication.Close()
		return nil, fmt.Errorf("radius[%d]: %w", index, err)
	}
	g.backend, err = radius.New(radius.Config{
		Name: c.Name, Group: g.authentication, NAS: g.nas, Names: nameForm(c.UserName), LeastInterim: c.LeastInterim,
	})
	if err != nil {
		g.close()
		return nil, fmt.Errorf("radius[%d]: %w", index, err)
	}
	return g, nil
}

// nasAddress is what a group's servers know this node by: the address of the file, else ours on the way to the first of them.
// It stays for the life of the process, because sessions that began under one address must end under it. Zero: no way is
// known now, and each session says its end of the tunnel.
func (r *radiusGroups) nasAddress(c configs.RADIUS) netip.Addr {
	if c.NASAddress.IsValid() {
		return c.NASAddress
	}
	if known := r.seenAs[c.Name]; known.IsValid() {
		return known
	}
	way, err := net.Dial("udp", c.Servers[0].Endpoint(true)) // sends nothing
	if err != nil {
		return netip.Addr{}
	}
	defer way.Close()
	r.seenAs[c.Name] = way.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
	return r.seenAs[c.Name]
}

func (g *radiusGroup) close() {
	g.authentication.Close()
	g.accounting.Close()
}

func clientConfig(c configs.RADIUS, servers []client.Server, log *slog.Logger) client.Config {
	return client.Config{
		Name: c.Name, Servers: servers, Sockets: c.SocketsPerServer, Log: log,
		Retry:  client.RetryConfig{Initial: c.FirstRetry, Max: c.LongestRetry, Jitter: 0.1},
		Health: client.Health{Check: c.StatusInterval},
	}
}

// endpoints are the servers of a group in its two roles: authentication and accounting are two destinations.
type endpoints struct{ authentication, accounting []client.Server }

func radiusServers(c configs.RADIUS, index int) (e endpoints, _ error) {
	var faults []error
	for i, s := range c.Servers {
		at := fmt.Sprintf("radius[%d].servers[%d]", index, i)
		security, err := radiusTLS(s, at)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		server := client.Server{
			Secret:               aaa.NewSecret(s.Secret.Reveal()),
			TLS:                  security,
			MessageAuthenticator: demand(s.MessageAuthenticator),
			Priority:             s.Priority,
			Weight:               s.Weight,
			InFlight:             c.RequestsInFlight,
			Timeout:              c.FailoverAfter,
			StatusServer:         c.StatusServer,
		}
		server.Address = s.Endpoint(false)
		e.authentication = append(e.authentication, server)
		server.Address = s.Endpoint(true)
		e.accounting = append(e.accounting, server)
	}
	return e, errors.Join(faults...)
}

// radiusTLS reads the certificates of a server entry; nil for UDP.
func radiusTLS(s configs.RADIUSServer, at string) (*tls.Config, error) {
	if s.Transport != configs.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(s.ServerName, s.Address)}
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, configs.Fault{Path: at + ".ca_file", Message: err.Error()}
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, configs.Fault{Path: at + ".ca_file", Message: s.CAFile + " holds no certificate in PEM form"}
		}
	}
	if s.CertificateFile != "" {
		own, err := tls.LoadX509KeyPair(s.CertificateFile, s.KeyFile)
		if err != nil {
			return nil, configs.Fault{Path: at + ".certificate_file", Message: err.Error()}
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// tryRADIUS says what is wrong with the groups of a file, without opening a socket for them.
func tryRADIUS(c *configs.Config) error {
	var faults []error
	for i, g := range c.RADIUS {
		_, err := radiusServers(g, i)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func demand(d configs.Demand) client.Policy {
	switch d {
	case configs.Require:
		return client.Require
	case configs.NoDemand:
		return client.Off
	default:
		return client.Auto
	}
}

func nameForm(f configs.NameForm) radius.NameForm {
	switch f {
	case configs.WithDomain:
		return radius.WithDomain
	case configs.WithoutDomain:
		return radius.WithoutDomain
	default:
		return radius.AsTyped
	}
}

// fileName is a name of the configuration as a part of the name of a file. No two names have the same.
func fileName(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
}

// roles are the two groups of servers behind one of the configuration.
func (g *radiusGroup) roles() []radiusRole {
	return []radiusRole{{"authentication", g.authentication}, {"accounting", g.accounting}}
}

type radiusRole struct {
	name  string
	group *client.Group
}

// figures sums up what the servers of all groups did, for authentication and for accounting.
func (r *radiusGroups) figures() map[string]uint64 {
	all := make(map[string]uint64)
	for _, g := range r.groups() {
		for _, role := range g.roles() {
			for _, s := range role.group.Stats() {
				name := "radius_" + role.name + "_"
				all[name+"requests"] += s.Requests
				all[name+"resent"] += s.Resent
				all[name+"answered"] += s.Answered
				all[name+"timed_out"] += s.TimedOut
				all[name+"queue_full"] += s.Refused
				all[name+"in_flight_now"] += uint64(s.InFlight)
				all[name+"sockets"] += uint64(s.Sockets)
				all[name+"servers_dead_now"] += one(s.State == client.Dead)
				for _, reason := range client.Reasons() {
					all[name+"discarded_"+reason.String()] += s.Discarded[reason]
				}
			}
		}
	}
	return all
}

// servers tells how each server is.
func (r *radiusGroups) servers() []admin.RADIUSServer {
	var all []admin.RADIUSServer
	for _, g := range r.groups() {
		for _, role := range g.roles() {
			for _, s := range role.group.Stats() {
				all = append(all, serverView(g.config.Name, role.name, &s))
			}
		}
	}
	return all
}

func serverView(group, role string, s *client.Stats) admin.RADIUSServer {
	v := admin.RADIUSServer{
		Group: group, Role: role, Address: s.Address, Transport: "udp", Priority: s.Priority, State: s.State.String(), Since: s.Since,
		Fault: s.Fault, Signs: s.Signs, RTT: s.RTT, InFlight: s.InFlight, Queued: s.Queued,
		Requests: s.Requests, Resent: s.Resent, Answered: s.Answered, TimedOut: s.TimedOut, Discarded: make(map[string]uint64),
	}
	if s.TLS {
		v.Transport = "tls"
	}
	for _, reason := range client.Reasons() {
		if n := s.Discarded[reason]; n > 0 {
			v.Discarded[reason.String()] = n
		}
	}
	return v
}
