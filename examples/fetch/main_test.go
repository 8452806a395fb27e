package main

import (
	"bytes"
	"testing"

	"github.com/corobridge/corobridge/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

const want = `/one: 1000 bytes
/two: 2000 bytes
/three: 300000 bytes
with one that is missing: /missing: 404 Not Found
with one that never answers: context deadline exceeded
`

func TestOutput(t *testing.T) {
	exampletest.Guard(t)
	var out bytes.Buffer
	if err := run(&out); err != nil || out.String() != want {
		t.Errorf("%v, printed:\n%s\nwant:\n%s", err, &out, want)
	}
}

func TestCommand(t *testing.T) {
	exampletest.Guard(t)
	if got := exampletest.Start(t).ExpectSuccess(); got != want {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want)
	}
}
