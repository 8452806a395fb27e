package loop

import "time"

// Steps runs the loop on the calling goroutine, one turn for each call of step, until fn returns.
// It is for a simulation, which decides between two turns what happens next.
//
// It is one run, as Run of reactor.Loop is: the coroutines and their stacks are kept from one turn
// to the next. As many calls of reactor's Turn would give them up each time.
//
// step waits at most limit (negative: no bound) for something to do, unless there was something.
// more is false when the loop is to stop, or to close; step then does nothing. Steps panics when
// the loop is running already, or when the caller runs on a loop itself. It returns the error of
// reactor's Run.
func (c *Core) Steps(fn func(step func(limit time.Duration) (more bool))) error {
	over := func() bool { return c.goexit || c.stop.Load() }
	return c.run(func() {
		fn(func(limit time.Duration) (more bool) {
			if !over() {
				c.Step(limit)
			}
			return !over()
		})
	})
}
