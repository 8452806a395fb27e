package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exported returns the exported names of a package: top has those of the top level, all has the
// names of methods, fields and interfaces as well.
func exported(t *testing.T, pkg string) (top, all map[string]bool) {
	t.Helper()
	top, all = map[string]bool{}, map[string]bool{}
	add := func(m map[string]bool, names ...*ast.Ident) {
		for _, n := range names {
			if n.IsExported() {
				m[n.Name] = true
			}
		}
	}
	sources, _ := filepath.Glob(filepath.Join(root, pkg, "*.go"))
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			add(top, topLevel(d)...)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				add(all, n.Names...)
			case *ast.FuncDecl: // a method, or a function, which is added once more below
				add(all, n.Name)
			}
			return true
		})
	}
	maps.Copy(all, top)
	return top, all
}

// topLevel returns the names that a declaration gives to its package.
func topLevel(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	return names
}

// The reference lists each exported top-level name of the public packages, and nothing else. It may
// leave out a constant that belongs to a type, and an alias of another package's name.
func TestReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string][]string{
		"reactor": {"reactor"}, "future": {"future"}, "task": {"task"}, "task/lock": {"task/lock"}, "task/queue": {"task/queue"}, "task/inspect": {"task/inspect"}, "stream": {"stream"},
		"compat": {"compat", "compat/asyncore", "compat/asynchat"},
	}
	name := regexp.MustCompile("`([A-Za-z0-9.]+)`")
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, _, _ := strings.Cut(section, ":")
		var listed []string
		for _, m := range name.FindAllStringSubmatch(section, -1) {
			listed = append(listed, m[1][strings.LastIndex(m[1], ".")+1:])
		}
		known := map[string]bool{"asyncore": true, "asynchat": true, "compat": true}
		for _, pkg := range sections[title] {
			top, all := exported(t, pkg)
			for n := range top {
				if !slices.Contains(listed, n) {
					t.Errorf("%s.%s is not in docs/reference.md, want it there", pkg, n)
				}
			}
			for n := range all {
				known[n] = true
			}
		}
		if title == "reactor" { // some of its types are aliases, whose methods and fields are there
			_, all := exported(t, "internal/loop")
			maps.Copy(known, all)
		}
		for _, n := range listed {
			if !known[n] {
				t.Errorf("docs/reference.md lists %s.%s, which does not exist; want exported names only", title, n)
			}
		}
		delete(sections, title)
	}
	for title := range sections {
		t.Errorf("docs/reference.md has no section for %s, want one", title)
	}
}
