package radiusserver

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/test/radtest"
)

// proxying is a FreeRADIUS that knows nobody and asks us.
const proxying = `
prefix = /usr
libdir = /usr/lib/freeradius
confdir = %[1]s
logdir = %[1]s
run_dir = %[1]s
name = radiusd
proxy_requests = yes
log {
	destination = stdout
}
security {
	reject_delay = 0
	status_server = yes
}
thread pool {
	start_servers = 2
	max_servers = 4
	min_spare_servers = 1
	max_spare_servers = 2
	max_requests_per_server = 0
}
client loopback {
	ipaddr = 127.0.0.1
	secret = "testing123"
}
%[4]shome_server_pool access {
	type = fail-over
	home_server = %[5]s
}
home_server_pool records {
	type = fail-over
	home_server = %[6]s
}
realm us {
	auth_pool = access
	acct_pool = records
	nostrip
}
modules {
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = %[2]d
	}
	listen {
		type = acct
		ipaddr = 127.0.0.1
		port = %[3]d
	}
	authorize {
		update control {
			&Proxy-To-Realm := us
		}
	}
	preacct {
		update control {
			&Proxy-To-Realm := us
		}
	}
	accounting {
	}
}
`

// overUDPToUs is where the proxying FreeRADIUS finds us.
const overUDPToUs = `
home_server us {
	type = auth+acct
	ipaddr = 127.0.0.1
	port = %[1]d
	secret = "%[2]s"
	response_window = 5
}
home_server records {
	type = acct
	ipaddr = 127.0.0.1
	port = %[3]d
	secret = "%[2]s"
	response_window = 5
}
`

// proxy starts FreeRADIUS in front of us, and returns where it listens.
func proxy(t *testing.T, auth, acct netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	t.Helper()
	return proxyTo(t, fmt.Sprintf(overUDPToUs, auth.Port(), clientSecret, acct.Port()), "us", "records")
}

// proxyTo starts FreeRADIUS in front of home servers, and returns where it listens.
func proxyTo(t *testing.T, servers, access, records string) (netip.AddrPort, netip.AddrPort) {
	t.Helper()
	server := "/usr/sbin/freeradius"
	if _, err := os.Stat(server); err != nil {
		server = program(t, "freeradius", "freeradius")
	}
	folder := t.TempDir()
	one, two := freePort(t), freePort(t)
	text := fmt.Sprintf(proxying, folder, one.Port(), two.Port(), servers, access, records)
	for name, content := range map[string]string{"radiusd.conf": text, "dictionary": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	background(t, exec.Command(server, "-f", "-l", "stdout", "-d", folder, "-n", "radiusd"))
	for began := time.Now(); ; {
		if _, ok := radtest.Radclient(t, one, "status", "testing123", "Message-Authenticator = 0x00"); ok {
			return one, two
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("FreeRADIUS does not start")
		}
	}
}

func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// FreeRADIUS signs what it passes on, whether its own client did or not, so it needs no leave to be a proxy.
func TestFreeRADIUSProxiesToUs(t *testing.T) {
	r, auth, acct := serve(t, nil)
	one, two := proxy(t, auth, acct)
	request := "User-Name = \"alice\"\nUser-Password = \"%s\"\nNAS-Identifier = \"ap-7\"\nNAS-IP-Address = 198.51.100.7"
	if reply, ok := radtest.Radclient(t, one, "auth", "testing123", fmt.Sprintf(request, password)); !ok || !strings.Contains(reply, "Access-Accept") {
		t.Errorf("%s", reply)
	}
	if reply, ok := radtest.Radclient(t, one, "auth", "testing123", fmt.Sprintf(request, "wrong")); ok || !strings.Contains(reply, "Access-Reject") {
		t.Errorf("%s", reply)
	}
	reply, ok := radtest.Radclient(t, two, "acct", "testing123", "User-Name = \"alice\"\nAcct-Session-Id = \"0001\"\nAcct-Status-Type = Start\nNAS-Identifier = \"ap-7\"\nNAS-IP-Address = 198.51.100.7")
	if !ok {
		t.Errorf("%s", reply)
	}
	if got := r.records.last(); got.NAS.Name != "loopback/ap-7" || got.NAS.Address != netip.MustParseAddr("198.51.100.7") {
		t.Errorf("%+v", got)
	}
}
