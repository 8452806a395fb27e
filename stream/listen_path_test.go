//go:build unix

package stream_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// A Unix listener removes what it has made at its path, and nothing that has come after it.
func TestCloseRemovesTheListenersOwnFile(t *testing.T) {
	l := startLoop(t)
	replace := map[string]struct {
		with   func(path string) (end func())
		remain bool
	}{
		"nothing has happened": {func(string) func() { return func() {} }, false},
		"the file is gone":     {func(path string) func() { testkit.Check(os.Remove(path)); return func() {} }, false},
		"a listener of package net": {func(path string) func() {
			testkit.Check(os.Remove(path))
			ln := testkit.Must(net.Listen("unix", path))
			return func() { ln.Close() }
		}, true},
		"a listener of the same loop": {func(path string) func() {
			testkit.Check(os.Remove(path))
			ln := listen(t, l, "unix", path)
			return func() { ln.Close() }
		}, true},
		"a listener that was renamed to it": {func(path string) func() {
			ln := testkit.Must(net.Listen("unix", path+".new"))
			testkit.Check(os.Rename(path+".new", path))
			return func() { os.Remove(path); ln.Close() }
		}, true},
		"a regular file": {func(path string) func() {
			testkit.Check(os.Remove(path))
			testkit.Check(os.WriteFile(path, nil, 0o600))
			return func() {}
		}, true},
		"a link to the file itself, elsewhere": {func(path string) func() {
			testkit.Check(os.Rename(path, path+".old"))
			testkit.Check(os.Symlink(path+".old", path))
			return func() {}
		}, true},
	}
	for what, row := range replace {
		for _, who := range []string{"goroutine", "loop", "the end of the loop"} {
			t.Run(what+"/"+who, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "s")
				of := l
				if who == "the end of the loop" {
					of = startLoop(t)
				}
				ln := listen(t, of, "unix", path)
				end := row.with(path)
				switch who {
				case "loop":
					testkit.OnLoop(t, of, func() { mustBe(t, "Close", ln.Close(), nil) })
				case "goroutine":
					mustBe(t, "Close", ln.Close(), nil)
				default:
					mustBe(t, "Close of the loop", of.Close(), nil)
				}
				if _, err := os.Lstat(path); (err == nil) != row.remain {
					t.Errorf("Lstat of the path = %v, want it to remain: %v", err, row.remain)
				}
				end()
			})
		}
	}
}

// A path is removed also if listening there fails after the file was made.
func TestAListenThatThePollerRefusesLeavesNoFile(t *testing.T) {
	p := &full{}
	l := startLoop(t, noFaults, reactor.WithWorld(withFull(p)))
	p.errno.Store(uint32(syscall.ENOSPC))
	path := filepath.Join(t.TempDir(), "s")
	_, err := stream.Listen(l.Context(), "unix", path)
	mustBe(t, "Listen", err, syscall.ENOSPC)
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("Lstat of the path = %v, want no file", err)
	}
	p.errno.Store(0)
}
