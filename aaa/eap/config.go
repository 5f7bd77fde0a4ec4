package eap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"lnsgate/aaa"
)

// Config is what a Server is made of.
type Config struct {
	// AAA is asked about what peers show, and about all that is not EAP.
	AAA aaa.Authenticator
	// Ends says whether the EAP of a request ends here. Those of which it does not are handed on to AAA untouched, such as
	// those of a domain that is checked by a RADIUS server. It is asked once in a conversation. nil: all end here.
	Ends func(*aaa.Request) bool
	// Certificate is what the server shows of itself; it is asked for anew in each conversation. TLS, PEAP and TTLS need it.
	Certificate func() (*tls.Certificate, error)
	// ClientCAs sign the certificates of peers. Without them there is no TLS.
	ClientCAs *x509.CertPool
	// Methods are offered in this order. Empty: TLS, PEAP, TTLS, MSCHAPv2 and MD5, as far as there is what they need.
	Methods []Method

	FragmentSize  int           // octets that an EAP packet may have; 0: 1020. A link with a smaller MTU has smaller ones
	Conversations int           // that may be under way; four times as many may have said no more than their name. 0: 4096
	Timeout       time.Duration // that a peer may take for an answer; 0: 1 min

	Log *slog.Logger // nil: nothing is logged

	offered []choice // of Methods
}

// Bounds and what counts when nothing is said.
const (
	usualFragment      = 1020
	leastFragment      = 64 // with fewer a certificate takes hundreds of turns
	usualConversations = 4096
	usualTimeout       = time.Minute
)

// complete checks a Config and fills in what it leaves open. The error joins one *aaa.Fault for each thing that is wrong.
func (c Config) complete() (*Config, error) {
	var faults []error
	fault := func(path, format string, args ...any) {
		faults = append(faults, &aaa.Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
	}
	if c.AAA == nil {
		fault("aaa", "there is nobody to ask")
	}
	for i, m := range c.Methods {
		path := fmt.Sprintf("methods[%d]", i)
		switch {
		case m < TLS || m > MD5:
			fault(path, "%s is not known", m)
		case slices.Contains(c.Methods[:i], m):
			fault(path, "%s is there twice", m)
		case m.tunneled() && c.Certificate == nil:
			fault(path, "%s needs a certificate of the server", m)
		case m == TLS && c.ClientCAs == nil:
			fault(path, "%s needs to know who signs the certificates of people", m)
		}
	}
	if c.FragmentSize != 0 && (c.FragmentSize < leastFragment || c.FragmentSize > 4000) {
		fault("fragment_size", "%d octets; use %d to 4000", c.FragmentSize, leastFragment)
	}
	if c.Conversations < 0 || c.Timeout < 0 {
		fault("conversations", "a bound is negative")
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.fillIn()
	c.offered = c.choices()
	return &c, nil
}

func (c *Config) fillIn() {
	if len(c.Methods) == 0 {
		c.Methods = slices.DeleteFunc([]Method{TLS, PEAP, TTLS, MSCHAPv2, MD5}, func(m Method) bool {
			return m.tunneled() && c.Certificate == nil || m == TLS && c.ClientCAs == nil
		})
	}
	if c.Ends == nil {
		c.Ends = func(*aaa.Request) bool { return true }
	}
	if c.FragmentSize == 0 {
		c.FragmentSize = usualFragment
	}
	if c.Conversations == 0 {
		c.Conversations = usualConversations
	}
	if c.Timeout == 0 {
		c.Timeout = usualTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}
