//go:build linux

package worldtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// nothing is work for a goroutine that returns at once.
func nothing(context.Context) (int, error) { return 0, nil }

// waiter is something for task.Wait.
type waiter struct{}

func (waiter) Wait() error { return nil }

// A World that is put around System sees whatever a loop and its tasks do outside.
func TestAWorldSeesEachTouchOfTheOutside(t *testing.T) {
	testkit.Guard(t)
	c := &worldtest.Counter{}
	l := testkit.Must(reactor.New(reactor.WithWorld(c.Layer), reactor.WithWorld(worldtest.NoFaults), reactor.WithDebug(time.Hour)))
	if c.Poller == nil {
		t.Fatal("the poller was opened elsewhere, want it opened by the World")
	}
	address := "localhost:"
	path := filepath.Join(t.TempDir(), "s")
	foreign, cancel := context.WithCancel(context.Background())
	defer cancel()
	touches := []struct {
		name  string
		do    func(ctx context.Context)
		count *atomic.Int64
		want  int64
	}{
		{"Offload", func(context.Context) { l.Offload(func() {}, nil) }, &c.Gos, 1},
		{"Blocking", func(ctx context.Context) { task.Blocking(ctx, nothing) }, &c.Gos, 1},
		{"Wait", func(ctx context.Context) { task.Wait(ctx, waiter{}) }, &c.Gos, 1},
		{"FromFunc", func(ctx context.Context) { future.FromFunc(ctx, nothing).Await(ctx) }, &c.Gos, 1},
		{"FromChan", func(context.Context) { future.FromChan(make(chan int)).Cancel(context.Canceled) }, &c.Gos, 1},
		{"FromContext", func(context.Context) { future.FromContext(foreign).Cancel(context.Canceled) }, &c.AfterFuncs, 1},
		{"an await with a foreign context", func(context.Context) {
			f, p := future.New[int]()
			l.CallSoon(func() { p.Resolve(1) })
			f.Await(foreign)
		}, &c.AfterFuncs, 1},
		{"a task below a foreign context", func(ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			task.Go(ctx, nothing).Await(context.Background())
			cancel()
		}, &c.AfterFuncs, 1},
		{"Listen", func(ctx context.Context) {
			ln := testkit.Must(stream.Listen(ctx, "tcp4", "127.0.0.1:0"))
			_, port, _ := strings.Cut(ln.Addr().String(), ":")
			address += port
		}, &c.Binds, 1},
		{"Dial by name", func(ctx context.Context) {
			testkit.Must(stream.Dial(ctx, "tcp4", address)).Abort()
		}, &c.Lookups, 1},
		{"the end of a Unix listener", func(ctx context.Context) {
			testkit.Must(stream.Listen(ctx, "unix", path)).Close()
		}, &c.Unlinks, 1},
		{"the file of a Unix listener", func(ctx context.Context) {
			testkit.Must(stream.Listen(ctx, "unix", path)).Close()
		}, &c.FilesAt, 2},
		{"a signal", func(context.Context) {
			remove := testkit.Must(l.AddSignal(syscall.SIGUSR1, func(os.Signal) {}))
			remove()
		}, &c.Notifies, 1},
		{"a child", func(ctx context.Context) {
			child := exec.Command("true")
			if child.Start() == nil {
				task.WaitProcess(ctx, child.Process)
			}
		}, &c.Waits, 1},
	}
	err := l.Run(ended(l, func(ctx context.Context) {
		for _, touch := range touches {
			before := touch.count.Load()
			touch.do(ctx)
			if got := touch.count.Load() - before; got != touch.want {
				t.Errorf("%s: the World counts %d, want %d", touch.name, got, touch.want)
			}
		}
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
	for name, n := range map[string]*atomic.Int64{
		"watch the context of Run": &c.AfterFuncs, "open a process": &c.Opens, "stop a signal": &c.StopNotifies, "set an alarm": &c.Alarms,
	} {
		if n.Load() == 0 {
			t.Errorf("nothing was asked to %s, want at least one call", name)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// ended returns a context that ends after fn has run as a task of the loop.
func ended(l *reactor.Loop, fn func(ctx context.Context)) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	task.Spawn(l.Context(), func(ctx context.Context) error {
		defer cancel()
		fn(ctx)
		return nil
	})
	return ctx
}

// deaf is a poller whose first wait fails.
type deaf struct {
	poll.Poller
	failed bool
}

func (d *deaf) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	if !d.failed {
		d.failed = true
		return 0, syscall.ENOMEM
	}
	return d.Poller.Wait(into, timeout)
}

func TestALoopSleepsAndStartsThroughItsWorld(t *testing.T) {
	testkit.Guard(t)
	c := &worldtest.Counter{}
	l := testkit.Must(reactor.New(reactor.WithWorld(c.Layer),
		reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller { return &deaf{Poller: p} })),
		reactor.WithWorld(worldtest.NoFaults),
		reactor.WithExceptionHandler(func(*reactor.Loop, reactor.Exception) {})))
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	if n := c.Gos.Load(); n != 1 {
		t.Errorf("Start has started %d goroutines, want 1", n)
	}
	if _, err := task.Go(l.Context(), nothing).Await(context.Background()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if n := c.Sleeps.Load(); n != 1 {
		t.Errorf("the loop slept %d times when its poller failed, want 1", n)
	}
}
