package main

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

// nasSecretFlags hand over the secret of a NAS without showing it to everybody on this machine.
type nasSecretFlags struct {
	stdin, generate bool
	file            string
}

func addNASSecretFlags(cmd *cobra.Command) *nasSecretFlags {
	f := &nasSecretFlags{}
	cmd.Flags().BoolVar(&f.stdin, "secret-stdin", false, "read the secret from standard input, its first line")
	cmd.Flags().StringVar(&f.file, "secret-file", "", "read the secret from this `FILE`, its first line")
	cmd.Flags().BoolVar(&f.generate, "generate-secret", false, "make a secret of 32 letters and digits, and show it once")
	cmd.MarkFlagsMutuallyExclusive("secret-stdin", "secret-file", "generate-secret")
	return f
}

// read returns the secret, empty if none is given, and the same once more if it was made here.
func (f *nasSecretFlags) read(cmd *cobra.Command) (given, made string, err error) {
	file := f.file
	switch {
	case f.generate:
		made = newNASSecret()
		return made, made, nil
	case f.stdin:
		file = "-"
	case file == "":
		return "", "", nil
	}
	text, err := readSecret("secret", "", file, cmd.InOrStdin())
	if err == nil && text.IsZero() {
		err = errors.New("the secret is empty")
	}
	return text.Reveal(), "", err
}

// newNASSecret makes 160 random bits of characters that every NAS takes and nobody confuses.
func newNASSecret() string {
	var octets [20]byte
	rand.Read(octets[:]) //nolint:errcheck // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(octets[:]))
}

// weakNASSecret is the length in octets from which on a secret is not warned about (RFC 2865 section 3).
const weakNASSecret = 16

// dangers says what is dangerous about settings.
func dangers(s postgres.AdminSettings) (list []string) {
	if text, ok := s["secret"].(string); ok && len(text) < weakNASSecret {
		list = append(list, fmt.Sprintf("a secret of %d octets can be guessed by whoever sees the traffic; --generate-secret makes a good one", len(text)))
	}
	if s["message_authenticator"] == "off" {
		list = append(list, "whoever sits between can forge requests and answers (CVE-2024-3596); auto requires signed requests as soon as the NAS has signed one")
	}
	if s["unsigned_proxies"] == true {
		list = append(list, "unsigned requests through a proxy can be forged (CVE-2024-3596); have the proxy sign")
	}
	if text, ok := s["source"].(string); ok && strings.HasSuffix(text, "/0") {
		list = append(list, "anybody may ask who knows or guesses the secret; name the networks of the NASes")
	}
	return list
}
