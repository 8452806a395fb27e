package inspect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
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

// The goroutine tells which task asks, not a context.
func TestCurrentIsTheTaskThatCallsIt(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		main, ok := inspect.Current()
		if !ok || main.String() != `task 1 "main"` || main.State != "running" || main.Spawned != "" || main.Age != 0 {
			t.Errorf(`Current in main = %+v, %v; want task 1 "main", running, no site, age 0, and true`, main, ok)
		}
		_, err := task.Spawn(ctx, func(context.Context) error {
			if i, ok := inspect.Current(); !ok || i.String() != "task 2" {
				t.Errorf("Current in the other one = %+v, %v; want task 2 and true", i, ok)
			}
			return nil
		}).Await(ctx)
		if again, _ := inspect.Current(); again.ID != main.ID {
			t.Errorf("Current in main, again = %v, want %v", again, main)
		}
		loop, _ := reactor.FromContext(ctx)
		nowhere := func() {
			if i, ok := inspect.Current(); ok {
				t.Errorf("Current outside tasks = %v, true; want false", i)
			}
		}
		called, p := future.New[int]()
		loop.CallSoon(func() { nowhere(); p.Resolve(1) })
		called.Await(ctx)
		var outside sync.WaitGroup
		outside.Go(nowhere)
		task.Wait(ctx, waits(outside.Wait))
		return err
	})
}

type waits func()

func (w waits) Wait() error { w(); return nil }

func TestInfoTellsWhatIsKnown(t *testing.T) {
	clock := &steppedClock{}
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		sleeper := task.Spawn(ctx, until(pending()), task.Name("sleeper"))
		task.Spawn(ctx, until(sleeper))
		yields(ctx, 2)
		clock.now += time.Second
		all, err := inspect.All(ctx, loop)
		if err != nil || len(all) != 3 {
			t.Fatalf("All = %v, %v; want 3 tasks and nil", all, err)
		}
		s := all[1]
		site := strings.Contains(s.Spawned, "task/inspect/info_test.go:") && strings.Contains(s.Spawned, "TestInfoTells")
		if s.ID != 2 || s.Name != "sleeper" || !site || s.Age != time.Second || s.State != "waiting" || s.Awaits != "pending future" || !slices.Equal(s.AwaitedBy, []uint64{3}) {
			t.Errorf("the sleeper is %+v; want ID 2, its name, a site in this test, age 1s, waiting for a pending future, awaited by 3", s)
		}
		if !s.Cancel(errTest) || s.Cancel(nil) {
			t.Error("want the first Cancel to return true, the second false")
		}
		_, err = sleeper.Await(ctx)
		testkit.ErrorIs(t, err, errTest)
		yields(ctx, 3)
		if all, _ := inspect.All(ctx, loop); len(all) != 1 || all[0].ID != 1 {
			t.Errorf("All = %v, want only task 1: the others have ended", all)
		}
		if s.Cancel(nil) {
			t.Error("Cancel of a task that has ended = true, want false")
		}
		if stack, err := s.Stack(ctx); stack != nil || err != nil {
			t.Errorf("it has ended, and its stack is %s, %v; want nil and nil", stack, err)
		}
		return nil
	}, debugMode(), reactor.WithWorld(worldtest.WithTime(clock)))
}

func TestTheZeroInfoIsNoTask(t *testing.T) {
	var i inspect.Info
	if stack, err := i.Stack(context.Background()); stack != nil || err != nil || i.Cancel(nil) {
		t.Errorf("Stack = %s, %v; want nil and nil, and Cancel to return false", stack, err)
	}
}

//go:noinline
func standHere(ctx context.Context, n int, wait func(context.Context) error) error {
	if n == 0 {
		return wait(ctx)
	}
	return standHere(ctx, n-1, wait)
}

// The coroutine is reused, with stacks of other depths.
func TestTheStackOfATaskShowsWhereItWaits(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		for depth := range 20 {
			for name, wait := range map[string]func(context.Context) error{
				"future.(*Future[...]).Await(": until(pending()), "task.Sleep(": sleeps, "task.Yield(": func(ctx context.Context) error { return task.Yield(ctx) },
				"task.(*Group).": func(ctx context.Context) error {
					return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
						g.Go(func() error { return sleeps(ctx) })
						return nil
					})
				},
			} {
				w := task.Spawn(ctx, func(ctx context.Context) error { return standHere(ctx, depth, wait) }, task.Name("w"))
				stack := func() []byte {
					all, _ := inspect.All(ctx, loop)
					k := slices.IndexFunc(all, func(i inspect.Info) bool { return i.Name == "w" })
					got, err := all[k].Stack(ctx)
					if err != nil {
						t.Error(err)
					}
					return got
				}
				if got := stack(); got != nil {
					t.Errorf("before it has begun: %s, want nil", got)
				}
				task.Yield(ctx)
				got := stack()
				if n := bytes.Count(got, []byte("inspect_test.standHere(")); n != depth+1 || !bytes.Contains(got, []byte(name)) {
					t.Fatalf("%s: at depth %d there are %d frames, want %d and %s in\n%s", name, depth, n, depth+1, name, got)
				}
				w.Cancel(nil)
				w.Await(ctx)
			}
		}
		return nil
	})
}

func TestTheStackOfTheTaskThatAsks(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		i, _ := inspect.Current()
		stack, err := i.Stack(ctx)
		if err != nil || !bytes.Contains(stack, []byte("inspect_test.TestTheStackOfTheTaskThatAsks.")) {
			t.Errorf("Stack = %s, %v; want this test's function in it, and nil", stack, err)
		}
		return nil
	})
}

// Run on a locked thread, as main and init have it, a coroutine can be resumed on that thread only.
func TestTheStackOnALockedThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		w := task.Spawn(ctx, func(ctx context.Context) error { return standHere(ctx, 1, sleeps) })
		task.Yield(ctx)
		check := func() {
			all, _ := inspect.All(context.Background(), loop)
			if got, err := all[1].Stack(context.Background()); err != nil || !bytes.Contains(got, []byte("inspect_test.standHere(")) {
				t.Errorf("Stack = %s, %v; want standHere in it, and nil", got, err)
			}
		}
		check()
		task.Blocking(ctx, func(context.Context) (int, error) { check(); return 0, nil })
		w.Cancel(nil)
		return nil
	})
}

// Eight goroutines and a task of another loop ask while tasks come and go.
func TestAnybodyMayAskAtAnyTime(t *testing.T) {
	loop := testkit.StartLoop(t)
	ask := func(ctx context.Context) error {
		all, err := inspect.All(ctx, loop)
		for _, i := range all {
			stack, stackErr := i.Stack(ctx)
			if len(stack) > 0 && !bytes.HasPrefix(stack, []byte("goroutine ")) {
				return fmt.Errorf("stack %s, want it to begin with goroutine", stack)
			}
			err = errors.Join(err, stackErr)
			if i.Name == "sleeper" {
				i.Cancel(nil)
			}
		}
		var tree bytes.Buffer
		json, jsonErr := inspect.MarshalTree(ctx, loop)
		if !bytes.HasPrefix(json, []byte(`{"scopes":[`)) {
			return fmt.Errorf(`MarshalTree = %s, want it to begin with {"scopes":[`, json)
		}
		return errors.Join(err, jsonErr, inspect.WriteTree(ctx, &tree, loop))
	}
	over := make(chan bool)
	work := task.Spawn(loop.Context(), func(ctx context.Context) error {
		defer close(over)
		for n := range 30 {
			err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
				var mu lock.Mutex
				for range 4 {
					g.Go(func() error {
						if err := mu.Lock(ctx); err != nil {
							return err
						}
						defer mu.Unlock()
						return task.Yield(ctx)
					})
				}
				s := task.Spawn(ctx, sleeps, task.Isolated(), task.Name("sleeper"))
				if n%2 == 0 {
					s.Cancel(nil)
					return task.Yield(ctx)
				}
				for !s.Completed() { // somebody cancels it who looks
					if err := task.Sleep(ctx, 10*time.Microsecond); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	untilOver := func(ctx context.Context) error {
		for {
			select {
			case <-over:
				return nil
			default:
				if err := ask(ctx); err != nil {
					t.Error(err)
					return err
				}
			}
		}
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() { untilOver(context.Background()) })
	}
	testkit.Run(t, untilOver)
	asking.Wait()
	if _, err := work.Await(context.Background()); err != nil {
		t.Error(err)
	}
}

// The loop is not run, or stalled, or closed: nobody waits for longer than ctx says.
func TestAskingALoopThatDoesNotRun(t *testing.T) {
	testkit.Watch(t)
	loop, err := reactor.New()
	if err != nil {
		t.Fatal(err)
	}
	w := task.Spawn(loop.Context(), until(pending()))
	for range 3 {
		loop.Turn(0)
	}
	all, err := inspect.All(context.Background(), loop)
	if err != nil || len(all) != 1 || all[0].State != "waiting" {
		t.Fatalf("All of a loop that nobody runs = %v, %v; want 1 waiting task and nil", all, err)
	}
	if _, err := all[0].Stack(context.Background()); err == nil || !strings.Contains(err.Error(), "nobody runs the loop") {
		t.Errorf("Stack on a loop that nobody runs: %v, want an error that says so", err)
	}

	if err := loop.Start(); err != nil {
		t.Fatal(err)
	}
	stalled, until := make(chan bool), make(chan bool)
	loop.CallSoon(func() { close(stalled); <-until })
	<-stalled
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = inspect.All(ctx, loop)
	testkit.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = all[0].Stack(ctx)
	testkit.ErrorIs(t, err, context.DeadlineExceeded)
	testkit.ErrorIs(t, inspect.WriteTree(ctx, new(bytes.Buffer), loop), context.DeadlineExceeded)
	_, err = inspect.MarshalTree(ctx, loop)
	testkit.ErrorIs(t, err, context.DeadlineExceeded)
	close(until)
	if stack, err := all[0].Stack(context.Background()); err != nil || len(stack) == 0 {
		t.Errorf("Stack when it runs = %s, %v; want a stack and nil", stack, err)
	}

	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if all, err := inspect.All(ctx, loop); len(all) != 0 || err != nil {
		t.Errorf("All of a closed loop = %v, %v; want none and nil", all, err)
	}
	if !w.Completed() {
		t.Error("the task has not ended, want Close to end it")
	}
}

// What the loop keeps for tasks is made when the first one comes: also while somebody looks.
func TestTheFirstTaskMayComeWhileSomebodyLooks(t *testing.T) {
	for range 100 {
		loop := testkit.StartLoop(t)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { loop.Stats(context.Background()) })
			all.Go(func() { inspect.All(context.Background(), loop) })
			all.Go(func() {
				task.Spawn(loop.Context(), func(context.Context) error { return nil }).Await(context.Background())
			})
		}
		all.Wait()
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	}
}
