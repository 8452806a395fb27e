//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"fmt"
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
				t.Errorf("Copy = %d after %d, %v; want %d in all and nil", k, n, err, len(data))
			}
			mustBe(t, "CloseWrite", dst.CloseWrite(ctx), nil)
		})
		sent()
		received()
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes arrived, want the %d sent, unchanged", len(got), len(data))
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
				t.Errorf("Copy = %d bytes, want %d", n, len(data))
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
			t.Errorf("what arrived after the first %d bytes differs from the %d sent, want the same", len(sent), len(data))
		}
	})
}

// What Copy has written and what the new handle reads are together what was sent, whatever Copy
// waits for when its source is handed over.
func TestDetachOfTheSourceDuringCopy(t *testing.T) {
	for _, busy := range []bool{false, true} { // whether another writer has the turn
		for _, k := range carriers {
			t.Run(fmt.Sprintf("%s/another writer %v", k.name, busy), func(t *testing.T) {
				l := startLoop(t)
				src, from := k.open(t, l)
				dst, to := k.open(t, l)
				data := pattern(12 << 20)
				sent := in(t, func() { from.Write(data); from.CloseWrite() })
				var others int64
				testkit.InTask(t, l, func(ctx context.Context) {
					other := task.Spawn(ctx, func(ctx context.Context) error {
						if !busy {
							return nil
						}
						n, err := dst.Write(ctx, make([]byte, 12<<20))
						others = int64(n)
						return err
					})
					for busy && !stream.WriterWaits(dst) {
						task.Yield(ctx)
					}
					var copied int64
					copying := task.Spawn(ctx, func(ctx context.Context) (err error) {
						copied, err = stream.Copy(ctx, dst, src)
						return err
					})
					for waits := false; !waits; {
						task.Yield(ctx)
						_, queued := stream.Queued(dst)
						waits = queued > 0 || !busy && stream.WriterWaits(dst)
					}
					d, err := src.Detach()
					if err != nil {
						t.Errorf("Detach: %v, want a new handle", err)
						return
					}
					received := make(chan []byte, 1)
					all := in(t, func() {
						b, _ := io.ReadAll(to)
						received <- b
					})
					_, err = copying.Await(ctx)
					mustBe(t, "Copy", err, stream.ErrDetached)
					_, err = other.Await(ctx)
					mustBe(t, "the other writer", err, nil)
					rest, err := readAll(ctx, d)
					mustBe(t, "the new handle", err, io.EOF)
					mustBe(t, "CloseWrite", dst.CloseWrite(ctx), nil)
					all()
					got := append((<-received)[others:], rest...)
					if int64(len(got)-len(rest)) != copied || !bytes.Equal(got, data) {
						t.Errorf("%d bytes copied, %d arrived, and %d are left; want %d in all",
							copied, len(got)-len(rest), len(rest), len(data))
					}
				})
				sent()
			})
		}
	}
}
