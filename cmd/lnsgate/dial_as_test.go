package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/lac"
	"lnsgate/lns/quirk"

	"github.com/spf13/cobra"
)

// planOf is what dial makes of flags.
func planOf(args ...string) (*dialPlan, error) {
	o, cmd := &dialOptions{}, &cobra.Command{}
	o.addFlags(cmd)
	o.given = cmd.Flags().Changed
	if err := cmd.Flags().Parse(append([]string{"--server", "192.0.2.1", "--user", "u", "--password", "p"}, args...)); err != nil {
		return nil, err
	}
	return o.plan(context.Background(), strings.NewReader(""))
}

// The kind says what no flag says.
func TestDialAs(t *testing.T) {
	p, err := planOf("--as", "android")
	if err != nil || p.profile != lac.FindProfile("android") || p.mru != 1400 || !slices.Contains(p.methods, aaa.PAP) {
		t.Errorf("%+v %v", p, err)
	}
	if c := p.tunnelConfig(); c.HostName != "" || c.Profile != p.profile {
		t.Errorf("%+v", c)
	}
	p, err = planOf("--as", "android", "--auth", "chap", "--mru", "1300", "--host-name", "mine")
	if err != nil || p.mru != 1300 || !slices.Equal(p.methods, []aaa.Method{aaa.CHAP}) || p.tunnelConfig().HostName != "mine" || p.login(0).MRU != 1300 {
		t.Errorf("%+v %v", p, err)
	}
	p, err = planOf()
	if err != nil || p.profile != nil || p.mru != 1460 {
		t.Errorf("%+v %v", p, err)
	}
	if _, err = planOf("--as", "toaster"); err == nil || !strings.Contains(err.Error(), "cisco-lac") {
		t.Errorf("%v", err)
	}
	for _, name := range profileNames() {
		if !strings.Contains(newDialCommand().Long, "\n  "+name+" ") {
			t.Errorf("the help does not name %s", name)
		}
	}
}

// What a file may say of its clients is what the server knows.
func TestClientProfilesOfTheFileAreThoseOfTheServer(t *testing.T) {
	text := strings.Replace(string(configs.Minimal()), "name: default, virtual_template", "name: default, client_profile: %s, virtual_template", 1)
	if !strings.Contains(text, "client_profile") {
		t.Fatal("the minimal file has another shape now")
	}
	for _, name := range append(slices.Clone(quirk.Names()), quirk.Auto, quirk.Off) {
		c, _, err := configs.Parse([]byte(fmt.Sprintf(text, name)), "x")
		if err != nil || groupConfig(c.L2TPGroups[0]).Profile != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := configs.Parse([]byte(fmt.Sprintf(text, "toaster")), "x"); err == nil || !strings.Contains(err.Error(), "client_profile") {
		t.Errorf("a toaster: %v", err)
	}
}
