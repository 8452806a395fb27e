package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// textOf is what errors.Join makes of errs, "" of none.
func textOf(errs ...error) string {
	if err := errors.Join(errs...); err != nil {
		return err.Error()
	}
	return ""
}

func TestErrorsAreAllFailuresInTheirOrder(t *testing.T) {
	e1, e2, e3 := errors.New("first"), errors.New("second"), errors.New("third")
	// after fails with err when the group has been cancelled and n turns are over; 0: before.
	after := func(ctx context.Context, n int, err error) func() error {
		return func() error {
			if n > 0 {
				pending().Await(ctx)
				yields(context.WithoutCancel(ctx), n)
			}
			return err
		}
	}
	for _, c := range []struct {
		name string
		fn   func(ctx context.Context, g *task.Group)
		wait error
		want []error
	}{
		{"none", func(ctx context.Context, g *task.Group) { g.Go(after(ctx, 0, nil)) }, nil, nil},
		{"in the order of failure, not of start", func(ctx context.Context, g *task.Group) {
			g.Go(after(ctx, 9, e3))
			g.Go(after(ctx, 3, e2))
			g.Go(after(ctx, 0, e1))
		}, e1, []error{e1, e2, e3}},
		{"who was cancelled by the group is left out", func(ctx context.Context, g *task.Group) {
			g.Go(func() error { _, err := pending().Await(ctx); return err })
			g.Go(func() error { pending().Await(ctx); return ctx.Err() })
			g.Go(func() error { pending().Await(ctx); return context.Cause(ctx) })
			g.Go(func() error { _, err := pending().Await(ctx); return fmt.Errorf("wrapped: %w", err) })
			g.Go(after(ctx, 0, e1))
			g.Go(after(ctx, 5, e2))
		}, e1, []error{e1, e2}},
		{"unless it has failed besides", func(ctx context.Context, g *task.Group) {
			g.Go(func() error { _, err := pending().Await(ctx); return fmt.Errorf("both: %w", errors.Join(err, e2)) })
			g.Go(after(ctx, 0, e1))
		}, e1, []error{e1, errors.New("both: first\nsecond")}},
		{"what the first has joined is known", func(ctx context.Context, g *task.Group) {
			g.Go(func() error { _, err := pending().Await(ctx); return err })
			g.Go(after(ctx, 0, errors.Join(e2, e3)))
		}, e2, []error{errors.Join(e2, e3)}},
		{"another member's failure that is like the first is not", func(ctx context.Context, g *task.Group) {
			g.Go(after(ctx, 0, fmt.Errorf("one: %w", io.EOF)))
			g.Go(after(ctx, 3, fmt.Errorf("two: %w", io.EOF)))
		}, io.EOF, []error{errors.New("one: EOF"), errors.New("two: EOF")}},
		{"a member's own timeout is a failure", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(ctx context.Context) error {
				ctx, cancel := task.WithTimeout(ctx, 0)
				defer cancel()
				return task.Sleep(ctx, time.Hour)
			})
		}, context.DeadlineExceeded, []error{context.DeadlineExceeded}},
		{"a member that was cancelled by itself is none", func(ctx context.Context, g *task.Group) {
			m := task.Spawn(ctx, func(ctx context.Context) error {
				task.Spawn(ctx, untilCancelled(new(error))) // is cancelled with it
				return untilCancelled(new(error))(ctx)
			})
			g.Go(func() error { task.Yield(ctx); m.Cancel(errTest); return nil })
		}, nil, nil},
		{"unless it fails then", func(ctx context.Context, g *task.Group) {
			m := task.Spawn(ctx, func(ctx context.Context) error { pending().Await(ctx); return e1 })
			g.Go(func() error { task.Yield(ctx); m.Cancel(errTest); return nil })
		}, e1, []error{e1}},
		{"an isolated member's is none", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(context.Context) error { return e1 }, task.Isolated()).AsFuture().OnDone(future.Inline, func(struct{}, error) {})
			g.Go(after(ctx, 0, e2))
		}, e2, []error{e2}},
		{"the group was cancelled, and nobody has failed", func(ctx context.Context, g *task.Group) {
			g.Go(func() error { _, err := pending().Await(ctx); return err })
			g.Cancel(errTest)
		}, errTest, nil},
		{"the group was cancelled, and then somebody fails", func(ctx context.Context, g *task.Group) {
			g.Go(func() error { _, err := pending().Await(ctx); return err })
			g.Go(after(ctx, 3, e1))
			g.Cancel(errTest)
		}, errTest, []error{e1}},
		{"a group inside has one error", func(ctx context.Context, g *task.Group) {
			g.Go(func() error {
				return task.Scope(ctx, func(ctx context.Context, inner *task.Group) error {
					inner.Go(after(ctx, 0, e1))
					inner.Go(after(ctx, 3, e2))
					inner.Wait()
					return inner.Errors()
				})
			})
		}, e1, []error{e1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				c.fn(gctx, g)
				if err := g.Wait(); !errors.Is(err, c.wait) || (err == nil) != (c.wait == nil) {
					t.Errorf("Wait: %v, want %v", err, c.wait)
				}
				if got, want := textOf(g.Errors()), textOf(c.want...); got != want {
					t.Errorf("Errors: %q, want %q", got, want)
				}
				return nil
			})
		})
	}
}

func TestErrorsOfAScope(t *testing.T) {
	e1, e2 := errors.New("first"), errors.New("second")
	for name, c := range map[string]struct {
		body func(ctx context.Context, g *task.Group) error
		want []error
	}{
		"the body's and a member's": {func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { pending().Await(ctx); return e2 })
			task.Yield(ctx)
			return e1
		}, []error{e1, e2}},
		"a member's, which cancels the body": {func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { return e1 })
			_, err := pending().Await(ctx)
			return err
		}, []error{e1}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				var group *task.Group
				err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error { group = g; return c.body(ctx, g) })
				if got := textOf(group.Errors()); !errors.Is(err, e1) || got != textOf(c.want...) {
					t.Errorf("Scope = %v, Errors = %q; want %v and %q", err, got, e1, textOf(c.want...))
				}
				return nil
			})
		})
	}
}
