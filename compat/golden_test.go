//go:build unix

package compat_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/internal/classictest"
)

// These tests replay the traces that CPython's modules left. docs/asyncore-differences.md lists
// what comes out differently, and why. The list inexpressible has what this layer can't express
// yet.

const differencesFile = "../docs/asyncore-differences.md"

// tracesFiles are the traces of this package. testdata/record.py has recorded the second file.
var tracesFiles = []string{"testdata/asyncore_traces.jsonl", "testdata/recorded_traces.jsonl"}

// trace is a recorded case. The traces' own description explains its fields.
type trace struct {
	Case   string
	Config map[string]any
	Steps  [][]any
	Events []any
	Sent   any
	Peer   string
	State  map[string]any
}

// inexpressible lists the cases, by name or the beginning of the name, that use something that does
// not exist here.
var inexpressible = map[string]string{
	"smtp_":                           "package compat/smtpd does not exist yet",
	"scr_":                            "what a socket takes at a time can't be seen: output goes through the connection's buffer",
	"tab_":                            "tables of Python's internals; what applies is in the table tests of asyncore and asynchat",
	"disp_udp_read_without_connect":   "datagrams do not exist yet",
	"disp_file_dispatcher_pipe":       "file_dispatcher does not exist yet",
	"disp_fd_closed_behind_map/":      "the descriptor belongs to the stream, and can't be closed behind its back",
	"disp_fd_over_1024/":              "descriptors are not made by hand; there is no select(2) with its limit",
	"disp_repr_fails_in_handle_error": "Go prints a handler without calling its code",
	"in_collect_not_implemented":      "a Chat without CollectIncomingData does not compile",
	"in_str_terminator_type_error":    "SetTerminator takes a string",
	"out_push_type_errors":            "Push takes bytes",
}

func whyInexpressible(name string) string {
	for prefix, why := range inexpressible {
		if name == prefix || strings.HasPrefix(name, prefix) && strings.ContainsAny(prefix[len(prefix)-1:], "_/") {
			return why
		}
	}
	return ""
}

// readTraces reads the traces of a file. A line that is no trace breaks the test.
func readTraces(t *testing.T, file string) []trace {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatalf("%v; want a file of traces", err)
	}
	defer f.Close()
	var all []trace
	lines := json.NewDecoder(f)
	for lines.More() {
		var one trace
		if err := lines.Decode(&one); err != nil {
			t.Fatalf("%s: after %d traces: %v; want one JSON object a line", file, len(all), err)
		}
		if one.Case == "" {
			t.Fatalf("%s: trace %d has no name, want one in case", file, len(all)+1)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		t.Fatalf("%s has 0 traces, want 1 or more", file)
	}
	return all
}

// testdata returns the traces of this package.
func testdata(t *testing.T) (all []trace) {
	for _, file := range tracesFiles {
		all = append(all, readTraces(t, file)...)
	}
	return all
}

// understood reports why a trace can't be played. That may be what is never reached.
func (tr trace) understood() error {
	if tr.Config == nil || len(tr.Steps) == 0 {
		return errors.New("there is no configuration, or no steps")
	}
	on, _ := tr.Config["on"].(map[string]any)
	for method, lists := range on {
		if strings.HasSuffix(method, "*") {
			lists = []any{lists}
		}
		for _, actions := range lists.([]any) {
			if err := knownActions(actions.([]any)); err != nil {
				return fmt.Errorf("on %s: %w", method, err)
			}
		}
	}
	for _, s := range tr.Steps {
		if s[0] == "do" {
			if err := knownActions(s[1:]); err != nil {
				return fmt.Errorf("do: %w", err)
			}
		} else if steps[s[0].(string)] == nil {
			return fmt.Errorf("%w step %q", errUnknown, s[0])
		}
	}
	return nil
}

func knownActions(list []any) error {
	for _, one := range list {
		if verb := one.([]any)[0].(string); !knownAction(verb) {
			return fmt.Errorf("%w action %q", errUnknown, verb)
		}
	}
	return nil
}

// readDifferences reads the table of deliberate differences: which aspects of which case differ.
func readDifferences(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		for name := range strings.SplitSeq(cells[1], ",") {
			aspects := strings.FieldsFunc(cells[2], func(r rune) bool { return r == ',' || r == ' ' })
			all[strings.Trim(strings.TrimSpace(name), "`")] = aspects
		}
	}
	return all
}

// rowOf returns the documented differences of a case. Where a case has a form for each of CPython's
// loops, the row of select holds for poll too.
func rowOf(documented map[string][]string, name string) []string {
	base, _, _ := strings.Cut(name, "/")
	for _, name := range []string{name, base + "/select", base} {
		if row, ok := documented[name]; ok {
			return row
		}
	}
	return nil
}

// references returns the traces by name, of which later ones replace earlier ones.
func references(lists ...[]trace) map[string]trace {
	byName := map[string]trace{}
	for _, list := range lists {
		for _, one := range list {
			byName[one.Case] = one
		}
	}
	return byName
}

// referenceOf returns what a case is compared with. Where poll and select differ, select's order is
// the reference.
func referenceOf(byName map[string]trace, one trace) trace {
	if base, ok := strings.CutSuffix(one.Case, "/poll"); ok {
		if reference, ok := byName[base+"/select"]; ok {
			return reference
		}
	}
	return one
}

func TestGoldenTracesReplay(t *testing.T) {
	classictest.NoFaults(t)
	traces := testdata(t)
	documented := readDifferences(t)
	played := replayAll(t, traces, references(traces), documented, func(row, differs []string) bool {
		return slices.Equal(row, differs)
	})
	for name := range documented {
		if !played[name] {
			t.Errorf("%s has a row for %s, which is not replayed; want rows for replayed traces only", differencesFile, name)
		}
	}
}

// TestGoldenFile replays the traces of any file: go test ./compat/... -golden FILE. What they are
// compared with, and the rows of differences, also come from this repository. So a file may have
// only some of the cases that belong together.
func TestGoldenFile(t *testing.T) {
	file := classictest.GoldenFile()
	if file == "" {
		t.Skip("no file is given by -golden")
	}
	classictest.NoFaults(t)
	traces := readTraces(t, file)
	replayAll(t, traces, references(testdata(t), traces), readDifferences(t), func(row, differs []string) bool {
		return !slices.ContainsFunc(differs, func(d string) bool { return !slices.Contains(row, d) })
	})
}

// replayAll replays traces, each as a subtest, and returns the names of those that it has played.
// fits compares the aspects that differ with the case's row.
func replayAll(t *testing.T, traces []trace, byName map[string]trace, documented map[string][]string,
	fits func(row, differs []string) bool) (played map[string]bool) {
	played = map[string]bool{}
	for _, one := range traces {
		name := strings.ReplaceAll(one.Case, "/", ":")
		if why := whyInexpressible(one.Case); why != "" {
			t.Logf("%s is not replayed: %s", name, why)
			continue
		}
		played[one.Case] = true
		t.Run(name, func(t *testing.T) {
			want, row := referenceOf(byName, one), rowOf(documented, one.Case)
			got, err := replay(t, one)
			if err != nil {
				t.Fatalf("can't be replayed: %v; do it, or list it in inexpressible; want nil", err)
			}
			if differs := compare(got, want); !fits(row, differs) {
				t.Errorf("differs in %q, documented is %q\n got events %s\nwant events %s\n got sent %s peer %s state %s\nwant sent %s peer %s state %s",
					differs, row, text(got.Events), text(want.Events),
					text(got.Sent), got.Peer, text(got.State), text(want.Sent), want.Peer, text(want.State))
			}
		})
	}
	t.Logf("%d cases replayed, %d listed", len(played), len(traces)-len(played))
	return played
}

// compare returns the aspects in which a replay differs from the trace.
func compare(got, want trace) (differs []string) {
	note := func(aspect string, same bool) {
		if !same {
			differs = append(differs, aspect)
		}
	}
	note("events", reflect.DeepEqual(got.Events, comparable(want.Events)))
	note("sent", reflect.DeepEqual(got.Sent, plain(want.Sent)))
	note("peer", want.Peer == "" || got.Peer == want.Peer)
	note("state", reflect.DeepEqual(got.State, plain(want.State)))
	return differs
}

// comparable removes from a trace's events what only Python has.
func comparable(events []any) []any {
	out := []any{}
	for _, e := range events {
		e := slices.Clone(e.([]any))
		name := e[0].(string)
		switch name[strings.Index(name, ".")+1:] {
		case "handle_accepted":
			e = e[:1] // the kind of the address
		case "leftover":
			left := e[1].(map[string]any)
			e[1] = map[string]any{"collected": left["collected"], "ac_in_buffer": left["ac_in_buffer"], "fifo": len(left["fifo"].([]any))}
		}
		out = append(out, e)
	}
	return plain(out).([]any)
}

// plain turns a value into what JSON would make of it, and terminators with one meaning into one
// form.
func plain(v any) any {
	var out any
	if err := json.Unmarshal([]byte(text(v)), &out); err != nil {
		panic(err)
	}
	return sameTerminators(out)
}

func sameTerminators(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = sameTerminators(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = sameTerminators(v[k])
		}
		if b, ok := v["terminator"].(map[string]any); ok && b["b"] == "" {
			v["terminator"] = float64(0)
		} else if t, ok := v["terminator"]; ok && (t == nil || t == "<unset>") {
			v["terminator"] = float64(0)
		}
	}
	return v
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// latin1 writes bytes as the traces do: as text, or, when there are many, as a length and a hash.
func latin1(b []byte) any {
	if len(b) > 120 {
		sum := sha256.Sum256(b)
		return map[string]any{"len": len(b), "sha256": hex.EncodeToString(sum[:])}
	}
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// fromLatin1 is the reverse of latin1.
func fromLatin1(v any) []byte {
	switch v := v.(type) {
	case string:
		var b []byte
		for _, r := range v {
			b = append(b, byte(r))
		}
		return b
	case map[string]any:
		if rep, ok := v["rep"].(string); ok {
			return bytes.Repeat(fromLatin1(rep), int(v["n"].(float64)))
		}
		return fromLatin1(v["b"])
	}
	panic(fmt.Sprintf("no bytes: %v", v))
}

var errUnknown = errors.New("unknown")
