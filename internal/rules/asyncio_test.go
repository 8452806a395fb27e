package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const differences = "docs/asyncio-differences.md"

// asyncioItem is something that asyncio does.
type asyncioItem struct {
	number    int
	behaviour string
	tests     []string // package.TestName
}

// asyncioItems reads the lists of the packages: number | behaviour | tests.
func asyncioItems(t *testing.T) (items []asyncioItem) {
	t.Helper()
	lists, err := filepath.Glob(filepath.Join(root, "*", "testdata", "asyncio_*.txt"))
	if err != nil || len(lists) == 0 {
		t.Fatalf("lists of asyncio's behaviours: %d, %v; want 1 or more and nil", len(lists), err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			fields := strings.Split(line+" ", "|")
			number, err := strconv.Atoi(strings.TrimSpace(fields[0]))
			if err != nil || len(fields) != 3 {
				t.Fatalf("%s: got %q, want: number | behaviour | tests", list, line)
			}
			if last != 0 && number != last+1 {
				t.Errorf("%s: item %d follows %d, want %d", list, number, last, last+1)
			}
			last = number
			items = append(items, asyncioItem{number, strings.TrimSpace(fields[1]), strings.FieldsFunc(fields[2], func(r rune) bool { return r == ',' || r == ' ' })})
		}
	}
	return items
}

// differentItems returns the items that the page of differences has rows for.
func differentItems(t *testing.T) map[int]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, differences))
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d[\d, ]*) \|`).FindAllStringSubmatch(string(text), -1) {
		for number := range strings.SplitSeq(row[1], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil {
				t.Errorf("%s: %v in the row of %q, want numbers", differences, err, row[1])
			}
			found[n] = true
		}
	}
	return found
}

// Each behaviour of asyncio names a test that exists, or has a row that says what differs, and why.
func TestEachOfAsynciosBehavioursHasATestOrADifference(t *testing.T) {
	tests := map[string]map[string]bool{}
	different := differentItems(t)
	known := map[int]bool{}
	for _, item := range asyncioItems(t) {
		known[item.number] = true
		if len(item.tests) == 0 && !different[item.number] {
			t.Errorf("%d, %s: no test, want one or a line in %s", item.number, item.behaviour, differences)
		}
		for _, name := range item.tests {
			pkg, test, _ := strings.Cut(name, ".")
			if tests[pkg] == nil {
				tests[pkg] = testsOf(t, pkg)
			}
			if !tests[pkg][test] {
				t.Errorf("%d, %s: want a test %s, there is none", item.number, item.behaviour, name)
			}
		}
	}
	for n := range different {
		if !known[n] {
			t.Errorf("%s: %d is in no list, want it in one", differences, n)
		}
	}
}

// testsOf returns the names of a package's tests, whatever their build tags.
func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
