// Package exampletest has what the tests of the examples share beside package testkit: examples
// that run in a process of their own, and blocking clients.
package exampletest

import (
	"maps"
	"os"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
)

// patience is how long a test waits for anything. It only ends tests that would hang.
const patience = 20 * time.Second

// child, in the environment, makes Main run the example instead of its tests.
const child = "COROBRIDGE_EXAMPLE"

// Main is testkit.Main. In a process that Start has made, it runs the example instead.
func Main(m *testing.M, main func()) {
	if os.Getenv(child) != "" {
		main()
		os.Exit(0)
	}
	testkit.Main(m)
}

// Guard is testkit.Guard for a test that uses net/http. That closes descriptors in goroutines of
// its own, so Guard waits for them.
func Guard(t *testing.T) {
	t.Helper()
	testkit.Watch(t)
	before := testkit.Descriptors()
	t.Cleanup(func() {
		left := leftOf(before)
		for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = leftOf(before) {
			time.Sleep(time.Millisecond)
		}
		for fd, target := range left {
			t.Errorf("descriptor %s (%s) is left open; want what the test opens closed", fd, target)
		}
	})
}

// leftOf returns the descriptors that are open now and were not before.
func leftOf(before map[string]string) map[string]string {
	left := testkit.Descriptors()
	maps.DeleteFunc(left, func(fd, target string) bool { return before[fd] == target })
	return left
}
