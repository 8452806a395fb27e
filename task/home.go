package task

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// home is a loop as its tasks see it. Its first fields never change; the others, in the second
// half, are touched on the loop only.
type home struct {
	core    *loop.Core
	pool    *coro.Pool
	shows   *shows  // what is done for those who look inside; nil if nobody does
	setting setting // of a task that is started with the loop's own context

	root    scope // of the tree
	closing bool  // all tasks have been cancelled, and each new one is at once
	spare   []*member
	numbers uint64 // given to tasks
	vigil   vigil
}

type homeKey struct{}

// homeFor returns the home that the loop c is.
func homeFor(c *loop.Core) *home {
	return c.Local(homeKey{}, func() any {
		h := &home{core: c, pool: c.Coroutines(), shows: newShows(c)}
		h.setting = setting{home: h, pool: h.pool, values: c.Context()}
		h.root.setting, h.root.kind = &h.setting, ofLoop
		h.enter()
		return h
	}).(*home)
}

// homeOf returns the home of the loop that ctx carries, nil if it carries none.
func homeOf(ctx context.Context) *home {
	if s, ok := ctx.(*scope); ok {
		return s.setting.home
	}
	if c := loop.From(ctx); c != nil {
		return homeFor(c)
	}
	return nil
}

// enter has the loop tell what concerns its tasks. It is called before anybody else has h.
func (h *home) enter() {
	h.pool.SetTree(&h.root)
	h.core.At(loop.Closing, posted(h.close))
	if h.core.Context().Err() != nil && h.onLoop(h.close) != nil { // too late for that
		h.close()
	}
	if h.core.Debug() {
		h.onLoop(func() { h.core.Each(loop.BeforeSleep, posted(h.beforeSleep)) })
	}
}

// owner returns the loop as users see it.
func (h *home) owner() *reactor.Loop { return h.core.Owner().(*reactor.Loop) }

// onLoop runs fn now, if the caller is on the loop, or else soon. It returns reactor.ErrClosed on a
// closed loop.
func (h *home) onLoop(fn func()) error {
	if h.core.InLoop() {
		fn()
		return nil
	}
	return h.core.Post(posted(fn))
}

// posted is a function as an entry of the ready queue.
type posted func()

func (f posted) Run() { f() }

// close cancels every task of the loop.
func (h *home) close() {
	h.closing = true
	h.root.cancel(closed)
}

// maxSpare bounds the memory kept for members to come.
const maxSpare = 256

// newMember returns memory for a member. It is called on the loop.
func (h *home) newMember() *member {
	n := len(h.spare)
	if n == 0 {
		return &member{}
	}
	m := h.spare[n-1]
	h.spare[n-1] = nil
	h.spare = h.spare[:n-1]
	return m
}

// recycle takes back a member that has ended. Only its coroutine leads to it, and is about to
// forget it, unless somebody has looked at it: that is noted in extra.
func (h *home) recycle(m *member) {
	if m.extra == nil && len(h.spare) < maxSpare {
		*m = member{}
		h.spare = append(h.spare, m)
	}
}
