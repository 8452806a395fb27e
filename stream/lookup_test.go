//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// silence is a world whose name server never answers for silent.test.
type silence struct {
	world.World
	begun, ended atomic.Int64 // lookups of that name
}

func (s *silence) LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if host != "silent.test" {
		return s.World.LookupHost(ctx, host)
	}
	s.begun.Add(1)
	defer s.ended.Add(1)
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

var errGivenUp = errors.New("given up")

// localhost returns where a listener of the loop is reached by name.
func localhost(t *testing.T, l *reactor.Loop) string {
	address, _ := serving(t, l, &stream.Server{Handler: echo})
	return "localhost" + address[strings.LastIndexByte(address, ':'):]
}

// What waits in the pool of Offload holds up no Dial.
func TestADialByNameDoesNotWaitForBlockingCalls(t *testing.T) {
	l := startLoop(t, reactor.WithWorkers(2))
	address := localhost(t, l)
	goOn := make(chan struct{})
	var blocked []*task.Task[int]
	for range 4 {
		blocked = append(blocked, task.Go(l.Context(), func(ctx context.Context) (int, error) {
			return task.Blocking(ctx, func(context.Context) (int, error) { <-goOn; return 0, nil })
		}))
	}
	testkit.Eventually(t, "two functions that run, and two in the queue", func() bool { s := statsOf(l); return s.Offloaded == 2 && s.OffloadQueue == 2 })
	testkit.InTask(t, l, func(ctx context.Context) {
		c, err := stream.Dial(ctx, "tcp4", address)
		mustBe(t, "Dial", err, nil)
		mustBe(t, "Close", c.Close(), nil)
	})
	close(goOn)
	for _, b := range blocked {
		b.Await(context.Background())
	}
}

func TestASilentNameServerHoldsUpNoOtherName(t *testing.T) {
	testkit.Guard(t)
	s := &silence{}
	l := startLoop(t, reactor.WithWorld(worldtest.On(s, &s.World)))
	address := localhost(t, l)
	const dials = 100
	ctx, cancel := context.WithCancelCause(l.Context())
	var silent []*task.Task[*stream.Conn]
	for range dials {
		silent = append(silent, task.Go(ctx, func(ctx context.Context) (*stream.Conn, error) {
			return stream.Dial(ctx, "tcp", "silent.test:1")
		}))
	}
	testkit.Eventually(t, "the begin of all lookups", func() bool { return s.begun.Load() == dials })
	testkit.InTask(t, l, func(ctx context.Context) {
		c, err := stream.Dial(ctx, "tcp4", address)
		mustBe(t, "Dial", err, nil)
		mustBe(t, "Close", c.Close(), nil)
	})
	cancel(errGivenUp)
	for _, d := range silent {
		_, err := d.Await(context.Background())
		mustBe(t, "a dial that was cancelled", err, errGivenUp)
	}
	// The lookups leave nothing behind.
	testkit.Eventually(t, "the end of all lookups", func() bool { return s.ended.Load() == dials })
}

func TestCloseOfTheLoopEndsItsLookups(t *testing.T) {
	testkit.Guard(t)
	s := &silence{}
	l := startLoop(t, reactor.WithWorld(worldtest.On(s, &s.World)))
	d := task.Go(l.Context(), func(ctx context.Context) (*stream.Conn, error) {
		return stream.Dial(ctx, "tcp", "silent.test:1")
	})
	testkit.Eventually(t, "the begin of the lookup", func() bool { return s.begun.Load() == 1 })
	mustBe(t, "Close", l.Close(), nil)
	if n := s.ended.Load(); n != 1 {
		t.Errorf("%d lookups had ended when Close returned, want 1", n)
	}
	_, err := d.Await(context.Background())
	mustBe(t, "the dial", err, reactor.ErrClosed)
}
