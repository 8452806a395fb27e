package task

import (
	"context"
	"errors"
	"os"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// WaitProcess suspends the calling task until the child process p has exited, and returns what
// p.Wait does. No goroutine waits where the system has pidfds: see AddChild of reactor.Loop, also
// for the errors. For an exec.Cmd, which has more to clean up, there is Wait.
//
// If ctx ends first, WaitProcess returns the cause, and p goes on and can be waited for again;
// except where a goroutine has to wait. That is so without pidfds, on a loop that is closing, which
// then waits for p, and in a plain goroutine. In a callback of a loop WaitProcess panics.
func WaitProcess(ctx context.Context, p *os.Process) (*os.ProcessState, error) {
	w, err := coro.Here(ctx, "task: WaitProcess")
	if err != nil {
		return nil, err
	}
	c := w.Coro()
	w.Release()
	if c == nil {
		wait := func(context.Context) (*os.ProcessState, error) { return p.Wait() }
		return future.FromFunc(context.WithoutCancel(ctx), wait).Await(ctx)
	}
	exit, told := future.New[*os.ProcessState]()
	remove, err := loopOf(c).Owner().(*reactor.Loop).AddChild(p, func(s *os.ProcessState, err error) { told.Complete(s, err) })
	if errors.Is(err, reactor.ErrClosed) { // what unwinds may have killed p, and wait for it
		outside := loopOf(c).World()
		return Blocking(ctx, func(context.Context) (*os.ProcessState, error) { return outside.WaitProcess(p) })
	}
	if err != nil {
		return nil, err
	}
	state, err := exit.Await(ctx)
	if err != nil && !remove() {
		return exit.TryResult() // p has been waited for in the meantime, and nobody else can
	}
	return state, err
}
