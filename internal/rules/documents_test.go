package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents returns README.md and everything in docs and the examples' own pages.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 5 {
		t.Fatalf("found %d documents, want 5 or more: %v", len(all), all)
	}
	return all
}

// blocks returns the fenced blocks of a language in a document.
func blocks(t *testing.T, path, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// Each Go block is a whole program, or a file of one, and passes go vet as it stands.
func TestDocumentsCodeCompiles(t *testing.T) {
	compiled := 0
	for _, doc := range documents(t) {
		for _, code := range blocks(t, doc, "go") {
			compiled++
			file := filepath.Join(t.TempDir(), "snippet.go")
			if err := os.WriteFile(file, []byte(code), 0o644); err != nil {
				t.Fatal(err)
			}
			vet := exec.Command("go", "vet", file)
			vet.Dir = root
			if out, err := vet.CombinedOutput(); err != nil {
				t.Errorf("%s: go vet of a block = %v, want nil\n%s\n%s", doc, err, out, code)
			}
		}
	}
	if compiled < 3 {
		t.Errorf("%d Go blocks in all documents, want 3 or more", compiled)
	}
}

// CI runs each command that a document gives. So each of them has to end by itself.
func TestDocumentsCommandsAreRunByCI(t *testing.T) {
	script, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range documents(t) {
		for _, block := range blocks(t, doc, "sh") {
			for line := range strings.Lines(block) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(string(script), line) {
					t.Errorf("%s: %q is not run by .ci/run, want each command run there", doc, line)
				}
			}
		}
	}
}

// Every relative link of a document leads somewhere. What looks like a link inside code does not
// count: it may be a generic call.
func TestDocumentsLinksLeadSomewhere(t *testing.T) {
	code := regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), "code"), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s: link to %s: %v, want a file", doc, m[1], err)
			}
		}
	}
}

// Every package of the library has a page of documentation and a runnable example.
func TestPackagesHaveDocAndExample(t *testing.T) {
	for _, pkg := range []string{"reactor", "future", "task", "task/lock", "task/queue", "task/inspect", "stream", "compat", "compat/asyncore", "compat/asynchat"} {
		if _, err := os.Stat(filepath.Join(root, pkg, "doc.go")); err != nil {
			t.Errorf("%s: %v, want a doc.go", pkg, err)
		}
		examples, err := filepath.Glob(filepath.Join(root, pkg, "example*_test.go"))
		if err != nil || len(examples) == 0 {
			t.Errorf("%s has no example_test.go, want one", pkg)
			continue
		}
		text, err := os.ReadFile(examples[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "// Output:") && !strings.Contains(string(text), "// Unordered output:") {
			t.Errorf("%s: no example shows its output, want one that does", pkg)
		}
	}
}
