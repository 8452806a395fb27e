//go:build unix || windows

package reactor_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestCloseWaitsForTheCallbackThatRuns(t *testing.T) {
	l := testkit.StartLoop(t)
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
		t.Error("Close returned while a callback ran, want it to wait")
	default:
	}
	close(goOn)
	testkit.Check(<-closed)
	if !ended {
		t.Error("the callback had not ended when Close returned, want it ended")
	}
}

func TestCloseWaitsForWhatHoldsIt(t *testing.T) {
	l := testkit.StartLoop(t)
	first, second := testkit.Must(core(l).Hold("first")), testkit.Must(core(l).Hold("second"))
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	<-l.Context().Done()
	third := testkit.Must(core(l).Hold("made while closing"))
	for _, release := range []func(){second, first, first} {
		release()
		inClosing(l)
		if isDone(l) {
			t.Error("the loop is closed while it is held, want it open")
		}
	}
	third()
	testkit.Check(<-closed)
}

// inClosing waits for a turn of a loop that is closing.
func inClosing(l *reactor.Loop) {
	done := make(chan struct{})
	if core(l).Post(run(func() { close(done) })) == nil {
		<-done
	}
}

// A Hold, or work, that comes while the loop closes is either refused or waited for.
func TestHoldRacesWithClose(t *testing.T) {
	for range 300 {
		l := testkit.NewLoop(t)
		var held, refused atomic.Int64
		var helpers sync.WaitGroup
		for range 4 {
			helpers.Go(func() {
				for {
					release, err := core(l).Hold("race")
					if err != nil {
						refused.Add(1)
						return
					}
					held.Add(1)
					if isDone(l) {
						t.Error("the loop is closed while it is held, want it open")
					}
					release()
				}
			})
		}
		testkit.Check(l.Close())
		helpers.Wait()
	}
}

func TestOffloadRacesWithClose(t *testing.T) {
	for range 200 {
		l := testkit.StartLoop(t)
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
		testkit.Check(l.Close())
		helpers.Wait()
		if taken.Load() != done.Load() {
			t.Fatalf("%d holds were taken, %d have ended; want as many", taken.Load(), done.Load())
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
	clock := &testkit.Clock{Step: 100 * time.Millisecond}
	l := testkit.NewLoop(t, clock.Option(), testkit.WithWait(quick), reactor.WithLogger(slog.New(logged{slog.DiscardHandler, texts})))
	testkit.Check(l.Start())
	goOn := make(chan struct{})
	for range 2 {
		testkit.Must(l.Offload(func() { <-goOn }, func() {}))
	}
	release := testkit.Must(core(l).Hold("a test"))
	ctx, cancel := context.WithCancel(context.Background())
	start(l, func() { await(ctx) })
	testkit.OnLoop(t, l, func() {})
	before := clock.Now()
	go l.Close()
	for range 3 {
		want := "reactor: Close is waiting for=1 × a test, 2 × offloaded work, 1 × task"
		if text := <-texts; text != want {
			t.Errorf("logged %q,\n  want %q", text, want)
		}
	}
	if took := clock.Now() - before; took < 3*time.Second {
		t.Errorf("three lines in %v, want at least %v", took, 3*time.Second)
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

// quick makes a wait of the poller end after a millisecond.
func quick(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
	if d < 0 || d > time.Millisecond {
		d = time.Millisecond
	}
	return p.Wait(into, d)
}

// What never comes to rest keeps Close waiting, and is named.
func TestCloseLogsWhatNeverComesToRest(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []reactor.Option
		arm  func(l *reactor.Loop, over *atomic.Bool)
		want string
	}{
		"posts itself": {nil, postsItself, "callback reactor_test.run, queued again and again"},
		"posts itself, with priorities": {
			[]reactor.Option{reactor.WithPriorities(2, 1)}, postsItself, "callbacks, queued again and again",
		},
		"asks for a flush in each flush": {nil, func(l *reactor.Loop, over *atomic.Bool) {
			var again run
			again = func() {
				if !over.Load() {
					core(l).At(loop.BatchEnd, again)
				}
			}
			l.CallSoon(func() { core(l).At(loop.BatchEnd, again) })
		}, "callbacks, queued again and again"},
		"registers itself by AtClose": {nil, func(l *reactor.Loop, over *atomic.Bool) {
			var again func()
			again = func() {
				if !over.Load() {
					l.AtClose(again)
				}
			}
			l.AtClose(again)
		}, "AtClose, registered again and again"},
	} {
		t.Run(name, func(t *testing.T) {
			texts := make(chan string)
			clock := &testkit.Clock{Step: 10 * time.Millisecond}
			l := testkit.NewLoop(t, append(tt.opts, clock.Option(), testkit.WithWait(quick), reactor.WithLogger(slog.New(logged{slog.DiscardHandler, texts})))...)
			var over atomic.Bool
			tt.arm(l, &over)
			testkit.Check(l.Start())
			go l.Close()
			for range 2 {
				if text := <-texts; text != "reactor: Close is waiting for="+tt.want {
					t.Errorf("logged %q, want %q", text, "reactor: Close is waiting for="+tt.want)
				}
			}
			over.Store(true)
			for !isDone(l) {
				select {
				case <-texts:
				case <-l.Done():
				}
			}
		})
	}
}

func postsItself(l *reactor.Loop, over *atomic.Bool) {
	var again run
	again = func() {
		if !over.Load() {
			core(l).Post(again)
		}
	}
	core(l).Post(again)
}
