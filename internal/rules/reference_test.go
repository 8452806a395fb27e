package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exported returns the exported top-level names of a package, and all that of its methods, fields and interfaces too.
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
	notTests := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	pkgs, err := parser.ParseDir(token.NewFileSet(), filepath.Join(root, pkg), notTests, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		for _, f := range p.Files {
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil {
						add(top, d.Name)
					}
					add(all, d.Name)
				case *ast.GenDecl:
					for _, s := range d.Specs {
						switch s := s.(type) {
						case *ast.TypeSpec:
							add(top, s.Name)
						case *ast.ValueSpec:
							add(top, s.Names...)
						}
					}
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if field, ok := n.(*ast.Field); ok {
					add(all, field.Names...)
				}
				return true
			})
		}
	}
	for n := range top {
		all[n] = true
	}
	return top, all
}

// The reference lists every exported top-level name of the public packages, and nothing that does not exist. Constants that belong to a
// type, and what is an alias of another package's, may be left to the type.
func TestReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string][]string{
		"reactor": {"reactor"}, "future": {"future"}, "task": {"task"}, "stream": {"stream"},
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
					t.Errorf("%s.%s is not in docs/reference.md", pkg, n)
				}
			}
			for n := range all {
				known[n] = true
			}
		}
		for _, n := range listed {
			if !known[n] {
				t.Errorf("docs/reference.md: %s has no %s", title, n)
			}
		}
		delete(sections, title)
	}
	for title := range sections {
		t.Errorf("docs/reference.md has no section for %s", title)
	}
}
