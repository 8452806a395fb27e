//go:build (unix && !aix) || windows

package poll_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestWakeBeforeWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		for range 3 {
			testkit.Check(p.Wake())
			if got := wait(t, p, -1); len(got) != 0 {
				t.Errorf("a wake-up was reported: %v, want nothing", got)
			}
		}
	})
}

func TestWakesAreMerged(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		wakes := 70_000 // more than a pipe holds
		if !lasts(2*time.Millisecond, func(timeout time.Duration) {
			for range wakes {
				testkit.Check(p.Wake())
			}
			wakes = 2
			wait(t, p, -1)
			wait(t, p, timeout)
		}) {
			t.Error("one more wait returned early, want each wake-up to end one wait at most")
		}
	})
}

func TestWakeReportsWhatIsReady(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Writable, poll.Level))
		testkit.Check(p.Wake())
		if got := wait(t, p, -1); got[tag] != poll.Writable {
			t.Errorf("after Wake: got %v, want what is ready: writable", got)
		}
	})
}

func TestWakeWithRoomForOneEvent(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Writable, poll.Level))
		into := make([]poll.Event, 1)
		testkit.Check(p.Wake())
		for testkit.Must(p.Wait(into, -1)) == 0 {
		}
		if into[0].Tag != tag {
			t.Errorf("got %#x, want %#x", into[0].Tag, uint64(tag))
		}
	})
}

// Each post is followed by a Wake, so a waiter that has not seen the last post is woken. A lost
// wake-up hangs.
func TestNoWakeIsLost(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		const posters, each = 4, 500
		var posted atomic.Int64
		var over sync.WaitGroup
		for range posters {
			over.Go(func() {
				for range each {
					posted.Add(1)
					testkit.Check(p.Wake())
				}
			})
		}
		for posted.Load() < posters*each {
			wait(t, p, -1)
		}
		over.Wait()
	})
}

func TestWakeDuringWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		for range 100 {
			over := meanwhile(func() { testkit.Check(p.Wake()) })
			if got := wait(t, p, -1); len(got) != 0 {
				t.Errorf("a wake-up was reported: %v, want nothing", got)
			}
			over.Wait()
		}
	})
}

// A Wake that comes too late, while Close is under way, must not write into a stranger's file.
func TestWakeBesideClose(t *testing.T) {
	eachKind(t, func(t *testing.T, kind poll.Kind) {
		for range 100 {
			p := testkit.Must(poll.New(kind))
			over := meanwhile(func() {
				for p.Wake() == nil {
				}
			})
			testkit.Check(p.Close())
			x, y := pair(t)
			over.Wait()
			if got := x.drain(p) + y.drain(p); got != "" {
				t.Errorf("a stranger's socket received %q, want %q", got, "")
			}
			x.close()
			y.close()
		}
	})
}
