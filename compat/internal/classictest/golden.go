package classictest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// goldenFile is what `go test ./compat/... -golden FILE` names. That passes the flag to the tests
// of every package below compat, so each of them imports this package; a test of package compat
// looks whether one does not. Only package compat replays the traces.
var goldenFile = flag.String("golden", "", "replay the traces in this `file` too (package compat)")

// GoldenFile returns the path of the file that the flag -golden names, "" without the flag. A test
// runs in the directory of its package. So a relative path is looked for there and in the
// directories above it, up to the module's root.
func GoldenFile() string {
	name := *goldenFile
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return name // it is nowhere: whoever opens it says so
		}
	}
}

// SetGolden sets the flag for one test.
func SetGolden(t testing.TB, file string) {
	before := *goldenFile
	*goldenFile = file
	t.Cleanup(func() { *goldenFile = before })
}
