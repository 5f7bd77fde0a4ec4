package main

import (
	"crypto/tls"
	"errors"

	"lnsgate/configs"
)

// tryCertificates reads the certificates that the file names, as the start does.
func tryCertificates(c *configs.Config) error {
	var faults []error
	for _, f := range []struct{ section, certificate, key, ca string }{
		{"admin", c.Admin.CertificateFile, c.Admin.KeyFile, ""},
		{"eap", c.EAP.CertificateFile, c.EAP.KeyFile, c.EAP.ClientCAFile},
		{"radius_server.tls", c.RADIUSService.TLS.CertificateFile, c.RADIUSService.TLS.KeyFile, c.RADIUSService.TLS.ClientCAFile},
	} {
		if f.certificate != "" && f.key != "" {
			if _, err := tls.LoadX509KeyPair(f.certificate, f.key); err != nil {
				faults = append(faults, configs.Fault{Path: f.section + ".certificate_file", Message: err.Error()})
			}
		}
		if f.ca != "" {
			if _, err := certificatePool(f.ca); err != nil {
				faults = append(faults, configs.Fault{Path: f.section + ".client_ca_file", Message: err.Error()})
			}
		}
	}
	return errors.Join(faults...)
}
