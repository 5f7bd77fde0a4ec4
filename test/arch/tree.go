package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// module is what our own import paths begin with.
const module = "lnsgate"

// Fault is one place where a rule is broken.
type Fault struct {
	Rule string // in words
	File string // path from the top of the repository
	Line int    // 0: the file, or the folder, as a whole
	What string
}

// String reads "file:line: what (rule: ...)", which editors can jump to.
func (f Fault) String() string {
	place := f.File
	if f.Line > 0 {
		place += ":" + strconv.Itoa(f.Line)
	}
	return fmt.Sprintf("%s: %s (rule: %s)", place, f.What, f.Rule)
}

// File is one parsed Go file.
type File struct {
	Path   string // from the top of the repository, with slashes
	Source []byte
	AST    *ast.File
	fset   *token.FileSet
}

// Parse reads one file.
func Parse(name string, source []byte) (*File, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &File{Path: name, Source: source, AST: tree, fset: fset}, nil
}

// Load reads every Go file below top that belongs to the module. Files for other systems and build tags count too.
func Load(top string) ([]*File, error) {
	var files []*File
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != top && ignored(entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || ignored(entry.Name()) {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		file, err := Parse(filepath.ToSlash(relative), source)
		files = append(files, file)
		return err
	})
	return files, err
}

// ignored follows the go command: such folders and files are not part of the module.
func ignored(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// Check applies all rules and returns the faults in the order of files and lines.
func Check(files []*File) []Fault {
	var faults []Fault
	for _, rule := range []func([]*File) []Fault{
		checkLayout, checkImports, checkLibraries, checkPurity, checkCalls, checkSkips, checkFormat,
	} {
		faults = append(faults, rule(files)...)
	}
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return faults
}

// Room is the folder the file lies in, which is also its import path below the module.
func (f *File) Room() string { return path.Dir(f.Path) }

// Test says whether the file is compiled for tests alone.
func (f *File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

func (f *File) fault(rule string, at token.Pos, format string, args ...any) Fault {
	line := 0
	if at.IsValid() {
		line = f.fset.Position(at).Line
	}
	return Fault{Rule: rule, File: f.Path, Line: line, What: fmt.Sprintf(format, args...)}
}

// imported is one import of a file.
type imported struct {
	Path string
	Name string // what the file calls it; "." and "_" as written
	At   token.Pos
}

func (f *File) imports() []imported {
	var list []imported
	for _, spec := range f.AST.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has seen to it
		}
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		list = append(list, imported{Path: target, Name: name, At: spec.Pos()})
	}
	return list
}

// within says whether an import path is that package or lies below it.
func within(target, parent string) bool {
	return target == parent || strings.HasPrefix(target, parent+"/")
}
