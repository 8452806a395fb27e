//go:build unix && !aix

package poll_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
)

func TestRegistrationErrors(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := unixPair(t)
		b, _ := unixPair(t)
		closed, _ := unixPair(t)
		closed.close()
		must0(p.Add(a.fd, 1, poll.Readable, poll.Edge))
		tests := map[string]struct{ got, want error }{
			"add twice":           {p.Add(a.fd, 2, poll.Readable, poll.Edge), unix.EEXIST},
			"add closed":          {p.Add(closed.fd, 2, poll.Readable, poll.Edge), unix.EBADF},
			"add negative":        {p.Add(-1, 2, poll.Readable, poll.Edge), unix.EBADF},
			"add reserved tag":    {p.Add(b.fd, poll.ReservedTag, poll.Readable, poll.Edge), unix.EINVAL},
			"modify unknown":      {p.Modify(b.fd, 2, poll.Readable, poll.Edge), unix.ENOENT},
			"modify reserved tag": {p.Modify(a.fd, poll.ReservedTag, poll.Readable, poll.Edge), unix.EINVAL},
			"remove unknown":      {p.Remove(b.fd), unix.ENOENT},
			"remove":              {p.Remove(a.fd), nil},
			"remove twice":        {p.Remove(a.fd), unix.ENOENT},
		}
		_, err := p.Wait(nil, 0)
		tests["no room"] = struct{ got, want error }{err, unix.EINVAL}
		for name, tt := range tests {
			if tt.got != tt.want {
				t.Errorf("%s: got %v, want %v", name, tt.got, tt.want)
			}
		}
		p.Rearm(b.fd, both) // unknown: nothing happens
	})
}

func TestCallsAfterCloseFailAndTouchNothing(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := unixPair(t)
		must0(p.Add(a.fd, 1, poll.Readable, poll.Edge))
		must0(p.Close())
		// These get the numbers that were the poller's own.
		x, y := unixPair(t)
		_, waitErr := p.Wait(make([]poll.Event, 1), 0)
		for name, err := range map[string]error{
			"Add": p.Add(x.fd, 2, both, poll.Edge), "Modify": p.Modify(a.fd, 2, both, poll.Edge),
			"Remove": p.Remove(a.fd), "Wait": waitErr, "Wake": p.Wake(), "Close": p.Close(),
		} {
			if err != unix.EBADF {
				t.Errorf("%s: got %v, want EBADF", name, err)
			}
		}
		p.Rearm(a.fd, both)
		if got := x.drain(p) + y.drain(p); got != "" {
			t.Errorf("a stranger's socket received %q", got)
		}
	})
}

func TestRemoveEndsReports(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, both, mode))
		b.write("x")
		must0(p.Remove(a.fd))
		b.close()
		if got := now(t, p); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestRemoveKeepsTheOthers(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		var ends [5]*end
		for i := range ends {
			ends[i], _ = unixPair(t)
			must0(p.Add(ends[i].fd, uint64(i), poll.Writable, poll.Level))
		}
		for i := range ends {
			must0(p.Remove(ends[i].fd))
			if got := now(t, p); len(got) != len(ends)-1-i || got[uint64(i)] != 0 {
				t.Errorf("after removing %d: got %v", i, got)
			}
		}
	})
}

// The number of a closed descriptor goes to the next one opened; the tag tells them apart.
func TestReusedNumberReportsTheNewTag(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, 1<<32|7, both, mode))
		b.write("stale")
		if !p.ForgetsClosed() {
			must0(p.Remove(a.fd))
		}
		c, d := unixPair(t)
		a.become(c)
		must0(p.Add(a.fd, 2<<32|7, poll.Readable, mode))
		if got := now(t, p); len(got) != 0 {
			t.Errorf("before: got %v", got)
		}
		d.write("fresh")
		if got := now(t, p); len(got) != 1 || got[2<<32|7] != poll.Readable {
			t.Errorf("got %v", got)
		}
	})
}

func TestRemoveBeforeCloseOfADuplicatedDescriptor(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		twin := newEnd(t, must(unix.Dup(a.fd)))
		must0(p.Add(a.fd, tag, poll.Readable, mode))
		must0(p.Remove(a.fd))
		a.close()
		b.write("for the twin")
		if got := now(t, p); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		if got := twin.drain(p); got != "for the twin" {
			t.Errorf("the twin read %q", got)
		}
	})
}

// The trap that the test before this one avoids: with epoll a registration belongs to the open file, which a duplicate keeps. The
// others go by number.
func TestDuplicateKeepsAForgottenRegistration(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		newEnd(t, must(unix.Dup(a.fd)))
		must0(p.Add(a.fd, tag, poll.Readable, mode))
		a.close()
		b.write("x")
		if p.kind != poll.Epoll {
			if got := now(t, p)[tag]; got&poll.Readable != 0 {
				t.Errorf("got %06b", got)
			}
			return
		}
		await(t, p, tag, poll.Readable)
		if err := p.Remove(a.fd); err != unix.EBADF {
			t.Errorf("Remove: %v", err)
		}
	})
}

func TestBothDuplicatesAreReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		twin := newEnd(t, must(unix.Dup(a.fd)))
		must0(p.Add(a.fd, 1, poll.Readable, mode))
		must0(p.Add(twin.fd, 2, poll.Readable, mode))
		b.write("x")
		if got := now(t, p); got[1] != poll.Readable || got[2] != poll.Readable {
			t.Errorf("got %v", got)
		}
	})
}

func TestClosedDescriptorIsReportedOnceOrForgotten(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := unixPair(t)
		c, _ := unixPair(t)
		must0(p.Add(a.fd, tag, both, mode))
		a.close()
		if got := now(t, p)[tag]; (got == poll.Error) == p.ForgetsClosed() {
			t.Errorf("got %06b", got)
		}
		if got := now(t, p); len(got) != 0 {
			t.Errorf("spins: %v", got)
		}
		// A new descriptor with its number can be registered, though nobody called Remove.
		a.become(c)
		must0(p.Add(a.fd, 5, poll.Writable, mode))
		await(t, p, 5, poll.Writable)
	})
}

// Select refuses them all for one that is closed.
func TestClosedDescriptorDoesNotHideTheOthers(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := unixPair(t)
		c, _ := unixPair(t)
		must0(p.Add(a.fd, 1, both, mode))
		must0(p.Add(c.fd, 2, both, mode))
		a.close()
		if got := await(t, p, 2, poll.Writable); got != poll.Writable {
			t.Errorf("got %06b", got)
		}
	})
}

func TestSelectRefusesDescriptorsOverItsLimit(t *testing.T) {
	const limit = len(unix.FdSet{}.Bits) * unix.NFDBITS
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		b.write("x")
		last := newEnd(t, must(unix.FcntlInt(uintptr(a.fd), unix.F_DUPFD, limit-1)))
		over := newEnd(t, must(unix.FcntlInt(uintptr(a.fd), unix.F_DUPFD, limit)))
		if last.fd != limit-1 {
			t.Fatalf("descriptor %d is in use", limit-1)
		}
		must0(p.Add(last.fd, 1, both, mode))
		await(t, p, 1, both)
		err := p.Add(over.fd, 2, both, mode)
		if p.kind != poll.Select {
			must0(err)
			await(t, p, 2, both)
			return
		}
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), strconv.Itoa(limit)) || !strings.Contains(err.Error(), strconv.Itoa(over.fd)) {
			t.Errorf("Add: %v", err)
		}
		if err := p.Remove(over.fd); err != unix.ENOENT {
			t.Errorf("Remove of what was refused: %v", err)
		}
	})
}

// The wake-up of a poller on select has to be below the limit, too.
func TestPollerNeedsADescriptorBelowItsLimit(t *testing.T) {
	const limit = len(unix.FdSet{}.Bits) * unix.NFDBITS
	guard(t)
	a, _ := unixPair(t)
	for {
		if e := newEnd(t, must(unix.Dup(a.fd))); e.fd >= limit {
			break
		}
	}
	if _, err := poll.New(poll.Select); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), strconv.Itoa(limit)) {
		t.Errorf("New: %v", err)
	}
}

func TestWaitDoesNotAllocate(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Writable, mode))
		into := make([]poll.Event, 64)
		for _, timeout := range []time.Duration{0, time.Microsecond} {
			allocs := testing.AllocsPerRun(100, func() {
				must0(p.Wake())
				must(p.Wait(into, timeout))
				p.Rearm(a.fd, poll.Writable)
			})
			if allocs != 0 {
				t.Errorf("timeout %v: %v allocations", timeout, allocs)
			}
		}
	})
}
