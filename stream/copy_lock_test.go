//go:build unix || windows

package stream

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
)

// watched is a transport that calls sees in each write.
type watched struct {
	transport
	sees func()
}

func (w *watched) write(p []byte) (int, bool, error) {
	w.sees()
	return w.transport.write(p)
}

// Between the write of some input and its end in the source nobody can take the source over.
func TestTheSourceOfACopyIsLockedWhileBytesMove(t *testing.T) {
	l := testkit.StartLoop(t)
	testkit.InTask(t, l, func(ctx context.Context) {
		src, from := Pipe(ctx)
		dst, to := Pipe(ctx)
		writes := 0
		e := dst.e.Load()
		e.transport = &watched{e.transport, func() {
			if writes++; src.e.Load().mu.TryLock() {
				src.e.Load().unlock()
				t.Error("the source is not locked, want it locked")
			}
		}}
		from.Write(ctx, make([]byte, 40_000)) // more than what is written at once
		from.Close()
		if n, err := Copy(ctx, dst, src); n != 40_000 || err != nil {
			t.Errorf("Copy = %d, %v; want 40000 and nil", n, err)
		}
		if writes == 0 {
			t.Error("nothing was written without a copy, want a write while Copy runs")
		}
		for _, c := range []*Conn{src, dst, to} {
			c.Abort()
		}
	})
}
