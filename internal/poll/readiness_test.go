//go:build (unix && !aix) || windows

package poll_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// Both halves of tag have their top bit set: neither may be sign-extended into the other.
const tag = 0xfedcba98_89abcdef

const both = poll.Readable | poll.Writable

// condition is one of a descriptor: what is wanted of it, what happens, and what is then reported.
type condition struct {
	pair    func(*testing.T) (a, b *end)
	want    poll.Events
	happens func(a, b *end)
	exactly poll.Events
}

func TestConditionsAreReported(t *testing.T) {
	const all = both | poll.Priority | poll.ReadHangup | poll.Hangup | poll.Error
	tests := map[string]condition{
		"readable": {pair, poll.Readable, func(a, b *end) { b.write("x") }, poll.Readable},
		"writable": {pair, poll.Writable, func(a, b *end) {}, poll.Writable},
		"both":     {pair, both, func(a, b *end) { b.write("x") }, both},
		"half-closed": {pair, poll.Readable, func(a, b *end) { shutdownWrite(b) },
			poll.Readable | poll.ReadHangup},
		"half-closed, only writable wanted": {pair, poll.Writable,
			func(a, b *end) { shutdownWrite(b) }, poll.Writable},
		"half-closed over TCP": {tcpPair, both, func(a, b *end) { shutdownWrite(b) },
			both | poll.ReadHangup},
		"closed, over TCP":      {tcpPair, both, func(a, b *end) { b.close() }, both | poll.ReadHangup},
		"reset":                 {tcpPair, both, func(a, b *end) { reset(b) }, all &^ poll.Priority},
		"reset, nothing wanted": {tcpPair, 0, func(a, b *end) { reset(b) }, poll.Hangup | poll.Error},
		"urgent":                {tcpPair, poll.Priority, func(a, b *end) { sendUrgent(b) }, poll.Priority},
		"data beside urgent": {tcpPair, poll.Readable | poll.Priority, func(a, b *end) {
			b.write("x")
			sendUrgent(b)
		}, poll.Readable | poll.Priority},
	}
	if atOnce { // a connection of TCP is hung up when both sides have ended it
		hangUp := func(a, b *end) { b.close() }
		tests["hung up"] = condition{pair, both, hangUp, both | poll.ReadHangup | poll.Hangup}
		tests["hung up, nothing wanted"] = condition{pair, 0, hangUp, poll.Hangup}
		tests["hung up, only priority wanted"] = condition{pair, poll.Priority, hangUp, poll.Hangup}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
				a, b := tt.pair(t)
				testkit.Check(p.Add(a.fd, tag, tt.want, mode))
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

func TestSilentDescriptorIsNotReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable|poll.Priority, mode))
		if got := now(t, p); len(got) != 0 {
			t.Errorf("of a silent descriptor: got %v, want nothing", got)
		}
	})
}

func TestHalfCloseLeavesDataReadable(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable, mode))
		b.write("last words")
		shutdownWrite(b)
		text, told := "", poll.Events(0)
		for !a.ended {
			told |= await(t, p, tag, poll.Readable)
			text += a.drain(p)
		}
		if text != "last words" {
			t.Errorf("read %q, want %q", text, "last words")
		}
		if want := poll.ReadHangup & p.words(); atOnce && told&want != want {
			t.Errorf("told %06b, want %06b in it: the half-close", told, want)
		}
		if told&poll.Hangup != 0 && p.blurs() == 0 {
			t.Errorf("told %06b, want no hang-up: one side is down and not both", told)
		}
	})
}

// A writer that was told of the half-close in each wait would spin.
func TestHalfCloseDoesNotWakeAWriter(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		if p.blurs() != 0 {
			return // it tells of a hang-up, which is told always
		}
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, 1, poll.Readable, poll.Level))
		shutdownWrite(b)
		await(t, p, 1, poll.Readable|poll.ReadHangup)
		a.fill(p)
		testkit.Check(p.Modify(a.fd, tag, poll.Writable, mode))
		if !lasts(5*time.Millisecond, func(timeout time.Duration) {
			for len(wait(t, p, timeout)) != 0 { // the peer's buffer was not full yet
				a.fill(p)
			}
		}) {
			t.Error("the waits returned early, want them to take their time: nothing is ready")
		}
		for full := true; full; { // it becomes writable while this waits
			b.drain(p)
			full = wait(t, p, time.Millisecond)[tag] != poll.Writable
		}
	})
}

func TestHalfCloseAfterDataIsReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable, mode))
		b.write("x")
		await(t, p, tag, poll.Readable)
		shutdownWrite(b)
		// A short read: the caller has seen it block, though no call has said EAGAIN.
		_, errno := read(a.fd, make([]byte, 16))
		testkit.OK(errno)
		p.Rearm(a.fd, poll.Readable)
		await(t, p, tag, poll.Readable|poll.ReadHangup)
	})
}

func TestRefusedConnectionIsReported(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, outcome, begun := connecting(t)
		if begun == syscall.ECONNREFUSED && runtime.GOOS != "linux" {
			return // at once, as some systems do on the loopback
		}
		if begun != syscall.EINPROGRESS {
			t.Fatalf("connect: %v, want %v", begun, syscall.EINPROGRESS)
		}
		testkit.Check(p.Add(a.fd, tag, both, mode))
		await(t, p, tag, poll.Error|poll.Writable)
		if got := outcome(); got != syscall.ECONNREFUSED {
			t.Errorf("SO_ERROR is %v, want ECONNREFUSED", got)
		}
	})
}

func TestEdgeIsReportedOnceUntilDrained(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, poll.Edge))
		b.write("one")
		await(t, p, tag, both)
		for range 3 {
			if got := now(t, p); len(got) != 0 {
				t.Fatalf("reported again: %v, want an edge to be told once", got)
			}
		}
		a.drain(p)
		if got := now(t, p)[tag]; got&poll.Readable != 0 {
			t.Fatalf("reported when drained: %06b, want it not readable", got)
		}
		b.write("two")
		await(t, p, tag, poll.Readable)
		if got := a.drain(p); got != "two" {
			t.Errorf("read %q, want %q", got, "two")
		}
	})
}

func TestEdgeWritableAfterBlocking(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, both, poll.Edge))
		await(t, p, tag, poll.Writable)
		a.fill(p)
		if got := now(t, p)[tag]; atOnce && got&poll.Writable != 0 {
			t.Fatalf("reported when full: %06b, want it not writable", got)
		}
		for got := poll.Events(0); got&poll.Writable == 0; got = wait(t, p, time.Millisecond)[tag] {
			b.drain(p)
		}
	})
}

func TestRearmOfAnUnwantedDirection(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		a, _ := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable, mode))
		p.Rearm(a.fd, both)
		if got := now(t, p); len(got) != 0 {
			t.Errorf("after Rearm of a direction nobody wants: got %v, want nothing", got)
		}
	})
}

func TestLevelIsReportedEachTime(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Level))
		b.write("x")
		await(t, p, tag, poll.Readable)
		for range 3 {
			if got := now(t, p)[tag]; got != poll.Readable {
				t.Fatalf("got %06b, want %06b", got, poll.Readable)
			}
		}
		a.drain(p)
		if got := now(t, p); len(got) != 0 {
			t.Errorf("reported when drained: %v, want nothing", got)
		}
		b.close()
		await(t, p, tag, poll.Readable)
		for range 3 {
			want := (poll.Readable | poll.ReadHangup) & p.words()
			if got := now(t, p)[tag]; got&want != want {
				t.Fatalf("of a peer that has closed: got %06b, want %06b in it each time", got, want)
			}
		}
	})
}

func TestEdgeResetDoesNotSpin(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := tcpPair(t)
		testkit.Check(p.Add(a.fd, tag, both, poll.Edge))
		reset(b)
		await(t, p, tag, both|poll.Hangup)
		for range 3 {
			if got := now(t, p); len(got) != 0 {
				t.Fatalf("reported again: %v, want an edge to be told once", got)
			}
		}
	})
}

func TestModifyReplacesTagDirectionsAndMode(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		a, b := pair(t)
		testkit.Check(p.Add(a.fd, 1, poll.Readable, poll.Edge))
		b.write("x")
		await(t, p, 1, poll.Readable)
		testkit.Check(p.Modify(a.fd, 2, poll.Readable, poll.Edge))
		if got := now(t, p); len(got) != 1 || got[2] != poll.Readable {
			t.Errorf("edge, after Modify: got %v, want readable again, under tag 2", got)
		}
		testkit.Check(p.Modify(a.fd, 3, poll.Writable, poll.Level))
		for range 2 {
			if got := now(t, p); len(got) != 1 || got[3] != poll.Writable {
				t.Errorf("level, after Modify: got %v, want writable each time, under tag 3", got)
			}
		}
		testkit.Check(p.Modify(a.fd, 4, 0, poll.Level))
		if got := now(t, p); len(got) != 0 {
			t.Errorf("nothing wanted: got %v", got)
		}
	})
}

// A kernel's list of ready descriptors may be longer than the caller's room for it.
func TestLittleRoomStarvesNobody(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		const count, room = 10, 3
		for i := range uint64(count) {
			a, _ := pair(t)
			testkit.Check(p.Add(a.fd, i, poll.Writable, mode))
		}
		seen := map[uint64]bool{}
		var into [room]poll.Event
		for range 2 * count / room {
			for _, ev := range into[:testkit.Must(p.Wait(into[:], 0))] {
				seen[ev.Tag] = true
			}
		}
		if len(seen) != count {
			t.Errorf("%d were reported in turn, want all %d", len(seen), count)
		}
	})
}
