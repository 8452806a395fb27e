package testkit

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test may take before it counts as hung. It only ends tests that would
// hang.
//
// It is longer than what Go 1.26 may sleep. After a change of GOMAXPROCS, which -cpu makes, a
// goroutine that is ready is now and then left alone until the runtime's own watch wakes, once in
// 60 seconds. (A few lines that call runtime.GOMAXPROCS, signal.Notify and runtime.Stack beside a
// blocked read(2) show that, with nothing of this module.)
const patience = 3 * time.Minute

// Main is a package's TestMain: it runs the tests, and fails if they leave a goroutine behind.
func Main(m *testing.M) {
	// The runtime opens the descriptors of its own poller now, before a test counts any.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
	goleak.VerifyTestMain(unleaked{m})
}

// unleaked runs tests, and then looks for goroutines that can never go on. goleak, which looks
// after it, waits for goroutines that are about to end; this finds those of which the runtime knows
// that they wait for something that nothing reaches any more.
type unleaked struct{ tests goleak.TestingM }

func (u unleaked) Run() (code int) {
	if code = u.tests.Run(); code != 0 {
		return code
	}
	if n, stacks := leaked(); n > 0 {
		fmt.Fprintf(os.Stderr, "testkit: want no goroutine left that can never go on, have %d\n%s", n, stacks)
		return 1
	}
	return 0
}

// leaked returns the number of goroutines that wait for what nothing reaches, and their stacks.
// Before Go 1.27, which has a profile of them, it is 0.
func leaked() (n int, stacks []byte) {
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		return 0, nil
	}
	var b bytes.Buffer
	p.WriteTo(&b, 1) // it looks for them; Count is how many the last look found
	return p.Count(), b.Bytes()
}

// Watch ends the process, with the stacks of all goroutines, if the test hangs.
func Watch(t testing.TB) {
	t.Helper()
	watch(t, patience, func(text string) { panic(text) })
}

func watch(t testing.TB, patience time.Duration, end func(text string)) {
	dog := time.AfterFunc(patience, func() {
		end(fmt.Sprintf("%s hangs: want its end within %v\n%s", t.Name(), patience, stacks()))
	})
	t.Cleanup(func() { dog.Stop() })
}

// stacks returns those of all goroutines.
func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// guarded has the tests that run and have called Guard.
var guarded sync.Map

// Guard is Watch that also fails the test if it leaves a descriptor open. It is called before
// anything is opened. A later call in the same test, such as NewLoop's, does nothing: what is open
// then may be closed at the very end.
func Guard(t testing.TB) {
	t.Helper()
	if _, again := guarded.LoadOrStore(t, true); again {
		return
	}
	Watch(t)
	before := Descriptors()
	t.Cleanup(func() {
		guarded.Delete(t)
		for fd, what := range Descriptors() {
			if before[fd] != what {
				t.Errorf("descriptor %s (%s) is left open; want what the test opens closed", fd, what)
			}
		}
	})
}
