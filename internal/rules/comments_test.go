package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is how many columns a line with a comment may have; a tab counts four.
const widest = 100

// plainer has the turns of phrase that make a reader go back, and what to say in their place.
var plainer = []struct {
	said *regexp.Regexp
	say  string
}{
	{regexp.MustCompile(`(?:^|[.:;?!] )Or [a-z][^.?]*(?:\.|$)`), `"Otherwise", or one sentence with the one before it`},
	{regexp.MustCompile(`\bbut for\b`), `"except for"`},
	{regexp.MustCompile(`(?:^|[.:;?!] )Who [a-z][^.?]*(?:\.|$)`), `"Whoever", or the name of what does it`},
	{regexp.MustCompile(`\b(?:to|by|from|of|for|with|against) who\b`), `"whoever", or the name of what does it`},
}

// Comments are read beside code, so they are narrow; and they are read once, so they are plain.
func TestCommentsAreNarrowAndPlain(t *testing.T) {
	faults := map[string][]string{} // by folder or document
	for _, path := range everyGoFile(t) {
		faults[folder(path)] = append(faults[folder(path)], faultsOfComments(t, path)...)
	}
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		rel := fromRoot(doc)
		for _, paragraph := range strings.Split(string(text), "\n\n") {
			faults[rel] = append(faults[rel], faultsOfProse(rel, paragraph)...)
		}
	}
	for _, where := range slices.Sorted(maps.Keys(faults)) {
		for _, fault := range faults[where] {
			t.Error(fault)
		}
	}
}

// A rule that finds nothing might look for nothing.
func TestTheRulesOfCommentsFindWhatBreaksThem(t *testing.T) {
	const code = "package p\n\n" +
		"// Wide is %s.\n//\n// Or it is not. All are counted, but for\n// one. Who asks is told. It is left to who asked.\nconst Wide = 1\n"
	path := filepath.Join(t.TempDir(), "p.go")
	for _, c := range []struct {
		word string
		want int
	}{
		{"narrow", 4},
		{strings.Repeat("w", widest-len("// Wide is .")), 4},
		{strings.Repeat("w", widest-len("// Wide is .")+1), 5},
		{strings.Repeat("ü", widest-len("// Wide is .")), 4},
		{"https://example.com/" + strings.Repeat("w", widest), 4},
	} {
		if err := os.WriteFile(path, fmt.Appendf(nil, code, c.word), 0o600); err != nil {
			t.Fatal(err)
		}
		if found := faultsOfComments(t, path); len(found) != c.want {
			t.Errorf("with the word %s: found %q, want %d faults", c.word, found, c.want)
		}
	}
	for _, fine := range []string{"Who asks? That is told.", "It does one or the other.", "not so, but forever", "those who ask"} {
		if found := faultsOfProse("p.go", fine); len(found) != 0 {
			t.Errorf("found %q, want nothing", found)
		}
	}
}

// everyGoFile returns the paths of all Go files of the repository, those of tests and examples too.
func everyGoFile(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && path != root):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go"):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 200 {
		t.Fatalf("found %d Go files, want 200 at least", len(paths))
	}
	return paths
}

// faultsOfComments returns what is wrong with the comments of a file, a line for each fault.
func faultsOfComments(t *testing.T, path string) (faults []string) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	for _, g := range file.Comments {
		where := func(line int) string { return fmt.Sprintf("%s:%d", fromRoot(path), line) }
		first := fset.Position(g.Pos()).Line
		if isOutput(g) {
			continue
		}
		for i := first; i <= fset.Position(g.End()).Line; i++ {
			if n := width(lines[i-1]); n > widest {
				faults = append(faults, fmt.Sprintf("%s: a line with a comment has %d columns, want at most %d", where(i), n, widest))
			}
		}
		for _, paragraph := range strings.Split(g.Text(), "\n\n") {
			faults = append(faults, faultsOfProse(where(first), paragraph)...)
		}
	}
	return faults
}

// faultsOfProse returns what a paragraph says that could be said more plainly.
func faultsOfProse(where, paragraph string) (faults []string) {
	paragraph = strings.Join(strings.Fields(paragraph), " ")
	for _, p := range plainer {
		for _, said := range p.said.FindAllString(paragraph, -1) {
			faults = append(faults, fmt.Sprintf("%s: %q: say %s", where, said, p.say))
		}
	}
	return faults
}

var (
	unbreakable = regexp.MustCompile(`^\s*//[a-z]+:[a-z]|https?://\S{40}`)
	output      = regexp.MustCompile(`(?i)^\s*(unordered )?output:`)
)

// width is how many columns a line takes. It is 0 for what can't be broken: a directive, and a line
// with a long address.
func width(line string) int {
	if unbreakable.MatchString(line) {
		return 0
	}
	return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
}

// isOutput reports whether a comment is what an example prints.
func isOutput(g *ast.CommentGroup) bool {
	return output.MatchString(g.Text())
}

// fromRoot returns a path as it is seen from the root, with slashes.
func fromRoot(path string) string {
	if rel, err := filepath.Rel(root, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path)
}

// folder returns the folder of a file, seen from the root.
func folder(path string) string { return filepath.ToSlash(filepath.Dir(fromRoot(path))) }
