package modeltest

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// What the model says must not come from what it is a model of.
func TestTheModelImportsNothingOfTheLibrary(t *testing.T) {
	names, err := filepath.Glob("model_*test.go")
	if err != nil || len(names) < 2 {
		t.Fatalf("Glob = %v, %v; want the model's files, 2 or more, and nil", names, err)
	}
	for _, name := range append(names, "machine_test.go", "program_test.go", "branches_program_test.go", "branches_plan_test.go") {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			if strings.Contains(imp.Path.Value, "corobridge") {
				t.Errorf("%s imports %s, want nothing of corobridge", name, imp.Path.Value)
			}
		}
	}
}
