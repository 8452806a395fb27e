package rules

import (
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page has a row for each name of asyncio, in alphabetical order, and no row is empty.
func TestEachNameOfAsyncioIsOnThePageInAlphabeticalOrder(t *testing.T) {
	const page = "docs/asyncio-names.md"
	list, err := os.ReadFile(filepath.Join("testdata", "asyncio_names.txt"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	last := ""
	for _, row := range regexp.MustCompile("(?m)^\\| `([\\w.]+)` \\| (.*?) \\| (.*)\\|$").FindAllStringSubmatch(string(text), -1) {
		name := row[1]
		if strings.ToLower(name) < strings.ToLower(last) || name == last {
			t.Errorf("%s: %s comes after %s, want the names sorted, each once", page, name, last)
		}
		if last = name; strings.TrimSpace(row[2]) == "" {
			t.Errorf("%s: nothing beside %s, want what it is here", page, name)
		}
		said[name] = true
	}
	wanted := 0
	for name := range strings.Lines(string(list)) {
		if name = strings.TrimSpace(name); name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if wanted++; !said[name] {
			t.Errorf("%s: no row for %s, want one", page, name)
		}
		delete(said, name)
	}
	for name := range said {
		t.Errorf("%s: a row for %s, which asyncio has not; want none", page, name)
	}
	if wanted < 250 {
		t.Errorf("the list has %d names, want 250 or more", wanted)
	}
}

// Each name that the documents' prose gives with its package exists.
func TestDocumentsNameOnlyWhatExists(t *testing.T) {
	packages := map[string]string{
		"reactor": "reactor", "future": "future", "task": "task", "stream": "stream", "lock": "task/lock", "queue": "task/queue", "inspect": "task/inspect",
		"compat": "compat", "asyncore": "compat/asyncore", "asynchat": "compat/asynchat",
	}
	known := map[string]map[string]bool{}
	for name, folder := range packages {
		_, known[name] = exported(t, folder)
	}
	inline := regexp.MustCompile("`[^`\n]+`")
	mention := regexp.MustCompile(`(?:^|[^\w./])(reactor|future|task|stream|lock|queue|compat|asyncore|asynchat)\.([A-Za-z]\w*)`)
	checked := 0
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		prose := regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(string(text), "")
		for _, code := range inline.FindAllString(prose, -1) {
			for _, m := range mention.FindAllStringSubmatch(code, -1) {
				if !token.IsExported(m[2]) {
					continue // a function of Python's module, or a file
				}
				if checked++; !known[m[1]][m[2]] {
					t.Errorf("%s: %s names %s.%s, which does not exist; want names of exported things", doc, code, m[1], m[2])
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("%d names are checked, want 100 or more", checked)
	}
	if !slices.Contains(documents(t), filepath.Join(root, "docs", "asyncio-names.md")) {
		t.Error("the page of asyncio's names is not among the documents, want it there")
	}
}
