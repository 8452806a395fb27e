package coro_test

import (
	"context"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// loop is the least that a pool needs: a queue, and a goroutine that runs it, here the test's own.
type loop struct {
	t       *testing.T
	pool    coro.Pool
	goexits int

	mu    sync.Mutex
	queue []coro.Runnable
	mail  chan struct{}
}

// newLoop makes the test's goroutine a loop's until the test ends. Then nothing may be left.
func newLoop(t *testing.T) *loop {
	t.Helper()
	testkit.Watch(t)
	l := &loop{t: t, mail: make(chan struct{}, 1)}
	l.pool.Init(l, l, nil, func() { l.goexits++ })
	leave := l.pool.Enter()
	t.Cleanup(func() {
		if n := l.pool.Live(); n != 0 {
			t.Errorf("%d jobs are left, want 0", n)
		}
		l.pool.Drain()
		l.pool.Reap()
		l.pool.WaitReaped()
		leave()
		if n := coro.Registered(); n != 0 {
			t.Errorf("%d goroutines are left in the registry, want 0", n)
		}
	})
	return l
}

func (l *loop) Push(r coro.Runnable) { l.Post(r) }

func (l *loop) Post(r coro.Runnable) error {
	l.mu.Lock()
	l.queue = append(l.queue, r)
	l.mu.Unlock()
	select {
	case l.mail <- struct{}{}:
	default:
	}
	return nil
}

func (l *loop) take() coro.Runnable {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	r := l.queue[0]
	l.queue = l.queue[1:]
	return r
}

// settle runs what is queued until nothing is.
func (l *loop) settle() {
	for r := l.take(); r != nil; r = l.take() {
		r.Run()
	}
}

// until runs what is queued until cond holds.
func (l *loop) until(cond func() bool) {
	for !cond() {
		if r := l.take(); r != nil {
			r.Run()
		} else {
			<-l.mail
		}
	}
}

// start runs do in a coroutine.
func (l *loop) start(do func()) *job {
	j := &job{do: do}
	l.pool.Take(j).Run()
	return j
}

// job is a coro.Job that a test looks into.
type job struct {
	do     func()
	covers func(ctx context.Context) bool
	onFail func(err error)

	ended  bool
	failed error
}

func (j *job) Do() {
	j.do()
	j.ended = true
}

func (j *job) Failed(err error) {
	j.ended, j.failed = true, err
	if j.onFail != nil {
		j.onFail(err)
	}
}

func (j *job) Covers(ctx context.Context) bool { return j.covers != nil && j.covers(ctx) }

// here is coro.Here for a context that is not done.
func here(t *testing.T, ctx context.Context) *coro.Waiter {
	t.Helper()
	w, err := coro.Here(ctx, "test: wait")
	if err != nil {
		t.Error(err)
	}
	return w
}
