package gid

import (
	"iter"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// On js, a goroutine of the runtime's own handles the host's events and waits for the next one.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

// fallback reports whether this build has no assembly, so that Self is its own oracle.
var fallback = Self() == fromStack()

// identity is what a goroutine says of itself, by Self and by the oracle.
type identity struct{ id, number ID }

func whoami() identity { return identity{Self(), fromStack()} }

// mustBe reports an error if the calling goroutine isn't who.
func mustBe(t *testing.T, who identity, when string) {
	t.Helper()
	if got := whoami(); got != who || got.id == 0 {
		t.Errorf("%s: goroutine is %+v, want %+v", when, got, who)
	}
}

// mustDiffer reports an error unless all identities differ in both parts, and none is zero.
func mustDiffer(t *testing.T, all []identity) {
	t.Helper()
	numbers, ids := map[ID]ID{}, map[ID]ID{}
	for _, who := range all {
		if who.id == 0 || who.number == 0 {
			t.Fatalf("identity is %+v, want neither part zero", who)
		}
		if other, taken := numbers[who.id]; taken {
			t.Fatalf("live goroutines %d and %d share the ID %#x, want one each", other, who.number, who.id)
		}
		if other, taken := ids[who.number]; taken {
			t.Fatalf("goroutine %d has the IDs %#x and %#x, want one", who.number, other, who.id)
		}
		numbers[who.id], ids[who.number] = who.number, who.id
	}
}

func TestLiveGoroutinesHaveDistinctIDs(t *testing.T) {
	const goroutines, coroutines = 4000, 1000 // the race detector allows 8128 together
	all := make([]identity, goroutines+coroutines, goroutines+coroutines+1)

	var alive, done sync.WaitGroup
	release := make(chan struct{})
	alive.Add(goroutines)
	for i := range goroutines {
		done.Go(func() {
			all[i] = whoami()
			alive.Done()
			<-release
			mustBe(t, all[i], "when all were alive")
		})
	}
	for i := range coroutines {
		next, stop := iter.Pull(func(yield func(int) bool) {
			all[goroutines+i] = whoami()
			yield(0)
			mustBe(t, all[goroutines+i], "when all were alive")
		})
		defer stop()
		next()
	}
	alive.Wait()
	mustDiffer(t, append(all, whoami()))
	close(release)
	done.Wait()
}

// descend calls itself n times with a frame of some 200 bytes, looks at Self in every 50th call on
// the way back, and returns how often that wasn't id.
//
//go:noinline
func descend(n int, id ID) (wrong int) {
	var frame [200]byte
	frame[n%len(frame)] = 1
	if n > 0 {
		wrong = descend(n-1, id)
	}
	if n%50 == 0 && Self() != id {
		wrong++
	}
	return wrong + int(frame[n%len(frame)]) - 1
}

// growStack makes the calling goroutine's stack outgrow its memory, so that the runtime moves it.
func growStack(t *testing.T) {
	t.Helper()
	who := whoami()
	var here byte
	before := uintptr(unsafe.Pointer(&here))
	if wrong := descend(5000, who.id); wrong != 0 {
		t.Errorf("%d calls on a growing stack had another ID, want 0", wrong)
	}
	if uintptr(unsafe.Pointer(&here)) == before {
		t.Log("the stack wasn't seen to move (with -asan the variable that shows it lives on the heap)")
	}
}

func TestIDSurvives(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(t *testing.T)
	}{
		{"a second call", func(*testing.T) {}},
		{"stack growth", growStack},
		{"stack growth and shrinking", func(t *testing.T) {
			growStack(t)
			for range 4 { // each collection may halve the stack
				runtime.GC()
				runtime.Gosched()
			}
		}},
		{"garbage collection", func(*testing.T) { runtime.GC() }},
		{"Gosched", func(*testing.T) {
			for range 1000 {
				runtime.Gosched()
			}
		}},
		{"sleep", func(*testing.T) { time.Sleep(time.Millisecond) }},
		{"blocking on a channel", func(*testing.T) {
			ping, pong := make(chan int), make(chan int)
			go func() {
				defer close(pong)
				for v := range ping {
					pong <- v
				}
			}()
			for i := range 1000 {
				ping <- i
				<-pong
			}
			close(ping)
			<-pong
		}},
		{"blocking on a mutex", func(*testing.T) {
			var mu sync.Mutex
			mu.Lock()
			time.AfterFunc(time.Millisecond, mu.Unlock)
			mu.Lock()
		}},
		{"a locked thread", func(t *testing.T) {
			who := whoami()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			mustBe(t, who, "on the locked thread")
			runtime.Gosched()
			mustBe(t, who, "on the locked thread, after Gosched")
			time.Sleep(time.Millisecond)
			mustBe(t, who, "on the locked thread, after a sleep")
		}},
		{"a panic", func(t *testing.T) {
			who := whoami()
			defer func() {
				_ = recover()
				mustBe(t, who, "in the defer of a panic")
			}()
			panic("expected")
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			done := make(chan struct{})
			go func() { // a fresh goroutine, with a small stack
				defer close(done)
				who := whoami()
				c.do(t)
				mustBe(t, who, "after "+c.what)
			}()
			<-done
		})
	}
}

// Package coro forgets an ID in a defer, so it must be the goroutine's own there, however the
// goroutine ends.
func TestIDIsTheSameInDefersOfGoexit(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		who := whoami()
		defer func() { mustBe(t, who, "in a defer of Goexit") }()
		runtime.Goexit()
	}()
	<-done
}

func TestIDSurvivesPreemptionAndMigration(t *testing.T) {
	calls := 200_000
	if fallback {
		calls /= 100
	}
	var busy sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			who := whoami()
			for i := range calls { // no yield: only preemption takes the processor away
				if got := Self(); got != who.id {
					t.Errorf("call %d: Self() = %#x, want %#x", i, got, who.id)
					return
				}
			}
			mustBe(t, who, "at the end")
		})
	}
	for range 10 {
		runtime.GC()
	}
	busy.Wait()
}

func TestCoroutineHasItsOwnID(t *testing.T) {
	caller := whoami()
	var body identity
	next, stop := iter.Pull(func(yield func(int) bool) {
		body = whoami()
		defer func() { mustBe(t, body, "in the body's defer") }()
		for i := 0; yield(i); i++ {
			mustBe(t, body, "resumed body")
			switch i % 50 {
			case 10:
				runtime.GC()
			case 20:
				runtime.Gosched()
			case 30:
				if wrong := descend(5000, body.id); wrong != 0 {
					t.Errorf("%d calls on the body's growing stack had another ID, want 0", wrong)
				}
			case 40:
				time.Sleep(time.Microsecond)
			}
		}
	})
	for range 200 {
		next()
		mustBe(t, caller, "caller, after the body yielded")
	}
	mustDiffer(t, []identity{caller, body})
	stop()
	mustBe(t, caller, "caller, after stop")
}

func TestCoroutineKeepsItsIDWhoeverResumesIt(t *testing.T) {
	const resumers, turns = 8, 50
	var body identity
	next, stop := iter.Pull(func(yield func(int) bool) {
		body = whoami()
		defer func() { mustBe(t, body, "body, stopped by another goroutine") }()
		for yield(0) {
			mustBe(t, body, "body, resumed by another goroutine")
		}
	})

	// The resumers stay alive together and hand the turn round a ring; the last one to have it
	// stops the coroutine.
	var ring [resumers]chan int
	for i := range ring {
		ring[i] = make(chan int, 1)
	}
	all := make([]identity, resumers)
	var done sync.WaitGroup
	for i := range resumers {
		done.Go(func() {
			all[i] = whoami()
			defer close(ring[(i+1)%resumers])
			for turn := range ring[i] {
				if turn == resumers*turns {
					stop()
					return
				}
				next()
				mustBe(t, all[i], "resumer")
				ring[(i+1)%resumers] <- turn + 1
			}
		})
	}
	ring[0] <- 0
	done.Wait()
	mustDiffer(t, append(all, body, whoami()))
}

func TestNestedCoroutinesHaveDistinctIDs(t *testing.T) {
	const depth = 20
	var all []identity
	var nest func(level int)
	nest = func(level int) {
		who := whoami()
		all = append(all, who)
		if level == depth {
			mustDiffer(t, all)
			return
		}
		next, stop := iter.Pull(func(yield func(int) bool) {
			nest(level + 1)
			yield(level)
		})
		defer stop()
		next()
		mustBe(t, who, "level "+strconv.Itoa(level)+" after the inner one yielded")
	}
	nest(0)
	if len(all) != depth+1 {
		t.Errorf("%d levels ran, want %d", len(all), depth+1)
	}
}

func TestGoroutineNumber(t *testing.T) {
	for _, c := range []struct {
		trace string
		want  ID // 0: panics
	}{
		{"goroutine 1 [running]:\n", 1},
		{"goroutine 4294967295 [running]:\nmain.main()", 4294967295},
		{"goroutine 18 gp=0xc000006c40 m=4 mp=0xc0000 [running]:", 18}, // GOTRACEBACK=system
		{"goroutine 0 [idle]:\n", 0},
		{"goroutine -1 [running]:\n", 0},
		{"goroutine 18446744073709551616 [running]:\n", 0},
		{"goroutine 12", 0}, // perhaps cut off within the number
		{"goroutine [running]:\n", 0},
		{"goroutine ", 0},
		{"running 1 ", 0},
		{"", 0},
	} {
		got, panicked := func() (id ID, panicked bool) {
			defer func() { panicked = recover() != nil }()
			return goroutineNumber([]byte(c.trace)), false
		}()
		if got != c.want || panicked != (c.want == 0) {
			t.Errorf("goroutineNumber(%q) = %d, panicked %t; want %d", c.trace, got, panicked, c.want)
		}
	}
}

func TestSelfDoesNotAllocate(t *testing.T) {
	if fallback {
		t.Skip("a stack trace does")
	}
	if n := testing.AllocsPerRun(100, func() { Self() }); n != 0 {
		t.Errorf("Self allocates %v times a call, want 0", n)
	}
}

func BenchmarkSelf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Self()
	}
}

func BenchmarkFromStack(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		fromStack()
	}
}
