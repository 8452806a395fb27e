package stream

import (
	"context"
	"errors"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// dialing is a Dial of a host with several addresses: Happy Eyeballs, as RFC 8305 has it. The
// families take turns. An attempt begins when the one before has failed, or after a delay; those
// that are under way go on. The first that connects ends the others, which leave nothing.
//
// It is touched on the loop only.
type dialing struct {
	loop    *reactor.Loop
	targets []target
	options options

	winner  *Conn
	errs    []error // of targets
	running int
	ended   func() // tells run that an attempt has ended; nil while it does not wait
}

// fallbackDelay is package net's. RFC 8305 recommends 250 ms.
const fallbackDelay = 300 * time.Millisecond

// leastShare is how long an attempt has at least when those to come wait for its end, unless all of
// them have less. It is package net's.
const leastShare = 2 * time.Second

var errDialed = errors.New("stream: another address has answered")

func (d *dialing) run(ctx context.Context) (*Conn, error) {
	switch {
	case len(d.targets) == 1:
		return connect(ctx, d.loop, d.targets[0], d.options)
	case d.options.fallback < 0:
		return d.oneByOne(ctx)
	}
	d.errs = make([]error, len(d.targets))
	err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
		defer g.Cancel(errDialed) // the others
		for i := range d.targets {
			task.Spawn(ctx, func(ctx context.Context) error { d.attempt(ctx, i); return nil })
			d.running++
			if !d.wait(ctx, d.delay(ctx, i+1)) {
				return nil
			}
		}
		for d.running > 0 && d.wait(ctx, -1) {
		}
		return nil
	})
	var panicked *task.PanicError // of Control
	switch {
	case d.winner != nil:
		return d.winner, nil
	case errors.As(err, &panicked):
		return nil, err
	case ctx.Err() != nil:
		return nil, coro.Cause(ctx)
	}
	return nil, errors.Join(d.errs...)
}

func (d *dialing) attempt(ctx context.Context, i int) {
	c, err := connect(ctx, d.loop, d.targets[i], d.options)
	d.running--
	switch {
	case err != nil:
		d.errs[i] = err
	case d.winner != nil: // both have answered at once
		c.Abort()
	default:
		d.winner = c
	}
	if d.ended != nil {
		d.ended()
	}
}

// wait waits until an attempt has ended, or for the delay unless that is negative. It reports
// whether there is a point in going on.
func (d *dialing) wait(ctx context.Context, delay time.Duration) bool {
	ended, promise := future.New[struct{}]()
	d.ended = func() { promise.Resolve(struct{}{}) }
	bounded := ctx
	if delay >= 0 {
		var cancel context.CancelFunc
		bounded, cancel = task.WithTimeout(ctx, delay)
		defer cancel()
	}
	ended.Await(bounded)
	d.ended = nil
	return d.winner == nil && ctx.Err() == nil
}

// delay is how long the i-th attempt begins after the one before, unless that fails. It leaves a
// share of the time to those to come.
func (d *dialing) delay(ctx context.Context, i int) time.Duration {
	rest := len(d.targets) - i
	if rest == 0 {
		return 0
	}
	delay := fallbackDelay
	if d.options.fallback > 0 {
		delay = d.options.fallback
	}
	if left, bounded := d.left(ctx); bounded {
		delay = min(delay, left/time.Duration(rest+1))
	}
	return max(delay, 0)
}

// left is how much time ctx leaves.
func (d *dialing) left(ctx context.Context) (left time.Duration, bounded bool) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return 0, false
	}
	return end.Sub(coreOf(d.loop).World().Wall()), true
}

// oneByOne tries each address when the one before has failed, or has had its share of the time.
func (d *dialing) oneByOne(ctx context.Context) (*Conn, error) {
	var errs []error
	for i, t := range d.targets {
		share, cancel := ctx, func() {}
		if left, bounded := d.left(ctx); bounded {
			each := max(left/time.Duration(len(d.targets)-i), leastShare)
			if each < left {
				share, cancel = task.WithTimeout(ctx, each)
			}
		}
		c, err := connect(share, d.loop, t, d.options)
		cancel()
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, coro.Cause(ctx)
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// interleaved lets the families take turns, beginning with that of the first. In a family the order
// stays.
func interleaved(targets []target) []target {
	var first, second []target
	for _, t := range targets {
		if t.network == targets[0].network {
			first = append(first, t)
		} else {
			second = append(second, t)
		}
	}
	out := targets[:0:0]
	for i := range max(len(first), len(second)) {
		out = append(out, first[min(i, len(first)):min(i+1, len(first))]...)
		out = append(out, second[min(i, len(second)):min(i+1, len(second))]...)
	}
	return out
}
