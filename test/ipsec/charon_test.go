package ipsec

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
)

// patience is how long charon may take for what takes it a tenth of a second.
const patience = 30 * time.Second

// charon is one daemon in a namespace of its own, with a folder for all that it reads and writes.
type charon struct {
	t      *testing.T
	space  *netns.Namespace
	folder string
	exited chan error
}

const settings = `charon-systemd {
	load_modular = yes
	plugins {
		include /etc/strongswan.d/charon/*.conf
		vici {
			socket = unix://%[1]s/vici
		}
		bypass-lan {
			load = no
		}
	}
	journal {
		default = -1
	}
	filelog {
		log {
			path = %[1]s/log
			default = 1
			flush_line = yes
		}
	}
}
swanctl {
	load = pem pkcs1 x509 pubkey openssl random
}
`

func start(t *testing.T, space *netns.Namespace) *charon {
	t.Helper()
	netns.RequireCommand(t, "swanctl")
	daemon := netns.RequireProgram(t, "charon-systemd")
	folder, err := os.MkdirTemp("", "ike") // short, because unix sockets have short names
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	c := &charon{t: t, space: space, folder: folder, exited: make(chan error, 1)}
	c.write("strongswan.conf", fmt.Sprintf(settings, folder))
	command := exec.Command(daemon)
	command.Env = append(os.Environ(), "STRONGSWAN_CONF="+filepath.Join(folder, "strongswan.conf"), "NOTIFY_SOCKET=")
	must(t, space.Start(command))
	go func() { c.exited <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-c.exited
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(folder, "log"))
			t.Logf("log of charon:\n%s", text)
		}
	})
	c.until("charon listens", func() bool {
		_, err := os.Stat(filepath.Join(folder, "vici"))
		return err == nil
	})
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *charon) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.folder, name)
	must(c.t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(c.t, os.WriteFile(path, []byte(text), 0o600))
}

// until waits for a condition, with a look every now and then.
func (c *charon) until(what string, done func() bool) {
	c.t.Helper()
	limit, look := time.NewTimer(patience), time.NewTicker(50*time.Millisecond)
	defer limit.Stop()
	defer look.Stop()
	for !done() {
		select {
		case err := <-c.exited:
			c.exited <- err
			c.t.Fatalf("charon has ended while waiting: %s: %v", what, err)
		case <-limit.C:
			c.t.Fatalf("not after %s: %s", patience, what)
		case <-look.C:
		}
	}
}

func (c *charon) swanctl(args ...string) (string, error) {
	command := exec.Command("swanctl", append(args, "--uri", "unix://"+filepath.Join(c.folder, "vici"))...)
	command.Env = append(os.Environ(), "SWANCTL_DIR="+c.folder, "STRONGSWAN_CONF="+filepath.Join(c.folder, "strongswan.conf"))
	text, err := command.CombinedOutput()
	return string(text), err
}

// load has the daemon read a swanctl.conf, of which nothing may be refused.
func (c *charon) load(text string) {
	c.t.Helper()
	c.write("swanctl.conf", text)
	for _, folder := range []string{"x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa", "bliss", "pkcs8", "pkcs12"} {
		must(c.t, os.MkdirAll(filepath.Join(c.folder, folder), 0o700))
	}
	out, err := c.swanctl("--load-all", "--file", filepath.Join(c.folder, "swanctl.conf"))
	if err != nil || strings.Contains(out, "failed") || !strings.Contains(out, "successfully loaded 1 connections") {
		c.t.Fatalf("%v\n%s", err, out)
	}
}

// established says that the daemon shares keys with a peer.
func (c *charon) established(connection string) bool {
	out, err := c.swanctl("--list-sas")
	return err == nil && strings.Contains(out, connection+": #") && strings.Contains(out, "ESTABLISHED, IKEv1")
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../configs/strongswan", name))
	must(t, err)
	return string(text)
}
