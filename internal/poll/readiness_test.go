//go:build unix && !aix

package poll_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
)

// both halves have their top bit set: neither may be sign-extended into the other.
const tag = 0xfedcba98_89abcdef

const both = poll.Readable | poll.Writable

func TestConditionsAreReported(t *testing.T) {
	const all = both | poll.Priority | poll.ReadHangup | poll.Hangup | poll.Error
	tests := map[string]struct {
		pair    func(*testing.T) (a, b *end)
		want    poll.Events
		happens func(a, b *end)
		exactly poll.Events
	}{
		"readable": {unixPair, poll.Readable, func(a, b *end) { b.write("x") }, poll.Readable},
		"writable": {unixPair, poll.Writable, func(a, b *end) {}, poll.Writable},
		"both":     {unixPair, both, func(a, b *end) { b.write("x") }, both},
		"half-closed": {unixPair, poll.Readable, func(a, b *end) { must0(unix.Shutdown(b.fd, unix.SHUT_WR)) },
			poll.Readable | poll.ReadHangup},
		"half-closed, only writable wanted": {unixPair, poll.Writable,
			func(a, b *end) { must0(unix.Shutdown(b.fd, unix.SHUT_WR)) }, poll.Writable},
		"half-closed over TCP": {tcpPair, both, func(a, b *end) { must0(unix.Shutdown(b.fd, unix.SHUT_WR)) },
			both | poll.ReadHangup},
		"hung up": {unixPair, both, func(a, b *end) { b.close() }, both | poll.ReadHangup | poll.Hangup},
		"hung up, nothing wanted": {unixPair, 0, func(a, b *end) { b.close() },
			poll.Hangup},
		"hung up, only priority wanted": {unixPair, poll.Priority, func(a, b *end) { b.close() }, poll.Hangup},
		"reset":                         {tcpPair, both, func(a, b *end) { reset(b) }, all &^ poll.Priority},
		"reset, nothing wanted":         {tcpPair, 0, func(a, b *end) { reset(b) }, poll.Hangup | poll.Error},
		"urgent": {tcpPair, poll.Priority, func(a, b *end) { must0(unix.Send(b.fd, []byte("!"), unix.MSG_OOB)) },
			poll.Priority},
		"data beside urgent": {tcpPair, poll.Readable | poll.Priority, func(a, b *end) {
			b.write("x")
			must0(unix.Send(b.fd, []byte("!"), unix.MSG_OOB))
		}, poll.Readable | poll.Priority},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
				a, b := tt.pair(t)
				must0(p.Add(a.fd, tag, tt.want, mode))
				tt.happens(a, b)
				exactly := tt.exactly & p.words()
				got := await(t, p, tag, exactly)
				if exactly == 0 { // nothing that p can tell
					got = now(t, p)[tag]
				}
				if got&^p.blurs() != exactly&^p.blurs() {
					t.Errorf("got %06b, want %06b", got, exactly)
				}
			})
		})
	}
}

// reset makes the peer see ECONNRESET.
func reset(e *end) {
	must0(unix.SetsockoptLinger(e.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	e.close()
}

func TestSilentDescriptorIsNotReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Readable|poll.Priority, mode))
		if got := now(t, p); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestHalfCloseLeavesDataReadable(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Readable, mode))
		b.write("last words")
		must0(unix.Shutdown(b.fd, unix.SHUT_WR))
		if got := await(t, p, tag, poll.Readable|poll.ReadHangup); got&poll.Hangup != 0 && p.blurs() == 0 {
			t.Errorf("one side is down, not both: %06b", got)
		}
		if got := a.drain(p); got != "last words" {
			t.Errorf("read %q", got)
		}
	})
}

func TestHalfCloseAfterDataIsReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Readable, mode))
		b.write("x")
		await(t, p, tag, poll.Readable)
		must0(unix.Shutdown(b.fd, unix.SHUT_WR))
		// A short read: the caller has seen it block, though no call has said EAGAIN.
		must(unix.Read(a.fd, make([]byte, 16)))
		p.Rearm(a.fd, poll.Readable)
		await(t, p, tag, poll.Readable|poll.ReadHangup)
	})
}

func TestRefusedConnectionIsReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		// Bound but not listening, so nobody else gets the port.
		deaf := newSocket(t)
		must0(unix.Bind(deaf.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		a := newSocket(t)
		a.unblock()
		err := unix.Connect(a.fd, must(unix.Getsockname(deaf.fd)))
		if err == unix.ECONNREFUSED && runtime.GOOS != "linux" {
			return // at once, as some systems do on the loopback
		}
		if err != unix.EINPROGRESS {
			t.Fatal(err)
		}
		must0(p.Add(a.fd, tag, both, mode))
		await(t, p, tag, poll.Error|poll.Writable)
		if got := unix.Errno(must(unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR))); got != unix.ECONNREFUSED {
			t.Errorf("SO_ERROR is %v", got)
		}
	})
}

func TestEdgeIsReportedOnceUntilDrained(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, both, poll.Edge))
		b.write("one")
		await(t, p, tag, both)
		for range 3 {
			if got := now(t, p); len(got) != 0 {
				t.Fatalf("reported again: %v", got)
			}
		}
		a.drain(p)
		if got := now(t, p)[tag]; got&poll.Readable != 0 {
			t.Fatalf("reported when drained: %06b", got)
		}
		b.write("two")
		await(t, p, tag, poll.Readable)
		if got := a.drain(p); got != "two" {
			t.Errorf("read %q", got)
		}
	})
}

func TestEdgeWritableAfterBlocking(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, both, poll.Edge))
		await(t, p, tag, poll.Writable)
		a.fill(p)
		if got := now(t, p)[tag]; got&poll.Writable != 0 {
			t.Fatalf("reported when full: %06b", got)
		}
		b.drain(p)
		await(t, p, tag, poll.Writable)
	})
}

func TestRearmOfAnUnwantedDirection(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Readable, mode))
		p.Rearm(a.fd, both)
		if got := now(t, p); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestEdgeHangupDoesNotSpin(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, both, poll.Edge))
		b.close()
		await(t, p, tag, both|poll.Hangup)
		for range 3 {
			if got := now(t, p); len(got) != 0 {
				t.Fatalf("reported again: %v", got)
			}
		}
	})
}

// A connection whose reader pauses has every direction disarmed in a level-triggered facility. Select has no word for what
// comes then, and tells when the reader goes on.
func TestEdgeHangupIsReportedToAPausedReader(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, both, poll.Edge))
		b.write("unread")
		await(t, p, tag, both)
		b.close()
		if p.words()&poll.Hangup != 0 {
			await(t, p, tag, poll.Hangup)
		} else {
			if got := now(t, p); len(got) != 0 {
				t.Errorf("reported again: %v", got)
			}
			p.Rearm(a.fd, poll.Readable)
			await(t, p, tag, poll.Readable)
		}
		if got := a.drain(p); got != "unread" {
			t.Errorf("read %q", got)
		}
	})
}

func TestLevelIsReportedEachTime(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, tag, poll.Readable, poll.Level))
		b.write("x")
		for range 3 {
			if got := now(t, p)[tag]; got != poll.Readable {
				t.Fatalf("got %06b", got)
			}
		}
		a.drain(p)
		if got := now(t, p); len(got) != 0 {
			t.Errorf("reported when drained: %v", got)
		}
		b.close()
		for range 3 {
			want := (poll.Readable | poll.Hangup) & p.words()
			if got := now(t, p)[tag]; got&want != want {
				t.Fatalf("got %06b", got)
			}
		}
	})
}

func TestModifyReplacesTagDirectionsAndMode(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := unixPair(t)
		must0(p.Add(a.fd, 1, poll.Readable, poll.Edge))
		b.write("x")
		await(t, p, 1, poll.Readable)
		must0(p.Modify(a.fd, 2, poll.Readable, poll.Edge))
		if got := now(t, p); len(got) != 1 || got[2] != poll.Readable {
			t.Errorf("edge again: got %v", got)
		}
		must0(p.Modify(a.fd, 3, poll.Writable, poll.Level))
		for range 2 {
			if got := now(t, p); len(got) != 1 || got[3] != poll.Writable {
				t.Errorf("level: got %v", got)
			}
		}
		must0(p.Modify(a.fd, 4, 0, poll.Level))
		if got := now(t, p); len(got) != 0 {
			t.Errorf("nothing wanted: got %v", got)
		}
	})
}

// A regular file is always ready. Epoll refuses it.
func TestRegularFile(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		f := must(os.Create(filepath.Join(t.TempDir(), "file")))
		defer f.Close()
		must(f.WriteAt([]byte("x"), 0)) // kqueue has a file's end for not readable
		err := p.Add(int(f.Fd()), tag, both, mode)
		if p.kind == poll.Epoll {
			if err != unix.EPERM {
				t.Errorf("got %v, want EPERM", err)
			}
			return
		}
		must0(err)
		await(t, p, tag, both)
		if got := now(t, p)[tag]; (got == both) != (mode == poll.Level) {
			t.Errorf("again: got %06b", got)
		}
	})
}

// A kernel's list of ready descriptors may be longer than the caller's room for it.
func TestLittleRoomStarvesNobody(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		const count, room = 10, 3
		for i := range uint64(count) {
			a, _ := unixPair(t)
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
