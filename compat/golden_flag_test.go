//go:build unix

package compat_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/internal/classictest"
)

// TestEveryTestBelowCompatKnowsTheFlag: go test hands -golden to each of them.
func TestEveryTestBelowCompatKnowsTheFlag(t *testing.T) {
	const knows = "github.com/corobridge/corobridge/compat/internal/classictest"
	imports := map[string]bool{} // by directory: whether its tests import it
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		imports[dir] = imports[dir] || false
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); name == knows {
				imports[dir] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, does := range imports {
		if !does {
			t.Errorf("no test in %s imports %s; want one, so that go test ./compat/... -golden FILE works", dir, knows)
		}
	}
}

func TestGoldenFileIsFoundFromTheModulesRoot(t *testing.T) {
	for given, want := range map[string]string{
		"compat/testdata/asyncore_traces.jsonl": "../compat/testdata/asyncore_traces.jsonl",
		"testdata/asyncore_traces.jsonl":        "testdata/asyncore_traces.jsonl",
		"no/such/file":                          "no/such/file",
		"/absolute":                             "/absolute",
		"":                                      "",
	} {
		classictest.SetGolden(t, given)
		if got := classictest.GoldenFile(); got != filepath.FromSlash(want) {
			t.Errorf("-golden %q is %q, want %q", given, got, want)
		}
	}
}

// broken are cases that can't be played, by what is wrong with them.
var broken = map[string]struct{ trace, want string }{
	"an action":             {`{"config":{"kind":"dispatcher","transport":"unix","on":{"handle_read":[[["fly"]]]}},"steps":[["snap"]]}`, `unknown action "fly"`},
	"an action of a step":   {`{"config":{"kind":"dispatcher","transport":"unix"},"steps":[["do",["fly"]]]}`, `unknown action "fly"`},
	"a Chat's action":       {`{"config":{"kind":"dispatcher","transport":"unix"},"steps":[["do",["push","x"]]]}`, `unknown action "push"`},
	"one in a callback":     {`{"config":{"kind":"dispatcher","transport":"unix","on":{"handle_write*":[["recv","x"]]}},"steps":[["poll"]]}`, `action "recv"`},
	"a step":                {`{"config":{"kind":"dispatcher","transport":"unix"},"steps":[["fly"]]}`, `unknown step "fly"`},
	"an event":              {`{"config":{"kind":"dispatcher","transport":"unix"},"steps":[["event","fly"]]}`, `unknown event "fly"`},
	"a transport":           {`{"config":{"kind":"dispatcher","transport":"pigeon"},"steps":[["snap"]]}`, `unknown transport pigeon`},
	"a kind":                {`{"config":{"kind":"pigeon","transport":"unix"},"steps":[["snap"]]}`, `unknown kind pigeon`},
	"no steps":              {`{"config":{"kind":"dispatcher","transport":"unix"}}`, `no steps`},
	"a handler's name":      {`{"config":{"kind":"dispatcher","transport":"multi","names":["A"],"on":{"A.handle_write":[[["close_other","B"]]]}},"steps":[["poll"]]}`, `no handler is named "B"`},
	"a step with no client": {`{"config":{"kind":"dispatcher","transport":"tcp_server"},"steps":[["client_send",3,"x"]]}`, `step "client_send"`},
}

func TestTraceThatIsNotUnderstoodFailsAndSaysWhy(t *testing.T) {
	for what, b := range broken {
		t.Run(what, func(t *testing.T) {
			classictest.NoFaults(t)
			var one trace
			if err := json.Unmarshal([]byte(b.trace), &one); err != nil {
				t.Fatal(err)
			}
			if _, err := replay(t, one); err == nil || !strings.Contains(err.Error(), b.want) {
				t.Errorf("replaying it: %v, want an error that says %s", err, b.want)
			}
		})
	}
}

func TestPollCasesInheritSelect(t *testing.T) {
	rows := map[string][]string{"a/select": {"events"}, "b": {"peer"}, "c/poll": {"state"}, "c/select": {"sent"}}
	for name, want := range map[string]string{"a/poll": "events", "a/select": "events", "b/poll": "peer", "c/poll": "state", "d/poll": ""} {
		if got := strings.Join(rowOf(rows, name), " "); got != want {
			t.Errorf("the row of %s is %q, want %q", name, got, want)
		}
	}
	here := []trace{{Case: "a/select", Peer: "here"}}
	file := []trace{{Case: "a/poll", Peer: "file"}, {Case: "b/poll", Peer: "file"}}
	byName := references(here, file)
	for i, want := range []string{"here", "file"} {
		if got := referenceOf(byName, file[i]).Peer; got != want {
			t.Errorf("the reference of %s comes from %q, want %q", file[i].Case, got, want)
		}
	}
}

func TestFileOfTracesIsReadWhole(t *testing.T) {
	var long strings.Builder // a line of 1 MiB
	long.WriteString(`{"case":"long","config":{"note":"`)
	long.WriteString(strings.Repeat("x", 1<<20))
	long.WriteString("\"}}\n{\"case\":\"last\"}")
	file := filepath.Join(t.TempDir(), "traces")
	if err := os.WriteFile(file, []byte(long.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if all := readTraces(t, file); len(all) != 2 || all[1].Case != "last" {
		t.Errorf("read %d traces, want 2", len(all))
	}
}
