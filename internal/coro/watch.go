package coro

import "context"

// watch is a context whose end queues a Recheck of the coroutine. It is known by its Done channel: contexts
// themselves need not be comparable.
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

// watch sees to it that the end of ctx rechecks c. The last two contexts stay watched for the length of the job, since
// most tasks wait with one or two contexts many times.
func (c *Coro) watch(ctx context.Context) {
	done := ctx.Done()
	switch done {
	case nil, c.watches[0].done:
		return
	case c.watches[1].done:
		c.watches[0], c.watches[1] = c.watches[1], c.watches[0]
		return
	}
	c.watches[1].end()
	c.watches[1] = c.watches[0]
	c.watches[0] = watch{done, context.AfterFunc(ctx, func() { c.pool.post((*recheck)(c)) })}
}

// recheck is a coroutine as an entry of the ready queue that only looks whether its wait is over.
type recheck Coro

func (r *recheck) Run() { (*Coro)(r).Recheck() }
