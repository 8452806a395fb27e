package worldtest

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test may take before it counts as hung. It only ends tests that would hang.
//
// It is longer than what Go 1.26 may sleep: after a change of GOMAXPROCS, which -cpu makes, a goroutine that is ready is now and then left
// alone until the runtime's own watch wakes, once in 60 seconds. (A few lines that call runtime.GOMAXPROCS, signal.Notify and runtime.Stack
// beside a blocked read(2) show that, with nothing of this module.)
const patience = 3 * time.Minute

// Main is a package's TestMain: it runs the tests, and fails if they leave a goroutine.
func Main(m *testing.M) {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // the runtime's poller opens its own descriptors now
		l.Close()
	}
	goleak.VerifyTestMain(m)
}

// Watch ends the process, with the stacks of all goroutines, if the test hangs.
func Watch(t testing.TB) {
	t.Helper()
	dog := time.AfterFunc(patience, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s hangs\n%s", t.Name(), buf[:runtime.Stack(buf, true)]))
	})
	t.Cleanup(func() { dog.Stop() })
}

// Guard is Watch that also fails the test if it leaves a descriptor open. It is called before anything is opened.
func Guard(t testing.TB) {
	t.Helper()
	Watch(t)
	before := Open()
	t.Cleanup(func() {
		for fd, what := range Open() {
			if before[fd] != what {
				t.Errorf("descriptor %s (%s) is left", fd, what)
			}
		}
	})
}
