//go:build (unix && !aix) || windows

package poll_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestRegistrationErrors(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, _ := pair(t)
		b, _ := pair(t)
		closed, _ := pair(t)
		closed.close()
		testkit.Check(p.Add(a.fd, 1, poll.Readable, poll.Edge))
		tests := map[string]struct{ got, want error }{
			"add twice":           {p.Add(a.fd, 2, poll.Readable, poll.Edge), syscall.EEXIST},
			"add closed":          {p.Add(closed.fd, 2, poll.Readable, poll.Edge), syscall.EBADF},
			"add negative":        {p.Add(-1, 2, poll.Readable, poll.Edge), syscall.EBADF},
			"add reserved tag":    {p.Add(b.fd, poll.ReservedTag, poll.Readable, poll.Edge), syscall.EINVAL},
			"modify unknown":      {p.Modify(b.fd, 2, poll.Readable, poll.Edge), syscall.ENOENT},
			"modify reserved tag": {p.Modify(a.fd, poll.ReservedTag, poll.Readable, poll.Edge), syscall.EINVAL},
			"remove unknown":      {p.Remove(b.fd), syscall.ENOENT},
			"remove":              {p.Remove(a.fd), nil},
			"remove twice":        {p.Remove(a.fd), syscall.ENOENT},
		}
		_, err := p.Wait(nil, 0)
		tests["no room"] = struct{ got, want error }{err, syscall.EINVAL}
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
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, 1, poll.Readable, poll.Edge))
		testkit.Check(p.Close())
		// These get the numbers that were the poller's own.
		x, y := pair(t)
		_, waitErr := p.Wait(make([]poll.Event, 1), 0)
		for name, err := range map[string]error{
			"Add": p.Add(x.fd, 2, both, poll.Edge), "Modify": p.Modify(a.fd, 2, both, poll.Edge),
			"Remove": p.Remove(a.fd), "Wait": waitErr, "Wake": p.Wake(), "Close": p.Close(),
		} {
			if err != syscall.EBADF {
				t.Errorf("%s: got %v, want EBADF", name, err)
			}
		}
		p.Rearm(a.fd, both)
		if got := x.drain(p) + y.drain(p); got != "" {
			t.Errorf("a stranger's socket received %q, want %q", got, "")
		}
	})
}

func TestRemoveEndsReports(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, mode))
		b.write("x")
		testkit.Check(p.Remove(a.fd))
		b.close()
		if got := now(t, p); len(got) != 0 {
			t.Errorf("of a removed descriptor: got %v, want nothing", got)
		}
	})
}

func TestRemoveKeepsTheOthers(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		var ends [5]*end
		for i := range ends {
			ends[i], _ = pair(t)
			testkit.Check(p.Add(ends[i].fd, uint64(i), poll.Writable, poll.Level))
		}
		for i := range ends {
			testkit.Check(p.Remove(ends[i].fd))
			if got := now(t, p); len(got) != len(ends)-1-i || got[uint64(i)] != 0 {
				t.Errorf("after removing %d: got %v, want the %d that are left", i, got, len(ends)-1-i)
			}
		}
	})
}

func TestClosedDescriptorIsReportedOnceOrForgotten(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, mode))
		a.close()
		if got := now(t, p)[tag]; (got == poll.Error) == p.ForgetsClosed() {
			t.Errorf("of a closed descriptor: got %06b; want %06b, or nothing if the facility forgets it (%v)", got, poll.Error, p.ForgetsClosed())
		}
		if got := now(t, p); len(got) != 0 {
			t.Errorf("a closed descriptor is reported again: %v, want nothing", got)
		}
	})
}

// Select and Windows refuse all for one that is closed.
func TestClosedDescriptorDoesNotHideTheOthers(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		c, _ := pair(t)
		testkit.Check(p.Add(a.fd, 1, both, mode))
		testkit.Check(p.Add(c.fd, 2, both, mode))
		a.close()
		if got := await(t, p, 2, poll.Writable); got != poll.Writable {
			t.Errorf("got %06b, want only that it is writable", got)
		}
	})
}

func TestClosedDescriptorIsReportedBesideTheOthers(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		c, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, mode))
		testkit.Check(p.Add(c.fd, 2, poll.Writable, poll.Level))
		a.close()
		if got := await(t, p, 2, poll.Writable); got != poll.Writable {
			t.Errorf("got %06b for the other, want only that it is writable", got)
		}
		for range 3 {
			if got := now(t, p); len(got) != 1 || got[2] != poll.Writable {
				t.Errorf("got %v, want the other one alone", got)
			}
		}
	})
}

func TestWaitDoesNotAllocate(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Writable, mode))
		into := make([]poll.Event, 64)
		for _, timeout := range []time.Duration{0, time.Microsecond} {
			allocs := testing.AllocsPerRun(100, func() {
				testkit.Check(p.Wake())
				testkit.Must(p.Wait(into, timeout))
				p.Rearm(a.fd, poll.Writable)
			})
			if allocs != 0 {
				t.Errorf("timeout %v: %v allocations, want 0", timeout, allocs)
			}
		}
	})
}
