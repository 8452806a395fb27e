package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/inspect"
	"github.com/corobridge/corobridge/task/lock"
)

// treeOf returns the tree as the calling task sees it, when all that was started has begun.
func treeOf(t *testing.T, ctx context.Context) string {
	t.Helper()
	yields(ctx, 3)
	return treeNow(t, ctx)
}

func treeNow(t *testing.T, ctx context.Context) string {
	t.Helper()
	loop, _ := reactor.FromContext(ctx)
	var b bytes.Buffer
	if err := inspect.WriteTree(ctx, &b, loop); err != nil {
		t.Error(err)
	}
	return b.String()
}

// until awaits f.
func until[T any](f interface {
	Await(ctx context.Context) (T, error)
}) func(ctx context.Context) error {
	return func(ctx context.Context) error { _, err := f.Await(ctx); return err }
}

func sleeps(ctx context.Context) error { return task.Sleep(ctx, time.Hour) }

func TestTheTree(t *testing.T) {
	for name, c := range map[string]struct {
		have func(ctx context.Context, end *future.Future[int])
		want string
	}{
		"main alone": {func(context.Context, *future.Future[int]) {}, `
task 1 "main": running
`},
		"what a task waits for": {func(ctx context.Context, _ *future.Future[int]) {
			w := task.Spawn(ctx, sleeps, task.Name("sleeper"))
			task.Spawn(ctx, until(w))
			task.Spawn(ctx, until(w.AsFuture()))
			task.Spawn(ctx, until(pending()))
			var mu lock.Mutex
			mu.Lock(ctx)
			task.Spawn(ctx, mu.Lock)
			var free lock.Mutex
			free.TryLock() // by it is not known whom
			task.Spawn(ctx, free.Lock)
		}, `
task 1 "main": running
├── task 2 "sleeper": awaits sleep
├── task 3: awaits task 2 "sleeper"
├── task 4: awaits task 2 "sleeper"
├── task 5: awaits pending future
├── task 6: awaits mutex held by task 1 "main"
└── task 7: awaits mutex
`},
		"what a combinator waits for": {func(ctx context.Context, _ *future.Future[int]) {
			var fs []*task.Task[struct{}]
			for range 4 {
				fs = append(fs, task.Spawn(ctx, sleeps))
			}
			done := task.Spawn(ctx, func(context.Context) error { return nil })
			yields(ctx, 1)
			task.Spawn(ctx, func(ctx context.Context) error { _, err := future.All(ctx, fs[0], done, fs[0], fs[1]); return err })
			task.Spawn(ctx, func(ctx context.Context) error { _, err := future.Race(ctx, fs...); return err })
			task.Spawn(ctx, func(ctx context.Context) error { _, err := future.Any(ctx, pending(), pending()); return err })
			task.Spawn(ctx, func(ctx context.Context) error {
				for range future.AsCompleted(ctx, fs[2:]...) {
				}
				return nil
			})
		}, `
task 1 "main": running
├── task 2: awaits sleep
├── task 3: awaits sleep
├── task 4: awaits sleep
├── task 5: awaits sleep
├── task 6: awaits all of 4 futures: task 2, task 3
├── task 7: awaits one of 4 futures: task 2, task 3, task 4, …
├── task 8: awaits one of 2 futures
└── task 9: awaits one of 2 futures: task 4, task 5
`},
		"groups and timeouts": {func(ctx context.Context, end *future.Future[int]) {
			g, gctx := task.NewGroup(ctx)
			end.OnDone(future.Inline, func(int, error) { g.Cancel(nil) })
			g.Go(func() error { return sleeps(gctx) })
			task.Spawn(gctx, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
					g.Go(func() error { return sleeps(ctx) })
					return nil
				})
			})
			ctx, cancel := task.WithTimeout(ctx, time.Hour)
			task.Spawn(ctx, func(ctx context.Context) error { defer cancel(); return g.Wait() }, task.Name("waits"))
		}, `
task 1 "main": running
├── group of 2 running tasks
│   ├── task 2: awaits sleep
│   └── task 3: awaits group of 1 running tasks
│       └── group of 1 running tasks
│           └── task 4: awaits sleep
└── timeout
    └── task 5 "waits": awaits group of 2 running tasks
`},
		"a full group": {func(ctx context.Context, end *future.Future[int]) {
			g, gctx := task.NewGroup(ctx)
			end.OnDone(future.Inline, func(int, error) { g.Cancel(nil) })
			g.SetLimit(1)
			g.Go(func() error { return sleeps(gctx) })
			task.Spawn(ctx, func(ctx context.Context) error { g.Go(func() error { return nil }); return nil })
		}, `
task 1 "main": running
├── group of 1 running tasks
│   └── task 2: awaits sleep
└── task 3: awaits a place in a group of 1 running tasks
`},
		"what was cancelled and goes on": {func(ctx context.Context, end *future.Future[int]) {
			goesOn := func(ctx context.Context) error { return until(end)(context.WithoutCancel(ctx)) }
			stubborn := task.Spawn(ctx, func(ctx context.Context) error {
				task.Spawn(ctx, goesOn)
				return goesOn(ctx)
			})
			yields(ctx, 2)
			stubborn.Cancel(errTest)
		}, `
task 1 "main": running
└── task 2: awaits pending future; cancelled: test error
    └── task 3: awaits pending future; cancelled: test error
`},
		"what an ended task has started moves up": {func(ctx context.Context, _ *future.Future[int]) {
			task.Spawn(ctx, func(ctx context.Context) error {
				task.Spawn(context.WithoutCancel(ctx), sleeps, task.Name("left"))
				return nil
			})
		}, `
task 1 "main": running
└── task 2 "left": awaits sleep
`},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				end, p := future.New[int]()
				defer p.Resolve(1)
				c.have(ctx, end)
				if got, want := treeOf(t, ctx), c.want[1:]; got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
				return nil
			}, new(testkit.Exceptions).Option()) // groups that are not awaited
		})
	}
}

// What waits for what is told of one loop: another one's tasks are not to be looked at meanwhile.
func TestWhoWaitsForAnotherLoopsTasks(t *testing.T) {
	var mu lock.Mutex
	locked, p := future.New[int]()
	other := task.Spawn(testkit.StartLoop(t).Context(), func(ctx context.Context) error {
		mu.Lock(ctx)
		defer mu.Unlock()
		p.Resolve(1)
		return sleeps(ctx)
	}, task.Name("other"))
	defer other.Cancel(nil)
	testkit.Run(t, func(ctx context.Context) error {
		locked.Await(ctx)
		task.Spawn(ctx, until(other))
		task.Spawn(ctx, mu.Lock)
		want := "task 1 \"main\": running\n├── task 2: awaits pending future\n└── task 3: awaits mutex\n"
		if got := treeOf(t, ctx); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		return nil
	})
}

// A task that has not begun is ready, and who awaits it is told already.
func TestTheTreeOfTasksThatHaveNotBegun(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		late, p := future.New[*task.Task[struct{}]]()
		task.Spawn(ctx, func(ctx context.Context) error {
			w, _ := late.Await(ctx)
			return until(w)(ctx)
		}, task.Name("first"))
		yields(ctx, 2)
		p.Resolve(task.Spawn(ctx, func(ctx context.Context) error { return nil }, task.Name("second")))
		want := "task 1 \"main\": running\n├── task 2 \"first\": ready\n└── task 3 \"second\": ready\n"
		if got := treeNow(t, ctx); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		return nil
	})
}

func TestATreeWithoutTasks(t *testing.T) {
	loop := testkit.StartLoop(t)
	for _, closed := range []bool{false, true} {
		if closed {
			loop.Close()
		}
		var b bytes.Buffer
		if err := inspect.WriteTree(context.Background(), &b, loop); b.String() != "no tasks\n" || err != nil {
			t.Errorf("WriteTree (closed: %v) wrote %q, %v; want %q and nil", closed, &b, err, "no tasks\n")
		}
		if got, err := inspect.MarshalTree(context.Background(), loop); string(got) != `{"scopes":[]}` || err != nil {
			t.Errorf("JSON %s, %v; want %s and nil", got, err, `{"scopes":[]}`)
		}
	}
}

// The fields are what programs rely on.
func TestTheTreeAsJSON(t *testing.T) {
	clock := &steppedClock{}
	testkit.Run(t, func(ctx context.Context) error {
		clock.now = time.Second
		var g *task.Group
		w := task.Spawn(ctx, func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context, in *task.Group) error {
				g = in
				g.Go(func() error { return until(pending())(ctx) })
				return nil
			})
		}, task.Name("scope"))
		tctx, cancel := task.WithTimeout(ctx, time.Hour)
		defer cancel()
		task.Spawn(tctx, until(w))
		yields(ctx, 3)
		clock.now = 3 * time.Second
		g.Cancel(errTest) // nobody has gone on yet
		loop, _ := reactor.FromContext(ctx)
		got, err := inspect.MarshalTree(ctx, loop)
		if err != nil {
			t.Error(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, got, "", " "); err != nil {
			t.Fatal(err)
		}
		const want = `{
 "scopes": [
  {
   "kind": "task",
   "id": 1,
   "name": "main",
   "age_ns": 3000000000,
   "state": "running",
   "children": [
    {
     "kind": "task",
     "id": 2,
     "name": "scope",
     "age_ns": 2000000000,
     "state": "waiting",
     "awaits": "group of 1 running tasks",
     "awaits_tasks": [
      3
     ],
     "awaited_by": [
      4
     ],
     "children": [
      {
       "kind": "group",
       "cancelled": "test error",
       "children": [
        {
         "kind": "task",
         "id": 3,
         "age_ns": 2000000000,
         "state": "ready",
         "awaited_by": [
          2
         ],
         "cancelled": "test error"
        }
       ]
      }
     ]
    },
    {
     "kind": "timeout",
     "children": [
      {
       "kind": "task",
       "id": 4,
       "age_ns": 2000000000,
       "state": "waiting",
       "awaits": "task 2 \"scope\"",
       "awaits_tasks": [
        2
       ]
      }
     ]
    }
   ]
  }
 ]
}`
		if indented.String() != want {
			t.Errorf("got %s\nwant %s", &indented, want)
		}
		return nil
	}, reactor.WithWorld(worldtest.WithTime(clock)), reactor.WithProfileLabels())
}

// failingWriter fails.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errTest }

func TestWhatTheWriterSaysIsReturned(t *testing.T) {
	if err := inspect.WriteTree(context.Background(), failingWriter{}, testkit.StartLoop(t)); !errors.Is(err, errTest) {
		t.Errorf("WriteTree to a writer that fails = %v, want %v", err, errTest)
	}
}

func TestTheTreeTellsSpawnSitesInDebugMode(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		task.Spawn(ctx, until(pending()))
		got := treeOf(t, ctx)
		if n := strings.Count(got, "; started at "); n != 2 || !strings.Contains(got, "task/inspect/tree_test.go:") {
			t.Errorf("%d sites are told, want 2 in this file; got\n%s", n, got)
		}
		return nil
	}, debugMode())
}

// Eager tasks interrupt the one that has started them, which is about to go on.
func TestTheTreeOfAnEagerTask(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var got string
		task.Spawn(ctx, func(ctx context.Context) error { got = treeNow(t, ctx); return nil }, task.Eager())
		if want := "task 1 \"main\": ready\n└── task 2: running\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		return nil
	})
}
