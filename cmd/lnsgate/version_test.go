package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	out, err := lnsgate(t, "version")
	if err != nil || !strings.HasPrefix(out, "lnsgate ") || !strings.Contains(out, " go1.") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestVersionFrom(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	tests := []struct {
		version, revision, modified, want string
	}{
		{"v1.2.3", commit, "false", "v1.2.3"},
		{"(devel)", commit, "false", "0123456789ab"},
		{"", commit, "true", "0123456789ab+"},
		{"(devel)", "", "", "(devel)"},
		{"", "short", "", "short"},
	}
	for _, test := range tests {
		info := &debug.BuildInfo{Main: debug.Module{Version: test.version}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: test.revision}, {Key: "vcs.modified", Value: test.modified}}}
		if got := versionFrom(info); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}
