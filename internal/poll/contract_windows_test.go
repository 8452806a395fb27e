package poll_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/corobridge/corobridge/internal/poll"
)

// These are the properties of the contract for sockets of TCP, where what one end does arrives a moment later.

// both halves have their top bit set: neither may be sign-extended into the other.
const tag = 0xfedcba98_89abcdef

const both = poll.Readable | poll.Writable

var modes = map[string]poll.Mode{"edge": poll.Edge, "level": poll.Level}

func TestConditionsAreReported(t *testing.T) {
	reset := func(a, b *end) {
		must0(windows.SetsockoptLinger(windows.Handle(b.fd), windows.SOL_SOCKET, windows.SO_LINGER, &windows.Linger{Onoff: 1}))
		b.close()
	}
	tests := map[string]struct {
		want    poll.Events
		happens func(a, b *end)
		exactly poll.Events
	}{
		"readable":              {poll.Readable, func(a, b *end) { b.write("x") }, poll.Readable},
		"writable":              {poll.Writable, func(a, b *end) {}, poll.Writable},
		"both":                  {both, func(a, b *end) { b.write("x") }, both},
		"half-closed":           {poll.Readable, func(a, b *end) { ok(k.Shutdown(b.fd, syscall.SHUT_WR)) }, poll.Readable | poll.ReadHangup},
		"closed":                {both, func(a, b *end) { b.close() }, both | poll.ReadHangup},
		"reset":                 {both, reset, both | poll.ReadHangup | poll.Hangup | poll.Error},
		"reset, nothing wanted": {0, reset, poll.Hangup | poll.Error},
		"urgent":                {poll.Priority, func(a, b *end) { urgent(b) }, poll.Priority},
	}
	for name, tt := range tests {
		for modeName, mode := range modes {
			t.Run(name+"/"+modeName, func(t *testing.T) {
				p := newPoller(t)
				a, b := pair(t)
				must0(p.Add(a.fd, tag, tt.want, mode))
				tt.happens(a, b)
				if got := await(t, p, tag, tt.exactly); got != tt.exactly {
					t.Errorf("got %06b, want %06b", got, tt.exactly)
				}
			})
		}
	}
}

// urgent sends out-of-band data.
func urgent(e *end) {
	const oob = 1
	one := byte('!')
	var sent uint32
	must0(windows.WSASend(windows.Handle(e.fd), &windows.WSABuf{Len: 1, Buf: &one}, 1, &sent, oob, nil, nil))
}

// What the peer has shut down is not told of to who only writes: he would be told in each wait.
func TestHalfCloseDoesNotWakeAWriter(t *testing.T) {
	for modeName, mode := range modes {
		t.Run(modeName, func(t *testing.T) {
			p := newPoller(t)
			a, b := pair(t)
			must0(p.Add(a.fd, 1, poll.Readable, poll.Level))
			ok(k.Shutdown(b.fd, syscall.SHUT_WR))
			await(t, p, 1, poll.ReadHangup)
			a.fill(p)
			must0(p.Modify(a.fd, tag, poll.Writable, mode))
			const timeout = 10 * time.Millisecond
			start := time.Now()
			if got := wait(t, p, timeout); len(got) != 0 {
				t.Fatalf("got %v", got)
			}
			if took := time.Since(start); took < timeout {
				t.Fatalf("a wait for %v ended after %v", timeout, took)
			}
			for full := true; full; { // it becomes writable while this waits
				b.drain(p)
				full = wait(t, p, time.Millisecond)[tag] != poll.Writable
			}
		})
	}
}

func TestHalfCloseLeavesDataReadable(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	must0(p.Add(a.fd, tag, poll.Readable, poll.Level))
	b.write("last words")
	ok(k.Shutdown(b.fd, syscall.SHUT_WR))
	await(t, p, tag, poll.Readable)
	if got := a.drain(p); got != "last words" {
		t.Errorf("read %q", got)
	}
	await(t, p, tag, poll.Readable|poll.ReadHangup)
}

func TestRefusedConnectionIsReported(t *testing.T) {
	for modeName, mode := range modes {
		t.Run(modeName, func(t *testing.T) {
			p := newPoller(t)
			_, addr := bound(t) // nobody listens there, and nobody else gets the port
			fd, errno := k.Socket("tcp4", false)
			ok(errno)
			a := newEnd(t, fd)
			if errno := k.Connect(fd, addr); errno != syscall.EINPROGRESS {
				t.Skipf("refused at once: %v", errno)
			}
			must0(p.Add(a.fd, tag, both, mode))
			await(t, p, tag, poll.Error|poll.Writable)
			const soError = 0x1007
			outcome, errno := k.SockoptInt(fd, windows.SOL_SOCKET, soError)
			ok(errno)
			if got := syscall.Errno(outcome); got != syscall.ECONNREFUSED {
				t.Errorf("the outcome is %v", got)
			}
		})
	}
}

func TestEdgeIsReportedOnceUntilDrained(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	must0(p.Add(a.fd, tag, both, poll.Edge))
	b.write("one")
	await(t, p, tag, both)
	for range 3 {
		if got := now(t, p); len(got) != 0 {
			t.Fatalf("reported again: %v", got)
		}
	}
	a.drain(p)
	if got := now(t, p); len(got) != 0 {
		t.Fatalf("reported when drained: %v", got)
	}
	b.write("two")
	await(t, p, tag, poll.Readable)
	if got := a.drain(p); got != "two" {
		t.Errorf("read %q", got)
	}
}

func TestEdgeWritableAfterBlocking(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	must0(p.Add(a.fd, tag, both, poll.Edge))
	await(t, p, tag, poll.Writable)
	a.fill(p)
	for got := poll.Events(0); got&poll.Writable == 0; got = wait(t, p, time.Millisecond)[tag] {
		b.drain(p)
	}
}

func TestEdgeResetDoesNotSpin(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	must0(p.Add(a.fd, tag, both, poll.Edge))
	must0(windows.SetsockoptLinger(windows.Handle(b.fd), windows.SOL_SOCKET, windows.SO_LINGER, &windows.Linger{Onoff: 1}))
	b.close()
	await(t, p, tag, poll.Hangup)
	for range 3 {
		if got := now(t, p); len(got) != 0 {
			t.Fatalf("reported again: %v", got)
		}
	}
}

func TestLevelIsReportedEachTime(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	must0(p.Add(a.fd, tag, poll.Readable, poll.Level))
	b.write("x")
	await(t, p, tag, poll.Readable)
	for range 3 {
		if got := now(t, p)[tag]; got != poll.Readable {
			t.Fatalf("got %06b", got)
		}
	}
	a.drain(p)
	if got := now(t, p); len(got) != 0 {
		t.Errorf("reported when drained: %v", got)
	}
}

func TestRegistrationErrors(t *testing.T) {
	p := newPoller(t)
	a, _ := pair(t)
	b, _ := pair(t)
	closed, _ := pair(t)
	closed.close()
	file := must(os.Open(must(os.Executable())))
	defer file.Close()
	must0(p.Add(a.fd, 1, poll.Readable, poll.Edge))
	tests := map[string]struct{ got, want error }{
		"add twice":        {p.Add(a.fd, 2, poll.Readable, poll.Edge), syscall.EEXIST},
		"add closed":       {p.Add(closed.fd, 2, poll.Readable, poll.Edge), syscall.EBADF},
		"add a file":       {p.Add(int(file.Fd()), 2, poll.Readable, poll.Level), syscall.EPERM},
		"add reserved tag": {p.Add(b.fd, poll.ReservedTag, poll.Readable, poll.Edge), syscall.EINVAL},
		"modify unknown":   {p.Modify(b.fd, 2, poll.Readable, poll.Edge), syscall.ENOENT},
		"remove":           {p.Remove(a.fd), nil},
		"remove twice":     {p.Remove(a.fd), syscall.ENOENT},
	}
	_, err := p.Wait(nil, 0)
	tests["no room"] = struct{ got, want error }{err, syscall.EINVAL}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", name, tt.got, tt.want)
		}
	}
}

func TestCallsAfterCloseFail(t *testing.T) {
	p := newPoller(t)
	a, _ := pair(t)
	must0(p.Add(a.fd, 1, poll.Readable, poll.Edge))
	must0(p.Close())
	_, waitErr := p.Wait(make([]poll.Event, 1), 0)
	for name, err := range map[string]error{
		"Add": p.Add(a.fd, 2, both, poll.Edge), "Modify": p.Modify(a.fd, 2, both, poll.Edge),
		"Remove": p.Remove(a.fd), "Wait": waitErr, "Wake": p.Wake(), "Close": p.Close(),
	} {
		if err != syscall.EBADF {
			t.Errorf("%s: got %v, want EBADF", name, err)
		}
	}
}

// A socket that was closed and not removed is refused together with all others, and may not hide what they are ready for.
func TestClosedSocketIsReportedOnceBesideOthers(t *testing.T) {
	for modeName, mode := range modes {
		t.Run(modeName, func(t *testing.T) {
			p := newPoller(t)
			a, _ := pair(t)
			c, _ := pair(t)
			must0(p.Add(a.fd, tag, both, mode))
			must0(p.Add(c.fd, 2, poll.Writable, poll.Level))
			a.close()
			if got := now(t, p); got[tag] != poll.Error {
				t.Errorf("got %v", got)
			}
			for range 3 {
				if got := now(t, p); len(got) != 1 || got[2] != poll.Writable {
					t.Errorf("got %v", got)
				}
			}
		})
	}
}

func TestClosedDuringAWaitIsReported(t *testing.T) {
	p := newPoller(t)
	for range 20 {
		a, _ := pair(t)
		must0(p.Add(a.fd, tag, poll.Readable, poll.Level))
		var over sync.WaitGroup
		over.Go(a.close)
		await(t, p, tag, poll.Error)
		over.Wait()
		if got := now(t, p); len(got) != 0 {
			t.Errorf("reported again: %v", got)
		}
		must0(p.Remove(a.fd))
	}
}

func TestWakes(t *testing.T) {
	p := newPoller(t)
	a, _ := pair(t)
	must0(p.Add(a.fd, tag, poll.Readable, poll.Edge))
	for range 1000 {
		must0(p.Wake())
	}
	if got := wait(t, p, -1); len(got) != 0 {
		t.Errorf("a wake-up was reported: %v", got)
	}
	const timeout = 2 * time.Millisecond
	start := time.Now()
	wait(t, p, timeout)
	if took := time.Since(start); took < timeout {
		t.Errorf("one more wait returned early, after %v", took)
	}
	for range 100 {
		var over sync.WaitGroup
		over.Go(func() { must0(p.Wake()) })
		if got := wait(t, p, -1); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		over.Wait()
	}
}

// A lost wake-up hangs.
func TestNoWakeIsLost(t *testing.T) {
	p := newPoller(t)
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
}

func TestChangesTakeEffectInABlockingWait(t *testing.T) {
	p := newPoller(t)
	for range 20 {
		a, b := pair(t)
		b.write("x")
		var over sync.WaitGroup
		over.Go(func() {
			must0(p.Add(a.fd, 1, 0, poll.Edge))
			must0(p.Modify(a.fd, tag, poll.Readable, poll.Edge))
		})
		await(t, p, tag, poll.Readable)
		over.Wait()
		over.Go(func() { a.drain(p); b.write("x") })
		await(t, p, tag, poll.Readable)
		over.Wait()
		must0(p.Remove(a.fd))
	}
}

func TestTimeouts(t *testing.T) {
	p := newPoller(t)
	for _, timeout := range []time.Duration{time.Nanosecond, 100 * time.Microsecond, time.Millisecond, 1001 * time.Microsecond} {
		for range 5 {
			start := time.Now()
			if got := wait(t, p, timeout); len(got) != 0 {
				t.Fatalf("got %v", got)
			}
			if took := time.Since(start); took < timeout {
				t.Errorf("a timeout of %v returned after %v", timeout, took)
			}
		}
	}
	for range 10_000 { // were each rounded up to a tick, this would end the watchdog's patience
		wait(t, p, 0)
	}
	a, b := pair(t)
	must0(p.Add(a.fd, tag, poll.Readable, poll.Edge))
	var over sync.WaitGroup
	over.Go(func() { b.write("x") })
	for wait(t, p, 1<<63-1)[tag] == 0 {
	}
	over.Wait()
}

func TestManySocketsInTurn(t *testing.T) {
	for modeName, mode := range modes {
		t.Run(modeName, func(t *testing.T) {
			p := newPoller(t)
			const count, room = 100, 3
			for i := range uint64(count) {
				a, _ := pair(t)
				must0(p.Add(a.fd, i, poll.Writable, mode))
			}
			seen := map[uint64]bool{}
			var into [room]poll.Event
			for range 2 * count / room {
				for _, ev := range into[:must(p.Wait(into[:], 0))] {
					seen[ev.Tag] = true
				}
			}
			if len(seen) != count {
				t.Errorf("%d of %d were reported", len(seen), count)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	for _, kind := range []poll.Kind{poll.Epoll, poll.Kqueue, poll.Select, 99} {
		if _, err := poll.New(kind); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v: %v", kind, err)
		}
	}
	p := must(poll.New(poll.Poll))
	must0(p.Close())
	before := handles(t)
	for range 100 {
		must0(must(poll.New(poll.Poll)).Close())
	}
	if after := handles(t); after > before+10 {
		t.Errorf("%d handles before, %d after", before, after)
	}
}

func TestWaitDoesNotAllocate(t *testing.T) {
	p := newPoller(t)
	a, _ := pair(t)
	must0(p.Add(a.fd, tag, poll.Writable, poll.Edge))
	into := make([]poll.Event, 64)
	for _, timeout := range []time.Duration{0, time.Microsecond} {
		allocs := testing.AllocsPerRun(100, func() {
			must0(p.Wake())
			must(p.Wait(into, timeout))
			p.Rearm(a.fd, poll.Writable)
			must(p.Wait(into, timeout))
		})
		if allocs != 0 {
			t.Errorf("timeout %v: %v allocations", timeout, allocs)
		}
	}
}
