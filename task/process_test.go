//go:build unix

package task_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// child starts this test binary again, as a process that ends with status 5 when it is told to.
func child(t testing.TB) (p *os.Process, end func()) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err = os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run=^TestChildScene$"}, &os.ProcAttr{
		Env:   append(os.Environ(), sceneVariable+"=child", "GORACE=atexit_sleep_ms=0"),
		Files: []*os.File{in, nil, os.Stderr},
	})
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() {
		out.Close()
		p.Kill()
		p.Wait()
	})
	return p, func() { out.Close() }
}

func TestChildScene(t *testing.T) {
	if os.Getenv(sceneVariable) != "child" {
		t.Skip("is run by the tests that follow")
	}
	io.Copy(io.Discard, os.Stdin)
	os.Exit(5)
}

func wantExit(t testing.TB, state *os.ProcessState, err error) {
	t.Helper()
	if err != nil || state.ExitCode() != 5 {
		t.Errorf("WaitProcess = %v, %v; want exit status 5 and nil", state, err)
	}
}

func TestWaitProcessSuspendsTheTask(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		const n = 5
		goroutines := goroutines()
		g, gctx := task.NewGroup(ctx)
		var ends []func()
		for range n {
			p, end := child(t)
			ends = append(ends, end)
			g.Go(func() error {
				state, err := task.WaitProcess(gctx, p)
				wantExit(t, state, err)
				return err
			})
		}
		yields(ctx, 2)
		if more := runtime.NumGoroutine() - goroutines; runtime.GOOS == "linux" && more > n {
			t.Errorf("%d goroutines for %d tasks, want at most one each", more, n)
		}
		for _, end := range ends {
			end()
		}
		return g.Wait()
	})
}

func TestWaitProcessThatIsCancelledLeavesTheProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a goroutine waits, and takes the exit")
	}
	p, end := child(t)
	testkit.Run(t, func(ctx context.Context) error {
		done, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		_, err := task.WaitProcess(done, p)
		testkit.ErrorIs(t, err, errTest)
		short, cancelShort := task.WithTimeout(ctx, time.Millisecond)
		defer cancelShort()
		_, err = task.WaitProcess(short, p)
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		end()
		state, err := task.WaitProcess(ctx, p)
		wantExit(t, state, err)
		return nil
	})
}

func TestWaitProcessWhileTheLoopCloses(t *testing.T) {
	loop := testkit.StartLoop(t)
	p, end := child(t)
	tk := task.Go(loop.Context(), func(ctx context.Context) (*os.ProcessState, error) {
		pending().Await(ctx)
		end()
		return task.WaitProcess(context.WithoutCancel(ctx), p)
	})
	loop.Close()
	state, err := tk.TryResult()
	wantExit(t, state, err)
}

func TestWaitProcessInAGoroutine(t *testing.T) {
	testkit.Watch(t)
	before := goroutines()
	p, end := child(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(time.Millisecond, func() { cancel(errTest) })
	_, err := task.WaitProcess(ctx, p)
	testkit.ErrorIs(t, err, errTest)
	end()
	for runtime.NumGoroutine() > before { // the goroutine that waits ends
		runtime.Gosched()
	}
	other, end := child(t)
	end()
	state, err := task.WaitProcess(context.Background(), other)
	wantExit(t, state, err)
}

func ExampleWaitProcess() {
	task.Run(context.Background(), func(ctx context.Context) error {
		p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "exit 3"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		state, err := task.WaitProcess(ctx, p) // other tasks go on
		fmt.Println(state, err)
		return err
	})
	// Output: exit status 3 <nil>
}
