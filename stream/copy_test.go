//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestCopyKeepsWhatIsNotWritten(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		src, from := w.open(t, w.loop)
		dst, to := w.open(t, w.loop)
		data := pattern(6 << 20)
		sent := in(t, func() { from.Write(data); from.CloseWrite() })
		var n int64
		w.run(func(ctx context.Context) {
			cctx, cancel := context.WithCancel(ctx)
			wait := in(t, func() {
				testkit.Eventually(t, "a writer that waits", func() bool { return stream.WriterWaits(dst) })
				cancel()
			})
			var err error
			n, err = stream.Copy(cctx, dst, src)
			mustBe(t, "Copy", err, context.Canceled)
			wait()
		})
		got := make([]byte, 0, len(data))
		received := in(t, func() {
			b, err := io.ReadAll(to)
			got = append(got, b...)
			mustBe(t, "receive", err, nil)
		})
		w.run(func(ctx context.Context) {
			k, err := stream.Copy(ctx, dst, src)
			if n+k != int64(len(data)) || err != nil {
				t.Errorf("Copy: %d + %d of %d, %v", n, k, len(data), err)
			}
			mustBe(t, "CloseWrite", dst.CloseWrite(ctx), nil)
		})
		sent()
		received()
		if !bytes.Equal(got, data) {
			t.Error("the bytes are not those that were sent")
		}
	})
}

// What Copy is writing is not given to another connection when the source is closed meanwhile.
func TestCopyFromAConnectionThatIsClosed(t *testing.T) {
	l := startLoop(t)
	testkit.InTask(t, l, func(ctx context.Context) {
		src, from := stream.Pipe(ctx)
		dst, to := stream.Pipe(ctx)
		sent := fill(dst)
		data := pattern(10_000)
		from.Write(ctx, data)
		copied := task.Spawn(ctx, func(ctx context.Context) error {
			n, err := stream.Copy(ctx, dst, src)
			mustBe(t, "Copy", err, stream.ErrClosed)
			if n != int64(len(data)) {
				t.Errorf("copied %d", n)
			}
			return nil
		})
		for !stream.WriterWaits(dst) {
			task.Yield(ctx)
		}
		src.Close()
		other, peer := stream.Pipe(ctx)
		peer.Write(ctx, bytes.Repeat([]byte("!"), 10_000))
		other.PeekSome(ctx) // lends memory of the same size
		got := make([]byte, len(sent)+len(data))
		to.ReadFull(ctx, got)
		copied.Await(ctx)
		if !bytes.Equal(got[len(sent):], data) {
			t.Error("the bytes are not those that were sent")
		}
	})
}
