//go:build unix && !aix

package poll_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// What only Unix has: duplicates of a descriptor, numbers that one can choose, files that can be
// watched, and more than one facility.

// The kernel looks at 32 bits of a descriptor.
func TestALargeNumberIsNotTakenForAnotherDescriptor(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		return // there is no larger number
	}
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		for _, add := range []uint64{1 << 32, 1 << 40, 1 << 62, 1<<63 | 1<<32} {
			fd := int(uint64(a.fd) + add)
			if err := p.Add(fd, tag, both, mode); err != syscall.EBADF {
				t.Errorf("Add(%d): %v, want %v", fd, err, syscall.EBADF)
			}
			if err := p.Remove(fd); err == nil {
				t.Errorf("Remove(%d) = nil, want an error", fd)
			}
		}
		b.write("x")
		if got := now(t, p); len(got) != 0 {
			t.Errorf("got %v, want no event", got)
		}
	})
}

// A poller that waits has let go of what was removed: who closes it then ends it. So nobody
// connects to a listener that is closed, and its port is free.
func TestARemovedListenerEndsWhenItIsClosed(t *testing.T) {
	for _, state := range []string{"in its first wait", "removed again and again"} {
		t.Run(state, func(t *testing.T) {
			eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
				for range 20 {
					ln := newSocket(t)
					testkit.Check(unix.Bind(ln.fd, loopback()))
					testkit.Check(unix.Listen(ln.fd, 8))
					at := testkit.Must(unix.Getsockname(ln.fd))
					testkit.Check(p.Add(ln.fd, tag, poll.Readable, mode))
					over := meanwhile(func() {
						if state != "in its first wait" {
							testkit.Check(p.Remove(ln.fd))
							testkit.Check(p.Add(ln.fd, tag, poll.Readable, mode))
						}
						testkit.Check(p.Remove(ln.fd))
						ln.close()
						late := newSocket(t)
						if err := unix.Connect(late.fd, at); err != unix.ECONNREFUSED {
							t.Errorf("Connect after the close: %v, want %v", err, unix.ECONNREFUSED)
						}
						late.close()
						next := newSocket(t)
						if err := unix.Bind(next.fd, at); err != nil {
							t.Errorf("Bind after the close: %v, want the port", err)
						}
						next.close()
						testkit.Check(p.Wake())
					})
					wait(t, p, -1)
					over.Wait()
				}
			})
		})
	}
}

// The peer of a connection that is removed and closed sees the end at once.
func TestARemovedConnectionEndsWhenItIsClosed(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		for range 20 {
			a, b := pair(t)
			testkit.Check(p.Add(a.fd, tag, both, mode))
			now(t, p) // it is writable
			done := make(chan struct{})
			over := meanwhile(func() {
				defer close(done)
				testkit.Check(p.Remove(a.fd))
				a.close()
				if n, errno := read(b.fd, make([]byte, 1)); n != 0 || errno != 0 {
					t.Errorf("the peer reads %d, %v; want the end", n, errno)
				}
			})
			for waiting := true; waiting; {
				wait(t, p, time.Millisecond)
				select {
				case <-done:
					waiting = false
				default:
				}
			}
			over.Wait()
		}
	})
}

// The number of a closed descriptor goes to the next one opened. The tag tells them apart.
func TestReusedNumberReportsTheNewTag(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, 1<<32|7, both, mode))
		b.write("stale")
		if !p.ForgetsClosed() {
			testkit.Check(p.Remove(a.fd))
		}
		c, d := pair(t)
		a.become(c)
		testkit.Check(p.Add(a.fd, 2<<32|7, poll.Readable, mode))
		if got := now(t, p); len(got) != 0 {
			t.Errorf("before the new one is written to: got %v, want nothing", got)
		}
		d.write("fresh")
		if got := now(t, p); len(got) != 1 || got[2<<32|7] != poll.Readable {
			t.Errorf("of the new descriptor: got %v, want readable under its own tag", got)
		}
	})
}

func TestRemoveBeforeCloseOfADuplicatedDescriptor(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		twin := newEnd(t, testkit.Must(unix.Dup(a.fd)))
		testkit.Check(p.Add(a.fd, tag, poll.Readable, mode))
		testkit.Check(p.Remove(a.fd))
		a.close()
		b.write("for the twin")
		if got := now(t, p); len(got) != 0 {
			t.Errorf("of a removed descriptor: got %v, want nothing", got)
		}
		if got := twin.drain(p); got != "for the twin" {
			t.Errorf("the twin read %q, want %q", got, "for the twin")
		}
	})
}

// This is the trap that the test before avoids. With epoll a registration belongs to the open file,
// which a duplicate keeps open. The other facilities go by number.
func TestDuplicateKeepsAForgottenRegistration(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		newEnd(t, testkit.Must(unix.Dup(a.fd)))
		testkit.Check(p.Add(a.fd, tag, poll.Readable, mode))
		a.close()
		b.write("x")
		if p.kind != poll.Epoll {
			if got := now(t, p)[tag]; got&poll.Readable != 0 {
				t.Errorf("of a closed descriptor whose twin lives: got %06b, want it not readable", got)
			}
			return
		}
		await(t, p, tag, poll.Readable)
		if err := p.Remove(a.fd); err != unix.EBADF {
			t.Errorf("Remove: %v, want %v", err, unix.EBADF)
		}
	})
}

func TestBothDuplicatesAreReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		twin := newEnd(t, testkit.Must(unix.Dup(a.fd)))
		testkit.Check(p.Add(a.fd, 1, poll.Readable, mode))
		testkit.Check(p.Add(twin.fd, 2, poll.Readable, mode))
		b.write("x")
		if got := now(t, p); got[1] != poll.Readable || got[2] != poll.Readable {
			t.Errorf("of two copies of a descriptor: got %v, want both readable", got)
		}
	})
}

func TestSelectRefusesDescriptorsOverItsLimit(t *testing.T) {
	const limit = len(unix.FdSet{}.Bits) * unix.NFDBITS
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		b.write("x")
		last := newEnd(t, testkit.Must(unix.FcntlInt(uintptr(a.fd), unix.F_DUPFD, limit-1)))
		over := newEnd(t, testkit.Must(unix.FcntlInt(uintptr(a.fd), unix.F_DUPFD, limit)))
		if last.fd != limit-1 {
			t.Fatalf("the copy got descriptor %d, want %d", last.fd, limit-1)
		}
		testkit.Check(p.Add(last.fd, 1, both, mode))
		await(t, p, 1, both)
		err := p.Add(over.fd, 2, both, mode)
		if p.kind != poll.Select {
			testkit.Check(err)
			await(t, p, 2, both)
			return
		}
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), strconv.Itoa(limit)) || !strings.Contains(err.Error(), strconv.Itoa(over.fd)) {
			t.Errorf("Add(%d): %v, want %v that names it and the limit of %d", over.fd, err, unix.EINVAL, limit)
		}
		if err := p.Remove(over.fd); err != unix.ENOENT {
			t.Errorf("Remove of what was refused: %v, want %v", err, unix.ENOENT)
		}
	})
}

// The wake-up of a poller on select has to be below the limit, too.
func TestPollerNeedsADescriptorBelowItsLimit(t *testing.T) {
	const limit = len(unix.FdSet{}.Bits) * unix.NFDBITS
	testkit.Guard(t)
	a, _ := pair(t)
	for {
		if e := newEnd(t, testkit.Must(unix.Dup(a.fd))); e.fd >= limit {
			break
		}
	}
	if _, err := poll.New(poll.Select); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), strconv.Itoa(limit)) {
		t.Errorf("New(Select): %v, want %v that names the limit of %d", err, unix.EINVAL, limit)
	}
}

func TestNumberOfAClosedDescriptorCanBeAddedAgain(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		c, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, mode))
		a.close()
		now(t, p)   // it notices, if it does not forget
		a.become(c) // and nobody has called Remove
		testkit.Check(p.Add(a.fd, 5, poll.Writable, mode))
		await(t, p, 5, poll.Writable)
	})
}

// A regular file is always ready. Epoll refuses it.
func TestRegularFile(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		f := testkit.Must(os.Create(filepath.Join(t.TempDir(), "file")))
		defer f.Close()
		testkit.Must(f.WriteAt([]byte("x"), 0)) // kqueue has a file's end for not readable
		err := p.Add(int(f.Fd()), tag, both, mode)
		if p.kind == poll.Epoll {
			if err != unix.EPERM {
				t.Errorf("got %v, want EPERM", err)
			}
			return
		}
		testkit.Check(err)
		await(t, p, tag, both)
		if got := now(t, p)[tag]; (got == both) != (mode == poll.Level) {
			t.Errorf("again, mode %v: got %06b, want %06b by level and only so", mode, got, both)
		}
	})
}

func TestEdgeHangupDoesNotSpin(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, poll.Edge))
		b.close()
		await(t, p, tag, both|poll.Hangup)
		for range 3 {
			if got := now(t, p); len(got) != 0 {
				t.Fatalf("reported again: %v, want an edge to be told once", got)
			}
		}
	})
}

// A connection whose reader pauses has every direction disarmed in a level-triggered facility.
// Select has no word for the hang-up, and tells when the reader goes on.
func TestEdgeHangupIsReportedToAPausedReader(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, poll.Edge))
		b.write("unread")
		await(t, p, tag, both)
		b.close()
		if p.words()&poll.Hangup != 0 {
			await(t, p, tag, poll.Hangup)
		} else {
			if got := now(t, p); len(got) != 0 {
				t.Errorf("reported again: %v, want nothing", got)
			}
			p.Rearm(a.fd, poll.Readable)
			await(t, p, tag, poll.Readable)
		}
		if got := a.drain(p); got != "unread" {
			t.Errorf("read %q, want %q", got, "unread")
		}
	})
}

// Each facility checks the other: level registrations of the same descriptors agree after any
// history, in what both have words for.
func TestFacilitiesAgree(t *testing.T) {
	testkit.Guard(t)
	var pollers []facility
	for _, kind := range poll.Kinds() {
		p := facility{testkit.Must(poll.New(kind)), kind}
		defer p.Close()
		pollers = append(pollers, p)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		a, b := pair(t)
		for _, p := range pollers {
			testkit.Check(p.Add(a.fd, tag, both, poll.Level))
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
					testkit.Check(p.Modify(a.fd, tag, want, poll.Level))
				}
			case 7:
				if random.IntN(4) == 0 {
					testkit.Check(unix.Shutdown(b.fd, unix.SHUT_WR))
				}
			}
			first := now(t, pollers[0])[tag]
			for _, p := range pollers[1:] {
				common := pollers[0].words() & p.words() &^ p.blurs()
				if got := now(t, p)[tag]; got&common != first&common {
					t.Fatalf("seed %d, step %d: %v reports %06b, %v %06b; want the same in what both can say", seed, step, pollers[0].kind, first, p.kind, got)
				}
			}
		}
		for _, p := range pollers {
			testkit.Check(p.Remove(a.fd))
		}
	}
}
