//go:build unix

package task_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestRunReturnsMainsOutcome(t *testing.T) {
	testkit.Watch(t)
	var cancel context.CancelCauseFunc
	for name, c := range map[string]struct {
		main func(ctx context.Context) error
		want error
	}{
		"nothing":  {func(ctx context.Context) error { return nil }, nil},
		"an error": {func(ctx context.Context) error { return errTest }, errTest},
		"what its parent is cancelled with": {func(ctx context.Context) error {
			if ctx.Value(anyKey{}) != 5 {
				t.Errorf("main's context has the value %v, want 5", ctx.Value(anyKey{}))
			}
			cancel(errTest)
			_, err := pending().Await(ctx)
			return err
		}, errTest},
		"its own result after Stop": {func(ctx context.Context) error {
			loop, _ := reactor.FromContext(ctx)
			loop.Stop()
			_, err := pending().Await(ctx)
			return errors.Join(errTest, err)
		}, errTest},
		"its own result after Close": {func(ctx context.Context) error {
			loop, _ := reactor.FromContext(ctx)
			loop.Close()
			_, err := pending().Await(ctx)
			return err
		}, reactor.ErrClosed},
	} {
		for range 2 { // a second Run is like the first
			var parent context.Context
			parent, cancel = context.WithCancelCause(context.WithValue(context.Background(), anyKey{}, 5))
			if err := task.Run(parent, c.main); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			cancel(nil)
		}
	}
	var p *task.PanicError
	if err := task.Run(context.Background(), func(context.Context) error { panicsHere(); return nil }); !errors.As(err, &p) {
		t.Errorf("Run of a main that panics = %v, want a PanicError", err)
	}
}

func TestRunUnwindsWhatMainLeaves(t *testing.T) {
	fds := len(testkit.Descriptors())
	ended := 0
	begun := time.Now()
	testkit.Run(t, func(ctx context.Context) error {
		for range 100 {
			task.Spawn(ctx, func(ctx context.Context) error {
				defer func() { ended++ }()
				err := task.Sleep(ctx, time.Hour)
				testkit.ErrorIs(t, err, context.Canceled)
				return errors.Join(err, task.Sleep(context.WithoutCancel(ctx), time.Millisecond))
			})
		}
		return task.Yield(ctx)
	})
	if ended != 100 || time.Since(begun) > 700*time.Millisecond {
		t.Errorf("%d have ended, after %v; want 100 and at most %v", ended, time.Since(begun), 700*time.Millisecond)
	}
	if n := len(testkit.Descriptors()); n != fds {
		t.Errorf("%d descriptors, want %d, as before", n, fds)
	}
}

// FailNow is a Goexit: it unwinds every task, then ends the goroutine that called Run.
func TestFailNowInATaskEndsRunsCaller(t *testing.T) {
	testkit.Watch(t)
	fds := len(testkit.Descriptors())
	ended := 0
	gone, returned := make(chan struct{}), false
	go func() {
		defer close(gone)
		fake := &testing.T{}
		failNow := fake.FailNow
		defer func() {
			if !fake.Failed() {
				t.Error("the test has not failed, want FailNow to do its work")
			}
		}()
		task.Run(context.Background(), func(ctx context.Context) error {
			for range 10 {
				task.Spawn(ctx, func(ctx context.Context) error {
					defer func() { ended++ }()
					_, err := pending().Await(ctx)
					return err
				})
			}
			yields(ctx, 2)
			_, err := task.Go(ctx, func(context.Context) (int, error) { failNow(); return 0, nil }).Await(ctx)
			return err
		})
		returned = true
	}()
	<-gone
	if returned || ended != 10 {
		t.Errorf("Run returned: %v, %d tasks have ended; want false and 10", returned, ended)
	}
	if n := len(testkit.Descriptors()); n != fds {
		t.Errorf("%d descriptors, want %d, as before", n, fds)
	}
	if err := goleak.Find(goleak.IgnoreCurrent()); err != nil {
		t.Error(err)
	}
}

func TestRunRefusesSignalsThatCannotBeCaught(t *testing.T) {
	fds := len(testkit.Descriptors())
	err := task.Run(context.Background(), func(context.Context) error { t.Error("main ran, want Run to refuse"); return nil }, task.WithSignals(syscall.SIGTERM, syscall.SIGKILL))
	testkit.ErrorIs(t, err, syscall.EINVAL)
	if n := len(testkit.Descriptors()); n != fds {
		t.Errorf("%d descriptors, want %d, as before", n, fds)
	}
}

// The rest runs in a process of its own: this test binary again, with a scene named in the
// environment.
const sceneVariable = "COROBRIDGE_TASK_SCENE"

func scene(t *testing.T, name string) (out string, err error) {
	t.Helper()
	testkit.Watch(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestScene$", "-test.v", "-test.timeout=10s")
	cmd.Env = append(os.Environ(), sceneVariable+"="+name)
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func stallsTheLoop() { time.Sleep(2 * time.Second) }

// named returns the signal that the name of a scene begins with.
func named(scene string) syscall.Signal {
	if strings.HasPrefix(scene, "SIGTERM") {
		return syscall.SIGTERM
	}
	return syscall.SIGINT
}

// waits is a function as what task.Wait waits for.
type waits func() error

func (w waits) Wait() error { return w() }

func TestScene(t *testing.T) {
	kill := func(sig syscall.Signal) { syscall.Kill(os.Getpid(), sig) }
	switch name := os.Getenv(sceneVariable); name {
	case "SIGINT", "SIGTERM":
		sig := map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM}[name]
		err := task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(context.Context) error { kill(sig); return nil })
			_, err := pending().Await(ctx)
			var s *task.SignalError
			fmt.Println("main:", errors.As(err, &s), errors.Is(err, context.Canceled), context.Cause(ctx))
			return err
		})
		var s *task.SignalError
		fmt.Println("Run:", errors.As(err, &s) && s.Signal == sig, err)
	case "one worker": // watching for signals takes none of the loop's workers
		err := task.Run(context.Background(), func(ctx context.Context) error {
			_, err := task.Blocking(ctx, func(context.Context) (int, error) { return 0, nil })
			return err
		}, task.WithLoopOptions(reactor.WithWorkers(1)))
		fmt.Println("Run:", err)
	case "second signal":
		task.Run(context.Background(), func(ctx context.Context) error {
			kill(syscall.SIGTERM)
			pending().Await(ctx)
			fmt.Println("first")
			kill(syscall.SIGTERM)
			_, err := pending().Await(context.WithoutCancel(ctx))
			return err
		})
	case "second signal, and the loop stalls":
		task.Run(context.Background(), func(ctx context.Context) error {
			for { // the first may be told of a little later than it comes
				kill(syscall.SIGINT)
				time.Sleep(time.Millisecond)
			}
		})
	case "SIGINT when main has returned, and a task unwinds", "SIGTERM when main has returned, and a task unwinds":
		task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error {
				pending().Await(ctx)
				fmt.Println("main has returned")
				kill(named(name))
				return task.Sleep(context.WithoutCancel(ctx), time.Hour)
			})
			return task.Yield(ctx)
		})
	case "SIGINT when main has returned, and a worker runs", "SIGTERM when main has returned, and a worker runs":
		task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error {
				_, err := task.Blocking(ctx, func(ctx context.Context) (int, error) {
					<-ctx.Done()
					fmt.Println("main has returned")
					kill(named(name))
					select {}
				})
				return err
			})
			return task.Sleep(ctx, time.Millisecond)
		})
	case "SIGINT when main has returned, and task.Wait waits":
		task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error {
				return task.Wait(ctx, waits(func() error {
					<-ctx.Done()
					fmt.Println("main has returned")
					kill(named(name))
					select {}
				}))
			})
			return task.Sleep(ctx, time.Millisecond)
		})
	case "SIGINT when main has panicked":
		task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error {
				pending().Await(ctx)
				fmt.Println("main has returned")
				kill(named(name))
				return task.Sleep(context.WithoutCancel(ctx), time.Hour)
			})
			task.Yield(ctx)
			panic("of main")
		})
	case "SIGINT, and a task stalls the loop", "SIGINT, and a callback stalls the loop":
		task.Run(context.Background(), func(ctx context.Context) error {
			kill(syscall.SIGINT)
			if strings.Contains(name, "callback") {
				loop, _ := reactor.FromContext(ctx)
				loop.CallSoon(stallsTheLoop)
				return task.Yield(context.WithoutCancel(ctx))
			}
			stallsTheLoop()
			return nil
		})
		fmt.Println("over")
	case "FailNow":
		task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error {
				defer fmt.Println("unwound")
				return task.Sleep(ctx, time.Hour)
			})
			task.Yield(ctx)
			t.Fatal("failed in a task")
			return nil
		})
		fmt.Println("Run returned")
	default:
		t.Skip("is run by the tests that follow")
	}
}

func TestScenes(t *testing.T) {
	for name, c := range map[string]struct {
		want, not string
		fails     bool
	}{
		"SIGINT":                             {want: "main: true true task: signal: interrupt\nRun: true task: signal: interrupt\n"},
		"SIGTERM":                            {want: "main: true true task: signal: terminated\nRun: true task: signal: terminated\n"},
		"one worker":                         {want: "Run: <nil>\n"},
		"second signal":                      {want: "first\n", fails: true},
		"second signal, and the loop stalls": {fails: true},

		"SIGINT when main has returned, and a task unwinds":  {want: "main has returned\n", fails: true},
		"SIGTERM when main has returned, and a task unwinds": {want: "main has returned\n", fails: true},
		"SIGINT when main has returned, and a worker runs":   {want: "main has returned\n", fails: true},
		"SIGTERM when main has returned, and a worker runs":  {want: "main has returned\n", fails: true},
		"SIGINT when main has returned, and task.Wait waits": {want: "main has returned\n", fails: true},
		"SIGINT, and a task stalls the loop":                 {want: "stallsTheLoop"},
		"SIGINT, and a callback stalls the loop":             {want: "stallsTheLoop"},
		"SIGINT when main has panicked":                      {want: "main has returned\n", fails: true},
		"FailNow":                                            {want: "unwound\n", not: "Run returned", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := scene(t, name)
			if (err != nil) != c.fails || !strings.Contains(out, c.want) || c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("%v, want an error: %v, %q in the output and %q not:\n%s", err, c.fails, c.want, c.not, out)
			}
			var exit *exec.ExitError
			ends := map[string]syscall.Signal{"second signal": syscall.SIGTERM, "second signal, and the loop stalls": syscall.SIGINT}
			if strings.Contains(name, "when main has") {
				ends[name] = named(name)
			}
			if sig := ends[name]; sig != 0 && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != sig) {
				t.Errorf("it ended with %v, want %v to end it", err, sig)
			}
			if name == "FailNow" && !strings.Contains(out, "--- FAIL: TestScene") {
				t.Errorf("want the output to tell that the test failed:\n%s", out)
			}
		})
	}
}

// A Run within a Group's member, on another goroutine, is a call like any other: its error is its
// caller's, and what it leaves fails nobody else.
func TestRunWithTheContextOfAGroup(t *testing.T) {
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			_, err := task.Blocking(ctx, func(ctx context.Context) (int, error) {
				err := task.Run(ctx, func(ctx context.Context) error {
					task.Spawn(ctx, func(context.Context) error { return errTest })
					yields(ctx, 3)
					return errTest
				}, task.WithSignals(), task.WithLoopOptions(x.Option()))
				if err != errTest {
					t.Errorf("the inner Run = %v, want %v", err, errTest)
				}
				return 0, nil
			})
			return errors.Join(err, ctx.Err())
		})
	})
	if got := x.Take(); len(got) != 1 || !errors.Is(got[0].Err, errTest) {
		t.Errorf("the inner loop reported %v, want %v once", got, errTest)
	}
}
