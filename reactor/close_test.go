//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestCloseEndsALoop(t *testing.T) {
	tests := map[string]func(t *testing.T, l *reactor.Loop){
		"that never ran": func(t *testing.T, l *reactor.Loop) { testkit.Check(l.Close()) },
		"that ran":       func(t *testing.T, l *reactor.Loop) { testkit.Turns(t, l, 1); testkit.Check(l.Close()) },
		"that sleeps":    func(t *testing.T, l *reactor.Loop) { testkit.Check(l.Start()); testkit.Check(l.Close()) },
		"in a callback": func(t *testing.T, l *reactor.Loop) {
			rest := 0
			l.CallSoon(func() {
				testkit.Check(l.Close())
				if isDone(l) {
					t.Error("Close on the loop waited for the end, want it to return at once")
				}
				testkit.Check(l.Close())
				core(l).Post(run(func() { rest++ })) // unwinding needs it
			})
			l.CallSoon(func() { rest++ })
			if err := l.Run(context.Background()); err != reactor.ErrClosed {
				t.Errorf("Run: %v, want %v", err, reactor.ErrClosed)
			}
			if rest != 2 {
				t.Errorf("%d of 2 ran after that, want 2", rest)
			}
		},
		"in a task": func(t *testing.T, l *reactor.Loop) {
			start(l, func() { testkit.Check(l.Close()); core(l).Coroutines().Running().Yield() })
			if err := l.Run(context.Background()); err != reactor.ErrClosed {
				t.Errorf("Run: %v, want %v", err, reactor.ErrClosed)
			}
		},
		"in a turn": func(t *testing.T, l *reactor.Loop) {
			l.CallSoon(func() { l.Close() })
			if err := l.Turn(-1); err != reactor.ErrClosed {
				t.Errorf("Turn: %v, want %v", err, reactor.ErrClosed)
			}
		},
		"in another loop": func(t *testing.T, l *reactor.Loop) {
			other := testkit.NewLoop(t)
			other.CallSoon(func() { testkit.Check(l.Close()) })
			testkit.Turns(t, other, 1)
		},
		"twice": func(t *testing.T, l *reactor.Loop) { testkit.Check(l.Close()); testkit.Check(l.Close()) },
		"from many goroutines": func(t *testing.T, l *reactor.Loop) {
			testkit.Check(l.Start())
			closeFromMany(t, l)
		},
		"from many goroutines, with nobody running it": closeFromMany,
		"after Stop": func(t *testing.T, l *reactor.Loop) { testkit.Check(l.Start()); l.Stop(); testkit.Check(l.Close()) },
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := testkit.NewLoop(t)
			test(t, l)
			if !isDone(l) {
				t.Error("Done is not closed after Close, want it closed")
			}
			if cause := context.Cause(l.Context()); cause != reactor.ErrClosed {
				t.Errorf("the context's cause is %v, want %v", cause, reactor.ErrClosed)
			}
		})
	}
}

func isDone(l *reactor.Loop) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

func closeFromMany(t *testing.T, l *reactor.Loop) {
	var helpers sync.WaitGroup
	for range 8 {
		helpers.Go(func() {
			testkit.Check(l.Close())
			if !isDone(l) {
				t.Error("Close returned before the end of the loop, want it to wait")
			}
		})
	}
	helpers.Wait()
}

func TestEveryCallOnAClosedLoop(t *testing.T) {
	l := testkit.NewLoop(t)
	a, _ := pair(t)
	l.AddReader(a.fd, func() {})
	l.AddWriter(a.fd, func() {})
	_, b := pair(t)
	source := testkit.Must(attach(l, b.fd, handler(func(loop.Events) {})))
	l.Close()
	fails := map[string]func() error{
		"CallSoon":  func() error { return l.CallSoon(func() {}) },
		"Post":      func() error { return core(l).Post(run(func() {})) },
		"Run":       func() error { return l.Run(context.Background()) },
		"Start":     l.Start,
		"Turn":      func() error { return l.Turn(0) },
		"AddReader": func() error { return l.AddReader(a.fd, func() {}) },
		"AddWriter": func() error { return l.AddWriter(a.fd, func() {}) },
		"Attach":    func() error { _, err := attach(l, a.fd, nil); return err },
		"Hold":      func() error { _, err := core(l).Hold(""); return err },
		"AddSignal": func() error { _, err := l.AddSignal(os.Interrupt, func(os.Signal) {}); return err },
		"AddChild":  func() error { _, err := l.AddChild(&os.Process{}, func(*os.ProcessState, error) {}); return err },
		"Offload":   func() error { _, err := l.Offload(func() {}, func() {}); return err },
	}
	for name, call := range fails {
		if err := call(); err != reactor.ErrClosed {
			t.Errorf("%s: %v, want %v", name, err, reactor.ErrClosed)
		}
	}
	if l.RemoveReader(a.fd) || l.RemoveWriter(a.fd) {
		t.Error("RemoveReader or RemoveWriter on a closed loop = true, want false")
	}
	if err := source.Detach(); err != nil {
		t.Errorf("Detach: %v, want nil", err)
	}
	source.Blocked(loop.Readable)
	if l.InLoop() || l.CallLater(0, func() {}).Pending() {
		t.Error("a closed loop: InLoop() is true or a new timer is pending, want neither")
	}
	l.Stop()
	l.AtClose(func() { t.Error("called, want no call: the loop is closed") })()
	stats(l)
	l.Now()
	testkit.Check(l.Close())
}

func TestCloseCancelsTheLatestFirst(t *testing.T) {
	l := testkit.NewLoop(t)
	var got []string
	add := func(s string) func() { return l.AtClose(func() { got = append(got, s) }) }
	add("a")
	var removeB func()
	add("-b")()
	removeB = add("b")
	l.AtClose(func() { got = append(got, "c"); removeB(); add("new") })
	add("d")
	l.Close()
	if s := strings.Join(got, " "); s != "d c new a" {
		t.Errorf("got %s, want %s", s, "d c new a")
	}
}

func TestAtCloseWhileClosing(t *testing.T) {
	l := testkit.StartLoop(t)
	release := testkit.Must(core(l).Hold("test"))
	go l.Close()
	<-l.Context().Done()
	called := make(chan struct{})
	l.AtClose(func() { close(called) })
	<-called
	release()
	<-l.Done()
}

func TestCloseUnwindsTasks(t *testing.T) {
	l := testkit.NewLoop(t)
	const n = 200
	ended := 0
	for range n {
		start(l, func() {
			if err := await(l.Context()); !errors.Is(err, reactor.ErrClosed) || !errors.Is(err, context.Canceled) {
				t.Errorf("a wait ended with %v, want %v and %v", err, reactor.ErrClosed, context.Canceled)
			}
			for range 3 { // cleaning up takes some turns, and a timer
				core(l).Coroutines().Running().Yield()
			}
			c := core(l).Coroutines().Running()
			core(l).PostLater(time.Microsecond, c)
			c.Suspend()
			ended++
		})
	}
	testkit.Turns(t, l, 1)
	l.Close()
	if ended != n {
		t.Errorf("%d tasks ended, want %d", ended, n)
	}
}

func TestEventsAreDeliveredWhileClosing(t *testing.T) {
	l := testkit.StartLoop(t)
	a, b := pair(t)
	release := testkit.Must(core(l).Hold("test"))
	testkit.Check(l.AddReader(a.fd, func() {
		if a.read(10) == "bye" {
			l.RemoveReader(a.fd)
			release()
		}
	}))
	go l.Close()
	<-l.Context().Done()
	if err := l.AddWriter(a.fd, func() {}); err != reactor.ErrClosed {
		t.Errorf("AddWriter while closing: %v, want %v", err, reactor.ErrClosed)
	}
	b.write("bye")
	<-l.Done()
}

func TestCloseRacesWithTheEndOfARun(t *testing.T) {
	for i := range 500 {
		l := testkit.NewLoop(t)
		l.CallSoon(func() {})
		closed := make(chan struct{})
		go func() { testkit.Check(l.Close()); close(closed) }()
		l.Stop()
		var err error
		if i%2 == 0 {
			err = l.Run(context.Background())
		} else {
			err = l.Turn(0)
		}
		if err != nil && err != reactor.ErrClosed {
			t.Errorf("Run or Turn = %v, want nil or %v", err, reactor.ErrClosed)
		}
		<-closed
	}
}
