package rules

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// operands gives the types that a name in the tables' calls may stand for. One of them has to fit.
var operands = map[string][]string{
	"a": {"*future.Future[T]"}, "address": {"string"}, "b": {"*future.Future[T]", "*lock.Barrier", "*stream.Conn", "[]byte"}, "c": {"*stream.Conn", "*lock.Cond"},
	"cause": {"error"}, "ch": {"chan T"}, "cmd": {"*exec.Cmd"}, "ctx": {"context.Context"}, "d": {"time.Duration"}, "done": {"func()"}, "e": {"*lock.Event"}, "err": {"error"},
	"f":  {"*future.Future[T]", "func(context.Context) (T, error)", "func(context.Context) error", "func() error", "func(context.Context, func(T) bool) error"},
	"fd": {"int"}, "fn": {"func()", "func(T, error)", "func(*os.ProcessState, error)", "func(os.Signal)", "func(context.Context) (T, error)"}, "fs": {"[]*future.Future[T]"},
	"g": {"*task.Group"}, "gctx": {"context.Context"}, "handler": {"stream.Handler"}, "high": {"int"}, "l": {"*stream.Listener"}, "less": {"func(T, T) bool"}, "loop": {"*reactor.Loop"},
	"low": {"int"}, "main": {"func(context.Context) error"}, "max": {"int"}, "mode": {"future.Mode"}, "mu": {"*lock.Mutex"}, "n": {"int", "int64", "string"}, "ok": {"func() bool"},
	"options": {"[]reactor.Option"}, "p": {"*future.Promise[T]", "*os.Process", "[]byte", "reactor.PollerKind"}, "path": {"string"}, "q": {"*queue.Queue[T]"},
	"s": {"*lock.Semaphore", "os.Signal"}, "sep": {"[]byte"}, "sig": {"os.Signal"}, "slow": {"time.Duration"}, "srv": {"*stream.Server"}, "started": {"func(T) bool"}, "state": {"*os.ProcessState"},
	"t": {"*task.Task[T]", "time.Time"}, "timer": {"reactor.Timer"}, "v": {"T"}, "w": {"io.Writer"}, "work": {"func()"},
}

// ours are the packages of the tables' calls, by name.
var ours = []string{"future", "reactor", "stream", "task", "lock", "queue", "inspect"}

// folderOf returns where a package of ours lies.
func folderOf(pkg string) string {
	if pkg == "lock" || pkg == "queue" || pkg == "inspect" {
		return "task/" + pkg
	}
	return pkg
}

// Each call in the tables for people who know asyncio compiles.
func TestTheCallsOfTheTablesCompile(t *testing.T) {
	var file strings.Builder
	file.WriteString("package calls\n")
	imports := []string{"context", "errors", "io", "net", "os", "os/exec", "syscall", "time"}
	for _, pkg := range ours {
		imports = append(imports, "github.com/corobridge/corobridge/"+folderOf(pkg))
	}
	for _, pkg := range imports {
		fmt.Fprintf(&file, "import %q\n", pkg)
	}
	file.WriteString("var _ = []any{context.Cause, errors.Is, io.EOF, net.DefaultResolver, os.Stderr, exec.Command, syscall.SIGTERM, time.Now, future.ErrNone, reactor.New, stream.Dial, task.Yield, lock.ErrBroken, queue.ErrFull, inspect.ErrDeadlock}\n")
	file.WriteString("type T = int\n")
	var calls []string // by the line
	for range strings.Lines(file.String()) {
		calls = append(calls, "")
	}
	fits := map[string]bool{"": true}
	for _, page := range []string{"asyncio-names.md", "from-asyncio.md"} {
		for _, call := range callsOf(t, filepath.Join(root, "docs", page)) {
			if _, again := fits[call]; again {
				continue
			}
			fits[call] = false
			for _, params := range parameters(call) {
				fmt.Fprintf(&file, "func _(%s) { %s }\n", params, call)
				calls = append(calls, call)
			}
		}
	}
	if len(fits) < 100 {
		t.Errorf("%d calls are tried, want 100 or more", len(fits))
	}
	name := filepath.Join(t.TempDir(), "calls.go")
	if err := os.WriteFile(name, []byte(file.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-gcflags=-e", "-o", os.DevNull, name)
	build.Dir = root
	out, _ := build.CombinedOutput() // there are errors: most combinations do not fit
	wrong := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)calls\.go:(\d+):\d+: (.*)$`).FindAllStringSubmatch(string(out), -1) {
		wrong[m[1]] += "\n\t" + m[2]
	}
	if len(wrong) == 0 {
		t.Fatalf("the compiler names no call, want each that is wrong; it says %s", out)
	}
	why := map[string]string{}
	for i, call := range calls {
		e, is := wrong[fmt.Sprint(i+1)]
		if why[call] += e; !is {
			fits[call] = true
		}
	}
	for call, ok := range fits {
		if !ok {
			t.Errorf("%s does not compile, want that it does:%s", call, why[call])
		}
	}
}

// callsOf returns the code in the tables of a page that a compiler can check: calls of functions of
// this library's packages, calls of methods of operands, and fields of operands.
func callsOf(t *testing.T, page string) (calls []string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`^(?:<-)?([a-z]\w*)\.[A-Z]\w*(?:\[T\])?(\(.*)?$`)
	for _, row := range regexp.MustCompile(`(?m)^\| .*? \| (.*)\|$`).FindAllStringSubmatch(string(text), -1) {
		for _, code := range regexp.MustCompile("`[^`]+`").FindAllString(row[1], -1) {
			code = strings.Trim(code, "`")
			for _, before := range []string{":= range ", ":= "} {
				if _, after, found := strings.Cut(code, before); found {
					code = after
				}
			}
			m := call.FindStringSubmatch(code)
			if m == nil {
				continue
			}
			if _, known := operands[m[1]]; !known && (m[2] == "" || !slices.Contains(ours, m[1])) {
				continue
			}
			if !strings.HasSuffix(code, ")") {
				code = "_ = " + code
			}
			calls = append(calls, code)
		}
	}
	return calls
}

// parameters returns the ways to declare the operands of a call.
func parameters(call string) []string {
	all, seen := []string{""}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:^|[^\w."])([a-z]\w*)`).FindAllStringSubmatch(call, -1) {
		types, ok := operands[m[1]]
		if !ok || seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		var next []string
		for _, params := range all {
			for _, typ := range types {
				next = append(next, params+m[1]+" "+typ+", ")
			}
		}
		all = next
	}
	return all
}
