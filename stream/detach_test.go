//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

func TestDetachMovesEverything(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		p.Write([]byte("one\ntwo\nthree"))
		p.CloseWrite()
		var d *stream.Conn
		w.run(func(ctx context.Context) {
			c.SetValue("v")
			c.SetLineLimit(4)
			if line, err := c.ReadLine(ctx); line != "one" {
				t.Errorf("%q, %v; want %q", line, err, "one")
			}
			lent, err := c.PeekSome(ctx)
			if err != nil {
				t.Error(err)
			}
			var late atomic.Bool
			c.OnReady(func() {
				if late.Load() {
					t.Error("the old handle is called back, want the new one alone")
				}
			})
			d, err = c.Detach()
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if !w.loop.InLoop() {
				testkit.OnLoop(t, w.loop, func() {}) // a call may have been under way
			}
			late.Store(true)
			c.Close()
			c.Abort()
			c.SetValue("other")
			if c.Value() != nil || c.LocalAddr() != nil || c.RemoteAddr() != nil || c.Loop() != nil {
				t.Errorf("the old handle has %v, %v, %v, %p; want nil for each", c.Value(), c.LocalAddr(), c.RemoteAddr(), c.Loop())
			}
			inert(t, ctx, c, stream.ErrDetached)
			mustBe(t, "WaitClosed", c.WaitClosed(ctx), stream.ErrDetached)
			if d.Value() != "v" || d.Loop() != w.loop {
				t.Errorf("the new handle has value %v and loop %p, want %q and %p", d.Value(), d.Loop(), "v", w.loop)
			}
			before := string(lent)
			if line, err := d.ReadLine(ctx); line != "two" {
				t.Errorf("%q, %v; want %q", line, err, "two")
			}
			if string(lent) != before {
				t.Errorf("what the old handle had lent became %q, want still %q", lent, before)
			}
			_, err = d.ReadLine(ctx)
			mustBe(t, "the line limit", err, stream.ErrLineTooLong)
			d.Unread([]byte("back "))
			all, err := readAll(ctx, d)
			if string(all) != "back three" || err != io.EOF {
				t.Errorf("%q, %v; want %q and %v", all, err, "back three", io.EOF)
			}
			d.WriteString(ctx, "reply")
		})
		if got, err := io.ReadAll(p); string(got) != "reply" {
			t.Errorf("%q, %v; want %q", got, err, "reply")
		}
		if n := stream.StatsOf(w.loop).HandOvers; n != 1 {
			t.Errorf("%d hand-overs, want 1", n)
		}
	})
}

// What Peek has lent is not given to another connection when the new handle reads on.
func TestWhatADetachedHandleHasLentStays(t *testing.T) {
	l := startLoop(t)
	testkit.InTask(t, l, func(ctx context.Context) {
		c, p := stream.Pipe(ctx)
		p.WriteString(ctx, "lent")
		lent, err := c.PeekSome(ctx)
		if err != nil {
			t.Error(err)
		}
		d, err := c.Detach()
		if err != nil {
			t.Error(err)
			return
		}
		d.Discard(ctx, 4)
		other, from := stream.Pipe(ctx)
		from.WriteString(ctx, "from elsewhere")
		other.PeekSome(ctx)
		if string(lent) != "lent" {
			t.Errorf("now it is %q, want %q", lent, "lent")
		}
	})
}

func TestDetachKeepsWhatIsUnsent(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		sent := fill(c)
		d, err := c.Detach()
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
		unblock(d)
		got, err := io.ReadAll(p)
		if !bytes.Equal(got, sent) || err != nil {
			t.Errorf("%d bytes arrived, %v; want the %d sent and nil", len(got), err, len(sent))
		}
	})
}
