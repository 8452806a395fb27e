//go:build unix

package compat_test

import (
	"bufio"
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

const (
	tracesFile      = "testdata/asyncore_traces.jsonl"
	differencesFile = "../docs/asyncore-differences.md"
)

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
	"scr_":                            "a scripted socket needs the fault layer of package simtest",
	"tab_":                            "tables of Python's internals; what applies is in the table tests of asyncore and asynchat",
	"disp_oob/":                       "out-of-band data and HandleExpt do not exist yet",
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

func readTraces(t *testing.T) []trace {
	t.Helper()
	f, err := os.Open(tracesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []trace
	for s := bufio.NewScanner(f); s.Scan(); {
		var one trace
		if err := json.Unmarshal(s.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
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

func TestGoldenTracesReplay(t *testing.T) {
	classictest.NoFaults(t)
	traces := readTraces(t)
	byName := map[string]trace{}
	for _, one := range traces {
		byName[one.Case] = one
	}
	documented := readDifferences(t)
	replayed, listed := 0, 0
	for _, one := range traces {
		if whyInexpressible(one.Case) != "" {
			listed++
			continue
		}
		replayed++
		t.Run(strings.ReplaceAll(one.Case, "/", ":"), func(t *testing.T) {
			want := one
			if name, ok := strings.CutSuffix(one.Case, "/poll"); ok {
				// Where poll and select differ, select's order is the reference.
				if reference, ok := byName[name+"/select"]; ok {
					want = reference
				}
			}
			got, err := replay(t, one)
			if err != nil {
				t.Fatalf("can't be replayed: %v; do it, or list it in inexpressible; want nil", err)
			}
			differs := compare(got, want)
			if !slices.Equal(differs, documented[one.Case]) {
				t.Errorf("differs in %q, documented is %q\n got events %s\nwant events %s\n got sent %s peer %s state %s\nwant sent %s peer %s state %s",
					differs, documented[one.Case], text(got.Events), text(want.Events),
					text(got.Sent), got.Peer, text(got.State), text(want.Sent), want.Peer, text(want.State))
			}
		})
		delete(documented, one.Case)
	}
	for name := range documented {
		t.Errorf("%s has a row for %s, which is not replayed", differencesFile, name)
	}
	t.Logf("%d cases replayed, %d listed", replayed, listed)
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
		switch name := strings.TrimPrefix(e[0].(string), "A."); name {
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
