package web

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// library is a package of the registry of npm, in one version and with its hash, as package-lock.json has them.
type library struct{ name, version, sha512 string }

var libraries = []library{
	{"playwright-core", "1.50.1", "ra9fsNWayuYumt+NiM069M6OkcRb1FZSK8bgi66AtpFoWkg2+y0bJSNmkFrWhMbEBbVKC/EruAHH3g0zmtwGmQ=="},
	{"axe-core", "4.14.1", "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="},
}

// mostOctets is more than any of them has.
const mostOctets = 64 << 20

// folder is where the library lies, fetched if it is not there yet.
func (l library) folder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	home := filepath.Join(cache, "lnsgate-test", l.name+"-"+l.version)
	if _, err := os.Stat(filepath.Join(home, "package.json")); err == nil {
		return home, nil
	}
	archive, err := l.fetch()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", l.name, l.version, err)
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return "", err
	}
	half, err := os.MkdirTemp(filepath.Dir(home), l.name+"-")
	if err != nil {
		return "", err
	}
	if err := unpack(archive, half); err != nil {
		return "", errors.Join(err, os.RemoveAll(half))
	}
	if err := os.Rename(half, home); err != nil && !errors.Is(err, os.ErrExist) { // somebody else was faster
		return "", errors.Join(err, os.RemoveAll(half))
	}
	return home, nil
}

// fetch loads the archive and holds it against its hash.
func (l library) fetch() ([]byte, error) {
	client := http.Client{Timeout: 2 * time.Minute}
	defer client.CloseIdleConnections()
	got, err := client.Get(fmt.Sprintf("https://registry.npmjs.org/%s/-/%s-%s.tgz", l.name, l.name, l.version))
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return nil, errors.New(got.Status)
	}
	archive, err := io.ReadAll(io.LimitReader(got.Body, mostOctets))
	if err != nil {
		return nil, err
	}
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != l.sha512 {
		return nil, errors.New("the archive has another hash than it should have")
	}
	return archive, nil
}

// unpack writes the files of an archive, which stand in its folder package, into a folder.
func unpack(archive []byte, folder string) error {
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	files := tar.NewReader(plain)
	for {
		head, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		_, name, _ := strings.Cut(head.Name, "/")
		if head.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(files, mostOctets))
		if err != nil {
			return err
		}
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
			return err
		}
	}
}
