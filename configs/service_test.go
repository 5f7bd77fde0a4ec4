package configs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// What a killed server has changed on the host is taken back by the next one: so its notes must outlive the stop, and there
// must be a next one.
func TestTheServiceComesBackAndFindsItsNotes(t *testing.T) {
	b, err := os.ReadFile("lnsgate.service")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(b), "\n[")
	for section, settings := range map[string][]string{
		"Unit]":    {"StartLimitIntervalSec=0"},
		"Service]": {"Restart=on-failure", "RuntimeDirectory=lnsgate", "RuntimeDirectoryPreserve=yes"},
	} {
		i := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, section) })
		if i < 0 {
			t.Fatalf("no section [%s", section)
		}
		for _, setting := range settings {
			if !slices.Contains(strings.Split(sections[i], "\n"), setting) {
				t.Errorf("[%s has no %s", section, setting)
			}
		}
	}
}
