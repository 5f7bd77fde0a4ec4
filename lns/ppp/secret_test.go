package ppp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// leaks says whether a text shows the octets of "hunter2" in one of the forms that fmt and the encoders know.
func leaks(text string) bool {
	for _, form := range []string{"hunter2", "104 117 110", "0x68, 0x75", "68756e74", "68756E74", "aHVudGVy", "150 165"} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// No dump of a request shows the password.
func TestPasswordsPrintAsStars(t *testing.T) {
	secret := Secret("hunter2")
	for _, v := range []any{
		secret, &secret, []Secret{secret}, map[string]Secret{"k": secret},
		PAPRequest{Name: []byte("bob"), Password: []byte("hunter2")}, &PAPRequest{Password: []byte("hunter2")},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
			if text := fmt.Sprintf(verb, v); leaks(text) {
				t.Errorf("%s of %T shows it: %s", verb, v, text)
			}
		}
		if text, err := json.Marshal(v); err != nil || leaks(string(text)) {
			t.Errorf("JSON of %T: %s, %v", v, text, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "value", v)
		if leaks(log.String()) {
			t.Errorf("slog of %T: %s", v, log.String())
		}
	}
	if text := fmt.Sprint(secret, Secret(nil)); text != stars+" "+stars {
		t.Errorf("%s: an empty secret must not stand out", text)
	}
}
