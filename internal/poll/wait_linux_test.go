package poll_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
)

// meanwhile runs f in another goroutine, sooner or later, and reports when it is over. No test can tell whether a
// goroutine is already in the kernel, so those that want it there repeat themselves.
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
		before, change func(p poll.Poller, a, b *end)
	}{
		"Add": {
			func(p poll.Poller, a, b *end) { b.write("x") },
			func(p poll.Poller, a, b *end) { must0(p.Add(a.fd, tag, poll.Readable, poll.Edge)) },
		},
		"Add, then data": {
			func(p poll.Poller, a, b *end) {},
			func(p poll.Poller, a, b *end) { must0(p.Add(a.fd, tag, poll.Readable, poll.Edge)); b.write("x") },
		},
		"Modify": {
			func(p poll.Poller, a, b *end) { must0(p.Add(a.fd, 1, 0, poll.Edge)); b.write("x") },
			func(p poll.Poller, a, b *end) { must0(p.Modify(a.fd, tag, poll.Readable, poll.Edge)) },
		},
		"Rearm, then data": {
			func(p poll.Poller, a, b *end) {
				b.write("x")
				must0(p.Add(a.fd, tag, poll.Readable, poll.Edge))
				must(p.Wait(make([]poll.Event, 1), -1))
			},
			func(p poll.Poller, a, b *end) { a.drain(p); b.write("x") },
		},
		"Remove, then Add": {
			func(p poll.Poller, a, b *end) { must0(p.Add(a.fd, 1, poll.Readable, poll.Level)) },
			func(p poll.Poller, a, b *end) {
				must0(p.Remove(a.fd))
				b.write("x")
				must0(p.Add(a.fd, tag, poll.Readable, poll.Level))
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachPoller(t, func(t *testing.T, p poll.Poller) {
				for range 20 {
					a, b := unixPair(t)
					tt.before(p, a, b)
					over := meanwhile(func() { tt.change(p, a, b) })
					await(t, p, tag, poll.Readable)
					over.Wait()
					must0(p.Remove(a.fd))
					a.close()
					b.close()
				}
			})
		})
	}
}

func TestRemovedDuringAWaitIsNotReported(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		for range 20 {
			a, b := unixPair(t)
			must0(p.Add(a.fd, tag, poll.Readable, poll.Edge))
			over := meanwhile(func() {
				must0(p.Remove(a.fd))
				b.write("x")
				must0(p.Wake())
			})
			if got := wait(t, p, -1); len(got) != 0 {
				t.Errorf("got %v", got)
			}
			over.Wait()
		}
	})
}

func TestChangesDoNotEndAWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		a, _ := unixPair(t)
		var stop atomic.Bool
		over := meanwhile(func() {
			for !stop.Load() {
				must0(p.Add(a.fd, tag, poll.Readable, poll.Edge))
				must0(p.Remove(a.fd))
			}
		})
		const timeout = 5 * time.Millisecond
		quietly(func() {
			start := time.Now()
			if got := wait(t, p, timeout); len(got) != 0 {
				t.Errorf("got %v", got)
			}
			if took := time.Since(start); took < timeout || took > 10*time.Second {
				t.Errorf("returned after %v", took)
			}
		})
		stop.Store(true)
		over.Wait()
	})
}

// quietly runs f without the garbage collector, whose signals may interrupt a wait: that is a right reason to return
// early, but not the one looked for.
func quietly(f func()) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.Gosched() // a fresh time slice: no signal to preempt, either
	f()
}

func TestTimeoutIsRoundedUp(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		for _, timeout := range []time.Duration{time.Nanosecond, 100 * time.Microsecond, time.Millisecond, 1001 * time.Microsecond} {
			quietly(func() {
				for range 5 {
					start := time.Now()
					if got := wait(t, p, timeout); len(got) != 0 {
						t.Fatalf("got %v", got)
					}
					if took := time.Since(start); took < timeout {
						t.Errorf("a timeout of %v returned after %v", timeout, took)
					}
				}
			})
		}
	})
}

func TestZeroTimeoutDoesNotWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		// Were each rounded up to a millisecond, this would end the watchdog's patience.
		for range 100_000 {
			if got, err := p.Wait(make([]poll.Event, 1), 0); got != 0 || err != nil {
				t.Fatal(got, err)
			}
		}
	})
}

func TestLongestTimeoutWaits(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Readable, poll.Edge))
		for range 5 {
			over := meanwhile(func() { b.write("x") })
			for wait(t, p, 1<<63-1)[tag] == 0 {
			}
			over.Wait()
			a.drain(p)
		}
	})
}

func TestWakeBeforeWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		for range 3 {
			must0(p.Wake())
			if got := wait(t, p, -1); len(got) != 0 {
				t.Errorf("a wake-up was reported: %v", got)
			}
		}
	})
}

func TestWakesAreMerged(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		for range 1000 {
			must0(p.Wake())
		}
		wait(t, p, -1)
		quietly(func() {
			const timeout = 2 * time.Millisecond
			start := time.Now()
			wait(t, p, timeout)
			if took := time.Since(start); took < timeout {
				t.Errorf("one more wait returned early, after %v", took)
			}
		})
	})
}

func TestWakeReportsWhatIsReady(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		a, _ := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Writable, poll.Level))
		must0(p.Wake())
		if got := wait(t, p, -1); got[tag] != poll.Writable {
			t.Errorf("got %v", got)
		}
	})
}

func TestWakeWithRoomForOneEvent(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		a, _ := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Writable, poll.Level))
		into := make([]poll.Event, 1)
		must0(p.Wake())
		for must(p.Wait(into, -1)) == 0 {
		}
		if into[0].Tag != tag {
			t.Errorf("got %#x", into[0].Tag)
		}
	})
}

// The counter behind Wake has no reader with epoll, so in the end it is full.
func TestWakeWithAFullCounter(t *testing.T) {
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			guard(t)
			before := descriptors()
			p := must(poll.New(kind))
			defer p.Close()
			for name, target := range descriptors() {
				if target == "anon_inode:[eventfd]" && before[name] != target {
					full := binary.NativeEndian.AppendUint64(nil, 1<<64-2)
					must(unix.Write(must(strconv.Atoi(name)), full))
				}
			}
			wait(t, p, 0) // takes the edge, if there is one
			must0(p.Wake())
			wait(t, p, -1)
		})
	}
}

// Each post is followed by a Wake, so a waiter that has not seen the last post will be woken. A lost wake-up hangs.
func TestNoWakeIsLost(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		const posters, each = 4, 500
		var posted atomic.Int64
		var over sync.WaitGroup
		for range posters {
			over.Go(func() {
				for range each {
					posted.Add(1)
					must0(p.Wake())
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
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		for range 100 {
			over := meanwhile(func() { must0(p.Wake()) })
			if got := wait(t, p, -1); len(got) != 0 {
				t.Errorf("got %v", got)
			}
			over.Wait()
		}
	})
}

// Closing excludes a Wake that comes too late, which would write into a stranger's file.
func TestWakeBesideClose(t *testing.T) {
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			guard(t)
			for range 100 {
				p := must(poll.New(kind))
				over := meanwhile(func() {
					for p.Wake() == nil {
					}
				})
				must0(p.Close())
				x, y := unixPair(t)
				over.Wait()
				if got := x.drain(p) + y.drain(p); got != "" {
					t.Errorf("a stranger's socket received %q", got)
				}
				x.close()
				y.close()
			}
		})
	}
}

// The contract's promise to a caller who reads until it blocks: every byte arrives, and the end.
func TestEdgeReaderMissesNothing(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		const connections, writes = 4, 200
		var ends [connections]*end
		var over sync.WaitGroup
		for i := range ends {
			a, b := unixPair(t)
			ends[i] = a
			must0(p.Add(a.fd, uint64(i), both, poll.Edge))
			over.Go(func() {
				for range writes {
					b.write("0123456789")
					if rand.IntN(4) == 0 {
						runtime.Gosched()
					}
				}
				must0(unix.Shutdown(b.fd, unix.SHUT_WR))
			})
		}
		total, open := 0, connections
		var into [2]poll.Event
		buf := make([]byte, 64)
		for open > 0 {
			for _, ev := range into[:must(p.Wait(into[:], -1))] {
				a := ends[ev.Tag]
				for ev.Events&poll.Readable != 0 && !a.closed {
					n, err := unix.Read(a.fd, buf)
					if err == unix.EAGAIN {
						p.Rearm(a.fd, poll.Readable)
						break
					}
					must0(err)
					total += n
					if n == 0 {
						must0(p.Remove(a.fd))
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

// Each facility is the other's oracle: level registrations of the same descriptors agree after any history.
func TestFacilitiesAgree(t *testing.T) {
	guard(t)
	kinds := poll.Kinds()
	pollers := make([]poll.Poller, len(kinds))
	for i, kind := range kinds {
		pollers[i] = must(poll.New(kind))
		defer pollers[i].Close()
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		a, b := unixPair(t)
		for _, p := range pollers {
			must0(p.Add(a.fd, tag, both, poll.Level))
		}
		for step := range 30 {
			switch random.IntN(8) {
			case 0, 1:
				unix.Write(b.fd, []byte("x")) // fails after the shutdown
			case 2:
				a.drain(pollers[0])
			case 3:
				if !a.closed {
					unix.Write(a.fd, make([]byte, 300<<10)) // as much as fits
				}
			case 4:
				b.drain(pollers[0])
			case 5, 6:
				want := poll.Events(random.IntN(8))
				for _, p := range pollers {
					must0(p.Modify(a.fd, tag, want, poll.Level))
				}
			case 7:
				if random.IntN(4) == 0 {
					must0(unix.Shutdown(b.fd, unix.SHUT_WR))
				}
			}
			first := now(t, pollers[0])[tag]
			for i, p := range pollers[1:] {
				if got := now(t, p)[tag]; got != first {
					t.Fatalf("seed %d, step %d: %v reports %06b, %v %06b", seed, step, kinds[0], first, kinds[i+1], got)
				}
			}
		}
		for _, p := range pollers {
			must0(p.Remove(a.fd))
		}
	}
}

// A loop that polls without waiting passes a preemption point in each call.
func TestStopTheWorldIsPromptBesideABusyPoller(t *testing.T) {
	eachPoller(t, func(t *testing.T, p poll.Poller) {
		var stop atomic.Bool
		over := meanwhile(func() {
			var into [1]poll.Event
			for !stop.Load() {
				must(p.Wait(into[:], 0))
			}
		})
		for range 20 {
			start := time.Now()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("stopping the world took %v", took)
			}
		}
		stop.Store(true)
		over.Wait()
	})
}
