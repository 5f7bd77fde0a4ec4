package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretLimit bounds a secret file, so that a wrong path does not read a disk.
const secretLimit = 4 << 10

// credential begins the name of a secret that systemd hands over (LoadCredential=).
const credential = "credential:"

// resolveSecrets reads every secret file into the secret beside it.
func (c *checker) resolveSecrets(directory string) {
	c.resolveDatabase(directory)
	c.resolveRADIUS(directory)
	c.resolveRADIUSService(directory)
	c.resolveAdmin(directory)
	for i := range c.cfg.L2TPGroups {
		g := &c.cfg.L2TPGroups[i]
		c.resolve(&g.TunnelSecret, g.TunnelSecretFile, fmt.Sprintf("l2tp_groups[%d].tunnel_secret", i), directory)
		c.inlineSecrets = c.inlineSecrets || len(g.PreviousSecrets) > 0
		for j, file := range g.PreviousSecretFiles {
			var s Secret
			c.resolveFrom(&s, file, fmt.Sprintf("l2tp_groups[%d].previous_tunnel_secret_files[%d]", i, j), directory)
			g.PreviousSecrets = append(g.PreviousSecrets, s)
		}
	}
	for i := range c.cfg.Users {
		u := &c.cfg.Users[i]
		c.inlineSecrets = c.inlineSecrets || !u.Password.IsZero() || !u.NTHash.IsZero()
		c.resolve(&u.Password, u.PasswordFile, fmt.Sprintf("users[%d].password", i), directory)
	}
}

// resolveDatabase knows that the environment may have given either, and that an address need not hold a password.
func (c *checker) resolveDatabase(directory string) {
	d := &c.cfg.Database
	c.resolveURL(&d.URL, d.URLFile, "database.url", directory)
	c.resolveURL(&d.ListenURL, d.ListenURLFile, "database.listen_url", directory)
	if name, err := secretPath(d.KeyFile, directory, os.Getenv("CREDENTIALS_DIRECTORY")); err == nil && d.KeyFile != "" && d.Key.IsZero() {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			c.say("database.key_file", "there is no file %s; make it with: lnsgate db rotate-key --prepare --key-file %s", name, name)
			return
		}
	}
	if d.KeyFile != "" || c.lines["database.key"] > 0 {
		c.resolve(&d.Key, d.KeyFile, "database.key", directory)
	}
}

func (c *checker) resolveURL(u *URL, file, path, directory string) {
	if file != "" {
		c.resolve((*Secret)(u), file, path, directory)
	} else if strings.Contains(u.String(), stars) && c.lines[path] > 0 {
		c.inlineSecrets = true
	}
}

// resolve fills one secret; path is the one of the secret itself, its file is named beside it.
func (c *checker) resolve(secret *Secret, file, path, directory string) {
	switch {
	case file == "":
		c.inlineSecrets = c.inlineSecrets || !secret.IsZero()
		return
	case !secret.IsZero():
		c.say(path+"_file", "the secret is given twice; keep %s or %s", last(path), last(path)+"_file")
		return
	}
	c.resolveFrom(secret, file, path+"_file", directory)
}

// resolveFrom reads a secret from a file, which is named at the path.
func (c *checker) resolveFrom(secret *Secret, file, path, directory string) {
	name, err := secretPath(file, directory, os.Getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		c.say(path, "%v", err)
		return
	}
	text, open, err := readSecret(name)
	if err != nil {
		c.say(path, "%s: %s", name, reason(err))
		return
	}
	if open {
		c.advise(path, "%s can be read by every user of this machine; chmod 600 it", name)
	}
	*secret = NewSecret(text)
}

func secretPath(file, directory, credentials string) (string, error) {
	name, isCredential := strings.CutPrefix(file, credential)
	switch {
	case !isCredential && filepath.IsAbs(file):
		return file, nil
	case !isCredential:
		return filepath.Join(directory, file), nil
	case credentials == "":
		return "", errors.New("$CREDENTIALS_DIRECTORY is not set; a credential needs systemd and LoadCredential= in the unit")
	case name == "" || name != filepath.Base(name) || name == "..":
		return "", fmt.Errorf("%q is not the name of a credential", name)
	}
	return filepath.Join(credentials, name), nil
}

// readSecret returns the content without one newline at its end, and whether others may read the file.
func readSecret(name string) (text string, open bool, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", false, err
	}
	if !info.Mode().IsRegular() { // to open a pipe could wait for ever
		return "", false, errors.New("it is not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, secretLimit+1))
	if err != nil {
		return "", false, err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case len(b) > secretLimit:
		return "", false, fmt.Errorf("the file is larger than %d octets; that is no secret", secretLimit)
	case text == "":
		return "", false, errors.New("the file is empty")
	}
	return text, info.Mode().Perm()&0o004 != 0, nil
}

func last(path string) string { return path[strings.LastIndex(path, ".")+1:] }
