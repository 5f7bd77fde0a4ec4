package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
)

// A node that starts while the database is away serves what its file defines, and the rest as soon as the database is there.
func TestDatabaseAwayAtTheStart(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	postgres := pgtest.Cluster(t)
	c := asCompany(t, postgres.New(), salesInSQL)
	postgres.Stop()
	w := newWorld(t)
	p := &site{world: w, server: w.serve(c.config("hq1", localInFile)), c: c, node: "hq1"}
	p.says("the database cannot be reached: only what the file defines is served until it can")
	local, _ := p.online("root@office", "Office@123")
	p.ping(p.client, hqAddress)
	before := p.session("root@office")
	if end, code := p.dial(p.client, alice, alicePassword).gone(); code == 0 || end.OK {
		t.Errorf("without its database a login ends with code %d, %+v", code, end)
	}
	p.says("session not opened", "user", alice)

	postgres.Start()
	c.db.Reset() // our own connections are dead
	eventually(t, "logins of the database's domain work", func() bool {
		return p.dial(p.client, alice, alicePassword, "--once").ended() == 0
	})
	p.ping(p.client, hqAddress)
	checkSame(t, before, p.session("root@office"))
	local.hangUp()
	c.becomes("1", `SELECT count(*) FROM accounting WHERE name = 'root@office' AND terminate_cause = 'User-Request' AND octets_up > 0`)
	p.stop()
}

// A clear password that somebody has written into the table is sealed within a moment, and serves every method as before.
func TestDatabaseSealsWhatIsWrittenClear(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL)
	w := newWorld(t)
	key := w.folder + "/seal.key"
	if output, err := exec.Command(program, "db", "rotate-key", "--prepare", "--key-file", key).CombinedOutput(); err != nil {
		t.Fatalf("db rotate-key: %v\n%s", err, output)
	}
	p := &site{world: w, c: c, node: "hq1"}
	p.server = w.serve(strings.Replace(c.config("hq1"), "{url:", `{key_file: "`+key+`", url:`, 1))
	sealed := `SELECT password IS NULL AND EXISTS (SELECT FROM credentials WHERE account = name AND kind = 'sealed') FROM accounts WHERE name = $1`
	c.becomes("true", sealed, alice)
	began := time.Now()
	c.sql(`INSERT INTO accounts (name, password) VALUES ('bob@sales.example', 'Bob@1234')`)
	c.becomes("true", sealed, "bob@sales.example")
	if took := time.Since(began); took > atOnce {
		t.Errorf("the password stood in the table for %s", took)
	}
	for _, method := range []string{"pap", "chap", "mschapv2"} {
		p.dial(p.client, "bob@sales.example", "Bob@1234", "--auth", method).up()
	}
	c.sql(`SELECT set_password('bob@sales.example', 'Bob@5678')`)
	if end, code := p.dial(p.client, "bob@sales.example", "Bob@1234", "--once").gone(); code == 0 || end.OK {
		t.Error("the old password still serves")
	}
	if code := p.dial(p.client, "bob@sales.example", "Bob@5678", "--once").ended(); code != 0 {
		t.Error("the new password does not serve at once")
	}
	if len(p.sessions()) != 3 {
		t.Errorf("%d sessions: a new password is for the next login", len(p.sessions()))
	}
}
