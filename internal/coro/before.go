package coro

// Before runs job on another coroutine, up to its first suspension or its end, and then returns.
// Only the coroutine itself calls it.
//
// The loop alone resumes coroutines: one that resumed another would be the caller that a Goexit,
// or a panic, of that one reaches, and would have its stack in between for good. So c is
// suspended, and tells the loop why.
func (c *Coro) Before(job Job) {
	c.pool.first = job
	if !c.yield(interrupted) || c.waiter.asked {
		c.resumed()
	}
}

// runFirst runs the job for which c was interrupted, and then c; and likewise what these are
// interrupted for. It is a loop and no recursion, so the stack of the loop's goroutine does not
// grow with what is interrupted.
//
// All of that is one resume to those who count them: the coroutines share one budget.
func (p *Pool) runFirst(c *Coro) {
	var few [4]*Coro
	starters := append(few[:0], c)
	for len(starters) > 0 {
		if job := p.first; job != nil {
			p.first = nil
			c = p.Take(job)
		} else {
			last := len(starters) - 1
			c = starters[last]
			starters = starters[:last]
		}
		switch s := c.resumeWithin(); s {
		case parked:
		case interrupted:
			starters = append(starters, c)
		default:
			p.leave(c, s)
		}
	}
}

// resumeWithin resumes c as part of the resume of another one.
func (c *Coro) resumeWithin() signal {
	p := c.pool
	p.within++
	p.running = c
	p.current.Store(uintptr(c.id))
	s, _ := c.next()
	return s
}
