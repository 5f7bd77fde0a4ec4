package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
	"lnsgate/aaa/secret"
	"lnsgate/configs"
	"lnsgate/lns/admin"
)

// operators is the door of operators to the network: who may come in, by which addresses, and what the server shows of itself.
type operators struct {
	known       *admin.Operators
	listeners   []net.Listener
	certificate atomic.Pointer[func() (*tls.Certificate, error)]
	list        []madeOperator // those in force
}

// madeOperator is an operator with what the file says of it: as long as that stays, so does its credential, and with it its log-ins.
type madeOperator struct {
	admin.Operator
	file configs.Operator
}

// openOperators opens the addresses of the file.
func (n *node) openOperators(c *configs.Config) error {
	n.operators = &operators{known: admin.NewOperators(nil)}
	if err := n.operators.put(c); err != nil {
		return err
	}
	n.onClose(n.operators.close)
	for i, address := range c.Admin.Listen {
		listener, err := net.Listen("tcp", address.String())
		if err != nil {
			return configs.Fault{Path: fmt.Sprintf("admin.listen[%d]", i), Message: err.Error()}
		}
		n.operators.listeners = append(n.operators.listeners, listener)
	}
	if len(c.Admin.Listen) == 0 {
		return nil
	}
	shown, err := n.operators.show(nil)
	if err != nil {
		return err
	}
	n.log.Info("operators may ask over HTTPS; compare the fingerprint before you trust the certificate", "listen", n.operators.addresses(),
		"sha256_fingerprint", admin.Fingerprint(shown.Certificate[0]))
	return nil
}

// put puts the operators and the certificate of a file in force, or nothing of it.
func (o *operators) put(c *configs.Config) error {
	list, err := operatorList(c, o.list)
	if err != nil {
		return err
	}
	if len(c.Admin.Listen) > 0 {
		certificate, err := adminCertificate(c)
		if err != nil {
			return err
		}
		o.certificate.Store(&certificate)
	}
	o.list = list
	known := make([]admin.Operator, len(list))
	for i := range list {
		known[i] = list[i].Operator
	}
	o.known.Put(known, c.Admin.AllowedSources)
	return nil
}

// operatorList are those of the file. What stands there in clear is hashed here, unless that was done before.
func operatorList(c *configs.Config, before []madeOperator) (list []madeOperator, err error) {
	for i, one := range c.Admin.Operators {
		o := madeOperator{admin.Operator{Name: one.Name, Role: admin.View + admin.Role(one.Role)}, one}
		if !one.Token.IsZero() {
			o.Token = admin.HashToken(one.Token.Reveal())
		} else if one.TokenSHA256 != "" {
			if o.Token, err = admin.ParseTokenHash(one.TokenSHA256); err != nil {
				return nil, configs.Fault{Path: fmt.Sprintf("admin.operators[%d].token_sha256", i), Message: err.Error()}
			}
		}
		if j := slices.IndexFunc(before, func(old madeOperator) bool { return samePassword(&old.file, &one) }); j >= 0 {
			o.Password = before[j].Password
		} else if !one.Password.IsZero() {
			o.Password = secret.Hashed(admin.HashPassword(aaa.NewSecret(one.Password.Reveal())))
		} else if one.PasswordHash != "" {
			o.Password = secret.Hashed(one.PasswordHash)
			if err := o.Password.Validate(); err != nil {
				return nil, configs.Fault{Path: fmt.Sprintf("admin.operators[%d].password_hash", i), Message: err.Error()}
			}
		}
		list = append(list, o)
	}
	return list, nil
}

func samePassword(a, b *configs.Operator) bool {
	return a.Name == b.Name && a.Password.Reveal() == b.Password.Reveal() && a.PasswordHash == b.PasswordHash
}

// adminCertificate is that of the file, else one of its own making.
func adminCertificate(c *configs.Config) (func() (*tls.Certificate, error), error) {
	if c.Admin.CertificateFile != "" {
		own, err := tls.LoadX509KeyPair(c.Admin.CertificateFile, c.Admin.KeyFile)
		if err != nil {
			return nil, configs.Fault{Path: "admin.certificate_file", Message: err.Error()}
		}
		return func() (*tls.Certificate, error) { return &own, nil }, nil
	}
	made, err := eap.SelfSigned(filepath.Join(c.Spool(), "admin"), certificateNames(c))
	if err != nil {
		return nil, fmt.Errorf("a certificate for operators: %w", err)
	}
	return made.Certificate, nil
}

// certificateNames are those that browsers may find the server by.
func certificateNames(c *configs.Config) []string {
	if len(c.Admin.ServerNames) > 0 {
		return c.Admin.ServerNames
	}
	names := []string{c.Node, "localhost"}
	for _, address := range c.Admin.Listen {
		if a := address.Addr().Unmap(); !a.IsUnspecified() {
			names = append(names, a.String())
		}
	}
	return slices.Compact(names)
}

func (o *operators) show(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := o.certificate.Load()
	if certificate == nil {
		return nil, errors.New("there is no certificate")
	}
	return (*certificate)()
}

func (o *operators) addresses() []netip.AddrPort {
	var all []netip.AddrPort
	for _, l := range o.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			all = append(all, a.AddrPort())
		}
	}
	return all
}

// serve lets operators in, on every address.
func (o *operators) serve(ctx context.Context, server *admin.Server, group interface{ Go(func() error) }) {
	for _, l := range o.listeners {
		group.Go(func() error {
			return server.ServeTLS(ctx, l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: o.show})
		})
	}
}

func (o *operators) close() error {
	var faults []error
	for _, l := range o.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
