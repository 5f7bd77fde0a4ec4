package arch

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	ruleDoc    = `every package has a doc.go that begins "Package x" and says what it does not do`
	ruleNames  = "a package is named after what it is about"
	ruleFormat = "files are formatted by gofmt"
	ruleSkip   = "a test skips only in a function that fails instead when " + testAll + "=1"
)

// testAll is the variable that turns skips into failures.
const testAll = "LNSGATE_TEST_ALL"

var (
	vague   = []string{"util", "utils", "common", "manager", "helper", "helpers", "misc", "shared", "base"}
	negated = regexp.MustCompile(`(?i)\b(not|never|no|nothing|nor|neither)\b`)
)

// checkLayout looks at packages as a whole: their names and their doc.go.
func checkLayout(files []*File) []Fault {
	var faults []Fault
	docs := map[string]bool{}
	var folders []string
	for _, f := range files {
		if f.Test() {
			continue
		}
		if !slices.Contains(folders, f.Room()) {
			folders = append(folders, f.Room())
		}
		if path.Base(f.Path) == "doc.go" {
			docs[f.Room()] = true
			faults = append(faults, f.doc()...)
		}
	}
	for _, folder := range folders {
		if !docs[folder] {
			faults = append(faults, Fault{Rule: ruleDoc, File: folder, What: "there is no doc.go"})
		}
		if slices.Contains(vague, path.Base(folder)) {
			faults = append(faults, Fault{Rule: ruleNames, File: folder, What: "the name says nothing"})
		}
	}
	return faults
}

func (f *File) doc() []Fault {
	name := f.AST.Name.Name
	wanted := "Package " + name + " "
	if name == "main" {
		wanted = "Command " + path.Base(f.Room()) + " "
	}
	text := f.AST.Doc.Text()
	if !strings.HasPrefix(text, wanted) {
		return []Fault{f.fault(ruleDoc, f.AST.Package, "the package comment must begin %q", wanted)}
	}
	if !negated.MatchString(text) {
		return []Fault{f.fault(ruleDoc, f.AST.Package, "the package comment does not say what the package does not do")}
	}
	return nil
}

// checkFormat compares each file with what gofmt would make of it.
func checkFormat(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		formatted, err := format.Source(f.Source)
		if err != nil || !bytes.Equal(formatted, f.Source) {
			faults = append(faults, f.fault(ruleFormat, 0, "run: gofmt -w %s", f.Path))
		}
	}
	return faults
}

// checkSkips finds tests that step aside. The one excuse is a capability that the machine lacks, and then the same
// function must look at the variable that turns the skip into a failure.
func checkSkips(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		for _, declaration := range f.AST.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			skips := f.skips(function)
			if len(skips) > 0 && !f.looksAt(function, testAll) {
				faults = append(faults, skips...)
			}
		}
	}
	return faults
}

func (f *File) skips(function *ast.FuncDecl) []Fault {
	var faults []Fault
	ast.Inspect(function, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) && f.steps(selector.X) {
			faults = append(faults, f.fault(ruleSkip, n.Pos(), "%s skips", function.Name.Name))
		}
		return true
	})
	return faults
}

// steps says whether skipping on this receiver steps over a test. A rapid.T only asks for another example, and a
// package is no test.
func (f *File) steps(receiver ast.Expr) bool {
	name, ok := receiver.(*ast.Ident)
	if !ok {
		return true
	}
	if name.Obj == nil {
		return !slices.ContainsFunc(f.imports(), func(i imported) bool { return i.Name == name.Name })
	}
	field, ok := name.Obj.Decl.(*ast.Field)
	if !ok {
		return true
	}
	pointer, ok := field.Type.(*ast.StarExpr)
	if !ok {
		return true
	}
	selector, ok := pointer.X.(*ast.SelectorExpr)
	if !ok {
		return true
	}
	base, ok := selector.X.(*ast.Ident)
	return !ok || base.Name != "rapid"
}

// looksAt says whether the function holds the word: in a string, or by a constant of the same file that is that word.
func (f *File) looksAt(function *ast.FuncDecl, word string) bool {
	found := false
	ast.Inspect(function, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			found = found || strings.Contains(n.Value, word)
		case *ast.Ident:
			found = found || f.constant(n.Name) == strconv.Quote(word)
		}
		return !found
	})
	return found
}

// constant is the text that the file gives a constant of that name, quotes included.
func (f *File) constant(name string) string {
	for _, declaration := range f.AST.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			values := spec.(*ast.ValueSpec)
			for i, n := range values.Names {
				if n.Name != name || i >= len(values.Values) {
					continue
				}
				if literal, ok := values.Values[i].(*ast.BasicLit); ok {
					return literal.Value
				}
			}
		}
	}
	return ""
}
