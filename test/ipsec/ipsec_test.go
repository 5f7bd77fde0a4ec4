package ipsec

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
)

// pair are a gateway and a client that are joined.
func pair(t *testing.T) (gateway, client *charon) {
	t.Helper()
	here, there := netns.NewTest(t), netns.NewTest(t)
	must(t, netns.Veth(here, "eth0", there, "eth0"))
	must(t, here.Address("eth0", "192.0.2.1/24"))
	must(t, there.Address("eth0", "192.0.2.7/24"))
	return start(t, here), start(t, there)
}

// dialling is a client that proposes this, and proves itself so.
func dialling(proposals, local, remote, secrets string) string {
	return fmt.Sprintf(`connections {
	client {
		version = 1
		local_addrs = 192.0.2.7
		remote_addrs = 192.0.2.1
		proposals = %s
		send_cert = always
		local {
			%s
		}
		remote {
			%s
		}
		children {
			l2tp {
				mode = transport
				local_ts = dynamic[udp/1701]
				remote_ts = dynamic[udp/1701]
				esp_proposals = aes256-sha1,aes128-sha1
			}
		}
	}
}
%s`, proposals, local, remote, secrets)
}

// What each client proposes first, and agrees to; as its makers document it.
var clients = map[string]string{
	"windows":     "aes256-sha1-ecp384,aes128-sha1-ecp256,aes256-sha1-modp2048",
	"apple":       "aes256-sha256-modp2048,aes256-sha1-modp2048",
	"android":     "aes256-sha1-modp1024,aes128-sha1-modp1024",
	"old windows": "aes128-sha1-modp2048",
}

const testKey = "a key of the test 6wTq1M"

func withKey(t *testing.T, text string) string {
	t.Helper()
	if strings.Count(text, "REPLACE THIS KEY") != 1 {
		t.Fatal("the example does not say where the key goes")
	}
	return strings.Replace(text, "REPLACE THIS KEY", testKey, 1)
}

func secretOf(key string) string {
	return fmt.Sprintf("secrets {\n\tike-server {\n\t\tsecret = %q\n\t}\n}\n", key)
}

// The example with a pre-shared key is read by the real charon, and every kind of client agrees with it on keys.
func TestThePreSharedKeyExample(t *testing.T) {
	gateway, client := pair(t)
	gateway.load(withKey(t, example(t, "psk.conf")))
	for name, proposals := range clients {
		client.load(dialling(proposals, "auth = psk", "auth = psk", secretOf(testKey)))
		out, _ := client.swanctl("--initiate", "--ike", "client", "--timeout", "20")
		if !gateway.established("l2tp-psk") || !client.established("client") {
			t.Errorf("%s: no keys are agreed on\n%s", name, out)
		}
		if out, err := client.swanctl("--terminate", "--ike", "client", "--timeout", "20"); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		gateway.until("the client is forgotten", func() bool { return !gateway.established("l2tp-psk") })
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	gateway, client := pair(t)
	gateway.load(withKey(t, example(t, "psk.conf")))
	client.load(dialling(clients["windows"], "auth = psk", "auth = psk", secretOf("another key")))
	_, err := client.swanctl("--initiate", "--ike", "client", "--timeout", "3")
	if err == nil || gateway.established("l2tp-psk") {
		t.Error("another key does as well")
	}
}

// certified makes a certificate and its key, signed by the parent, or by itself without one.
func certified(t *testing.T, name string, parent *x509.Certificate, signer *rsa.PrivateKey) (*x509.Certificate, *rsa.PrivateKey, string, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	if parent == nil {
		template.IsCA, template.KeyUsage, template.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return certificate, key, block("CERTIFICATE", der), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

// The example with certificates likewise; a client of another CA is refused.
func TestTheCertificateExample(t *testing.T) {
	gateway, client := pair(t)
	ca, signer, caText, _ := certified(t, "the CA", nil, nil)
	_, _, server, serverKey := certified(t, "lns.example", ca, signer)
	_, _, laptop, laptopKey := certified(t, "laptop.example", ca, signer)
	foreign, foreignSigner, _, _ := certified(t, "another CA", nil, nil)
	_, _, stranger, strangerKey := certified(t, "laptop.example", foreign, foreignSigner)

	gateway.write("x509ca/ca.pem", caText)
	gateway.write("x509/lns.pem", server)
	gateway.write("private/lns.key", serverKey)
	gateway.load(example(t, "certificates.conf"))
	client.write("x509ca/ca.pem", caText)
	dial := func(certificate, key string) bool {
		client.write("x509/laptop.pem", certificate)
		client.write("private/laptop.key", key)
		client.load(dialling(clients["windows"], "auth = pubkey\n\t\t\tcerts = laptop.pem", "auth = pubkey\n\t\t\tcacerts = ca.pem", ""))
		out, _ := client.swanctl("--initiate", "--ike", "client", "--timeout", "5")
		t.Log(out)
		return gateway.established("l2tp-certificates")
	}
	if dial(stranger, strangerKey) {
		t.Error("a certificate of another CA does as well")
	}
	if !dial(laptop, laptopKey) {
		t.Error("no keys are agreed on")
	}
}
