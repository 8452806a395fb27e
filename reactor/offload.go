package reactor

import (
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// offloader runs work on goroutines, at most limit at once. They are started when there is work and end when there is none.
type offloader struct {
	loop  *Loop
	limit int

	mu      sync.Mutex
	queue   []offloaded
	workers int
}

type offloaded struct {
	work, done func()
	release    func()
}

func (o *offloader) init(l *Loop, limit int) {
	o.loop, o.limit = l, limit
	if limit == 0 {
		o.limit = 64
	}
}

// Offload runs work on a goroutine, one of at most WithWorkers, and then done on the loop; more work waits its turn. Close waits
// for both. A panic of work goes to the exception handler, and done runs all the same, as it does after a runtime.Goexit. It may be
// called from any goroutine, and never waits. It returns ErrClosed on a closed loop.
func (l *Loop) Offload(work, done func()) error {
	release, err := l.Hold("offloaded work")
	if err != nil {
		return err
	}
	o := &l.off
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, offloaded{work, done, release})
	if o.workers < o.limit {
		o.workers++
		go o.serve()
	}
	return nil
}

func (o *offloader) serve() {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.workers--
			o.mu.Unlock()
			return
		}
		w := o.queue[0]
		o.queue[0] = offloaded{}
		o.queue = o.queue[1:]
		o.mu.Unlock()
		o.run(w)
	}
}

// run does one piece of work. A runtime.Goexit in it takes the goroutine with it, and another goes on.
func (o *offloader) run(w offloaded) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			e := Exception{Op: "offload", Err: coro.Recovered(v)}
			o.loop.Post(callback(func() { o.loop.Report(e) }))
		} else if !returned {
			go o.serve()
		}
		o.loop.Post(callback(w.done))
		w.release()
	}()
	w.work()
	returned = true
}
