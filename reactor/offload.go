package reactor

import (
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
)

// offloader runs work on goroutines, at most limit at once, in the order in which it came. A
// goroutine is started when there is work, and ends when there is none.
type offloader struct {
	loop  *Loop
	limit int

	mu          sync.Mutex
	first, last *offloaded // what waits for a goroutine
	queued      int
	workers     int
}

// offloaded is one piece of work. While it is queued it is linked both ways, so that it can leave
// from the middle.
type offloaded struct {
	work, done func()
	release    func()
	next, prev *offloaded
	queued     bool
}

func (o *offloader) init(l *Loop, limit int) {
	o.loop, o.limit = l, limit
}

// Offload runs work on a goroutine, one of at most WithWorkers, and then done, if it is not nil, on
// the loop. More work waits its turn, first come, first served. A panic of work goes to the
// exception handler, and done runs all the same, as it does after a runtime.Goexit.
//
// withdraw takes back work that still waits its turn, and reports whether it did: then neither work
// nor done is called. What has begun can't be stopped. Close waits for everything, also for what is
// queued: a caller that wants less withdraws it, by AtClose or at the end of a context, as
// task.Blocking does.
//
// Both functions may be called from any goroutine, and never wait. The error is ErrClosed on a
// closed loop. Offload panics if work is nil.
func (l *Loop) Offload(work, done func()) (withdraw func() bool, err error) {
	if work == nil {
		panic("reactor: Offload needs a function that does the work")
	}
	release, err := l.core.Hold("offloaded work")
	if err != nil {
		return nil, err
	}
	w := &offloaded{work: work, done: done, release: release}
	o := &l.offload
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.workers < o.limit { // so nothing is queued
		o.workers++
		l.core.World().Go(func() { o.serve(w) })
	} else {
		o.push(w)
	}
	return func() bool { return o.withdraw(w) }, nil
}

// counts returns how much offloaded work runs, and how much waits its turn.
func (o *offloader) counts() (running, queued int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.workers, o.queued
}

// serve does w, and then what is queued.
func (o *offloader) serve(w *offloaded) {
	for ; w != nil; w = o.next() {
		o.run(w)
	}
}

// run does one piece of work. A runtime.Goexit in it ends the goroutine, and another one goes on.
func (o *offloader) run(w *offloaded) {
	returned := false
	defer func() {
		if w.done != nil {
			o.loop.core.Post(loop.Callback(w.done))
		}
		w.release()
		if returned {
			return
		}
		if more := o.next(); more != nil {
			o.loop.core.World().Go(func() { o.serve(more) })
		}
	}()
	o.call(w.work)
	returned = true
}

// call calls work and reports a panic of it. That may come while a Goexit is under way: see
// coro.Coro's carry. Then call does not return.
func (o *offloader) call(work func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if err := coro.Unwound(recover()); err != coro.ErrGoexit {
			core := &o.loop.core
			core.Post(loop.Callback(func() { core.Report(Exception{Op: "offload", Err: err}) }))
		}
	}()
	work()
	returned = true
}

// next takes the first out of the queue. If there is none it returns nil, and its caller ends.
func (o *offloader) next() *offloaded {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.first
	if w == nil {
		o.workers--
		return nil
	}
	o.unlink(w)
	return w
}

func (o *offloader) withdraw(w *offloaded) bool {
	o.mu.Lock()
	waited := o.unlink(w)
	o.mu.Unlock()
	if waited {
		w.release()
	}
	return waited
}

func (o *offloader) push(w *offloaded) {
	w.queued, w.prev = true, o.last
	if o.last == nil {
		o.first = w
	} else {
		o.last.next = w
	}
	o.last = w
	o.queued++
}

// unlink takes w out of the queue and reports whether it was there.
func (o *offloader) unlink(w *offloaded) bool {
	if !w.queued {
		return false
	}
	if w.prev == nil {
		o.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		o.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.next, w.prev, w.queued = nil, nil, false
	o.queued--
	return true
}
