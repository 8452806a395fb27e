//go:build unix || windows

package stream_test

import (
	"context"
	"io"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// A writer whose peer takes everything at once still lets others have their turn.
func TestABusyWriterIsFair(t *testing.T) {
	for _, k := range []carrier{overTCP, overUnix} {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t)
			c, p := k.open(t, l)
			drained := in(t, func() { io.Copy(io.Discard, p) })
			testkit.InTask(t, l, func(ctx context.Context) {
				var steps int
				stop := false
				other := task.Spawn(ctx, func(ctx context.Context) error {
					for ; !stop; steps++ {
						task.Yield(ctx)
					}
					return nil
				})
				b := make([]byte, 20_000)
				for range 500 {
					if _, err := c.Write(ctx, b); err != nil {
						t.Error(err)
					}
				}
				if steps < 500/16-1 {
					t.Errorf("the other task had %d steps, want at least %d", steps, 500/16-1)
				}
				stop = true
				other.Await(ctx)
				mustBe(t, "CloseWrite", c.CloseWrite(ctx), nil)
			})
			drained()
		})
	}
}

// The same for a reader whose peer is always ahead, also within one call.
func TestABusyReaderIsFair(t *testing.T) {
	for _, k := range []carrier{overTCP, overUnix} {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t)
			c, p := k.open(t, l)
			const size = 64 << 20
			sent := in(t, func() {
				b := make([]byte, 1<<20)
				for range size / len(b) {
					p.Write(b)
				}
			})
			testkit.InTask(t, l, func(ctx context.Context) {
				var steps int
				stop := false
				other := task.Spawn(ctx, func(ctx context.Context) error {
					for ; !stop; steps++ {
						task.Yield(ctx)
					}
					return nil
				})
				if n, err := c.Discard(ctx, size); n != size || err != nil {
					t.Errorf("Discard: %d, %v; want %d and nil", n, err, size)
				}
				if least := size / (16 << 10) / 16 / 2; steps < least {
					t.Errorf("the other task had %d steps, want %d or more", steps, least)
				}
				stop = true
				other.Await(ctx)
			})
			sent()
		})
	}
}
