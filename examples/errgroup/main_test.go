package main

import (
	"testing"

	"github.com/corobridge/corobridge/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestOutput(t *testing.T) {
	exampletest.Guard(t)
	const want = `an errgroup's goroutines awaited a task: [7 7 7 7]
a task.Group's members added up: 28 and 7
*errgroup.Group: one has failed, and so the other was cancelled: true
*task.Group: one has failed, and so the other was cancelled: true
`
	if got := exampletest.Start(t).ExpectSuccess(); got != want {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want)
	}
}
