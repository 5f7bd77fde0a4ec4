package eap

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

// load reads a certificate and its key.
func load(folder, file, keyFile string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(filepath.Join(folder, file), filepath.Join(folder, keyFile))
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// store writes a certificate and its key. Each file is there whole or not at all.
func store(folder, file, keyFile string, certificate []byte, key *ecdsa.PrivateKey) error {
	octets, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := replace(filepath.Join(folder, keyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: octets}), 0o600); err != nil {
		return err
	}
	return replace(filepath.Join(folder, file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644)
}

// replace writes a file beside the one it replaces, and then puts it in its place.
func replace(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // there is none after the rename
	_, err = f.Write(content)
	for _, step := range []func() error{func() error { return f.Chmod(mode) }, f.Sync, f.Close} {
		if e := step(); err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
