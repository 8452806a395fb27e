//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/reactor"
)

func TestCloseEndsALoop(t *testing.T) {
	tests := map[string]func(t *testing.T, l *reactor.Loop){
		"that never ran": func(t *testing.T, l *reactor.Loop) { must0(l.Close()) },
		"that ran":       func(t *testing.T, l *reactor.Loop) { turns(t, l, 1); must0(l.Close()) },
		"that sleeps":    func(t *testing.T, l *reactor.Loop) { must0(l.Start()); must0(l.Close()) },
		"in a callback": func(t *testing.T, l *reactor.Loop) {
			rest := 0
			l.CallSoon(func() {
				must0(l.Close())
				if isDone(l) {
					t.Error("Close on the loop waited for the end")
				}
				must0(l.Close())
				l.Post(run(func() { rest++ })) // unwinding needs it
			})
			l.CallSoon(func() { rest++ })
			if err := l.Run(context.Background()); err != reactor.ErrClosed {
				t.Errorf("Run: %v", err)
			}
			if rest != 2 {
				t.Errorf("%d of 2 ran after that", rest)
			}
		},
		"in a task": func(t *testing.T, l *reactor.Loop) {
			start(l, func() { must0(l.Close()); l.Coroutines().Running().Yield() })
			if err := l.Run(context.Background()); err != reactor.ErrClosed {
				t.Errorf("Run: %v", err)
			}
		},
		"in a turn": func(t *testing.T, l *reactor.Loop) {
			l.CallSoon(func() { l.Close() })
			if err := l.Turn(-1); err != reactor.ErrClosed {
				t.Errorf("Turn: %v", err)
			}
		},
		"in another loop": func(t *testing.T, l *reactor.Loop) {
			other := newLoop(t)
			other.CallSoon(func() { must0(l.Close()) })
			turns(t, other, 1)
		},
		"twice": func(t *testing.T, l *reactor.Loop) { must0(l.Close()); must0(l.Close()) },
		"from many goroutines": func(t *testing.T, l *reactor.Loop) {
			must0(l.Start())
			closeFromMany(t, l)
		},
		"from many goroutines, with nobody running it": closeFromMany,
		"after Stop": func(t *testing.T, l *reactor.Loop) { must0(l.Start()); l.Stop(); must0(l.Close()) },
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			test(t, l)
			if !isDone(l) {
				t.Error("Done is not closed")
			}
			if cause := context.Cause(l.Context()); cause != reactor.ErrClosed {
				t.Errorf("the context's cause is %v", cause)
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
			must0(l.Close())
			if !isDone(l) {
				t.Error("a Close did not wait for the end")
			}
		})
	}
	helpers.Wait()
}

func TestCloseWaitsForTheCallbackThatRuns(t *testing.T) {
	l := started(t)
	running, goOn := make(chan struct{}), make(chan struct{})
	ended := false
	l.CallSoon(func() { close(running); <-goOn; ended = true })
	<-running
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	for l.CallSoon(func() {}) == nil { // until Close has begun
	}
	select {
	case <-closed:
		t.Error("Close returned while a callback ran")
	default:
	}
	close(goOn)
	must0(<-closed)
	if !ended {
		t.Error("the callback did not end")
	}
}

func TestEveryCallOnAClosedLoop(t *testing.T) {
	l := newLoop(t)
	a, _ := pair(t)
	l.AddReader(a.fd, func() {})
	l.AddWriter(a.fd, func() {})
	_, b := pair(t)
	source := must(l.Attach(b.fd, handler(func(reactor.Events) {})))
	l.Close()
	fails := map[string]func() error{
		"CallSoon":  func() error { return l.CallSoon(func() {}) },
		"Post":      func() error { return l.Post(run(func() {})) },
		"Run":       func() error { return l.Run(context.Background()) },
		"Start":     l.Start,
		"Turn":      func() error { return l.Turn(0) },
		"AddReader": func() error { return l.AddReader(a.fd, func() {}) },
		"AddWriter": func() error { return l.AddWriter(a.fd, func() {}) },
		"Attach":    func() error { _, err := l.Attach(a.fd, nil); return err },
		"Hold":      func() error { _, err := l.Hold(""); return err },
		"AddSignal": func() error { _, err := l.AddSignal(os.Interrupt, func(os.Signal) {}); return err },
		"AddChild":  func() error { _, err := l.AddChild(&os.Process{}, func(*os.ProcessState, error) {}); return err },
		"Offload":   func() error { _, err := l.Offload(func() {}, func() {}); return err },
	}
	for name, call := range fails {
		if err := call(); err != reactor.ErrClosed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.RemoveReader(a.fd) || l.RemoveWriter(a.fd) {
		t.Error("a closed loop had a reader or a writer")
	}
	if err := source.Detach(); err != nil {
		t.Errorf("Detach: %v", err)
	}
	source.Blocked(reactor.Readable)
	if l.InLoop() || l.CallLater(0, func() {}).Pending() {
		t.Error("a closed loop is alive")
	}
	l.Stop()
	l.AtClose(func() { t.Error("called") })()
	l.Stats()
	l.Now()
	must0(l.Close())
}

func TestCloseCancelsTheLatestFirst(t *testing.T) {
	l := newLoop(t)
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
		t.Errorf("got %s", s)
	}
}

func TestAtCloseWhileClosing(t *testing.T) {
	l := started(t)
	release := must(l.Hold("test"))
	go l.Close()
	<-l.Context().Done()
	called := make(chan struct{})
	l.AtClose(func() { close(called) })
	<-called
	release()
	<-l.Done()
}

func TestCloseWaitsForWhatHoldsIt(t *testing.T) {
	l := started(t)
	first, second := must(l.Hold("first")), must(l.Hold("second"))
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	<-l.Context().Done()
	third := must(l.Hold("made while closing"))
	for _, release := range []func(){second, first, first} {
		release()
		inClosing(l)
		if isDone(l) {
			t.Error("closed too early")
		}
	}
	third()
	must0(<-closed)
}

// inClosing waits for a turn of a loop that is closing.
func inClosing(l *reactor.Loop) {
	done := make(chan struct{})
	if l.Post(run(func() { close(done) })) == nil {
		<-done
	}
}

// A Hold, or work, that comes while the loop closes is either refused or waited for.
func TestHoldRacesWithClose(t *testing.T) {
	for range 300 {
		l := newLoop(t)
		var held, refused atomic.Int64
		var helpers sync.WaitGroup
		for range 4 {
			helpers.Go(func() {
				for {
					release, err := l.Hold("race")
					if err != nil {
						refused.Add(1)
						return
					}
					held.Add(1)
					if isDone(l) {
						t.Error("the loop was closed while it was held")
					}
					release()
				}
			})
		}
		must0(l.Close())
		helpers.Wait()
	}
}

func TestOffloadRacesWithClose(t *testing.T) {
	for range 200 {
		l := started(t)
		var taken, done atomic.Int64
		var helpers sync.WaitGroup
		for range 2 {
			helpers.Go(func() {
				for range 20 {
					if _, err := l.Offload(func() {}, func() { done.Add(1) }); err == nil {
						taken.Add(1)
					}
				}
			})
		}
		must0(l.Close())
		helpers.Wait()
		if taken.Load() != done.Load() {
			t.Fatalf("%d taken, %d done", taken.Load(), done.Load())
		}
	}
}

// logged sends each record's text.
type logged struct {
	slog.Handler
	texts chan string
}

func (logged) Enabled(context.Context, slog.Level) bool { return true }

func (h logged) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.texts <- text
	return nil
}

func TestCloseLogsWhomItWaitsFor(t *testing.T) {
	texts := make(chan string)
	clock := &fakeClock{step: 100 * time.Millisecond}
	quick := wrapping(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		if d < 0 || d > time.Millisecond {
			d = time.Millisecond
		}
		return p.Wait(into, d)
	})
	l := newLoop(t, clock.option, quick, reactor.WithLogger(slog.New(logged{slog.DiscardHandler, texts})))
	must0(l.Start())
	goOn := make(chan struct{})
	for range 2 {
		must(l.Offload(func() { <-goOn }, func() {}))
	}
	release := must(l.Hold("a test"))
	ctx, cancel := context.WithCancel(context.Background())
	start(l, func() { await(ctx) })
	inLoop(t, l, func() {})
	before := clock.Now()
	go l.Close()
	for range 3 {
		want := "reactor: Close is waiting for=1 × a test, 2 × offloaded work, 1 × task"
		if text := <-texts; text != want {
			t.Errorf("logged %q,\n  want %q", text, want)
		}
	}
	if took := clock.Now() - before; took < 3*time.Second {
		t.Errorf("three lines in %v", took)
	}
	close(goOn)
	release()
	cancel()
	for {
		select {
		case <-texts:
			continue
		case <-l.Done():
		}
		break
	}
}

func TestLocal(t *testing.T) {
	l := newLoop(t)
	made := 0
	for range 3 {
		if v := l.Local("key", func() any { made++; return made }); v != 1 {
			t.Errorf("got %v", v)
		}
	}
	if v := l.Local("other key", func() any { return nil }); v != nil {
		t.Errorf("got %v", v)
	}
}

func TestLocalsAreClosedTheLatestFirst(t *testing.T) {
	guard(t)
	l := must(reactor.New())
	var got []string
	add := func(name string, err error) {
		l.Local(name, func() any {
			return closer(func() error {
				if !l.InLoop() {
					t.Errorf("%s is closed outside the loop", name)
				}
				if l.Post(run(func() { got = append(got, "posted by "+name) })) != nil {
					t.Errorf("the loop refuses what closing %s needs", name)
				}
				got = append(got, name)
				return err
			})
		})
	}
	other := errors.New("other")
	add("a", errMine)
	add("b", nil)
	l.Local("not a closer", func() any { return 1 })
	add("c", other)
	task := false
	ctx := l.Context()
	start(l, func() { await(ctx); task = true; got = append(got, "task") })
	turns(t, l, 1)
	err := l.Close()
	if !errors.Is(err, errMine) || !errors.Is(err, other) || err.Error() != l.Close().Error() {
		t.Errorf("Close: %v", err)
	}
	want := []string{"task", "c", "b", "a", "posted by c", "posted by b", "posted by a"}
	if !slices.Equal(got, want) || !task {
		t.Errorf("got %v", got)
	}
}

func TestALocalMadeWhileClosingIsClosed(t *testing.T) {
	l := newLoop(t)
	closed := 0
	l.Local(1, func() any {
		return closer(func() error {
			closed++
			l.Post(run(func() { l.Local(2, func() any { return closer(func() error { closed++; return nil }) }) }))
			return nil
		})
	})
	l.Close()
	if closed != 2 {
		t.Errorf("%d of 2 were closed", closed)
	}
}

func TestCloseUnwindsTasks(t *testing.T) {
	l := newLoop(t)
	const n = 200
	ended := 0
	for range n {
		start(l, func() {
			if err := await(l.Context()); !errors.Is(err, reactor.ErrClosed) || !errors.Is(err, context.Canceled) {
				t.Errorf("a wait ended with %v", err)
			}
			for range 3 { // cleaning up takes some turns, and a timer
				l.Coroutines().Running().Yield()
			}
			c := l.Coroutines().Running()
			l.PostLater(time.Microsecond, c)
			c.Suspend()
			ended++
		})
	}
	turns(t, l, 1)
	l.Close()
	if ended != n {
		t.Errorf("%d of %d tasks ended", ended, n)
	}
}

func TestEventsAreDeliveredWhileClosing(t *testing.T) {
	l := started(t)
	a, b := pair(t)
	release := must(l.Hold("test"))
	must0(l.AddReader(a.fd, func() {
		if a.read(10) == "bye" {
			l.RemoveReader(a.fd)
			release()
		}
	}))
	go l.Close()
	<-l.Context().Done()
	if err := l.AddWriter(a.fd, func() {}); err != reactor.ErrClosed {
		t.Errorf("AddWriter while closing: %v", err)
	}
	b.write("bye")
	<-l.Done()
}

func TestCloseRacesWithTheEndOfARun(t *testing.T) {
	for i := range 500 {
		l := newLoop(t)
		l.CallSoon(func() {})
		closed := make(chan struct{})
		go func() { must0(l.Close()); close(closed) }()
		l.Stop()
		var err error
		if i%2 == 0 {
			err = l.Run(context.Background())
		} else {
			err = l.Turn(0)
		}
		if err != nil && err != reactor.ErrClosed {
			t.Errorf("Run: %v", err)
		}
		<-closed
	}
}
