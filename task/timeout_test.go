package task_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// workClock goes on only by work.
type workClock struct{ now atomic.Int64 }

func (c *workClock) work(d time.Duration) { c.now.Add(int64(d)) }

func (c *workClock) Now() time.Duration { return time.Duration(c.now.Load()) }
func (c *workClock) Wall() time.Time    { return time.Unix(0, c.now.Load()) }

// The loop has read its clock before the work: its time is not the time of the call.
func TestTimeoutCountsFromTheCallAfterLongWork(t *testing.T) {
	clock := &workClock{}
	const d, turns = 50 * time.Millisecond, 200 // in which the loop looks at its clock
	for name, bounded := range map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
		"WithTimeout": func(ctx context.Context) (context.Context, context.CancelFunc) { return task.WithTimeout(ctx, d) },
		"WithDeadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return task.WithDeadline(ctx, clock.Wall().Add(d))
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				clock.work(300 * time.Millisecond)
				c, cancel := bounded(ctx)
				defer cancel()
				if got, _ := c.Deadline(); !got.Equal(clock.Wall().Add(d)) {
					t.Errorf("the deadline is in %v, want %v", got.Sub(clock.Wall()), d)
				}
				clock.work(d - 1)
				if yields(ctx, turns); c.Err() != nil {
					t.Errorf("%v before the deadline, want nil", c.Err())
				}
				clock.work(1)
				if yields(ctx, turns); c.Err() != context.DeadlineExceeded {
					t.Errorf("%v at the deadline, want %v", c.Err(), context.DeadlineExceeded)
				}
				return nil
			}, reactor.WithWorld(worldtest.WithTime(clock)))
		})
	}
}
