package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// A foreign context may end while something is being made below it. The race detector watches.
func TestAContextMayEndWhileSomethingIsMadeBelowIt(t *testing.T) {
	makes := map[string]func(ctx context.Context) error{
		"a group": func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context, _ *task.Group) error { return task.Sleep(ctx, time.Hour) })
		},
		"a timeout": func(ctx context.Context) error {
			ctx, cancel := task.WithTimeout(ctx, time.Hour)
			defer cancel()
			return task.Sleep(ctx, time.Hour)
		},
		"a task": func(ctx context.Context) error {
			_, err := task.Spawn(ctx, func(ctx context.Context) error { return task.Sleep(ctx, time.Hour) }).Await(context.Background())
			return err
		},
		"a task that starts": func(ctx context.Context) error {
			_, err := task.Start(ctx, func(ctx context.Context, started func(int) bool) error {
				return task.Sleep(ctx, time.Hour)
			})
			return err
		},
	}
	why := errors.New("why")
	for name, make := range makes {
		t.Run(name, func(t *testing.T) {
			l := testkit.StartLoop(t)
			for i := range 300 {
				testkit.InTask(t, l, func(ctx context.Context) {
					ctx, cancel := context.WithCancelCause(ctx)
					time.AfterFunc(time.Duration(i%30)*time.Microsecond, func() { cancel(why) })
					if err := make(ctx); !errors.Is(err, why) {
						t.Errorf("%s below a context that ends = %v, want %v", name, err, why)
					}
				})
			}
		})
	}
}
