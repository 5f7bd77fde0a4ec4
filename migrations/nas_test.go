package migrations_test

import (
	"strings"
	"testing"
)

const insertNAS = "INSERT INTO nas(name, source, secret) VALUES ('r1', '192.0.2.0/24', 'geheim-1234')"

func TestObviousColumnsOfANASAreEnough(t *testing.T) {
	db := open(t, insertNAS)
	db.is("r1|192.0.2.0/24|standard|auto|f|given|||3799|f|{}",
		"SELECT name, source, type, message_authenticator, unsigned_proxies, addresses, domain, default_domain, dynamic_authorization_port, disabled, certificate_names FROM nas")
	db.do("INSERT INTO nas(name, source, secret) VALUES ('one', '192.0.2.7', '12345678'), ('six', '2001:db8::/32', 'ääää'), ('all', '0.0.0.0/0', repeat('x', 256))")
	db.is("all|0.0.0.0/0 one|192.0.2.7/32 r1|192.0.2.0/24 six|2001:db8::/32", "SELECT name, source FROM nas ORDER BY name")
}

func TestPostgreSQLRefusesWrongNASes(t *testing.T) {
	db := open(t, insertNAS, "INSERT INTO nas(name, source, secret) VALUES ('r2', '192.0.2.1', 'geheim-1234')")
	for _, name := range []string{"", "a b", "a\tb", "a/b", strings.Repeat("a", 254)} {
		db.refused(wrong, "nas_name_characters", "UPDATE nas SET name = $1 WHERE name = 'r1'", name)
	}
	for _, source := range []string{"192.0.2.7/24", "here", "", "192.0.2.0/33"} {
		db.refused(noRange, "", "UPDATE nas SET source = $1::text::cidr WHERE name = 'r1'", source)
	}
	for _, c := range []struct{ state, constraint, set string }{
		{taken, "nas_pkey", "name = 'r2'"},
		{taken, "nas_source_key", "source = '192.0.2.1'"},
		{"23502", "", "source = NULL"},
		{wrong, "nas_source_mapped", "source = '::ffff:192.0.2.1'"},
		{wrong, "nas_secret_missing", "secret = NULL"},
		{wrong, "nas_secret_length", "secret = ''"},
		{wrong, "nas_secret_length", "secret = '1234567'"},
		{wrong, "nas_secret_length", "secret = repeat('x', 257)"},
		{wrong, "nas_secret_characters", `secret = E'geheim-1234\n'`},
		{wrong, "nas_sealed", `secret = NULL, sealed = decode(repeat('00', 40), 'hex')`},
		{wrong, "nas_sealed", `secret = NULL, sealed = 'short', key_id = 'k'`},
		{wrong, "nas_certificate_names", "certificate_names = '{a,NULL}'"},
		{wrong, "nas_certificate_names", `certificate_names = '{""}'`},
		{wrong, "nas_type", "type = 'Mikrotik'"},
		{wrong, "nas_message_authenticator", "message_authenticator = 'maybe'"},
		{wrong, "nas_addresses", "addresses = 'taken'"},
		{wrong, "nas_dynamic_authorization_port", "dynamic_authorization_port = 65536"},
		{wrong, "nas_dynamic_authorization_port", "dynamic_authorization_port = -1"},
		{orphan, "nas_domain_fkey", "domain = 'nowhere'"},
		{orphan, "nas_default_domain_fkey", "default_domain = 'nowhere'"},
		{derived, "", "id = 9"},
	} {
		db.refused(c.state, c.constraint, "UPDATE nas SET "+c.set+" WHERE name = 'r1'")
	}
	for _, column := range []string{"type", "message_authenticator", "addresses", "unsigned_proxies", "disabled", "dynamic_authorization_port", "certificate_names"} {
		db.refused("23502", "", "UPDATE nas SET "+column+" = NULL")
	}
}

func TestDomainsOfANASFollow(t *testing.T) {
	db := open(t, sales, insertNAS, "INSERT INTO domain_aliases(alias, domain) VALUES ('verkauf', 'sales.example'); INSERT INTO domains(name) VALUES ('b')")
	db.do("UPDATE nas SET domain = 'Verkauf', default_domain = 'B'")
	db.is("sales.example|b", "SELECT domain, default_domain FROM nas")
	db.refused(orphan, "nas_default_domain_fkey", "DELETE FROM domains WHERE name = 'b'")
	db.do("UPDATE domains SET name = 'c' WHERE name = 'b'; UPDATE domains SET name = 'vertrieb' WHERE name = 'sales.example'")
	db.is("vertrieb|c", "SELECT domain, default_domain FROM nas")
	db.do("UPDATE nas SET domain = NULL; UPDATE nas SET default_domain = NULL; DELETE FROM domains WHERE name = 'c'")
}

// There is one secret: the clear one, until it is sealed.
func TestANASHasOneSecret(t *testing.T) {
	db := open(t, insertNAS)
	const state = "SELECT secret, sealed IS NOT NULL, key_id FROM nas"
	db.do("UPDATE nas SET secret = NULL, sealed = decode(repeat('00', 40), 'hex'), key_id = 'k1'")
	db.is("|t|k1", state)
	db.do("UPDATE nas SET description = 'x'")
	db.is("|t|k1", state)
	db.do("UPDATE nas SET changed_at = '2020-01-01'; UPDATE nas SET secret = 'newer-secret'")
	db.is("newer-secret|f|", state)
	db.is("t", "SELECT changed_at > now() - interval '1 minute' FROM nas")
	db.refused(wrong, "nas_secret_missing", "UPDATE nas SET secret = NULL")
}

func TestChangesOfANASAreAnnouncedAndRecordedWithoutSecrets(t *testing.T) {
	db := open(t, "TRUNCATE audit")
	ears := listen(db)
	for _, c := range []struct{ statement, heard, audit string }{
		{insertNAS, "insert r1", "INSERT||(set)"},
		{"UPDATE nas SET type = 'cisco'", "update r1", "UPDATE|(set)|(set)"},
		{"UPDATE nas SET type = 'cisco'", "", "UPDATE|(set)|(set)"},
		{"UPDATE nas SET secret = NULL, sealed = decode(repeat('ab', 40), 'hex'), key_id = 'k1'", "update r1", "UPDATE|(set)|"},
		{"UPDATE nas SET name = 'r2'", "update r1 update r2", "UPDATE||"},
		{"DELETE FROM nas", "delete r2", "DELETE||"},
	} {
		db.do(c.statement)
		var heard []string
		for _, n := range ears.heard() {
			if n.Table != "nas" || n.All {
				t.Errorf("%s: heard %+v", c.statement, n)
			}
			heard = append(heard, n.Op+" "+n.Key)
		}
		if got := strings.Join(heard, " "); got != c.heard {
			t.Errorf("%s: heard %q, want %q", c.statement, got, c.heard)
		}
		db.is(c.audit, "SELECT action, before ->> 'secret', after ->> 'secret' FROM audit WHERE table_name = 'nas' ORDER BY id DESC LIMIT 1")
	}
	db.is("5|0", `SELECT count(*), count(*) FILTER (WHERE to_jsonb(audit)::text ~ 'geheim|abab|sealed') FROM audit`)
	db.is("k1", "SELECT before ->> 'key_id' FROM audit WHERE action = 'DELETE'")
	// What was true of passwords is true still.
	db.is(`{"a": 1}|{"password": "(set)"}|{"secret": null, "password": null}`, `SELECT without_secrets('{"a": 1, "value": "x", "sealed": "y"}'),
		without_secrets('{"password": "x"}'), without_secrets('{"password": null, "secret": null}')`)
}

func TestRolesMayUseNASes(t *testing.T) {
	db := open(t, insertNAS)
	as := func(role string) database {
		one := connect(t, db.Config().ConnString()+" options='-c role="+role+"'")
		one.is(role, "SELECT current_user")
		return one
	}
	daemon, admin, reader := as("lnsgate_daemon"), as("lnsgate_admin"), as("lnsgate_reader")
	for _, one := range []database{daemon, admin} {
		one.do("INSERT INTO nas(name, source, secret, domain) VALUES ('x', '10.0.0.1', 'geheim-1234', NULL); UPDATE nas SET disabled = true WHERE name = 'x'; DELETE FROM nas WHERE name = 'x'")
		one.is("geheim-1234", "SELECT secret FROM nas")
	}
	reader.is("r1|192.0.2.0/24||3799", "SELECT name, source, key_id, dynamic_authorization_port FROM nas")
	reader.is("r1|192.0.2.0/24|", "SELECT shortname, nasname, secret FROM freeradius.nas")
	for _, statement := range []string{"SELECT secret FROM nas", "SELECT sealed FROM nas", "SELECT * FROM nas", "UPDATE nas SET disabled = true", "DELETE FROM nas"} {
		reader.refused(noRights, "", statement)
	}
	// A column that comes later is not forgotten: the reader sees all but two.
	db.is("sealed secret", `SELECT attname FROM pg_attribute WHERE attrelid = 'public.nas'::regclass AND attnum > 0
		AND NOT has_column_privilege('lnsgate_reader', attrelid, attnum, 'SELECT') ORDER BY attname`)
}

func TestFreeRADIUSSeesNASes(t *testing.T) {
	db := open(t, insertNAS, `INSERT INTO nas(name, source, secret, type, message_authenticator, unsigned_proxies, description) VALUES
		('ap', '192.0.2.9', 'geheim-1234', 'wispr', 'require', true, 'on the roof'), ('old', '2001:db8::7', 'geheim-1234', 'cisco', 'off', false, NULL);
		INSERT INTO nodes(name, address, version) VALUES ('n1', '192.0.2.9', '1.0')`)
	db.is("1|192.0.2.9|n1|other||lnsgate 1.0|| 2|192.0.2.9|ap|wispr||on the roof|yes|no 3|2001:db8::7|old|cisco|||no|yes 4|192.0.2.0/24|r1|other|||auto|yes",
		"SELECT id, nasname, shortname, type, secret, description, require_ma, limit_proxy_state FROM freeradius.nas ORDER BY id")
}
