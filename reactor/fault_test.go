//go:build linux

package reactor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// everywhere lists where a callback may be called from. arm has fn called there: once, or again and
// again until it returns, where calls there repeat. What a panic or a Goexit does in the first of
// them is in exception_test.go and goexit_test.go.
var everywhere = append(places[:len(places):len(places)], []struct {
	name string
	arm  func(l *reactor.Loop, fn func())
}{
	{"reader", func(l *reactor.Loop, fn func()) {
		watched(l, (*reactor.Loop).AddReader, (*reactor.Loop).RemoveReader, fn)
	}},
	{"writer", func(l *reactor.Loop, fn func()) {
		watched(l, (*reactor.Loop).AddWriter, (*reactor.Loop).RemoveWriter, fn)
	}},
	{"ready handler", func(l *reactor.Loop, fn func()) {
		a, b := pair2()
		var s loop.Source
		testkit.Check(s.Attach(core(l), a.fd, handler(func(loop.Events) {
			testkit.Check(s.Detach())
			a.close()
			b.close()
			fn()
		})))
	}},
	{"done of offloaded work", func(l *reactor.Loop, fn func()) { testkit.Must(l.Offload(func() {}, fn)) }},
	{"offloaded work", func(l *reactor.Loop, fn func()) { testkit.Must(l.Offload(fn, func() {})) }},
	{"task", func(l *reactor.Loop, fn func()) { start(l, fn) }},
}...)

// watched makes fn be called for a descriptor that is readable and writable.
func watched(l *reactor.Loop, add func(*reactor.Loop, int, func()) error, remove func(*reactor.Loop, int) bool, fn func()) {
	a, b := pair2()
	b.write("x")
	testkit.Check(add(l, a.fd, func() {
		remove(l, a.fd)
		a.close()
		b.close()
		fn()
	}))
}

// Whatever happens in one callback, wherever it is called from, the others of its kind run, and the
// loop can be closed.
func TestALoopSurvivesWhatACallbackDoes(t *testing.T) {
	deeds := []struct {
		name  string
		do    func(l *reactor.Loop)
		ends  bool // the loop
		stops bool // it, to be started again
	}{
		{"panics", func(*reactor.Loop) { panic(func() {}) }, false, false},
		{"panics with nil", func(*reactor.Loop) { panic(nil) }, false, false},
		{"panics, and so does the exception handler", func(*reactor.Loop) { panic(whereItPanics) }, false, false},
		{"calls Goexit", func(*reactor.Loop) { runtime.Goexit() }, false, false},
		{"stops the loop", func(l *reactor.Loop) { l.Stop() }, false, true},
		{"closes the loop", func(l *reactor.Loop) { testkit.Check(l.Close()) }, true, false},
		{"closes the loop, and panics", func(l *reactor.Loop) { testkit.Check(l.Close()); panic(func() {}) }, true, false},
		{"closes the loop, and calls Goexit", func(l *reactor.Loop) { testkit.Check(l.Close()); runtime.Goexit() }, true, false},
	}
	quiet := reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		var p *reactor.PanicError
		if errors.As(e.Err, &p) {
			if fn, ok := p.Value.(func()); ok {
				fn()
			}
		}
	})
	for _, place := range everywhere {
		for _, deed := range deeds {
			if place.name == "offloaded work" && deed.ends {
				continue // Close waits for it: TestCloseWaitsForOffloadedWork
			}
			t.Run(fmt.Sprint(deed.name, " in a ", place.name), func(t *testing.T) {
				l := testkit.NewLoop(t, quiet, testkit.AsEnvironment)
				var ran atomic.Int32
				for range 3 {
					l.CallSoon(func() {
						place.arm(l, func() { ran.Add(1); deed.do(l) })
						place.arm(l, func() { ran.Add(1) })
					})
				}
				testkit.Check(l.Start())
				if deed.ends {
					<-l.Done()
					return
				}
				for ran.Load() < 6 {
					if deed.stops {
						testkit.PanicOf(func() { l.Start() }) // unless it runs
					}
					runtime.Gosched()
				}
				if n := ran.Load(); n != 6 {
					t.Errorf("%d calls of 6, want 6", n)
				}
			})
		}
	}
}

// A descriptor that is closed behind the loop's back is silent, or is reported as broken. It costs
// nothing, and disturbs no other.
func TestADescriptorClosedBehindTheLoopsBack(t *testing.T) {
	watches := map[string]func(l *reactor.Loop, fd int) (undo func()){
		"AddReader": func(l *reactor.Loop, fd int) func() {
			testkit.Check(l.AddReader(fd, func() {}))
			return func() { l.RemoveReader(fd) }
		},
		"AddWriter": func(l *reactor.Loop, fd int) func() {
			testkit.Check(l.AddWriter(fd, func() {}))
			return func() { l.RemoveWriter(fd) }
		},
		"Attach": func(l *reactor.Loop, fd int) func() {
			s := testkit.Must(attach(l, fd, handler(func(loop.Events) {})))
			return func() {
				if err := s.Detach(); err != nil && !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENOENT) {
					panic(err)
				}
			}
		},
	}
	for _, kind := range poll.Kinds() {
		for name, watch := range watches {
			t.Run(fmt.Sprint(kind, " ", name), func(t *testing.T) {
				l := testkit.NewLoop(t, reactor.WithPoller(kind))
				a, b := pair(t)
				c, d := pair(t)
				undo := watch(l, a.fd)
				got := ""
				testkit.Check(l.AddReader(c.fd, func() { got += c.read(1) }))
				testkit.Turns(t, l, 3)
				a.close()
				testkit.Turns(t, l, 3)
				before := stats(l).Events
				testkit.Turns(t, l, 10)
				if n := stats(l).Events - before; n != 0 {
					t.Errorf("%d events in 10 turns, want 0", n)
				}
				d.write("xy")
				testkit.Turns(t, l, 2)
				undo()
				d.write("z")
				testkit.Turns(t, l, 1)
				if got != "xyz" {
					t.Errorf("the other got %q, want %q", got, "xyz")
				}
				l.RemoveReader(c.fd)
				b.close()
				l.Close() // before the descriptors
			})
		}
	}
}

// While a duplicate is open, epoll goes on to report a registration that nobody can remove any
// more. The loop reports it, and does not spin.
func TestADuplicateOfAClosedDescriptorDoesNotMakeTheLoopSpin(t *testing.T) {
	var x testkit.Exceptions
	var waits atomic.Int64
	l := testkit.NewLoop(t, x.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		waits.Add(1)
		return p.Wait(into, d)
	}))
	a, b := pair(t)
	c, d := pair(t)
	duplicate := &end{fd: testkit.Must(unix.Dup(a.fd))}
	t.Cleanup(duplicate.close)
	testkit.Check(l.AddReader(a.fd, func() { t.Error("the reader was called, want no call") }))
	a.close()
	l.RemoveReader(a.fd)
	b.write("x")
	got := ""
	testkit.Check(l.AddReader(c.fd, func() { got += c.read(1) }))
	const span = 300 * time.Millisecond
	l.CallLater(span, l.Stop)
	testkit.Check(l.Run(context.Background()))
	// A loop that spins makes a hundred thousand. A loop that naps makes fewer than one in a
	// millisecond, however slow the machine.
	if n := waits.Load(); n > 64+span.Milliseconds() {
		t.Errorf("%d waits in %v, want at most %d", n, span, 64+span.Milliseconds())
	}
	if ops := x.Ops(); !slices.Equal(ops, []string{"poll"}) {
		t.Errorf("reported: %v, want one of op poll", x.All())
	}
	d.write("yz")
	testkit.Turns(t, l, 4)
	if got != "yz" {
		t.Errorf("the other got %q, want %q", got, "yz")
	}
	duplicate.close()
	l.RemoveReader(c.fd)
}

// refusing is a poller that takes nothing while errno is set.
type refusing struct {
	poll.Poller
	errno syscall.Errno
}

func (p *refusing) Add(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	if p.errno != 0 {
		return p.errno
	}
	return p.Poller.Add(fd, tag, want, mode)
}

func (p *refusing) Modify(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	if p.errno != 0 {
		return p.errno
	}
	return p.Poller.Modify(fd, tag, want, mode)
}

// A refused registration changes nothing: what was registered stays, and a later one works as a
// first one does.
func TestARegistrationThatIsRefusedChangesNothing(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENOSPC, unix.ENOMEM, unix.EPERM} {
		p := &refusing{}
		l := testkit.NewLoop(t, reactor.WithWorld(worldtest.WithPoller(func(below poll.Poller) poll.Poller {
			p.Poller = below
			return p
		})))
		a, b := pair(t)
		c, _ := pair(t)
		got := ""
		note := func(s string) func() { return func() { got += s } }
		testkit.Check(l.AddReader(a.fd, note("r")))
		b.write("x")
		p.errno = errno
		for name, err := range map[string]error{
			"AddWriter beside a reader": l.AddWriter(a.fd, note("w")),
			"AddReader":                 l.AddReader(c.fd, note("R")),
			"AddWriter":                 l.AddWriter(c.fd, note("W")),
			"Attach":                    (&loop.Source{}).Attach(core(l), c.fd, handler(func(loop.Events) { got += "a" })),
		} {
			if !errors.Is(err, errno) {
				t.Errorf("%s: %v, want %v", name, err, errno)
			}
		}
		if l.RemoveWriter(a.fd) || l.RemoveReader(c.fd) || l.RemoveWriter(c.fd) {
			t.Error("what was refused is watched, want it not")
		}
		testkit.Turns(t, l, 2)
		p.errno = 0
		testkit.Check(l.AddWriter(a.fd, note("w")))
		testkit.Check(l.AddWriter(c.fd, note("W")))
		testkit.Turns(t, l, 1)
		if got != "rrrwW" && got != "rrWrw" {
			t.Errorf("%v: the calls are %s, want rrrwW or rrWrw", errno, got)
		}
		l.Close() // before the descriptors
	}
}

// After a wait that is interrupted or fails, everything that does not need the poller goes on. The
// failure is reported once.
func TestALoopWhoseWaitsFailGoesOn(t *testing.T) {
	for _, failure := range []error{nil, unix.ENOMEM} { // nil: interrupted
		var x testkit.Exceptions
		n := 0
		l := testkit.NewLoop(t, x.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
			if n++; n%4 != 0 {
				return 0, failure
			}
			return p.Wait(into, d)
		}))
		a, b := pair(t)
		got := ""
		testkit.Check(l.AddReader(a.fd, func() { got += a.read(1) }))
		fired := 0
		for i := range 5 {
			l.CallLater(time.Duration(i)*time.Millisecond, func() { fired++; b.write("x") })
		}
		for fired < 5 || len(got) < 5 {
			testkit.Check(l.Turn(time.Millisecond))
		}
		for i, e := range x.All() {
			if failure == nil || e.Op != "poll" || e.Err != failure || i >= n/4+1 {
				t.Errorf("%v: after %d waits, reported %v; want none if interrupted (nil), else that of op poll, at most once in four waits", failure, n, e)
			}
		}
		l.RemoveReader(a.fd)
	}
}

// A poller that is broken for good ends the loop, which says why, and unwinds as ever.
func TestALoopWithoutAPollerCloses(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EBADF, unix.EINVAL} {
		t.Run(errno.Error(), func(t *testing.T) {
			testkit.Guard(t)
			var x testkit.Exceptions
			var waits atomic.Int64
			clock := &testkit.Clock{Step: 50 * time.Millisecond}
			l := testkit.Must(reactor.New(x.Option(), testkit.NoFaults, clock.Option(), testkit.WithWait(func(poll.Poller, []poll.Event, time.Duration) (int, error) {
				waits.Add(1)
				return 0, errno
			})))
			unwound := false
			l.CallSoon(func() { start(l, func() { await(l.Context()); unwound = true }) })
			for what, err := range map[string]error{"Run": l.Run(context.Background()), "the context's cause": context.Cause(l.Context())} {
				if !errors.Is(err, reactor.ErrClosed) || !errors.Is(err, errno) {
					t.Errorf("%s: %v, want %v and %v", what, err, reactor.ErrClosed, errno)
				}
			}
			if err := l.Close(); !errors.Is(err, errno) {
				t.Errorf("Close: %v, want %v", err, errno)
			}
			if ops := x.Ops(); !slices.Equal(ops, []string{"poll", "poll"}) || !errors.Is(x.All()[1].Err, errno) {
				t.Errorf("reported: %v, want two of op poll, the second %v", x.All(), errno)
			}
			if n := waits.Load(); !unwound || n > 1000 {
				t.Errorf("%d waits; the task has unwound: %v; want at most 1000, and true", n, unwound)
			}
		})
	}
}

// Close waits for the callback that runs, whoever calls it, and whatever that callback does then.
func TestCloseFromAGoroutineWhileACallbackRuns(t *testing.T) {
	for _, place := range everywhere {
		if place.name == "offloaded work" {
			continue // runs outside the loop
		}
		t.Run(place.name, func(t *testing.T) {
			l := testkit.NewLoop(t, handling, testkit.AsEnvironment)
			closed, ran := make(chan struct{}), false
			l.CallSoon(func() {
				place.arm(l, func() {
					go func() { defer close(closed); l.Close() }()
					for l.AddReader(-1, func() {}) != reactor.ErrClosed { // until Close has begun
						runtime.Gosched()
					}
					ran = true
				})
			})
			testkit.Check(l.Start())
			<-closed
			if !ran || !isDone(l) {
				t.Errorf("the callback has ended: %v, the loop: %v; want true of both", ran, isDone(l))
			}
		})
	}
}

func TestNewRefusesFaultsThatMakeNoSense(t *testing.T) {
	testkit.Guard(t)
	t.Setenv(world.FaultsVariable, "eagain=lots")
	if l, err := reactor.New(); l != nil || err == nil || !strings.Contains(err.Error(), "COROBRIDGE_FAULTS") || !strings.Contains(err.Error(), "eagain") {
		t.Errorf("New = %v, %v; want nil, and an error that names COROBRIDGE_FAULTS and eagain", l, err)
	}
}
