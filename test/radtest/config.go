package radtest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed radiusd.conf.tmpl
var configuration string

var configurationTemplate = template.Must(template.New("radiusd.conf").Parse(configuration))

// writeConfiguration fills the folder with what the server reads.
func (s *Server) writeConfiguration() error {
	var b strings.Builder
	err := configurationTemplate.Execute(&b, struct {
		Options
		Modules, Shipped, Folder, Delay string
		Clients                         []Client
		AuthPort, AcctPort              uint16
		TLSPort, CoAPort                uint16
	}{
		Options: s.options, Modules: modules, Shipped: shipped, Folder: s.folder,
		Delay:    fmt.Sprintf("%.3f", s.options.RejectDelay.Seconds()),
		Clients:  s.options.clients(),
		AuthPort: s.ports[auth], AcctPort: s.ports[acct], TLSPort: s.ports[radsec], CoAPort: s.ports[coa],
	})
	if err != nil {
		return err
	}
	return errors.Join(
		s.writeFile("radiusd.conf", b.String()),
		s.writeFile("users", s.options.Users+"\n"),
		// The server reads the dictionaries of the system by itself and wants a file to add to them.
		s.writeFile("dictionary", ""),
		s.writeQueries(),
	)
}

// writeQueries copies the queries of sqlippool, with SKIP LOCKED if that is wanted.
func (s *Server) writeQueries() error {
	if len(s.options.Pools) == 0 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(shipped, "mods-config/sql/ippool/postgresql/queries.conf"))
	if err != nil {
		return err
	}
	const off, on = `skip_locked = ""`, `skip_locked = "SKIP LOCKED"`
	queries := string(text)
	if s.options.SkipLocked {
		if !strings.Contains(queries, "\n"+off+"\n") {
			return fmt.Errorf("the queries of sqlippool that this system ships have no line %s", off)
		}
		queries = strings.Replace(queries, "\n"+off+"\n", "\n"+on+"\n", 1)
	}
	return s.writeFile("ippool.conf", queries)
}

func (s *Server) writeFile(name, text string) error {
	return os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600)
}
