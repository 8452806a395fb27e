package coro

import "context"

// watch is a context whose end queues a Recheck of the coroutine. It is known by its Done channel:
// contexts themselves need not be comparable.
type watch struct {
	done <-chan struct{}
	stop func() bool
}

func (w *watch) end() {
	if w.stop != nil {
		w.stop()
		*w = watch{}
	}
}

// watches are the last two contexts that a job has waited with. They stay watched for the length
// of the job, since most tasks wait with one or two contexts many times.
type watches [2]watch

func (w *watches) end() {
	for i := range w {
		w[i].end()
	}
}

// watch sees to it that the end of ctx rechecks c.
func (c *Coro) watch(ctx context.Context) {
	done := ctx.Done()
	if done == nil {
		return
	}
	if c.watched == nil {
		c.watched = &watches{}
	}
	w := c.watched
	switch done {
	case w[0].done:
		return
	case w[1].done:
		w[0], w[1] = w[1], w[0]
		return
	}
	if ctx.Err() != nil {
		// just now: perhaps its channel is one that contexts share that end before anybody asks
		c.pool.queue.Post((*recheck)(c))
		return
	}
	w[1].end()
	w[1] = w[0]
	w[0] = watch{done, c.pool.outside.AfterFunc(ctx, func() { c.pool.queue.Post((*recheck)(c)) })}
}

// recheck is a coroutine as an entry of the ready queue that only looks whether its wait is over.
type recheck Coro

func (r *recheck) Run() { (*Coro)(r).Recheck() }
