package coro

import "context"

// budget is how many operations in a row a coroutine makes that need not wait, before others have
// their turn.
const budget = 128

// Spend counts an operation of the calling coroutine that need not wait, and yields when the
// budget for one resume is spent. It is called where the operation may as well have suspended,
// with nothing locked. Whose context ctx is does not matter: it may know the coroutine, which saves
// a look into the registry. In a callback and in a plain goroutine Spend does nothing. It returns
// the coroutine, nil if there is none.
//
// Only one coroutine of a pool runs at a time, so the pool counts for all of them; and that it was
// resumed shows in the steps. So a resume does not pay for it.
func Spend(ctx context.Context) *Coro {
	c := currentBy(ctx)
	if c == nil {
		c = Current()
	}
	if c != nil {
		c.spend()
	}
	return c
}

// Begin begins an operation that may wait, before it has taken anything: it is Spend, and fails
// with the cause if ctx is done.
func Begin(ctx context.Context) (*Coro, error) {
	c := Spend(ctx)
	if ctx.Err() != nil {
		return c, Cause(ctx)
	}
	return c, nil
}

func (c *Coro) spend() {
	p := c.pool
	if p.spentAt != p.steps {
		p.spentAt, p.spent = p.steps, 0
	}
	if p.spent++; p.spent > budget {
		c.mark()
		c.Yield()
	}
}
