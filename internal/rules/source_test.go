package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/corobridge/corobridge/"
)

// sourceFile is a file of the library: not a test, what is only for tests, or an example.
type sourceFile struct {
	path string // from the root, with slashes
	fset *token.FileSet
	ast  *ast.File
}

func (f sourceFile) pkg() string { return f.path[:strings.LastIndex(f.path, "/")] }

// library parses every file of the library, whatever its build tags.
func library(t *testing.T) (files []sourceFile) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		switch name := d.Name(); {
		case d.IsDir() && rel != "." && (strings.HasPrefix(name, ".") || name == "testdata" || rel == "examples" || rel == "bench"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		case strings.HasSuffix(filepath.Dir(rel), "test"), rel == "internal/testkit/"+name:
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, sourceFile{rel, fset, f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("found %d files of the library, want 40 or more", len(files))
	}
	return files
}

// Imports run downward only.
func TestLayersImportDownwardOnly(t *testing.T) {
	may := map[string][]string{
		"internal/gid":            {},
		"internal/prefetch":       {},
		"internal/coro":           {"internal/gid", "internal/prefetch"},
		"internal/poll":           {},
		"internal/world":          {"internal/gid", "internal/poll"},
		"internal/rules":          {},
		"internal/loop":           {"internal/coro", "internal/poll", "internal/prefetch", "internal/world"},
		"reactor":                 {"internal/loop", "internal/coro", "internal/gid", "internal/poll", "internal/prefetch", "internal/world"},
		"future":                  {"internal/coro"},
		"task/lock":               {"internal/coro"},
		"task/queue":              {"internal/coro"},
		"task/inspect":            {"internal/loop", "future", "reactor", "internal/coro"},
		"task":                    {"task/inspect", "internal/loop", "future", "reactor", "internal/coro"},
		"stream":                  {"internal/loop", "task", "future", "reactor", "internal/coro", "internal/world"},
		"compat/internal/classic": {"stream", "future", "reactor"},
		"compat/asyncore":         {"compat/internal/classic", "stream", "task", "future", "reactor", "internal/loop", "internal/coro", "internal/gid"},
		"compat/asynchat":         {"compat/asyncore", "compat/internal/classic", "stream"},
		"compat":                  {"compat/asyncore", "compat/asynchat", "compat/internal/classic", "stream", "task", "future", "reactor", "internal/loop", "internal/coro"},
	}
	for _, f := range library(t) {
		allowed, known := may[f.pkg()]
		if !known {
			t.Errorf("%s: package %s has no place in the layers, want one", f.path, f.pkg())
			continue
		}
		for _, imp := range f.ast.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			below, ours := strings.CutPrefix(path, module)
			if ours && !contains(allowed, below) {
				t.Errorf("%s imports %s, want imports of packages below it only", f.path, below)
			}
		}
	}
}

// Only names, addresses and their errors come from package net; sockets come from the world.
func TestInputAndOutputGoThroughTheSeam(t *testing.T) {
	names := []string{
		"Addr", "TCPAddr", "UnixAddr", "UDPAddr", "IPAddr", "TCPAddrFromAddrPort", "SplitHostPort", "JoinHostPort", "ErrClosed", "Error", "OpError",
		"AddrError", "UnknownNetworkError", "KeepAliveConfig",
	}
	resolver := map[string][]string{ // names, and the zones of addresses
		"internal/world": {"DefaultResolver", "InterfaceByName", "InterfaceByIndex", "Interface"},
	}
	for _, f := range library(t) {
		eachSelector(f, "net", func(name string, pos token.Pos) {
			if !contains(names, name) && !contains(resolver[f.pkg()], name) {
				t.Errorf("%s: net.%s is used, want input and output through internal/world", f.fset.Position(pos), name)
			}
		})
		for _, pkg := range []string{"syscall", "unix"} {
			eachSelector(f, pkg, func(name string, pos token.Pos) {
				if f.pkg() != "internal/world" && f.pkg() != "internal/poll" && isCall(name) {
					t.Errorf("%s: %s.%s is called, want system calls in internal/world and internal/poll only", f.fset.Position(pos), pkg, name)
				}
			})
		}
	}
}

// Only the World, and the poller below it, touch files, processes, signals and the clock. An
// exception is listed here and in docs/design.md.
func TestTheWorldIsTouchedOnlyWhereAllowed(t *testing.T) {
	types := []string{"Signal", "Interrupt", "Process", "ProcessState", "NewSyscallError"}
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
	// WithDeadlineCause is not among them: task calls it with a time long past, to end a context.
	timeouts := []string{"WithTimeout", "WithTimeoutCause", "WithDeadline", "AfterFunc"}
	touches := map[string]func(name string) bool{
		"os":        func(name string) bool { return !contains(types, name) },
		"os/signal": func(string) bool { return true },
		"time":      func(name string) bool { return contains(clock, name) },
		"context":   func(name string) bool { return contains(timeouts, name) },
	}
	allowed := map[string]string{
		"task/sleep.go time.NewTimer":                "a plain goroutine has no loop",
		"task/sleep.go time.Until":                   "a plain goroutine has no loop",
		"task/timeout.go context.WithTimeout":        "a context without a loop",
		"task/timeout.go context.WithDeadline":       "a context without a loop",
		"internal/coro/outside.go context.AfterFunc": "a plain goroutine has no loop",
	}
	used := map[string]bool{}
	for _, f := range library(t) {
		if f.pkg() == "internal/world" || f.pkg() == "internal/poll" {
			continue
		}
		for path, touch := range touches {
			pkg := path[strings.LastIndex(path, "/")+1:]
			eachSelector(f, pkg, func(name string, pos token.Pos) {
				where := f.path + " " + pkg + "." + name
				used[where] = true
				if touch(name) && allowed[where] == "" {
					t.Errorf("%s: %s.%s: the outside is touched in internal/world; an exception needs a reason, here and in docs/design.md",
						f.fset.Position(pos), pkg, name)
				}
			})
		}
	}
	for where := range allowed {
		if !used[where] {
			t.Errorf("%s is not used any more: take it off the list, and out of docs/design.md", where)
		}
	}
}

// isCall reports whether a function of package syscall does something with a descriptor.
func isCall(name string) bool {
	switch name {
	case "Read", "Write", "Readv", "Writev", "Socket", "Bind", "Listen", "Accept", "Accept4", "Connect", "Close", "Shutdown",
		"Sendto", "Recvfrom", "Sendmsg", "Recvmsg", "Send", "SetsockoptInt", "GetsockoptInt", "Syscall", "Syscall6", "RawSyscall", "RawSyscall6",
		"Getsockname", "Getpeername", "EpollCtl", "EpollWait", "Poll", "Select", "Sendfile", "Splice", "Dup", "Fcntl", "SetNonblock":
		return true
	}
	return false
}

// A loop's goroutines are started by its World. Where there is no loop, internal/coro starts them.
func TestGoroutinesAreStartedOnlyWhereAllowed(t *testing.T) {
	allowed := map[string]string{
		"internal/world/system.go Go": "the World's own",
		"internal/coro/outside.go Go": "a plain goroutine has no loop",
	}
	used := map[string]bool{}
	for _, f := range library(t) {
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if startsGoroutine(n) {
					where := f.path + " " + fn.Name.Name
					used[where] = true
					if allowed[where] == "" {
						t.Errorf("%s: %s starts a goroutine, want that left to the World", f.fset.Position(n.Pos()), fn.Name.Name)
					}
				}
				return true
			})
		}
	}
	for where := range allowed {
		if !used[where] {
			t.Errorf("%s starts no goroutine any more: take it off the list", where)
		}
	}
}

// startsGoroutine reports whether a node is a go statement, or a use of sync.WaitGroup.Go; the
// World's Go is called on a world or a pool.
func startsGoroutine(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		s, ok := n.Fun.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Go" && !contains([]string{"task", "coro", "world", "World", "outside", "p"}, lastName(s.X))
	}
	return false
}

// lastName is the last name of an expression such as a.b.c or a.b.c().
func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.CallExpr:
		return lastName(x.Fun)
	}
	return ""
}

func TestNoNoraceAndNoInit(t *testing.T) {
	for _, f := range library(t) {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				if strings.HasPrefix(c.Text, "//go:norace") {
					t.Errorf("%s: go:norace hides a race, want it mended", f.fset.Position(c.Pos()))
				}
			}
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: an init function, want none", f.fset.Position(fn.Pos()))
			}
		}
	}
}

// eachSelector calls fn for each use of a name of an imported package.
func eachSelector(f sourceFile, pkg string, fn func(name string, pos token.Pos)) {
	imported := false
	for _, imp := range f.ast.Imports {
		path, _ := strconv.Unquote(imp.Path.Value)
		imported = imported || path == pkg || strings.HasSuffix(path, "/"+pkg)
	}
	if !imported {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg && x.Obj == nil {
				fn(s.Sel.Name, s.Pos())
			}
		}
		return true
	})
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
