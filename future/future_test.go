package future_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

func TestTheFirstCompletionWins(t *testing.T) {
	for name, first := range map[string]struct {
		complete func(p *future.Promise[int]) bool
		value    int
		err      error
	}{
		"Resolve":             {func(p *future.Promise[int]) bool { return p.Resolve(1) }, 1, nil},
		"Fail":                {func(p *future.Promise[int]) bool { return p.Fail(errTest) }, 0, errTest},
		"Complete":            {func(p *future.Promise[int]) bool { return p.Complete(2, errTest) }, 2, errTest},
		"Cancel":              {func(p *future.Promise[int]) bool { return p.Future().Cancel(errTest) }, 0, errTest},
		"Cancel, no cause":    {func(p *future.Promise[int]) bool { return p.Future().Cancel(nil) }, 0, future.ErrCancelled},
		"CompleteBy":          {func(p *future.Promise[int]) bool { p.CompleteBy(func() (int, error) { return 3, nil }); return true }, 3, nil},
		"CompleteBy, a panic": {func(p *future.Promise[int]) bool { p.CompleteBy(func() (int, error) { panic(errTest) }); return true }, 0, errTest},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := future.New[int]()
			if _, err := f.TryResult(); err != future.ErrPending || f.Completed() {
				t.Errorf("before: TryResult's error = %v (completed: %v), want %v", err, f.Completed(), future.ErrPending)
			}
			select {
			case <-f.Done():
				t.Error("Done is closed before the end, want it open")
			default:
			}
			done := f.Done()
			if !first.complete(p) || p.Resolve(9) || p.Fail(errors.New("late")) || p.Complete(9, nil) || f.Cancel(nil) {
				t.Error("want the first call to win and the later ones to return false")
			}
			want(t, f, first.value, first.err)
			<-done
			<-f.Done()
			if !f.Completed() {
				t.Error("Completed = false after Done, want true")
			}
		})
	}
}

func TestOneOfManyGoroutinesCompletes(t *testing.T) {
	testkit.Watch(t)
	for range 200 {
		f, p := future.New[int]()
		var wins, calls atomic.Int64
		var winner atomic.Int64
		var joined sync.WaitGroup
		for i := range 64 {
			joined.Go(func() {
				switch i % 8 {
				case 0, 1, 2:
					if p.Resolve(i) {
						wins.Add(1)
						winner.Store(int64(i))
					}
				case 3:
					f.OnDone(future.Inline, func(v int, err error) { calls.Add(1) })
				case 4:
					<-f.Done()
				default:
					ctx, cancel := context.WithCancel(context.Background())
					if i%8 == 7 {
						go cancel()
					}
					v, err := f.Await(ctx)
					cancel()
					if w, _ := f.TryResult(); err == nil && v != w || err != nil && i%8 != 7 {
						t.Errorf("Await = %v, %v; want %v and nil (an error only if cancelled)", v, err, w)
					}
				}
			})
		}
		joined.Wait()
		if wins.Load() != 1 || calls.Load() != 8 {
			t.Fatalf("%d have won, %d callbacks ran; want 1 and 8", wins.Load(), calls.Load())
		}
		want(t, f, int(winner.Load()), nil)
	}
}

func TestAwait(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		f, p := future.New[int]()
		time.AfterFunc(time.Millisecond, func() { p.Resolve(4) })
		if v, err := f.Await(ctx); v != 4 || err != nil {
			t.Errorf("got %v, %v; want 4 and nil", v, err)
		}
		done, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		if v, err := f.Await(done); v != 4 || err != nil {
			t.Errorf("a result is not returned when the context is done: %v, %v; want 4 and nil", v, err)
		}
		g, q := future.New[int]()
		_, err := g.Await(done)
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		short, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		_, err = g.Await(short)
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		if g.Completed() {
			t.Error("the future has completed, want it pending: only a wait has ended")
		}
		q.Resolve(5)
		want(t, g, 5, nil)
	})
}

func TestCallbacks(t *testing.T) {
	t.Run("come in the order they were added, also afterwards", func(t *testing.T) {
		f, p := future.New[int]()
		var order []string
		add := func(name string) func() bool {
			return f.OnDone(future.Inline, func(v int, err error) { order = append(order, fmt.Sprint(name, v, err == errTest)) })
		}
		add("a")
		removeB := add("b")
		add("c")
		if !removeB() || removeB() {
			t.Error("want remove to return true once, then false")
		}
		p.Complete(7, errTest)
		removeD := add("d")
		if removeD() {
			t.Error("remove of a call that was made = true, want false")
		}
		if want := []string{"a7 true", "c7 true", "d7 true"}; !slices.Equal(order, want) {
			t.Errorf("calls %q, want %q", order, want)
		}
	})
	t.Run("run on the loop they ask for", func(t *testing.T) {
		loop := testkit.StartLoop(t)
		where := make(chan bool, 3)
		called := func(int, error) { where <- loop.InLoop() }
		f, p := future.New[int]()
		f.OnDone(loop, called)
		p.Resolve(1)
		f.OnDone(loop, called)
		for range 2 {
			if !<-where {
				t.Error("it ran elsewhere, want on the loop")
			}
		}
		g, q := future.New[int]()
		g.OnDone(loop, called)
		g.OnDone(future.Inline, called)
		loop.Close()
		q.Resolve(1) // the loop's is dropped
		g.OnDone(loop, called)
		if <-where || len(where) > 0 {
			t.Error("a closed loop ran the callback, want only the inline one called")
		}
	})
	t.Run("that panic do not take the others with them", func(t *testing.T) {
		f, p := future.New[int]()
		calls := 0
		for i := range 5 {
			f.OnDone(future.Inline, func(int, error) {
				calls++
				if i == 1 {
					panic(errTest)
				}
			})
		}
		if v := testkit.PanicOf(func() { p.Resolve(1) }); v != errTest {
			t.Errorf("the panic is %v, want %v", v, errTest)
		}
		if calls != 5 {
			t.Errorf("%d calls, want 5", calls)
		}
	})
	t.Run("may use the future", func(t *testing.T) {
		testkit.Watch(t)
		f, p := future.New[int]()
		f.OnDone(future.Inline, func(int, error) {
			f.OnDone(future.Inline, func(int, error) {})
			f.Await(context.Background())
			f.Cancel(nil)
			p.Resolve(2)
			<-f.Done()
		})
		p.Resolve(1)
		want(t, f, 1, nil)
	})
}

func TestCancelAsksTheProducer(t *testing.T) {
	f, p := future.New[int]()
	var asked []error
	p.OnCancel(func(cause error) { asked = append(asked, cause) })
	if !f.Cancel(errTest) || !f.Cancel(nil) || f.Completed() {
		t.Errorf("Cancel twice, completed = %v; want true, true, and pending until its producer stops", f.Completed())
	}
	if len(asked) != 1 || asked[0] != errTest {
		t.Errorf("the hook was asked %v, want %v once", asked, errTest)
	}
	p.Resolve(3) // perhaps with a result after all
	want(t, f, 3, nil)
	if f.Cancel(nil) {
		t.Error("Cancel of a completed future = true, want false")
	}

	f, p = future.New[int]()
	f.Cancel(errTest)
	p.OnCancel(func(cause error) { asked = append(asked, cause) })
	if len(asked) != 2 || asked[1] != errTest {
		t.Errorf("hooks were asked %v, want two calls: one that comes late is called at once with %v", asked, errTest)
	}
}

func TestRetrieved(t *testing.T) {
	for name, c := range map[string]struct {
		use  func(f *future.Future[int], p *future.Promise[int])
		want bool
	}{
		"pending":   {func(f *future.Future[int], p *future.Promise[int]) { f.TryResult() }, false},
		"a value":   {func(f *future.Future[int], p *future.Promise[int]) { p.Resolve(1); f.TryResult() }, false},
		"left":      {func(f *future.Future[int], p *future.Promise[int]) { p.Fail(errTest) }, false},
		"TryResult": {func(f *future.Future[int], p *future.Promise[int]) { p.Fail(errTest); f.TryResult() }, true},
		"Await":     {func(f *future.Future[int], p *future.Promise[int]) { p.Fail(errTest); f.Await(context.Background()) }, true},
		"a callback": {func(f *future.Future[int], p *future.Promise[int]) {
			f.OnDone(future.Inline, func(int, error) {})
			p.Fail(errTest)
		}, true},
		"Done is not": {func(f *future.Future[int], p *future.Promise[int]) { d := f.Done(); p.Fail(errTest); <-d }, false},
		"a past waiter": {func(f *future.Future[int], p *future.Promise[int]) {
			ctx, c := context.WithTimeout(context.Background(), 1)
			defer c()
			f.Await(ctx)
			p.Fail(errTest)
		}, false},
	} {
		f, p := future.New[int]()
		c.use(f, p)
		if p.Retrieved() != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

func TestFromFunc(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		type fn = func(ctx context.Context) (int, error)
		untilDone := func(ctx context.Context) (int, error) { <-ctx.Done(); return 1, context.Cause(ctx) }
		for name, c := range map[string]struct {
			fn   fn
			then func(f *future.Future[int], cancel context.CancelCauseFunc)
			v    int
			err  error
		}{
			"a value":               {fn: func(context.Context) (int, error) { return 5, nil }, v: 5},
			"an error":              {fn: func(context.Context) (int, error) { return 5, errTest }, v: 5, err: errTest},
			"a panic":               {fn: func(context.Context) (int, error) { panic(errTest) }, err: errTest},
			"a Goexit":              {fn: func(context.Context) (int, error) { runtime.Goexit(); return 1, nil }, err: future.ErrGoexit},
			"Cancel":                {fn: untilDone, then: func(f *future.Future[int], _ context.CancelCauseFunc) { f.Cancel(errTest) }, v: 1, err: errTest},
			"Cancel without cause":  {fn: untilDone, then: func(f *future.Future[int], _ context.CancelCauseFunc) { f.Cancel(nil) }, v: 1, err: future.ErrCancelled},
			"the end of its parent": {fn: untilDone, then: func(_ *future.Future[int], cancel context.CancelCauseFunc) { cancel(errTest) }, v: 1, err: errTest},
		} {
			t.Run(name, func(t *testing.T) {
				parent, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
				defer cancel(nil)
				f := future.FromFunc(parent, c.fn)
				if c.then != nil {
					c.then(f, cancel)
				}
				if v, err := f.Await(context.Background()); v != c.v || !errors.Is(err, c.err) {
					t.Errorf("got %v, %v; want %v and %v", v, err, c.v, c.err)
				}
			})
		}
	})
}

func TestFromCallback(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		at := future.FromCallback(func(done func(int, error)) { done(1, nil); done(2, errTest) })
		want(t, at, 1, nil)
		later := future.FromCallback(func(done func(int, error)) { time.AfterFunc(time.Millisecond, func() { done(2, errTest) }) })
		v, err := later.Await(ctx)
		if v != 2 || err != errTest {
			t.Errorf("got %v, %v; want 2 and %v", v, err, errTest)
		}
	})
}

func TestFromCallbackStop(t *testing.T) {
	stops := 0
	var done func(int, error)
	api := func(d func(int, error)) (stop func()) {
		done = d
		return func() { stops++ }
	}
	f := future.FromCallbackStop(api)
	if !f.Cancel(errTest) || f.Cancel(nil) || stops != 1 {
		t.Errorf("%d stops, want 1, by the first Cancel only", stops)
	}
	want(t, f, 0, errTest)
	done(1, nil) // too late
	want(t, f, 0, errTest)

	f = future.FromCallbackStop(api)
	done(7, nil)
	f.Cancel(nil)
	want(t, f, 7, nil)
	f = future.FromCallbackStop(func(d func(int, error)) func() { d(0, errTest); return func() { stops++ } })
	f.Cancel(nil)
	if want(t, f, 0, errTest); stops != 1 {
		t.Errorf("%d stops, want 1: an API that has called back is not stopped", stops)
	}
}

// Waiters that come and go while others complete: none is lost, none is woken twice.
func TestWaitersComeAndGo(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		for range 100 {
			f, p := future.New[int]()
			var outcomes []*future.Future[int]
			for i := range 20 {
				c, cancel := context.WithCancel(ctx)
				outcomes = append(outcomes, future.FromFunc(context.Background(), func(context.Context) (int, error) { return f.Await(c) }))
				if i%3 == 0 {
					go cancel()
				} else {
					defer cancel()
				}
			}
			go p.Resolve(1)
			for i, o := range outcomes {
				if v, err := o.Await(ctx); v != 1 && (i%3 != 0 || !errors.Is(err, context.Canceled)) {
					t.Fatalf("waiter %d: Await = %v, %v; want 1 and nil (%v where cancelled)", i, v, err, context.Canceled)
				}
			}
		}
	})
}

func TestTasksAndGoroutinesOnTheSameFutures(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		const n = 64
		fs, ps := make([]*future.Future[int], n), make([]*future.Promise[int], n)
		for i := range fs {
			fs[i], ps[i] = future.New[int]()
		}
		sum := func(ctx context.Context) (int, error) {
			vs, err := future.All(ctx, fs...)
			total := 0
			for _, v := range vs {
				total += v
			}
			return total, err
		}
		var sums []*future.Future[int]
		for range n {
			sums = append(sums, task.Go(ctx, sum).AsFuture(), future.FromFunc(context.Background(), sum))
		}
		for i := range n {
			go ps[i].Resolve(i)
		}
		totals, err := future.All(ctx, sums...)
		for _, v := range totals {
			if v != n*(n-1)/2 {
				t.Errorf("a sum of %d, want %d", v, n*(n-1)/2)
			}
		}
		return err
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}

// endsLate is a context that turns out to be done only after something else has happened.
type endsLate struct {
	context.Context
	before func()
}

func (c endsLate) Err() error { c.before(); return context.Canceled }

// A result that came before the end of the context is not lost to it, also when both came while
// Await was looking.
func TestAResultThatComesBeforeTheContextsEndWins(t *testing.T) {
	f, p := future.New[int]()
	v, err := f.Await(endsLate{context.Background(), func() { p.Resolve(7) }})
	if v != 7 || err != nil {
		t.Errorf("%v, %v; want 7 and nil", v, err)
	}
}
