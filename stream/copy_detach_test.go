//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// What Copy has written and what the new handle reads are together what was sent, whoever hands the
// source over, and whenever.
func TestDetachOfTheSourceDuringCopyAtAnyMoment(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for _, k := range carriers {
		for _, who := range []string{"task", "goroutine", "callback"} {
			t.Run(fmt.Sprintf("%s/%s", k.name, who), func(t *testing.T) {
				testkit.Guard(t)
				l := startLoop(t)
				for range rounds {
					src, from := k.open(t, l)
					dst, to := k.open(t, l)
					data := pattern(1 << 20)
					after := rand.IntN(len(data))
					arrived := make(chan []byte, 1)
					handed := make(chan *stream.Conn, 1)
					detach := func() {
						d, err := src.Detach()
						mustBe(t, "Detach", err, nil)
						handed <- d
					}
					sent := in(t, func() {
						from.Write(data[:after])
						if who == "goroutine" {
							detach()
						} else if who == "callback" {
							l.CallSoon(detach)
						} else {
							task.Spawn(l.Context(), func(context.Context) error { detach(); return nil })
						}
						from.Write(data[after:])
						from.CloseWrite()
					})
					received := in(t, func() {
						b, _ := io.ReadAll(to)
						arrived <- b
					})
					testkit.InTask(t, l, func(ctx context.Context) {
						copied, err := stream.Copy(ctx, dst, src)
						late := err == nil && copied == int64(len(data)) // the end came first
						if !late && !errors.Is(err, stream.ErrDetached) {
							t.Errorf("Copy: %d bytes, %v; want %v, or all of them", copied, err, stream.ErrDetached)
						}
						mustBe(t, "CloseWrite", dst.CloseWrite(ctx), nil)
						received()
						got := <-arrived
						d := <-handed
						rest, err := readAll(ctx, d)
						mustBe(t, "the new handle", err, io.EOF)
						if int64(len(got)) != copied || !bytes.Equal(append(got, rest...), data) {
							t.Errorf("%d bytes copied, %d arrived, and %d are left; want %d in all", copied, len(got), len(rest), len(data))
						}
						d.Abort()
						dst.Abort()
					})
					sent()
					to.Close()
					from.Close()
				}
			})
		}
	}
}

// A Detach of the destination loses nothing: what has not been written is still in the source.
func TestDetachOfTheDestinationDuringCopy(t *testing.T) {
	for _, k := range carriers {
		t.Run(k.name, func(t *testing.T) {
			testkit.Guard(t)
			l := startLoop(t)
			src, from := k.open(t, l)
			dst, to := k.open(t, l)
			data := pattern(12 << 20)
			sent := in(t, func() { from.Write(data); from.CloseWrite() })
			testkit.InTask(t, l, func(ctx context.Context) {
				var copied int64
				copying := task.Spawn(ctx, func(ctx context.Context) (err error) {
					copied, err = stream.Copy(ctx, dst, src)
					return err
				})
				for !stream.WriterWaits(dst) {
					task.Yield(ctx)
				}
				d, err := dst.Detach()
				mustBe(t, "Detach", err, nil)
				_, err = copying.Await(ctx)
				mustBe(t, "Copy", err, stream.ErrDetached)
				arrived := make(chan []byte, 1)
				received := in(t, func() {
					b, _ := io.ReadAll(to)
					arrived <- b
				})
				rest, err := stream.Copy(ctx, d, src)
				mustBe(t, "Copy to the new handle", err, nil)
				mustBe(t, "CloseWrite", d.CloseWrite(ctx), nil)
				received()
				if got := <-arrived; copied+rest != int64(len(data)) || !bytes.Equal(got, data) {
					t.Errorf("%d and %d bytes copied, %d arrived; want %d in all, unchanged", copied, rest, len(got), len(data))
				}
				d.Abort()
			})
			sent()
		})
	}
}

// Copy in both directions at once takes two connections the one way and the other.
func TestCopiesBothWaysBetweenTwoLoops(t *testing.T) {
	testkit.Guard(t)
	l, m := startLoop(t), startLoop(t)
	a, p := overPipe.open(t, l)
	b, q := overPipe.open(t, m)
	data := pattern(4 << 20)
	var waits []func()
	for _, way := range [][2]*stream.Conn{{a, b}, {b, a}} {
		waits = append(waits, in(t, func() {
			n, err := stream.Copy(context.Background(), way[0], way[1])
			if n != int64(len(data)) || err != nil {
				t.Errorf("Copy = %d, %v; want %d and nil", n, err, len(data))
			}
			mustBe(t, "CloseWrite", way[0].CloseWrite(context.Background()), nil)
		}))
	}
	for _, x := range []peer{p, q} {
		waits = append(waits, in(t, func() { x.Write(data); x.CloseWrite() }), in(t, func() {
			if got, err := io.ReadAll(x); !bytes.Equal(got, data) || err != nil {
				t.Errorf("%d bytes arrived, %v; want the %d sent and nil", len(got), err, len(data))
			}
		}))
	}
	for _, wait := range waits {
		wait()
	}
}
