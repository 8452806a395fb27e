package task

import (
	"context"
	"fmt"
	"math"

	"github.com/corobridge/corobridge/internal/coro"
)

// Priority gives the task a class, on a loop that was made with reactor.WithPriorities: 0, which is what a task has otherwise, is the most
// urgent one, and each higher class less so. The tasks that it starts have its class too, unless they are given their own. It
// panics if class is negative, or more than 255.
func Priority(class int) Option {
	if class < 0 || class > math.MaxUint8 {
		panic(fmt.Sprintf("task: Priority(%d): give a class from 0, the most urgent, to 255", class))
	}
	return func(s *scope) { s.class = uint8(class) }
}

// Class is asked for by the loop: of a task that is to start, and through its coroutine of one that goes on.
func (b *body[T]) Class() int { return int(b.scope.class) }

// Checkpoint lets others have their turn when the calling task has had its share: at every 128th operation since the task last
// waited, of those that need not wait. Checkpoint counts as one, and so does Await of a future that is ready, with the context of a
// task, of a group or of WithTimeout. A loop without such an operation calls it, as does one whose awaits are given another context, one of package
// context's: who waits with that is not known for nothing.
//
// It returns the cause, and does not yield, if ctx is done. In a plain goroutine and in a callback of a loop it does no more than that.
func Checkpoint(ctx context.Context) error {
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	coro.SpendAnyway(ctx)
	return nil
}
