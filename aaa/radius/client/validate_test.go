package client

import (
	"crypto/tls"
	"strings"
	"testing"

	"lnsgate/aaa"
)

func TestFaults(t *testing.T) {
	with := func(s Server) Config { return Config{Name: "g", Servers: []Server{s}} }
	good := Server{Address: "127.0.0.1:1812", Secret: aaa.NewSecret("x")}
	tests := []struct {
		name   string
		config Config
		want   []string // parts of the error; none = it works
	}{
		{"good", with(good), nil},
		{"IPv6", with(Server{Address: "[::1]:1812", Secret: aaa.NewSecret("x")}), nil},
		{"TLS needs no secret", with(Server{Address: "radius.test:2083", TLS: &tls.Config{}}), nil},
		{"nobody", Config{Name: "g"}, []string{"RADIUS group g: there is no server"}},
		{"several", Config{Name: "g", Queue: -1, Servers: []Server{good, good, {Address: "10.0.0.1", Weight: -1, MessageAuthenticator: 7}}},
			[]string{"queue -1", "two servers are named 127.0.0.1:1812", "address \"10.0.0.1\" is not host:port", "there is no secret",
				"must not be negative", "unknown policy"}},
		{"times", Config{Name: "g", Servers: []Server{good}, Retry: RetryConfig{Count: 3}, Health: Health{Zombie: -1}},
			[]string{"times of repetition", "times of health"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, err := New(test.config)
			if err == nil {
				g.Close()
			}
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	if Auto.String() != "auto" || Off.String() != "off" || LeastInFlight.String() != "least_in_flight" || Probing.String() != "probing" ||
		State(9).String() != "unknown" || ProxyState.String() != "proxy_state" {
		t.Error("names")
	}
	for _, r := range Reasons() {
		if r.String() == "unknown" || r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
}
