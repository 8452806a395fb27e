package future_test

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestFromChan(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		ch := make(chan int, 2)
		ch <- 1
		want(t, future.FromChan(ch), 1, nil)
		if f := future.FromChan(ch); f.Completed() {
			t.Error("FromChan of an empty channel has completed, want it pending")
		} else {
			time.AfterFunc(time.Millisecond, func() { ch <- 2 })
			if v, err := f.Await(ctx); v != 2 || err != nil {
				t.Errorf("got %v, %v; want 2 and nil", v, err)
			}
		}
		f := future.FromChan(ch)
		time.AfterFunc(time.Millisecond, func() { close(ch) })
		if _, err := f.Await(ctx); err != io.EOF {
			t.Errorf("closed: %v, want %v", err, io.EOF)
		}
		want(t, future.FromChan(ch), 0, io.EOF)

		var none chan int
		f = future.FromChan(none)
		if !f.Cancel(errTest) {
			t.Error("Cancel = false, want true: nothing can have come")
		}
		if _, err := f.Await(ctx); err != errTest {
			t.Errorf("cancelled: %v, want %v", err, errTest)
		}
	})
}

// A value that comes beside a Cancel is the result, or still in the channel.
func TestFromChanLosesNoValue(t *testing.T) {
	testkit.Watch(t)
	taken := 0
	for i := range 2000 {
		ch := make(chan int, 1)
		f := future.FromChan(ch)
		if i%2 == 0 {
			runtime.Gosched() // so that somebody waits for it
		}
		ch <- i
		f.Cancel(errTest)
		v, err := f.Await(context.Background())
		switch left := len(ch); {
		case left == 0 && v == i && err == nil:
			taken++
		case left == 0 || err != errTest:
			t.Fatalf("the future has %v, %v and the channel %d items; want %d in one of them", v, err, left, i)
		}
	}
	t.Logf("%d of 2000 values were taken", taken)
}

func TestFromContext(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		parent, cancel := context.WithCancelCause(ctx)
		f, given := future.FromContext(parent), future.FromContext(parent)
		if f.Completed() || !given.Cancel(nil) {
			t.Errorf("completed = %v before the context's end; want false, and the other one cancelled", f.Completed())
		}
		want(t, given, struct{}{}, future.ErrCancelled)
		time.AfterFunc(time.Millisecond, func() { cancel(errTest) })
		_, err := f.Await(ctx)
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		_, err = future.FromContext(parent).Await(ctx)
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		if f := future.FromContext(context.Background()); !f.Cancel(errTest) {
			t.Error("Cancel = false, want true: the context never ends")
		}

		v, err := future.Race(ctx, future.Map(f, func(struct{}) (int, error) { return 0, nil }), future.Resolved(1))
		if testkit.ErrorIs(t, err, errTest); v != 0 {
			t.Errorf("got %v, want 0", v)
		}
	})
}

// A channel that loses a race is left alone, with what is sent to it afterwards.
func TestFromChanThatLoses(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		ch := make(chan string, 1)
		v, err := future.Race(ctx, future.FromChan(ch), future.Resolved("first"))
		if ch <- "kept"; v != "first" || err != nil || <-ch != "kept" {
			t.Errorf("Race = %q, %v; want %q and nil, and the channel left alone", v, err, "first")
		}
	})
}
