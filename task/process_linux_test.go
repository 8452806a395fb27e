package task_test

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// The context ends, and before the task goes on the loop has waited for the process: its state is
// not lost.
func TestExitThatComesBesideACancellationIsReturned(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		p, end := child(t)
		tk := task.Go(ctx, func(ctx context.Context) (*os.ProcessState, error) {
			state, err := task.WaitProcess(ctx, p)
			testkit.ErrorIs(t, context.Cause(ctx), errTest)
			return state, err
		})
		task.Yield(ctx)
		end()
		if err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Error(err)
		}
		cancel := posted(func() { tk.Cancel(errTest) }) // and the poll then finds the exit
		coreOf(l).At(loop.BeforePoll, cancel)
		state, err := tk.Await(ctx)
		wantExit(t, state, err)
		return nil
	})
}
