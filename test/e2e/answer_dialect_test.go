package e2e

import (
	"strings"
	"testing"
)

// profile is what a department gets.
const profile = `pools: [office], rate_up: 2M, rate_down: 10M, dns: [10.20.0.53, 10.20.0.54], nbns: [10.20.0.55], session_timeout: 8h,
	    idle_timeout: 15m, accounting_interval: 10m, mtu: 1400`

// sixTypes is a server whose NASes are one of each type, and some that give addresses themselves or none.
const sixTypes = `
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  clients:
	    - {name: standard, source: 127.0.0.2/32, secret: ` + nasSecret + `}
	    - {name: mikrotik, source: 127.0.0.3/32, secret: ` + nasSecret + `, type: mikrotik}
	    - {name: cisco, source: 127.0.0.4/32, secret: ` + nasSecret + `, type: cisco}
	    - {name: huawei, source: 127.0.0.5/32, secret: ` + nasSecret + `, type: huawei}
	    - {name: wispr, source: 127.0.0.6/32, secret: ` + nasSecret + `, type: wispr}
	    - {name: accel, source: 127.0.0.7/32, secret: ` + nasSecret + `, type: accel}
	    - {name: own-mikrotik, source: 127.0.0.8/32, secret: ` + nasSecret + `, type: mikrotik, addresses: named}
	    - {name: own-cisco, source: 127.0.0.9/32, secret: ` + nasSecret + `, type: cisco, addresses: named}
	    - {name: own-huawei, source: 127.0.0.10/32, secret: ` + nasSecret + `, type: huawei, addresses: named}
	    - {name: wifi, source: 127.0.0.11/32, secret: ` + nasSecret + `, type: wispr, addresses: none}
	domains:
	  - {name: sales.example, filter: office, ` + profile + `}
	  - {name: plain.example, ` + profile + `}
	filters:
	  - {name: office, default: deny, rules: [{action: allow, to: 10.20.0.0/24}]}
	pools:
	  - {name: office, ranges: [10.30.0.0/24]}
	users:
	  - {name: anna@sales.example, password: "Anna@1234"}
	  - {name: anna@plain.example, password: "Anna@1234"}
	  - {name: ben-standard@sales.example, password: "Ben@1234", address: 10.30.9.2, rate_up: 512k, rate_down: 1500k, routes: [192.168.2.0/24]}
	  - {name: ben-mikrotik@sales.example, password: "Ben@1234", address: 10.30.9.3, rate_up: 512k, rate_down: 1500k, routes: [192.168.3.0/24]}
	  - {name: ben-cisco@sales.example, password: "Ben@1234", address: 10.30.9.4, rate_up: 512k, rate_down: 1500k, routes: [192.168.4.0/24]}
	  - {name: ben-huawei@sales.example, password: "Ben@1234", address: 10.30.9.5, rate_up: 512k, rate_down: 1500k, routes: [192.168.5.0/24]}
	  - {name: ben-wispr@sales.example, password: "Ben@1234", address: 10.30.9.6, rate_up: 512k, rate_down: 1500k, routes: [192.168.6.0/24]}
	  - {name: ben-accel@plain.example, password: "Ben@1234", address: 10.30.9.7, rate_up: 512k, rate_down: 1500k, routes: [192.168.7.0/24]}
	`

// A rate, an address or a pool, name servers, timeouts, a network behind a user and a filter that stand once in the file are said to each NAS as it
// understands them, whatever the method of the login. radclient knows the vendors' dictionaries.
func TestOneProfileInEachDialect(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(sixTypes)
	for _, kind := range []string{"standard", "mikrotik", "cisco", "huawei", "wispr", "accel", "own-mikrotik", "own-cisco", "own-huawei", "wifi"} {
		said, ok := w.radclient("1812", nasSecret, "testdata/radius/"+kind+".requests", "testdata/radius/"+kind+".replies", 1)
		if !ok || strings.Contains(said, "failed") || !strings.Contains(said, "Received Access-Accept") {
			t.Errorf("%s:\n%s", kind, said)
		}
	}
	if got := s.pools()[0]; got.Name != "office" || got.Leased != 2*6 { // and none for who could not be told of a filter
		t.Errorf("12 addresses of the pool are on offer, not these: %+v", got)
	}
	s.stop()
}
