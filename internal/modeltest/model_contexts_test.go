package modeltest

import (
	"context"
	"slices"
)

// init puts c below up.
func (m *model) init(c, up *ctx) {
	c.club, c.done, c.daemon = up.club, up.done, c.daemon || up.daemon
	for up.veil || up.gone {
		c.shielded = c.shielded || up.veil || up.shielded
		up = up.up
	}
	c.up = up
	up.kids = append(up.kids, c)
}

// cut makes c and what is below done. First they all are; then those who wait go on.
func (m *model) cut(c *ctx, as, cause error) { m.cutFor(c, &verdict{as: as, cause: cause}) }

func (m *model) cutFor(c *ctx, why *verdict) {
	if c.done != nil {
		return
	}
	c.done = why
	c.below(func(k *ctx) {
		if k.done == nil {
			k.done = c.done
		}
	})
	m.lookFrom(c)
}

// below calls f with what c's end reaches, in the order in which it was made.
func (c *ctx) below(f func(*ctx)) {
	for _, k := range c.kids {
		if !k.shielded {
			f(k)
			k.below(f)
		}
	}
}

// lookFrom lets those go on who wait with a context that is done: the process that has made c, the
// one that c belongs to, and those below.
func (m *model) lookFrom(c *ctx) {
	for u := c; u != nil; u = u.up {
		m.look(u)
		if u.of != nil {
			break
		}
	}
	c.below(m.look)
}

func (m *model) look(c *ctx) {
	p := c.of
	if p == nil {
		p = c.maker
	}
	if p == nil {
		return
	}
	if w := p.wait; w != nil && !w.settled && w.with != nil && w.with.done != nil {
		w.cancelled = true
		m.settle(w)
	}
}

// finish ends a context whose time is over. What is below goes on, one
// step up; but a wait with this very context is at an end.
func (m *model) finish(c *ctx) {
	if c.gone {
		return
	}
	if c.alarm != nil {
		c.alarm.off = true
	}
	if c.done == nil {
		c.done = &verdict{as: context.Canceled, cause: errOver, over: true}
		c.below(m.look)
	}
	c.gone = true
	c.up.kids = slices.DeleteFunc(c.up.kids, func(k *ctx) bool { return k == c })
	for _, k := range c.kids {
		k.up, k.shielded = c.up, k.shielded || c.shielded
		c.up.kids = append(c.up.kids, k)
	}
	c.kids = nil
}

func (m *model) timeout(up *ctx, d int, body func(*ctx) error) error {
	c := &ctx{maker: m.me}
	m.init(c, up)
	if c.done == nil && d == 0 {
		c.done = &verdict{as: context.DeadlineExceeded, cause: context.DeadlineExceeded}
	} else if c.done == nil {
		c.alarm = m.after(d, func() {
			m.cut(c, context.DeadlineExceeded, context.DeadlineExceeded)
			m.finish(c)
		})
	}
	defer func() {
		m.cut(c, context.Canceled, context.Canceled)
		m.finish(c)
	}()
	return body(c)
}

func (m *model) shield(up *ctx, body func(*ctx) error) error {
	return body(&ctx{up: up, club: up.club, daemon: up.daemon, veil: true})
}

func (m *model) derive(c *ctx, body func(*ctx) error) error { return body(c) }
