package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// wish is a line of the script: something that has to happen outside of the browser, something that is wrong, or that it is over.
type wish struct {
	Do             string // dial, ended, fault, step or done
	User, Password string
	Text           string
}

// TestPageInABrowser is one walk of an operator through everything, since a browser takes long to start.
func TestPageInABrowser(t *testing.T) {
	w := newWorld(t)
	environment := []string{"PAGE=https://" + pageAddress, "OPERATOR=anna", "PASSWORD=" + annaPassword, "TOKEN=" + veraToken,
		"ALICE=" + alice, "BOB=" + bob, "USER_PASSWORD=" + userPassword, "SHOTS=" + shots(t), "HOME=" + w.folder, "PATH=" + os.Getenv("PATH")}
	for i, l := range libraries {
		folder, err := l.folder()
		must(t, err)
		environment = append(environment, []string{"PLAYWRIGHT=", "AXE="}[i]+folder)
	}
	w.dial("desk%d@sales.example", userPassword, "--count", "1", "--hold", "10m")
	script, err := filepath.Abs("walk.js")
	must(t, err)
	command := exec.Command("node", script)
	command.Env = environment
	command.Stderr = os.Stderr
	wishes, err := command.StdoutPipe()
	must(t, err)
	answers, err := command.StdinPipe()
	must(t, err)
	over := w.start(w.operator, command)
	w.fulfil(wishes, answers)
	<-over
	if code := command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the script ends with %d", code)
	}
	if err := leaks(w.log.String()); err != nil {
		t.Errorf("the log of the server: %v", err)
	}
}

// shots is where pictures go; empty: nobody wants any.
func shots(t *testing.T) string {
	folder := os.Getenv("LNSGATE_TEST_SHOTS")
	if folder != "" {
		must(t, os.MkdirAll(folder, 0o755))
	}
	return folder
}

// fulfil does what the script asks for, until it is done. The script is ended when it takes too long.
func (w *world) fulfil(wishes io.Reader, answers io.Writer) {
	w.t.Helper()
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(wishes); s.Scan(); {
			lines <- append([]byte(nil), s.Bytes()...)
		}
	}()
	calls := make(map[string]<-chan struct{})
	for {
		limit := time.NewTimer(2 * patience)
		select {
		case line, more := <-lines:
			limit.Stop()
			if !more {
				w.t.Error("the script ended before it was done")
				return
			}
			var now wish
			if err := json.Unmarshal(line, &now); err != nil {
				w.t.Errorf("the script says %s", line)
				continue
			}
			if now.Do == "done" {
				for range lines { // until the end
				}
				return
			}
			w.grant(now, calls)
			if now.Do == "dial" || now.Do == "ended" {
				fmt.Fprintln(answers, "done")
			}
		case <-limit.C:
			w.t.Fatal("the script is stuck")
		}
	}
}

func (w *world) grant(now wish, calls map[string]<-chan struct{}) {
	w.t.Helper()
	switch now.Do {
	case "dial":
		calls[now.User] = w.dial(now.User, now.Password)
	case "ended":
		w.eventually("the call of "+now.User+" has ended", func() bool {
			select {
			case <-calls[now.User]:
				return true
			default:
				return false
			}
		})
	case "fault":
		w.t.Error(now.Text)
	case "step":
		w.t.Log(now.Text)
	default:
		w.t.Errorf("the script wants %+v", now)
	}
}
