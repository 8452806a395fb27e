//go:build (unix && !aix) || windows

package poll_test

import (
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// meanwhile runs f in another goroutine, sooner or later. over is done when f is. No test can tell
// whether a goroutine is already in the kernel, so tests that want it there repeat themselves.
func meanwhile(f func()) (over *sync.WaitGroup) {
	over = new(sync.WaitGroup)
	yields := rand.IntN(64)
	over.Go(func() {
		for range yields {
			runtime.Gosched()
		}
		f()
	})
	return over
}

func TestChangesTakeEffectInABlockingWait(t *testing.T) {
	tests := map[string]struct {
		before, change func(p facility, a, b *end)
	}{
		"Add": {
			func(p facility, a, b *end) { b.write("x") },
			func(p facility, a, b *end) { testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge)) },
		},
		"Add, then data": {
			func(p facility, a, b *end) {},
			func(p facility, a, b *end) { testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge)); b.write("x") },
		},
		"Modify": {
			func(p facility, a, b *end) { testkit.Check(p.Add(a.fd, 1, 0, poll.Edge)); b.write("x") },
			func(p facility, a, b *end) { testkit.Check(p.Modify(a.fd, tag, poll.Readable, poll.Edge)) },
		},
		"Rearm, then data": {
			func(p facility, a, b *end) {
				b.write("x")
				testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge))
				testkit.Must(p.Wait(make([]poll.Event, 1), -1))
			},
			func(p facility, a, b *end) { a.drain(p); b.write("x") },
		},
		"Remove, then Add": {
			func(p facility, a, b *end) { testkit.Check(p.Add(a.fd, 1, poll.Readable, poll.Level)) },
			func(p facility, a, b *end) {
				testkit.Check(p.Remove(a.fd))
				b.write("x")
				testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Level))
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachPoller(t, func(t *testing.T, p facility) {
				for range 20 {
					a, b := pair(t)
					tt.before(p, a, b)
					over := meanwhile(func() { tt.change(p, a, b) })
					await(t, p, tag, poll.Readable)
					over.Wait()
					testkit.Check(p.Remove(a.fd))
					a.close()
					b.close()
				}
			})
		})
	}
}

func TestRemovedDuringAWaitIsNotReported(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		for range 20 {
			a, b := pair(t)
			testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge))
			over := meanwhile(func() {
				testkit.Check(p.Remove(a.fd))
				b.write("x")
				testkit.Check(p.Wake())
			})
			if got := wait(t, p, -1); len(got) != 0 {
				t.Errorf("of a descriptor removed during the wait: got %v, want nothing", got)
			}
			over.Wait()
		}
	})
}

func TestChangesDoNotEndAWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := pair(t)
		var stop atomic.Bool
		over := meanwhile(func() {
			for !stop.Load() {
				testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge))
				testkit.Check(p.Remove(a.fd))
			}
		})
		if !lasts(5*time.Millisecond, func(timeout time.Duration) {
			if got := wait(t, p, timeout); len(got) != 0 {
				t.Errorf("of a removed descriptor: got %v, want nothing", got)
			}
		}) {
			t.Error("the waits returned early, want them to take their time: nothing is ready")
		}
		stop.Store(true)
		over.Wait()
	})
}

// lasts reports whether waits last as long as they should. Some may be short: the runtime's own
// signals interrupt them. That is a good reason to return early, but not the one looked for.
func lasts(timeout time.Duration, wait func(timeout time.Duration)) bool {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // its signals are most of them
	const tries = 7
	short := 0
	for range tries {
		start := time.Now()
		wait(timeout)
		if time.Since(start) < timeout {
			short++
		}
	}
	return short <= tries/2
}

func TestTimeoutIsNotRoundedDown(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		for _, timeout := range []time.Duration{time.Nanosecond, 100 * time.Microsecond, time.Millisecond, 1001 * time.Microsecond} {
			if !lasts(timeout, func(timeout time.Duration) {
				if got := wait(t, p, timeout); len(got) != 0 {
					t.Errorf("with nothing watched: got %v, want nothing", got)
				}
			}) {
				t.Errorf("waits of %v returned early, want at least that long", timeout)
			}
		}
	})
}

func TestZeroTimeoutDoesNotWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		// If each were rounded up to a millisecond, the watchdog would lose its patience.
		for range 100_000 {
			if got, err := p.Wait(make([]poll.Event, 1), 0); got != 0 || err != nil {
				t.Fatalf("Wait with nothing watched = %d, %v; want 0, nil", got, err)
			}
		}
	})
}

func TestLongestTimeoutWaits(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Edge))
		for range 5 {
			over := meanwhile(func() { b.write("x") })
			for wait(t, p, 1<<63-1)[tag] == 0 {
			}
			over.Wait()
			a.drain(p)
		}
	})
}

// The contract's promise to a caller who reads until it blocks: every byte arrives, and the end.
func TestEdgeReaderMissesNothing(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		const connections, writes = 4, 200
		var ends [connections]*end
		var over sync.WaitGroup
		for i := range ends {
			a, b := pair(t)
			ends[i] = a
			testkit.Check(p.Add(a.fd, uint64(i), both, poll.Edge))
			over.Go(func() {
				for range writes {
					b.write("0123456789")
					if rand.IntN(4) == 0 {
						runtime.Gosched()
					}
				}
				shutdownWrite(b)
			})
		}
		total, open := 0, connections
		var into [2]poll.Event
		buf := make([]byte, 64)
		for open > 0 {
			for _, ev := range into[:testkit.Must(p.Wait(into[:], -1))] {
				a := ends[ev.Tag]
				for ev.Events&poll.Readable != 0 && !a.closed {
					n, errno := read(a.fd, buf)
					if errno == syscall.EAGAIN {
						p.Rearm(a.fd, poll.Readable)
						break
					}
					testkit.OK(errno)
					total += n
					if n == 0 {
						testkit.Check(p.Remove(a.fd))
						a.close()
						open--
					} else if n < len(buf) && ev.Events&poll.ReadHangup == 0 {
						p.Rearm(a.fd, poll.Readable)
						break
					}
				}
			}
		}
		over.Wait()
		if want := connections * writes * 10; total != want {
			t.Errorf("read %d bytes of %d", total, want)
		}
	})
}

// A loop that polls without waiting passes a preemption point in each call.
func TestStopTheWorldIsPromptBesideABusyPoller(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		var stop atomic.Bool
		over := meanwhile(func() {
			var into [1]poll.Event
			for !stop.Load() {
				testkit.Must(p.Wait(into[:], 0))
			}
		})
		for range 20 {
			start := time.Now()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("stopping the world took %v, want at most %v", took, 2*time.Second)
			}
		}
		stop.Store(true)
		over.Wait()
	})
}
