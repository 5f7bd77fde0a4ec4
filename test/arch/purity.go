package arch

import (
	"go/ast"
	"go/token"
	"slices"
)

const (
	rulePure    = "a pure room has no goroutine, channel, mutex, socket, file, clock or logger"
	ruleCrypto  = "hashing a password belongs to aaa/secret, not to lns/authenticate"
	rulePrint   = "only cmd prints and ends the process"
	ruleNoSleep = "nobody sleeps, but a test in the virtual time of synctest"
)

// impure are the packages, with all below them, that a pure room must not import.
var impure = []string{
	"sync", "os", "net", "log", "syscall", "io/ioutil", "runtime", "golang.org/x/sys", "golang.org/x/net",
	"golang.org/x/sync", "golang.org/x/time",
}

// harmless are the packages below impure ones that are plain values.
var harmless = []string{"net/netip"}

// described are the names of log/slog with which a value says how it wants to be logged. That is not logging: a secret
// prints as stars this way.
var described = []string{"Value", "StringValue", "LogValuer"}

// clocks are the functions that read the clock or wait for it.
var clocks = map[string][]string{
	"time":    {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "AfterFunc"},
}

// printers write to standard output or end the process.
var printers = map[string][]string{
	"fmt": {"Print", "Printf", "Println"},
	"os":  {"Exit"},
	"log": {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"},
}

// checkPurity looks at the code of pure rooms; their tests may do what they like.
func checkPurity(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		if !rooms[f.Room()].pure || f.Test() {
			continue
		}
		faults = append(faults, f.impureImports()...)
		faults = append(faults, f.concurrency()...)
		faults = append(faults, f.uses(rulePure, clocks)...)
	}
	return faults
}

func (f *File) impureImports() []Fault {
	var faults []Fault
	for _, i := range f.imports() {
		if i.Path == "log/slog" {
			faults = append(faults, f.logging(i)...)
			continue
		}
		under := func(parent string) bool { return within(i.Path, parent) }
		if slices.ContainsFunc(impure, under) && !slices.Contains(harmless, i.Path) {
			faults = append(faults, f.fault(rulePure, i.At, "%s is pure and must not import %s", f.Room(), i.Path))
		}
		if f.Room() == "lns/authenticate" && (under("crypto") || under("golang.org/x/crypto")) {
			faults = append(faults, f.fault(ruleCrypto, i.At, "it must not import %s", i.Path))
		}
		if _, timed := clocks[i.Path]; timed && i.Name == "." {
			faults = append(faults, f.fault(rulePure, i.At, "a dot import of %s hides the clock", i.Path))
		}
	}
	return faults
}

// logging finds what a pure room does with log/slog besides describing values.
func (f *File) logging(slog imported) []Fault {
	if slog.Name == "." || slog.Name == "_" {
		return []Fault{f.fault(rulePure, slog.At, "%s is pure and must not import log/slog like this", f.Room())}
	}
	var faults []Fault
	f.mentions(f.AST, func(target, name string, at token.Pos) {
		if target == slog.Path && !slices.Contains(described, name) {
			faults = append(faults, f.fault(rulePure, at, "%s is pure and must not log: slog.%s", f.Room(), name))
		}
	})
	return faults
}

func (f *File) concurrency() []Fault {
	var faults []Fault
	say := func(at token.Pos, what string) { faults = append(faults, f.fault(rulePure, at, "%s", what)) }
	ast.Inspect(f.AST, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			say(n.Pos(), "a go statement starts a goroutine")
		case *ast.SelectStmt:
			say(n.Pos(), "a select statement waits")
		case *ast.ChanType:
			say(n.Pos(), "a channel type")
		case *ast.SendStmt:
			say(n.Pos(), "a send to a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				say(n.Pos(), "a receive from a channel")
			}
		}
		return true
	})
	return faults
}

// checkCalls applies to impure rooms too.
func checkCalls(files []*File) []Fault {
	var faults []Fault
	for _, f := range files {
		faults = append(faults, f.sleeps()...)
		if f.Room() != program && !within(f.Room(), testRooms) && !f.Test() {
			faults = append(faults, f.uses(rulePrint, printers)...)
		}
	}
	return faults
}

// sleeps finds real sleeps. A test function that mentions synctest runs in its bubble, where to sleep is how time passes:
// outside of one, synctest.Wait panics.
func (f *File) sleeps() []Fault {
	var faults []Fault
	for _, declaration := range f.AST.Decls {
		virtual := false
		var real []Fault
		f.mentions(declaration, func(target, name string, at token.Pos) {
			virtual = virtual || target == "testing/synctest"
			if target == "time" && name == "Sleep" {
				real = append(real, f.fault(ruleNoSleep, at, "time.Sleep"))
			}
		})
		if !virtual || !f.Test() {
			faults = append(faults, real...)
		}
	}
	return faults
}

// uses finds every mention of the functions.
func (f *File) uses(rule string, functions map[string][]string) []Fault {
	var faults []Fault
	f.mentions(f.AST, func(target, name string, at token.Pos) {
		if slices.Contains(functions[target], name) {
			faults = append(faults, f.fault(rule, at, "%s.%s", target, name))
		}
	})
	return faults
}

// mentions reports every name of an imported package that a part of the file uses, called or handed on, under whatever
// name the package is imported.
func (f *File) mentions(part ast.Node, report func(target, name string, at token.Pos)) {
	paths := map[string]string{} // by the name in this file
	for _, i := range f.imports() {
		paths[i.Name] = i.Path
	}
	ast.Inspect(part, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		// A local variable that shadows the package resolves to an object; a package name does not.
		base, ok := selector.X.(*ast.Ident)
		if ok && base.Obj == nil && paths[base.Name] != "" {
			report(paths[base.Name], selector.Sel.Name, n.Pos())
		}
		return true
	})
}
