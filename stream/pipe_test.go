//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// However a Pipe made in a goroutine and the end of its loop fall together, both ends are closed
// and the loop ends well.
func TestAPipeMadeWhileTheLoopCloses(t *testing.T) {
	testkit.Guard(t)
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for round := range rounds {
		l := testkit.StartLoop(t)
		var a, b *stream.Conn
		var other *stream.Conn
		made := in(t, func() {
			other, _ = stream.Pipe(l.Context())
			for l.Context().Err() == nil {
				a, b = stream.Pipe(l.Context())
			}
		})
		for range round % 40 { // any moment will do
			runtime.Gosched()
		}
		if err := l.Close(); err != nil {
			t.Fatalf("loop.Close: %v; want no error", err)
		}
		made()
		for _, c := range []*stream.Conn{a, b, other} {
			if c == nil {
				continue
			}
			if _, err := c.Write(context.Background(), []byte("x")); !errors.Is(err, stream.ErrClosed) {
				t.Fatalf("Write after the end of the loop: %v; want ErrClosed", err)
			}
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// A buffer that grows by small writes is moved a bounded number of times, also above the sizes that
// loops lend.
func TestManySmallWritesIntoALargeBuffer(t *testing.T) {
	l := startLoop(t)
	testkit.InTask(t, l, func(ctx context.Context) {
		a, _ := stream.Pipe(ctx)
		defer a.Abort()
		const size = 8 << 20
		a.SetWaterMarks(size, 2*size)
		before := allocated()
		for p := make([]byte, 1<<10); a.Unsent() < size; {
			if _, err := a.Write(ctx, p); err != nil {
				t.Error(err)
				return
			}
		}
		if n := allocated() - before; n > 8*size {
			t.Errorf("%d bytes were allocated for a buffer of %d; want at most 8 times as much", n, size)
		}
	})
}
