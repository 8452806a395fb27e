//go:build linux

package reactor_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestRegistrationsMoveToAnotherPoller(t *testing.T) {
	l := testkit.NewLoop(t)
	a, b := pair(t)
	c, d := pair(t)
	got := ""
	note := func(s string) func() { return func() { got += s } }
	testkit.Check(l.AddReader(a.fd, note("r")))
	testkit.Check(l.AddWriter(a.fd, note("w")))
	l.RemoveWriter(a.fd)
	testkit.Check(l.AddReader(b.fd, note("x")))
	testkit.Check(l.AddWriter(b.fd, note("W")))
	l.RemoveReader(b.fd)
	s := testkit.Must(attach(l, c.fd, handler(func(e loop.Events) {
		if e&loop.Readable != 0 {
			got += "e"
			c.read(10)
		}
	})))
	b.write("x")
	for _, kind := range []reactor.PollerKind{reactor.Poll, reactor.Poll, reactor.Epoll, reactor.Select, reactor.Auto, reactor.Select, reactor.Poll} {
		testkit.Check(core(l).SetPoller(kind))
		d.write("y")
		got = ""
		testkit.Turns(t, l, 1)
		if len(got) != 3 || count([]int{int(got[0]), int(got[1]), int(got[2])}, 'e') != 1 {
			t.Errorf("%v: got %s, want r, W and e", kind, got)
		}
		s.Blocked(loop.Readable)
	}
	for range 2 {
		if err := core(l).SetPoller(reactor.Kqueue); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("SetPoller: %v, want %v", err, errors.ErrUnsupported)
		}
	}
	got = ""
	testkit.Turns(t, l, 1)
	if len(got) != 2 {
		t.Errorf("after a refusal: got %s, want r and W", got)
	}
	l.CallSoon(func() {
		testkit.Panics(t, runningAlready, func() { core(l).SetPoller(reactor.Epoll) })
	})
	testkit.Turns(t, l, 1)
	l.Close() // before the descriptors
	if err := core(l).SetPoller(reactor.Epoll); err != reactor.ErrClosed {
		t.Errorf("on a closed loop: %v, want %v", err, reactor.ErrClosed)
	}
}

func TestARefusedPollerLeavesNothing(t *testing.T) {
	l := testkit.NewLoop(t)
	a, b := pair(t)
	testkit.Check(l.AddReader(a.fd, func() {}))
	testkit.Check(l.AddReader(b.fd, func() {}))
	a.close() // the new poller takes one of the numbers for itself, and cannot take the other in
	b.close()
	if err := core(l).SetPoller(reactor.Poll); err == nil {
		t.Error("SetPoller with two closed descriptors = nil, want an error")
	}
	testkit.Turns(t, l, 1)
}

// A descriptor that is too high for select is an error of the call that adds it, and of the change
// to select while it is there.
func TestSelectRefusesAHighDescriptor(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithPoller(reactor.Select))
	a, b := pair(t)
	high := testkit.Must(unix.FcntlInt(uintptr(a.fd), unix.F_DUPFD_CLOEXEC, 1024))
	defer unix.Close(high)
	says := func(err error) bool {
		return errors.Is(err, syscall.EINVAL) && strings.Contains(err.Error(), "below 1024")
	}
	if err := l.AddReader(high, func() {}); !says(err) {
		t.Errorf("AddReader(%d) = %v, want %v that says below 1024", high, err, syscall.EINVAL)
	}
	if l.RemoveReader(high) {
		t.Error("RemoveReader of what was refused = true, want false")
	}
	testkit.Check(core(l).SetPoller(reactor.Epoll))
	n := 0
	testkit.Check(l.AddReader(high, func() { n++ }))
	if err := core(l).SetPoller(reactor.Select); !says(err) {
		t.Errorf("SetPoller = %v, want %v that says below 1024", err, syscall.EINVAL)
	}
	b.write("x")
	testkit.Turns(t, l, 1)
	if n != 1 {
		t.Errorf("the loop that kept its poller called %d times, want 1", n)
	}
	l.RemoveReader(high)
}
