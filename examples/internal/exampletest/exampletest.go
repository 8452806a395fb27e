// Package exampletest is what the tests of the examples share: nothing may be left behind, nothing may hang, and the
// clients are real ones.
package exampletest

import (
	"maps"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/corobridge/corobridge/internal/testkit"
)

// patience is how long a test waits for anything. It only ends tests that would hang.
const patience = 20 * time.Second

// child, in the environment, makes Main run the example instead of its tests.
const child = "COROBRIDGE_EXAMPLE"

// Main runs the tests of an example, and fails if they leave a goroutine. In a process that Start has made it runs the
// example itself.
func Main(m *testing.M, main func()) {
	if os.Getenv(child) != "" {
		main()
		os.Exit(0)
	}
	testkit.Descriptors() // the first use of package os opens the runtime's own poller
	goleak.VerifyTestMain(m)
}

// Guard fails the test if it leaves a descriptor open, and ends the process, with all its stacks, if the test hangs. It is
// called first. What net/http closes it closes in goroutines of its own, so that is waited for.
func Guard(t *testing.T) {
	t.Helper()
	dog := time.AfterFunc(3*patience, func() { panic(t.Name() + " hangs") })
	before := testkit.Descriptors()
	t.Cleanup(func() {
		defer dog.Stop()
		left := leftOf(before)
		for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = leftOf(before) {
			time.Sleep(time.Millisecond)
		}
		for fd, target := range left {
			t.Errorf("descriptor %s (%s) is left", fd, target)
		}
	})
}

// leftOf returns what is open, and was not before.
func leftOf(before map[string]string) map[string]string {
	left := testkit.Descriptors()
	maps.DeleteFunc(left, func(fd, target string) bool { return before[fd] == target })
	return left
}
