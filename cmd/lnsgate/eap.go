package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
	"lnsgate/aaa/local"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
)

// openEAP makes the server half of EAP, where peers or NASes may use it.
func (n *node) openEAP(c *configs.Config) error {
	if !offersEAP(c) {
		return nil
	}
	config, err := n.eapConfig(c)
	if err != nil {
		return err
	}
	if n.eap, err = eap.New(config); err != nil {
		return fmt.Errorf("eap: %w", err)
	}
	n.onClose(func() error { n.eap.Close(); return nil })
	return nil
}

// followEAP puts the certificates and methods of a file in force.
func (n *node) followEAP(c *configs.Config) error {
	if n.eap == nil {
		return nil
	}
	config, err := n.eapConfig(c)
	if err != nil {
		return err
	}
	return n.eap.Reload(config)
}

func offersEAP(c *configs.Config) bool {
	return c.RADIUSService.Given() || slices.ContainsFunc(c.VirtualTemplates, func(t configs.VirtualTemplate) bool {
		return slices.Contains(t.PPPAuthentication, configs.EAP)
	})
}

func (n *node) eapConfig(c *configs.Config) (eap.Config, error) {
	config := eap.Config{AAA: n.guarded(), Ends: n.endsEAP, Log: n.log}
	for _, m := range c.EAP.Methods {
		config.Methods = append(config.Methods, eap.TLS+eap.Method(m))
	}
	var err error
	if config.Certificate, err = n.eapCertificate(c); err != nil {
		return config, err
	}
	if c.EAP.ClientCAFile != "" {
		if config.ClientCAs, err = certificatePool(c.EAP.ClientCAFile); err != nil {
			return config, configs.Fault{Path: "eap.client_ca_file", Message: err.Error()}
		}
	}
	return config, nil
}

// eapCertificate is what the server shows of itself: the certificate of the file, else one of its own making.
func (n *node) eapCertificate(c *configs.Config) (func() (*tls.Certificate, error), error) {
	if c.EAP.CertificateFile != "" {
		own, err := tls.LoadX509KeyPair(c.EAP.CertificateFile, c.EAP.KeyFile)
		if err != nil {
			return nil, configs.Fault{Path: "eap.certificate_file", Message: err.Error()}
		}
		return func() (*tls.Certificate, error) { return &own, nil }, nil
	}
	names := c.EAP.ServerNames
	if len(names) == 0 {
		names = []string{c.Node}
	}
	made, err := eap.SelfSigned(filepath.Join(c.Spool(), "eap"), names)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w\n  make the folder (spool_dir, else state_dir) and give it to the user that lnsgate runs as; systemd: StateDirectory=lnsgate", err)
		}
		return nil, fmt.Errorf("a certificate for EAP: %w", err)
	}
	n.log.Info("EAP has a certificate of its own making: install its CA on people's devices, and have them expect one of its names", "ca_file", made.CAFile(), "names", names)
	return made.Certificate, nil
}

// endsEAP says whether the EAP of a request ends here: what a RADIUS server is asked first about goes to that server.
func (n *node) endsEAP(r *aaa.Request) bool {
	first := n.gateway.First(r)
	return first == "" || first == local.Name || first == sqlaccounts.Name
}

// figures are those of the conversations.
func eapFigures(s *eap.Server) map[string]uint64 {
	if s == nil {
		return nil
	}
	f := s.Stats()
	return map[string]uint64{
		"eap_conversations_now": uint64(f.Conversations), "eap_tunnels_now": uint64(f.Tunnels), "eap_begun": f.Begun, "eap_succeeded": f.Succeeded,
		"eap_failed": f.Failed, "eap_expired": f.Expired, "eap_displaced": f.Displaced, "eap_refused": f.Refused,
	}
}

// certificatePool reads certificates in PEM form.
func certificatePool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}
