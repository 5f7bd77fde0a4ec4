package admin

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"reflect"
	"strings"
	"sync"
)

// sources are the files whose comments describe the fields.
//
//go:embed views.go views_stored.go requests.go audit.go attempts.go health.go testlogin.go actor.go errors.go
var sources embed.FS

// fieldNotes reads the comments beside the fields, once.
var fieldNotes = sync.OnceValue(func() map[string]string {
	notes := make(map[string]string)
	files, _ := sources.ReadDir(".") // embedded
	for _, f := range files {
		text, _ := sources.ReadFile(f.Name())
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue // it has compiled
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				noteFields(notes, spec)
			}
			return true
		})
	}
	return notes
})

func noteFields(notes map[string]string, spec *ast.TypeSpec) {
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range body.Fields.List {
		for _, name := range field.Names {
			notes[spec.Name.Name+"."+name.Name] = strings.TrimSpace(field.Comment.Text())
		}
	}
}

func (s *Server) openAPI(*http.Request) (any, error) { return s.describe(), nil }

// describe is the OpenAPI 3.1 description of all routes.
func (s *Server) describe() object {
	g := &schemas{named: object{}, notes: fieldNotes()}
	failure := g.of(reflect.TypeFor[Error]())
	paths := object{}
	routes := s.table()
	for i := range s.cfg.Mounts {
		if m := &s.cfg.Mounts[i]; m.About != "" {
			routes = append(routes, *m.route())
		}
	}
	for _, r := range routes {
		path, _ := paths[r.path].(object)
		if path == nil {
			path = object{}
			paths[r.path] = path
		}
		path[strings.ToLower(r.method)] = g.operation(&r, failure)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{"title": "lnsgate", "version": s.cfg.Version, "description": "What operators see and do. Times are RFC 3339, " +
			"durations are seconds in fields that end in _seconds and nanoseconds in those that end in _ns, rates are bits per second."},
		"paths":    paths,
		"security": []any{object{"token": []any{}}},
		"components": object{
			"schemas":         g.named,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
	}
}

func (g *schemas) operation(r *route, failure any) object {
	form, schema := "application/json", any(object{"type": "string", "contentMediaType": r.media})
	switch {
	case r.media != "":
		form = r.media
	case r.events:
		form = "text/event-stream"
	}
	if r.media == "" {
		schema = g.of(reflect.TypeOf(r.answers))
	}
	role := max(r.role, View).String()
	op := object{
		"operationId": operationID(r), "summary": r.about,
		"responses": object{
			"200":     object{"description": "Done.", "content": object{form: object{"schema": schema}}},
			"default": object{"description": "What is wrong.", "content": object{"application/json": object{"schema": failure}}},
		},
	}
	if r.open {
		op["security"] = []any{}
		role = Nobody.String()
	}
	op["x-role"] = role
	if r.body != nil {
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": g.of(reflect.TypeOf(r.body))}}}
	}
	if list := parameters(r); len(list) > 0 {
		op["parameters"] = list
	}
	return op
}

// operationID is a name for makers of clients, such as postUsersNamePassword.
func operationID(r *route) string {
	id := strings.ToLower(r.method)
	for part := range strings.FieldsFuncSeq(r.path, func(c rune) bool { return strings.ContainsRune("/{}-.", c) }) {
		if part != "v1" {
			id += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return id
}

func parameters(r *route) (list []any) {
	for part := range strings.SplitSeq(r.path, "/") {
		if strings.HasPrefix(part, "{") {
			list = append(list, object{"name": strings.Trim(part, "{}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, p := range r.query {
		list = append(list, object{"name": p.name, "in": "query", "description": p.about, "schema": map[paramKind]object{
			textParam: {"type": "string"}, numberParam: {"type": "integer", "minimum": 0}, switchParam: {"type": "boolean"},
			momentParam: {"type": "string", "format": "date-time"}, listParam: {"type": "array", "items": object{"type": "string"}},
		}[p.kind]})
	}
	return list
}
