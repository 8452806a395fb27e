//go:build unix

package reactor_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll/polltest"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestReadersAreLevelTriggered(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		a, b := pair(t)
		got := ""
		testkit.Check(l.AddReader(a.fd, func() { got += a.read(1) + "|" }))
		testkit.Turns(t, l, 2)
		b.write("abc")
		testkit.Turns(t, l, 5)
		if got != "a|b|c|" {
			t.Errorf("got %s, want %s", got, "a|b|c|")
		}
	})
}

func TestAReaderIsToldOfTheEnd(t *testing.T) {
	ends := map[string]func(b *end){
		"half-close": (*end).halfClose,
		"close":      (*end).close,
		"broken":     func(b *end) { b.write("x"); b.fill(); b.close() },
	}
	for name, finish := range ends {
		t.Run(name, func(t *testing.T) {
			eachPoller(t, func(t *testing.T, l *reactor.Loop) {
				a, b := pair(t)
				n := 0
				testkit.Check(l.AddReader(a.fd, func() { n++ }))
				finish(b)
				testkit.Turns(t, l, 3)
				if n != 3 {
					t.Errorf("%d calls in 3 turns, want 3", n)
				}
			})
		})
	}
}

func TestReaderAndWriterAreIndependent(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		a, b := pair(t)
		got := ""
		note := func(s string) func() { return func() { got += s } }
		step := func(want string) {
			t.Helper()
			got = ""
			testkit.Turns(t, l, 1)
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		testkit.Check(l.AddWriter(a.fd, note("w")))
		step("w")
		testkit.Check(l.AddReader(a.fd, note("r")))
		step("w")
		b.write("x")
		step("rw")
		testkit.Check(l.AddReader(a.fd, note("R"))) // replaces the reader, keeps the writer
		step("Rw")
		testkit.Check(l.AddWriter(a.fd, note("W")))
		step("RW")
		if !l.RemoveWriter(a.fd) || l.RemoveWriter(a.fd) {
			t.Error("RemoveWriter = false, or true twice; want true while there is one, then false")
		}
		step("R")
		testkit.Check(l.AddWriter(a.fd, note("w")))
		if !l.RemoveReader(a.fd) || l.RemoveReader(a.fd) {
			t.Error("RemoveReader = false, or true twice; want true while there is one, then false")
		}
		step("w")
		a.fill()
		step("")
		l.RemoveWriter(a.fd)
		testkit.Check(l.AddReader(a.fd, note("r")))
		step("r")
		l.RemoveReader(a.fd)
		step("")
		if l.RemoveReader(1 << 20) {
			t.Error("RemoveReader of a descriptor nobody watches = true, want false")
		}
	})
}

func TestAWatchIsChangedByItsOwnCallback(t *testing.T) {
	tests := []struct {
		name   string
		change func(l *reactor.Loop, fd int, note func(string) func())
		want   string // of three turns, in which fd is readable and writable
	}{
		{"removes itself", func(l *reactor.Loop, fd int, _ func(string) func()) { l.RemoveReader(fd) }, "rw w w"},
		{"removes the writer", func(l *reactor.Loop, fd int, _ func(string) func()) { l.RemoveWriter(fd) }, "r r r"},
		{"removes both", func(l *reactor.Loop, fd int, _ func(string) func()) { l.RemoveReader(fd); l.RemoveWriter(fd) }, "r  "},
		{"replaces itself", func(l *reactor.Loop, fd int, n func(string) func()) { l.AddReader(fd, n("R")) }, "rw Rw Rw"},
		{"replaces the writer", func(l *reactor.Loop, fd int, n func(string) func()) { l.AddWriter(fd, n("W")) }, "rW rW rW"},
		{"comes back", func(l *reactor.Loop, fd int, n func(string) func()) {
			l.RemoveReader(fd)
			l.RemoveWriter(fd)
			l.AddReader(fd, n("R"))
		}, "r R R"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachPoller(t, func(t *testing.T, l *reactor.Loop) {
				a, b := pair(t)
				b.write("x")
				got := ""
				note := func(s string) func() { return func() { got += s } }
				testkit.Check(l.AddReader(a.fd, func() { got += "r"; tt.change(l, a.fd, note) }))
				testkit.Check(l.AddWriter(a.fd, note("w")))
				var all []string
				for range 3 {
					got = ""
					testkit.Turns(t, l, 1)
					all = append(all, got)
				}
				if s := strings.Join(all, " "); s != tt.want {
					t.Errorf("got %q, want %q", s, tt.want)
				}
			})
		})
	}
}

// Two descriptors are ready in the same turn. The handler that runs first removes the other, which
// then must not be called.
func TestARemovedReaderIsNotCalledInTheSameTurn(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		a, b := pair(t)
		a.write("x")
		b.write("x")
		n := 0
		watch := func(mine, other *end) {
			testkit.Check(l.AddReader(mine.fd, func() {
				n++
				if !l.RemoveReader(other.fd) {
					t.Error("RemoveReader of the other = false, want true: one of the two is called")
				}
				// Level-triggered: in the next turn.
				testkit.Check(l.AddReader(other.fd, func() { n += 100 }))
			}))
		}
		watch(a, b)
		watch(b, a)
		testkit.Turns(t, l, 1)
		if n != 1 {
			t.Errorf("after a turn: %d, want 1", n)
		}
	})
}

func TestDescriptorsThatCannotBeWatched(t *testing.T) {
	l := testkit.NewLoop(t)
	a, b := pair(t)
	file := testkit.Must(os.Create(t.TempDir() + "/file"))
	defer file.Close()
	b.close()
	closed := b.fd
	tests := []struct {
		name string
		fd   int
		is   syscall.Errno
	}{
		{"closed", closed, unix.EBADF}, {"negative", -1, unix.EBADF}, {"a regular file", int(file.Fd()), unix.EPERM},
	}
	for _, tt := range tests {
		for name, call := range map[string]func() error{
			"AddReader": func() error { return l.AddReader(tt.fd, func() {}) },
			"AddWriter": func() error { return l.AddWriter(tt.fd, func() {}) },
			"Attach":    func() error { _, err := attach(l, tt.fd, handler(nil)); return err },
		} {
			err := call()
			if !errors.Is(err, tt.is) || !strings.HasPrefix(err.Error(), "reactor: watch descriptor ") {
				t.Errorf("%s of %s: %v, want %v that begins with \"reactor: watch descriptor \"", name, tt.name, err, tt.is)
			}
		}
		if l.RemoveReader(tt.fd) || l.RemoveWriter(tt.fd) {
			t.Errorf("%s is watched, want it not: it was refused", tt.name)
		}
	}
	testkit.Panics(t, "reactor: AddReader and AddWriter need a function", func() { l.AddReader(a.fd, nil) })
}

// A program closes a descriptor without removing its reader, and then watches another file with the
// same number. It gets the events of the new file.
func TestAReusedNumberIsWatchedAfresh(t *testing.T) {
	l := testkit.NewLoop(t)
	a, b := pair(t)
	testkit.Check(l.AddReader(a.fd, func() { t.Error("the closed descriptor's reader was called, want no call") }))
	testkit.Check(l.AddWriter(a.fd, func() { t.Error("the closed descriptor's writer was called, want no call") }))
	number := a.fd
	a.close()
	if err := l.AddReader(number, func() {}); !errors.Is(err, unix.EBADF) {
		t.Errorf("AddReader of a closed descriptor: %v, want %v", err, unix.EBADF)
	}
	c, d := pair(t)
	if c.fd != number {
		t.Skip("the number was not reused")
	}
	n := 0
	testkit.Check(l.AddReader(c.fd, func() { n++ }))
	d.write("x")
	testkit.Turns(t, l, 2)
	if n != 2 {
		t.Errorf("%d calls in 2 turns, want 2", n)
	}
	b.close()
	l.Close() // before the descriptors
}

func TestWatchesFromGoroutinesWhileTheLoopSleeps(t *testing.T) {
	l := testkit.StartLoop(t)
	var helpers sync.WaitGroup
	for range 4 {
		a, b := pair(t)
		helpers.Go(func() {
			for range 200 {
				got := make(chan string, 1)
				testkit.Check(l.AddReader(a.fd, func() {
					if s := a.read(1); s != "" {
						got <- s
					}
				}))
				b.write("x")
				<-got
				if !l.RemoveReader(a.fd) {
					t.Error("RemoveReader = false, want true")
				}
			}
		})
	}
	helpers.Wait()
	l.Close() // before the descriptors
}

func TestAttachIsEdgeTriggered(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		a, b := pair(t)
		var got loop.Events
		calls := 0
		s := testkit.Must(attach(l, a.fd, handler(func(e loop.Events) { got |= e; calls++ })))
		step := func(want loop.Events, most int) {
			t.Helper()
			got, calls = 0, 0
			testkit.Turns(t, l, 3)
			if got != want || calls > most {
				t.Errorf("%d calls with %b, want %b", calls, got, want)
			}
		}
		step(loop.Writable, 1)
		b.write("abc")
		got, calls = 0, 0
		testkit.Turns(t, l, 3)
		if got&loop.Readable == 0 || calls != 1 {
			t.Errorf("data: %d calls with %b; want 1 that is readable", calls, got)
		}
		a.read(1) // not all
		step(0, 0)
		a.read(10)
		a.read(10) // blocks
		s.Blocked(loop.Readable)
		b.write("d")
		got, calls = 0, 0
		testkit.Turns(t, l, 3)
		if got&loop.Readable == 0 || calls != 1 {
			t.Errorf("more data: %d calls with %b; want 1 that is readable", calls, got)
		}
		testkit.Check(s.Detach())
		testkit.Check(s.Detach())
		b.write("e")
		step(0, 0)
	})
}

func TestARegistrationCostsOneCall(t *testing.T) {
	var count *polltest.Counter
	l := testkit.NewLoop(t, counting(&count))
	for range 10 {
		a, b := pair(t)
		n := 0
		s := testkit.Must(attach(l, a.fd, handler(func(loop.Events) { n++ })))
		for range 5 {
			b.write("x")
			testkit.Turns(t, l, 1)
			a.read(10)
			s.Blocked(loop.Readable)
		}
		s.Closing()
		s.Closing()
		testkit.Check(s.Detach())
		a.close()
		b.close()
		if n == 0 {
			t.Error("no events came, want at least one")
		}
	}
	if add, rest := count.Adds.Load(), count.Modifies.Load()+count.Removes.Load()+count.Rearms.Load(); add != 10 || rest != 0 {
		t.Errorf("%d and %d others, for 10 registrations; want 10 and 0", add, rest)
	}
}

// The first handler closes the descriptors of all other events of the turn, and uses their numbers
// again.
func TestAStaleEventDoesNotReachTheNewOwner(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		const n = 16
		var ends []*end
		var sources []*loop.Source
		called, fresh := 0, 0
		for range n {
			a, b := pair(t)
			ends = append(ends, a)
			s := testkit.Must(attach(l, a.fd, handler(func(loop.Events) {
				if called++; called > 1 {
					return
				}
				for i, e := range ends { // close everybody, and open as many
					sources[i].Closing()
					e.close()
				}
				for range n {
					c, d := pair(t)
					testkit.Must(attach(l, c.fd, handler(func(e loop.Events) {
						if fresh++; e&loop.Readable != 0 {
							t.Errorf("told %b, an event of an earlier owner of the number; want none", e)
						}
					})))
					_ = d
				}
			})))
			sources = append(sources, s)
			b.write("x")
		}
		testkit.Turns(t, l, 1)
		if called != 1 || fresh != 0 {
			t.Errorf("%d old handlers were called, and %d new ones in the same turn; want 1 and 0", called, fresh)
		}
		testkit.Turns(t, l, 2)
		if fresh != n {
			t.Errorf("%d new ones were called, want %d", fresh, n)
		}
	})
}

func TestDetachFromGoroutines(t *testing.T) {
	l := testkit.StartLoop(t)
	var helpers sync.WaitGroup
	for range 4 {
		helpers.Go(func() {
			for range 200 {
				a, b := pair2()
				s := testkit.Must(attach(l, a.fd, handler(func(loop.Events) {})))
				b.write("x")
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() { testkit.Check(s.Detach()) })
				}
				both.Wait()
				a.close()
				b.close()
			}
		})
	}
	helpers.Wait()
}

// The poller may have noticed by then that the number was closed.
func TestANumberThatWasFoundClosedIsWatchedAfresh(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		a, _ := pair(t)
		number, calls := a.fd, 0
		testkit.Check(l.AddReader(number, func() {}))
		a.close()
		testkit.Turns(t, l, 3)
		c, d := pair(t)
		if c.fd != number {
			t.Skip("the number was not reused")
		}
		testkit.Check(l.AddReader(number, func() { calls++ }))
		d.write("x")
		testkit.Turns(t, l, 3)
		if calls != 3 {
			t.Errorf("%d calls in 3 turns, want 3", calls)
		}
	})
}

// What was never attached, or refused, has nothing to detach: not the slot of another.
func TestDetachWithoutAnAttachDoesNothing(t *testing.T) {
	l := testkit.NewLoop(t)
	a, b := pair(t)
	other := testkit.NewLoop(t)
	testkit.Check(other.Close())
	var never, refused, late loop.Source
	calls := 0
	testkit.Must(attach(l, a.fd, handler(func(loop.Events) { calls++ })))
	if err := refused.Attach(core(l), a.fd, handler(func(loop.Events) { t.Error("the refused one was called, want no call") })); !errors.Is(err, unix.EEXIST) {
		t.Errorf("a second Attach: %v, want %v", err, unix.EEXIST)
	}
	if err := late.Attach(core(other), a.fd, handler(func(loop.Events) { t.Error("the one of a closed loop was called, want no call") })); err != reactor.ErrClosed {
		t.Errorf("Attach to a closed loop: %v, want %v", err, reactor.ErrClosed)
	}
	for range 2 {
		for _, s := range []*loop.Source{&never, &refused, &late} {
			testkit.Check(s.Detach())
			s.Closing()
		}
	}
	c, d := pair(t)
	more := 0
	for _, end := range []*end{c, d} {
		testkit.Must(attach(l, end.fd, handler(func(loop.Events) { more++ })))
	}
	testkit.Turns(t, l, 1)
	b.write("x")
	c.write("x")
	d.write("x")
	before := []int{calls, more}
	testkit.Turns(t, l, 1)
	if n := []int{calls - before[0], more - before[1], stats(l).Sources}; !slices.Equal(n, []int{1, 2, 3}) {
		t.Errorf("events, events of the others, sources: %v; want %v", n, []int{1, 2, 3})
	}
	l.Close() // before the descriptors
}
