package poll_test

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// The counter behind Wake has no reader with epoll, so in the end it is full.
func TestWakeWithAFullCounter(t *testing.T) {
	eachKind(t, func(t *testing.T, kind poll.Kind) {
		before := eventfds()
		p := facility{testkit.Must(poll.New(kind)), kind}
		defer p.Close()
		full := binary.NativeEndian.AppendUint64(nil, 1<<64-2)
		for fd := range eventfds() {
			if !before[fd] {
				testkit.Must(unix.Write(fd, full))
			}
		}
		wait(t, p, 0) // takes the edge, if there is one
		testkit.Check(p.Wake())
		wait(t, p, -1)
	})
}

func eventfds() map[int]bool {
	all := map[int]bool{}
	for _, e := range testkit.Must(os.ReadDir("/proc/self/fd")) {
		if what, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && what == "anon_inode:[eventfd]" {
			all[testkit.Must(strconv.Atoi(e.Name()))] = true
		}
	}
	return all
}

// A signal to the waiting thread ends the wait early, and is no error.
func TestInterruptedWaitReturnsNothing(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge))
		thread := make(chan int)
		over := meanwhile(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			thread <- unix.Gettid()
			if n, err := p.Wait(make([]poll.Event, 1), -1); n != 0 || err != nil {
				t.Errorf("got %d, %v; want 0 and nil", n, err)
			}
			close(thread)
		})
		tid := <-thread
		for waiting := true; waiting; { // SIGURG is the runtime's: its handler does nothing here
			testkit.Check(unix.Tgkill(unix.Getpid(), tid, unix.SIGURG))
			runtime.Gosched()
			select {
			case _, waiting = <-thread:
			default:
			}
		}
		over.Wait()
	})
}
